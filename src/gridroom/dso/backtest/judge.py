"""Sums over what was issued and what came: everything that figures and pictures need, per block and per series."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gridroom.dso.backtest.method import Criterion, Reals
from gridroom.dso.backtest.plan import Plan
from gridroom.dso.backtest.run import LEVELS, Record, offer

Sums = NDArray[np.float64]

SLICE = 32
"""Series that are judged at a time."""

ROUNDING = 1e-6
"""Share of a limit that rounding may make up."""

TENTH = 0.1
"""Of the limit: what an hour may be above it, in the criterion that allows something."""


@dataclass
class Count:
    """How often a criterion was judged, and how often it was exceeded.

    Attributes:
        blocks: Judged series per issue and block, shape (issues, blocks).
        over: Series that exceeded, same shape. A window of an hour counts at its last block.
        series: Judged blocks per series.
        over_series: Blocks that exceeded, per series.
    """

    blocks: Sums
    over: Sums
    series: Sums
    over_series: Sums

    @property
    def share(self) -> float:
        """Share that exceeded."""
        return _ratio(self.over.sum(), self.blocks.sum())


@dataclass
class Verdict:
    """Sums of one method.

    Attributes:
        counts: By criterion.
        offered: Per issue and block, over the series that were measured. [A]
        room: What perfect foresight would have offered there. [A]
        error: Sum of absolute errors. [A]
        load: Sum of absolute loads. [A]
        values: Measured loads judged.
        without: Of them, those without a forecast: nothing was offered, and 0 A counts as expected.
        pinball: Sum of pinball losses, per level. [A]
        covered: Loads not above the bound of each level.
    """

    counts: dict[Criterion, Count]
    offered: Sums
    room: Sums
    error: float = 0.0
    load: float = 0.0
    values: int = 0
    without: int = 0
    pinball: Sums = field(default_factory=lambda: np.zeros(len(LEVELS)))
    covered: Sums = field(default_factory=lambda: np.zeros(len(LEVELS)))


def judge(record: Record, plan: Plan, hour: int) -> Verdict:
    """Judge all that a method issued.

    Windows of an hour roll by one block. Day ahead they stay inside an issue; otherwise they run on over the blocks
    that were in force one after the other.

    Args:
        record: What was issued, and what came.
        plan: When it was issued.
        hour: Blocks in an hour.
    """
    issues, blocks, series = record.measured.shape
    shape = (issues, blocks)
    counts = {c: Count(np.zeros(shape), np.zeros(shape), np.zeros(series), np.zeros(series)) for c in Criterion}
    verdict = Verdict(counts, np.zeros(shape), np.zeros(shape))
    for first in range(0, series, SLICE):
        part = slice(first, first + SLICE)
        limits = record.limits[part].astype(np.float64)
        load = record.measured[:, :, part].astype(np.float64)
        known = ~np.isnan(load)
        load = np.where(known, load, 0.0)
        offered = offer(record.bound[:, :, part].astype(np.float64), limits)
        verdict.offered += np.where(known, offered, 0.0).sum(axis=2)
        verdict.room += np.where(known, np.clip(limits - load, 0.0, limits), 0.0).sum(axis=2)
        _errors(verdict, record, part, load, known)
        run_on = (1, issues * blocks, len(limits))
        if not plan.day_ahead:
            load, offered, known = load.reshape(run_on), offered.reshape(run_on), known.reshape(run_on)
        for criterion, (judged, over) in _exceeded(load, offered, known, limits, hour).items():
            count = verdict.counts[criterion]
            count.blocks += judged.sum(axis=2).reshape(shape)
            count.over += over.sum(axis=2).reshape(shape)
            count.series[part] = judged.sum(axis=(0, 1))
            count.over_series[part] = over.sum(axis=(0, 1))
    return verdict


def _exceeded(
    load: Sums, offered: Sums, known: NDArray[np.bool_], limits: Sums, hour: int
) -> dict[Criterion, tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Per criterion what was judged and what exceeded, shapes of the loads (rows, blocks, series)."""
    top = limits * (1 + ROUNDING)
    whole = _window(known.astype(np.float64), hour) > hour - 0.5
    offered_1h = _window(offered, hour) / hour
    total_1h = _window(load, hour) / hour + offered_1h
    return {
        Criterion.QUARTER: (known, known & (offered > 0) & (load + offered > top)),
        Criterion.HOUR: (whole, whole & (offered_1h > 0) & (total_1h > top)),
        Criterion.HOUR_TENTH: (whole, whole & (offered_1h > 0) & (total_1h > top + TENTH * limits)),
    }


def _window(values: Sums, width: int) -> Sums:
    """Sum of each value and those before it, `width` in all, along the middle axis; 0 where there are not as many."""
    out = np.zeros_like(values)
    n = values.shape[1] - width + 1
    if n > 0:
        out[:, width - 1 :] = sum(values[:, k : k + n] for k in range(width))
    return out


def _errors(verdict: Verdict, record: Record, part: slice, load: Sums, known: NDArray[np.bool_]) -> None:
    mean = record.mean[:, :, part]
    gone = ~np.isfinite(mean)
    verdict.error += float((np.abs(load - np.where(gone, 0.0, mean)) * known).sum())
    verdict.load += float(np.abs(load).sum())
    verdict.values += int(known.sum())
    verdict.without += int((gone & known).sum())
    for place, (level, bounds) in enumerate(zip(LEVELS, record.levels, strict=True)):
        bound = bounds[:, :, part].astype(np.float64)
        bound = np.where(np.isfinite(bound), bound, record.limits[part])
        off = np.where(known, load - bound, 0.0)
        verdict.pinball[place] += np.maximum(level * off, (level - 1) * off).sum()
        verdict.covered[place] += (known & (off <= record.limits[part] * ROUNDING)).sum()


def _ratio(part: Reals | float, whole: Reals | float) -> float:
    return float(part / whole) if whole else float("nan")
