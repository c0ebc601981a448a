"""Profiles: short-lived plans, divided fallbacks, lower before raise, never above the book."""

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gridroom.cso.ledger import Given, Held
from gridroom.cso.profiles import (
    Change,
    Place,
    choose_fallbacks,
    fallback_change,
    lowered,
    plan_change,
    sendable,
    to_ocpp,
)
from gridroom.cso.stations import CableKey, Station
from gridroom.ocpp.profiles import Purpose, in_force

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def rates(*values: int) -> np.ndarray:
    return np.array([*values, *[0] * (8 - len(values))], dtype=np.int64)


def place(name: str = "s", plan: tuple[int, ...] = (), fallback: int = 0, *, connected: bool = True) -> Place:
    station = Station(name, CableKey("d", "c"), max_ca=1600)
    steps = ((NOON, fallback), (NOON + DAY, 0)) if fallback else ((NOON, 0),)
    known = Given(1, steps)
    held = Held().offer(known, NOON).accepted(known)
    if plan:
        new = Given(2, tuple((NOON + k * QUARTER, v) for k, v in enumerate(plan)), NOON + len(plan) * QUARTER, 7)
        held = held.offer(new, NOON).accepted(new)
    return Place(station, held, connected, 7, (True, True, True))


def test_a_plan_becomes_a_short_lived_profile_that_starts_a_minute_ago() -> None:
    change = plan_change(place(), rates(1600, 1000, 600, 600), NOON)
    assert change is not None
    request = to_ocpp(change.given, NOON + 5 * MINUTE)
    schedule = request.profile.schedule
    assert schedule.start == NOON + 4 * MINUTE
    assert [(p.start_s, p.limit_ca) for p in schedule.periods] == [(0, 1600), (660, 1000), (1560, 600)]
    assert schedule.duration_s == 41 * 60
    assert (request.profile.purpose, request.profile.transaction_id) == (Purpose.TX, 7)


def test_an_unchanged_profile_is_not_sent() -> None:
    assert plan_change(place(plan=(1600, 1000, 600)), rates(1600, 1000, 600), NOON) is None
    assert plan_change(place(plan=(1600, 1000, 600)), rates(1600, 1000, 700), NOON) is not None
    assert plan_change(place(), rates(0, 0, 0), NOON) is None
    assert fallback_change(place(fallback=600), 600, NOON, NOON, NOON + DAY) is None
    assert fallback_change(place(), 0, NOON, NOON, NOON + DAY) is None


def test_a_profile_is_renewed_before_it_ends() -> None:
    held = place(plan=(1600, 1600, 1600))
    assert plan_change(held, rates(1600, 1600, 1600), NOON + QUARTER) is None
    assert plan_change(held, rates(1600, 1600, 1600), NOON + 2 * QUARTER) is not None
    assert fallback_change(place(fallback=600), 600, NOON + DAY / 4, NOON, NOON + 5 * DAY / 4) is None
    assert fallback_change(place(fallback=600), 600, NOON + DAY * 0.6, NOON, NOON + 1.6 * DAY) is not None


def test_the_fallback_ends_with_the_forecast() -> None:
    change = fallback_change(place(), 600, NOON, NOON, NOON + DAY)
    assert change is not None
    schedule = to_ocpp(change.given, NOON).profile.schedule
    assert schedule.start == NOON - MINUTE - DAY
    assert [(p.start_s, p.limit_ca) for p in schedule.periods] == [(0, 0), (86_400, 600), (2 * 86_400 + 60, 0)]


def test_a_station_whose_clock_is_behind_has_a_fallback_nevertheless() -> None:
    change = fallback_change(place(), 600, NOON, NOON, NOON + DAY)
    assert change is not None
    profile = to_ocpp(change.given, NOON).profile
    limits = [in_force(profile, NOON - late) for late in (MINUTE, 2 * MINUTE, 10 * 60 * MINUTE)]
    assert [period and period.limit_ca for period in limits] == [600, 0, 0]


def test_fallbacks_go_to_cars_that_charge_first_and_stay_where_they_are() -> None:
    places = [place("a"), place("b", fallback=600), place("c", plan=(1600, 1600, 1600))]
    planned = {"c": np.full((3, 3), 1600)}
    spare = np.full((3, 3), 5000)
    assert choose_fallbacks(places, planned, spare, (1500, 1500, 1500)) == {"a": 0, "b": 600, "c": 600}
    assert choose_fallbacks(places, planned, spare, (900, 3000, 3000)) == {"a": 0, "b": 0, "c": 600}
    nothing = np.zeros((3, 3), dtype=np.int64)
    assert choose_fallbacks(places, planned, nothing, (1500, 1500, 1500)) == {
        "a": 0,
        "b": 0,
        "c": 600,
    }


def test_a_raise_waits_for_the_lower_that_makes_room() -> None:
    places = {"a": place("a", plan=(1600, 1600, 1600)), "b": place("b")}
    limits = np.full((3, 8), 1600)
    down = plan_change(places["a"], rates(600, 600, 600), NOON)
    up = plan_change(places["b"], rates(1000, 1000, 1000), NOON)
    assert down is not None
    assert up is not None
    assert sendable([up, down], places, limits, NOON) == [down]
    places["a"] = places["a"].with_only(down.given)
    assert sendable([up], places, limits, NOON) == [up]


def test_an_unreachable_station_keeps_others_from_rising() -> None:
    places = {"a": place("a", plan=(1600, 1600, 1600), connected=False), "b": place("b")}
    up = plan_change(places["b"], rates(1000, 1000, 1000), NOON)
    assert up is not None
    assert sendable([up], places, np.full((3, 8), 1600), NOON) == []


