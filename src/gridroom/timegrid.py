"""Blocks of time: half open, in UTC, of a configured length (a quarter of an hour by default)."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

QUARTER = timedelta(minutes=15)
"""A quarter of an hour, the usual block. Source: OSCP 1.0 section 3.2.7."""

HOUR, DAY = timedelta(hours=1), timedelta(days=1)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Where every grid of blocks begins."""


def floor(moment: datetime, block: timedelta = QUARTER) -> datetime:
    """Start of the block that a moment lies in.

    >>> floor(datetime(2026, 1, 1, 10, 44, 59, tzinfo=UTC)).isoformat()
    '2026-01-01T10:30:00+00:00'
    """
    return moment - (moment - EPOCH) % block


def ceil(moment: datetime, block: timedelta = QUARTER) -> datetime:
    """Start of the first block that begins at or after a moment.

    >>> ceil(datetime(2026, 1, 1, 10, 31, tzinfo=UTC)).isoformat()
    '2026-01-01T10:45:00+00:00'
    """
    return moment + (EPOCH - moment) % block


def index(moment: datetime, start: datetime, block: timedelta = QUARTER) -> int:
    """Number of the block that holds `moment`, counted from `start`; negative before it.

    >>> index(datetime(2026, 1, 1, 1, 59, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
    7
    """
    return (moment - start) // block


def midnight(day: date) -> datetime:
    """Start of a UTC day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def days(start: datetime, end: datetime) -> list[date]:
    """UTC days touched by the half-open span.

    >>> len(days(datetime(2026, 1, 1, 23, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)))
    1
    """
    if end <= start:
        return []
    first = start.date()
    last = (end - timedelta(microseconds=1)).date()
    return [first + n * DAY for n in range((last - first).days + 1)]


def local_span(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """A local day as a UTC span: 23, 24 or 25 hours.

    >>> a, b = local_span(date(2026, 3, 29), ZoneInfo("Europe/Amsterdam"))
    >>> (b - a) // QUARTER
    92
    """
    start = datetime(day.year, day.month, day.day, tzinfo=zone)
    following = day + DAY
    end = datetime(following.year, following.month, following.day, tzinfo=zone)
    return start.astimezone(UTC), end.astimezone(UTC)
