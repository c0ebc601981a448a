"""Measured currents as values: readings, one by one or as arrays, and what may be odd about them.

A block is divided into fifteen slices (a minute each in a quarter of an hour); a reading covers whole slices. How
readings become sums per block is in `merging`, what of them may be believed in `quality`.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from enum import IntFlag, StrEnum
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from gridroom.dso.cables import LONGEST_ID, Finding
from gridroom.storage.columns import Ints
from gridroom.timegrid import EPOCH

Bools = NDArray[np.bool_]

SLICES = 15
"""Slices per block."""

ENOUGH = 10
"""Slices that make the mean of a block count."""

LARGEST_CA = 10_000_000
"""Beyond this a current is no current of a low-voltage cable. [0.01 A]"""

LONGEST_S = 24 * 3600
"""Longest span of a reading. [s]"""

TOO_LONG = (
    "coarse readings are longer than a block and hide the peaks inside it; nothing is learned from them, so set "
    "`publish.block_s` to their length (and name a new `database`)"
)
REPLACED = "of them took the place of other values; what was learned from those is learned anew at the next publish"
NO_CABLE = f"cable: needs a name of 1 to {LONGEST_ID} characters"
COMMAS = "columns are separated by commas, and numbers have a point"
SHOWN = 100
"""Findings that are told with their words; the others are counted."""

FEW = 3
"""So many that say the same are all told."""

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
NOT_MEASURED = -(2**31)
"""Load of a block that was not measured; current of a phase that a reading says nothing about. [0.01 A]"""


class Flag(IntFlag):
    """What is odd about a block; several may hold. From LATE on it is not learned from: see `quality.usable`."""

    REPEATED = 1
    DISORDERED = 2
    """A reading came after a later one."""
    CLOCK = 4
    """Its local time exists twice, and the order of the file told which was meant."""
    GAP = 8
    """Not measured, or too little of it, though later blocks were."""
    DISPUTED = 16
    """Another value was told after the block was learned; the first one was learned, and stays."""
    LATE = 32
    """A reading came after the block was learned, or waited for."""
    CONTRADICTED = 64
    """Another value was told for a time that was measured; the first one stays."""
    IMPOSSIBLE = 128
    """A reading was no possible current; it is left out."""
    STUCK_L1 = 256
    STUCK_L2 = 512
    STUCK_L3 = 1024
    COARSE = 2048
    """A reading is longer than a block: it hides the peaks inside it."""


class Reason(StrEnum):
    """Why a reading or a block is counted as odd: blocks for gaps and stuck values, readings for the others."""

    REPEATED = "repeated"
    DISORDERED = "out of order"
    CLOCK = "clock change"
    GAP = "gap"
    LATE = "late"
    CONTRADICTED = "contradicted"
    OVERLAPPING = "overlapping"
    IMPOSSIBLE = "impossible"
    STUCK = "stuck"
    COARSE = "coarse"
    INCOMPLETE = "incomplete"
    UNREADABLE = "unreadable"
    UNKNOWN = "unknown cable"
    FUTURE = "in the future"
    OLD = "too old"


@dataclass(frozen=True, slots=True)
class Reading:
    """Mean current per phase over a span; negative is back-feed.

    Attributes:
        cable: Id of the cable, transformer or substation.
        start: First moment. [UTC]
        seconds: Length of the span. [s]
        current_ca: One value per phase. [0.01 A]
        row: Where it stands in its delivery, for findings.
        odd: It stated no possible current; what stands in `current_ca` is cut to what is possible, 0 for none.
    """

    cable: str
    start: datetime
    seconds: int
    current_ca: tuple[int, int, int]
    row: str = field(default="", compare=False)
    odd: bool = False


@dataclass(frozen=True)
class Series:
    """Readings of one cable, transformer or substation as arrays, in the order in which they came; m of them.

    Attributes:
        cable: Its id.
        block: Length of a block.
        first: Number of the first slice that each covers, counted from 1970, shape (m,).
        count: Number of slices, shape (m,).
        current_ca: Mean current, shape (3, m); `NOT_MEASURED` where nothing is said of a phase. [0.01 A]
        odd: Which state no possible current, shape (m,).
        guessed: Whose local time exists twice, shape (m,).
        rows: Where each stands in its delivery, shape (m,).
        label: How that is said.
    """

    cable: str
    block: timedelta
    first: Ints
    count: Ints
    current_ca: Ints
    odd: Bools
    guessed: Bools
    rows: NDArray[np.int64] | NDArray[np.object_]
    label: str = "row {}"

    def __len__(self) -> int:
        return len(self.first)

    @property
    def last(self) -> Ints:
        """Number of the first slice after each, shape (m,)."""
        return self.first + self.count

    def moment(self, slice_: int) -> datetime:
        """When a slice begins. [UTC]"""
        return EPOCH + int(slice_) * (self.block // SLICES)

    def where(self, i: int, zone: tzinfo = UTC) -> str:
        """What a finding about a reading names: its row, cable and time."""
        about = f"{self.cable} {self.moment(self.first[i]).astimezone(zone).isoformat()}"
        row = self.rows[i]
        return f"{self.label.format(row)}: {about}" if row else about

    def only(self, which: Bools) -> "Series":
        """Some of the readings."""
        if which.all():
            return self
        arrays = {name: getattr(self, name)[which] for name in ("first", "count", "odd", "guessed", "rows")}
        return replace(self, current_ca=self.current_ca[:, which], **arrays)


@dataclass
class Received:
    """What became of a delivery of readings.

    Attributes:
        stored: Readings that were kept.
        refused: Rows and readings that were not.
        findings: Why, for the first hundred of them.
        together: For how many of them findings speak beside the first each speaks for.
        counts: All that was odd, by reason; much of it was kept.
        replaced: Readings that took the place of other values.
        doubts: What is worth a second look of those that were kept.
    """

    stored: int = 0
    refused: int = 0
    findings: list[Finding] = field(default_factory=list)
    counts: Counter[Reason] = field(default_factory=Counter)
    together: int = 0
    replaced: int = 0
    doubts: list[Finding] = field(default_factory=list)

    @property
    def untold(self) -> int:
        """Refused ones of which no finding speaks."""
        return self.refused - len(self.findings) - self.together

    @property
    def repeated(self) -> int:
        """Readings that repeat what was measured before."""
        return self.counts[Reason.REPEATED]

    def refuse(self, reason: Reason, findings: Iterable[Finding], number: int, *, alike: bool = False) -> None:
        """Count refused readings and keep what is said of them, as long as there is room.

        Args:
            reason: What is wrong with all of them.
            findings: One for each, made only when it is asked for.
            number: How many they are.
            alike: All findings say the same: of more than a few one is enough.
        """
        if alike and number > FEW:
            first = next(iter(findings))
            one = Finding(first.where, f"{first.text} ({number - 1} more like this)")
            self.refuse_as_one(reason, one, number)
            return
        self.refused += number
        self.counts[reason] += number
        self.findings += islice(findings, max(0, SHOWN - len(self.findings)))

    def refuse_as_one(self, reason: Reason, finding: Finding, number: int) -> None:
        """Count refused readings that are all told by one finding.

        Args:
            reason: What is wrong with all of them.
            finding: What is said of them together.
            number: How many they are.
        """
        self.refused += number
        self.counts[reason] += number
        if len(self.findings) < SHOWN:
            self.findings.append(finding)
            self.together += number - 1

    def add(self, other: "Received") -> None:
        """Take in what became of a part."""
        self.stored += other.stored
        self.refused += other.refused
        self.counts += other.counts
        self.together += other.together
        self.replaced += other.replaced
        self.doubts += other.doubts[: max(0, SHOWN - len(self.doubts))]
        self.findings += other.findings[: max(0, SHOWN - len(self.findings))]

    def summary(self) -> str:
        """One line: how many were stored and refused, what was odd; and more on what was replaced or is of no use.

        >>> Received(3, 1, [], Counter({Reason.LATE: 2, Reason.GAP: 1})).summary()
        '3 readings stored, 1 refused; late: 2; gap: 1'
        """
        odd = (f"; {reason}: {number}" for reason, number in self.counts.most_common() if number)
        replaced = f"\n{self.replaced} {REPLACED}" if self.replaced else ""
        why = f"\n{TOO_LONG}" if self.counts[Reason.COARSE] > 0 else ""
        return f"{self.stored} readings stored, {self.refused} refused{''.join(odd)}{replaced}{why}"


@dataclass(frozen=True)
class Delivery:
    """What a file or a message brought: readings per cable, and what could not be read."""

    series: dict[str, Series]
    received: Received


class DeliveryError(Exception):
    """A delivery that cannot be read at all; the text says what is expected."""


class HeaderError(DeliveryError):
    """A file whose columns are not those of readings: it may be of another kind."""


def no_number(text: str) -> str:
    """What is said of a text where a number should stand.

    >>> no_number("much"), no_number("11,5")
    ("'much' is no number", "'11,5' is no number; write a point for the comma")
    """
    comma = "; write a point for the comma" if re.fullmatch(r"\s*-?\d+,\d+\s*", text) else ""
    return f"{text[:LONGEST_ID]!r} is no number{comma}"


def not_as_many(values: int, columns: int) -> str:
    """What is said of a row of CSV that does not fit its header.

    >>> not_as_many(1, 2), not_as_many(3, 2)
    ('has 1 value, not 2', 'has 3 values, not 2; write a point for the comma in a number')
    """
    comma = "; write a point for the comma in a number" if values > columns else ""
    return f"has {values} value{'s' if values > 1 else ''}, not {columns}{comma}"


def series_of(readings: Iterable[Reading], block: timedelta) -> dict[str, Series]:
    """Readings as arrays, by cable."""
    groups, unit = dict[str, list[Reading]](), block // SLICES
    for reading in readings:
        groups.setdefault(reading.cable, []).append(reading)
    return {
        cable: Series(
            cable,
            block,
            np.array([(one.start - EPOCH) // unit for one in group], dtype=np.int64),
            np.array([timedelta(seconds=one.seconds) // unit for one in group], dtype=np.int64),
            np.array([one.current_ca for one in group], dtype=np.int64).T,
            np.array([one.odd for one in group], dtype=bool),
            np.zeros(len(group), dtype=bool),
            np.array([one.row for one in group], dtype=object),
            "{}",
        )
        for cable, group in groups.items()
    }


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
