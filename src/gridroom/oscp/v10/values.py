"""The words between the tags: times, decimals, units, phases, result types. Decisions by number: docs/deviations.md."""

import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from enum import Enum

from gridroom.oscp.errors import LocalError
from gridroom.oscp.v10.messages import ResultType

CAPACITY_UNITS = frozenset({"A", "W", "kW"})
"""Units that can limit a capacity. Source: decision 4."""

USAGE_UNITS = frozenset({"A", "W", "kW", "Wh", "kWh"})
"""Units that can state a usage. Source: decision 4."""

UNITS_OF_MEASURE = (
    *("A", "ASU", "C", "dB", "Deg", "F", "g", "Hz", "kPa", "kvar", "kvarh", "kW", "kWh"),
    *("lx", "ms2", "N", "ohm", "pct", "RH", "RPM", "s", "var", "varh", "V", "W", "Wh"),
)
"""The 26 units of the enumeration; no two differ by letter case only. Source: OSCP 1.0 section 3.2.3."""

UNITS = {unit.lower(): unit for unit in UNITS_OF_MEASURE} | {"amp": "A", "amps": "A"}
"""Lower case spelling to the unit it means; "Amp" is ValueType's default in the text. Source: decision 4."""

RESULT_TYPES = {
    "success": ResultType.SUCCESS,
    "succes": ResultType.SUCCESS,
    "ok": ResultType.SUCCESS,
    "failed": ResultType.FAILED,
    "notallowed": ResultType.NOT_ALLOWED,
    "notimplemented": ResultType.NOT_IMPLEMENTED,
    "error": ResultType.ERROR,
}
"""Every spelling of a result type, without space, underscore and letter case. Source: decisions 7 and 8."""

CENT = Decimal("0.01")
"""Steps in which numbers are written. Source: decision 34."""

MAX_DIGITS = 100
"""Most characters of a number that is read."""

SECOND = timedelta(seconds=1)
"""Steps in which times of blocks are written."""

_WIDE = Context(prec=3 * MAX_DIGITS)

