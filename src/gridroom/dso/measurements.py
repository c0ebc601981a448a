"""Measured currents: rows of a file or of a meter's message become means per phase and block.

A block is divided into fifteen slices (a minute each in a quarter of an hour); a reading covers whole slices. A slice
that was measured already is not counted again, so a meter may repeat itself; who tells something else of the same time
is told so, and the first value stays.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

import msgspec
import numpy as np

from gridroom.dso.cables import Finding
from gridroom.storage.columns import Ints
from gridroom.timegrid import EPOCH

SLICES = 15
"""Slices per block."""

ENOUGH = 10
"""Slices that make the mean of a block count."""

LARGEST_CA = 10_000_000
"""Beyond this a current is no current of a low-voltage cable. [0.01 A]"""

LONGEST_S = 24 * 3600
"""Longest span of a reading. [s]"""

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
NOT_MEASURED = -(2**31)
"""Load of a block that was not measured. [0.01 A]"""


@dataclass(frozen=True, slots=True)
class Reading:
    """Mean current per phase over a span; negative is back-feed.

    Attributes:
        cable: CableId.
        start: First moment. [UTC]
        seconds: Length of the span. [s]
        current_ca: One value per phase. [0.01 A]
        row: Where it stands in its delivery, for findings.
    """

    cable: str
    start: datetime
    seconds: int
    current_ca: tuple[int, int, int]
    row: str = field(default="", compare=False)

    @property
    def where(self) -> str:
        """What a finding about it names: its row, cable and time."""
        about = f"{self.cable} {self.start.isoformat()}"
        return f"{self.row}: {about}" if self.row else about

    @property
    def end(self) -> datetime:
        """First moment after the span. [UTC]"""
        return self.start + timedelta(seconds=self.seconds)


@dataclass
class Received:
    """What became of a delivery of readings."""

    stored: int = 0
    repeated: int = 0
    findings: list[Finding] = field(default_factory=list)


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    cable: str
    time: str
    l1: float | int | str
    l2: float | int | str
    l3: float | int | str
    seconds: int = 900


class _Delivery(msgspec.Struct, forbid_unknown_fields=True):
    readings: list[msgspec.Raw]


class DeliveryError(Exception):
    """A delivery that cannot be read at all; the text says what is expected."""


def read_csv(text: str, block: timedelta) -> tuple[list[Reading], list[Finding]]:
    r"""Readings of a CSV file with the columns `time,cable,L1,L2,L3` and, optionally, `seconds`.

    `time` is the start in ISO 8601 with zone, currents are in ampere; without `seconds` a row covers one block. A
    broken row is a finding with its line; the others are read.

    Raises:
        DeliveryError: The header line is not as said.

    >>> rows, findings = read_csv("time,cable,L1,L2,L3\n2026-01-05T00:00:00Z,c1,10,11.5,x\n", timedelta(minutes=15))
    >>> str(findings[0])
    "row 2: L3: 'x' is no number"
    """
    readings, findings = list[Reading](), list[Finding]()
    rows = _rows(text, findings)
    header = [name.strip() for name in next(rows, (1, []))[1]]
    missing = [name for name in ("time", "cable", "L1", "L2", "L3") if name not in header]
    strange = [name for name in header if name not in ("time", "cable", "L1", "L2", "L3", "seconds")]
    if missing or strange or len(set(header)) < len(header):
        raise DeliveryError(f"row 1: the columns must be time,cable,L1,L2,L3 and optionally seconds, not {header}")
    for line, cells in rows:
        where = f"row {line}"
        if not cells:
            continue
        if len(cells) != len(header):
            findings.append(Finding(where, f"has {len(cells)} values, not {len(header)}"))
            continue
        row = dict(zip(header, (cell.strip() for cell in cells), strict=True))
        seconds = row.get("seconds") or str(block // timedelta(seconds=1))
        try:
            one = _reading(row["cable"], row["time"], seconds, (row["L1"], row["L2"], row["L3"]), block)
            readings.append(replace(one, row=where))
        except ValueError as error:
            findings.append(Finding(where, str(error)))
    return readings, findings


def _rows(text: str, findings: list[Finding]) -> Iterator[tuple[int, list[str]]]:
    """The rows that can be read at all, with the number of their last line; the others are findings."""
    table = csv.reader(io.StringIO(text))
    while True:
        try:
            cells = next(table)
            yield table.line_num, cells
        except StopIteration:
            return
        except csv.Error as error:
            findings.append(Finding(f"row {table.line_num}", str(error)))


def read_json(data: bytes, block: timedelta) -> tuple[list[Reading], list[Finding]]:
    """Readings of a meter's message `{"readings": [{"cable", "time", "seconds", "l1", "l2", "l3"}, ...]}`.

    `time` is the start in ISO 8601 with zone, `seconds` the length (900 if absent), currents are in ampere.

    Raises:
        DeliveryError: It is not such a message.
    """
    try:
        rows = msgspec.json.decode(data, type=_Delivery).readings
    except msgspec.MsgspecError as error:
        raise DeliveryError(f"not a delivery of readings: {error}") from error
    readings, findings = list[Reading](), list[Finding]()
    for number, raw in enumerate(rows):
        where = f"readings[{number}]"
        try:
            row = msgspec.json.decode(raw, type=_Row)
            one = _reading(row.cable, row.time, row.seconds, (row.l1, row.l2, row.l3), block)
            readings.append(replace(one, row=where))
        except (ValueError, msgspec.MsgspecError) as error:
            findings.append(Finding(where, str(error)))
    return readings, findings


def accumulate(readings: Iterable[Reading], start: datetime, block: timedelta, sums: Ints, masks: Ints) -> Received:
    """Add readings of one cable to sums per block, in place.

    What was measured before stays. A reading that repeats it is counted as repeated; one that overlaps with part of it,
    or states another value for it, is a finding. (A value can be compared where nothing else of its block was measured
    before, or where it comes in the same delivery; a difference elsewhere goes unnoticed.)

    Args:
        readings: All within the blocks given.
        start: Start of the first block. [UTC]
        block: Length of a block.
        sums: Sum of current over measured slices, shape (3, n). [0.01 A]
        masks: A bit per slice that was measured, shape (1, n).
    """
    received, taken = Received(), dict[tuple[datetime, int], Reading]()
    unit = block // SLICES
    for reading in readings:
        first, count = (reading.start - start) // unit, timedelta(seconds=reading.seconds) // unit
        spans = list(_spans(first, count))
        if any(masks[0, cell] & bits for cell, bits, _ in spans):
            odd = _contradiction(reading, spans, sums, masks, taken.get((reading.start, reading.seconds)))
            received.repeated += not odd
            received.findings += [Finding(reading.where, odd)] if odd else []
            continue
        taken[reading.start, reading.seconds] = reading
        for cell, bits, number in spans:
            masks[0, cell] |= bits
            sums[:, cell] += np.array(reading.current_ca, dtype=np.int64) * number
        received.stored += 1
    return received


def _contradiction(
    reading: Reading, spans: Sequence[tuple[int, int, int]], sums: Ints, masks: Ints, twin: Reading | None
) -> str:
    """What a reading says against what was measured before; empty when it repeats it, as far as can be told."""
    if any(masks[0, cell] & bits != bits for cell, bits, _ in spans):
        return "overlaps with a part of what was measured before; what was measured stays"
    current = np.array(reading.current_ca, dtype=np.int64)
    alone = [(cell, number) for cell, bits, number in spans if masks[0, cell] == bits]
    differs = any((abs(sums[:, cell] - current * number) > number).any() for cell, number in alone)  # beyond rounding
    if differs or (twin is not None and twin.current_ca != reading.current_ca):
        return "states another value than was measured before; the first one stays"
    return ""


def means(sums: Ints, masks: Ints) -> Ints:
    """Mean current per block, rounded up; `NOT_MEASURED` where fewer than `ENOUGH` slices were measured.

    >>> means(np.array([[300], [301], [-305]]), np.array([[0b1111111111]])).tolist()
    [[30], [31], [-30]]
    >>> means(np.array([[300], [301], [-305]]), np.array([[0b111]])).tolist() == [[NOT_MEASURED]] * 3
    True
    """
    slices = np.bitwise_count(masks[0]).astype(np.int64)
    mean = -(-sums // np.maximum(slices, 1))
    return np.where(slices >= ENOUGH, mean, NOT_MEASURED)


def _spans(first: int, count: int) -> Iterable[tuple[int, int, int]]:
    """Block, bits and number of slices for a run of slices."""
    while count > 0:
        cell, offset = divmod(first, SLICES)
        number = min(count, SLICES - offset)
        yield cell, ((1 << number) - 1) << offset, number
        first, count = first + number, count - number


def _reading(cable: str, time: str, seconds: str | int, currents: Sequence[object], block: timedelta) -> Reading:
    if not cable.strip():
        raise ValueError("cable: is missing")
    unit = block // SLICES
    try:
        start = datetime.fromisoformat(time)
    except ValueError:
        raise ValueError(f"time: {time!r} is no time in ISO 8601, such as 2026-01-05T17:15:00Z") from None
    if start.tzinfo is None:
        raise ValueError(f"time: {time!r} has no zone; write UTC with Z")
    if not EARLIEST <= start < LATEST:
        raise ValueError(f"time: {time!r} is no time of our century")
    start = start.astimezone(UTC)
    length = _whole(seconds)
    if not 0 < length <= LONGEST_S or timedelta(seconds=length) % unit:
        raise ValueError(f"seconds: {length} is no multiple of {unit // timedelta(seconds=1)} up to a day")
    if (start - EPOCH) % unit:
        raise ValueError(f"time: {time!r} does not lie on a multiple of {unit // timedelta(seconds=1)} s")
    first, second, third = (_current(f"L{phase}", value) for phase, value in enumerate(currents, 1))
    return Reading(cable.strip(), start, length, (first, second, third))


def _whole(value: str | int) -> int:
    try:
        return int(value)
    except ValueError:
        raise ValueError(f"seconds: {value!r} is no whole number") from None


def _current(name: str, value: object) -> int:
    try:
        exact = Decimal(str(value)) * 100
        if not exact.is_finite():
            raise InvalidOperation
    except ArithmeticError:
        raise ValueError(f"{name}: {value!r} is no number") from None
    if abs(exact) > LARGEST_CA:
        raise ValueError(f"{name}: {value} A is out of range")
    return int(exact.to_integral_value(rounding="ROUND_CEILING"))
