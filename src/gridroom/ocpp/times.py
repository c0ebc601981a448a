"""Moments on the wire: read from JSON or XML, written for both."""

import re
from datetime import UTC, datetime, timedelta

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)((?:\.\d+)?)((?:Z|[+-]\d\d:?\d\d)?)", re.ASCII)


def read(text: str) -> datetime:
    """A moment in UTC, cut to the microsecond; without a zone it is UTC.

    Raises:
        ValueError: Not a date and time, or outside the years 1 to 9999.

    Source: OCPP 1.6 section 3.4; OSCP 1.0 section 3.2.2.

    >>> read("2026-01-05T13:00:00.5+01:00").isoformat()
    '2026-01-05T12:00:00.500000+00:00'
    >>> read("2026-01-04t24:00:00z").isoformat()
    '2026-01-05T00:00:00+00:00'
    """
    found = _TIME.fullmatch(text.upper())
    if found is None:
        raise ValueError(f"{text[:40]!r} is not a time like 2026-01-05T12:00:00Z")
    day, clock, fraction, zone = found.groups()
    midnight_after = clock in ("24:00", "24:00:00") and not fraction.strip(".0")
    try:
        at = datetime.fromisoformat(f"{day}T{'00:00:00' if midnight_after else clock}{fraction}{zone}")
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        return at + timedelta(days=midnight_after)
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:40]!r} is not a time of the calendar") from None


def write(at: datetime) -> str:
    """A moment in UTC to the millisecond, finer only where it is finer.

    >>> write(datetime(2026, 1, 1, 12, tzinfo=UTC))
    '2026-01-01T12:00:00.000Z'
    """
    unit = "microseconds" if at.microsecond % 1000 else "milliseconds"
    return at.astimezone(UTC).isoformat(timespec=unit).replace("+00:00", "Z")
