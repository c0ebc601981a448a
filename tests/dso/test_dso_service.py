"""The DSO's day with its CSOs: publishing, acknowledgements, requests, reports, overloads, restarts."""

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import databases
from dso_office import CABLE, MONDAY, QUARTER, STEP, Memory, World, ask, cable, request
from gridroom.dso import allocation, lessons, promises, register, service
from gridroom.dso.cables import Cable, Node
from gridroom.dso.folder import MIGRATIONS
from gridroom.dso.forecasting.layout import Layout
from gridroom.dso.forecasting.state import State
from gridroom.dso.promises import Holding
from gridroom.dso.readings.measurements import NOT_MEASURED, Reading
from gridroom.oscp.v10.messages import (
    Adjustment,
    CableUsage,
    Detail,
    Envelope,
    GetCapacityForecastRequest,
    GetCapacityForecastResponse,
    HeartbeatRequest,
    RequestAdjustedCapacityResponse,
    Result,
    ResultType,
    UpdateAggregatedUsageRequest,
    UpdateAggregatedUsageResponse,
    UpdateCableCapacityForecastRequest,
    UsageBlock,
    ValueType,
)
from gridroom.storage.columns import Ints

pytestmark = pytest.mark.usefixtures("database_kind")

LIMIT = 20_000


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


@pytest.fixture(scope="module")
def four_weeks() -> Memory:
    """Four weeks of history, and a first publish."""
    world = World()
    world.history(28)
    asyncio.run(world.dso.publish(world.clock.time))
    memory = world.memory()
    world.close()
    return memory


@pytest.fixture
def taught(world: World, four_weeks: Memory) -> World:
    world.recall(four_weeks)
    return world


def usage(block_start: object, ampere: float, wh: float, cable: str = CABLE) -> UpdateAggregatedUsageRequest:
    start = MONDAY if block_start is None else block_start
    values = tuple(ValueType(Decimal(str(ampere)), "A", p) for p in (1, 2, 3))
    energy = tuple(ValueType(Decimal(str(wh)), "Wh", p) for p in (1, 2, 3))
    block = UsageBlock(start, start + QUARTER, values + energy)  # type: ignore[operator,arg-type]
    return UpdateAggregatedUsageRequest((CableUsage(cable, (block,)),))


def result_of(answer: object) -> Result:
    assert isinstance(answer, Envelope)
    assert isinstance(
        answer.body, RequestAdjustedCapacityResponse | GetCapacityForecastResponse | UpdateAggregatedUsageResponse
    )
    return answer.body.result


def granted(answer: object) -> list[list[str]]:
    assert isinstance(answer, Envelope)
    assert isinstance(answer.body, RequestAdjustedCapacityResponse)
    return [[str(value.value) for value in block.capacity] for one in answer.body.adjustments for block in one.blocks]


def held(world: World, start: datetime = MONDAY, n: int = 94) -> Ints:
    """Sum of what the CSOs go by, shape (3, n). [0.01 A]"""
    total: Ints = np.array([cso.limits(start, n) for cso in world.csos.values()]).sum(axis=0)
    return total


# -- publishing ------------------------------------------------------------------------------------------------------


def test_without_history_nothing_is_offered(world: World) -> None:
    asyncio.run(world.dso.publish(world.clock.time))
    assert (held(world) == 0).all()


def test_a_forecast_covers_24_hours_from_the_block_in_force_and_follows_the_contracts(taught: World) -> None:
    north, south = (taught.csos[name].limits(MONDAY) for name in ("north", "south"))
    assert (north > 0).all()
    assert (np.abs(north - 2 * south) <= 2).all()
    body = taught.csos["north"].forecasts()[0].body
    assert isinstance(body, UpdateCableCapacityForecastRequest)
    blocks = body.forecasts[0].blocks
    assert blocks[0].start == MONDAY
    assert blocks[-1].end - MONDAY >= timedelta(hours=24)
    assert all(early.end == late.start for early, late in itertools.pairwise(blocks))
    assert blocks[0].remaining[0].value > 0


def test_offers_and_backup_together_stay_below_the_limit_less_the_load(taught: World) -> None:
    view = taught.dso.view(CABLE, MONDAY, 96)
    total = sum(view.allotments.values()) + view.pool
    assert np.array_equal(total, view.available)
    assert (view.available + view.forecast + view.margin <= LIMIT + 1).all()


def test_each_publish_learns_and_the_view_shows_what_was_in_force(taught: World) -> None:
    for i in range(1, 9):
        taught.clock.time = MONDAY + i * QUARTER
        taught.measure(40, 900)
        for party in ("north", "south"):
            taught.say(party, usage(taught.clock.time - QUARTER, 0, 0))
        asyncio.run(taught.dso.publish(taught.clock.time))
    view = taught.dso.view(CABLE, MONDAY, 9)
    assert view.measured[0, :9].tolist() == [4000] * 8 + [NOT_MEASURED]
    assert np.abs(view.forecast[:, 7] - 4000).max() < 600
    assert view.issued == taught.clock.time


