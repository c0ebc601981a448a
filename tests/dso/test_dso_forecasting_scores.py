"""Factors of the margin: quantiles of scores, their pace, and what each series adds of its own."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dso_fleet import HOUR
from gridroom.dso.forecasting.layout import CLASSES, DAY_AHEAD, Layout
from gridroom.dso.forecasting.scores import (
    BINS,
    COLD,
    CRITERIA,
    ENOUGH,
    FASTEST,
    LEAST,
    LEAST_THETA,
    MOST_THETA,
    SLOWEST,
    TAIL,
    TRACKED,
    WIDTH,
    Counts,
    Factors,
    adapt,
    count,
    paced,
    quantile,
)

LAYOUT = Layout(HOUR)
LEADS = LAYOUT.near + 1


def histogram(scores: np.ndarray) -> Counts:
    return np.bincount(np.clip(scores / WIDTH, 0, BINS - 1).astype(int), minlength=BINS)


def drawn(seed: int, n: int, scale: float, spikes: int) -> np.ndarray:
    """Scores with a tail, and some values that many of them share."""
    chance = np.random.default_rng(seed)
    scores = chance.exponential(scale, n)
    if spikes:
        scores = np.where(chance.random(n) < 0.5, scores, chance.choice(chance.uniform(0, 4, spikes), n))
    return np.asarray(np.clip(scores, 0, BINS * WIDTH - 1e-9))


many = st.builds(
    drawn, st.integers(0, 2**32 - 1), st.integers(ENOUGH, 20_000), st.floats(0.05, 1), st.sampled_from([0, 1, 5, 60])
)
risks = st.floats(1e-5, 0.5)


@settings(deadline=None, max_examples=100)
@given(many, risks)
def test_a_quantile_is_that_of_the_scores_rounded_up_to_a_bin(scores: np.ndarray, risk: float) -> None:
    found = quantile(histogram(scores), risk)
    if len(scores) * risk < TAIL:
        with_enough = np.sort(scores)[-TAIL]
        assert found >= with_enough - WIDTH
        return
    exact = float(np.quantile(scores, 1 - risk, method="inverted_cdf"))
    assert exact - WIDTH - 1e-6 <= found or found == LEAST
    assert found <= max(exact + 2 * WIDTH, LEAST) + 1e-6  # one bin up, one rank of rounding
    assert (scores >= found + 1e-6).mean() <= risk


@settings(deadline=None, max_examples=100)
@given(many, st.lists(risks, min_size=2, max_size=30))
def test_less_risk_never_asks_for_less_margin(scores: np.ndarray, asked: list[float]) -> None:
    counts = histogram(scores)
    edge = TAIL / len(scores)
    several = sorted([*asked, edge, edge * 0.999, edge * 1.001])
    found = [quantile(counts, one) for one in several]
    assert (np.diff(found) <= 1e-9).all()
    assert min(found) >= LEAST
    factors = Factors.of(np.tile(counts, (len(CRITERIA), CLASSES, 1)), np.zeros((len(CRITERIA), CLASSES)))
    at = np.array([factors.at(1, one) for one in several])
    assert (np.diff(at, axis=0) <= 1e-6).all()


def test_less_risk_asks_for_no_less_where_the_tail_begins_either() -> None:
    counts = np.zeros(BINS, dtype=np.int64)
    counts[[10, 300, 301]] = 5000, 2, 49
    several = np.linspace(45, 55, 40) / counts.sum()
    assert (np.diff([quantile(counts, one) for one in several]) <= 1e-9).all()


def test_the_tail_goes_on_beyond_the_scores_that_were_seen() -> None:
    counts = histogram(np.random.default_rng(1).exponential(0.5, 3000))
    highest = np.flatnonzero(counts).max() * WIDTH
    assert quantile(counts, 1e-6) > highest + WIDTH
    truth = [-0.5 * math.log(risk) for risk in (0.01, 0.001, 0.0001)]
    found = [quantile(counts, risk) for risk in (0.01, 0.001, 0.0001)]
    np.testing.assert_allclose(found, truth, rtol=0.15)
    full = np.zeros(BINS, dtype=np.int64)
    full[-1] = ENOUGH
    assert quantile(full, 0.01) >= (BINS - 1) * WIDTH


def test_few_scores_give_the_factor_of_a_cold_start() -> None:
    few = histogram(np.full(ENOUGH - 1, 0.5))
    assert quantile(few, 0.01) == quantile(few * 0, 0.3) == quantile(few, 0.001) == COLD
    assert quantile(few, 0.0001) == pytest.approx(COLD + 0.35 * np.log(10))  # a hospital, and what must hold unattended
    few[0] += 1
    assert 0.504 <= quantile(few, 0.01) < 0.52
    assert quantile(histogram(np.zeros(ENOUGH)), 0.01) == LEAST


def counted(hits: int, total: int, factor: float) -> Counts:
    """Scores of a day of which so many lie at or above a factor."""
    day = np.zeros((len(CRITERIA), CLASSES, BINS), dtype=np.int64)
    day[:, :, 0] = total - hits
    day[:, :, round(factor / WIDTH)] = hits
    return day


def before(first: int) -> tuple[Counts, float]:
    """Scores whose factor at the tracked risk is the lower edge of a bin."""
    counts = np.zeros((len(CRITERIA), CLASSES, BINS), dtype=np.int64)
    counts[:, :, first - 1], counts[:, :, first] = 100_000 - 100, 100
    return counts, quantile(counts[0, 0], TRACKED)


@settings(deadline=None, max_examples=40)
@given(st.integers(51, 1900), st.integers(0, 300), st.floats(SLOWEST, FASTEST))
def test_more_exceedances_than_due_ask_for_less_risk_and_fewer_for_a_little_more(
    first: int, hits: int, start: float
) -> None:
    counts, factor = before(first)
    assert factor == pytest.approx(first * WIDTH)
    zero = np.zeros((len(CRITERIA), CLASSES))
    moved = paced(zero, counts, counted(hits, 50_000, factor))
    due = 50
    assert np.sign(moved).max() == np.sign(moved).min() == np.sign(due - hits)
    just_below = paced(zero, counts, counted(300, 50_000, factor - WIDTH))
    assert (just_below > 0).all()
    further = paced(zero + start, counts, counted(hits, 50_000, factor))
    assert ((further >= SLOWEST) & (further <= FASTEST)).all()
    assert np.abs(further - start).max() <= 0.4 + 1e-9


def test_the_pace_stays_while_there_is_nothing_to_judge_and_ends_at_its_bounds() -> None:
    counts, factor = before(300)
    start = np.zeros((len(CRITERIA), CLASSES))
    np.testing.assert_array_equal(paced(start, counts, counts * 0), start)
    np.testing.assert_array_equal(paced(start, counts // 100, counted(9, 900, factor)), start)
    few = paced(start, counts, counted(5, 1000, factor)) - start
    much = paced(start, counts, counted(250, 50_000, factor)) - start
    assert (few > much).all()  # of the same share above: a day of few blocks has less to say
    pace = start
    for _ in range(20):
        pace = paced(pace, counts, counted(300, 50_000, 7))
    assert (pace == SLOWEST).all()
    for _ in range(20):
        pace = paced(pace, counts, counted(0, 50_000, 7))
    assert (pace == FASTEST).all()


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(-5, 50) | st.just(math.nan) | st.just(math.inf), min_size=3, max_size=3), st.booleans())
def test_a_series_own_factor_rises_above_its_bound_and_falls_slowly_else(scores: list[float], usable: bool) -> None:
    theta = np.zeros((CLASSES, 3), np.float32)
    seen = np.tile(np.array(scores, np.float32), (LEADS, 1))
    which = np.full(seen.shape, usable) & ~np.isnan(seen)
    adapt(LAYOUT, theta, seen, np.full(CLASSES, 1.5, np.float32), which)
    mine = theta[DAY_AHEAD]
    for score, moved in zip(scores, mine, strict=True):
        if math.isnan(score) or not usable:
            assert moved == 0
        elif score > 1.5:
            assert moved == pytest.approx(0.01 * (1 - TRACKED), rel=1e-4)
        else:
            assert moved == pytest.approx(-0.01 * TRACKED, rel=1e-4)
    every = np.ones(seen.shape, dtype=bool)
    for _ in range(200):
        adapt(
            LAYOUT, theta, np.full_like(seen, 1e6), np.full(CLASSES, 1.5, np.float32), np.ones(seen.shape, dtype=bool)
        )
    assert theta.max() <= np.float32(MOST_THETA)
    theta[:] = LEAST_THETA
    adapt(LAYOUT, theta, np.full_like(seen, -1e6), np.full(CLASSES, 1.5, np.float32), every)
    assert theta.min() >= np.float32(LEAST_THETA)


def test_scores_are_counted_over_the_series_own_factor_in_the_class_of_their_lead() -> None:
    scores = np.tile(np.array([-3.0, 1.0, 1.0, np.nan, np.inf, 1e30, 1.0], np.float32), (LEADS, 1))
    theta = np.zeros((CLASSES, 7), np.float32)
    theta[:, 2] = math.log(2)
    usable = ~np.isnan(scores)
    usable[:, 6] = False
    counts = count(LAYOUT, scores, theta, usable)
    for k in range(CLASSES):
        times = int((LAYOUT.rows == k).sum())
        found = {int(bin_): int(counts[k, bin_]) for bin_ in np.flatnonzero(counts[k])}
        assert sum(found.values()) == 5 * times
        if times:
            assert found[0] == times
            assert found[BINS - 1] == 2 * times
            assert sum(found.get(bin_, 0) for bin_ in (249, 250)) == times
            assert sum(found.get(bin_, 0) for bin_ in (124, 125)) == times
