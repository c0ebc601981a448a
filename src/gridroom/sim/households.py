"""The homes on the cable: a SimBench feeder by default.

Its five household shapes would move in step, so each home lives its shape a few whole weeks earlier or later: weekdays
and season stay, chance does not repeat.
"""

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from gridroom.sim.errors import SimError
from gridroom.timegrid import QUARTER

Amps = NDArray[np.float64]

PHASES = 3
NOMINAL_V = 230.0
WEEK = timedelta(weeks=1)
YEAR = 52 * WEEK
NH_SIZES_A = (16, 20, 25, 32, 35, 40, 50, 63, 80, 100, 125, 160, 200, 224, 250, 315, 355, 400, 500, 630, 800, 1000)
"""Rated currents of NH fuse links, class gG. [A] Source: IEC 60269-2."""

FUSE_ROOM = 1.6
"""A fuse is chosen so that the homes alone stay this factor under it."""


@dataclass(frozen=True)
class Household:
    """A home on the cable.

    Attributes:
        id: Its name.
        phases: Cable phases it is connected to, from 1, 2, 3.
    """

    id: str
    phases: tuple[int, ...]


@dataclass(frozen=True)
class Loads:
    """What the homes of one cable draw, all together.

    Attributes:
        cable: Name of the cable.
        about: Where the figures come from, one line.
        households: The homes.
        start: Start of the first block. [UTC]
        amps: Mean current per phase and quarter of an hour, shape (3, blocks); back-feed is negative. [A]
        rating_a: What the cable itself may carry; None when not known. [A]
        wraps: Whether the time before the start may be taken from 52 weeks later, and so on.
        notes: What was repaired while reading, in words.
    """

    cable: str
    about: str
    households: tuple[Household, ...]
    start: datetime
    amps: Amps
    rating_a: float | None = None
    wraps: bool = False
    notes: tuple[str, ...] = ()

    @property
    def end(self) -> datetime:
        """End of the last block. [UTC]"""
        return self.start + int(self.amps.shape[1]) * QUARTER

    def window(self, start: datetime, end: datetime) -> Amps:
        """The currents of a span, shape (3, blocks of the span). [A]

        Raises:
            SimError: The loads do not cover the span.
        """
        index = np.arange((start - self.start) // QUARTER, (end - self.start) // QUARTER)
        blocks = self.amps.shape[1]
        if self.wraps:
            year = YEAR // QUARTER
            index = np.where(index < 0, index % year, index)
            index = np.where(index >= blocks, (index - blocks) % year + blocks - year, index)
        elif index[0] < 0 or index[-1] >= blocks:
            raise SimError(f"the loads run from {self.start} to {self.end}, but {start} to {end} is asked for")
        return self.amps[:, index]

    def smallest_fuse(self) -> int:
        """The smallest NH fuse of which the homes alone take five eighths at most, at all times. [A]

        Raises:
            SimError: No NH fuse is big enough.
        """
        peak = float(np.abs(self.amps).max())
        for size in NH_SIZES_A:
            if size >= peak * FUSE_ROOM:
                return size
        raise SimError(f"the homes draw up to {peak:.0f} A on a phase, more than any fuse: are the loads in amperes?")


@cache
def simbench() -> Loads:
    """The SimBench feeder of the package: a leap year of 34 homes dealt over three phases.

    The time of SimBench is standard time all year (its days move by an hour when summer time comes), so UTC + 1 h.
    Homes are dealt by yearly energy, each to the phase with the least, as an installer would.
    """
    folder = files("gridroom.sim") / "data"
    about = json.loads((folder / "feeder.json").read_text())
    with (folder / "feeder.npz").open("rb") as file, np.load(file) as archive:
        shapes = dict(zip(about["shapes"], archive["shapes"] * about["unit"], strict=True))
    amps = np.zeros((PHASES, len(next(iter(shapes.values())))))
    lived: dict[str, int] = defaultdict(int)
    homes: list[Household] = []
    mean = {name: float(shape.mean()) for name, shape in shapes.items()}
    for home in sorted(about["households"], key=lambda h: (-h["power_w"] * mean[h["shape"]], h["id"])):
        phase = int(np.argmin(amps.mean(axis=1)))
        weeks = _weeks(lived[home["shape"]])
        lived[home["shape"]] += 1
        amps[phase] += np.roll(shapes[home["shape"]], weeks * (WEEK // QUARTER)) * (home["power_w"] / NOMINAL_V)
        homes.append(Household(home["id"], (phase + 1,)))
    return Loads(
        cable="SB-LV6-37",
        about=f"{about['source']}; {about['subnet']}, {about['length_m']} m {about['cable_type']}",
        households=tuple(sorted(homes, key=lambda h: h.id)),
        start=datetime(2015, 12, 31, 23, tzinfo=UTC),
        amps=amps,
        rating_a=float(about["rating_a"]),
        wraps=True,
    )


def _weeks(n: int) -> int:
    """Shift of the n-th home with a shape: 0, 1, -1, 2, -2 ... [weeks]

    >>> [_weeks(n) for n in range(5)]
    [0, 1, -1, 2, -2]
    """
    return (n + 1) // 2 * (1 if n % 2 else -1)
