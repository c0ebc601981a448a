"""What the scale leans on: known beforehand, of all series together; and what hours of the day have of their own."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from dso_fleet import HOUR, QUARTER, RISK, begin, noisy
from gridroom.dso.forecasting import hours, lean, learn
from gridroom.dso.forecasting.calendar import Cell
from gridroom.dso.forecasting.layout import CLASSES, DAY_AHEAD, IN_FORCE, LAST, Layout
from gridroom.dso.forecasting.learn import KNOWN, LEANING, Mixing
from gridroom.dso.forecasting.scores import BINS, RARE, Judged
from gridroom.dso.forecasting.state import PARTS, State

SERIES, DAYS, KEEP = 20_000, 50, 0.97
FACTOR = -np.log(RARE)
"""The factor of errors that are exponential with a mean of one scale."""

HALVES = Layout(timedelta(hours=12))


def told(scale: np.ndarray, error: np.ndarray) -> Judged:
    """The same of the day ahead and of the block in force."""
    twice = np.tile(scale.astype(np.float32), (2, 1))
    return Judged(np.ones(twice.shape, dtype=bool), np.tile(error > FACTOR * scale, (2, 1)), twice, twice)


def leaned(daily: float, last: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights after weeks in which errors grow by so much with the daily and the last error; and frequencies."""
    chance, state = np.random.default_rng(3), State.empty(HALVES, SERIES)
    everyone, total = np.ones(SERIES, dtype=bool), np.zeros(lean.SHAPE)
    rates = []
    for day in range(DAYS):
        weights = lean.weights(total)
        known = chance.uniform(-1, 1, (PARTS, SERIES)).astype(np.float32)
        known[3] += 0.7  # what is always so tells nothing
        state.mix[:, 0], state.ring[1, LAST] = known, chance.uniform(-1, 1, SERIES)
        mixing = Mixing(np.zeros(PARTS, np.float32), np.zeros((1, 4), np.float32), weights)
        features = np.vstack([learn.CONTRASTS @ known, state.ring[1, LAST]])
        scale = np.clip(1 + weights[1] @ features, 1 - LEANING, 1 + LEANING)
        error = chance.exponential(1, SERIES) * (1 + daily * features[3] + last * features[4])
        judged, day_sums = told(scale, error), np.zeros(lean.SHAPE)
        lean.gather(HALVES, state, mixing, Cell(2 * day, 0, 0, 0), judged, everyone, day_sums)
        total = KEEP * total + day_sums
        if day >= DAYS // 2:
            high, up = judged.high[1], features[3] > 0
            rates.append([high[up].sum() / scale[up].sum(), high[~up].sum() / scale[~up].sum()])
    return lean.weights(total), np.mean(rates, axis=0)


@pytest.mark.parametrize("daily", [-0.4, 0.0, 0.4])
def test_the_scale_follows_what_errors_grow_with_until_high_scores_are_hardly_more_frequent(daily: float) -> None:
    (_, in_force), (above, below) = leaned(daily, 0.3)
    expected = np.array([0, 0, 0, daily, 0.3])
    np.testing.assert_allclose(in_force[:3], 0, atol=0.06)
    assert (np.abs(in_force - 0.8 * expected) < 0.1).all()  # less than all: high scores may be where the scale is
    known = np.linspace(0, 1, 101)
    unleaned = np.log(np.exp(-FACTOR / (1 + daily * known)).mean() / np.exp(-FACTOR / (1 - daily * known)).mean())
    assert abs(np.log(above / below)) < 0.3 * abs(unleaned) + 0.1


def test_a_load_that_rose_never_makes_the_margin_smaller() -> None:
    (_, in_force), _ = leaned(0.0, -0.4)
    assert in_force[-1] == 0
    near, rough = np.full(3, 10, np.float32), np.zeros(3, np.float32)
    mixing = Mixing(np.zeros(PARTS, np.float32), np.zeros((1, 4), np.float32), np.full((2, KNOWN), 0.5, np.float32))
    found = learn.close(mixing, near, np.array([-100, 4, 100], np.float32), rough)
    np.testing.assert_allclose(found, [10 * (1 - LEANING), 12, 10 * (1 + LEANING)])


def test_nothing_is_leaned_on_before_high_scores_are_due() -> None:
    sums = np.random.default_rng(1).random(lean.SHAPE)
    np.testing.assert_array_equal(lean.weights(sums), 0)
    np.testing.assert_array_equal(lean.weights(np.zeros(lean.SHAPE)), 0)


