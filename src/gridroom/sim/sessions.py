"""The drivers: when they come, how long they stay, what they need and what they tell.

The tables are aggregates of 10,178 public Dutch charging sessions of 2018, of those of 0.5 to 20 h and above 1 kWh; no
single session is kept. Two kinds of visits are told apart: a night (arrival between 15:00 and 04:00, more than seven
hours) and a stop (every other). How the tables were made: `docs/street.md`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from gridroom.sim.day import ZONE
from gridroom.sim.households import NOMINAL_V


@dataclass(frozen=True)
class Stays:
    """How long those stay who arrive before an hour: log-normal, or with a chance another, longer log-normal.

    Attributes:
        until_hour: Local hour of arrival that this holds up to.
        median_h: Median. [h]
        spread: Standard deviation of the logarithm.
        long_share: Chance of a longer stay.
        long_h: Median of the longer stay. [h]
        long_spread: Standard deviation of its logarithm.
    """

    until_hour: int
    median_h: float
    spread: float
    long_share: float = 0.0
    long_h: float = 1.0
    long_spread: float = 0.0


@dataclass(frozen=True)
class PowerClass:
    """What a car can take, and what those with such a car need.

    Attributes:
        share: Share of the sessions.
        phases: Phases the car uses.
        max_current_a: Largest current per phase. [A]
        energy_wh: Median of the energy. [Wh]
        spread: Standard deviation of its logarithm.
    """

    share: float
    phases: int
    max_current_a: float
    energy_wh: float
    spread: float
    most_wh: int


@dataclass(frozen=True)
class Kind:
    """A kind of visits.

    Attributes:
        arrivals_per_mille: Share of the visits that begin in each local hour, 0 to 23.
        stays: How long they stay, by hour of arrival.
        classes: What the cars can take and need.
    """

    arrivals_per_mille: tuple[int, ...]
    stays: tuple[Stays, ...]
    classes: tuple[PowerClass, ...]


NIGHT = Kind(
    arrivals_per_mille=(20, 10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60, 100, 138, 181, 133, 139, 89, 69, 59),
    stays=(
        Stays(4, 9.8, 0.22),
        Stays(17, 15.4, 0.24),
        Stays(19, 14.6, 0.13),
        Stays(21, 12.8, 0.15),
        Stays(24, 11.0, 0.21),
    ),
    classes=(
        PowerClass(0.79, 1, 16.0, 7_800, 0.51, 26_900),
        PowerClass(0.03, 1, 32.0, 27_450, 0.60, 67_900),
        PowerClass(0.18, 3, 16.0, 46_320, 0.39, 81_800),
    ),
)
STOP = Kind(
    arrivals_per_mille=(1, 0, 1, 0, 0, 24, 6, 34, 132, 135, 72, 67, 80, 88, 73, 60, 46, 53, 64, 34, 21, 6, 2, 0),
    stays=(
        Stays(8, 4.3, 0.78, 0.40, 12.5, 0.10),
        Stays(11, 3.3, 0.69, 0.28, 8.7, 0.11),
        Stays(15, 2.7, 0.76),
        Stays(17, 2.0, 0.66),
        Stays(19, 2.4, 0.62),
        Stays(21, 2.1, 0.53),
        Stays(24, 2.0, 0.57),
    ),
    classes=(
        PowerClass(0.88, 1, 16.0, 5_870, 0.57, 26_900),
        PowerClass(0.03, 1, 32.0, 9_170, 0.71, 67_900),
        PowerClass(0.09, 3, 16.0, 21_060, 0.66, 81_800),
    ),
)

NIGHT_SHARE = 0.4
"""Share of nights among the street's visits; 0.18 in the data, which counts every public station. Assumption."""

SHORTEST_STAY = timedelta(minutes=30)
LONGEST_STAY = timedelta(hours=20)
LEAST_NEED_WH = 1_000
USABLE_SHARE = 0.9
"""A need is cut to this share of what full power gives in the stay: batteries take less towards the end."""

TELLING_SHARE = 2 / 3
"""Share of drivers who give a wish. Assumption of the street."""
DEPARTURE_ERROR = timedelta(minutes=10)
"""Standard deviation of a declared departure around the real one. Assumption of the street."""


@dataclass(frozen=True)
class Wish:
    """What a driver tells the charge station operator on plugging in.

    Attributes:
        departure: When the driver means to leave. [UTC]
        energy_wh: Energy asked for. [Wh]
    """

    departure: datetime
    energy_wh: int


