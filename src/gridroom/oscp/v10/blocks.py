"""What the blocks of a message mean: hundredths of an ampere per phase over time.

A message states amounts with units and phases (`ValueType`); here they become spans of integers, and spans become a
planning grid. Every choice rounds towards less capacity. Usage is read in `usage.py`. Decisions by number:
docs/deviations.md.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, ROUND_FLOOR, Decimal

import numpy as np
from numpy.typing import NDArray

from gridroom.oscp.v10.messages import (
    Adjustment,
    Deviation,
    Forecast,
    ForecastedBlock,
    Refusal,
    ValueType,
)
from gridroom.oscp.v10.profile import PeerProfile

UNKNOWN = -1
"""Grid value of a cell for which the message states no limit."""

FORECASTED = "Envelope/Body/UpdateCableCapacityForecastRequest/Forecast/ForecastedBlock"
ASKED = "Envelope/Body/RequestAdjustedCapacityRequest/Adjustment/CapacityBlock"
ANSWERED = "Envelope/Body/RequestAdjustedCapacityResponse/Adjustment/CapacityBlock"
"""Where the blocks of a cable stand; which container of several it is, the cable's id tells."""

PHASES = (1, 2, 3)
SLACK = timedelta(seconds=1)
FINE = timedelta(hours=2)
COARSE = timedelta(hours=2)
VOLTAGE_BAND = Decimal("1.1")

Amounts = tuple[int | None, int | None, int | None]
Grid = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CableTerms:
    """What must be known of a cable to read amounts for it.

    Attributes:
        maximum_ca: Configured maximum per phase; what a forecast states above it is cut. [0.01 A]
        voltage_v: Nominal voltage from phase to neutral; None refuses power. [V]
        phases: Number of phases.
    """

    maximum_ca: int | None = None
    voltage_v: Decimal | None = Decimal(230)
    phases: int = 3


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time with one amount per phase. [0.01 A]; None where the message says nothing."""

    start: datetime
    end: datetime
    amounts: Amounts


class CableRefused(Exception):  # noqa: N818 - a verdict on one cable, not on the message
    """One bad block refuses its cable; the others stand. Carries the `Refusal` for the answer."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.path}: {refusal.message}")
        self.refusal = refusal


def forecast_spans(forecast: Forecast, terms: CableTerms) -> tuple[list[Span], list[Span], list[Deviation]]:
    """Capacity and remaining (backup) capacity that a forecast states, sorted, without overlap.

    Args:
        forecast: One cable's forecast; repeated cables first go through `gather`.
        terms: What is known of the cable.

    Raises:
        CableRefused: A block ends before it starts, overlaps with another value, or has amounts that cannot be read.

    Source: OSCP 1.0 section 3.2.3; decisions 3, 4, 5, 13, 14, 15, 34.
    """
    cable, notes = forecast.cable_id, list[Deviation]()
    read: list[tuple[Span, Span]] = []
    for number, block in enumerate(forecast.blocks, 1):
        path = _block_path(FORECASTED, number, len(forecast.blocks))
        _check_times(block.start, block.end, cable, path)
        capacity = _amounts(block.capacity, terms, cable, f"{path}/Capacity", notes, _least, ROUND_FLOOR)
        spare = _amounts(block.remaining, terms, cable, f"{path}/RemainingCapacity", notes, _least, ROUND_FLOOR)
        spare = tuple(0 if v is None else v for v in spare)  # type: ignore[assignment]
        read.append((Span(block.start, block.end, capacity), Span(block.start, block.end, spare)))
    capacity_spans = [_cut(span, terms, cable, notes) for span, _ in read]
    if any(later.start < earlier.start for earlier, later in itertools.pairwise(capacity_spans)):
        notes.append(Deviation(14, FORECASTED, f"cable {cable}: blocks out of order, sorted"))
    remaining_spans = [replace(s, amounts=tuple(max(0, v or 0) for v in s.amounts)) for _, s in read]  # type: ignore[arg-type]
    return (
        _without_overlap(capacity_spans, cable, notes),
        _smallest_of_overlaps(remaining_spans),
        notes,
    )


def request_spans(adjustment: Adjustment, terms: CableTerms) -> tuple[list[Span], list[Deviation]]:
    """Signed deltas that a request asks for, in the order asked, repeats dropped; None is "no change".

    No phase is named twice for one time. Amounts are rounded towards zero, so that neither a grant nor a give-back is
    read as larger than stated.

    Raises:
        CableRefused: Different values for overlapping times, or amounts that cannot be read.

    Source: OSCP 1.0 section 3.2.5.1; decisions 5, 6, 15, 16, 34.
    """
    return _change_spans(adjustment, terms, ASKED)


