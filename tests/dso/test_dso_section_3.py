"""The DSO, sentence by sentence: "Beyond a single element" of docs/deviations.md, where no other file proves it."""

import asyncio
import io
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

import databases
from dso_office import CABLE, MONDAY, QUARTER, World, ask, cable, request
from gridroom.dso import folder, promises
from gridroom.dso.readings.files import read_csv
from gridroom.dso.readings.measurements import Reading
from gridroom.dso.tables import SENT, USAGES
from gridroom.oscp.v10.blocks import UNKNOWN
from gridroom.oscp.v10.messages import (
    CableUsage,
    Detail,
    Envelope,
    GetCapacityForecastRequest,
    Level,
    Request,
    RequestAdjustedCapacityResponse,
    Result,
    ResultType,
    UpdateAggregatedUsageRequest,
    UpdateAggregatedUsageResponse,
    UpdateCableCapacityForecastRequest,
    UsageBlock,
    ValueType,
)
from gridroom.oscp.v10.peer import Incoming, read_request
from gridroom.storage import database, inbox
from gridroom.storage.outbox import Outbox

pytestmark = pytest.mark.usefixtures("database_kind")

OTHER = "cable-2"


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


def several_cables(n: int) -> World:
    return World(cables=[cable(f"cable-{k}") for k in range(1, n + 1)])


def two_cables() -> World:
    return several_cables(2)


def publish(world: World) -> None:
    asyncio.run(world.dso.publish(world.clock.time))


def in_doubt(world: World, cable: str, party: str = "north") -> bool:
    with world.db.transact() as tx:
        return promises.holdings(world.dso._store(tx), (cable,), world.clock.time, 4)[cable, party].doubtful


def refused(*cables: str, applied: int) -> Result:
    errors = [Detail("INVALID_VALUE", f"{cable}: bad", Level.ERROR) for cable in cables]
    return Result(ResultType.FAILED, (*errors, Detail("APPLIED", f"{applied} cables applied.")))


# -- each cable stands alone -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "doubted"),
    [
        (refused(OTHER, applied=1), {CABLE: False, OTHER: True}),
        (refused(CABLE, OTHER, applied=0), {CABLE: True, OTHER: True}),
        (refused(OTHER, applied=0), {CABLE: True, OTHER: True}),
        (refused("something else", applied=1), {CABLE: True, OTHER: True}),
        (Result(ResultType.FAILED), {CABLE: True, OTHER: True}),
        (Result(ResultType.NOT_ALLOWED), {CABLE: True, OTHER: True}),
        (Result.success(), {CABLE: False, OTHER: False}),
    ],
)
def test_of_a_bulk_message_those_cables_count_as_taken_that_were_certainly_not_refused(
    result: Result, doubted: dict[str, bool]
) -> None:
    world = two_cables()
    world.csos["north"].result = result
    publish(world)
    assert {cable: in_doubt(world, cable) for cable in doubted} == doubted
    world.close()


def test_a_foreign_cable_is_answered_as_one_that_does_not_exist() -> None:
    world = World(cables=[cable(), cable(OTHER, south=50)])
    world.history(2)
    publish(world)
    said = []
    for name in (OTHER, "no cable"):
        bodies: list[Request] = [
            request(ask(5, MONDAY, cable=name)),
            GetCapacityForecastRequest((name,)),
            usage(MONDAY, name, A=1),
        ]
        answers = [world.say("north", body) for body in bodies]
        details = [one.body.result.details for one in answers if isinstance(one, Envelope)]  # type: ignore[union-attr]
        assert [one[0].code for one in details] == ["UNKNOWN_CABLE"] * 3
        said.append([[(d.code, d.level, d.message.replace(name, "?")) for d in one] for one in details])
    assert said[0] == said[1]
    world.close()


# -- never more granted than there is, whatever the concurrency --------------------------------------------------------


def granted(answer: object) -> int:
    """First phase of the first block. [0.01 A]"""
    assert isinstance(answer, Envelope)
    assert isinstance(answer.body, RequestAdjustedCapacityResponse)
    return int(answer.body.adjustments[0].blocks[0].capacity[0].value * 100)


def office(url: str, number: int) -> World:
    world = World(url)
    world.ids = iter(f"00000000-0000-4000-8000-{number:06d}{k:06d}" for k in range(1000)).__next__
    world.dso._new_id = world.ids
    return world


def ask_often(url: str, number: int, times: int) -> int:
    """What one process among several is granted."""
    world = office(url, number)
    try:
        return sum(granted(world.say(("north", "south")[number % 2], request(ask(1.5, MONDAY)))) for _ in range(times))
    finally:
        world.close()