PLAIN_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?!24)[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
"""A time that `datetime.fromisoformat` reads as we do: UTC, whole seconds."""

_TIME = re.compile(
    r"[ \t\r\n]*([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2}:[0-9]{2})"
    r"(?:\.([0-9]+))?(Z|[+-][0-9]{2}:[0-9]{2})?[ \t\r\n]*"
)
_DECIMAL = re.compile(r"[ \t\r\n]*[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[ \t\r\n]*")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


class Zone(Enum):
    """How a time named its zone."""

    UTC = "Z"
    OFFSET = "offset"
    NONE = "none"


def read_time(text: str) -> tuple[datetime, Zone]:
    """A dateTime in UTC, fractions cut to the microsecond, and how it named its zone; outer white space is allowed.

    Raises:
        ValueError: Not a dateTime of XML Schema, or outside the years 1 to 9999.

    Source: OSCP 1.0 section 3.2.2; decisions 11 and 12.

    >>> read_time("2015-04-09T24:00:00Z")[0].isoformat()
    '2015-04-10T00:00:00+00:00'
    >>> read_time("2015-04-09T08:02:49.1339663+02:00")[0].isoformat()
    '2015-04-09T06:02:49.133966+00:00'
    """
    if PLAIN_TIME.fullmatch(text):
        return datetime.fromisoformat(text), Zone.UTC
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError("a time must read like 2015-04-09T08:15:00Z")
    day, clock, fraction, zone = found.groups()
    midnight_after = clock == "24:00:00" and not (fraction or "").strip("0")
    moment = datetime.fromisoformat(f"{day}T{'00:00:00' if midnight_after else clock}").replace(tzinfo=UTC)
    if fraction:
        moment = moment.replace(microsecond=int(fraction[:6].ljust(6, "0")))
    try:
        if midnight_after:
            moment += timedelta(days=1)
        if zone in (None, "Z"):
            return moment, Zone.NONE if zone is None else Zone.UTC
        hours, minutes = int(zone[1:3]), int(zone[4:6])
        if minutes > 59 or hours * 60 + minutes > 14 * 60:
            raise ValueError("a zone offset must lie between -14:00 and +14:00")
        offset = timedelta(hours=hours, minutes=minutes)
        return moment - (offset if zone[0] == "+" else -offset), Zone.OFFSET
    except OverflowError as error:
        raise ValueError("the time lies outside the years 1 to 9999") from error


def read_end(moment: datetime) -> datetime:
    """The first moment after a block whose EndTime is given: the last second of a minute means the next full one.

    Raises:
        ValueError: After the year 9999.

    Source: decision 13.

    >>> read_end(datetime(2015, 4, 9, 0, 14, 59, tzinfo=UTC)).isoformat()
    '2015-04-09T00:15:00+00:00'
    """
    if moment.second != 59:
        return moment
    try:
        return (moment.replace(microsecond=0) if moment.microsecond else moment) + SECOND
    except OverflowError as error:
        raise ValueError("the time lies outside the years 1 to 9999") from error


def write_time(moment: datetime) -> str:
    """A time of a block or clock: UTC, whole seconds, `Z`.

    Raises:
        LocalError: Without zone, or with a fraction of a second.

    Source: decisions 11 and 12.

    >>> write_time(datetime(2015, 4, 9, 8, 15, tzinfo=UTC))
    '2015-04-09T08:15:00Z'
    """
    utc = _utc(moment)
    if utc.microsecond:
        raise LocalError(f"{moment.isoformat()}: times of blocks are whole seconds")
    return utc.isoformat()[:19] + "Z"


def write_instant(moment: datetime) -> str:
    """A time in a header: UTC, milliseconds, `Z`.

    Raises:
        LocalError: Without zone.

    Source: decision 12.

    >>> write_instant(datetime(2015, 4, 9, 0, 0, 4, 609999, tzinfo=UTC))
    '2015-04-09T00:00:04.609Z'
    """
    return _utc(moment).isoformat(timespec="milliseconds")[:23] + "Z"


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise LocalError(f"{moment.isoformat()} has no time zone; give times in UTC")
    return moment.astimezone(UTC)


def write_end(moment: datetime, ends: str) -> str:
    """An EndTime: the last second (`inclusive`, where the block ends at a full minute) or the first moment after.

    Raises:
        LocalError: It would be read back as another moment.

    Source: decision 13.

    >>> write_end(datetime(2015, 4, 9, 0, 15, tzinfo=UTC), "inclusive")
    '2015-04-09T00:14:59Z'
    """
    if moment.second == 59:
        raise LocalError(f"a block that ends at {moment.isoformat()} would be read as ending a second later")
    return write_time(moment - SECOND if ends == "inclusive" and moment.second == 0 else moment)


def read_decimal(text: str) -> Decimal:
    """An xs:decimal, exact; outer white space is allowed.

    Raises:
        ValueError: Exponent, NaN, INF, comma, inner space, empty, or more than 100 characters.

    Source: decision 34.

    >>> read_decimal("+024.50")
    Decimal('24.50')
    """
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number may have at most {MAX_DIGITS} characters")
    plain = text.isascii() and text.replace(".", "", 1).isdecimal()
    if not plain and _DECIMAL.fullmatch(text) is None:
        raise ValueError("a number must read like 24.00")
    return Decimal(text)


def write_capacity(value: Decimal) -> str:
    """A limit, request, grant or give-back with two decimals, towards less.

    >>> write_capacity(Decimal("24.999")), write_capacity(Decimal("-0.001"))
    ('24.99', '-0.01')
    """
    return _two_decimals(value, ROUND_FLOOR)


def write_usage(value: Decimal) -> str:
    """A usage with two decimals, to the nearest, halves to even.

    >>> write_usage(Decimal("1.005")), write_usage(Decimal("1.015"))
    ('1.00', '1.02')
    """
    return _two_decimals(value, ROUND_HALF_EVEN)


def _two_decimals(value: Decimal, rounding: str) -> str:
    if not value.is_finite():
        raise LocalError(f"{value} is not a number that can be written")
    if value.adjusted() > MAX_DIGITS - 10:
        raise LocalError(f"{value} is too large to be written")
    text = format(value.quantize(CENT, rounding=rounding, context=_WIDE), "f")
    return "0.00" if text == "-0.00" else text


def read_integer(text: str) -> int:
    """An xs:integer of at most 18 digits.

    Raises:
        ValueError: Anything else.

    >>> read_integer("-2")
    -2
    """
    if _INTEGER.fullmatch(text) is None:
        raise ValueError("an integer was expected")
    return int(text)


def read_result_type(text: str) -> ResultType | None:
    """A result type in any of its spellings; None when it is none of them.

    >>> str(read_result_type("SUCCES")), str(read_result_type("not_allowed")), read_result_type("FINE")
    ('SUCCESS', 'NOT ALLOWED', None)
    """
    return RESULT_TYPES.get("".join(text.split()).replace("_", "").replace("-", "").lower())
