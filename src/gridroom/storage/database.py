"""Open a database, bring it to the latest migration, and do things in transactions.

Each actor has its own database and its own numbered migrations: modules `vNNNN_what.py` in a package such as
`gridroom.dso.migrations`, each an Alembic revision (`revision`, `down_revision`, `upgrade()`).
"""

import importlib.resources
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from gridroom.storage import postgres, sqlite
from gridroom.storage.address import AddressError, parse, shown
from gridroom.storage.failures import DatabaseError, blames_the_database, failure

__all__ = ["MEMORY", "Database", "DatabaseError", "look", "open"]

MEMORY = "sqlite://"
"""A database that lives as long as its owner."""

NOTHING = "nothing is there yet: import or run first"
"""What who only looks is told of a database that is missing or empty."""


class Database:
    """A database at its latest migration.

    Attributes:
        url: Where it is, as SQLAlchemy writes it; a password in it is masked.
    """

    def __init__(self, engine: sa.Engine, let_go: Callable[[], None]) -> None:
        self.url = shown(engine.url)
        self._engine, self._let_go = engine, let_go

    @contextmanager
    def transact(self) -> Iterator[sa.Connection]:
        """A transaction: all of it is stored when the block ends well, nothing when it raises.

        It takes the write lock at once, so what is read in it stays true until its end. Not to be nested, and nothing
        is to be awaited within. Only if the connection is lost while the block has ended and the server stores it,
        nobody knows which of the two happened.

        Raises:
            DatabaseError: The database does not answer, or another process kept it for too long; the next
                transaction tries anew.
        """
        try:
            with self._engine.begin() as tx:
                yield tx
        except sa.exc.DBAPIError as error:
            if blames_the_database(error):
                raise failure(self._engine.url, error) from error
            raise

    def close(self) -> None:
        """Let go of the file or the server."""
        self._engine.dispose()
        self._let_go()


def open(url: str, migrations: str, *, alone: bool = False) -> Database:
    """Open a database and run the migrations that it misses, in one transaction.

    Several processes may do so at once: the first one migrates, the others wait and find it done.

    Args:
        url: Such as `sqlite:////folder/dso.db`, `sqlite://` (in memory) or `postgresql://user@host/database`.
        migrations: Package of the actor's numbered migrations.
        alone: Let nobody else open it alone until it is closed or our process ends; any other may open it, or look.

    Raises:
        DatabaseError: It cannot be reached or opened, was written by a newer version or another actor, or is open
            alone already.
    """
    return _opened(_address(url), lambda tx: _migrate(tx, migrations), alone=alone)


def look(url: str, migrations: str) -> Database:
    """Open a database as it is, for who only looks: nothing is made, migrated or changed.

    Its transactions see what was stored when they began; they neither wait for others nor keep them waiting.

    Args:
        url: Such as `sqlite:////folder/dso.db` or `postgresql://user@host/database`.
        migrations: Package of the actor's numbered migrations.

    Raises:
        DatabaseError: There is nothing yet; it cannot be reached or opened; or it was written by an older or newer
            version or another actor.
    """
    address = _address(url)
    if address.drivername == "sqlite" and not _holds_something(Path(address.database or "")):
        raise DatabaseError(f"{shown(address)}: {NOTHING}")
    return _opened(address, lambda tx: _check_latest(tx, migrations), reading=True)


def _address(url: str) -> sa.URL:
    try:
        return parse(url)
    except AddressError as error:
        raise DatabaseError(f"`database`: {error}") from None


def _holds_something(file: Path) -> bool:
    """Whether SQLite would open what is there, rather than make it."""
    return file.is_file() and file.stat().st_size > 0


def _opened(
    address: sa.URL, prepare: Callable[[sa.Connection], None], *, reading: bool = False, alone: bool = False
) -> Database:
    """A database, after something was done or checked in its first transaction."""
    kind = sqlite if address.drivername == "sqlite" else postgres
    engine = kind.engine(address, reading=reading)
    with ExitStack() as undone:
        undone.callback(engine.dispose)
        try:
            let_go = undone.callback(kind.hold(engine)) if alone else _nothing
            with engine.begin() as tx:
                prepare(tx)
        except sa.exc.DBAPIError as error:
            raise failure(address, error) from error
        except DatabaseError as error:
            raise DatabaseError(f"{shown(address)}: {error}") from error
        undone.pop_all()
    return Database(engine, let_go)


def _nothing() -> None:
    """Nothing is held."""


def _migrate(tx: sa.Connection, package: str) -> None:
    with _scripts(package) as scripts:
        _check(_found(tx), {revision.revision for revision in scripts.walk_revisions()})
        latest = MigrationContext.configure(
            tx,
            opts={
                "transactional_ddl": True,
                "fn": lambda current, _: scripts._upgrade_revs("head", current),  # alembic's own `upgrade` does this
            },
        )
        with Operations.context(latest):
            latest.run_migrations()


def _check_latest(tx: sa.Connection, package: str) -> None:
    """Raise where nothing is there yet, or not the latest migration."""
    found = _found(tx)
    if not found:
        raise DatabaseError(NOTHING)
    with _scripts(package) as scripts:
        _check(found, {revision.revision for revision in scripts.walk_revisions()})
        if found != set(scripts.get_heads()):
            old = ", ".join(sorted(found))
            raise DatabaseError(f"written by an older version (migration {old}): run or import brings it up to date")


def _found(tx: sa.Connection) -> set[str]:
    """The migrations that a database is at; none where there is no table of them."""
    return set(MigrationContext.configure(tx, opts={"transactional_ddl": True}).get_current_heads())


@contextmanager
def _scripts(package: str) -> Iterator[ScriptDirectory]:
    """The migrations of an actor."""
    with importlib.resources.as_file(importlib.resources.files(package)) as folder:
        yield ScriptDirectory(str(folder), version_locations=[str(folder)])


def _check(found: set[str], known: set[str]) -> None:
    strange = ", ".join(sorted(found - known))
    if {name.rstrip("0123456789") for name in found} - {name.rstrip("0123456789") for name in known}:
        raise DatabaseError(f"belongs to another actor (migration {strange}); each needs a database of its own")
    if strange:
        raise DatabaseError(f"written by a newer version (migration {strange}); upgrade gridroom")