def _change_spans(adjustment: Adjustment, terms: CableTerms, where: str) -> tuple[list[Span], list[Deviation]]:
    cable, notes = adjustment.cable_id, list[Deviation]()
    found: dict[tuple[datetime, datetime], Span] = {}
    for number, block in enumerate(adjustment.blocks, 1):
        path = _block_path(where, number, len(adjustment.blocks))
        _check_times(block.start, block.end, cable, path)
        amounts = _amounts(block.capacity, terms, cable, f"{path}/Capacity", notes, _nearest_zero, ROUND_DOWN)
        span = Span(block.start, block.end, amounts)
        known = found.setdefault((block.start, block.end), span)
        if known is span:
            continue
        if not _agree(known.amounts, amounts):
            raise _refused(cable, path, "different values for overlapping times")
        found[block.start, block.end] = _merged(known, span, cable, path, notes)
    spans = list(found.values())
    _refuse_overlaps(spans, cable, where)
    return spans, notes


def answer_spans(
    asked: Sequence[Span], answer: Adjustment | None, terms: CableTerms, *, granted: bool
) -> tuple[list[Span], list[Deviation]]:
    """What an answer grants of the extra capacity asked for: per block and phase never more than asked.

    Args:
        asked: The request's spans.
        answer: The answer's blocks for this cable; None when it names none.
        terms: What is known of the cable.
        granted: Whether its deltas count at all: the Result is SUCCESS, or FAILED with code NO_CAPACITY.

    Returns:
        A span for each one asked; give-backs yield 0, since they count when sent and no answer undoes them.

    Source: OSCP 1.0 section 3.2.5.2; decision 16.
    """
    notes: list[Deviation] = []
    stated: dict[tuple[datetime, datetime], Amounts] = {}
    if answer is not None and granted:
        try:
            spans, notes = _change_spans(answer, terms, ANSWERED)
        except CableRefused as error:
            spans = []
            notes.append(Deviation(16, error.refusal.path, f"{error.refusal.message}; nothing counted as granted"))
        stated = {(s.start, s.end): s.amounts for s in spans}
    result = []
    for span in asked:
        given = stated.pop((span.start, span.end), (0, 0, 0))
        pairs = zip(span.amounts, given, strict=True)
        result.append(Span(span.start, span.end, tuple(max(0, min(a or 0, g or 0)) for a, g in pairs)))  # type: ignore[arg-type]
    if stated:
        notes.append(Deviation(16, ANSWERED, "blocks that were not asked for count as 0"))
    return result, notes


def gather(forecasts: Iterable[Forecast]) -> list[Forecast]:
    """Put the blocks of repeated cables together, so that the rules for repeated blocks apply. Decision 15."""
    found: dict[str, list[Forecast]] = {}
    for forecast in forecasts:
        found.setdefault(forecast.cable_id, []).append(forecast)
    return [replace(same[0], blocks=tuple(block for one in same for block in one.blocks)) for same in found.values()]


