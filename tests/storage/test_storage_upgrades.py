"""Databases of older versions: each still becomes what a new one is, and keeps what it knew.

`old/` holds databases as text, written by the code of their time; named by their last migration. Once here, they and
the migrations that made them stay as they are. Those of PostgreSQL hold the same rows as those of SQLite.
"""

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

import numpy as np
import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

import databases
from gridroom.cso import store as cso_store
from gridroom.cso.stations import CableKey
from gridroom.dso import learning, lessons, promises
from gridroom.dso import store as dso_store
from gridroom.dso import tables as dso_tables
from gridroom.dso.cables import Cable, Register
from gridroom.dso.forecasting.layout import Layout
from gridroom.dso.forecasting.state import State
from gridroom.dso.readings.measurements import SLICES
from gridroom.dso.rules import Office, Rules
from gridroom.dso.tables import ALLOTMENTS, LOADS, USAGES
from gridroom.oscp.v10.messages import CSP_NAMESPACE, DSO_NAMESPACE, GetCapacityForecastRequest, HeartbeatRequest
from gridroom.oscp.v10.peer import Incoming, Peer, letter
from gridroom.storage import database, inbox, letters
from gridroom.storage.database import Database
from gridroom.storage.outbox import Outbox, Tally

OLD = Path(__file__).parent / "old"
FIRST = {"dso": "dso0001", "cso": "cso_0001"}
HOUR, DAY = timedelta(hours=1), datetime(2026, 1, 5, tzinfo=UTC)
NOON = DAY + 12 * HOUR
TO_CSO = Peer("cso", frozenset({"C1"}), "C1", "D1", frozenset({"D1"}), "https://cso")
TO_DSO = Peer("dso", frozenset({"D1"}), "D1", "C1", frozenset({"C1"}), "https://dso")


Old = Callable[[str], str]
"""Gives the URL of a database of an actor, as its first version left it."""

SCHEMA = """
SELECT 'column', attrelid::regclass || '.' || attname, concat_ws(' ', attnum, format_type(atttypid, atttypmod),
    CASE WHEN attnotnull THEN 'not null' END, pg_get_expr(adbin, adrelid))
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid AND relkind = 'r'
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped
UNION SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
"""


@pytest.fixture
def old(new_database: Callable[[str], str]) -> Old:
    def make(actor: str) -> str:
        url = new_database("")
        if url.startswith("sqlite"):
            with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
                connection.executescript((OLD / f"{FIRST[actor]}.sql").read_text())
            connection.close()
        else:
            with psycopg.connect(url) as server:
                server.execute((OLD / f"{FIRST[actor]}.postgres.sql").read_bytes())
        return url

    return make


def upgraded(url: str, actor: str) -> Database:
    return database.open(url, f"gridroom.{actor}.migrations")


def schema(url: str) -> set[tuple[str, ...]]:
    """All tables and indexes: kind, name, how it is made."""
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            found = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        connection.close()
        return {(kind, name, " ".join(sql.split())) for kind, name, sql in found}
    with psycopg.connect(url) as server:
        return set(server.execute(SCHEMA).fetchall())


@pytest.mark.parametrize("actor", FIRST)
def test_the_first_migration_makes_what_it_always_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str, old: Old, actor: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    database.open(database_url, databases.first_version(actor, tmp_path)).close()
    assert schema(database_url) == schema(old(actor))


@pytest.mark.parametrize("actor", FIRST)
def test_an_upgraded_database_is_made_as_a_new_one(database_url: str, old: Old, actor: str) -> None:
    url = old(actor)
    upgraded(url, actor).close()
    upgraded(database_url, actor).close()
    assert schema(url) == schema(database_url)
    assert ("index", "inbox_until") in {one[:2] for one in schema(url)}


@pytest.mark.parametrize("actor", FIRST)
def test_migrations_make_the_tables_that_are_used_today_and_no_others(database_url: str, actor: str) -> None:
    import_module(f"gridroom.{actor}.app")  # all rooms that have tables
    tables = {"dso": dso_tables.METADATA, "cso": cso_store.METADATA}[actor]
    db = upgraded(database_url, actor)
    with db.transact() as tx:
        context = MigrationContext.configure(tx, opts={"compare_type": database_url.startswith("postgres")})
        assert compare_metadata(context, [tables, letters.METADATA]) == []  # type: ignore[arg-type]
    db.close()


