"""Times of day and days of the week, on the local clock of the households; holidays count as Sundays."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo

import holidays as package
import numpy as np
from numpy.typing import NDArray

from gridroom.timegrid import DAY, EPOCH, midnight

SUNDAY = 6


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a block lies.

    Attributes:
        number: Blocks since 1970.
        slot: Its time of day, in blocks of the local clock.
        weekday: Its day of the week, 0 to 6; a holiday is a 6.
        following: That of the day after.
    """

    number: int
    slot: int
    weekday: int
    following: int


@dataclass(frozen=True)
class Calendar:
    """The local clock and its holidays.

    Attributes:
        block: Length of a block.
        zone: Local clock.
        country: Whose holidays are kept, such as `NL`; none when empty.

    >>> from datetime import UTC
    >>> calendar = Calendar(timedelta(minutes=15), ZoneInfo("Europe/Amsterdam"), "NL")
    >>> christmas = calendar.cell(datetime(2026, 12, 25, 11, tzinfo=UTC))  # a Friday
    >>> christmas.slot, christmas.weekday, christmas.following
    (48, 6, 6)
    """

    block: timedelta
    zone: ZoneInfo
    country: str = ""

    def number(self, moment: datetime) -> int:
        """Blocks since 1970."""
        return (moment - EPOCH) // self.block

    def moment(self, number: int) -> datetime:
        """Start of the block of that number. [UTC]"""
        return EPOCH + number * self.block

    def cell(self, moment: datetime) -> Cell:
        """The block that begins at a moment. [UTC]"""
        return self.at(self.number(moment))

    def at(self, number: int) -> Cell:
        """The block of that number."""
        day, i = divmod(number, DAY // self.block)
        slots, weekdays, following = self._day(day)
        return Cell(number, int(slots[i]), int(weekdays[i]), int(following[i]))

    def slots(self, number: int, n: int) -> NDArray[np.int64]:
        """Times of day of `n` blocks, shape (n,)."""
        return self._run(number, n, 0)

    def weekdays(self, number: int, n: int) -> NDArray[np.int64]:
        """Days of the week of `n` blocks, shape (n,)."""
        return self._run(number, n, 1)

    def _run(self, number: int, n: int, part: int) -> NDArray[np.int64]:
        per_day = DAY // self.block
        first, last = number // per_day, (number + n - 1) // per_day
        whole = np.concatenate([self._day(day)[part] for day in range(first, last + 1)])
        offset = number - first * per_day
        return whole[offset : offset + n]

    @cached_property
    def _day(self) -> Callable[[int], tuple[NDArray[np.int64], ...]]:
        """Slots, weekdays and following weekdays of a UTC day, by days since 1970; the last ones are remembered."""
        return lru_cache(maxsize=1024)(self._make)

    def _make(self, day: int) -> tuple[NDArray[np.int64], ...]:
        start = midnight((EPOCH + day * DAY).date())
        moments = [(start + i * self.block).astimezone(self.zone) for i in range(DAY // self.block)]
        seconds = self.block // timedelta(seconds=1)
        slots = [(one.hour * 3600 + one.minute * 60 + one.second) // seconds for one in moments]
        weekdays = [self._weekday(one.date()) for one in moments]
        following = [self._weekday(one.date() + DAY) for one in moments]
        return np.array(slots), np.array(weekdays), np.array(following)

    def _weekday(self, day: date) -> int:
        return SUNDAY if day in _holidays(self.country) else day.weekday()


@lru_cache(maxsize=8)
def _holidays(country: str) -> package.HolidayBase | dict[date, str]:
    return package.country_holidays(country) if country else {}
