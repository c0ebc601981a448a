"""How often the load and what was offered exceeded a limit: the risk as it came true, and what chance allows of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridroom.dso.rules import Criterion
from gridroom.storage.columns import Ints

DAYS = 28
"""Days over which realised risk is told."""

CLUSTER = 2.0
"""Blocks that exceed together on one cable: a cooker outlasts a quarter, and a day that is not as others lasts.
Measured as the index of dispersion of counts per cable and day, with this forecast on half a year of three made sets
(docs/results.md), at a risk of 0.1 %: 1.7 to 2.3 where it is issued once a day, 1.1 to 1.3 where every quarter."""

SWING = 0.6
"""How much a day's true risk differs from the mean of days, all cables together, relative to it: cold evenings come to
everybody. Measured on the same sets, less what clusters explain: 0.5 to 0.8 issued once a day, 0.25 to 0.5 every
quarter. So the band is rather wide for a DSO that publishes every quarter, and about right for one that does daily."""

Z = 2.576
"""Standard normal deviate of a band that chance leaves in one of a hundred cases."""


@dataclass(frozen=True)
class Judged:
    """Blocks, or means of an hour, that were judged on some phases.

    Attributes:
        exceeded: In how many the limit was exceeded.
        blocks: How many there were.
        days: Over how many days' worth of blocks, at most.
    """

    exceeded: int = 0
    blocks: int = 0
    days: float = 0.0

    def __add__(self, other: "Judged") -> "Judged":
        return Judged(self.exceeded + other.exceeded, self.blocks + other.blocks, max(self.days, other.days))


@dataclass(frozen=True)
class RealisedRisk:
    """How often the load and what was offered exceeded a limit, beside what was asked.

    Attributes:
        asked: Accepted share of blocks that exceed.
        realised: Share that did; NaN where none could be judged.
        low: Least share that chance allows, see `band`.
        high: Greatest share that chance allows.
        blocks: Blocks judged, each phase by itself.
    """

    asked: float
    realised: float
    low: float
    high: float
    blocks: int

    @property
    def above(self) -> bool:
        """Whether more exceeded than chance allows."""
        return self.realised > self.high

    @property
    def below(self) -> bool:
        """Whether less exceeded than chance allows: capacity is kept back that could be offered."""
        return self.realised < self.low


def judge(
    limit_ca: Sequence[int],
    available: Ints,
    load: Ints,
    known: NDArray[np.bool_],
    criterion: Criterion,
    hour: int,
    per_day: int,
) -> Judged:
    """Count where what was offered, fully used, would have exceeded the limit of a cable.

    A block exceeds where available > 0 and load + available > limit. A mean of an hour is that of any blocks in a row
    that make one, all known: it exceeds where its mean of available is above 0 and its mean of load + available is
    above the limit, or a tenth above it.

    Args:
        limit_ca: Limit of each phase; phases of 0 do not count. [0.01 A]
        available: Capacity that was in force, shape (3, n). [0.01 A]
        load: Non-controllable load, shape (3, n). [0.01 A]
        known: Of which blocks both are known, shape (n,).
        criterion: What counts as exceeding.
        hour: Blocks of an hour.
        per_day: Blocks of a day.

    >>> limit, all_known = (100, 100, 0), np.array([True] * 4)
    >>> load, available = np.array([[90, 70, 70, 80]] * 3), np.array([[20, 20, 0, 30]] * 3)
    >>> judge(limit, available, load, all_known, "15min", 2, 4)
    Judged(exceeded=4, blocks=8, days=1.0)
    >>> judge(limit, available, load, all_known, "1h", 2, 4)
    Judged(exceeded=0, blocks=6, days=1.0)
    """
    there = np.asarray(limit_ca) > 0
    limit = np.asarray(limit_ca, dtype=np.int64)[there, None]
    offered = np.where(known, available[there], 0)
    total = np.where(known, load[there], 0) + offered
    days = float(known.sum()) / per_day
    if criterion == "15min":
        over = (offered > 0) & (total > limit)
        return Judged(int(over.sum()), int(known.sum()) * int(there.sum()), days)
    whole = _sums(known.astype(np.int64)[None], hour)[0] == hour
    offered, total = _sums(offered, hour), _sums(total, hour)
    tenths = 11 if criterion == "1h10" else 10
    over = whole & (offered > 0) & (10 * total > tenths * hour * limit)
    return Judged(int(over.sum()), int(whole.sum()) * int(there.sum()), days)


def effective(blocks: int, asked: float, days: float = DAYS, together: int = 1) -> float:
    """Blocks that would tell as much, did each exceed by itself.

    n' = n / (κ·m + p·n·v² / d), with κ = `CLUSTER`, m blocks in each mean that is judged, v = `SWING`, d days: the
    variance of the number that exceed is the expected number p·n times that divisor, since they come in clusters of κ
    (times m where means overlap), and since the risk of a day is p times something with a spread of v.

    Args:
        blocks: Blocks judged, on all phases and cables. [n]
        asked: Accepted share that exceeds. [p]
        days: Days over which they lie.
        together: Blocks in each mean: 1, or those of an hour where means of an hour are judged.

    >>> round(effective(1_000_000, 0.001)), round(effective(8_064, 0.001))
    (67308, 3833)
    """
    return blocks / (CLUSTER * together + asked * blocks * SWING**2 / days) if blocks else 0.0


def band(asked: float, blocks_effective: float) -> tuple[float, float]:
    """The shares that chance allows where a share is asked, left in one of a hundred cases.

    The number that exceeds is as good as Poisson with mean λ = p·n'; its root has a standard deviation of 1/2 whatever
    λ is. So the band is (√λ ± z/2)² / n', z = `Z`; its lower end has half a case less, since cases are whole, and is 0
    where nothing is left or √λ < z/2.

    Args:
        asked: Accepted share that exceeds. [p]
        blocks_effective: Blocks as `effective` counts them. [n']

    Source: M. S. Bartlett, The square root transformation in analysis of variance, 1936.

    >>> [round(100 * share, 3) for share in band(0.001, effective(1_000_000, 0.001))]
    [0.07, 0.134]
    >>> [round(100 * share, 2) for share in band(0.001, effective(8_064, 0.001))]
    [0.0, 0.27]
    >>> band(0.001, 0)
    (0.0, 1.0)
    """
    if blocks_effective <= 0:
        return 0.0, 1.0
    root = math.sqrt(asked * blocks_effective)
    low, high = max(0.0, max(0.0, root - Z / 2) ** 2 - 0.5), (root + Z / 2) ** 2
    return low / blocks_effective, min(1.0, high / blocks_effective)


def realised(asked: float, exceeded: int, blocks: int, days: float = DAYS, together: int = 1) -> RealisedRisk:
    """Realised risk with its band.

    Args:
        asked: Accepted share that exceeds.
        exceeded: Blocks that did.
        blocks: Blocks judged.
        days: Days over which they lie.
        together: Blocks in each mean that is judged.
    """
    low, high = band(asked, effective(blocks, asked, days, together))
    return RealisedRisk(asked, exceeded / blocks if blocks else math.nan, low, high, blocks)


def _sums(cells: Ints, width: int) -> Ints:
    """Sums of neighbours, shape (rows, n - width + 1); none where there are too few.

    >>> _sums(np.array([[1, 2, 3]]), 2).tolist()
    [[3, 5]]
    """
    total = np.cumsum(np.pad(cells, ((0, 0), (1, 0))), axis=1)
    return total[:, width:] - total[:, : total.shape[1] - width] if total.shape[1] > width else total[:, :0]