@pytest.mark.parametrize("actor", FIRST)
def test_letters_outlast_an_upgrade(old: Old, actor: str) -> None:
    us, them, operation = (TO_DSO, TO_CSO, "Heartbeat") if actor == "dso" else (TO_CSO, TO_DSO, "GetCapacityForecast")
    asked, namespace = (
        (GetCapacityForecastRequest(("cable-1",)), DSO_NAMESPACE)
        if actor == "dso"
        else (HeartbeatRequest(300, 900), CSP_NAMESPACE)
    )

    def handle(tx: sa.Connection, incoming: Incoming) -> None:
        pytest.fail("answered before")

    db = upgraded(old(actor), actor)
    again = letter(us, asked, now=NOON, message_id="asked")
    reply = inbox.receive(db, them, namespace, again.data, NOON + HOUR, handle, lambda: "new")  # type: ignore[arg-type]
    assert reply.status == 200
    assert b"answered" in reply.data
    with db.transact() as tx:
        outbox = Outbox(tx)
        assert [(one.message_id, one.operation) for one in outbox.due(NOON)] == [("waiting", operation)]
        assert b"waiting" in outbox.due(NOON)[0].data
        assert outbox.abandoned() == [(them.party, operation, "no such peer", NOON)]
        assert outbox.counts() == {operation: Tally(1, 0, 0)}
        assert inbox.deviations(tx) == {them.party: {7: 1}}
    db.close()


def test_a_dso_keeps_what_it_knew_and_use_counts_as_the_current_that_was_stated(old: Old) -> None:
    db = upgraded(old("dso"), "dso")
    with db.transact() as tx:
        store = dso_store.Store(tx, HOUR)
        used = store.read(USAGES, ("cable-1", "cso", ""), DAY, 24)
        assert used["used"].ravel().tolist() == list(range(72))
        assert used["energy"].ravel().tolist() == list(range(100, 172))
        assert used["current"].tolist() == used["used"].tolist()
        assert store.read(ALLOTMENTS, ("cable-1", "cso"), DAY, 24)["allotment"].ravel().tolist() == list(range(72))
        assert promises.holdings(store, ("cable-1",), NOON, 2)["cable-1", "cso"].most.tolist() == [
            [0, 1],
            [24, 25],
            [48, 49],
        ]
        assert store.moment("dated cso") == NOON
        (note,) = store.notes("grant", NOON)
        assert (note.at, note.party, note.cable, note.record) == (NOON, "cso", "cable-1", {"asked": 5})
        assert (store.standing("cable-1").issued, store.standing("cable-1").latest) == (NOON, (1, 2, 3))
    db.close()


def test_what_a_dso_had_learned_is_learned_anew_from_the_history(old: Old) -> None:
    url = old("dso")
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as tx:
        tx.execute(sa.text("UPDATE cables SET learned_until = 1767614400000000"))
    engine.dispose()
    db = upgraded(url, "dso")
    office = Office(Register([Cable("cable-1", (20_000,) * 3)]), Rules(block=HOUR))
    with db.transact() as tx:
        store = dso_store.Store(tx, HOUR)
        assert (store.standing("cable-1").learned_until, lessons.pool(store)) == (None, None)
        sums = SLICES * (4_000 + np.arange(72).reshape(3, 24))
        store.write(LOADS, ("cable-1",), DAY, {"sums": sums, "masks": np.full((1, 24), 2**SLICES - 1)})
        learning.expect(store, office, DAY + 24 * HOUR, 24)
        (learner,) = lessons.learners(store, ["cable-1"]).values()
        assert learner.until == DAY + 24 * HOUR
        assert State.unpack(Layout(HOUR), learner.state).learned.tolist() == [24, 24, 24]
    db.close()


def test_a_cso_keeps_what_it_knew_and_who_grants_nothing_is_asked_no_more(old: Old) -> None:
    db = upgraded(old("cso"), "cso")
    cable = CableKey("dso", "cable-1")
    with db.transact() as tx:
        store = cso_store.Store(tx)
        book = store.book(cable)
        assert (book.made_at, book.heard, book.offline_ca) == (NOON, 1, (600, 600, 600))
        assert store.reported(cable, DAY, 24, HOUR).ravel().tolist() == list(range(72))
        assert store.fact("since", datetime) == NOON
        assert store.fact("no-adjustments:dso", bool) is None
        assert [one[:2] for one in Outbox(tx).stopped()] == [("dso", "RequestAdjustedCapacity")]
    db.close()
