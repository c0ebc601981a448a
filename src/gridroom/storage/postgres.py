"""PostgreSQL, as we use it: one writer at a time per schema, as SQLite has it, and an end to every wait.

What is read in a transaction stays true until its end, since all of ours begin by taking one lock, and READ COMMITTED
then sees all that those before it stored. (In REPEATABLE READ the view would be as old as the wait for the lock.)
Source: PostgreSQL 15, sections 13.2.1 (Read Committed) and 13.3.5 (Advisory Locks).
"""

import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import ConnectionPoolEntry

from gridroom.storage.address import remote
from gridroom.storage.failures import TAKEN, DatabaseError

CONNECTING = {
    "application_name": "gridroom",
    "connect_timeout": 10,  # [s]
    "keepalives_idle": 30,  # a server that vanished is noticed after a minute [s]
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,  # [ms]
}
"""How we connect, unless the URL says otherwise."""

LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('gridroom ' || coalesce(current_schema(), ''), 0))"
"""One writer at a time; let go at the transaction's end, also by a process that was killed."""

HOLD = "SELECT pg_try_advisory_lock(hashtextextended('gridroom run ' || coalesce(current_schema(), ''), 0))"
"""Who runs on a schema; let go when the session ends, also that of a process that was killed."""

NOTICED = """
SELECT set_config('tcp_keepalives_idle', '30', false), set_config('tcp_keepalives_interval', '10', false),
       set_config('tcp_keepalives_count', '3', false)
"""
"""The server notices within a minute that a machine is gone, and another one may run in its place."""

PATIENCE_S = 3.0
"""So long a server may take to see that a process was killed. [s]"""

SESSION = """
SELECT set_config('lock_timeout', '30s', false),
       set_config('idle_in_transaction_session_timeout', '10min', false),
       CASE WHEN current_setting('synchronous_commit') = 'off' THEN set_config('synchronous_commit', 'on', false) END
"""
"""Who waits gives up, who holds the lock and hangs is thrown out; an answered message survives a power cut."""


def engine(address: sa.URL, *, reading: bool = False) -> sa.Engine:
    """An engine whose transactions follow one another, and whose lost connections are replaced.

    One for `reading` only sees what was stored when its transaction began, and neither waits nor keeps anyone waiting.
    To a server on another machine it talks TLS and checks its name, unless the URL says otherwise.
    """
    options: dict[str, Any] = {key: value for key, value in CONNECTING.items() if key not in address.query}
    if remote(address) and not {"sslmode", "service"} & set(address.query):
        options["sslmode"] = "verify-full"
    made = sa.create_engine(
        address, connect_args=options, isolation_level="READ COMMITTED", pool_pre_ping=True, hide_parameters=True
    )
    event.listen(made, "connect", _prepare)
    event.listen(made, "begin", _begin_to_read if reading else _begin)
    return made


def hold(engine: sa.Engine) -> Callable[[], None]:
    """Be the only one who holds a schema, in a session of its own; gives what lets go of it.

    Where the server restarts it is let go, too.

    Raises:
        DatabaseError: Somebody holds it.
    """
    session = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    session.detach()  # closing it ends the session
    session.exec_driver_sql(NOTICED)
    end = time.monotonic() + PATIENCE_S
    while not session.exec_driver_sql(HOLD).scalar():
        if time.monotonic() > end:
            session.close()
            raise DatabaseError(TAKEN)
        time.sleep(0.1)
    return session.close


def _prepare(connection: Any, _entry: ConnectionPoolEntry) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise DatabaseError(f"is in {encoding}, where not every name fits: make it with createdb -E UTF8 -T template0")
    connection.autocommit = True  # what is set in a transaction that is rolled back is not set
    connection.execute(SESSION)
    connection.autocommit = False


def _begin(tx: sa.Connection) -> None:
    tx.exec_driver_sql(LOCK)


def _begin_to_read(tx: sa.Connection) -> None:
    tx.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
