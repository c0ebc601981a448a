"""Open a database, bring it to the latest migration, and do things in transactions.

Each actor has its own database and its own numbered migrations: modules `vNNNN_what.py` in a package such as
`gridroom.dso.migrations`, each an Alembic revision (`revision`, `down_revision`, `upgrade()`).
"""

import importlib.resources
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

MEMORY = "sqlite://"
"""A database that lives as long as its owner."""


class DatabaseError(Exception):
    """A database that cannot be used; the text says which and why."""


class Database:
    """A database at its latest migration.

    Attributes:
        url: Where it is, as SQLAlchemy writes it.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.url = str(engine.url)
        self._engine = engine

    @contextmanager
    def transact(self) -> Iterator[sa.Connection]:
        """A transaction: all of it is stored when the block ends well, nothing when it raises.

        With SQLite it takes the write lock at once (BEGIN IMMEDIATE), so what is read in it stays true until its
        end. Not to be nested, and nothing is to be awaited within.
        """
        with self._engine.begin() as tx:
            yield tx

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()


def open(url: str, migrations: str) -> Database:
    """Open a database and run the migrations that it misses, in one transaction.

    Args:
        url: Such as `sqlite:////folder/dso.db` or `sqlite://` (in memory).
        migrations: Package of the actor's numbered migrations.

    Raises:
        DatabaseError: The file cannot be opened, or was written by a newer version.
    """
    engine = _engine(url)
    try:
        with engine.begin() as tx:
            _migrate(tx, migrations)
    except sa.exc.DatabaseError as error:
        engine.dispose()
        raise DatabaseError(f"{url}: cannot be used as database: {error.orig}") from error
    except DatabaseError as error:
        engine.dispose()
        raise DatabaseError(f"{url}: {error}") from error
    return Database(engine)


def _engine(url: str) -> sa.Engine:
    address = sa.make_url(url)
    if address.get_backend_name() != "sqlite":
        return sa.create_engine(address)
    in_memory = address.database in (None, "", ":memory:")
    options: dict[str, Any] = {"poolclass": StaticPool} if in_memory else {}
    engine = sa.create_engine(address, connect_args={"check_same_thread": False, "timeout": 30.0}, **options)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _prepare_sqlite(connection: Any, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # an answered message survives a power cut
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_immediate(tx: sa.Connection) -> None:
    tx.exec_driver_sql("BEGIN IMMEDIATE")


def _migrate(tx: sa.Connection, package: str) -> None:
    with importlib.resources.as_file(importlib.resources.files(package)) as folder:
        scripts = ScriptDirectory(str(folder), version_locations=[str(folder)])
        context = MigrationContext.configure(tx, opts={"transactional_ddl": True})
        known = {revision.revision for revision in scripts.walk_revisions()}
        strange = set(context.get_current_heads()) - known
        if strange:
            raise DatabaseError(
                f"written by a newer version (migration {', '.join(sorted(strange))}); upgrade gridroom"
            )
        latest = MigrationContext.configure(
            tx,
            opts={
                "transactional_ddl": True,
                "fn": lambda current, _: scripts._upgrade_revs("head", current),  # alembic's own `upgrade` does this
            },
        )
        with Operations.context(latest):
            latest.run_migrations()
