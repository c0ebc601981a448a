"""PostgreSQL that restarts, hangs, refuses or is not there: nothing half stored, and one line that says what to do."""

import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import event

from gridroom.storage import address, database, postgres
from gridroom.storage.database import Database, DatabaseError
from gridroom.storage.letters import CLOCKS
from postgres_server import Server
from storage_writers import MIGRATIONS, NOON


@pytest.fixture(scope="module")
def own() -> Iterator[Server]:
    server = Server()
    yield server
    server.remove()


def do(own: Server, *statements: str, where: str = "postgres") -> None:
    with psycopg.connect(own.url(where), autocommit=True) as connection:
        for one in statements:
            connection.execute(one)


@pytest.fixture
def url(own: Server) -> Iterator[str]:
    do(own, "CREATE DATABASE office TEMPLATE template0")
    yield own.url("office")
    own.start()
    do(own, "DROP DATABASE office WITH (FORCE)")


@pytest.fixture
def db(url: str) -> Iterator[Database]:
    db = database.open(url, MIGRATIONS)
    yield db
    db.close()


def write(tx: sa.Connection, party: str) -> None:
    tx.execute(CLOCKS.insert().values(party=party, ahead_ms=0, at=NOON))


def parties(db: Database) -> list[str]:
    with db.transact() as tx:
        return list(tx.scalars(sa.select(CLOCKS.c.party).order_by(CLOCKS.c.party)))


# -- a server that comes and goes ----------------------------------------------------------------------------------


def test_after_a_restart_of_the_server_the_next_transaction_goes_on(own: Server, db: Database) -> None:
    with db.transact() as tx:
        write(tx, "before")
    own.stop()
    own.start()
    with db.transact() as tx:
        write(tx, "after")
    assert parties(db) == ["after", "before"]


def test_an_office_outlives_a_restart_of_the_server_and_can_be_ended(own: Server, url: str) -> None:
    db = database.open(url, MIGRATIONS, alone=True)
    own.stop()
    own.start()
    assert parties(db) == []
    db.close()
    database.open(url, MIGRATIONS, alone=True).close()


def test_a_transaction_in_which_the_server_restarts_raises_and_stores_nothing(own: Server, db: Database) -> None:
    def cut() -> None:
        with db.transact() as tx:
            write(tx, "lost")
            own.stop()
            own.start()
            write(tx, "lost too")

    with pytest.raises(DatabaseError, match=r"127\.0\.0\.1:\d+/office: the (server was stopped|connection was lost)"):
        cut()
    assert parties(db) == []


def test_a_server_that_stops_before_the_commit_stores_nothing(own: Server, db: Database) -> None:
    def cut() -> None:
        with db.transact() as tx:
            write(tx, "lost")
            own.stop()

    with pytest.raises(DatabaseError):
        cut()
    own.start()
    assert parties(db) == []


def test_while_there_is_no_server_each_transaction_says_so_until_there_is(own: Server, db: Database) -> None:
    own.stop()
    for _ in range(2):
        with pytest.raises(DatabaseError, match="office: no server answers there: start it, or mend"):
            parties(db)
    own.start()
    assert parties(db) == []


# -- waits have an end ---------------------------------------------------------------------------------------------


@pytest.fixture
def impatient(url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Database]:
    patience = postgres.SESSION.replace("'30s'", "'300ms'").replace("'10min'", "'500ms'")
    assert patience.count("00ms") == 2
    monkeypatch.setattr(postgres, "SESSION", patience)
    return lambda: database.open(url, MIGRATIONS)


def test_who_waits_too_long_for_another_is_told(impatient: Callable[[], Database]) -> None:
    one, other = impatient(), impatient()
    with one.transact() as tx:
        write(tx, "first")
        with pytest.raises(DatabaseError, match="another process keeps it to itself"):
            parties(other)
    assert parties(other) == ["first"]
    one.close()
    other.close()


def test_who_stands_still_in_a_transaction_loses_it_and_others_go_on(impatient: Callable[[], Database]) -> None:
    one, other = impatient(), impatient()

    def stand_still() -> None:
        with one.transact() as tx:
            write(tx, "first")
            time.sleep(1)
            write(tx, "second")

    with pytest.raises(DatabaseError, match="stood still"):
        stand_still()
    assert parties(other) == []
    assert parties(one) == []
    one.close()
    other.close()


# -- one writer per schema, whatever the server's settings -----------------------------------------------------------


def test_a_server_that_reads_repeatably_and_commits_lazily_is_told_otherwise(own: Server, url: str) -> None:
    do(
        own,
        "ALTER DATABASE office SET default_transaction_isolation = 'repeatable read'",
        "ALTER DATABASE office SET synchronous_commit = 'off'",
    )
    db = database.open(url, MIGRATIONS)
    with db.transact() as tx:
        assert tx.scalar(sa.text("SHOW transaction_isolation")) == "read committed"
        assert tx.scalar(sa.text("SHOW synchronous_commit")) == "on"
        assert tx.scalar(sa.text("SHOW lock_timeout")) == "30s"
    db.close()
    do(own, "ALTER DATABASE office SET synchronous_commit = 'remote_apply'")
    db = database.open(url, MIGRATIONS)
    with db.transact() as tx:
        assert tx.scalar(sa.text("SHOW synchronous_commit")) == "remote_apply"
    db.close()


