"""The safety margin: how far the load may exceed its forecast, at the risk that the operator accepts.

Bound of the load = forecast + c · θ · scale. The score of a block is its error / (θ · scale); c is the quantile of the
scores of all series together over the last 28 days, per class of lead and per criterion; θ is a series' own, and rises
a little whenever the series exceeds its bound and falls a little otherwise. Scores are counted in a histogram per day.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridroom.dso.forecasting.layout import CLASSES, IN_FORCE, Layout, Mask, Reals, runs
from gridroom.dso.forecasting.learn import Seen
from gridroom.dso.forecasting.state import State

Counts = NDArray[np.int64]

CRITERIA = ("15min", "1h", "1h10")
"""What may not exceed the limit: a block; the mean of an hour; the mean of an hour by more than a tenth."""

TENTH = 0.1
BINS, WIDTH = 2000, 0.004
"""Histogram of scores: number of bins and their width; the last holds all that is higher."""

WINDOW_DAYS = 28
TAIL = 50
"""Highest scores that tell how the tail goes on where too few lie beyond the quantile."""

COLD, COLD_SLOPE = 2.2, 0.35
"""Factor until enough was seen to estimate it: at a risk of 0.1 %, and its growth with the logarithm of a lower one."""

ENOUGH = 2000
"""Scores from which the factor is estimated: a week of one cable."""

LEAST = 0.2
"""Factor that no estimate goes below: a learned margin without a floor collapses."""

RARE = 0.003
"""Risk at which a score is a high one, from which it is learned what the scale follows."""

MOST_WEIGHT = np.float32(10)
"""Most that the scale of a series counts there, in its own spreads: an idle cable may be switched on."""

TRACKED = 0.001
"""Risk at which a series' own factor is tracked."""

GAIN = 0.01
"""Growth of a series' own factor, as a logarithm, for a block above its bound."""

PACE, MOST_NEWS = 0.1, 4.0
"""How fast the asked risk follows what was realised, and what one day may say at most."""

SLOWEST, FASTEST = -0.8, 0.05
"""Least and most that the pace comes to: much less risk when more was realised, little more when less was."""

SURE = 10.0
"""Blocks above their bound that must be due in a day for it to have its full say."""

LEAST_THETA, MOST_THETA = math.log(0.7), math.log(1.8)


def quantile(counts: Counts, risk: float) -> float:
    """Score that is exceeded in a share `risk` of the blocks, rounded up.

    Where fewer than `TAIL` scores lie beyond it, the tail is continued as an exponential with the mean excess of the
    highest ones (peaks over threshold).

    Args:
        counts: Scores per bin, shape (BINS,).
        risk: Accepted share of blocks, in (0, 1).

    >>> quantile(np.full(BINS, 100), 0.01)  # even from 0 to 8
    7.92
    """
    total = int(counts.sum())
    if total < ENOUGH:
        return COLD + COLD_SLOPE * max(0.0, math.log(TRACKED / risk))
    beyond = counts[::-1].cumsum()[::-1]  # scores in this bin or above
    if total * risk >= TAIL:
        first = int(np.searchsorted(-beyond, -total * risk, side="left"))
        return max(LEAST, round(first * WIDTH, 6))
    first = max(0, int(np.searchsorted(-beyond, -TAIL, side="right")) - 1)
    above = int(beyond[first])
    middles = (np.arange(first, BINS) + 0.5) * WIDTH
    excess = float((counts[first:] * middles).sum() / above) - first * WIDTH
    return max(LEAST, (first + 1) * WIDTH, first * WIDTH + excess * math.log(above / (total * risk)))


@dataclass(frozen=True)
class Factors:
    """The factors of a day, from the scores of the days before.

    Attributes:
        counts: Scores of the last four weeks, shape (3 criteria, 5 classes, BINS).
        pace: Logarithm of what the asked risk is multiplied by, shape (3, 5).
        tracked: Factor at the tracked risk, shape (3, 5).
        rare: Factor above which a score is a high one, shape (3, 5).
    """

    counts: Counts
    pace: NDArray[np.float64]
    tracked: Reals
    rare: Reals

    @classmethod
    def of(cls, counts: Counts, pace: NDArray[np.float64]) -> "Factors":
        """From scores."""
        tracked, rare = (
            np.array([_factors(*one, risk) for one in zip(counts, pace, strict=True)]) for risk in (TRACKED, RARE)
        )
        return cls(counts, pace, tracked, rare)

    def at(self, criterion: int, risk: float) -> Reals:
        """Factor per class of lead, shape (5,).

        Args:
            criterion: Index into `CRITERIA`.
            risk: Accepted share of blocks.
        """
        return _factors(self.counts[criterion], self.pace[criterion], risk)


def _factors(counts: Counts, pace: NDArray[np.float64], risk: float) -> Reals:
    """Factor per class."""
    risks = np.minimum(risk * np.exp(pace), 0.5)
    return np.array([quantile(one, float(each)) for one, each in zip(counts, risks, strict=True)], dtype=np.float32)


