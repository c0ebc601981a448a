"""Our own forecast and margin as a method of the backtest."""

from dataclasses import dataclass
from datetime import datetime

from gridroom.dso.backtest.method import Method, Reals, Setting
from gridroom.dso.forecasting.calendar import Calendar
from gridroom.dso.forecasting.fleet import Fleet, Outlook
from gridroom.dso.forecasting.scores import CRITERIA, WINDOW_DAYS, Counts, Factors

NAME = "gridroom"
QUARTER = CRITERIA.index("15min")


@dataclass(frozen=True)
class Issued:
    """A forecast and its margins."""

    outlook: Outlook
    bound: Reals
    factors: Factors

    @property
    def mean(self) -> Reals:
        """Expected load, shape (n, series). [A]"""
        return self.outlook.mean

    def bound_at(self, level: float) -> Reals:
        """Load that a block stays under with probability `level`, shape (n, series). [A]"""
        return self.outlook.bound(self.factors.at(QUARTER, 1 - level), QUARTER)


class Engine:
    """The fleet of the DSO, told the loads of a file."""

    name = NAME

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._criterion = CRITERIA.index(setting.criterion.value)
        calendar = Calendar(setting.block, setting.zone, setting.holidays)
        self._fleet = Fleet(calendar, setting.limits, sorted({QUARTER, self._criterion}))
        self._days: list[Counts] = []
        self._turned()

    def observe(self, time: datetime, load: Reals) -> None:
        """Take in the block that begins at `time`; see `Method`."""
        number = self._fleet.calendar.number(time)
        self._fleet.advance(number, load)
        if (number + 1) % self._fleet.layout.slots == 0:
            self._days.append(self._fleet.pool.scored)
            self._fleet.turn(self._days.pop(0) if len(self._days) > WINDOW_DAYS else None)
            self._turned()

    def issue(self, start: datetime, n: int) -> Issued:
        """Forecast `n` blocks from `start`; see `Method`."""
        outlook = self._fleet.outlook(self._fleet.calendar.number(start), n)
        return Issued(outlook, outlook.bound(self._factors, self._criterion), self._fleet.common.factors)

    def _turned(self) -> None:
        """A day began: its factors."""
        self._factors = self._fleet.common.factors.at(self._criterion, self._setting.risk)


def make(series: int, setting: Setting) -> Method:
    """The engine, with nothing learned yet."""
    if setting.limits.shape != (series,):
        raise ValueError(f"limits of {setting.limits.shape[0]} series, not {series}")
    return Engine(setting)
