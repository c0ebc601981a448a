"""Why a database cannot be used, in one line that says what to do."""

import re

import sqlalchemy as sa

from gridroom.storage.address import secrets, shown


class DatabaseError(Exception):
    """A database that cannot be used; the text says which, why, and what to do."""


TAKEN = "an office runs on it already: end that one first, or name another database"
"""What who wants to run on a database alone is told when somebody does."""

BY_STATE = {
    "25006": "is read-only: name the primary server",
    "25P03": "the server ended a transaction that stood still for too long; it is tried again",
    "3F000": "has no schema to work in: CREATE SCHEMA, or mend search_path",
    "42501": "this user may not make tables there: make it the owner of the database or of a schema of its own",
    "42P07": "holds tables of another program: name an empty database or schema",
    "53100": "the server's disk is full",
    "53300": "the server has no connection left: raise its max_connections, or end what it does not need",
    "55P03": "another process keeps it to itself: end that one, or try again",
    "57P01": "the server was stopped: it is tried again",
}
"""By SQLSTATE, of errors that have one. Source: PostgreSQL 15, appendix A."""

BY_WORDS = (
    (
        r"password authentication failed|no password supplied",
        "wrong or no password: mend it in `database` or ~/.pgpass",
    ),
    (r"no pg_hba\.conf entry|authentication failed", "the server lets this user not in: see its pg_hba.conf"),
    (r"role .* does not exist", "the server knows no such user: make it with createuser"),
    (r"database .* does not exist", "there is no such database: make it with createdb"),
    (r"too many (clients|connections)|connection slots", BY_STATE["53300"]),
    (r"starting up|shutting down|recovery", "the server is starting or stopping: try again in a moment"),
    (
        r"support SSL|root certificate|certificate|SSL error",
        "no trusted TLS to the server: add ?sslmode=verify-full&sslrootcert=FILE to `database`, or ?sslmode=disable on "
        "a network that you trust",
    ),
    (
        r"Connection refused|No such file or directory|timeout expired|resolve host|not known|No route|unreachable",
        "no server answers there: start it, or mend `database`",
    ),
    (r"server closed the connection|connection is lost|terminating connection|closed", "the connection was lost"),
    (r"database is locked", BY_STATE["55P03"]),
    (r"disk is full", "the disk is full: make room"),
    (
        r"readonly database",
        "this user may not write it, its folder, or -wal and -shm beside it: run as their owner, or make this user it",
    ),
    (
        r"unable to open database file",
        "its folder is not there, or this user may not open it, or -wal and -shm beside it: see docs/databases.md",
    ),
    (r"already exists", BY_STATE["42P07"]),
)
"""By what is said, where there is no SQLSTATE: PostgreSQL gives none while connecting."""


def blames_the_database(error: sa.exc.DBAPIError) -> bool:
    """Whether the database cannot do what it should, rather than we asked for nonsense."""
    known = getattr(error.orig, "sqlstate", None) in BY_STATE
    return known or error.connection_invalidated or isinstance(error, sa.exc.OperationalError)


def failure(address: sa.URL, error: sa.exc.DBAPIError) -> DatabaseError:
    """What went wrong in one line, without passwords.

    Args:
        address: Which database.
        error: What the driver said.
    """
    said = " ".join(str(error.orig).split())
    for secret in secrets(address):
        said = said.replace(secret, "***")
    advice = BY_STATE.get(str(getattr(error.orig, "sqlstate", None))) or next(
        (words for pattern, words in BY_WORDS if re.search(pattern, said)), "cannot be used as database"
    )
    return DatabaseError(f"{shown(address)}: {advice} ({said})")
