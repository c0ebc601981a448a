"""Empty databases for tests, of SQLite and of PostgreSQL; each is gone when its test is over.

A test that asks for the fixture `database_kind`, or for `database_url` or `new_database`, runs once on each.
"""

import hashlib
import os
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import sql

import postgres_server
from gridroom.storage import database

KINDS = ("sqlite", "postgres")
NUMBERS = count(1)
MARK = f"gridroom_test_{hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]}_"
"""How our databases begin, on this machine; the process and a number follow."""

EMPTY = "DROP SCHEMA public CASCADE; CREATE SCHEMA public"
"""To make and drop a database takes PostgreSQL long: one that served its test is emptied for the next."""

EMPTIED = """
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'
        LOOP EXECUTE format('DELETE FROM public.%I', name); END LOOP;
    PERFORM setval(format('%I.%I', schemaname, sequencename)::regclass, 1, false) FROM pg_sequences;
END $$
"""
"""So are its tables, where the next one wants the same."""

ALONE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s"


@sa.event.listens_for(sa.Engine, "connect")
def _last_rows_first(connection: Any, _entry: Any) -> None:
    """What was not asked to come in an order comes the other way round: PostgreSQL does as it likes, but seldom."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA reverse_unordered_selects = ON")


class Databases:
    """Makes databases of one kind for one test."""

    def __init__(self, kind: str, folder: Path | None = None) -> None:
        self.kind, self._folder = kind, folder
        self._given: list[tuple[str, str]] = []

    def lasting(self, migrations: str = "") -> str:
        """URL of a new database that several may open: empty, or with the tables of an actor."""
        if self.kind == "sqlite":
            assert self._folder is not None, "ask for the fixture database_kind"
            return f"sqlite:///{self._folder}/{next(NUMBERS)}.db"
        free = _free(migrations)
        name = free.pop() if free else _make(migrations)
        self._given.append((name, migrations))
        return _url(name)

    def take_back(self) -> None:
        """Make ready for others what was given out; files go with their folder."""
        while self._given:
            name, migrations = self._given.pop()
            with psycopg.connect(_url(name), autocommit=True) as connection:
                connection.execute(ALONE, [connection.info.backend_pid])
                connection.execute(EMPTIED if migrations else EMPTY)
            _free(migrations).append(name)


current: Databases = Databases("sqlite")
"""Of the test that runs now."""


@contextmanager
def of(kind: str, folder: Path) -> Iterator[None]:
    """Within, databases are of a kind; files are in a folder."""
    global current
    before, current = current, Databases(kind, folder)
    try:
        yield
    finally:
        current.take_back()
        current = before


def fresh(migrations: str = "") -> str:
    """URL of a new database for one owner, of the kind that the test runs on; SQLite's is in memory."""
    return database.MEMORY if current.kind == "sqlite" else current.lasting(migrations)


def lasting(migrations: str = "") -> str:
    """URL of a new database that outlasts its owner, of the kind that the test runs on."""
    return current.lasting(migrations)


Contents = Mapping[str, list[dict[str, Any]]]
"""Rows by table."""


def contents(tx: sa.Connection, *metadata: sa.MetaData) -> Contents:
    """All rows of the tables of an actor."""
    return {table.name: [dict(row) for row in tx.execute(sa.select(table)).mappings()] for table in _tables(metadata)}


def refill(tx: sa.Connection, rows: Contents, *metadata: sa.MetaData) -> None:
    """Put other rows in place of all that is in the tables of an actor."""
    for table in _tables(metadata):
        tx.execute(table.delete())
        if rows[table.name]:
            tx.execute(table.insert(), rows[table.name])
        number = table.autoincrement_column
        if number is not None and tx.dialect.name == "postgresql":  # rows that brought their number were not counted
            newest = sa.select(sa.func.coalesce(sa.func.max(number), 0) + 1).scalar_subquery()
            counter = sa.func.pg_get_serial_sequence(table.name, number.name)
            tx.execute(sa.select(sa.func.setval(counter, newest, False)))


def first_version(actor: str, folder: Path) -> str:
    """A package with the first migration of an actor only, for a folder where modules are found; gives its name."""
    package = folder / f"first_migration_of_the_{actor}"
    package.mkdir()
    for name in ("__init__.py", "v0001_first.py"):
        shutil.copy(str(files(f"gridroom.{actor}.migrations") / name), package)
    return package.name


def _tables(metadata: tuple[sa.MetaData, ...]) -> list[sa.Table]:
    return [table for one in metadata for table in one.sorted_tables]


@cache
def server() -> str:
    """URL of the server of this process: one that is there, or one of our own until the process ends."""
    url = postgres_server.there()
    if url is None:
        own = postgres_server.Server()
        _AT_END.append(own.remove)
        url = own.url()
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [MARK])
        for (name,) in rows.fetchall():
            if not Path("/proc", name.removeprefix(MARK).split("_")[0]).exists():  # left by tests that were killed
                connection.execute(DROP.format(sql.Identifier(name)))
    return url


def close() -> None:
    """Remove what the tests of this process shared."""
    while _AT_END:
        _AT_END.pop()()


CREATE = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'")
DROP = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
_AT_END: list[Callable[[], None]] = []


@cache
def _free(migrations: str) -> list[str]:
    """Databases that nobody uses."""
    return []


def _make(migrations: str) -> str:
    name = f"{MARK}{os.getpid()}_{next(NUMBERS)}"
    _do(CREATE.format(sql.Identifier(name)))
    _AT_END.append(lambda: _do(DROP.format(sql.Identifier(name))))
    if migrations:
        database.open(_url(name), migrations).close()
    return name


def _do(statement: sql.Composed) -> None:
    with psycopg.connect(server(), autocommit=True) as connection:
        connection.execute(statement)


def _url(name: str) -> str:
    return sa.make_url(server()).set(database=name).render_as_string(hide_password=False)
