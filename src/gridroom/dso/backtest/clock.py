"""Which clock the loads go by: people change theirs twice a year, many a benchmark does not."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np

from gridroom.dso.backtest.grid import Loads
from gridroom.dso.backtest.method import Reals

USUAL = ZoneInfo("Europe/Amsterdam")
"""The wall clock that is tried."""

DAYS = 14
"""Days on each side of a change of time that are compared."""

HOUR = timedelta(hours=1)


def found(loads: Loads, first: int, zone: ZoneInfo = USUAL) -> ZoneInfo:
    """The wall clock of a zone if the loads of the warm-up follow its changes, or saw none; UTC if they do not.

    At a change of time the daily course of loads that follow it is an hour earlier (or later) in UTC from then on. So
    the courses of two weeks before and after are compared, as they are and shifted.

    Args:
        loads: The loads.
        first: First block of the test.
        zone: Whose clock.
    """
    day, shift = timedelta(days=1) // loads.block, HOUR // loads.block
    stayed = moved = 0.0
    if not shift:
        return zone
    for block, step in _changes(loads, first, zone):
        before, after = (_course(loads, start, day) for start in (block - DAYS * day, block))
        if before is None or after is None or block + DAYS * day > first:
            continue
        stayed += float(np.nansum(np.abs(after - before)))
        moved += float(np.nansum(np.abs(after - np.roll(before, -step * shift, axis=0))))
    return zone if moved <= stayed else ZoneInfo("UTC")


def _changes(loads: Loads, first: int, zone: ZoneInfo) -> list[tuple[int, int]]:
    """First block of each UTC day of the warm-up that begins on another offset, and by how many hours it rose."""
    start = loads.time(0)
    midnight = datetime(start.year, start.month, start.day, tzinfo=UTC) + timedelta(days=1)
    days = [midnight + timedelta(days=i) for i in range((first * loads.block) // timedelta(days=1) + 1)]
    offsets = [(one.astimezone(zone).utcoffset() or timedelta(0)) // HOUR for one in days]
    return [
        (int((later - start) // loads.block), new - old)
        for (_, old), (later, new) in pairwise(zip(days, offsets, strict=True))
        if new != old
    ]


def _course(loads: Loads, start: int, day: int) -> Reals | None:
    """Mean course of `DAYS` days from a block on, shape (day, series); None where the loads do not reach."""
    if start < 0 or start + DAYS * day > loads.blocks:
        return None
    cells = loads.amps[start : start + DAYS * day].reshape(DAYS, day, -1)
    known = ~np.isnan(cells)
    sums = np.where(known, cells, 0).sum(axis=0, dtype=np.float64)
    course: Reals = sums / np.where(known.any(axis=0), known.sum(axis=0), np.nan)
    return course
