"""What a method of forecasting is to the backtest: it sees the blocks in order, and is asked for the coming ones."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.floating]


class Criterion(StrEnum):
    """What must not exceed the limit with more than the risk asked for."""

    QUARTER = "15min"
    HOUR = "1h"
    HOUR_TENTH = "1h10"


@dataclass(frozen=True)
class Setting:
    """What a method is told beforehand.

    Attributes:
        block: Length of a block.
        every: Time between two issues.
        zone: Whose wall clock people live by.
        holidays: Country code of the public holidays, such as NL; empty for none.
        risk: Accepted share of blocks (or hours) above the limit, in (0, 1).
        criterion: What is compared with the limit: a block, its 1-h mean, its 1-h mean less a tenth of the limit.
        limits: Shape (series,). [A]
    """

    block: timedelta
    every: timedelta
    zone: ZoneInfo
    holidays: str
    risk: float
    criterion: Criterion
    limits: Reals

    @property
    def day(self) -> int:
        """Blocks in 24 hours."""
        return timedelta(days=1) // self.block

    @property
    def hour(self) -> int:
        """Blocks in an hour."""
        return timedelta(hours=1) // self.block


class Issue(Protocol):
    """A forecast of `n` blocks."""

    @property
    def mean(self) -> Reals:
        """Expected load, shape (n, series). [A]"""
        ...

    @property
    def bound(self) -> Reals:
        """Load that is exceeded with the risk asked for: limit - bound is offered. NaN or infinite: nothing is. [A]"""
        ...

    def bound_at(self, level: float) -> Reals:
        """Load that a block stays under with probability `level`, shape (n, series). [A]"""
        ...


class Method(Protocol):
    """Something that forecasts many series at once."""

    @property
    def name(self) -> str:
        """What it is called in tables."""
        ...

    def observe(self, time: datetime, load: Reals) -> None:
        """Take in the block that begins at `time`; called for each block in order.

        Args:
            time: Its start. [UTC]
            load: Shape (series,); NaN where it was not measured. [A]
        """
        ...

    def issue(self, start: datetime, n: int) -> Issue:
        """Forecast `n` blocks from `start`: every block that ended by then was observed, and nothing later."""
        ...


Make = Callable[[int, Setting], Method]
"""A new method for a number of series."""
