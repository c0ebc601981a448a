"""How the state of a fleet is laid out for a length of block, and the constants of the method.

All times are given as times, so the method is the same for blocks of five minutes and of an hour.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gridroom.timegrid import DAY, HOUR

Reals = NDArray[np.float32]
Mask = NDArray[np.bool_]

WEEKDAYS = 7

LEADS = tuple(timedelta(minutes=minutes) for minutes in (15, 30, 60, 120))
"""Leads up to which a forecast belongs to each of the classes; what is further ahead is of one more class.

Leads up to the last one are near: what was measured lately helps, and each is learned and scored by itself.
"""

CLASSES = len(LEADS) + 1
DAY_AHEAD = CLASSES - 1
IN_FORCE = 1
"""The class of the block in force: a forecast made a quarter of an hour before it."""

MEMORIES = (timedelta(minutes=15), timedelta(hours=1), timedelta(hours=3), timedelta(days=1))
"""How long each of the recent errors is remembered."""

RECENT = len(MEMORIES) + 1
"""Rows of what is recent: an average error per memory, and the average squared error of `ROUGH_MEMORY`."""

LAST, DAILY = 0, len(MEMORIES) - 1
"""Rows of the last error, and of the average error of a day, which helps the next day too."""

ROUGH_MEMORY = timedelta(hours=3)
"""How long the squared errors are remembered."""

BEND = timedelta(minutes=45)
"""Where the kernel ends through which a time of day is read: a triangle."""

WINDOW = timedelta(minutes=90)
"""Times of day, on each side, whose errors tell of a block's."""


@dataclass(frozen=True)
class Layout:
    """A length of block, and what follows from it.

    Attributes:
        block: Length of a block; a day has a whole number of them.

    >>> quarter = Layout(timedelta(minutes=15))
    >>> quarter.slots, quarter.leads, quarter.kernel.round(2).astype(str).tolist()
    (96, (1, 2, 4, 8), ['0.11', '0.22', '0.33', '0.22', '0.11'])
    """

    block: timedelta

    @cached_property
    def slots(self) -> int:
        """Blocks of an ordinary day."""
        return DAY // self.block

    @cached_property
    def hour(self) -> int:
        """Blocks of an hour."""
        return max(1, HOUR // self.block)

    @cached_property
    def leads(self) -> tuple[int, ...]:
        """Last lead of each class but the last. [blocks]"""
        return tuple(max(1, lead // self.block) for lead in LEADS)

    @cached_property
    def near(self) -> int:
        """Near leads. [blocks]"""
        return self.leads[-1]

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """Class of each near lead, and of the day ahead, shape (near + 1,)."""
        return np.append(self.classes(self.near), DAY_AHEAD)

    @cached_property
    def ring(self) -> int:
        """Blocks for which it is kept what was recent then."""
        return self.near + 1

    @cached_property
    def keep(self) -> Reals:
        """Share of each of the recent errors that is left a block later, shape (RECENT,)."""
        times = (*MEMORIES, ROUGH_MEMORY)
        shares = [0.0 if time <= self.block else float(np.exp(-self.block / time)) for time in times]
        return np.array(shares, dtype=np.float32)

    @cached_property
    def kernel(self) -> Reals:
        """Weights through which a time of day is read, shape (2 reach + 1,)."""
        reach = -(-BEND // self.block) - 1
        weights = 1 - np.abs(np.arange(-reach, reach + 1)) * (self.block / BEND) if reach > 0 else np.ones(1)
        kernel: Reals = (weights / weights.sum()).astype(np.float32)
        return kernel

    @cached_property
    def window(self) -> int:
        """Blocks on each side whose errors tell of a block's; a row is made so much later than its block."""
        return max(1, WINDOW // self.block)

    def classes(self, n: int) -> NDArray[np.int64]:
        """Class of each of `n` blocks of an issue, shape (n,)."""
        return np.searchsorted(np.array(self.leads), np.arange(1, n + 1), side="left")


def runs(classes: NDArray[np.int64]) -> Iterator[tuple[int, slice]]:
    """Each class that is there, and where; classes ascend.

    >>> list(runs(np.array([0, 2, 2])))
    [(0, slice(0, 1, None)), (2, slice(1, 3, None))]
    """
    ends = np.searchsorted(classes, np.arange(CLASSES), side="right")
    for k, end in enumerate(ends):
        start = int(ends[k - 1]) if k else 0
        if start < end:
            yield k, slice(start, int(end))