def test_a_plan_that_lowers_here_and_raises_there_lowers_at_least() -> None:
    held = place(plan=(1600, 0, 0))
    change = plan_change(held, rates(600, 1600, 0), NOON)
    assert change is not None
    limits = np.full((3, 8), 1000)
    assert sendable([change], {"s": held}, limits, NOON) == []
    (part,) = lowered([change], {"s": held}, limits, NOON)
    assert [limit for _, limit in part.given.periods] == [600, 0, 0]
    assert lowered([part], {"s": held.with_only(part.given)}, limits, NOON) == []


def test_what_may_be_a_raise_waits_like_one() -> None:
    """A station whose last answer was lost may hold 6 A or 16 A: 10 A may be more than it has."""
    doubtful = place("a", plan=(1600, 1600, 1600))
    lost = Given(3, tuple((NOON + k * QUARTER, 600) for k in range(3)), NOON + 3 * QUARTER, 7)
    places = {
        "a": Place(doubtful.station, doubtful.held.offer(lost, NOON), True, 7, doubtful.phases),
        "b": place("b", plan=(1600, 1600, 1600)),
    }
    change = plan_change(places["a"], rates(1000, 1000, 1000), NOON)
    assert change is not None
    assert sendable([change], places, np.full((3, 8), 2600), NOON) == [change]
    assert sendable([change], places, np.full((3, 8), 2500), NOON) == []
    (part,) = lowered([change], places, np.full((3, 8), 2500), NOON)
    assert [limit for _, limit in part.given.periods] == [900, 900, 900]


def test_a_station_that_came_up_gets_nothing_where_its_fallback_does_not_fit_yet() -> None:
    one = place("a", fallback=600)
    places = {
        "a": Place(one.station, one.held.restarted(NOON), True, 7, one.phases),
        "b": place("b", plan=(1600, 1600, 1600)),
    }
    change = fallback_change(places["a"], 600, NOON, NOON, NOON + DAY)
    assert change is not None
    limits = np.full((3, 96), 2000)
    assert sendable([change], places, limits, NOON) == []
    (part,) = lowered([change], places, limits, NOON)
    assert [limit for _, limit in part.given.periods] == [0]


def test_a_profile_without_answer_counts_beside_the_old_one() -> None:
    held = place(plan=(600, 600, 600)).held
    new = Given(9, ((NOON, 1600),), NOON + QUARTER, 7)
    fallback = held.fallback(NOON, 2, 0)
    assert held.offer(new, NOON).plan(NOON, 2, fallback).tolist() == [1600, 600]
    assert held.offer(new, NOON).refused(new).plan(NOON, 2, fallback).tolist() == [600, 600]
    assert held.offer(new, NOON).accepted(new).plan(NOON, 2, fallback).tolist() == [1600, 0]
    assert not held.offer(new, NOON).settled()


def test_a_station_without_any_acknowledged_fallback_counts_at_its_maximum_while_a_car_is_there() -> None:
    bare = Place(Station("a", CableKey("d", "c"), max_ca=1600), Held(), True, 7, (True, True, True))
    assert bare.reserved(NOON, 1).max() == 1600
    unruly = Place(bare.station, place(plan=(600,)).held, True, 7, (True, False, False), unruly_ca=1600)
    assert unruly.reserved(NOON, 1)[:, 0].tolist() == [1600, 0, 0]


LEVELS = st.sampled_from([0, 600, 900, 1600])
PLANS = st.tuples(LEVELS, LEVELS, LEVELS)


@settings(max_examples=120, deadline=None)
@given(
    before=st.lists(PLANS, min_size=1, max_size=5),
    wanted=st.lists(PLANS, min_size=5, max_size=5),
    answers=st.lists(st.sampled_from([True, False, None]), min_size=40, max_size=40),
    slack=st.integers(0, 2000),
)
def test_whatever_stations_answer_all_that_may_be_in_force_stays_within_the_book(
    before: list[tuple[int, int, int]],
    wanted: list[tuple[int, int, int]],
    answers: list[bool | None],
    slack: int,
) -> None:
    places = {f"s{i}": place(f"s{i}", plan=plan) for i, plan in enumerate(before)}
    start = sum(p.reserved(NOON, 8) for p in places.values())
    limits = np.asarray(start) + slack
    changes = [plan_change(p, rates(*w), NOON) for p, w in zip(places.values(), wanted, strict=False)]
    pending = [c for c in changes if c is not None]
    replies = iter(answers)
    for _ in range(8):
        batch = sendable(pending, places, limits, NOON)
        pending = [c for c in pending if c not in batch]
        for change in batch:
            old = places[change.identity]
            number = old.held.number + 1
            new = Given(number, change.given.periods, change.given.end, 7)
            held = old.held.offer(new, NOON)
            places[change.identity] = Place(old.station, held, True, 7, old.phases)
        total = np.asarray(sum(p.reserved(NOON, 8) for p in places.values()))
        assert (total <= limits).all()
        for change in batch:
            old = places[change.identity]
            new = max(old.held.plans, key=lambda g: g.number)
            answer = next(replies)
            held = old.held.accepted(new) if answer else old.held if answer is None else old.held.refused(new)
            places[change.identity] = Place(old.station, held, True, 7, old.phases)
        total = np.asarray(sum(p.reserved(NOON, 8) for p in places.values()))
        assert (total <= limits).all()


def test_changes_for_one_station_go_one_after_the_other() -> None:
    places = {"a": place("a")}
    up = plan_change(places["a"], rates(900, 900, 900), NOON)
    default = fallback_change(places["a"], 600, NOON, NOON, NOON + DAY)
    assert up is not None
    assert default is not None
    chosen: list[Change] = sendable([up, default], places, np.full((3, 96), 9000), NOON)
    assert chosen == [default]