@dataclass(frozen=True)
class Visit:
    """A session before it has found a station.

    Attributes:
        plug_in, plug_out: When the car is connected. [UTC]
        energy_wh: What the car needs. [Wh]
        max_current_a: Largest current per phase. [A]
        phases: Phases the car uses, 1 to 3.
        wish: What the driver tells; None when nothing.
        station: Name of the station, "" when it does not matter.
        first_phase: Cable phase that the car's first phase must be on, 0 when it does not matter.
    """

    plug_in: datetime
    plug_out: datetime
    energy_wh: int
    max_current_a: float
    phases: int
    wish: Wish | None = None
    station: str = ""
    first_phase: int = 0

    @property
    def power_w(self) -> float:
        """Largest power. [W]"""
        return self.phases * self.max_current_a * NOMINAL_V


def draw(rng: np.random.Generator, start: datetime, end: datetime, count: int) -> list[Visit]:
    """Draw a day's visits, in order of arrival, each inside the span and with a need that its stay allows.

    The sample is stratified: a fixed number of nights and of stops, and of their hours, stays, cars and needs one
    from every equal part of the distribution, in random order. So every day is a typical one and no two are the same.

    Args:
        rng: Where chance comes from.
        start: Start of the day. [UTC]
        end: End of the day. [UTC]
        count: Number of visits.
    """
    nights = round(NIGHT_SHARE * count)
    visits = _draw_kind(rng, NIGHT, start, end, nights) + _draw_kind(rng, STOP, start, end, count - nights)
    return sorted(visits, key=lambda v: v.plug_in)


def _draw_kind(rng: np.random.Generator, kind: Kind, start: datetime, end: datetime, count: int) -> list[Visit]:
    visits: list[Visit] = []
    while len(visits) < count:
        missing = count - len(visits)
        chances = np.column_stack([_stratified(rng, missing) for _ in range(5)])
        drawn = (clip(_visit(kind, start, *chance), start, end) for chance in chances.tolist())
        visits += [visit for visit in drawn if visit is not None]
    return visits


def _stratified(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """One number in each of `count` equal parts of [0, 1), in random order."""
    numbers: NDArray[np.float64] = (rng.permutation(count) + rng.random(count)) / count
    return numbers


def _visit(kind: Kind, start: datetime, when: float, long: float, stay: float, car: float, need: float) -> Visit:
    """The visit that five chances in [0, 1) make."""
    hour, within = _pick(kind.arrivals_per_mille, when)
    plug_in = start + timedelta(minutes=(hour - start.astimezone(ZONE).hour) % 24 * 60 + int(60 * within))
    stays = next(s for s in kind.stays if hour < s.until_hour)
    if long < stays.long_share:
        length_h = _log_normal(stays.long_h, stays.long_spread, stay)
    else:
        length_h = _log_normal(stays.median_h, stays.spread, stay)
    length = min(max(timedelta(minutes=round(length_h * 60)), SHORTEST_STAY), LONGEST_STAY)
    type_ = kind.classes[_pick([c.share for c in kind.classes], car)[0]]
    energy_wh = min(round(_log_normal(type_.energy_wh, type_.spread, need)), type_.most_wh)
    return Visit(plug_in, plug_in + length, energy_wh, type_.max_current_a, type_.phases)


def _pick(weights: Sequence[float], chance: float) -> tuple[int, float]:
    """The class that a chance falls into, and how far into it.

    >>> _pick([1, 3], 0.625)
    (1, 0.5)
    """
    bounds = np.cumsum([0.0, *weights]) / sum(weights)
    n = int(np.searchsorted(bounds, chance, side="right")) - 1
    return n, float((chance - bounds[n]) / (bounds[n + 1] - bounds[n]))


def _log_normal(median: float, spread: float, chance: float) -> float:
    """Quantile of a log-normal."""
    return median * math.exp(spread * NormalDist().inv_cdf(min(max(chance, 1e-6), 1 - 1e-6)))


def clip(visit: Visit, start: datetime, end: datetime) -> Visit | None:
    """Keep what lies in the span, with a need that can be met in it; None when too little is left."""
    plug_in, plug_out = max(visit.plug_in, start), min(visit.plug_out, end)
    most_wh = int(visit.power_w * USABLE_SHARE * ((plug_out - plug_in) / timedelta(hours=1)))
    energy_wh = min(visit.energy_wh, most_wh)
    if energy_wh < LEAST_NEED_WH:
        return None
    return replace(visit, plug_in=plug_in, plug_out=plug_out, energy_wh=energy_wh)


def wish(rng: np.random.Generator, visit: Visit) -> Wish | None:
    """What a driver tells: about one in three nothing, the others their energy and about when they leave."""
    silent = rng.random() >= TELLING_SHARE
    error_s = rng.normal(0, DEPARTURE_ERROR.total_seconds())
    if silent:
        return None
    declared = visit.plug_out + timedelta(minutes=round(error_s / 60))
    return Wish(max(declared, visit.plug_in + SHORTEST_STAY), visit.energy_wh)