def test_the_load_of_a_block_without_a_report_counts_whole_and_is_not_learned(taught: World) -> None:
    before = taught.csos["north"].limits(MONDAY + 2 * QUARTER, 1)
    for i in (1, 2):
        taught.clock.time = MONDAY + i * QUARTER
        taught.measure(120, 900)
        asyncio.run(taught.dso.publish(taught.clock.time))
    after = taught.csos["north"].limits(MONDAY + 2 * QUARTER, 1)
    assert (after < before - 500).all()
    with taught.db.transact() as tx:
        until = taught.dso._store(tx).standing(CABLE).learned_until
    assert until == MONDAY


def test_a_late_report_makes_the_block_learnable(taught: World) -> None:
    taught.clock.time = MONDAY + 2 * QUARTER
    for i in (0, 1):
        taught.dso.record_readings([Reading(CABLE, MONDAY + i * QUARTER, 900, (6000, 6000, 6000))])
        for party in ("north", "south"):
            taught.say(party, usage(MONDAY + i * QUARTER, 10, 575))
    asyncio.run(taught.dso.publish(taught.clock.time))
    assert taught.dso.view(CABLE, MONDAY, 2).load.tolist() == [[4000, 4000]] * 3
    with taught.db.transact() as tx:
        assert taught.dso._store(tx).standing(CABLE).learned_until == taught.clock.time


# -- reductions before raises ----------------------------------------------------------------------------------------


def test_what_an_unreachable_cso_may_hold_is_not_given_to_the_other(taught: World) -> None:
    taught.csos["south"].dead = True
    south = taught.csos["south"].limits(MONDAY)
    for i in range(1, 5):
        taught.clock.time = MONDAY + i * QUARTER
        taught.measure(90, 900)  # far above forecast: less is available, and south does not hear it
        asyncio.run(taught.dso.publish(taught.clock.time))
        asyncio.run(taught.dso.post(taught.clock.time))
    start = taught.clock.time
    available = taught.dso.view(CABLE, start, 80).available
    total = taught.csos["north"].limits(start, 80) + south[:, 4:84]
    assert (total <= np.maximum(available, south[:, 4:84])).all()


def crowd_out(world: World, *, greedy: bool) -> None:
    """South holds what it got in good times and hears no more; the homes take the cable; north may want more."""
    south = world.csos["south"].limits(MONDAY)
    world.csos["south"].dead = True
    for i in range(1, 5):
        world.clock.time = MONDAY + i * QUARTER
        world.measure(185, 900)
        asyncio.run(world.dso.publish(world.clock.time))
        if greedy:
            world.say("north", request(ask(30, world.clock.time, 4)))
        asyncio.run(world.dso.post(world.clock.time))
    start = world.clock.time
    held = south[:, 4:8]
    available = world.dso.view(CABLE, start, 4).available
    granted = world.csos["north"].limits(start, 4)
    assert (granted + held <= np.maximum(available, held)).all()


@pytest.mark.parametrize("greedy", [False, True])
def test_when_the_homes_take_the_cable_nobody_gets_what_an_unreachable_cso_holds(taught: World, greedy: bool) -> None:
    crowd_out(taught, greedy=greedy)


def test_a_build_that_raises_before_it_has_reduced_is_noticed(taught: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocation, "sendable", lambda _available, target, _held, _doubtful: target)
    with pytest.raises(AssertionError):
        crowd_out(taught, greedy=False)


def test_a_build_that_takes_a_lost_answer_for_a_no_is_noticed(taught: World, monkeypatch: pytest.MonkeyPatch) -> None:
    holding = promises._holding

    def careless(*args: Any) -> Holding:
        newest = holding(*args).newest
        return Holding(newest.clip(0), False, newest)

    monkeypatch.setattr(promises, "_holding", careless)
    with pytest.raises(AssertionError):
        test_a_forecast_whose_answer_was_lost_counts_as_possibly_taken(taught)


def test_after_the_line_is_mended_what_was_held_back_is_sent(taught: World) -> None:
    test_what_an_unreachable_cso_may_hold_is_not_given_to_the_other(taught)
    start = taught.clock.time
    before = taught.csos["north"].limits(start, 80)
    taught.csos["south"].dead = False
    taught.clock.time += timedelta(minutes=6)
    asyncio.run(taught.dso.post(taught.clock.time))
    after = taught.csos["north"].limits(start, 80)
    assert (after >= before).all()
    view = taught.dso.view(CABLE, start, 80)
    assert np.array_equal(after, view.allotments["north"])
    assert np.array_equal(taught.csos["south"].limits(start, 80), view.allotments["south"])


