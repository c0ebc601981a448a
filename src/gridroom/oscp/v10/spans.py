"""Stretches of time with one amount per phase: what all readings of blocks share."""

from collections.abc import Callable, Iterable
from dataclasses import Field, dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Protocol, TypeVar

from gridroom import xml
from gridroom.oscp.errors import OscpError
from gridroom.oscp.v10.messages import Adjustment, CableUsage, Forecast, Refusal

UNKNOWN = -1
"""Stands in arrays where a message states no limit."""

PHASES = (1, 2, 3)
"""Numbers of the phases."""

SLACK = timedelta(seconds=1)
"""Gaps and overlaps up to this are closed. Source: decision 13."""

SHORTEST = timedelta(seconds=1)
"""Shortest block that is read. Source: decision 14."""

Amounts = tuple[int | None, int | None, int | None]
"""One amount per phase [0.01 A]; None where the message says nothing."""


@dataclass(frozen=True, slots=True)
class CableTerms:
    """What must be known of a cable to read amounts for it; what is not known refuses the amounts that need it.

    Attributes:
        maximum_ca: Configured maximum per phase; what a forecast states above it is cut. [0.01 A]
        voltage_v: Nominal voltage from phase to neutral; None refuses power. [V]
        phases: Number of phases; None refuses power that names no Phase.
    """

    maximum_ca: int | None = None
    voltage_v: Decimal | None = None
    phases: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time with one amount per phase. [0.01 A]; None where the message says nothing."""

    start: datetime
    end: datetime
    amounts: Amounts


class CableRefused(OscpError):  # noqa: N818 - a verdict on one cable, not on the message
    """One bad block refuses its cable; the others stand. Carries the `Refusal` for the answer."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.path}: {refusal.message}")
        self.refusal = refusal


def refused(cable: str, path: str, message: str, code: str = "INVALID_VALUE") -> CableRefused:
    """The refusal of a cable, to be raised."""
    return CableRefused(Refusal(cable, code, message, path))


def block_path(where: str, number: int, total: int) -> str:
    """Path of a block, numbered where there are several; the cable is named beside it."""
    return f"{where}[{number}]" if total > 1 else where


def check_times(start: datetime, end: datetime, cable: str, path: str) -> None:
    """Refuse a block that ends before it starts, or lasts less than a second. Decisions 13 and 14."""
    if end <= start:
        raise refused(cable, f"{path}/EndTime", "the block ends before it starts", "INVALID_TIME")
    if end - start < SHORTEST:
        raise refused(cable, f"{path}/EndTime", "the block is shorter than a second", "INVALID_TIME")


def agree(a: Amounts, b: Amounts) -> bool:
    """Whether two amounts say the same on each phase that both name."""
    return all(x is None or y is None or x == y for x, y in zip(a, b, strict=True))


def joined(a: Amounts, b: Amounts) -> Amounts:
    """What either names; the smaller where both do."""
    first, second, third = (y if x is None else x if y is None else min(x, y) for x, y in zip(a, b, strict=True))
    return (first, second, third)


def least(a: Amounts, b: Amounts) -> Amounts:
    """The smaller per phase; unknown where either is."""
    first, second, third = (None if x is None or y is None else min(x, y) for x, y in zip(a, b, strict=True))
    return (first, second, third)


class Timed(Protocol):
    """A frozen dataclass with a start and an end."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def start(self) -> datetime:
        """First moment. [UTC]"""

    @property
    def end(self) -> datetime:
        """First moment after. [UTC]"""


T = TypeVar("T", bound=Timed)


def closed(spans: Iterable[T], smaller: Callable[[T, T], T]) -> list[T]:
    """Spans in order and without overlap: a seam of at most a second has the smaller neighbour's amounts.

    Args:
        spans: No two of the same times, each at least a second long.
        smaller: The smaller of two neighbours; its times do not matter.

    Raises:
        ValueError: Two overlap by more than a second.

    Source: decisions 13 and 14.
    """
    apart: list[T] = []
    for span in sorted(spans, key=lambda s: (s.start, s.end)):
        last = apart[-1] if apart else None
        if last is None or last.end <= span.start:
            apart.append(span)
        elif last.end - span.start > SLACK or span.start < last.start:
            raise ValueError("blocks overlap")
        else:
            before = replace(last, end=span.start)
            seam = replace(smaller(last, span), start=span.start, end=last.end)
            apart[-1:] = [one for one in (before, seam, replace(span, start=last.end)) if one.start < one.end]
    result: list[T] = []
    for span in apart:
        if result and timedelta(0) < span.start - result[-1].end <= SLACK:
            result.append(replace(smaller(result[-1], span), start=result[-1].end, end=span.start))
        result.append(span)
    return result


def closed_spans(spans: Iterable[Span]) -> list[Span]:
    """`closed` for amounts per phase: where two overlap, what one states holds; a gap beside an unknown is unknown."""

    def smaller(last: Span, span: Span) -> Span:
        return replace(last, amounts=(joined if span.start < last.end else least)(last.amounts, span.amounts))

    return closed(spans, smaller)


C = TypeVar("C", Forecast, Adjustment, CableUsage)


def gather(containers: Iterable[C]) -> list[C]:
    """Put the blocks of repeated cables together, so that the rules for repeated blocks apply.

    Usage is told apart by EMSP too. Decision 15.

    >>> gather([Forecast("A", ()), Forecast("B", ()), Forecast("A", ())])  # doctest: +ELLIPSIS
    [Forecast(cable_id='A', ...), Forecast(cable_id='B', ...)]
    """
    found: dict[tuple[str, str | None], list[C]] = {}
    for one in containers:
        emsp = one.emsp if isinstance(one, CableUsage) else None
        found.setdefault((one.cable_id.strip(xml.SPACE), emsp), []).append(one)
    return [replace(same[0], blocks=tuple(b for one in same for b in one.blocks)) for same in found.values()]
