"""A fleet of the forecast that lives through made-up loads, for its tests."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from gridroom.dso.forecasting.calendar import Calendar
from gridroom.dso.forecasting.fleet import Fleet, Outlook
from gridroom.dso.forecasting.layout import MEMORIES
from gridroom.dso.forecasting.learn import KNOWN, Mixing
from gridroom.dso.forecasting.scores import WINDOW_DAYS, Counts
from gridroom.dso.forecasting.state import PARTS

Loads = NDArray[np.floating]

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
QUARTER, HOUR, DAY = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
"""The first day, in winter."""

RISK = 0.01


@dataclass
class Life:
    """A fleet, the next block, and the scores of its days."""

    fleet: Fleet
    number: int
    days: list[Counts] = field(default_factory=list)

    def take(self, loads: Loads) -> "Life":
        """Learn blocks, shape (n, S); a day begins at midnight UTC."""
        for load in loads:
            self.fleet.advance(self.number, load)
            self.number += 1
            if self.number % self.fleet.layout.slots == 0:
                self.days.append(self.fleet.pool.scored)
                self.fleet.turn(self.days.pop(0) if len(self.days) > WINDOW_DAYS else None)
        return self

    def outlook(self, n: int) -> Outlook:
        """What is expected of the next blocks."""
        return self.fleet.outlook(self.number, n)

    def bound(self, n: int, risk: float = RISK, criterion: int = 0) -> Loads:
        """What the load stays under, shape (n, S)."""
        return self.outlook(n).bound(self.fleet.common.factors.at(criterion, risk), criterion)

    def mixed(self, day: list[float], recent: list[float], last: float = 0.0) -> None:
        """Fix the mixing until the next day: the same recent weights for each lead; what is not given counts nothing.

        `last` is how much the scale leans on the last error.
        """
        near, lean = len(self.fleet.common.mixing.recent), np.zeros((2, KNOWN), np.float32)
        lean[1, -1] = last
        mixing = Mixing(
            np.array(day + [0] * (PARTS - len(day)), np.float32),
            np.tile(np.array(recent + [0] * (len(MEMORIES) - len(recent)), np.float32), (near, 1)),
            lean,
        )
        self.fleet.common = replace(self.fleet.common, mixing=mixing)

    def twin(self) -> "Life":
        """Another one that begins where this one stands."""
        fleet = self.fleet
        state = fleet.state.take(np.ones(fleet.state.series, dtype=bool))
        other = Fleet(fleet.calendar, fleet.limits, fleet.criteria, state, fleet.pool)
        other.common = fleet.common
        return Life(other, self.number, list(self.days))


def begin(
    series: int,
    start: datetime = MONDAY,
    block: timedelta = HOUR,
    limit: float = 100.0,
    criteria: tuple[int, ...] = (0,),
    country: str = "NL",
) -> Life:
    """A fleet that knows nothing yet."""
    calendar = Calendar(block, AMSTERDAM, country)
    return Life(Fleet(calendar, np.full(series, limit), criteria), calendar.number(start))


def moments(start: datetime, n: int, block: timedelta = HOUR) -> list[datetime]:
    """Start of each block on the wall clock of Amsterdam."""
    return [(start + i * block).astimezone(AMSTERDAM) for i in range(n)]


def course(start: datetime, n: int, block: timedelta = HOUR) -> Loads:
    """A load of the wall clock that is the same every day, highest at six in the evening, shape (n, 1). [A]"""
    hours = np.array([one.hour + one.minute / 60 for one in moments(start, n, block)])
    return (20 + 10 * np.cos((hours - 18) * np.pi / 12))[:, None]


def noisy(blocks: int, series: int, seed: int = 1) -> Loads:
    """Hourly loads with a day and with chance that lasts for hours, shape (blocks, series). [A]"""
    chance = np.random.default_rng(seed)
    rough = chance.normal(0, 0.2, (blocks, series))
    for i in range(1, blocks):
        rough[i] += 0.7 * rough[i - 1]
    shape = 1 + 0.5 * np.cos(np.arange(blocks) * np.pi / 12)[:, None]
    return chance.uniform(10, 30, series) * shape * np.exp(rough)
