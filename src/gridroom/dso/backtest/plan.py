"""Which forecasts are issued, and which of their blocks are judged."""

from dataclasses import dataclass
from datetime import timedelta

from gridroom.dso.backtest.errors import BacktestError
from gridroom.dso.backtest.grid import Loads
from gridroom.timegrid import DAY

LEADS = (1, 2, 4, 8, 96)
"""Blocks of an issue, counted from 1, whose offer is told by itself; the last block of a day as well."""

SOON = 8
"""Least blocks of an issue that is not the first of its day."""


@dataclass(frozen=True)
class Plan:
    """Rolling origins.

    Issued once a day or less often, a forecast counts from its first block on, for a day. Issued more often, it is in
    force from its second block on (letters need time to travel), until the second block of the next one.

    Attributes:
        first: First block of the test.
        end: First block after it.
        every: Blocks between two issues.
        day: Blocks in 24 h.
    """

    first: int
    end: int
    every: int
    day: int

    @property
    def day_ahead(self) -> bool:
        """Whether whole days are judged."""
        return self.every >= self.day

    @property
    def offset(self) -> int:
        """Blocks between an issue and the first of its blocks that is judged."""
        return 0 if self.day_ahead else 1

    @property
    def judged(self) -> int:
        """Blocks of an issue that are judged."""
        return min(self.every, self.day)

    @property
    def starts(self) -> range:
        """First block of each issue: all before it were observed."""
        return range(self.first, self.end - self.offset - self.judged + 1, self.every)

    @property
    def leads(self) -> tuple[int, ...]:
        """Blocks of an issue whose offer is told by itself, counted from 1."""
        return tuple(sorted({lead for lead in LEADS if lead < self.day} | {self.day}))

    def length(self, start: int) -> int:
        """Blocks to issue: a day in the first issue of each day, otherwise those that are soon in force.

        >>> plan = Plan(first=960, end=2000, every=1, day=96)
        >>> plan.length(960), plan.length(961), plan.length(960 + 96)
        (96, 8, 96)
        """
        since = start - self.first
        whole = self.day_ahead or since // self.day != (since - self.every) // self.day
        return self.day if whole else min(self.day, max(SOON, self.offset + self.judged))


def plan(loads: Loads, warmup_days: int | None, test_days: int | None, every: timedelta) -> Plan:
    """When to issue: half of the whole days is warm-up unless said otherwise, the rest is the test.

    Raises:
        BacktestError: The loads are too short, or blocks do not fit into `every`.
    """
    if every < loads.block or every % loads.block:
        raise BacktestError(f"--every: {_text(every)} is no multiple of the blocks of {_text(loads.block)}")
    day = DAY // loads.block
    days = loads.blocks // day
    warm = days // 2 if warmup_days is None else warmup_days
    if warm < 1:
        raise BacktestError(f"--warmup-days: at least a day is needed; the loads have {days}")
    if test_days is not None and test_days < 1:
        raise BacktestError("--test-days: at least a day is needed")
    if warm >= days:
        raise BacktestError(f"--warmup-days: {warm} leave nothing of {days} whole days to test")
    first = warm * day
    end = loads.blocks if test_days is None else min(loads.blocks, first + test_days * day)
    found = Plan(first, end, every // loads.block, day)
    if not len(found.starts):
        raise BacktestError("--test-days: no issue fits into the test")
    return found


def _text(length: timedelta) -> str:
    return f"{length / timedelta(minutes=1):g} min"