def test_a_forecast_whose_answer_was_lost_counts_as_possibly_taken(taught: World) -> None:
    taught.csos["south"].deaf = True
    taught.clock.time = MONDAY + QUARTER
    taught.measure(20, 900)  # less load: more for both
    for party in ("north", "south"):
        taught.say(party, usage(MONDAY, 0, 0))
    asyncio.run(taught.dso.publish(taught.clock.time))
    with taught.db.transact() as tx:
        most, doubt, _ = promises.holdings(taught.dso._store(tx), (CABLE,), taught.clock.time, 90)[CABLE, "south"]
    assert doubt
    assert (most >= taught.csos["south"].limits(taught.clock.time, 90)).all()


def test_nothing_is_sent_twice_when_all_is_acknowledged(taught: World) -> None:
    heard = len(taught.csos["north"].heard)
    for _ in range(3):
        asyncio.run(taught.dso.post(taught.clock.time))
    assert len(taught.csos["north"].heard) == heard


def test_forecasts_of_one_moment_have_different_date_times_and_so_has_an_answer_between(taught: World) -> None:
    """A CSO takes the smaller of two forecasts with the same DateTime, and a give-back holds until a later one."""
    for _ in range(2):
        taught.say("north", GetCapacityForecastRequest())
        asyncio.run(taught.dso.post(taught.clock.time))
    answer = taught.say("north", request(ask(-5, MONDAY + 4 * QUARTER)))
    asyncio.run(taught.dso.publish(taught.clock.time))
    assert isinstance(answer, Envelope)
    *before, last = [one.header.date_time for one in taught.csos["north"].forecasts()]
    times = [*before, answer.header.date_time, last]
    assert times == sorted(set(times))  # type: ignore[type-var]


def test_a_clock_set_back_a_little_makes_no_forecast_older_than_the_one_before(taught: World) -> None:
    taught.clock.time = MONDAY + QUARTER
    asyncio.run(taught.dso.publish(taught.clock.time))
    taught.clock.time -= timedelta(minutes=4)
    taught.measure(205)
    asyncio.run(taught.dso.publish(taught.clock.time))
    heard = taught.csos["north"].forecasts()
    assert heard[-1].header.date_time > heard[-2].header.date_time  # type: ignore[operator]
    assert taught.csos["north"].limits(taught.clock.time, 1).max() < 12_000


def test_a_clock_set_back_far_is_believed_and_nothing_is_sent_over_and_over(taught: World) -> None:
    taught.clock.time -= timedelta(hours=2)
    for _ in range(5):
        asyncio.run(taught.dso.publish(taught.clock.time))
        heard = len(taught.csos["north"].heard)
        asyncio.run(taught.dso.post(taught.clock.time))
        assert len(taught.csos["north"].heard) == heard
        assert taught.csos["north"].forecasts()[-1].header.date_time < MONDAY  # type: ignore[operator]
        taught.clock.time += STEP


# -- GetCapacityForecast ---------------------------------------------------------------------------------------------


def test_a_forecast_asked_for_is_promised_at_once_and_follows(taught: World) -> None:
    heard = len(taught.csos["north"].forecasts())
    taught.clock.time += STEP
    assert result_of(taught.say("north", GetCapacityForecastRequest())).type is ResultType.SUCCESS
    assert len(taught.csos["north"].forecasts()) == heard
    asyncio.run(taught.dso.post(taught.clock.time))
    assert len(taught.csos["north"].forecasts()) == heard + 1
    assert len(taught.csos["south"].forecasts()) == heard


def test_row_21_an_unknown_cable_is_named_and_the_others_are_served(taught: World) -> None:
    heard = len(taught.csos["north"].forecasts())
    result = result_of(taught.say("north", GetCapacityForecastRequest((CABLE, "not-mine"))))
    assert result.type is ResultType.FAILED
    assert [(one.code, "not-mine" in one.message) for one in result.details] == [
        ("UNKNOWN_CABLE", True),
        ("APPLIED", False),
    ]
    asyncio.run(taught.dso.post(taught.clock.time))
    assert len(taught.csos["north"].forecasts()) == heard + 1


def test_a_forecast_is_made_for_who_asks_before_the_first_publish(world: World) -> None:
    world.history(28)
    assert result_of(world.say("south", GetCapacityForecastRequest())).type is ResultType.SUCCESS
    asyncio.run(world.dso.post(world.clock.time))
    assert (world.csos["south"].limits(MONDAY) > 0).all()


