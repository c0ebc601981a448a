"""Times as a clock on the wall showed them: which moment was meant, on the days when the clock is changed too."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from zoneinfo import ZoneInfo

import numpy as np

from gridroom.storage.columns import Ints

DAY_S = 86400
ZERO = date(1970, 1, 1)


class Kind(IntEnum):
    """How sure a moment is."""

    PLAIN = 0
    GUESSED = 1
    """The clock showed it twice; the order of the rows told which time it was."""
    MISSING = 2
    """The clock never showed it."""


def to_utc(shown_s: Ints, zone: ZoneInfo) -> tuple[Ints, Ints]:
    """Moments of what a clock showed, in the order of a file.

    Of the hour that comes twice in autumn the first row with a time is the first one, in a file that goes backwards the
    last one. Where only one row has it, it is the one that keeps the order of the rows.

    Args:
        shown_s: Seconds since midnight of 1 January 1970 on that clock, shape (m,).
        zone: Whose clock.

    Returns:
        Seconds since 1970 in UTC, shape (m,), and a `Kind` for each, shape (m,).

    >>> autumn = datetime(2026, 10, 25, 2, tzinfo=UTC).timestamp()
    >>> utc, kinds = to_utc(np.array([autumn, autumn], dtype=np.int64), ZoneInfo("Europe/Amsterdam"))
    >>> ((utc - int(autumn)) // 3600).tolist(), kinds.tolist()
    ([-2, -1], [1, 1])
    """
    days, which = np.unique(shown_s // DAY_S, return_inverse=True)
    offsets = [_offset(int(day), zone) for day in days]
    even = np.array([one is not None for one in offsets], dtype=bool)
    utc = shown_s - np.array([one or 0 for one in offsets], dtype=np.int64)[which]
    kinds = np.zeros(len(shown_s), dtype=np.int64)
    changes = np.flatnonzero(~even[which])
    if len(changes):
        _resolve(changes, shown_s, zone, utc, kinds)
    return utc, kinds


def _offset(day: int, zone: ZoneInfo) -> int | None:
    """Seconds that local time is ahead all day; None on a day when that changes."""
    midnights = (datetime.combine(ZERO + timedelta(days=day + i), datetime.min.time(), zone) for i in (0, 1))
    found = {_ahead(one.replace(fold=fold)) for one in midnights for fold in (0, 1)}
    return found.pop() if len(found) == 1 else None


def _ahead(moment: datetime) -> int:
    ahead = moment.utcoffset()
    return 0 if ahead is None else ahead // timedelta(seconds=1)


def _resolve(where: Ints, shown_s: Ints, zone: ZoneInfo, utc: Ints, kinds: Ints) -> None:
    """Rows on days when the clock is changed, in place."""
    backwards = bool(shown_s[-1] < shown_s[0])
    times, met = Counter(shown_s[where].tolist()), Counter[int]()
    for i in where.tolist():
        shown = int(shown_s[i])
        local = datetime.fromtimestamp(shown, UTC).replace(tzinfo=zone)
        first, second = (shown - _ahead(local.replace(fold=fold)) for fold in (0, 1))
        utc[i] = first
        if first > second:
            kinds[i] = Kind.MISSING
        elif first < second:
            kinds[i] = Kind.GUESSED
            met[shown] += 1
            if times[shown] > 1:
                later = (met[shown] > 1) != backwards
            elif backwards:
                later = i > 0 and bool(utc[i - 1] > second)
            else:
                later = i > 0 and bool(utc[i - 1] >= first)
            utc[i] = second if later else first
