"""What a usage report means: current and energy per phase over time.

The DSO subtracts reported use from what it measured, so every choice here rounds towards less use: what is not clearly
stated subtracts nothing. Decisions by number: docs/deviations.md.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

from gridroom.oscp.v10.blocks import PHASES, CableRefused, CableTerms
from gridroom.oscp.v10.messages import CableUsage, Deviation, Refusal, UsageBlock, ValueType

USED = "Envelope/Body/UpdateAggregatedUsageRequest/Usage/UsageBlock"
"""Where the blocks of a cable stand."""

HOUR_S = 3600
MISMATCH = Decimal("0.20")
KILO = {"W": 1, "kW": 1000, "Wh": 1, "kWh": 1000}


@dataclass(frozen=True, slots=True)
class UsageSpan:
    """What one block reports.

    Attributes:
        start: First moment. [UTC]
        end: First moment after. [UTC]
        current_ca: Mean current per phase as stated in ampere, None where not stated. [0.01 A]
        energy_wh: Energy per phase as stated (power times duration), None where not stated. [Wh]
        total_wh: Energy stated without Phase: kept, but it subtracts nothing from a phase. [Wh]
        subtractable_ca: What may be subtracted from a phase's load: the smaller of current and energy, at least 0;
            0 where the phase is not stated. [0.01 A]
        flagged: Current and energy differ by more than 20 %, or a value came without Phase.
    """

    start: datetime
    end: datetime
    current_ca: tuple[int | None, int | None, int | None]
    energy_wh: tuple[Decimal | None, Decimal | None, Decimal | None]
    total_wh: Decimal | None
    subtractable_ca: tuple[int, int, int]
    flagged: bool


def usage_spans(usage: CableUsage, terms: CableTerms) -> tuple[list[UsageSpan], list[Deviation]]:
    """Read the usage blocks of one cable, sorted, repeats once.

    Raises:
        CableRefused: A block ends before it starts, overlaps another, or states a phase twice with different values.

    Source: OSCP 1.0 section 3.2.6; decisions 4, 5, 15, 19.
    """
    notes: list[Deviation] = []
    cable, read = usage.cable_id, dict[UsageSpan, None]()
    for number, block in enumerate(usage.blocks, 1):
        path = f"{USED}[{number}]" if len(usage.blocks) > 1 else USED
        span = _span(block, cable, path, terms)
        if span in read:
            notes.append(Deviation(15, path, f"cable {cable}: block repeated, counted once"))
        read[span] = None
    ordered = sorted(read, key=lambda s: s.start)
    for earlier, later in itertools.pairwise(ordered):
        if later.start < earlier.end:
            raise _refused(cable, USED, "different values for overlapping times")
    return ordered, notes


def usage_values(current_ca: Sequence[int], energy_wh: Sequence[Decimal]) -> tuple[ValueType, ...]:
    """Write a block's usage: energy and mean current, each with its phase, consistent with each other.

    >>> values = usage_values((1600, 0, 0), (Decimal(920), Decimal(0), Decimal(0)))
    >>> [f"{v.value} {v.unit} {v.phase}" for v in values][:2]
    ['920.00 Wh 1', '0.00 Wh 2']

    Source: decision 4.
    """
    cent = Decimal("0.01")
    energy = (ValueType(e.quantize(cent, ROUND_HALF_EVEN), "Wh", p) for p, e in zip(PHASES, energy_wh, strict=True))
    current = (ValueType(Decimal(int(c)).scaleb(-2), "A", p) for p, c in zip(PHASES, current_ca, strict=True))
    return (*energy, *current)


def _refused(cable: str, path: str, message: str) -> CableRefused:
    return CableRefused(Refusal(cable, "INVALID_VALUE", message, path))


def _span(block: UsageBlock, cable: str, path: str, terms: CableTerms) -> UsageSpan:
    if block.end <= block.start:
        raise _refused(cable, f"{path}/EndTime", "block ends before it starts")
    seconds = Decimal(str((block.end - block.start).total_seconds()))
    current: dict[int, Decimal] = {}
    energy: dict[int, Decimal] = {}
    total: Decimal | None = None
    flagged = False
    for value in block.usage:
        if value.phase is None:
            flagged = True
            if value.unit != "A":
                total = max(total or Decimal(0), _energy(value, seconds))
            continue
        known, amount = (current, value.value) if value.unit == "A" else (energy, _energy(value, seconds))
        if known.setdefault(value.phase, amount) != amount:
            raise _refused(cable, f"{path}/Usage", f"Phase {value.phase} is stated twice with different values")
    subtractable: list[int] = []
    for phase in PHASES:
        smaller_ca, apart = _smaller(current.get(phase), energy.get(phase), seconds, terms)
        subtractable.append(smaller_ca)
        flagged = flagged or apart
    return UsageSpan(
        block.start,
        block.end,
        tuple(int(current[p] * 100) if p in current else None for p in PHASES),  # type: ignore[arg-type]
        tuple(energy.get(p) for p in PHASES),  # type: ignore[arg-type]
        total,
        (subtractable[0], subtractable[1], subtractable[2]),
        flagged,
    )


def _energy(value: ValueType, seconds: Decimal) -> Decimal:
    amount = value.value * KILO[value.unit]
    return amount * seconds / HOUR_S if value.unit in ("W", "kW") else amount


def _smaller(
    current_a: Decimal | None, energy_wh: Decimal | None, seconds: Decimal, terms: CableTerms
) -> tuple[int, bool]:
    """The smaller of stated current and the current that the energy means, and whether they are far apart."""
    stated = [] if current_a is None else [current_a]
    if energy_wh is not None and terms.voltage_v:
        stated.append(energy_wh * HOUR_S / seconds / terms.voltage_v)
    if not stated:
        return 0, False
    low, high = min(stated), max(stated)
    return max(0, int(low * 100)), high - low > MISMATCH * abs(high)
