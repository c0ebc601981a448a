"""From histories to expectations: what was learned depends on the history alone, and nothing unknown is sold."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text

import databases
from dso_area import DAY, HOUR, MIGRATIONS, MONDAY, Area, assert_same, homes, invented, shared
from gridroom.dso import learning, lessons
from gridroom.dso.cables import Node
from gridroom.dso.forecasting.scores import WINDOW_DAYS
from gridroom.dso.readings.measurements import Flag
from gridroom.dso.rules import RiskClass
from gridroom.dso.tables import LEARNERS, LOADS, POOLS
from gridroom.oscp.v10.blocks import UNKNOWN
from gridroom.storage import database

pytestmark = pytest.mark.usefixtures("database_kind")

QUICK = (Phase.explicit, Phase.generate)
"""An example takes a database: what fails is told at once, not made small for minutes."""

DAYS = 12
N = DAYS * 24
NOW = MONDAY + DAYS * DAY
CABLES = ("c1", "c2", "c3")
Make = Callable[..., Area]


@pytest.fixture
def make() -> Iterator[Make]:
    made = []

    def area(*cables: Any, **rules: Any) -> Area:
        made.append(Area(cables or [homes(name) for name in CABLES], **rules))
        return made[-1]

    yield area
    for one in made:
        one.close()


def history(area: Area, cables: Sequence[str] = CABLES, gaps: bool = True) -> Area:
    """Twelve days; of one cable some blocks are missing."""
    for i, name in enumerate(cables):
        known = np.random.default_rng(i).random(N) > (0.1 if gaps and i == 1 else 0)
        area.measured(name, MONDAY, invented(N, seed=i), known)
    return area


# -- what was learned depends on the history alone ---------------------------------------------------------------------


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture], phases=QUICK)
@given(stops=st.lists(st.integers(1, N), max_size=8), gaps=st.booleans())
def test_stopped_and_started_again_at_any_block_the_same_is_learned(make: Make, stops: list[int], gaps: bool) -> None:
    often, once = history(make(), gaps=gaps), history(make(), gaps=gaps)
    for stop in sorted(stops):
        often.expect(MONDAY + stop * HOUR)
    assert_same_expectation(often, once, exact=not gaps)
    assert_same(often, once, exact=not gaps)


def assert_same_expectation(mine: Area, other: Area, exact: bool = True, now: datetime = NOW) -> None:
    left, right = mine.expect(now), other.expect(now)
    assert left.keys() == right.keys()
    for place, expected in left.items():
        assert expected.quality == right[place].quality
        for a, b in ((expected.mean, right[place].mean), (expected.bound, right[place].bound)):
            np.testing.assert_allclose(a, b, rtol=0 if exact else 1e-4)


def test_what_was_learned_and_is_lost_is_made_anew_from_the_history(make: Make) -> None:
    area, same = history(make(), gaps=False), history(make(), gaps=False)
    for day in range(1, DAYS + 1):
        area.expect(MONDAY + day * DAY)
    area.lose()
    assert area.learned() == {}
    same.expect(NOW)
    assert_same_expectation(area, same)
    assert_same(area, same)


def test_states_of_before_errors_were_remembered_longer_are_learned_anew_from_the_history(make: Make) -> None:
    area, same = make(), history(make(), gaps=False)
    area.db.close()
    url = databases.current.lasting(MIGRATIONS)
    area.db = database.open(url, MIGRATIONS)
    history(area, gaps=False).expect(NOW)
    with area.db.transact() as tx:
        for row in tx.execute(LEARNERS.select()).all():
            fewer = LEARNERS.update().where(LEARNERS.c.cable == row.cable).values(state=row.state[:-48])
            tx.execute(fewer)
        tx.execute(text("UPDATE alembic_version SET version_num = 'dso0005'"))
    area.db.close()
    area.db = database.open(url, MIGRATIONS)
    assert area.learned() == {}
    assert list(area.pools()) == []
    same.expect(NOW)
    assert_same_expectation(area, same)
    assert_same(area, same)


def test_a_long_history_is_learned_week_by_week_to_the_same_values(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "MUCH", 3 * 24 * 24)
    n = 40 * 24
    pieces, once = (make() for _ in range(2))
    for area in (pieces, once):
        for i, name in enumerate(CABLES):
            area.measured(name, MONDAY + i * 3 * DAY, invented(n - i * 72, seed=i))
    now, reached = MONDAY + n * HOUR, [MONDAY - DAY]
    while reached[-1] > reached[-2:][0] or len(reached) == 1:
        with pieces.store() as store:
            reached.append(learning.catch_up(store, pieces.office, now) or reached[-1])
    assert [(one - MONDAY).days for one in reached] == [-1, 7, 14, 21, 28, 35, 35]
    assert reached[-1] < now
    assert_same_expectation(pieces, once, now=now)
    assert_same(pieces, once)


def test_meters_that_deliver_a_day_at_once_are_learned_as_if_they_were_prompt(make: Make) -> None:
    daily, prompt = make(), history(make(), gaps=False)
    for day in range(DAYS):
        for i, name in enumerate(CABLES):
            daily.measured(name, MONDAY + day * DAY, invented(N, seed=i)[:, 24 * day : 24 * day + 24])
        found = [daily.expect(MONDAY + (day + 1) * DAY + hours * HOUR)["c2"] for hours in (0, 9, 23)]
        assert [one.quality for one in found] == ["cold" if day < 6 else "good", *["cold" if day < 6 else "late"] * 2]
        assert day == 0 or np.isfinite(found[-1].bound).all()
    assert_same_expectation(daily, prompt, now=NOW + 9 * HOUR)
    assert_same(daily, prompt)


def test_one_that_delivers_a_day_at_once_keeps_nobody_waiting(make: Make) -> None:
    """For weeks: what it learns comes from its own past, and it has capacity at all times."""
    area, days = make(), 30
    load = [invented(days * 24, seed=i) for i in range(3)]
    for day in range(days):
        area.measured("c2", MONDAY + day * DAY, load[1][:, 24 * day : 24 * day + 24])
        for name, mine in (("c1", load[0]), ("c3", load[2])):
            area.measured(name, MONDAY + day * DAY, mine[:, 24 * day : 24 * day + 24])
        for hours in (6, 12, 18):
            for name, mine in (("c1", load[0]), ("c3", load[2])):
                area.measured(name, MONDAY + (day + 1) * DAY, mine[:, 24 * day + 24 : 24 * day + 24 + hours])
            now = MONDAY + (day + 1) * DAY + hours * HOUR
            found = area.expect(now)["c2"]
            assert found.quality != "none"
            assert day == 0 or np.isfinite(found.bound).all()
        if day < days - 1:
            assert area.learned()["c1"][0] == now
        assert area.learned()["c2"][0] == MONDAY + (day + 1) * DAY
    assert found.quality == "late"
    alone = make(homes("c2"))
    alone.measured("c2", MONDAY, load[1])
    for mine, other in zip(
        area.learned()["c2"][1][: 24 * 9], alone.expect(now) and alone.learned()["c2"][1], strict=False
    ):
        np.testing.assert_array_equal(mine, other)  # averages per time of day and of week


@pytest.mark.parametrize("delay", [1, 3])
def test_cables_whose_reports_come_late_are_learned_as_if_all_had_come_at_once(make: Make, delay: int) -> None:
    """Over midnights too: a day begins for all of them at once."""
    late, prompt = (make(shared("c1"), shared("c2")) for _ in range(2))
    used = np.full((3, N), 700)
    for i, name in enumerate(("c1", "c2")):
        for area in (late, prompt):
            area.measured(name, MONDAY, invented(N, seed=i))
        prompt.reported(name, MONDAY, used)
    first = N - 2 * 24 - 12
    late.reported("c1", MONDAY, used)
    late.reported("c2", MONDAY, used[:, : first - delay])
    for at in range(first, N + 4):
        late.reported("c2", MONDAY, used[:, : min(N, at - delay)])
        if at <= N:
            late.expect(MONDAY + at * HOUR)
    assert min(until for until, _ in late.learned().values()) < NOW  # it still waits for the last report
    assert_same_expectation(late, prompt, exact=False)
    assert_same(late, prompt, exact=False)


def test_a_report_that_comes_after_the_wait_changes_nothing_that_was_learned(make: Make) -> None:
    late, never = (make(shared("c1")) for _ in range(2))
    used, missing = np.full((3, N), 700), slice(N - 6, N - 4)
    for area in (late, never):
        area.measured("c1", MONDAY, invented(N, seed=1))
    late.reported("c1", MONDAY, used[:, : missing.start])
    late.expect(NOW)
    assert late.learned()["c1"][0] == NOW - 4 * HOUR
    late.reported("c1", MONDAY, used)
    never.reported("c1", MONDAY, np.where(np.isin(np.arange(N), np.r_[missing]), UNKNOWN, used))
    for area in (late, never):
        area.expect(NOW)
    assert late.learned()["c1"][0] == NOW
    assert_same(late, never)


def test_a_cable_asked_for_by_itself_moves_nobody_ahead_of_the_others(make: Make) -> None:
    apart, together = history(make(), gaps=False), history(make(), gaps=False)
    for i, name in enumerate(CABLES):
        found = apart.expect(MONDAY + (3 + i) * DAY + 7 * HOUR, cables=[name])
        assert list(found) == [name]
    assert_same_expectation(apart, together)
    assert_same(apart, together)


# -- days, gaps, newcomers ---------------------------------------------------------------------------------------------


def test_there_is_one_pool_a_day_and_its_scores_are_those_of_four_weeks(make: Make) -> None:
    days = WINDOW_DAYS + 10
    area = make(homes("c1"))
    area.measured("c1", MONDAY, invented(days * 24, seed=1))
    for day in range(1, days + 1):
        area.expect(MONDAY + day * DAY)
        area.expect(MONDAY + day * DAY + HOUR // 2)
    rows = area.pools()
    assert [row.day for row in rows] == [(MONDAY + day * DAY).date() for day in range(days)]
    scored = [row.scored.sum(axis=2) for row in rows]
    assert scored[-1][0, -1] == 24 * 3
    for i, row in enumerate(rows):
        assert np.array_equal(row.counts.sum(axis=2), sum(scored[max(0, i - WINDOW_DAYS) : i], 0 * scored[0]))


def test_after_weeks_without_readings_it_goes_on(make: Make) -> None:
    area, n = history(make(), gaps=False), 24 * 24
    for i, name in enumerate(CABLES):
        area.measured(name, NOW + 24 * DAY, invented(n, seed=i))
    qualities = [area.expect(NOW + timedelta(days=days))["c1"].quality for days in (0, 2, 13, 14, 20)]
    assert qualities == ["good", "stale", "stale", "none", "none"]
    assert np.isinf(area.expect(NOW + 20 * DAY)["c1"].bound).all()
    later = area.expect(NOW + 26 * DAY)["c1"]
    assert later.quality == "cold"  # what is older than two weeks counts as a day
    assert np.isfinite(later.bound).all()
    again = history(make(), gaps=False)
    for i, name in enumerate(CABLES):
        again.measured(name, NOW + 24 * DAY, invented(n, seed=i))
    again.expect(NOW + 26 * DAY)
    assert_same(area, again)


def test_a_newcomers_past_counts_for_itself_and_not_for_days_that_are_over(make: Make) -> None:
    area = history(make(), CABLES[:2], gaps=False)
    area.expect(NOW)
    before = area.pools()
    history(area, gaps=False)
    assert area.expect(NOW)["c3"].quality == "good"
    after = area.pools()
    for row, old in zip(after[:-1], before[:-1], strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(row, old, strict=True))
    for name in ("total", "counts", "pace"):
        assert np.array_equal(getattr(after[-1], name), getattr(before[-1], name))
    assert after[-1].scored[0, -1].sum() == 24 * 3 * 3  # the day that is open counts in whole


def test_where_more_history_comes_than_was_learned_all_is_learned_anew(make: Make) -> None:
    area, whole = make(), history(make(), gaps=False)
    area.measured("c1", NOW - 4 * DAY, invented(N, seed=0)[:, -4 * 24 :])
    area.expect(NOW)
    with area.store() as store:
        store.stand("c1", learned_until=None)  # as when an older history of it comes
    history(area, gaps=False)
    assert_same_expectation(area, whole)
    assert_same(area, whole)


def test_what_was_learned_while_the_clock_was_ahead_is_learned_anew(make: Make) -> None:
    area, same = history(make(), gaps=False), history(make(), gaps=False)
    area.expect(NOW)
    with area.store() as store:
        store.stand("c1", latest_end=NOW + 30 * DAY)
    area.expect(NOW + 30 * DAY)
    assert area.learned()["c1"][0] > NOW + 29 * DAY
    with area.store() as store:
        store.stand("c1", latest_end=NOW)
    assert_same_expectation(area, same)
    assert_same(area, same)


def test_a_day_that_is_open_far_ahead_is_not_waited_for_when_who_opened_it_is_gone(make: Make) -> None:
    area, same = history(make(), gaps=False), history(make(homes("c1")), ["c1"], gaps=False)
    area.expect(NOW)
    with area.store() as store:
        for name in CABLES[1:]:
            store.stand(name, latest_end=NOW + 30 * DAY)
    area.expect(NOW + 30 * DAY)
    area.office = same.office
    assert_same_expectation(area, same)
    assert_same(area, same)


def test_the_history_of_what_is_not_forecast_makes_nothing_be_learned_anew(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    area = Area([homes("c1", "T")], [Node("T", "transformer")])
    area.measured("T", MONDAY, invented(N, seed=0))
    area.measured("c1", NOW - 2 * DAY, invented(48, seed=0))
    assert list(area.expect(NOW - DAY)) == ["c1"]
    monkeypatch.setattr(lessons, "unlearn", lambda _: pytest.fail("all is learned anew"))
    assert list(area.expect(NOW)) == ["c1"]
    area.close()


def test_scores_outlast_a_dso_that_was_down_for_months(make: Make) -> None:
    area = history(make(), gaps=False)
    area.expect(NOW)
    with area.store() as store:
        lessons.prune(store, NOW - timedelta(days=200))
        assert store.tx.scalar(select(func.min(POOLS.c.day))) == MONDAY.date()
        assert len(lessons.learners(store, CABLES)) == 3
        lessons.prune(store, NOW + timedelta(days=13))
        assert (lessons.learners(store, CABLES), lessons.pool(store)) == ({}, None)
    assert area.expect(NOW + timedelta(days=413))["c1"].quality == "none"


# -- what is not known is not sold -------------------------------------------------------------------------------------


def test_what_was_never_measured_has_no_capacity_whatever_the_others_show(make: Make) -> None:
    area = history(make(*(homes(name) for name in (*CABLES, *(f"more{i}" for i in range(12)), "flags", "nothing"))))
    history(area, [f"more{i}" for i in range(12)], gaps=False)
    area.measured("flags", NOW - 2 * DAY, np.zeros((3, 48), dtype=np.int64), np.zeros(48, dtype=bool))
    with area.store() as store:
        flagged = {"flags": np.full((1, 48), int(Flag.IMPOSSIBLE))}
        store.write(LOADS, ("flags",), NOW - 2 * DAY, flagged)
    for at in (NOW - DAY, NOW):
        expected = area.expect(at)
        for name in ("flags", "nothing"):
            assert expected[name].quality == "none"
            assert np.isinf(expected[name].bound).all()
            assert np.isnan(expected[name].mean).all()
        assert expected["c1"].quality == "good"
    for name in ("flags", "nothing"):
        assert (area.plan(NOW)[name].available == 0).all()


def test_a_new_cable_borrows_and_is_cold_for_a_week(make: Make) -> None:
    names = [f"old{i}" for i in range(15)]
    area = history(make(*(homes(name) for name in (*names, "new"))), names, gaps=False)
    more = invented(24 * 10, seed=50)
    for name in (*names, "new"):
        area.measured(name, NOW, more)
    found = [area.expect(NOW + timedelta(hours=hours))["new"].quality for hours in (0, 5, 23, 24, 7 * 24 - 1, 7 * 24)]
    assert found == ["none", "borrowed", "borrowed", "cold", "cold", "good"]


def test_a_stuck_phase_counts_as_not_measured_and_teaches_nothing(make: Make) -> None:
    area, free = history(make(), gaps=False), history(make(), gaps=False)
    with area.store() as store:
        flags = store.read(LOADS, ("c1",), MONDAY, N)["flags"]
        flags[0, -54:] |= Flag.STUCK_L2
        store.write(LOADS, ("c1",), MONDAY, {"flags": flags})
    assert area.expect(NOW)["c1"].quality == "stale"
    assert free.expect(NOW)["c1"].quality == "good"
    assert area.expect(NOW)["c1"].bound.mean() > free.expect(NOW)["c1"].bound.mean()


def test_values_that_are_disputed_or_impossible_in_part_never_lower_what_is_expected(make: Make) -> None:
    load, found = invented(N, seed=1), []
    load[:, -30:] = 0
    for flag in (0, int(Flag.IMPOSSIBLE), int(Flag.CONTRADICTED)):
        area = make(homes("c1"))
        area.measured("c1", MONDAY, load)
        with area.store() as store:
            store.write(LOADS, ("c1",), NOW - 30 * HOUR, {"flags": np.full((1, 30), flag)})
        found.append(area.expect(NOW)["c1"].mean)
    believed, *doubted = found
    for mean in doubted:
        assert (mean > believed).all()  # zeros that are believed do lower it


def test_loads_that_may_hold_cars_raise_what_is_expected_and_never_lower_it(make: Make) -> None:
    known, found = N - 3, []
    for last, sure in ((0, False), (0, True), (15_000, False)):
        area = make(shared("c1"))
        load = invented(N, seed=1)
        load[:, known:] = last
        area.measured("c1", MONDAY, load)
        area.reported("c1", MONDAY, np.zeros((3, N if sure else known), dtype=np.int64))
        found.append(area.expect(NOW)["c1"].mean)
    low, lower, high = found
    assert (low[:, :2] > lower[:, :2]).all()
    assert (high >= low).all()
    assert (high[:, 0] > low[:, 0]).all()


# -- risks -------------------------------------------------------------------------------------------------------------


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], phases=QUICK)
@given(
    risks=st.lists(st.floats(1e-5, 0.3), min_size=2, max_size=2).map(sorted),
    tail=st.floats(1e-5, 0.3),
    criterion=st.sampled_from(["15min", "1h", "1h10"]),
)
def test_the_lower_risk_never_has_more_capacity_near_or_far(
    make: Make, risks: list[float], tail: float, criterion: Any
) -> None:
    classes = tuple(RiskClass(name, risk, criterion) for name, risk in zip(("low", "high"), risks, strict=True))
    names = ["low", "high", *(f"other{i}" for i in range(7))]
    cables = [homes(name, risk_class=name if name in ("low", "high") else "") for name in names]
    area = make(*cables, risk_classes=classes, tail_risk=tail)
    for name in names:
        area.measured(name, MONDAY, invented(N, seed=3))
    expected = area.expect(NOW)
    assert (expected["low"].bound >= expected["high"].bound).all()
    for one in expected.values():
        assert (one.bound >= one.mean).all()
    alike = make(*cables, risk_classes=classes, tail_risk=1.0)
    for name in names:
        alike.measured(name, MONDAY, invented(N, seed=3))
    near = alike.expect(NOW)
    for name, one in expected.items():
        assert np.array_equal(one.bound[:, :2], near[name].bound[:, :2])
        assert (one.bound[:, 2:] >= near[name].bound[:, 2:]).all()


def test_what_must_hold_unattended_rests_on_the_lower_risk(make: Make) -> None:
    names = [f"c{i}" for i in range(9)]
    cables = [homes(name) for name in names]
    careful, bold, careless = (history(make(*cables, tail_risk=tail), names) for tail in (1e-5, 0.001, 0.3))
    far, near = careful.expect(NOW)["c1"].bound, bold.expect(NOW)["c1"].bound
    assert np.array_equal(careless.expect(NOW)["c1"].bound, near)  # never a higher risk than that of the cable
    assert np.array_equal(far[:, :2], near[:, :2])
    assert (far[:, 2:] > near[:, 2:]).all()