@pytest.fixture
def shared() -> str:
    world = office(databases.lasting(folder.MIGRATIONS), 0)
    world.history(9)
    publish(world)
    world.close()
    return world.url


def backup(url: str) -> int:
    world = office(url, 999)
    left = int(world.dso.view(CABLE, MONDAY, 1).pool[0, 0])
    world.close()
    return left


def test_threads_on_one_database_are_granted_no_more_than_there_is(shared: str) -> None:
    there = backup(shared)
    with ThreadPoolExecutor(4) as pool:
        total = sum(pool.map(lambda number: ask_often(shared, number, 8), range(1, 5)))
    assert 0 < total <= there
    assert backup(shared) == there - total


def test_processes_on_one_database_are_granted_no_more_than_there_is(shared: str) -> None:
    there = backup(shared)
    line = f"from test_dso_section_3 import ask_often; print(ask_often({shared!r}, int(__import__('sys').argv[1]), 10))"
    here = Path(__file__).parent
    work = [
        subprocess.Popen(
            [sys.executable, "-c", f"import sys; sys.path[:0] = [{str(here)!r}, {str(here.parent)!r}]; {line}", str(n)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in (1, 2)
    ]
    total = sum(int(one.communicate(timeout=60)[0].splitlines()[-1]) for one in work)
    assert 0 < total <= there
    assert backup(shared) == there - total


def test_what_was_denied_is_counted_per_cable_also_without_a_plan_and_never_overflows(world: World) -> None:
    world.say("north", request(ask(7, MONDAY, 2)))
    for _ in range(3):
        world.say("south", request(ask(2_000_000, MONDAY)))
        world.say("south", request(ask(20_000_000, MONDAY)))
    denied = world.dso.view(CABLE, MONDAY, 3).denied
    assert denied["north"].tolist() == [[700, 700, 0]] * 3
    assert denied["south"][:, 1:].tolist() == [[0, 0]] * 3
    assert (denied["south"][:, 0] == 2**31 - 1).all()


# -- UpdateAggregatedUsage ---------------------------------------------------------------------------------------------


def usage(start: object, cable: str = CABLE, emsp: str | None = None, **stated: float) -> UpdateAggregatedUsageRequest:
    values = tuple(ValueType(Decimal(str(value)), unit, phase) for unit, value in stated.items() for phase in (1, 2, 3))
    block = UsageBlock(start, start + QUARTER, values)  # type: ignore[operator,arg-type]
    return UpdateAggregatedUsageRequest((CableUsage(cable, (block,), emsp),))


def used(world: World, emsp: str = "") -> int:
    with world.db.transact() as tx:
        return int(world.dso._store(tx).read(USAGES, (CABLE, "north", emsp), MONDAY, 1)["used"][0, 0])


def test_a_later_report_replaces_the_earlier_of_its_unit_and_both_stay_in_the_audit_trail(world: World) -> None:
    world.clock.time = MONDAY + QUARTER
    told = [
        (usage(MONDAY, A=10, Wh=460), 800),  # 460 Wh are 8 A
        (usage(MONDAY, A=6), 600),  # the energy stays 460 Wh
        (usage(MONDAY, A=12), 800),  # of 12 A and 8 A the smaller
        (usage(MONDAY, Wh=920), 1200),  # now 16 A and 12 A
        (usage(MONDAY, Wh=230, A=5), 400),
    ]
    for body, expected in told:
        world.say("north", body)
        assert used(world) == expected
    with world.db.transact() as tx:
        notes = [note.record["blocks"][0] for note in world.dso._store(tx).notes("usage", MONDAY)]
    assert [note["current_ca"][0] for note in notes] == [1000, 600, 1200, None, 500]
    assert [note["energy_wh"][0] for note in notes] == ["460", None, None, "920", "230"]


def test_reports_of_several_emsps_stand_beside_each_other(world: World) -> None:
    world.clock.time = MONDAY + QUARTER
    for emsp, ampere in (("a", 5), ("b", 7), ("a", 4)):
        world.say("north", usage(MONDAY, emsp=emsp, A=ampere))
    assert (used(world, "a"), used(world, "b")) == (400, 700)


def test_one_bad_block_refuses_its_cable_and_the_good_one_is_kept() -> None:
    world = two_cables()
    world.clock.time = MONDAY + QUARTER
    good, bad = usage(MONDAY, A=3).usages[0], usage(MONDAY + QUARTER, OTHER, A=3).usages[0]
    answer = world.say("north", UpdateAggregatedUsageRequest((bad, good)))
    assert isinstance(answer, Envelope)
    assert isinstance(answer.body, UpdateAggregatedUsageResponse)
    levels = [(one.level, OTHER in one.message) for one in answer.body.result.details]
    assert (answer.body.result.type, levels) == (ResultType.FAILED, [(Level.ERROR, True), (Level.INFO, False)])
    assert used(world) == 300
    world.close()


def test_a_cable_with_two_emsps_is_one_cable(world: World) -> None:
    """One bad part refuses it, it is named once, and nothing of it is kept."""
    world.clock.time = MONDAY + QUARTER
    parts = usage(MONDAY, emsp="a", A=3).usages + usage(MONDAY + QUARTER, emsp="b", A=3).usages
    answer = world.say("north", UpdateAggregatedUsageRequest(parts))
    assert isinstance(answer, Envelope)
    assert isinstance(answer.body, UpdateAggregatedUsageResponse)
    told = [(one.level, one.message[:9]) for one in answer.body.result.details]
    assert told == [(Level.ERROR, f"{CABLE}: "), (Level.INFO, "0 cables ")]
    assert used(world, "a") == UNKNOWN
    both = usage(MONDAY, emsp="a", A=3).usages + usage(MONDAY, emsp="b", A=4).usages
    world.say("north", UpdateAggregatedUsageRequest(both))
    assert (used(world, "a"), used(world, "b")) == (300, 400)


# -- the horizon -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [0, 31, 45])
def test_a_forecast_told_again_reaches_24_hours_too(world: World, minutes: int) -> None:
    """Also when a publish was missed: row 14 asks for 24 hours from the first block."""
    world.clock.time = MONDAY + timedelta(minutes=1)
    publish(world)
    world.clock.time += timedelta(minutes=minutes)
    world.say("north", GetCapacityForecastRequest())
    asyncio.run(world.dso.post(world.clock.time))
    body = world.csos["north"].forecasts()[-1].body
    assert isinstance(body, UpdateCableCapacityForecastRequest)
    blocks = body.forecasts[0].blocks
    assert blocks[0].start <= world.clock.time < blocks[0].end
    assert blocks[-1].end - blocks[0].start >= timedelta(days=1)


# -- Heartbeat ---------------------------------------------------------------------------------------------------------


def beats(world: World) -> int:
    return sum(type(one.body).__name__ == "HeartbeatRequest" for one in world.csos["north"].heard)


def test_heartbeats_go_out_at_their_own_interval(world: World) -> None:
    world = World(publish={"interval_s": 900, "heartbeat_s": 60})
    publish(world)
    assert world.dso.duties()["heartbeat"].every == timedelta(minutes=1)
    for _ in range(4):
        world.clock.time += timedelta(minutes=1)
        asyncio.run(world.dso.beat(world.clock.time))
    assert beats(world) == 5
    world.close()


def test_a_success_that_lies_ahead_of_a_clock_set_back_proves_nothing(world: World) -> None:
    publish(world)
    world.clock.time -= timedelta(hours=2)
    asyncio.run(world.dso.watch(world.clock.time))
    assert beats(world) == 1
    publish(world)
    world.clock.time += timedelta(minutes=5)
    asyncio.run(world.dso.watch(world.clock.time))
    assert beats(world) >= 2


def test_the_clock_of_a_cso_is_shown(world: World) -> None:
    publish(world)
    world.csos["south"].clock = type(world.clock)(MONDAY + timedelta(minutes=2))
    world.clock.time += timedelta(minutes=5)
    world.csos["south"].clock.time += timedelta(minutes=5)
    asyncio.run(world.dso.watch(world.clock.time))
    assert world.dso.statistics()["clocks"] == {"north": 0.0, "south": 120.0}


# -- Result ------------------------------------------------------------------------------------------------------------


def test_what_a_cso_does_not_offer_it_gets_no_more_until_the_operator_says_so() -> None:
    world = World(databases.lasting(folder.MIGRATIONS))
    world.csos["north"].result = Result(ResultType.NOT_IMPLEMENTED)
    publish(world)
    heard = len(world.csos["north"].heard)
    world.csos["north"].result = Result.success()
    for _ in range(3):
        world.clock.time += QUARTER
        publish(world)
    assert len(world.csos["north"].heard) == heard
    stopped = world.dso.statistics()["stopped"]
    assert [one[:2] for one in stopped] == [["north", "Heartbeat"], ["north", "UpdateCableCapacityForecast"]]  # type: ignore[attr-defined]
    with world.db.transact() as tx:
        assert Outbox(tx).resume("north") == ["Heartbeat", "UpdateCableCapacityForecast"]
    world.clock.time += QUARTER
    publish(world)
    assert len(world.csos["north"].heard) == heard + 2
    world.close()


def test_who_offers_no_forecasts_is_not_promised_one(world: World) -> None:
    """GetCapacityForecast is answered with SUCCESS only where forecasts follow."""
    north = world.csos["north"]
    north.result = Result(ResultType.NOT_IMPLEMENTED)
    publish(world)
    north.result, heard = Result.success(), len(north.heard)
    answer = world.say("north", GetCapacityForecastRequest()).body.result  # type: ignore[union-attr]
    assert (answer.type, [one.code for one in answer.details]) == (ResultType.NOT_ALLOWED, ["NOT_OFFERED"])
    asyncio.run(world.dso.post(world.clock.time))
    assert len(north.heard) == heard
    with world.db.transact() as tx:
        Outbox(tx).resume("north")
    assert world.say("north", GetCapacityForecastRequest()).body.result.type is ResultType.SUCCESS  # type: ignore[union-attr]
    asyncio.run(world.dso.post(world.clock.time))
    assert len(north.forecasts()) == 2


# -- forecasts that newer ones replace -------------------------------------------------------------------------------


def forecasts_waiting(world: World) -> list[tuple[int, list[str]]]:
    """Tries and cables of each forecast message that waits for its answer."""
    with world.db.transact() as tx:
        store = world.dso._store(tx)
        waiting = [one for one in Outbox(tx).waiting("north") if one.operation == "UpdateCableCapacityForecast"]
        return [(one.attempts, sorted(promises.cables_in(store, one.message_id))) for one in waiting]


def asks_for(world: World, *cables: str) -> None:
    assert world.say("north", GetCapacityForecastRequest(cables)).body.result.type is ResultType.SUCCESS  # type: ignore[union-attr]


def test_a_forecast_that_was_tried_is_not_tried_again_once_newer_ones_hold_all_its_cables() -> None:
    world = several_cables(3)
    publish(world)
    north = world.csos["north"]
    north.dead = True
    asks_for(world, CABLE, "cable-3")
    asyncio.run(world.dso.post(world.clock.time))
    assert forecasts_waiting(world) == [(1, [CABLE, "cable-3"])]
    asks_for(world)
    assert forecasts_waiting(world) == [(0, [CABLE, OTHER, "cable-3"])]
    assert in_doubt(world, CABLE)
    north.dead, before = False, len(north.forecasts())
    for _ in range(60):
        world.clock.time += timedelta(seconds=5)
        asyncio.run(world.dso.post(world.clock.time))
    heard = [[one.cable_id for one in each.body.forecasts] for each in north.forecasts()[before:]]  # type: ignore[union-attr]
    assert heard == [[CABLE, OTHER, "cable-3"]]
    assert not in_doubt(world, CABLE)
    world.close()


def test_several_newer_ones_replace_a_bulk_message_together_and_one_alone_does_not() -> None:
    world = two_cables()
    publish(world)
    world.csos["north"].dead = True
    asks_for(world)
    asyncio.run(world.dso.post(world.clock.time))
    asks_for(world, CABLE)
    assert forecasts_waiting(world) == [(1, [CABLE, OTHER]), (0, [CABLE])]
    asks_for(world, OTHER)
    assert forecasts_waiting(world) == [(0, [CABLE]), (0, [OTHER])]
    world.close()


def test_what_was_tried_and_replaced_stays_reckoned_with_and_what_never_left_does_not() -> None:
    world = two_cables()
    world.csos["north"].dead = True
    publish(world)
    with world.db.transact() as tx:
        first = {one.message_id for one in Outbox(tx).waiting("north")}
    for _ in range(2):
        asks_for(world)
    with world.db.transact() as tx:
        store, outbox = world.dso._store(tx), Outbox(tx)
        assert [why for _, operation, why, _ in outbox.abandoned() if operation.startswith("Update")] == [
            "replaced by a newer one"
        ]
        (last,) = promises.newest(store, "north")
        tried = [message_id for message_id in first if promises.cables_in(store, message_id)]
        assert len(tried) == 1
        assert last not in tried
        assert sorted(promises.cables_in(store, last)) == [CABLE, OTHER]
        assert tx.scalar(sa.select(sa.func.count()).select_from(SENT).where(SENT.c.party == "north")) == 4
    world.close()


def test_a_superseded_forecast_is_told_to_the_operator(world: World) -> None:
    world.csos["north"].result = Result(ResultType.SUCCESS, (Detail("SUPERSEDED", f"{CABLE}: a newer one"),))
    with capture_logs() as told:
        publish(world)
    assert "a CSO holds a newer forecast than this" in {
        line["event"] for line in told if line["log_level"] == "warning"
    }


def test_an_answer_is_dated_in_the_transaction_of_its_effect(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were it dated before, a forecast that another process makes in between would count as made after the answer."""
    publish(world)
    dates = []

    def meanwhile(*args: Any) -> Incoming:
        with world.db.transact() as tx:
            store = world.dso._store(tx)
            dates.append(promises.after(store, "north", world.clock.time))
            promises.dated(store, "north", dates[-1])
        return read_request(*args)

    monkeypatch.setattr(inbox, "read_request", meanwhile)
    answer = world.say("north", request(ask(-5, MONDAY + 4 * QUARTER)))
    assert isinstance(answer, Envelope)
    assert answer.header.date_time is not None
    assert answer.header.date_time > dates[0]


# -- measurements ------------------------------------------------------------------------------------------------------


def test_findings_name_the_row_of_the_file(world: World) -> None:
    text = "time,cable,L1,L2,L3\n2026-01-04T23:45:00Z,cable-1,1,2,3\n2026-01-04T23:30:00Z,nowhere,1,2,3\n"
    received = world.dso.record_csv(text)
    assert [one.where for one in received.findings] == ["row 3: nowhere 2026-01-05T00:30:00+01:00"]


def reading(minutes: int, seconds: int, ampere: float, row: str = "") -> Reading:
    value = round(ampere * 100)
    return Reading(CABLE, MONDAY - QUARTER + timedelta(minutes=minutes), seconds, (value,) * 3, row)


def test_who_repeats_a_reading_is_counted_and_who_contradicts_it_is_told(world: World) -> None:
    first = world.dso.record_readings([reading(0, 900, 10)])
    assert (first.stored, first.repeated, first.findings) == (1, 0, [])
    again = world.dso.record_readings([reading(0, 900, 10)])
    assert (again.stored, again.repeated, again.findings) == (0, 1, [])
    other = world.dso.record_readings([reading(0, 900, 30, "row 7")])
    assert (other.stored, other.repeated) == (0, 0)
    assert [str(one).split(": ")[0] for one in other.findings] == ["row 7"]
    assert "states another value" in other.findings[0].text
    assert (world.dso.view(CABLE, MONDAY - QUARTER, 1).measured == 1000).all()


def test_a_reading_that_overlaps_in_part_is_told(world: World) -> None:
    world.dso.record_readings([reading(0, 300, 10)])
    assert "overlaps" in world.dso.record_readings([reading(0, 900, 10)]).findings[0].text


def test_two_values_for_one_time_in_one_delivery_are_told(world: World) -> None:
    received = world.dso.record_readings([reading(0, 300, 10), reading(5, 300, 10), reading(0, 300, 30)])
    assert (received.stored, len(received.findings)) == (2, 1)


def test_rounding_is_no_contradiction(world: World) -> None:
    thirds = [reading(0, 300, 10), reading(5, 300, 10), reading(10, 300, 10.01)]
    assert world.dso.record_readings(thirds).stored == 3
    assert world.dso.record_readings([reading(0, 900, 10.01)]).repeated == 1


def test_rows_know_where_they_stand() -> None:
    data = b"time,cable,L1,L2,L3\n\n2026-01-05T00:00:00Z,c1,1,2,3\n"
    assert read_csv(io.BytesIO(data), QUARTER).series["c1"].rows.tolist() == [3]


# -- what came before ----------------------------------------------------------------------------------------------


def test_usage_of_a_database_of_the_first_version_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its reports count as the current that was stated."""
    monkeypatch.syspath_prepend(tmp_path)
    url = databases.lasting()
    db = database.open(url, databases.first_version("dso", tmp_path))
    cells = np.full((3, 96), 500, dtype="<i4").tobytes()
    with db.transact() as tx:
        old = sa.Table("usages", sa.MetaData(), autoload_with=tx)
        row = {"cable": CABLE, "party": "north", "emsp": "", "day": MONDAY.date(), "used": cells, "energy": cells}
        tx.execute(old.insert(), row)
    db.close()
    world = World(url, MONDAY + QUARTER)
    assert used(world) == 500
    world.say("north", usage(MONDAY, A=4))
    assert used(world) == 400
    world.close()