# -- RequestAdjustedCapacity -----------------------------------------------------------------------------------------


def test_what_is_asked_within_the_backup_is_granted_and_in_the_next_forecast(taught: World) -> None:
    before = taught.csos["north"].limits(MONDAY)
    answer = taught.say("north", request(ask(5, MONDAY, 3)))
    assert result_of(answer).type is ResultType.SUCCESS
    assert granted(answer) == [["5.00"]] * 3
    taught.clock.time += STEP
    asyncio.run(taught.dso.publish(taught.clock.time))
    after = taught.csos["north"].limits(MONDAY)
    assert (after - before)[:, :3].tolist() == [[500] * 3] * 3
    assert np.array_equal(after[:, 3:], before[:, 3:])


def test_what_exceeds_the_backup_is_granted_in_part_with_every_block_answered_in_order(taught: World) -> None:
    first, second = ask((1, 2, 3), MONDAY + 8 * QUARTER), ask(500, MONDAY + 2 * QUARTER)
    answer = taught.say("north", request(Adjustment(CABLE, first.blocks + second.blocks)))
    assert isinstance(answer, Envelope)
    assert isinstance(answer.body, RequestAdjustedCapacityResponse)
    result, blocks = answer.body.result, answer.body.adjustments[0].blocks
    assert result.type is ResultType.FAILED
    assert "NO_CAPACITY" in [one.code for one in result.details]
    assert [block.start for block in blocks] == [MONDAY + 8 * QUARTER, MONDAY + 2 * QUARTER]
    assert [str(value.value) for value in blocks[0].capacity] == ["1.00", "2.00", "3.00"]
    assert 0 < blocks[1].capacity[0].value < 50


def test_a_give_back_goes_to_the_other_who_asks(taught: World) -> None:
    south_before = taught.csos["south"].limits(MONDAY)
    assert result_of(taught.say("north", request(ask(-60, MONDAY + 4 * QUARTER, 4)))).type is ResultType.SUCCESS
    answer = taught.say("south", request(ask(70, MONDAY + 4 * QUARTER, 4)))
    assert result_of(answer).type is ResultType.SUCCESS
    asyncio.run(taught.dso.publish(taught.clock.time))
    assert (taught.csos["south"].limits(MONDAY) - south_before)[:, 4:8].tolist() == [[7000] * 4] * 3


def test_no_more_is_given_back_than_was_assigned(taught: World) -> None:
    assigned = taught.csos["north"].limits(MONDAY)[:, 4].min()
    answer = taught.say("north", request(ask(-190, MONDAY + 4 * QUARTER)))
    assert result_of(answer).type is ResultType.FAILED
    assert granted(answer) == [[str(-Decimal(int(assigned)) / 100)]]


def test_the_past_and_what_lies_beyond_the_plan_are_not_granted(taught: World) -> None:
    past, far = ask(1, MONDAY - 4 * QUARTER), ask(1, MONDAY + timedelta(days=3))
    answer = taught.say("north", request(Adjustment(CABLE, past.blocks + far.blocks)))
    assert result_of(answer).type is ResultType.FAILED
    assert granted(answer) == [["0.00"], ["0.00"]]


def test_what_was_asked_for_the_past_is_not_counted_as_denied_later(taught: World) -> None:
    past, now = ask(1, MONDAY - 4 * QUARTER), ask(1, MONDAY)
    taught.say("north", request(Adjustment(CABLE, past.blocks + now.blocks)))
    assert (taught.dso.view(CABLE, MONDAY, 90).denied["north"] == 0).all()


def test_a_foreign_and_an_unknown_cable_are_answered_alike() -> None:
    world = World(cables=[cable("a", 100, north=10), cable("b", 100, south=10)])
    foreign = world.say("north", request(ask(1, MONDAY, cable="b")))
    unknown = world.say("north", request(ask(1, MONDAY, cable="x")))
    assert isinstance(foreign, Envelope)
    assert isinstance(unknown, Envelope)
    assert str(foreign.body).replace("'b'", "'x'").replace("b: no", "x: no") == str(unknown.body)
    assert result_of(foreign).details[0].code == "UNKNOWN_CABLE"
    world.close()


def test_a_retried_request_is_granted_once(taught: World) -> None:
    message_id = taught.ids()
    body = request(ask(3, MONDAY))
    first = taught.say_raw("north", body, message_id)
    assert taught.say_raw("north", body, message_id) == first
    view = taught.dso.view(CABLE, MONDAY, 1)
    before = taught.csos["north"].limits(MONDAY, 1)
    assert (view.allotments["north"] - before).tolist() == [[300]] * 3


