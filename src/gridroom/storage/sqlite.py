"""SQLite, as we use it: one file, one writer at a time, nothing answered that a power cut could undo."""

import os
import sqlite3
import time
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

PATIENCE_S = 30.0
"""How long a transaction waits for the one before it. [s]"""


def engine(address: sa.URL, *, reading: bool = False) -> sa.Engine:
    """An engine whose transactions follow one another, also those of several processes.

    One for `reading` only sees what was stored when its transaction began, and neither waits nor keeps anyone waiting.
    """
    in_memory = address.database in (None, "", ":memory:")
    options: dict[str, Any] = {"poolclass": StaticPool} if in_memory else {}
    made = sa.create_engine(address, connect_args={"check_same_thread": False, "timeout": PATIENCE_S}, **options)
    if not in_memory:
        event.listen(made, "do_connect", _make_private)
    event.listen(made, "connect", _prepare)
    event.listen(made, "begin", _begin_to_read if reading else _begin)
    return made


def _make_private(_dialect: Any, _entry: Any, arguments: Any, _options: Any) -> None:
    """Make a new file that its owner alone may read; SQLite gives the files beside it the same mode."""
    with suppress(OSError):  # where it is there already, or SQLite tells what is wrong
        os.close(os.open(arguments[0], os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _prepare(connection: Any, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself
    _write_ahead(connection)
    connection.execute("PRAGMA synchronous = FULL")  # an answered message survives a power cut
    connection.execute("PRAGMA foreign_keys = ON")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Keep a log beside the file; who opens a new file while another does must ask again, SQLite does not wait here."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)


def _begin(tx: sa.Connection) -> None:
    tx.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_to_read(tx: sa.Connection) -> None:
    tx.exec_driver_sql("PRAGMA query_only = ON")
    tx.exec_driver_sql("BEGIN")
