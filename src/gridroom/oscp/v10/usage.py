"""What a usage report means: current and energy per phase over time.

The DSO subtracts reported use from what it measured, so every choice here rounds towards less use: what is not clearly
stated subtracts nothing. Decisions by number: docs/deviations.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from math import floor

from gridroom.oscp.v10.ampere import MOST_CA, POWER
from gridroom.oscp.v10.messages import CableUsage, Deviation, UsageBlock, ValueType
from gridroom.oscp.v10.spans import PHASES, CableTerms, block_path, check_times, closed, refused

USED = "Envelope/Body/UpdateAggregatedUsageRequest/Usage/UsageBlock"
"""Where the blocks of a cable stand."""

HOUR = timedelta(hours=1)
"""What energy is divided by to become power."""

MICROSECOND = timedelta(microseconds=1)
"""The least stretch of time."""

MISMATCH = Fraction(1, 5)
"""How far energy and current may be apart. Source: decision 19."""

ENERGY = {"Wh": 1, "kWh": 1000}
"""Units of energy, in Wh."""

Stated = dict[tuple[str, int | None], Decimal]
"""Values of one block by unit and phase."""


@dataclass(frozen=True, slots=True)
class UsageSpan:
    """What one block reports.

    Attributes:
        start: First moment. [UTC]
        end: First moment after. [UTC]
        current_ca: Mean current per phase as stated in ampere, cut towards 0; None where not stated. [0.01 A]
        energy_wh: Energy per phase as stated (power times duration), None where not stated. [Wh]
        total_ca: Current stated without Phase: kept, but it subtracts nothing from a phase. [0.01 A]
        total_wh: Energy stated without Phase, of all phases together: likewise. [Wh]
        subtractable_ca: What may be subtracted from a phase's load: the least of the currents that the stated current,
            power and energy mean, at least 0; 0 where the phase is not stated. [0.01 A]
        flagged: The values of a phase differ by more than 20 %, cannot be compared, or came without Phase.
    """

    start: datetime
    end: datetime
    current_ca: tuple[int | None, int | None, int | None]
    energy_wh: tuple[Decimal | None, Decimal | None, Decimal | None]
    total_ca: int | None
    total_wh: Decimal | None
    subtractable_ca: tuple[int, int, int]
    flagged: bool


def usage_spans(usage: CableUsage, terms: CableTerms) -> tuple[list[UsageSpan], list[Deviation]]:
    """Read the usage blocks of one cable, sorted, repeats once.

    Args:
        usage: One cable's report; repeated cables first go through `gather`.
        terms: What is known of the cable; without its voltage, energy and power subtract nothing.

    Raises:
        CableRefused: A block ends before it starts or overlaps another; a unit is no unit of use, stands with and
            without Phase in one block, or twice with different values for one phase.

    Source: OSCP 1.0 section 3.2.6; decisions 4, 5, 13, 15, 19.
    """
    notes: list[Deviation] = []
    cable, read = usage.cable_id, dict[tuple[datetime, datetime], Stated]()
    for number, block in enumerate(usage.blocks, 1):
        path = block_path(USED, number, len(usage.blocks))
        check_times(block.start, block.end, cable, path)
        stated = _stated(block, cable, f"{path}/Usage", notes)
        known = read.setdefault((block.start, block.end), stated)
        if known is not stated:
            read[block.start, block.end] = _together(known, stated, cable, path, notes)
    spans = [_span(start, end, stated, terms) for (start, end), stated in read.items()]
    try:
        return closed(spans, _smaller), notes
    except ValueError as error:
        raise refused(cable, USED, f"{error}: different values for overlapping times") from error


def usage_values(current_ca: Sequence[int], energy_wh: Sequence[Decimal]) -> tuple[ValueType, ...]:
    """Write a block's usage: energy and mean current, each with its phase, consistent with each other.

    >>> values = usage_values((1600, 0, 0), (Decimal(920), Decimal(0), Decimal(0)))
    >>> [f"{v.value} {v.unit} {v.phase}" for v in values][:2]
    ['920.00 Wh 1', '0.00 Wh 2']

    Source: decisions 4 and 19.
    """
    cent = Decimal("0.01")
    energy = (ValueType(e.quantize(cent, ROUND_HALF_EVEN), "Wh", p) for p, e in zip(PHASES, energy_wh, strict=True))
    current = (ValueType(Decimal(int(c)).scaleb(-2), "A", p) for p, c in zip(PHASES, current_ca, strict=True))
    return (*energy, *current)


def _stated(block: UsageBlock, cable: str, path: str, notes: list[Deviation]) -> Stated:
    """The values of a block by unit and phase. Decisions 4 and 5, unit by unit."""
    stated: Stated = {}
    for value in block.usage:
        if value.unit not in ("A", *POWER, *ENERGY):
            raise refused(cable, path, f"{value.unit} is no unit of use", "INVALID_UNIT")
        if value.phase not in (None, *PHASES):
            raise refused(cable, path, f"Phase {value.phase} is not 1, 2 or 3", "INVALID_PHASE")
        known = stated.setdefault((value.unit, value.phase), value.value)
        if known != value.value:
            if value.phase is not None:
                raise refused(cable, path, f"Phase {value.phase} is stated twice with different values")
            stated[value.unit, None] = min(known, value.value)
            notes.append(
                Deviation(5, path, f"cable {cable}: several values in {value.unit} without Phase, the least kept")
            )
    _refuse_mix(stated, cable, path)
    return stated


def _together(known: Stated, again: Stated, cable: str, path: str, notes: list[Deviation]) -> Stated:
    """Two blocks of the same times as one."""
    if any(known.get(key, value) != value for key, value in again.items()):
        raise refused(cable, path, "different values for overlapping times")
    if known == again:
        notes.append(Deviation(15, path, f"cable {cable}: block repeated, counted once"))
    else:
        notes.append(Deviation(5, path, f"cable {cable}: values of one time in several blocks, joined"))
    both = known | again
    _refuse_mix(both, cable, path)
    return both


def _refuse_mix(stated: Stated, cable: str, path: str) -> None:
    for unit in {unit for unit, phase in stated if phase is None}:
        if any((unit, phase) in stated for phase in PHASES):
            raise refused(cable, path, f"some values in {unit} name a Phase and some do not")


def _span(start: datetime, end: datetime, stated: Stated, terms: CableTerms) -> UsageSpan:
    hours = Fraction((end - start) // MICROSECOND, HOUR // MICROSECOND)
    current: dict[int | None, int] = {}
    energy: dict[int | None, Decimal] = {}
    means: dict[int | None, list[Fraction | None]] = {}
    for (unit, phase), value in stated.items():
        exact = Fraction(value)
        if unit == "A":
            current[phase] = int(exact * 100)
            means.setdefault(phase, []).append(exact)
        else:
            watt = exact * POWER[unit] if unit in POWER else exact * ENERGY[unit] / hours
            watthours = watt * hours
            wh = Decimal(watthours.numerator) / Decimal(watthours.denominator)
            energy[phase] = min(energy.get(phase, wh), wh)
            means.setdefault(phase, []).append(watt / Fraction(terms.voltage_v) if terms.voltage_v else None)
    judged = [_subtractable(means.get(phase, [])) for phase in PHASES]
    return UsageSpan(
        start,
        end,
        (current.get(1), current.get(2), current.get(3)),
        (energy.get(1), energy.get(2), energy.get(3)),
        current.get(None),
        energy.get(None),
        (judged[0][0], judged[1][0], judged[2][0]),
        None in means or any(apart for _, apart in judged),
    )


def _subtractable(means: Sequence[Fraction | None]) -> tuple[int, bool]:
    """The least of the currents stated for a phase [0.01 A], at least 0, and whether they are far apart."""
    known = [mean for mean in means if mean is not None]
    if len(known) < len(means):
        return 0, True
    if not known:
        return 0, False
    low, high = min(known), max(known)
    return max(0, min(floor(low * 100), MOST_CA)), high - low > MISMATCH * max(abs(low), abs(high))


def _smaller(a: UsageSpan, b: UsageSpan) -> UsageSpan:
    """What holds in a seam between two blocks: it reports nothing itself, and subtracts the smaller of both."""
    first, second, third = map(min, a.subtractable_ca, b.subtractable_ca)
    nothing = (None, None, None)
    return UsageSpan(a.start, b.end, nothing, nothing, None, None, (first, second, third), flagged=False)
