"""OSCP 1.0 section 3.2.1: work is ordered by Priority, measured per class, and only what is below zero is put off."""

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count

import pytest

import databases
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import (
    Fault,
    Forecast,
    ForecastedBlock,
    HeartbeatRequest,
    Request,
    UpdateCableCapacityForecastRequest,
    ValueType,
)
from gridroom.oscp.v10.peer import Peer, Reply, letter
from gridroom.storage import database, desk
from gridroom.storage.database import Database
from gridroom.storage.desk import Desk, glance

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
PEER = Peer("dso", frozenset({"D1"}), "D1", "C1", frozenset({"C1"}))
NUMBERS = count(1)
BLOCK = ForecastedBlock(NOW, NOW.replace(minute=15), (ValueType(Decimal(5)),), (ValueType(Decimal(0)),))
FORECAST = UpdateCableCapacityForecastRequest((Forecast("c", (BLOCK,)),))


@pytest.fixture
def db(database_kind: str) -> Iterator[Database]:
    db = database.open(databases.fresh("gridroom.dso.migrations"), "gridroom.dso.migrations")
    yield db
    db.close()


def sent(priority: int, body: Request | None = None) -> bytes:
    to = Peer("cso", frozenset({"C1"}), "C1", "D1", frozenset({"D1"}))
    number = f"00000000-0000-4000-8000-{next(NUMBERS):012d}"
    return letter(to, body or HeartbeatRequest(300, 900), now=NOW, message_id=number, priority=priority).data


def answers(served: list[int]) -> desk.Answer:
    def answer(_party: str, data: bytes) -> Reply:
        served.append(glance(data))
        return Reply(200, data, "text/plain")

    return answer


async def all_of(one: Desk, *letters: bytes) -> list[Reply]:
    return await asyncio.gather(*(one.take(PEER, "dso", data, NOW) for data in letters))


async def test_urgent_letters_are_served_before_waiting_normal_ones_and_less_critical_ones_last() -> None:
    served: list[int] = []
    await all_of(Desk(answers(served)), *(sent(priority) for priority in (0, -1, 0, 2, 1, -3)))
    assert served == [2, 1, 0, 0, -1, -3]


async def test_letters_of_one_priority_are_served_in_the_order_of_arrival() -> None:
    order: list[bytes] = []
    letters = [sent(0) for _ in range(5)]
    one = Desk(lambda _party, data: order.append(data) or Reply(200, data, ""))  # type: ignore[func-returns-value]
    await all_of(one, *letters)
    assert order == letters


async def test_who_arrives_while_another_is_served_may_overtake() -> None:
    served: list[int] = []
    one = Desk(answers(served))
    waiting = [asyncio.ensure_future(all_of(one, *(sent(0) for _ in range(3))))]
    while not served:
        await asyncio.sleep(0)
    waiting.append(asyncio.ensure_future(all_of(one, sent(5))))
    await asyncio.gather(*waiting)
    assert served == [0, 5, 0, 0]


async def test_the_time_from_receipt_to_processed_is_measured_per_class_and_survives(db: Database) -> None:
    one = Desk(answers([]))
    await all_of(one, sent(3), sent(0), sent(0))
    one.keep(db)
    await all_of(one, sent(0))
    one.keep(db)
    with db.transact() as tx:
        told = desk.told(tx)
    assert {kind: row["letters"] for kind, row in told.items()} == {"normal": 3, "urgent": 1}
    assert all(row["longest_ms"] >= row["mean_ms"] >= 0 for row in told.values())


def test_a_desk_that_measured_nothing_leaves_the_database_alone(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "transact", lambda: pytest.fail("nothing was measured"))
    Desk(answers([])).keep(db)


async def test_under_overload_only_what_is_less_critical_is_sent_away_and_never_a_forecast(db: Database) -> None:
    served: list[int] = []
    one = Desk(answers(served), crowded=2)
    replies = await all_of(one, sent(0), sent(0), sent(-1), sent(-1, FORECAST), sent(0), sent(1))
    assert sorted(served) == [-1, 0, 0, 0, 1]
    away = soap.read_reply(replies[2].data)
    assert isinstance(away, Fault)
    assert (away.sender, replies[2].status) == (False, 500)
    assert away.relates_to
    one.keep(db)
    with db.transact() as tx:
        assert desk.told(tx)["low"]["shed"] == 1


@pytest.mark.parametrize(
    ("text", "priority"),
    [
        ("1000000000", 10**9),
        ("<!-- urgent --> 2", 2),
        ("-<!-- - -->3\n", -3),
        ("<![CDATA[ 4 ]]>", 4),
        ("9" * 64, 10**64 - 1),
        ("high", 0),
        ("9" * 501, 0),
    ],
)
def test_a_priority_is_any_whole_number_in_whatever_layout(text: str, priority: int) -> None:
    data = sent(0).replace(b">0</Priority>", f">{text}</Priority>".encode())
    assert text.encode() in data
    assert glance(data) == priority


async def test_the_greatest_number_is_served_first() -> None:
    served: list[int] = []
    await all_of(Desk(answers(served)), sent(0), sent(1), sent(10**9))
    assert served == [10**9, 1, 0]


async def test_what_only_claims_to_be_less_critical_is_not_sent_away() -> None:
    served: list[int] = []
    forged = re.sub(rb"(<[^/>]*Header[^>]*>)", rb"\1<!-- <Priority>-1</Priority> -->", sent(0), count=1)
    assert glance(forged) == -1
    await all_of(Desk(answers(served), crowded=0), forged, b"<Priority>-1</Priority>")
    assert len(served) == 2


async def test_a_letter_that_fails_does_not_stop_the_others() -> None:
    def answer(_party: str, data: bytes) -> Reply:
        if data == b"bad":
            raise ZeroDivisionError
        return Reply(200, data, "")

    one = Desk(answer)
    results = await asyncio.gather(
        *(one.take(PEER, "dso", data, NOW) for data in (b"bad", b"good")), return_exceptions=True
    )
    assert isinstance(results[0], ZeroDivisionError)
    assert results[1] == Reply(200, b"good", "")


async def test_who_no_longer_waits_is_not_served() -> None:
    served: list[int] = []
    one = Desk(answers(served))
    gone = asyncio.ensure_future(one.take(PEER, "dso", sent(0), NOW))
    stays = asyncio.ensure_future(one.take(PEER, "dso", sent(1), NOW))
    await asyncio.sleep(0)
    gone.cancel()
    await stays
    await asyncio.sleep(0.01)
    assert served == [1]
