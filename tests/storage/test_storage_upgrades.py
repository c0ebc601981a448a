"""Databases of older versions: each still becomes what a new one is, and keeps what it knew.

`old/` holds databases as text, written by the code of their time; named by their last migration. Once here, they and
the migrations that made them stay as they are.
"""

import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from gridroom.cso import store as cso_store
from gridroom.cso.stations import CableKey
from gridroom.dso import store as dso_store
from gridroom.dso.store import ALLOTMENTS, USAGES
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


def old(folder: Path, actor: str) -> str:
    """A database as the first version left it; gives its URL."""
    with sqlite3.connect(folder / "old.db") as connection:
        connection.executescript((OLD / f"{FIRST[actor]}.sql").read_text())
    connection.close()
    return f"sqlite:///{folder}/old.db"


def upgraded(folder: Path, actor: str) -> Database:
    return database.open(old(folder, actor), f"gridroom.{actor}.migrations")


def schema(url: str) -> set[tuple[str, str, str]]:
    """All tables and indexes: kind, name, how it is made."""
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        found = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    connection.close()
    return {(kind, name, " ".join(sql.split())) for kind, name, sql in found}


@pytest.mark.parametrize("actor", FIRST)
def test_the_first_migration_makes_what_it_always_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, actor: str
) -> None:
    package = tmp_path / f"first_migration_of_the_{actor}"
    package.mkdir()
    theirs = Path(str(files(f"gridroom.{actor}.migrations")))
    for name in ("__init__.py", "v0001_first.py"):
        shutil.copy(theirs / name, package)
    monkeypatch.syspath_prepend(tmp_path)
    database.open(f"sqlite:///{tmp_path}/new.db", package.name).close()
    assert schema(f"sqlite:///{tmp_path}/new.db") == schema(old(tmp_path, actor))


@pytest.mark.parametrize("actor", FIRST)
def test_an_upgraded_database_is_made_as_a_new_one(tmp_path: Path, actor: str) -> None:
    upgraded(tmp_path, actor).close()
    database.open(f"sqlite:///{tmp_path}/new.db", f"gridroom.{actor}.migrations").close()
    assert schema(f"sqlite:///{tmp_path}/old.db") == schema(f"sqlite:///{tmp_path}/new.db")


@pytest.mark.parametrize(("actor", "tables"), [("dso", dso_store.METADATA), ("cso", cso_store.METADATA)])
def test_migrations_make_the_tables_that_are_used_today_and_no_others(actor: str, tables: sa.MetaData) -> None:
    db = database.open("sqlite://", f"gridroom.{actor}.migrations")
    with db.transact() as tx:
        context = MigrationContext.configure(tx, opts={"compare_type": False})
        assert compare_metadata(context, [tables, letters.METADATA]) == []  # type: ignore[arg-type]
    db.close()


@pytest.mark.parametrize("actor", FIRST)
def test_letters_outlast_an_upgrade(tmp_path: Path, actor: str) -> None:
    us, them, operation = (TO_DSO, TO_CSO, "Heartbeat") if actor == "dso" else (TO_CSO, TO_DSO, "GetCapacityForecast")
    asked, namespace = (
        (GetCapacityForecastRequest(("cable-1",)), DSO_NAMESPACE)
        if actor == "dso"
        else (HeartbeatRequest(300, 900), CSP_NAMESPACE)
    )

    def handle(tx: sa.Connection, incoming: Incoming) -> None:
        pytest.fail("answered before")

    db = upgraded(tmp_path, actor)
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


def test_a_dso_keeps_what_it_knew_and_use_counts_as_the_current_that_was_stated(tmp_path: Path) -> None:
    db = upgraded(tmp_path, "dso")
    with db.transact() as tx:
        store = dso_store.Store(tx, HOUR)
        used = store.read(USAGES, ("cable-1", "cso", ""), DAY, 24)
        assert used["used"].ravel().tolist() == list(range(72))
        assert used["energy"].ravel().tolist() == list(range(100, 172))
        assert used["current"].tolist() == used["used"].tolist()
        assert store.read(ALLOTMENTS, ("cable-1", "cso"), DAY, 24)["allotment"].ravel().tolist() == list(range(72))
        assert store.held("cable-1", "cso", NOON, 2)[0].tolist() == [[0, 1], [24, 25], [48, 49]]
        assert store.moment("dated cso") == NOON
        assert store.notes("grant", "cable-1") == [(NOON, "cso", {"asked": 5})]
        assert (store.standing("cable-1").issued, store.standing("cable-1").latest) == (NOON, (1, 2, 3))
        assert store.factor(NOON.date()) == 1.5
    db.close()


def test_a_cso_keeps_what_it_knew_and_who_grants_nothing_is_asked_no_more(tmp_path: Path) -> None:
    db = upgraded(tmp_path, "cso")
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
