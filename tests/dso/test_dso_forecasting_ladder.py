"""What a forecast rests on when measurements are missing, and that nothing unknown ever becomes capacity."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dso_fleet import Life, begin, noisy
from gridroom.dso.backtest.run import offer
from gridroom.dso.forecasting import hours
from gridroom.dso.forecasting.fleet import Quality
from gridroom.dso.forecasting.layout import CLASSES, DAY_AHEAD, IN_FORCE
from gridroom.dso.forecasting.learn import GONE_DAYS

DAY = 24
NAN = np.nan


def others(days: int = 40, series: int = 12) -> Life:
    """A fleet whose last series was never measured."""
    loads = noisy(DAY * days, series)
    loads[:, -1] = NAN
    return begin(series).take(loads)


LIFE = others()
"""Never changed by a test."""


def test_the_ladder_goes_down_with_each_hour_and_day_that_is_missing() -> None:
    life, load = LIFE.twin(), noisy(1, 12)
    assert life.outlook(1).quality[0] == Quality.GOOD
    gone = load.copy()
    gone[:, 0] = NAN
    for missing in range(1, GONE_DAYS * DAY + 3):
        life.take(gone)
        expected = Quality.LATE
        if missing >= 2 * DAY:
            expected = Quality.STALE
        if missing >= GONE_DAYS * DAY:
            expected = Quality.NONE
        assert life.outlook(1).quality[0] == expected, missing
        assert life.outlook(1).quality[1] == Quality.GOOD
    assert np.isposinf(life.bound(27)[:, 0]).all()
    assert life.take(load).outlook(1).quality[0] == Quality.COLD  # what was learned counts as a day
    assert np.isfinite(life.bound(27)[:, 0]).all()


def test_a_new_series_is_borrowed_for_a_day_and_cold_for_a_week() -> None:
    life = LIFE.twin()
    assert life.fleet.common.shape is not None
    assert life.outlook(1).quality[-1] == Quality.BORROWED
    assert np.isfinite(life.bound(27)[:, -1]).all()
    for block, load in enumerate(noisy(DAY * 8, 12)):
        expected = Quality.BORROWED if block < DAY else Quality.COLD if block < 7 * DAY else Quality.GOOD
        assert life.outlook(1).quality[-1] == expected, block
        life.take(load[None])


def test_a_series_that_was_never_measured_has_no_bound_while_no_others_are_known() -> None:
    life = begin(3)
    assert (life.outlook(1).quality == Quality.NONE).all()
    assert np.isposinf(life.bound(27)).all()
    load = np.array([[10.0, 10.0, NAN]])
    life.take(np.repeat(load, 5, axis=0))
    assert life.outlook(1).quality.tolist() == [Quality.BORROWED, Quality.BORROWED, Quality.NONE]
    bound = life.bound(27)
    assert np.isposinf(bound[:, 2]).all()
    assert np.isposinf(bound[: DAY - 5]).all()  # these times of day were never seen
    life.take(np.repeat(load, DAY, axis=0))
    assert life.outlook(1).quality.tolist() == [Quality.COLD, Quality.COLD, Quality.NONE]
    assert np.isfinite(life.bound(27)[:, :2]).all()
    assert offer(life.bound(27), life.fleet.limits)[:, 2].max() == 0


def test_a_borrowed_series_finds_its_level_within_hours() -> None:
    life = LIFE.twin()
    usual = life.outlook(DAY).mean[:, -1]
    coming = noisy(6, 12)
    coming[:, -1] = 3 * usual[:6]
    grown = life.take(coming).outlook(DAY).mean[:, -1] / np.roll(usual, -6)
    assert ((grown > 1.5) & (grown < 3)).all()


def test_the_highest_load_of_two_weeks_is_expected_when_two_days_are_missing() -> None:
    life = LIFE.twin()
    peak = noisy(DAY * 2, 12)
    peak[5, 0] = 95.0
    life.take(peak)
    missing = noisy(2 * DAY, 12)
    missing[:, 0] = NAN
    before = life.bound(DAY)
    life.take(missing)
    assert life.outlook(1).quality[0] == Quality.STALE
    assert life.bound(DAY)[5, 0] > 85
    assert (life.bound(DAY)[:, 0] > before[:, 0] - 1e-4).mean() > 0.5
    outlook = life.outlook(DAY)
    assert outlook.least is not None
    assert np.isneginf(outlook.least[:, 1:]).all()


@settings(deadline=None, max_examples=50)
@given(
    weights=st.lists(st.floats(-1, 1), min_size=3, max_size=3),
    shift=st.sampled_from([-20.0, -5.0, 0.0, 15.0]),
    missing=st.integers(1, 30),
    risk=st.sampled_from([0.001, 0.01, 0.05]),
)
def test_after_an_hour_without_measurements_the_bound_is_never_below_that_of_the_day_ahead(
    weights: list[float], shift: float, missing: int, risk: float
) -> None:
    life = LIFE.twin()
    life.mixed([0.4, 0.2, 0.4], weights)
    loads = noisy(4 + missing, 12, 7)
    loads[:4] += shift
    loads[4:, 0] = NAN
    for load in loads:
        life.fleet.advance(life.number, load)
        life.number += 1
    late, bound = life.outlook(3), life.bound(3, risk)
    assert late.late[0]
    assert not late.late[1:-1].any()
    calm = life.twin()
    calm.fleet.state.ring[:] = 0
    day_ahead = calm.fleet.state.scale_day[calm.fleet.calendar.slots(life.number, 3)]
    np.testing.assert_array_equal(late.scale[:, 0], day_ahead[:, 0])
    plain = calm.outlook(3)
    assert (late.mean[:, 0] >= plain.mean[:, 0] - 1e-4).all()
    assert (bound[:, 0] >= calm.bound(3, risk)[:, 0] - 1e-4).all()


def test_a_late_series_has_the_factor_of_the_day_ahead_for_the_next_blocks_too() -> None:
    life = LIFE.twin()
    loads = noisy(2, 12)
    loads[:, 0] = NAN
    outlook = life.take(loads).outlook(8)
    factors = np.arange(1, CLASSES + 1, dtype=np.float32)
    own = np.exp(outlook.theta[0]) * outlook.caution
    margin = outlook.bound(factors, 0) - outlook.mean
    expected = outlook.scale * (own * factors[:, None])[outlook.classes]
    expected[:, 0] = outlook.scale[:, 0] * own[DAY_AHEAD, 0] * CLASSES
    assert (outlook.hours[0] != 1).all()
    expected[outlook.classes == DAY_AHEAD] *= outlook.hours[0][outlook.classes == DAY_AHEAD, None]
    expected[outlook.classes < DAY_AHEAD, 0] *= outlook.hours[0][outlook.classes < DAY_AHEAD]
    expected[outlook.classes <= IN_FORCE, 1:] *= outlook.hours[hours.SOON][outlook.classes <= IN_FORCE, None]
    np.testing.assert_allclose(margin, expected, rtol=1e-4)
    per_series = outlook.bound(np.repeat(factors[:, None], 12, axis=1), 0)
    np.testing.assert_allclose(per_series - outlook.mean, expected, rtol=1e-4)


events = st.lists(st.sampled_from(["all", "none", "some", "low", "day without", "days without"]), max_size=6)


@settings(deadline=None, max_examples=40)
@given(events, st.integers(1, 27), st.integers(0, 2))
def test_what_is_not_known_never_becomes_capacity(life_events: list[str], n: int, criterion: int) -> None:
    life = begin(3).take(np.array([[10.0, NAN, 20.0]] * 30)) if len(life_events) % 2 else LIFE.twin()
    series = life.fleet.state.series
    gone = np.full((1, series), NAN)
    for event in life_events:
        some = noisy(3, series)
        some[:, :: 1 + len(event) % 3] = NAN
        loads = {
            "all": noisy(3, series),
            "none": np.repeat(gone, 3, axis=0),
            "some": some,
            "low": np.full((3, series), -80.0),
            "day without": np.repeat(some[:1], DAY, axis=0),
            "days without": np.repeat(some[:1], 15 * DAY, axis=0),
        }[event]
        life.take(loads)
    outlook = life.outlook(n)
    bound = outlook.bound(life.fleet.common.factors.at(criterion, 0.01), criterion)
    unknown = np.isnan(outlook.mean)
    assert not np.isnan(bound).any()
    assert np.isposinf(bound[unknown]).all()
    assert unknown[:, outlook.quality == Quality.NONE].all()
    assert (bound[~unknown] >= outlook.mean[~unknown]).all()
    offered = offer(bound, life.fleet.limits)
    assert (offered[unknown] == 0).all()
    assert (outlook.caution >= 1).all()


def test_a_series_that_is_stale_gives_no_bound_to_one_of_which_nothing_is_known() -> None:
    life = begin(3).take(np.array([[10.0, NAN, 20.0]] * (8 * DAY)))
    life.take(np.array([[10.0, NAN, NAN]] * (2 * DAY)))
    assert life.outlook(1).quality.tolist() == [Quality.GOOD, Quality.NONE, Quality.STALE]
    assert np.isposinf(life.bound(27)[:, 1]).all()


@pytest.mark.parametrize(("days", "caution"), [(8, 1.238), (17.5, 1.125), (30, 1.0)])
def test_a_young_series_has_a_wider_margin(days: float, caution: float) -> None:
    life = begin(1).take(noisy(int(days * DAY), 1))
    assert life.outlook(1).caution[0] == pytest.approx(caution, abs=0.005)


def test_a_stale_series_has_a_wider_margin_and_the_highest_load_of_two_weeks_at_least() -> None:
    life, load = begin(2).take(noisy(40 * DAY, 2)), noisy(2 * DAY, 2)
    load[:, 1] = NAN
    outlook = life.take(load).outlook(DAY)
    assert outlook.caution.tolist() == [1.0, 1.25]
    assert outlook.least is not None
    assert (life.bound(DAY)[:, 1] >= np.maximum(outlook.least[:, 1], outlook.mean[:, 1])).all()


@pytest.mark.parametrize("waited", [1, 5, 13, 24, 47, 100])
def test_a_series_of_which_nothing_comes_may_stand_still(waited: int) -> None:
    """It says the same as if every block had been taken in as not measured."""
    week = 1 + (np.arange(7 * DAY) // DAY >= 5)
    life = begin(2).take(noisy(21 * DAY, 2) * np.tile(week, 3)[:, None])
    still, fleet = life.twin(), life.fleet
    number, held = life.number + waited, np.array([waited, waited])
    for one in range(life.number, number):
        fleet.advance(one, np.full(2, NAN))
    mine, other = still.fleet.outlook(number, 30, held), fleet.outlook(number, 30)
    np.testing.assert_allclose(mine.mean, other.mean, rtol=0.05)  # weekends have twice the load
    assert np.median(np.abs(mine.mean / other.mean - 1)) < 1e-6
    np.testing.assert_allclose(mine.scale, other.scale, rtol=0.25)
    assert mine.quality.tolist() == other.quality.tolist()
    assert mine.late.tolist() == other.late.tolist()
    mixed = still.fleet.outlook(number, 30, np.array([0, waited]))
    np.testing.assert_array_equal(mixed.mean[:, 1], mine.mean[:, 1])
