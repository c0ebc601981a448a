"""How the scale leans on what the averages disagree about, and on the last error: weights that all series share.

At a given risk a margin costs least where high scores are as frequent, per ampere of scale, whatever was known before.
So what is known is averaged twice: over the blocks of high scores, and over all blocks by their scale. Where the two
differ the scale follows, by a Newton step on sums of the last months:

    w = (V + ridge)⁻¹ · (STEP · (mean over high scores - mean by scale) + covariance with what w gave before),

with V the variance of what is known, by scale, all in scales.
"""

import numpy as np
from numpy.typing import NDArray

from gridroom.dso.forecasting.calendar import Cell
from gridroom.dso.forecasting.layout import IN_FORCE, LAST, Layout, Reals
from gridroom.dso.forecasting.learn import CONTRASTS, KNOWN, Mixing
from gridroom.dso.forecasting.scores import RARE, Judged
from gridroom.dso.forecasting.state import State

Doubles = NDArray[np.float64]

SHAPE = (2, KNOWN + 4, KNOWN + 1)
"""Sums for the day ahead and the block in force. Rows are blocks judged (one number), high scores, what leaning gave,
and products; columns, and the rows of products, are of 1 and of what is known."""

JUDGED, HIGH, LEANED, PRODUCTS = 0, 1, 2, slice(3, None)

STEP = 0.25
"""Change of a scale, as a logarithm, for a change of the logarithm of how frequent high scores are."""

RIDGE, LEAST = 0.1, 1e-4
"""How strongly weights are drawn to none: a share of the variance of what is known, and a variance."""

ENOUGH = 500.0
"""High scores due from which weights count half."""

MOST = np.float32(1)
"""Most that anything known counts, in scales, and the greatest weight."""


def weights(sums: Doubles) -> Reals:
    """Weights of what is known, for the day ahead and the block in force, shape (2, KNOWN).

    That of the last error is not negative: a load that rises never makes the margin smaller.

    Args:
        sums: Shape `SHAPE`.
    """
    result = np.array([_weights(one) for one in sums])
    result[:, -1] = np.maximum(result[:, -1], 0)
    clipped: Reals = np.clip(result, -MOST, MOST).astype(np.float32)
    return clipped


def _weights(sums: Doubles) -> Doubles:
    """Weights of what is known for one of the two, shape (KNOWN,)."""
    due, high, leaned, products = RARE * sums[JUDGED, 0], sums[HIGH], sums[LEANED], sums[PRODUCTS]
    if due < 1:
        return np.zeros(KNOWN)
    total, mean = products[0, 0], products[0, 1:] / products[0, 0]
    variance = products[1:, 1:] / total - np.outer(mean, mean)
    more = (high[1:] - high[0] * mean) / due
    before = (leaned[1:] - leaned[0] * mean) / total
    drawn = np.diag(RIDGE * np.diag(variance) + LEAST)
    found: Doubles = np.linalg.solve(variance + drawn, STEP * more + before) * (due / (due + ENOUGH))
    return found


def gather(
    layout: Layout, state: State, mixing: Mixing, cell: Cell, judged: Judged, heard: NDArray[np.bool_], into: Doubles
) -> None:
    """Add a block to the sums, in place, before it is taken in.

    Args:
        layout: The length of block.
        state: What was learned before it.
        mixing: The weights that were used.
        cell: The block.
        judged: Its scores, of the series whose sums are taken.
        heard: Those series, shape (S,).
        into: The sums of the day, shape `SHAPE`.
    """
    apart = CONTRASTS @ state.mix[:, cell.slot, heard]
    last = state.ring[(cell.number - layout.leads[IN_FORCE]) % layout.ring, LAST, heard]
    for i, latest in enumerate((np.zeros_like(last), last)):
        known = np.clip(np.vstack([apart, latest]) / judged.scale[i], -MOST, MOST)
        known = np.vstack([np.ones_like(last), np.where(judged.counts[i], known, np.float32(0))])
        weighed = known * judged.weight[i]
        into[i, JUDGED, 0] += np.count_nonzero(judged.counts[i])
        into[i, HIGH] += known @ judged.high[i].astype(np.float32)
        into[i, LEANED] += weighed @ (mixing.lean[i] @ known[1:])
        into[i, PRODUCTS] += weighed @ known.T
