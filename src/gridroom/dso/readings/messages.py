"""What a meter sends over HTTPS or MQTT: `{"readings": [{"cable", "time", "seconds", "l1", "l2", "l3"}, ...]}`."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from gridroom.dso.cables import LONGEST_ID, Finding
from gridroom.dso.readings.measurements import (
    EARLIEST,
    LARGEST_CA,
    LATEST,
    LONGEST_S,
    NO_CABLE,
    SLICES,
    Delivery,
    DeliveryError,
    Reading,
    Reason,
    Received,
    no_number,
    series_of,
)
from gridroom.timegrid import EPOCH

LARGEST = 8 * 1024 * 1024
"""Largest delivery. [bytes]"""


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    cable: str
    time: str
    l1: float | int | str
    l2: float | int | str
    l3: float | int | str
    seconds: int = 900


class _Delivery(msgspec.Struct, forbid_unknown_fields=True):
    readings: list[msgspec.Raw]


def read_json(data: bytes, block: timedelta) -> Delivery:
    """Readings of a meter's message; broken ones are findings.

    `time` is the start in ISO 8601 with zone, `seconds` the length (900 if absent), currents are in ampere.

    Raises:
        DeliveryError: It is not such a message.
    """
    try:
        rows = msgspec.json.decode(data, type=_Delivery).readings
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DeliveryError(f"not a delivery of readings: {error}") from error
    readings, received = list[Reading](), Received()
    for number, raw in enumerate(rows):
        where = f"readings[{number}]"
        try:
            row = msgspec.json.decode(raw, type=_Row)
            one = _reading(row.cable, row.time, row.seconds, (row.l1, row.l2, row.l3), block)
            readings.append(replace(one, row=where))
        except (ValueError, msgspec.MsgspecError, RecursionError) as error:
            received.refuse(Reason.UNREADABLE, [Finding(where, str(error))], 1)
    return Delivery(series_of(readings, block), received)


def broken(error: DeliveryError) -> Delivery:
    """A delivery that cannot be read at all, as one finding."""
    received = Received()
    received.refuse(Reason.UNREADABLE, [Finding("delivery", str(error))], 1)
    return Delivery({}, received)


def _reading(cable: str, time: str, seconds: int, currents: Sequence[object], block: timedelta) -> Reading:
    if not 0 < len(cable.strip()) <= LONGEST_ID:
        raise ValueError(NO_CABLE)
    unit, shown = block // SLICES, f"time: {time[:LONGEST_ID]!r}"
    try:
        start = datetime.fromisoformat(time)
    except ValueError:
        raise ValueError(f"{shown} is no time in ISO 8601, such as 2026-01-05T17:15:00Z") from None
    if start.tzinfo is None:
        raise ValueError(f"{shown} has no zone; write UTC with Z")
    if not EARLIEST <= start < LATEST:
        raise ValueError(f"{shown} is no time of our century")
    start = start.astimezone(UTC)
    if not 0 < seconds <= LONGEST_S or timedelta(seconds=seconds) % unit:
        raise ValueError(f"seconds: {seconds} is no multiple of {unit // timedelta(seconds=1)} up to a day")
    if (start - EPOCH) % unit:
        raise ValueError(f"{shown} does not lie on a multiple of {unit // timedelta(seconds=1)} s")
    first, second, third = (_current(f"L{phase}", value) for phase, value in enumerate(currents, 1))
    odd = first[1] or second[1] or third[1]
    return Reading(cable.strip(), start, seconds, (first[0], second[0], third[0]), odd=odd)


def _current(name: str, value: object) -> tuple[int, bool]:
    """A current rounded up, cut to what is possible [0.01 A], and whether it had to be."""
    try:
        exact = Decimal(str(value))
    except ArithmeticError:
        raise ValueError(f"{name}: {no_number(str(value))}") from None
    if exact.is_nan():
        return 0, True
    if exact.copy_abs() > LARGEST_CA // 100:  # abs() rounds, and there are numbers that it cannot round
        return (LARGEST_CA if exact > 0 else -LARGEST_CA), True
    return int((exact * 100).to_integral_value(rounding="ROUND_CEILING")), False
