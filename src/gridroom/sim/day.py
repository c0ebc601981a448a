"""The street's day: 06:00 to 06:00 in Europe/Amsterdam, lived in steps of five minutes."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Amsterdam")
DAY_STARTS = timedelta(hours=6)
STEP = timedelta(minutes=5)


def span(day: date) -> tuple[datetime, datetime]:
    """The street's day in UTC: 06:00 local to 06:00 local of the next; 23, 24 or 25 hours.

    >>> [t.isoformat() for t in span(date(2016, 1, 19))]
    ['2016-01-19T05:00:00+00:00', '2016-01-20T05:00:00+00:00']
    """
    first, second = (datetime(d.year, d.month, d.day, tzinfo=ZONE) + DAY_STARTS for d in (day, day + timedelta(days=1)))
    return first.astimezone(UTC), second.astimezone(UTC)


def day_of(moment: datetime) -> date:
    """The street's day that a moment belongs to.

    >>> day_of(datetime(2016, 1, 20, 4, 59, tzinfo=UTC)).isoformat()
    '2016-01-19'
    """
    return (moment.astimezone(ZONE).replace(tzinfo=None) - DAY_STARTS).date()