def test_what_was_asked_and_not_granted_is_counted_for_the_planner(taught: World) -> None:
    taught.say("north", request(ask(500, MONDAY + 2 * QUARTER)))
    denied = taught.dso.view(CABLE, MONDAY, 4).denied["north"]
    assert (denied[:, 2] > 40_000).all()
    assert (denied[:, [0, 1, 3]] == 0).all()


def test_every_grant_and_division_is_explained(taught: World) -> None:
    taught.say("north", request(ask(3, MONDAY)))
    with taught.db.transact() as tx:
        store = taught.dso._store(tx)
        (grant,) = store.notes("adjustment", MONDAY)
        (division,) = store.notes("division", MONDAY)
    assert (grant.party, grant.cable) == ("north", CABLE)
    assert grant.record["blocks"][0]["assigned_ca"] == [300, 300, 300]
    assert division.record["weights"] == {"north": 10_000, "south": 5_000}
    assert division.record["quality"] == "good"


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)  # where a new world takes no time
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_is_asked_and_lost_the_csos_never_hold_more_than_there_is(data: st.DataObject) -> None:
    world = World()
    world.history(9)
    asyncio.run(world.dso.publish(world.clock.time))
    n = 90
    there = world.dso.view(CABLE, MONDAY, n).available  # the most that there ever was: without readings it becomes less
    for _ in range(data.draw(st.integers(1, 6))):
        party = data.draw(st.sampled_from(["north", "south"]))
        cso = world.csos[party]
        cso.dead, cso.deaf = data.draw(st.booleans()), data.draw(st.booleans())
        amount, first, blocks = data.draw(st.integers(-150, 150)), data.draw(st.integers(0, 20)), 4
        start = MONDAY + (first + 1) * QUARTER
        world.say(party, request(ask(amount, start, blocks)))
        world.clock.time += STEP
        asyncio.run(data.draw(st.sampled_from([world.dso.publish, world.dso.post]))(world.clock.time))
        there = np.maximum(there, world.dso.view(CABLE, MONDAY, n).available)
    view = world.dso.view(CABLE, MONDAY, n)
    most = np.zeros((3, n), dtype=np.int64)
    with world.db.transact() as tx:
        store = world.dso._store(tx)
        for party in world.csos:
            most += np.maximum(promises.holdings(store, (CABLE,), MONDAY, n)[CABLE, party].most, view.allotments[party])
    assert (most <= there)[:, 2:].all()
    world.close()


# -- UpdateAggregatedUsage -------------------------------------------------------------------------------------------


def test_a_later_report_replaces_the_earlier_and_both_stay_in_the_records(taught: World) -> None:
    taught.clock.time += QUARTER
    taught.measure(50, 900)
    for ampere in (10, 4):
        assert result_of(taught.say("north", usage(MONDAY, ampere, ampere * 57.5))).type is ResultType.SUCCESS
    assert taught.dso.view(CABLE, MONDAY, 1).reported["north"].tolist() == [[400]] * 3
    assert taught.dso.view(CABLE, MONDAY, 1).load.tolist() == [[4600]] * 3
    with taught.db.transact() as tx:
        assert [note.cable for note in taught.dso._store(tx).notes("usage", MONDAY)] == [CABLE] * 2


def test_more_than_the_allotment_is_not_subtracted(taught: World) -> None:
    taught.clock.time += QUARTER
    taught.measure(190, 900)
    allotted = taught.csos["south"].limits(MONDAY, 1)
    taught.say("south", usage(MONDAY, 180, 180 * 57.5))
    load = taught.dso.view(CABLE, MONDAY, 1).load
    assert (load == 19_000 - allotted).all()


def test_a_report_of_an_unknown_cable_or_of_the_future_is_refused_for_that_cable(taught: World) -> None:
    result = result_of(taught.say("north", usage(MONDAY - QUARTER, 1, 57.5, cable="nowhere")))
    assert result.details[0].code == "UNKNOWN_CABLE"
    result = result_of(taught.say("north", usage(MONDAY + QUARTER, 1, 57.5)))
    assert (result.details[0].code, "future" in result.details[0].message) == ("INVALID_VALUE", True)
    assert "(Envelope/Body/UpdateAggregatedUsageRequest/Usage/UsageBlock)" in result.details[0].message
    assert result.details[-1].message == "0 cables applied"


# -- overloads -------------------------------------------------------------------------------------------------------


def test_a_measured_overload_lowers_the_coming_blocks_at_once_with_priority(taught: World) -> None:
    before = held(taught)
    taught.clock.time += STEP
    taught.measure((205, 100, 100))
    asyncio.run(taught.dso.watch(taught.clock.time))
    sent = taught.csos["north"].forecasts()[-1]
    assert sent.header.priority == 1
    lowered = before - held(taught)
    assert 205 * 100 - 194 * 100 <= lowered[0, 0] <= 205 * 100 - 194 * 100 + 2
    assert (lowered[0, :3] > 0).all()
    assert (lowered[0, 5:] == 0).all()
    assert (lowered[1:] == 0).all()
    assert taught.dso.statistics()["urgent"] == 2


