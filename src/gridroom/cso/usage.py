"""What was used per cable and block, out of the stations' registers; sums only, never a session.

A station's readings of a day are one array: time, register, and the current of L1, L2, L3 that splits the energy over
the phases. So a reading that comes late is put in its place, and the blocks it touches come out anew.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
from numpy.typing import NDArray

from gridroom.cso.steps import Ints
from gridroom.oscp.v10.blocks import UNKNOWN
from gridroom.oscp.v10.messages import CableUsage, UsageBlock
from gridroom.oscp.v10.usage import usage_values
from gridroom.timegrid import EPOCH, QUARTER

COLUMNS = 5
NOMINAL_V = Decimal(230)

Readings = NDArray[np.float64]
"""Shape (m, 5): seconds since 1970, register [Wh], current of L1, L2, L3 since the last reading [0.01 A], sorted."""

EMPTY: Readings = np.empty((0, COLUMNS))


def seconds(moment: datetime) -> float:
    """Seconds since 1970."""
    return (moment - EPOCH).total_seconds()


def add(readings: Readings, at: datetime, register_wh: int, current_ca: Sequence[int | None]) -> Readings:
    """Put a reading in its place; one for the same moment replaces it.

    >>> one = add(EMPTY, EPOCH, 5, (600, 0, 0))
    >>> add(one, EPOCH, 6, (600, 0, 0)).tolist()
    [[0.0, 6.0, 600.0, 0.0, 0.0]]
    """
    row = np.array([[seconds(at), register_wh, *(float(c or 0) for c in current_ca)]])
    kept = readings[readings[:, 0] != row[0, 0]]
    place = int(np.searchsorted(kept[:, 0], row[0, 0]))
    return np.concatenate([kept[:place], row, kept[place:]])


def energy(readings: Readings, start: datetime, n: int, block: timedelta = QUARTER) -> NDArray[np.float64]:
    """Energy per phase of the station and block, shape (3, n). [Wh]

    Between two readings it flows evenly, split as the currents of the later one (of the earlier one where that has
    none). A register that runs backwards counts as no energy.

    >>> two = add(add(EMPTY, EPOCH, 0, (0, 0, 0)), EPOCH + QUARTER, 920, (1600, 0, 0))
    >>> energy(two, EPOCH, 1).round(3).tolist()
    [[920.0], [0.0], [0.0]]
    """
    if readings.shape[0] < 2:
        return np.zeros((3, n))
    shares = _shares(readings[:, 2:])
    steps = np.maximum(np.diff(readings[:, 1]), 0)
    grown = np.vstack([np.zeros(3), np.cumsum(steps[:, None] * shares, axis=0)])
    edges = seconds(start) + np.arange(n + 1) * block.total_seconds()
    return np.array([np.diff(np.interp(edges, readings[:, 0], grown[:, p])) for p in range(3)])


def to_cells(energy_wh: NDArray[np.float64]) -> Ints:
    """Energy as whole hundredths of Wh, for the record of what was reported."""
    return np.rint(energy_wh * 100).astype(np.int64)


@dataclass(frozen=True)
class Report:
    """Usage of one cable that is to be reported.

    Attributes:
        cable: Its CableId.
        cells: Energy, shape (3, n), `UNKNOWN` where nothing is to be said. [0.01 Wh]
        start: Start of the first block. [UTC]
        voltage_v: Of the cable, phase to neutral. [V]
    """

    cable: str
    cells: Ints
    start: datetime
    voltage_v: Decimal = NOMINAL_V

    def usage(self, block: timedelta = QUARTER) -> CableUsage:
        """As the message says it: Wh and mean A per phase, consistent."""
        hours = Decimal(str(block.total_seconds())) / 3600
        blocks = []
        for k in np.flatnonzero((self.cells != UNKNOWN).all(axis=0)):
            wh = [Decimal(int(v)).scaleb(-2) for v in self.cells[:, k]]
            current = [int((e * 100 / (self.voltage_v * hours)).to_integral_value(ROUND_HALF_EVEN)) for e in wh]
            begin = self.start + int(k) * block
            blocks.append(UsageBlock(begin, begin + block, usage_values(current, wh)))
        return CableUsage(self.cable, tuple(blocks))


def to_report(current: Ints, reported: Ints, due: NDArray[np.bool_]) -> Ints:
    """Blocks that differ from what was reported, or were not reported and are due; `UNKNOWN` elsewhere.

    Args:
        current: Energy by now, shape (3, n). [0.01 Wh]
        reported: Energy last reported, `UNKNOWN` where never. [0.01 Wh]
        due: Which closed blocks must be reported even without energy, shape (n,).
    """
    never = (reported == UNKNOWN).any(axis=0)
    differs = (current != reported).any(axis=0) & ~never
    fresh = never & (due | (current > 0).any(axis=0))
    return np.where(differs | fresh, current, UNKNOWN)


def sums(parts: Iterable[NDArray[np.float64]], n: int) -> NDArray[np.float64]:
    """Sum over stations, shape (3, n)."""
    total = np.zeros((3, n))
    for part in parts:
        total += part
    return total


def _shares(currents: NDArray[np.float64]) -> NDArray[np.float64]:
    """How the energy of each step is split over the phases, shape (m - 1, 3); evenly where no current is known."""
    weights = np.maximum(currents[1:], 0)
    earlier = np.maximum(currents[:-1], 0)
    weights = np.where(weights.sum(axis=1, keepdims=True) > 0, weights, earlier)
    totals = weights.sum(axis=1, keepdims=True)
    return np.where(totals > 0, weights / np.where(totals > 0, totals, 1), 1 / 3)
