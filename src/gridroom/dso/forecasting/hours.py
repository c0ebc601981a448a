"""Factors on the scale by time of day; the same for all series.

As in `lean`: where high scores are more frequent at a time of day than its share of all scale, the scale becomes larger
there. Sums of the last months are read through a triangle of hours.

The day ahead has one per criterion. The block in force, and what comes before it, have one where a block by itself is
judged: hours that are issued a quarter at a time mix forecasts of several leads.
"""

import numpy as np
from numpy.typing import NDArray

from gridroom.dso.forecasting.layout import Layout, Mask, Reals
from gridroom.dso.forecasting.scores import CRITERIA

Doubles = NDArray[np.float64]

PARTS = 3
"""Sums per time of day: high scores, scale, and scale times the logarithm of its factor."""

KINDS = len(CRITERIA) + 1
"""Kinds of factors: those of the day ahead by criterion, and that of the block in force."""

SOON = KINDS - 1
"""The kind of the block in force."""

STEP = 0.25
"""Change of the logarithm of a factor for one of how frequent high scores are."""

PRIOR = 30.0
"""High scores that speak for no difference."""

AROUND = 3
"""Hours on each side from which a time of day learns."""

MOST = 0.2
"""Greatest logarithm of a factor."""


def shape(layout: Layout) -> tuple[int, ...]:
    """Shape of the sums."""
    return (PARTS, KINDS, layout.slots)


def factors(sums: Doubles) -> Reals:
    """Logarithms of the factors, 0 on average over the scale, shape (KINDS, slots).

    Args:
        sums: See `shape`.
    """
    triangle = _triangle(sums.shape[-1])
    high, scale, before = sums @ triangle  # as many as in the hours around
    total = scale.sum(axis=-1, keepdims=True)
    share = np.divide(scale, total, out=np.full_like(scale, 1 / scale.shape[-1]), where=total > 0)
    more = np.log((high + PRIOR) / (share * high.sum(axis=-1, keepdims=True) + PRIOR))
    result = np.divide(before, scale, out=np.zeros_like(scale), where=scale > 0) + STEP * more
    result -= (result * share).sum(axis=-1, keepdims=True)
    clipped: Reals = np.clip(result, -MOST, MOST).astype(np.float32)
    return clipped


def _triangle(slots: int) -> Doubles:
    """How much a time of day counts for another, 1 for itself, shape (slots, slots)."""
    apart = np.abs(np.subtract.outer(np.arange(slots), np.arange(slots)))
    triangle: Doubles = np.maximum(1 - np.minimum(apart, slots - apart) * (24 / slots / AROUND), 0)
    return triangle


def gather(high: Mask, weight: Reals, used: np.float32, into: Doubles) -> None:
    """Add a block to the sums of a kind and its time of day, in place.

    Args:
        high: Which of its scores are high, shape (S,).
        weight: Scales of its series, shape (S,).
        used: Logarithm of the factor at its time of day.
        into: The sums, shape (3,).
    """
    scale = float(weight.sum(dtype=np.float64))
    into += np.array([np.count_nonzero(high), scale, scale * float(used)])
