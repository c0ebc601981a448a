"""What is expected of a series: its day, its week, its wall clock and its last hours; and what is kept of it."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dso_fleet import AMSTERDAM, DAY, HOUR, MONDAY, QUARTER, Life, begin, course, moments, noisy
from gridroom.dso.forecasting import learn
from gridroom.dso.forecasting.calendar import Calendar
from gridroom.dso.forecasting.fleet import Fleet
from gridroom.dso.forecasting.layout import Layout
from gridroom.dso.forecasting.learn import LONG, OWN, VARIANCE
from gridroom.dso.forecasting.pool import Pool, Sums
from gridroom.dso.forecasting.state import State

HOURLY = Layout(HOUR)


@pytest.mark.parametrize("minutes", [5, 15, 30, 60])
def test_a_load_that_is_the_same_every_day_is_forecast_as_it_is(minutes: int) -> None:
    block = timedelta(minutes=minutes)
    day = DAY // block
    life = begin(1, block=block).take(course(MONDAY, 8 * day, block))
    coming = course(MONDAY + 8 * DAY, day + 3, block)
    np.testing.assert_allclose(life.outlook(day + 3).mean, coming, atol=0.15)
    np.testing.assert_allclose(life.outlook(5).mean, life.outlook(day).mean[:5], rtol=1e-6)


def test_weekends_differ_by_the_weekly_average() -> None:
    days = 8 * 7
    amps = np.array([[20.0 if one.weekday() > 4 else 10.0] for one in moments(MONDAY, 24 * days)])
    chance = np.random.default_rng(1).normal(0, 0.5, (24 * days, 6))
    life = begin(6, country="").take((amps + chance)[: -3 * 24])  # up to Friday
    coming = amps[-3 * 24 : -2 * 24]
    np.testing.assert_allclose(life.outlook(24).mean, np.tile(coming, 6), atol=1.5)
    life.take((amps + chance)[-3 * 24 : -2 * 24])
    weekend = moments(MONDAY + (days - 2) * DAY, 22)
    assert all(one.weekday() == 5 for one in weekend)
    np.testing.assert_allclose(life.outlook(22).mean, 20, atol=1.5)


@pytest.mark.parametrize(("change", "quarters"), [(datetime(2026, 3, 29), 92), (datetime(2026, 10, 25), 100)])  # noqa: DTZ001
def test_the_wall_clock_is_kept_on_the_days_of_92_and_100_quarters(change: datetime, quarters: int) -> None:
    midnight = change.replace(tzinfo=AMSTERDAM).astimezone(UTC)
    assert (change + DAY).replace(tzinfo=AMSTERDAM).astimezone(UTC) - midnight == quarters * QUARTER
    first = midnight - 9 * DAY
    life = begin(1, first, QUARTER).take(course(first, 9 * 96, QUARTER))
    np.testing.assert_allclose(life.outlook(quarters).mean, course(midnight, quarters, QUARTER), atol=0.2)
    life.take(course(midnight, quarters, QUARTER))
    after = course(midnight + quarters * QUARTER, 96, QUARTER)
    np.testing.assert_allclose(life.outlook(96).mean, after, atol=0.2)
    assert life.outlook(96).mean.argmax() == 72


@pytest.mark.parametrize(("country", "expected"), [("NL", 20.0), ("", 10.0)])
def test_a_holiday_counts_as_a_sunday(country: str, expected: float) -> None:
    first, kings_day = datetime(2026, 1, 4, 23, tzinfo=UTC), datetime(2026, 4, 26, 22, tzinfo=UTC)  # a Monday
    n = (kings_day - first) // HOUR
    calendar = Calendar(HOUR, AMSTERDAM, "NL")
    sundays = calendar.weekdays(calendar.number(first), n) == 6
    life = begin(1, first, country=country).take(np.where(sundays, 20.0, 10.0)[:, None])
    life.mixed([0, 0, 1], [0, 0, 0])
    np.testing.assert_allclose(life.outlook(22).mean, expected, atol=0.3 if country else 4)


def test_all_blocks_of_an_issue_are_of_the_right_weekday_also_beyond_the_first_day() -> None:
    first = datetime(2026, 1, 4, 23, tzinfo=UTC)
    weekdays = np.array([10.0 * one.weekday() for one in moments(first, 20 * 96, QUARTER)])[:, None]
    life = begin(1, first, QUARTER, country="")
    for day in range(16):
        life.take(weekdays[96 * day : 96 * day + 40])
        life.mixed([0, 0, 1], [0, 0, 0])
        if day > 7:
            mine = weekdays[96 * day + 40 :][:99]
            np.testing.assert_allclose(life.outlook(99).mean, mine, atol=0.1, err_msg=f"day {day}")
        life.take(weekdays[96 * day + 40 : 96 * day + 96])


def test_beyond_a_day_something_is_expected_in_the_first_week_too() -> None:
    life = begin(2).take(course(MONDAY, 3 * 24) @ np.ones((1, 2)))
    np.testing.assert_allclose(life.outlook(27).mean[:, 0], course(MONDAY + 3 * DAY, 27)[:, 0], atol=0.2)


def test_the_next_hours_follow_a_rise_and_fade_back() -> None:
    life = begin(1, block=QUARTER).take(course(MONDAY, 8 * 96, QUARTER))
    life.mixed([0.5, 0, 0.5], [0.2, 0.3, 0.4])
    usual, now = life.outlook(96).mean[:, 0], course(MONDAY, 96, QUARTER)
    rises = [0.0]
    for i in range(30):
        life.fleet.advance(life.number + i, now[i] + 10 * (i < 12))
        rises.append(float(life.fleet.outlook(life.number + i + 1, 4).mean[0, 0] - usual[i + 1]))
    assert (np.diff(rises[:13]) > 0).all()
    assert rises[12] > 6
    assert (np.diff(rises[13:]) < 0).all()
    assert 0 < rises[-1] < 0.7
    far = life.fleet.outlook(life.number + 30, 60).mean[16:, 0]
    np.testing.assert_allclose(far, usual[46:90], atol=1e-5)


LIFE = begin(6).take(noisy(24 * 30, 6))
"""A month of hourly blocks; never changed by a test."""


def slot(life: Life) -> int:
    """Time of day of the next block."""
    return int(life.fleet.calendar.slots(life.number, 1)[0])


def lived() -> Life:
    life = LIFE.twin()
    life.mixed([0.4, 0.2, 0.4], [0.3, 0.2, 0.3], last=0.3)
    return life


def test_the_errors_of_a_time_of_day_itself_are_remembered_longer_than_those_of_the_times_around() -> None:
    chance, life = np.random.default_rng(5), begin(2)
    state = life.take(20 + chance.normal(0, 1, (60 * 24, 2))).fleet.state
    before, before_long = state.day.mean(), state.day_long.mean()
    life.take(np.full((60 * 24, 2), 20.0))
    assert state.day.mean() == pytest.approx(before * (1 - VARIANCE) ** 60, rel=0.3)
    assert state.day_long.mean() == pytest.approx(before_long * (1 - LONG) ** 60, rel=0.3)
    state.day_long[:], state.near_long[:], fleet = 100, 400, life.fleet
    cell = fleet.calendar.at(life.number)
    learn.renew(fleet.layout, state, fleet.common.mixing, cell, np.zeros(2, np.float32))
    day, near = state.scale_day[cell.slot].copy(), state.scale_near[cell.slot].copy()
    state.day_long[:], state.near_long[:] = 400, 1600
    learn.renew(fleet.layout, state, fleet.common.mixing, cell, np.zeros(2, np.float32))
    np.testing.assert_allclose(state.scale_day[cell.slot] - day, OWN * 10, rtol=1e-3)
    np.testing.assert_allclose(state.scale_near[cell.slot] - near, OWN * 20, rtol=1e-3)


some_loads = st.lists(st.lists(st.sampled_from([np.nan, 0.0, 5.0, 20.0, 80.0]), min_size=6, max_size=6), max_size=5)


@settings(deadline=None, max_examples=60)
@given(some_loads, some_loads.filter(bool), st.integers(1, 27))
def test_a_load_that_may_hold_charging_never_lowers_what_is_expected(
    learned: list[list[float]], unsure: list[list[float]], n: int
) -> None:
    without = lived()
    for load in learned:
        without.fleet.advance(without.number, np.array(load))
        without.number += 1
    with_it = without.twin()
    everyone = np.ones(6, dtype=bool)
    for load in unsure:
        usual = learn.base(without.fleet.state, without.fleet.common.mixing, slot(without))
        usual = np.where(np.isnan(load), np.nan, usual)
        without.fleet.glance(without.number, usual, ~everyone, everyone)
        with_it.fleet.glance(with_it.number, np.array(load), ~everyone, everyone)
        without.number = with_it.number = with_it.number + 1
    low, high = without.outlook(n), with_it.outlook(n)
    assert (high.mean >= low.mean - 1e-4).all()
    assert (high.quality == low.quality).all()
    assert learned or (with_it.fleet.state.gap == len(unsure)).all()  # not sure: no less late
    assert (with_it.bound(n) >= without.bound(n) - 1e-4).all()


@settings(deadline=None, max_examples=30)
@given(some_loads, st.integers(1, 6), st.booleans())
def test_where_nothing_is_measured_nothing_recent_becomes_less(
    learned: list[list[float]], missing: int, learning: bool
) -> None:
    life, everyone, nothing = lived(), np.ones(6, dtype=bool), np.full(6, np.nan)
    for load in learned:
        life.fleet.advance(life.number, np.array(load))
        life.number += 1
    for _ in range(missing):
        before = learn.recent(life.fleet.layout, life.fleet.state, life.number - 1).copy()
        if learning:
            life.fleet.advance(life.number, nothing)
        else:
            life.fleet.glance(life.number, nothing, everyone, everyone)
        assert (learn.recent(life.fleet.layout, life.fleet.state, life.number) >= before).all()
        life.number += 1


def test_a_glance_follows_as_learning_does_and_touches_only_what_is_recent() -> None:
    seen, learned, before = lived(), lived(), lived()
    which = np.arange(6) < 4
    load = np.full(6, 60.0)
    seen.fleet.glance(seen.number, load, np.ones(6, dtype=bool), which)
    learned.fleet.advance(learned.number, load)
    for one in fields(State):
        now, then = (getattr(life.fleet.state, one.name) for life in (seen, before))
        if one.name in ("ring", "gap"):
            now, then = now[..., 4:], then[..., 4:]
        np.testing.assert_array_equal(now, then, err_msg=one.name)
    rings = [life.fleet.state.ring[..., :4] for life in (seen, learned)]
    np.testing.assert_allclose(rings[0], rings[1], rtol=1e-6)
    assert seen.fleet.outlook(seen.number + 1, 1).mean[0, 0] > before.outlook(2).mean[1, 0]


@settings(deadline=None, max_examples=25)
@given(st.sampled_from([5, 15, 30, 60]), st.integers(1, 5), st.integers(0, 2**32 - 1), st.data())
def test_what_is_packed_or_taken_out_comes_back(minutes: int, series: int, seed: int, data: st.DataObject) -> None:
    layout, chance = Layout(timedelta(minutes=minutes)), np.random.default_rng(seed)
    blank = State.empty(layout, series)
    state = State(
        **{one.name: chance.normal(size=getattr(blank, one.name).shape).astype(np.float32) for one in fields(State)}
    )
    again = State.unpack(layout, state.pack())
    which = np.array(data.draw(st.lists(st.booleans(), min_size=series, max_size=series)))
    part = state.take(which)
    blank.put(which, part)
    for one in fields(State):
        np.testing.assert_array_equal(getattr(again, one.name), getattr(state, one.name))
        np.testing.assert_array_equal(getattr(blank, one.name)[..., which], getattr(state, one.name)[..., which])
        np.testing.assert_array_equal(
            getattr(blank, one.name)[..., ~which], getattr(State.empty(layout, series), one.name)[..., ~which]
        )
        assert not np.shares_memory(getattr(part, one.name), getattr(state, one.name))
    with pytest.raises(ValueError, match=r"shape|rows"):
        State.unpack(Layout(timedelta(minutes=10)), state.pack())
    sums = Sums(*(chance.normal(size=getattr(Sums.zero(HOURLY), one.name).shape) for one in fields(Sums)))
    for one in fields(Sums):
        np.testing.assert_array_equal(getattr(Sums.unpack(sums.pack(), HOURLY), one.name), getattr(sums, one.name))


@settings(deadline=None, max_examples=6)
@given(st.integers(1, 24 * 12 - 1))
def test_a_fleet_that_was_stopped_goes_on_to_the_same_values(at: int) -> None:
    loads = noisy(24 * 12, 3)
    loads[50:60, 1] = np.nan
    whole = begin(3).take(loads)
    first = begin(3).take(loads[:at])
    old, pool = first.fleet, first.fleet.pool
    kept = replace(
        pool,
        total=Sums.unpack(pool.total.pack(), HOURLY),
        today=Sums.unpack(pool.today.pack(), HOURLY),
        counts=pool.counts.copy(),
        scored=pool.scored.copy(),
        pace=pool.pace.copy(),
    )
    state = State.unpack(old.layout, old.state.pack())
    again = Life(Fleet(old.calendar, old.limits, old.criteria, state, kept), first.number, first.days).take(loads[at:])
    np.testing.assert_array_equal(again.fleet.state.pack(), whole.fleet.state.pack())
    for name in ("total", "today"):
        mine, theirs = (getattr(life.fleet.pool, name).pack() for life in (again, whole))
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(again.fleet.pool.scored, whole.fleet.pool.scored)
    np.testing.assert_array_equal(again.bound(24), whole.bound(24))


def test_series_of_whom_it_is_not_the_turn_stay_as_they_are() -> None:
    loads, which = noisy(24 * 10, 4), np.array([True, False, True, False])
    life = begin(4).take(loads)
    before, alone = life.fleet.state.take(~which).pack(), life.twin()
    alone.fleet.pool = Pool.empty(HOURLY)
    life.fleet.advance(life.number, loads[0], which)
    np.testing.assert_array_equal(life.fleet.state.take(~which).pack(), before)
    alone.fleet.advance(life.number, loads[0])
    np.testing.assert_array_equal(life.fleet.state.take(which).pack(), alone.fleet.state.take(which).pack())


def random_loads(blocks: int, series: int) -> np.ndarray:
    return np.random.default_rng(2).normal(0, 1, (blocks, series))


@pytest.mark.parametrize(
    ("name", "level", "spread", "limit"),
    [
        ("nothing", 0, 0, 100),
        ("constant", 50, 0, 100),
        ("always feeding back", -300, 30, 100),
        ("a constant feed-back", -300, 0, 100),
        ("the most there is", 1e7, 1e6, 1e7),
        ("the most there is, constant", 1e7, 0, 1e7),
        ("as good as nothing", 1e-6, 1e-7, 100),
        ("a phase that does not exist", 0, 1, 0),
    ],
)
def test_odd_loads_give_no_odd_numbers(name: str, level: float, spread: float, limit: float) -> None:
    loads = level + spread * random_loads(24 * 20, 3)
    life = begin(3, limit=limit, criteria=(0, 1, 2)).take(loads)
    outlook = life.outlook(27)
    bound = life.bound(27)
    assert np.isfinite(bound).all()
    assert (bound >= outlook.mean).all()
    if not spread:
        np.testing.assert_allclose(outlook.mean, level, rtol=1e-3)
    life.take(np.full((26, 3), level + 10 * max(spread, 1)))
    assert np.isfinite(life.bound(27)).all()
    assert (life.bound(1) > level).all()


def test_a_flat_series_or_one_without_a_limit_does_not_spoil_what_the_others_share() -> None:
    loads = noisy(24 * 20, 12)
    alone = begin(12).take(loads)
    odd = np.tile([1e7, 5.0], (len(loads), 1))
    odd[:, 1] += random_loads(len(loads), 1)[:, 0]
    beside = begin(14)
    beside.fleet.limits[12:] = 2e7, 0
    beside.take(np.concatenate([loads, odd], axis=1))
    np.testing.assert_allclose(beside.outlook(24).mean[:, :12], alone.outlook(24).mean, rtol=0.1)
    shapes = [life.fleet.common.shape for life in (alone, beside)]
    assert all(one is not None and one.mean.max() < 1 for one in shapes)
    np.testing.assert_allclose(beside.fleet.pool.total.seen, alone.fleet.pool.total.seen * 13 / 12)


def test_what_series_tell_of_all_does_not_depend_on_whose_turn_it_is() -> None:
    """Of a large fleet only some series are summed: always the same ones."""
    life = begin(2400).take(noisy(9 * 24, 2400))
    parts, number, load = life.twin(), life.number, noisy(1, 2400)[0]
    first = np.random.default_rng(1).random(2400) < 0.3
    life.fleet.advance(number, load)
    parts.fleet.pool = replace(parts.fleet.pool, today=life.fleet.pool.today.blank())
    life.fleet.pool = replace(life.fleet.pool, today=life.fleet.pool.today.blank())
    life.fleet.advance(number + 1, load)
    parts.fleet.state.put(np.ones(2400, dtype=bool), parts.fleet.state)
    parts.fleet.advance(number, load)
    parts.fleet.pool = replace(parts.fleet.pool, today=life.fleet.pool.today.blank())
    parts.fleet.advance(number + 1, load, first)
    parts.fleet.advance(number + 1, load, ~first)
    np.testing.assert_allclose(parts.fleet.pool.today.pack(), life.fleet.pool.today.pack(), rtol=1e-4)
    assert life.fleet.pool.today.blocks == 800
