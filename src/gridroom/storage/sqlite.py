"""SQLite, as we use it: one file, one writer at a time, nothing answered that a power cut could undo."""

import fcntl
import os
import pwd
import sqlite3
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from gridroom.storage.failures import TAKEN, DatabaseError

PATIENCE_S = 30.0
"""How long a transaction waits for the one before it. [s]"""

WRITTEN_AHEAD = b"\2\2"
"""Bytes 18 and 19 of a file with a log beside it. Source: SQLite, Database File Format, section 1.3.3."""


def engine(address: sa.URL, *, reading: bool = False) -> sa.Engine:
    """An engine whose transactions follow one another, also those of several processes.

    One for `reading` only sees what was stored when its transaction began, and neither waits nor keeps anyone waiting.
    """
    if reading:
        looking = sa.create_engine(address, creator=partial(_look, Path(address.database or "").resolve()))
        event.listen(looking, "begin", _begin_to_read)
        return looking
    in_memory = _in_memory(address)
    options: dict[str, Any] = {"poolclass": StaticPool} if in_memory else {}
    made = sa.create_engine(address, connect_args={"check_same_thread": False, "timeout": PATIENCE_S}, **options)
    if not in_memory:
        event.listen(made, "do_connect", _make_private)
    event.listen(made, "connect", _prepare)
    event.listen(made, "begin", _begin)
    return made


def _in_memory(address: sa.URL) -> bool:
    return address.database in (None, "", ":memory:")


def hold(engine: sa.Engine) -> Callable[[], None]:
    """Be the only one who holds a database; gives what lets go of it. The end of the process does so too.

    The lock is of a file beside the database, and none that SQLite knows: who does not ask for it may read and write.

    Raises:
        DatabaseError: Somebody holds it.
    """
    if _in_memory(engine.url):
        return lambda: None
    file = Path(engine.url.database or "").resolve()
    try:
        handle = os.open(f"{file}-run", os.O_RDONLY | os.O_CREAT, 0o600)
    except OSError as error:
        raise DatabaseError(f"{file}-run cannot be made or opened: {error.strerror}") from error
    if os.geteuid() == 0 and file.exists():  # as SQLite does with its files: else only root might run from now on
        os.fchown(handle, file.stat().st_uid, file.stat().st_gid)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise DatabaseError(TAKEN) from None
    return partial(os.close, handle)


def _look(file: Path) -> sqlite3.Connection:
    """A connection that leaves nothing behind which the owner of a file could not write.

    In a file with a log beside it also who only reads needs the files -wal and -shm. Where they are not there, which is
    when nobody has it open, SQLite makes them: for who may write the file and is its owner, or gives them to the owner.
    Of anybody else they would be in the owner's way.

    Source: SQLite, Write-Ahead Logging, section 5 (Read-Only Databases); src/os_unix.c, unixOpenSharedMemory.
    """
    found = file.stat()
    owns = os.geteuid() in (0, found.st_uid) and found.st_mode & stat.S_IWUSR and os.access(file.parent, os.W_OK)
    if not owns and _written_ahead(file) and not all(Path(f"{file}{end}").exists() for end in ("-wal", "-shm")):
        owner = _name(found.st_uid)
        raise DatabaseError(
            f"nobody has it open, so only its owner ({owner}) may look, where the file and its folder may be written: "
            f"look as {owner}, or while it is run"
        )
    mode = "rw" if owns else "ro&readonly_shm=1"
    return sqlite3.connect(
        f"{file.as_uri()}?mode={mode}", PATIENCE_S, isolation_level=None, check_same_thread=False, uri=True
    )


def _written_ahead(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return stream.read(20)[18:] == WRITTEN_AHEAD
    except PermissionError:
        return False  # SQLite tells


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


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