def to_grid(spans: Iterable[Span], start: datetime, n: int, block: timedelta) -> Grid:
    """Limits on the planning grid: each cell the smallest value that touches it.

    Args:
        spans: Limits without overlap.
        start: Start of the first cell. [UTC]
        n: Number of cells.
        block: Length of a cell.

    Returns:
        Shape (3, n) [0.01 A]; `UNKNOWN` where the spans leave any part of a cell open.

    Source: decision 14.
    """
    top = np.iinfo(np.int64).max
    cells = np.full((3, n), top, dtype=np.int64)
    covered = np.zeros((3, n), dtype=np.int64)
    whole = round(block.total_seconds() * 1_000_000)
    micro = timedelta(microseconds=1)
    for span in spans:
        first, last = (span.start - start) // micro, (span.end - start) // micro
        if last <= 0 or first >= n * whole:
            continue
        a, b = max(0, first // whole), min(n, -(-last // whole))
        values = np.array([UNKNOWN if v is None else v for v in span.amounts], dtype=np.int64)
        known = values != UNKNOWN
        edges = np.arange(a, b, dtype=np.int64) * whole
        part = np.minimum(edges + whole, last) - np.maximum(edges, first)
        covered[:, a:b] += np.where(known[:, None], part[None, :], 0)
        cells[:, a:b] = np.where(known[:, None], np.minimum(cells[:, a:b], values[:, None]), cells[:, a:b])
    return np.where(covered >= whole, cells, UNKNOWN)


def amounts(values_ca: Sequence[int], profile: PeerProfile) -> tuple[ValueType, ...]:
    """Write one amount per phase as the peer wants it.

    >>> [str(v.value) for v in amounts((2400, 1650, 2400), PeerProfile())]
    ['16.50']
    >>> [(v.phase, str(v.value)) for v in amounts((2400, 1650, 2400), PeerProfile(phases="per-phase"))]
    [(1, '24.00'), (2, '16.50'), (3, '24.00')]

    Source: decisions 5 and 34.
    """
    values = [int(v) for v in values_ca]
    if profile.phases == "smallest" or len(set(values)) == 1:
        return (ValueType(_decimal(min(values))),)
    return tuple(ValueType(_decimal(v), "A", p) for p, v in zip(PHASES, values, strict=True))


def forecast_blocks(
    start: datetime, block: timedelta, limits_ca: Grid, remaining_ca: Grid, profile: PeerProfile
) -> tuple[ForecastedBlock, ...]:
    """Write a grid of limits as forecast blocks in the peer's shape.

    Args:
        start: Start of the first cell. [UTC]
        block: Length of a cell.
        limits_ca: Allotment, shape (3, n). [0.01 A]
        remaining_ca: Backup capacity, shape (3, n). [0.01 A]
        profile: `full` writes every block, `merged` joins equal neighbours, `tail` writes two fine hours and then
            coarse blocks, each the minimum of what it covers.

    Source: OSCP 1.0 section 3.2.3 and footnote 1; decision 14.
    """
    n = limits_ca.shape[1]
    if profile.shape == "tail":
        fine, coarse = min(n, FINE // block), COARSE // block
        edges = [*range(fine), *range(fine, n, coarse), n]
    elif profile.shape == "merged":
        both = np.concatenate([limits_ca, remaining_ca])
        changes = np.flatnonzero(np.any(both[:, 1:] != both[:, :-1], axis=0)) + 1
        edges = [0, *(int(c) for c in changes), n]
    else:
        edges = list(range(n + 1))
    return tuple(
        ForecastedBlock(
            start + a * block,
            start + b * block,
            amounts(limits_ca[:, a:b].min(axis=1).tolist(), profile),
            amounts(remaining_ca[:, a:b].min(axis=1).tolist(), profile),
        )
        for a, b in itertools.pairwise(edges)
    )


def _decimal(value_ca: int) -> Decimal:
    return Decimal(value_ca).scaleb(-2)


def _refused(cable: str, path: str, message: str) -> CableRefused:
    return CableRefused(Refusal(cable, "INVALID_VALUE", message, path))


def _check_times(start: datetime, end: datetime, cable: str, path: str) -> None:
    if end <= start:
        raise _refused(cable, f"{path}/EndTime", "block ends before it starts")


def ampere_ca(value: ValueType, terms: CableTerms, rounding: str) -> int | None:
    """One amount as current per phase [0.01 A]; None where the unit is no capacity or the voltage is not known.

    Power is converted at 1.1 times the nominal voltage, without Phase as the sum of the phases. Decision 4.
    """
    if value.unit == "A":
        exact = value.value * 100
    elif value.unit in ("W", "kW") and terms.voltage_v:
        watt = value.value * (1000 if value.unit == "kW" else 1)
        shared = 1 if value.phase else terms.phases
        exact = watt * 100 / (terms.voltage_v * VOLTAGE_BAND * shared)
    else:
        return None
    return int(exact.to_integral_value(rounding=rounding))


def _least(values: Sequence[int]) -> int:
    return min(values)


def _nearest_zero(values: Sequence[int]) -> int:
    if any(v > 0 for v in values) and any(v < 0 for v in values):
        return 0
    return min(values, key=abs)


def _amounts(
    stated: Sequence[ValueType],
    terms: CableTerms,
    cable: str,
    path: str,
    notes: list[Deviation],
    choose: Callable[[Sequence[int]], int],
    rounding: str,
) -> Amounts:
    read: dict[int | None, list[int]] = {}
    for value in stated:
        amount = ampere_ca(value, terms, rounding)
        if amount is None:
            raise _refused(cable, path, f"unit {value.unit} cannot be read as current here")
        read.setdefault(value.phase, []).append(amount)
    if not read:
        return (None, None, None)
    if None in read:
        if len(read) > 1:
            raise _refused(cable, path, "some values name a Phase and some do not")
        values = read[None]
        if len(values) > 1:
            notes.append(
                Deviation(5, path, f"cable {cable}: {len(values)} values without Phase, {choose(values)} taken")
            )
        one = choose(values)
        return (one, one, one)
    for phase, values in read.items():
        if len(set(values)) > 1:
            raise _refused(cable, path, f"Phase {phase} is stated twice with different values")
    if len(read) < len(PHASES):
        notes.append(Deviation(5, path, f"cable {cable}: only phases {sorted(p for p in read if p)} are stated"))
    first, second, third = (read[p][0] if p in read else None for p in PHASES)
    return (first, second, third)


def _cut(span: Span, terms: CableTerms, cable: str, notes: list[Deviation]) -> Span:
    cut: list[int | None] = []
    for value in span.amounts:
        if value is not None and value < 0:
            notes.append(Deviation(34, f"{FORECASTED}/Capacity", f"cable {cable}: negative, read as 0"))
            value = 0
        if value is not None and terms.maximum_ca is not None and value > terms.maximum_ca:
            notes.append(Deviation(34, f"{FORECASTED}/Capacity", f"cable {cable}: above the maximum, cut"))
            value = terms.maximum_ca
        cut.append(value)
    return Span(span.start, span.end, (cut[0], cut[1], cut[2]))


def _block_path(where: str, number: int, total: int) -> str:
    """Path of a block, numbered where there are several; the cable is named beside it."""
    return f"{where}[{number}]" if total > 1 else where


def _refuse_overlaps(spans: Iterable[Span], cable: str, where: str) -> None:
    """Changes of one phase that overlap by more than a second: added up they would be more than any of them states."""
    ends: dict[int, datetime] = {}
    for span in sorted(spans, key=lambda s: (s.start, s.end)):
        for phase, amount in zip(PHASES, span.amounts, strict=True):
            if amount is None:
                continue
            if phase in ends and ends[phase] - span.start > SLACK:
                raise _refused(cable, where, f"blocks overlap on phase {phase}: overlapping times cannot be told apart")
            ends[phase] = max(ends.get(phase, span.end), span.end)


def _agree(a: Amounts, b: Amounts) -> bool:
    return all(x is None or y is None or x == y for x, y in zip(a, b, strict=True))


def _min(a: Amounts, b: Amounts) -> Amounts:
    first, second, third = (None if x is None or y is None else min(x, y) for x, y in zip(a, b, strict=True))
    return (first, second, third)


def _joined(a: Amounts, b: Amounts) -> Amounts:
    first, second, third = (y if x is None else x for x, y in zip(a, b, strict=True))
    return (first, second, third)


def _merged(first: Span, second: Span, cable: str, path: str, notes: list[Deviation]) -> Span:
    """Two agreeing blocks of the same time as one."""
    if first.amounts == second.amounts:
        notes.append(Deviation(15, path, f"cable {cable}: block repeated, counted once"))
    else:
        notes.append(Deviation(5, path, f"cable {cable}: phases of one time in several blocks, joined"))
    return replace(first, amounts=_joined(first.amounts, second.amounts))


def _without_overlap(spans: list[Span], cable: str, notes: list[Deviation]) -> list[Span]:
    """Sort, join and close: repeats once, disjoint phases together, gaps and overlaps of a second by the smaller."""
    path = FORECASTED
    result: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start, s.end)):
        last = result[-1] if result else None
        if last is None:
            result.append(span)
        elif (last.start, last.end) == (span.start, span.end):
            if not _agree(last.amounts, span.amounts):
                raise _refused(cable, path, "different values for the same time")
            result[-1] = _merged(last, span, cable, path, notes)
        elif last.end - span.start > SLACK:
            raise _refused(cable, path, "blocks overlap")
        else:
            result.extend(_closed(result, span))
    return result


def _closed(result: list[Span], span: Span) -> list[Span]:
    """The spans to append so that a seam of at most a second has the smaller neighbour's value."""
    last = result[-1]
    if last.end == span.start or span.start - last.end > SLACK:
        return [span]
    between = _min(last.amounts, span.amounts)
    if last.end < span.start:
        return [Span(last.end, span.start, between), span]
    result[-1] = replace(last, end=span.start)
    rest = [replace(span, start=last.end)] if span.end > last.end else []
    return [Span(span.start, last.end, between), *rest]


def _smallest_of_overlaps(spans: list[Span]) -> list[Span]:
    """Remaining capacity where blocks repeat: one span per distinct time, the smallest of what is stated."""
    found: dict[tuple[datetime, datetime], Span] = {}
    for span in spans:
        key = (span.start, span.end)
        found[key] = span if key not in found else replace(span, amounts=_min(span.amounts, found[key].amounts))
    return [found[key] for key in sorted(found)]