def test_scores_that_do_not_count_say_nothing_and_parts_of_a_fleet_say_as_much_as_all_of_it() -> None:
    life = begin(6, criteria=(0, 1)).take(noisy(24 * 12, 6))
    parts, load, which = life.twin(), noisy(1, 6)[0], np.array([True, False, True, True, False, False])
    load[2] = np.nan
    parts.fleet.pool = parts.fleet.pool.turn(None)
    life.fleet.pool = life.fleet.pool.turn(None)
    life.fleet.advance(life.number, load)
    parts.fleet.advance(parts.number, load, which)
    parts.fleet.advance(parts.number, load, ~which)
    mine, whole = parts.fleet.pool.today, life.fleet.pool.today
    np.testing.assert_allclose(mine.lean, whole.lean, rtol=1e-5)
    np.testing.assert_allclose(mine.hours, whole.hours, rtol=1e-5)
    assert whole.lean[:, lean.JUDGED, 0].tolist() == [5, 5]
    assert np.count_nonzero(whole.hours[1], axis=1).tolist() == [1, 1, 0, 1]


def hourly(wave: float) -> np.ndarray:
    """Factors after weeks in which errors go through the day like a wave that the scale knows nothing of."""
    chance, sums = np.random.default_rng(5), np.zeros(hours.shape(Layout(HOUR)))
    shape = np.exp(wave * np.cos((np.arange(24) - 18) * np.pi / 12))
    for _ in range(DAYS):
        found = hours.factors(sums)
        sums *= KEEP
        for slot in range(24):
            scale = np.full(SERIES // 10, np.exp(found[1, slot]))
            judged = told(scale, chance.exponential(shape[slot], scale.size))
            hours.gather(judged.high[0], np.ones_like(judged.weight[0]), found[1, slot], sums[:, 1, slot])
    return hours.factors(sums)


@pytest.mark.parametrize("wave", [0.0, 0.1, 0.15, 3.0])
def test_the_scale_is_larger_at_the_hours_at_which_errors_go_further(wave: float) -> None:
    found = hourly(wave)
    np.testing.assert_array_equal(found[[0, 2, 3]], 0)
    if wave > 1:
        assert found[1].max() == np.float32(hours.MOST)
        assert found[1].min() == -np.float32(hours.MOST)
        return
    expected = wave * np.cos((np.arange(24) - 18) * np.pi / 12)
    np.testing.assert_allclose(found[1], 0.75 * expected, atol=0.05)
    assert abs(found[1].mean()) < 0.01


def test_no_hour_of_the_day_is_different_from_the_others() -> None:
    sums = np.random.default_rng(2).uniform(1, 200, hours.shape(Layout(HOUR)))
    sums[2] *= 1e-3
    for by in (1, 11):
        np.testing.assert_allclose(hours.factors(np.roll(sums, by, axis=2)), np.roll(hours.factors(sums), by, axis=1))
    assert (hours.factors(sums) != 0).all()


@pytest.mark.parametrize("criterion", [0, 1])
def test_the_day_ahead_has_factors_of_hours_and_blocks_until_the_one_in_force_where_a_block_is_judged(
    criterion: int,
) -> None:
    life = begin(4, criteria=(0, 1), block=QUARTER).take(noisy(96 * 30, 4))
    life.fleet.state.gap[3] = 10  # of which nothing recent is known: the day ahead from now on
    outlook = life.outlook(96)
    plain = life.bound(96, RISK, criterion) - outlook.mean
    ahead, soon = np.linspace(0.05, 0.3, 96, dtype=np.float32), np.linspace(-0.1, 0.2, 96, dtype=np.float32)
    life.fleet.common.hours[:] += ahead
    life.fleet.common.hours[hours.SOON] += soon - ahead
    more = np.log((life.bound(96, RISK, criterion) - outlook.mean) / plain)
    slots = life.fleet.calendar.slots(life.number, 96)
    middle = (slots + (2 if criterion else 0)) % 96  # an hour is judged at its end
    expected = np.where(outlook.classes == DAY_AHEAD, ahead[middle], 0)
    if not criterion:
        expected = np.where(outlook.classes <= IN_FORCE, soon[slots], expected)
    np.testing.assert_allclose(more[:, :3], np.tile(expected, (3, 1)).T, atol=1e-3)
    np.testing.assert_allclose(more[:, 3], ahead[middle], atol=1e-3)


@pytest.mark.parametrize("criterion", [0, 1])
def test_what_is_scored_is_what_was_issued(criterion: int) -> None:
    """Twice the scale at a time of day: half the scores of the day ahead, and of blocks until the one in force."""
    once = begin(200, criteria=(0, 1), block=QUARTER).take(noisy(96 * 30, 200))
    twice = once.twin()
    common, middles = once.fleet.common, np.arange(BINS) + 0.5
    found = []
    for life, factor in ((once, 0.0), (twice, np.log(2))):
        life.fleet.common = replace(common, hours=np.full_like(common.hours, factor))
        life.fleet.pool = replace(life.fleet.pool, scored=np.zeros_like(life.fleet.pool.scored))
        life.fleet.advance(life.number, noisy(1, 200)[0] + 50)
        found.append(life.fleet.pool.scored[criterion] @ middles)
    halved = np.isin(np.arange(CLASSES), [DAY_AHEAD] if criterion else [0, IN_FORCE, DAY_AHEAD])
    np.testing.assert_allclose(found[1][halved], found[0][halved] / 2, rtol=0.02)
    np.testing.assert_array_equal(found[0][~halved], found[1][~halved])