def test_the_same_reading_is_reacted_to_once_and_a_further_one_lowers_further(taught: World) -> None:
    taught.clock.time += STEP
    taught.measure(205)
    asyncio.run(taught.dso.watch(taught.clock.time))
    once = held(taught)
    heard = len(taught.csos["north"].heard)
    asyncio.run(taught.dso.watch(taught.clock.time))
    assert len(taught.csos["north"].heard) == heard
    taught.clock.time += STEP
    taught.measure(200)
    asyncio.run(taught.dso.watch(taught.clock.time))
    assert (held(taught)[:, 0] == once[:, 0] - 600).all()


def test_a_brake_is_kept_by_the_next_publish_and_released_within_the_hour(taught: World) -> None:
    taught.clock.time += STEP
    taught.measure(205)
    asyncio.run(taught.dso.watch(taught.clock.time))
    braked = held(taught)
    taught.clock.time = MONDAY + QUARTER
    asyncio.run(taught.dso.publish(taught.clock.time))
    again = held(taught, MONDAY + QUARTER)
    assert (again[:, 0] <= braked[:, 1] + 1).all()
    assert (again[:, 2] > again[:, 0]).all()


def test_an_overload_seen_at_the_end_of_a_block_is_reacted_to_by_the_publish(taught: World) -> None:
    taught.clock.time = MONDAY + QUARTER
    taught.measure(205)
    asyncio.run(taught.dso.publish(taught.clock.time))
    assert taught.csos["north"].forecasts()[-1].header.priority == 1


@pytest.mark.parametrize("late", [timedelta(hours=1), timedelta(hours=20)])
def test_an_overload_is_reacted_to_also_when_publishing_fails_and_no_plan_is_in_force(
    taught: World, late: timedelta
) -> None:
    now = taught.clock.time = MONDAY + late
    before = held(taught, now, 12)
    last = sum(cso.limits(now - QUARTER, 2).max(axis=1)[0] for cso in taught.csos.values())
    taught.measure((205, 100, 100))
    asyncio.run(taught.dso.watch(now))
    assert [cso.forecasts()[-1].header.priority for cso in taught.csos.values()] == [1, 1]
    after = held(taught, now, 12)
    assert last - (205 - 194) * 100 - 2 <= after[0, 0] <= last - (205 - 194) * 100
    assert (after[0, :3] < before[0, :3]).all()
    assert (after[0, 5:] >= before[0, 5:] - 2).all()
    assert ((after[1:] <= before[1:]) & (after[1:] >= before[1:] - 2)).all()


def test_without_a_plan_in_force_a_further_reading_lowers_further_and_nobody_in_doubt_is_raised(taught: World) -> None:
    now = taught.clock.time = MONDAY + timedelta(hours=1)
    before = {party: cso.limits(now, 12) for party, cso in taught.csos.items()}
    last = sum(cso.limits(now - QUARTER, 2).max(axis=1) for cso in taught.csos.values())
    taught.csos["south"].dead = True
    for _ in range(2):
        taught.clock.time += STEP
        taught.measure(205)
        asyncio.run(taught.dso.watch(taught.clock.time))
    north = taught.csos["north"].limits(now, 12)
    assert (north[:, 0] <= last - 2 * 1100 - before["south"][:, 0]).all()  # south may still hold all that it had
    assert (north <= before["north"]).all()
    taught.csos["south"].dead = False
    taught.clock.time += timedelta(minutes=10)
    asyncio.run(taught.dso.post(taught.clock.time))
    assert (held(taught, now + QUARTER, 11) <= (before["north"] + before["south"])[:, 1:]).all()
    assert (taught.csos["south"].limits(now + QUARTER, 2) < before["south"][:, 1:3]).all()


def test_who_holds_nothing_is_told_nothing_after_an_overload(world: World) -> None:
    world.measure(205)
    asyncio.run(world.dso.watch(world.clock.time))
    assert not world.csos["north"].forecasts()


# -- a register that is changed --------------------------------------------------------------------------------------


def changed(world: World, *cables: Cable, nodes: Sequence[Node] = ()) -> None:
    """The operator takes a new register in."""
    with world.db.transact() as tx:
        register.write(tx, register.entries_of(cables, nodes))


