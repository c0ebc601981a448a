"""The safety margin: how far the load may exceed its forecast, at the risk that the operator accepts.

Limit of the load = forecast + k · scale, with scale = sqrt(average squared error of the time of day + (0.5 · σ)²), σ
the standard deviation of the series, and k the quantile of the scores (error / scale) seen over the last 28 days on
all cables together. A margin of "2 σ" is no margin anyone means: such errors are exceeded in 3 % of blocks.
"""

import math

import numpy as np
from numpy.typing import NDArray

from gridroom.dso.forecast import Outlook

Reals = NDArray[np.float64]

SHARE_OF_SIGMA = 0.5

LEAST_SCALE_CA = 10.0
"""Scale of a series that hardly moves. [0.01 A]"""

COLD = 5.0
"""Factor until enough was seen to estimate it."""

LEAST = 1.5
"""Factor that no estimate goes below: a learned margin without a floor collapses."""

ENOUGH = 2000
"""Scores from which the factor can be estimated: a week of one cable."""

TAIL = 50
"""Highest scores that tell how the tail goes on."""

WINDOW_DAYS = 28
"""Days over which scores are pooled."""


def scale(outlook: Outlook) -> Reals:
    """Scale of the error per phase and block, shape (3, n). [0.01 A]"""
    mixed = np.sqrt(outlook.variance + (SHARE_OF_SIGMA * outlook.sigma) ** 2)
    return np.maximum(mixed, LEAST_SCALE_CA)


def factor(scores: Reals, risk: float) -> float:
    """Multiple of the scale that is exceeded in a share `risk` of the blocks.

    The quantile of the scores where enough were seen beyond it; further out the tail is continued as an exponential
    with the mean excess of the highest scores (peaks over threshold).

    Args:
        scores: (load - forecast) / scale of the blocks seen, any shape.
        risk: Accepted share of blocks above the limit, in (0, 1).

    >>> factor(np.zeros(10), 0.001)
    5.0
    >>> 3.9 < factor(np.linspace(-4, 4, 9001), 0.01) < 4
    True
    """
    n = scores.size
    if n < ENOUGH:
        return max(COLD, float(scores.max(initial=0.0)))
    if n * risk >= TAIL:
        rank = min(n - 1, math.ceil((1 - risk) * n))
        return max(LEAST, float(np.partition(scores.ravel(), rank)[rank]))
    highest = np.partition(scores.ravel(), n - TAIL)[n - TAIL :]
    beyond = float(highest.mean() - highest.min())
    return max(LEAST, float(highest.min()) + beyond * math.log(TAIL / (n * risk)))
