"""Blocks on the wall clock of a zone."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def local(start: datetime, n: int, block: timedelta, zone: ZoneInfo) -> tuple[Ints, Ints]:
    """Local day (as a proleptic ordinal) and minute of that day at the start of each block, shapes (n,).

    >>> from datetime import UTC
    >>> spring, zone = datetime(2026, 3, 29, 0, 45, tzinfo=UTC), ZoneInfo("Europe/Berlin")
    >>> day, minute = local(spring, 2, timedelta(minutes=15), zone)
    >>> day.tolist() == [datetime(2026, 3, 29).toordinal()] * 2, minute.tolist()
    (True, [105, 180])
    """
    days, minutes = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    for i in range(n):
        moment = (start + i * block).astimezone(zone)
        days[i] = moment.toordinal()
        minutes[i] = moment.hour * 60 + moment.minute
    return days, minutes
