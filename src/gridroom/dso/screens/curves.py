"""What there is to show of a cable over a day or two: figure 6 as numbers, in ampere, NaN where nothing is known.

Source: OSCP 1.0 chapter 2, step 2; CIRED paper, figure 6.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from gridroom.dso.cables import Cable
from gridroom.dso.readings.measurements import NOT_MEASURED
from gridroom.dso.rules import Rules
from gridroom.dso.service import View
from gridroom.oscp.v10.blocks import UNKNOWN
from gridroom.storage.columns import Ints

Amps = NDArray[np.float64]


@dataclass(frozen=True)
class Curves:
    """A cable over a span of blocks; arrays have the shape (3, n) and are in ampere, NaN where unknown.

    Attributes:
        cable: CableId.
        start: Start of the first block. [UTC]
        block: Length of a block.
        zone: Local clock of the operator.
        now: The present moment. [UTC]
        issued: When the forecast was made last. [UTC]
        quality: Of that forecast.
        phases: Those that the cable has, from 1 on.
        limit: What each phase may carry, shape (3,). [A]
        measured: Mean of each block.
        load: Measured less reported use of electric vehicles: what is forecast.
        forecast: As it was in force in each block that is over, as it is now in the others.
        margin: Safety margin on it.
        available: For all CSOs together.
        backup: Part of it that is left to be asked for.
        allotments: Part of it of each CSO.
        held_by: What is above the cable and leaves it less than its own limit does: kind by id.
        adjusted: By how much the allotment of each CSO differs from its share: granted above 0, given back below.
    """

    cable: str
    start: datetime
    block: timedelta
    zone: ZoneInfo
    now: datetime
    issued: datetime | None
    quality: str
    phases: tuple[int, ...]
    limit: Amps
    measured: Amps
    load: Amps
    forecast: Amps
    margin: Amps
    available: Amps
    backup: Amps
    allotments: Mapping[str, Amps]
    held_by: Mapping[str, str] = field(default_factory=dict)
    adjusted: Mapping[str, Amps] = field(default_factory=dict)

    @property
    def given_back(self) -> Amps:
        """What all CSOs together gave back to the backup."""
        return sum((np.maximum(-one, 0) for one in self.adjusted.values()), np.zeros(self.backup.shape))

    @property
    def granted(self) -> Amps:
        """What all CSOs together were granted of the backup."""
        return sum((np.maximum(one, 0) for one in self.adjusted.values()), np.zeros(self.backup.shape))

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return int(self.measured.shape[1])

    @property
    def over(self) -> int:
        """Number of blocks that have ended."""
        return min(max((self.now - self.start) // self.block, 0), self.blocks)

    @property
    def times(self) -> list[datetime]:
        """Where blocks begin and the last one ends, on the local clock; one more than there are blocks."""
        return [(self.start + i * self.block).astimezone(self.zone) for i in range(self.blocks + 1)]

    @property
    def empty(self) -> bool:
        """Whether nothing is known at all."""
        return bool(np.isnan(self.measured).all() and np.isnan(self.available).all())

    @property
    def words(self) -> str:
        """What is shown: the newest forecast, what was in force, or first one and then the other."""
        rows = [phase - 1 for phase in self.phases]
        known: NDArray[np.bool_] = ~np.isnan(self.available[rows].max(axis=0))
        past, ahead = known[: self.over], known[self.over :]
        parts = []
        if len(past):
            until = "" if len(ahead) else f" until {local(self.times[-1], self.zone)}"
            parts.append(f"what was in force{until}" if past.any() else f"no forecast was in force{until}")
        if len(ahead):
            issued = "never" if self.issued is None else local(self.issued, self.zone)
            parts.append(f"forecast of {issued}, {self.quality}" if ahead.any() else "nothing is forecast")
        return "; then ".join(parts)

    @property
    def held(self) -> str:
        """What leaves the cable less than its own limit does, in words; empty when nothing does, or what was is shown.

        It is known of the newest forecast only.
        """
        if not self.held_by or self.times[-1] <= self.now:
            return ""
        names = " and ".join(f"{kind} {one}" for one, kind in self.held_by.items())
        return f"{names} {'leave' if len(self.held_by) > 1 else 'leaves'} it less than its own limit does"


def curves(
    view: View,
    cable: Cable,
    rules: Rules,
    now: datetime,
    quality: str,
    held_by: Mapping[str, str],
    adjusted: Mapping[str, Ints],
) -> Curves:
    """A view of a cable as curves.

    Args:
        view: What is known of it.
        cable: The cable.
        rules: For the length of a block and the zone.
        now: The present moment. [UTC]
        quality: Of its forecast.
        held_by: What leaves it less than its own limit does: kind by id.
        adjusted: By CSO what it was granted, or gave back, shape (3, n), `UNKNOWN` where that is not known. [0.01 A]
    """
    issued = view.available != UNKNOWN

    def told(cells: Ints) -> Amps:
        return _amps(cells, issued)

    return Curves(
        cable.id,
        view.start,
        rules.block,
        rules.zone,
        now,
        view.issued,
        quality,
        cable.phases,
        np.array(cable.limit_ca) / 100,
        _amps(view.measured, view.measured != NOT_MEASURED),
        _amps(view.load, view.load != NOT_MEASURED),
        told(view.forecast),
        told(view.margin),
        told(view.available),
        told(view.pool),
        {party: told(cells) for party, cells in view.allotments.items()},
        held_by,
        {party: _amps(cells, cells != UNKNOWN) for party, cells in adjusted.items()},
    )


def local(moment: datetime, zone: ZoneInfo) -> str:
    """A moment as the operator reads it: local clock and its offset.

    >>> from datetime import UTC
    >>> local(datetime(2026, 3, 29, 1, 5, tzinfo=UTC), ZoneInfo("Europe/Amsterdam"))
    '2026-03-29 03:05+02:00'
    """
    return moment.astimezone(zone).isoformat(sep=" ", timespec="minutes")


def _amps(cells: Ints, known: NDArray[np.bool_]) -> Amps:
    amps: Amps = np.where(known, cells / 100, np.nan)
    return amps