def paced(pace: NDArray[np.float64], counts: Counts, scored: Counts) -> NDArray[np.float64]:
    """The pace of the next day: less risk is asked for when more was realised, and the other way round.

    Adaptive conformal inference (Gibbs and Candès 2021), on the logarithm of the risk.

    Args:
        pace: That of the day, shape (3, 5).
        counts: Scores of the days before, shape (3, 5, BINS).
        scored: Scores of the day, same shape.
    """
    result = pace.copy()
    for i, k in np.ndindex(*pace.shape):
        total = int(scored[i, k].sum())
        if int(counts[i, k].sum()) < ENOUGH or total == 0:
            continue
        factor = quantile(counts[i, k], TRACKED * math.exp(pace[i, k]))
        hits, due = int(scored[i, k, math.floor(factor / WIDTH + 1e-6) :].sum()), total * TRACKED
        result[i, k] -= PACE * min(1.0, due / SURE) * min(hits / due - 1, MOST_NEWS)
    return np.clip(result, SLOWEST, FASTEST)


def score(state: State, seen: Seen, limit: Reals, criterion: int) -> Reals:
    """Error over scale by lead, NaN where it cannot be told, shape (near + 1, S).

    Args:
        state: Holds the last hour, see `keep_hour`.
        seen: What the block showed.
        limit: Limit of each series, shape (S,).
        criterion: Index into `CRITERIA`.
    """
    error, scale = seen.errors, seen.scales
    if criterion:
        error, scale = state.errors.mean(axis=0), state.scales.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):  # of a load that never changed
        score: Reals = np.divide(error - TENTH * limit if criterion == 2 else error, scale)
    return score


def keep_hour(layout: Layout, state: State, seen: Seen, number: int) -> None:
    """Keep errors and scales for the criteria of an hour, in place."""
    state.errors[number % layout.hour] = seen.errors
    state.scales[number % layout.hour] = seen.scales


@dataclass(frozen=True)
class Judged:
    """Two forecasts of a block, beside what it was: that of the day ahead and that in force; all of shape (2, S).

    Attributes:
        counts: Whether their scores count.
        high: Whether they are high ones; never where they do not count.
        scale: Scale of the error.
        weight: The same in spreads of the series, by which series are summed; 0 where scores do not count.
    """

    counts: Mask
    high: Mask
    scale: Reals
    weight: Reals


def judge(
    layout: Layout, state: State, seen: Seen, scores: Reals, theta: Reals, rare: Reals, usable: Mask, heard: Mask
) -> Judged:
    """Find the high scores of a block.

    Args:
        layout: The length of block.
        state: What was learned before it.
        seen: What it showed.
        scores: By lead, shape (near + 1, S).
        theta: Logarithm of the series' own factors, shape (5, S).
        rare: Factors from which scores are high ones, shape (5,).
        usable: Which of the scores count, shape (near + 1, S).
        heard: The series that are meant, shape (S,).
    """
    rows = np.array([layout.near, layout.leads[IN_FORCE] - 1])
    classes, cells = layout.rows[rows], np.ix_(rows, heard)
    counts, scale = usable[cells], np.fmax(seen.scales[cells], np.float32(1e-9))
    high = counts & (scores[cells] > rare[classes, None] * np.exp(theta[np.ix_(classes, heard)]))
    weight = np.minimum(scale / np.maximum(state.sigma[heard], np.float32(1e-9)), MOST_WEIGHT)
    return Judged(counts, high, scale, np.where(counts, weight, np.float32(0)))


def count(layout: Layout, scores: Reals, theta: Reals, usable: NDArray[np.bool_]) -> Counts:
    """Histogram of scores per class, shape (5, BINS).

    Args:
        layout: The length of block.
        scores: By lead, shape (near + 1, S).
        theta: Logarithm of the series' own factors, shape (5, S).
        usable: Which of the scores count, shape (near + 1, S).
    """
    bins = np.clip(np.nan_to_num(scores * np.exp(-theta)[layout.rows] * (1 / WIDTH)), 0, BINS - 1).astype(np.int64)
    bins += layout.rows[:, None] * BINS
    return np.bincount(bins[usable], minlength=CLASSES * BINS).reshape(CLASSES, BINS)


def adapt(layout: Layout, theta: Reals, scores: Reals, tracked: Reals, usable: NDArray[np.bool_]) -> None:
    """Let the series' own factors follow what was seen, in place.

    Args:
        layout: The length of block.
        theta: Their logarithms, shape (5, S).
        scores: By lead, shape (near + 1, S).
        tracked: Factors of all series at the tracked risk, shape (5,).
        usable: Which of the scores count, shape (near + 1, S).
    """
    over = scores > (tracked[:, None] * np.exp(theta))[layout.rows]
    step = np.where(usable, GAIN * (over - np.float32(TRACKED)), np.float32(0))
    for k, rows in runs(layout.rows):
        theta[k] += step[rows].mean(axis=0)
    np.clip(theta, LEAST_THETA, MOST_THETA, out=theta)