def test_actors_in_schemas_of_one_database_have_their_own_tables_and_do_not_wait(own: Server, url: str) -> None:
    do(own, "CREATE SCHEMA grid", "CREATE SCHEMA cars", where="office")
    grid, cars = (database.open(f"{url}?options=-csearch_path%3D{name}", MIGRATIONS) for name in ("grid", "cars"))
    with grid.transact() as tx:
        write(tx, "grid")
        assert parties(cars) == []
    assert parties(grid) == ["grid"]
    grid.close()
    cars.close()


# -- a server that refuses -----------------------------------------------------------------------------------------

GUEST = "CREATE ROLE guest LOGIN PASSWORD 'hush'"


@pytest.fixture
def guest(own: Server, url: str) -> Iterator[str]:
    """A user with a password in its URL, who may make no tables."""
    do(own, GUEST)
    yield url.replace("gridroom@", "guest:hush@")
    do(own, "REVOKE ALL ON SCHEMA public FROM guest", where="office")
    do(own, "DROP OWNED BY guest", where="office")
    do(own, "DROP OWNED BY guest", "DROP ROLE guest")


def refused(url: str) -> str:
    with pytest.raises(DatabaseError) as caught:
        database.open(url, MIGRATIONS)
    assert "hush" not in "".join(traceback.format_exception(caught.value))
    (line,) = str(caught.value).splitlines()
    return line


def test_a_user_who_may_only_read_looks(own: Server, db: Database, url: str, guest: str) -> None:
    with db.transact() as tx:
        write(tx, "before")
    do(own, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO guest", where="office")
    looking = database.look(guest, MIGRATIONS)
    assert parties(looking) == ["before"]
    looking.close()


def test_a_user_without_rights_is_told_what_it_lacks(guest: str) -> None:
    line = refused(guest)
    assert line.startswith("postgresql://guest:***@127.0.0.1:")
    assert "this user may not make tables there: make it the owner" in line


def test_a_password_works_and_is_not_shown(own: Server, guest: str) -> None:
    do(own, "GRANT ALL ON SCHEMA public TO guest", where="office")
    db = database.open(guest, MIGRATIONS)
    assert parties(db) == []
    assert db.url == address.shown(address.parse(guest))
    assert "hush" not in f"{db.url}{vars(db)}"
    db.close()


def test_a_wrong_password_is_told_without_it(guest: str) -> None:
    assert "wrong or no password: mend it" in refused(guest.replace("hush", "hush-hush"))
    assert "wrong or no password: mend it" in refused(guest.replace(":hush", ""))


def test_what_is_not_there_is_named(own: Server) -> None:
    assert "there is no such database: make it with createdb" in refused(own.url("nowhere"))
    assert "no server answers there" in refused("postgresql://gridroom@127.0.0.1:1/office")
    assert "no server answers there" in refused("postgresql://gridroom@nowhere.invalid/office")
    assert "no server answers there" in refused("postgresql:///office?host=/nowhere")
    assert "no trusted TLS to the server" in refused(own.url("postgres") + "?sslmode=require")
    assert "cannot be used as database" in refused(own.url("postgres") + "?colour=green")


def test_a_database_that_cannot_hold_every_name_is_refused(own: Server) -> None:
    do(own, "CREATE DATABASE narrow TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    assert "narrow: is in LATIN1" in refused(own.url("narrow"))
    do(own, "DROP DATABASE narrow")


def test_a_server_that_takes_nothing_in_is_named(own: Server, url: str) -> None:
    database.open(url, MIGRATIONS).close()
    do(own, "ALTER DATABASE office SET default_transaction_read_only = on")
    db = database.open(url, MIGRATIONS)
    with pytest.raises(DatabaseError, match="is read-only: name the primary"), db.transact() as tx:
        write(tx, "nobody")
    db.close()
    do(own, "ALTER DATABASE office RESET default_transaction_read_only", GUEST, "ALTER ROLE guest CONNECTION LIMIT 0")
    assert "no connection left" in refused(url.replace("gridroom@", "guest:hush@"))
    do(own, "DROP ROLE guest")


@pytest.mark.parametrize(
    ("rest", "mode"),
    [("db.example/dso", "verify-full"), ("db.example/dso?sslmode=disable", "disable"), ("127.0.0.1/dso", None)],
)
def test_the_way_to_another_machine_is_encrypted_unless_the_url_says_otherwise(rest: str, mode: str | None) -> None:
    engine = postgres.engine(address.parse(f"postgresql://dso@{rest}"))
    seen: dict[str, Any] = {}

    def look(_dialect: object, _record: object, _words: object, options: dict[str, Any]) -> None:
        seen.update(options)
        raise ZeroDivisionError

    event.listen(engine, "do_connect", look)
    with pytest.raises(ZeroDivisionError):
        engine.connect()
    assert seen.get("sslmode") == mode
    assert seen["connect_timeout"] == 10