@pytest.mark.parametrize("duty", ["watch", "beat", "post"])
def test_a_limit_that_is_lowered_is_published_in_the_next_duty_whichever_it_is(taught: World, duty: str) -> None:
    changed(taught, cable(limit_a=70))
    taught.clock.time += STEP
    asyncio.run(getattr(taught.dso, duty)(taught.clock.time))
    total = held(taught) + taught.dso.view(CABLE, MONDAY, 94).pool
    assert (total <= 7_000).all()
    heard = len(taught.csos["north"].forecasts())
    for again in (taught.dso.post, taught.dso.watch, taught.dso.beat):
        asyncio.run(again(taught.clock.time))
    assert len(taught.csos["north"].forecasts()) == heard


def test_a_limit_that_is_lowered_above_a_cable_or_by_moving_it_is_published_at_once_too(taught: World) -> None:
    nodes = [Node("t", "transformer", (9_000,) * 3), Node("u", "transformer", (8_000,) * 3)]
    for parent, limit in (("t", 9_000), ("u", 8_000)):
        changed(taught, replace(cable(), parent=parent), nodes=nodes)
        taught.clock.time += timedelta(minutes=1)
        asyncio.run(taught.dso.post(taught.clock.time))
        assert 0 < held(taught).max() < limit


def test_a_limit_that_is_lowered_is_neither_told_nor_granted_though_publishing_fails(
    taught: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(taught, cable(limit_a=60))
    taught.clock.time += STEP
    with monkeypatch.context() as broken:
        broken.setattr(service, "publish", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            asyncio.run(taught.dso.watch(taught.clock.time))
    answer = taught.say("north", request(ask(20, MONDAY + 4 * QUARTER)))
    assert granted(answer) == [["0.00"]]
    for party in taught.csos:
        taught.say(party, GetCapacityForecastRequest((CABLE,)))
    asyncio.run(taught.dso.post(taught.clock.time))
    assert 0 < held(taught).max() <= 6_000


def test_letters_go_out_though_publishing_a_changed_register_fails(
    taught: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(taught, cable(limit_a=60))
    taught.say("north", GetCapacityForecastRequest((CABLE,)))
    heard = len(taught.csos["north"].forecasts())
    monkeypatch.setattr(service, "publish", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(taught.dso.post(taught.clock.time))
    asyncio.run(taught.dso.post(taught.clock.time))
    assert len(taught.csos["north"].forecasts()) > heard
    assert 0 < taught.csos["north"].limits(MONDAY).max() <= 6_000


# -- heartbeats ------------------------------------------------------------------------------------------------------


def beats(world: World) -> int:
    return sum(isinstance(one.body, HeartbeatRequest) for one in world.csos["north"].heard)


def test_heartbeats_go_out_each_interval_while_forecasts_are_made(taught: World) -> None:
    assert beats(taught) == 1
    for _ in range(6):
        taught.clock.time += STEP
        asyncio.run(taught.dso.watch(taught.clock.time))
    assert beats(taught) == 7
    taught.clock.time += STEP  # the last publish is now more than two intervals ago
    asyncio.run(taught.dso.watch(taught.clock.time))
    assert beats(taught) == 7


def test_heartbeats_say_the_intervals(taught: World) -> None:
    body = next(one.body for one in taught.csos["north"].heard if isinstance(one.body, HeartbeatRequest))
    assert (body.heartbeat_interval_s, body.forecast_interval_s) == (300, 900)


def test_a_dso_that_cannot_publish_sends_no_heartbeat(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gridroom.dso.learning.expect", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(world.dso.publish(world.clock.time))
    asyncio.run(world.dso.watch(world.clock.time))
    assert world.csos["north"].heard == []


# -- measurements ----------------------------------------------------------------------------------------------------


def test_readings_of_unknown_cables_of_the_future_and_of_long_ago_are_findings(world: World) -> None:
    good = Reading(CABLE, MONDAY - QUARTER, 900, (1, 2, 3))
    strange = Reading("x", MONDAY - QUARTER, 900, (1, 2, 3))
    future = Reading(CABLE, MONDAY, 900, (1, 2, 3))
    old = Reading(CABLE, MONDAY - timedelta(days=500), 900, (1, 2, 3))
    received = world.dso.record_readings([good, strange, future, old])
    assert received.stored == 1
    assert [
        one.text[: len(text)]
        for one, text in zip(received.findings, ["no such cable", "ends after now", "is older than"], strict=True)
    ] == ["no such cable", "ends after now", "is older than"]


def test_a_meter_speaks_only_for_its_cables() -> None:
    world = World(meter=[{"party": "meter-1", "cables": []}, {"party": "meter-2", "cables": [CABLE]}])
    assert world.dso.record_readings([Reading(CABLE, MONDAY - QUARTER, 900, (1, 2, 3))], "meter-2").stored == 1
    with pytest.raises(KeyError):
        world.dso.record_readings([], "meter-3")
    world.close()


def test_an_older_history_that_comes_later_is_learned_too(taught: World) -> None:
    start = MONDAY - timedelta(days=60)
    readings = [Reading(CABLE, start + i * QUARTER, 900, (1000 + i % 7,) * 3) for i in range(20 * 96)]
    assert taught.dso.record_readings(readings).stored == len(readings)
    asyncio.run(taught.dso.publish(taught.clock.time))
    with taught.db.transact() as tx:
        store = taught.dso._store(tx)
        (learner,) = lessons.learners(store, [CABLE]).values()
        assert (State.unpack(Layout(QUARTER), learner.state).learned == 48 * 96).all()


# -- restarts and pruning --------------------------------------------------------------------------------------------


def test_a_restart_changes_nothing() -> None:
    worlds = [World(databases.lasting(MIGRATIONS)) for _ in range(2)]
    for number, world in enumerate(worlds):
        world.history(10)
        for i in range(6):
            world.clock.time = MONDAY + i * QUARTER
            if i:
                world.measure(50 + i, 900)
            asyncio.run(world.dso.publish(world.clock.time))
            if number:
                world.restart()
            world.say("north", request(ask(2 + i, world.clock.time + QUARTER, 2)))
            world.csos["south"].dead = i == 3
            if number:
                world.restart()
    one, two = (world.dso.view(CABLE, MONDAY, 96) for world in worlds)
    for name in ("forecast", "margin", "available", "pool"):
        assert np.array_equal(getattr(one, name), getattr(two, name))
    assert np.array_equal(held(worlds[0]), held(worlds[1]))
    assert worlds[0].dso.statistics() == worlds[1].dso.statistics()
    for world in worlds:
        world.close()


def test_a_letter_owed_at_a_crash_is_sent_after_the_restart() -> None:
    world = World(databases.lasting(MIGRATIONS))
    world.history(10)
    world.csos["north"].dead = True
    asyncio.run(world.dso.publish(world.clock.time))
    world.restart()
    world.csos["north"].dead = False
    world.clock.time += timedelta(minutes=1)
    asyncio.run(world.dso.post(world.clock.time))
    assert len(world.csos["north"].forecasts()) == 1
    world.close()


def test_a_refused_forecast_is_not_repeated_unchanged_and_stays_in_doubt(taught: World) -> None:
    taught.csos["north"].result = Result(ResultType.FAILED, (Detail("UNKNOWN_CABLE", "what is that"),))
    taught.clock.time += QUARTER
    asyncio.run(taught.dso.publish(taught.clock.time))
    heard = len(taught.csos["north"].forecasts())
    taught.clock.time += timedelta(minutes=1)
    asyncio.run(taught.dso.post(taught.clock.time))
    assert len(taught.csos["north"].forecasts()) == heard
    counts = taught.dso.statistics()["messages"]
    assert counts["UpdateCableCapacityForecast"] == {"sent": 4, "acknowledged": 3, "refused": 1}  # type: ignore[index]


def test_what_is_old_is_forgotten(taught: World) -> None:
    taught.clock.time += timedelta(days=401)
    asyncio.run(taught.dso.prune(taught.clock.time))
    view = taught.dso.view(CABLE, MONDAY, 96)
    assert (view.measured == NOT_MEASURED).all()
    with taught.db.transact() as tx:
        assert list(taught.dso._store(tx).notes("division", MONDAY)) == []


def test_nothing_about_a_cso_stays_for_ever(taught: World) -> None:
    taught.clock.time += QUARTER
    taught.say("north", usage(MONDAY, 4, 230))
    taught.say("north", request(ask(3, MONDAY + 2 * QUARTER)))
    asyncio.run(taught.dso.publish(taught.clock.time))
    taught.clock.time += timedelta(days=402)
    assert taught.dso.duties()["prune"].call == taught.dso.prune
    asyncio.run(taught.dso.prune(taught.clock.time))
    kept = {
        "alembic_version",
        "cables",
        "facts",
        "tallies",
        "deviations",
        "clocks",
        "waits",
        "stopped",
        "register_cables",
        "register_contracts",
        "register_revision",
    }  # states and counts, no history
    with taught.db.transact() as tx:
        tables = set(sa.inspect(tx).get_table_names()) - kept
        rows = {name: tx.scalar(sa.text(f"SELECT count(*) FROM {name}")) for name in tables}
    assert rows == dict.fromkeys(rows, 0)
    assert len(rows) == 15


def test_an_unknown_party_gets_a_refusal_and_nothing_else(world: World) -> None:
    reply = world.dso.handle_oscp("nobody", b"<x/>")
    assert (reply.status, b"Fault" in reply.data) == (400, True)
