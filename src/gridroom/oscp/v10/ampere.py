"""From what the wire states (`ValueType`) to hundredths of an ampere on each phase. Decisions: docs/deviations.md."""

from collections.abc import Callable, Sequence
from decimal import Decimal

from gridroom.oscp.v10.messages import Deviation, ValueType
from gridroom.oscp.v10.spans import PHASES, Amounts, CableTerms, refused

MOST_CA = 10**11
"""Larger amounts are read as this: no cable carries them, and sums of them would not fit an array. [0.01 A]"""

POWER = {"W": 1, "kW": 1000}
"""Units of power, in W."""


def hundredths(value: ValueType, terms: CableTerms, *, towards_zero: bool) -> int | None:
    """One amount as current per phase [0.01 A]; None where it cannot be known.

    Power is converted at 1.1 times the nominal voltage: I = P / (1.1 U), and I = P / (1.1 U n) where no Phase is named
    and the n phases share it. All in whole numbers, so that no digit is rounded the wrong way.

    Args:
        value: In A, W or kW.
        terms: Voltage and phases of the cable.
        towards_zero: Round a negative amount towards 0, not down.

    Source: decisions 4 and 34.

    >>> hundredths(ValueType(Decimal("7.59"), "kW"), CableTerms(voltage_v=Decimal(230), phases=3), towards_zero=False)
    1000
    """
    top, bottom = value.value.as_integer_ratio()
    if value.unit != "A":
        shared = 1 if value.phase else terms.phases
        if value.unit not in POWER or not terms.voltage_v or not shared:
            return None
        volt, part = terms.voltage_v.as_integer_ratio()
        top, bottom = top * POWER[value.unit] * part * 10, bottom * volt * 11 * shared
    return -(-top * 100 // bottom) if towards_zero and top < 0 else top * 100 // bottom


def least_of(values: Sequence[int]) -> int:
    """Which of several limits without Phase holds: the smallest."""
    return min(values)


def nearest_zero(values: Sequence[int]) -> int:
    """Which of several changes without Phase holds: the one nearest 0, and none where they differ in sign."""
    if any(v > 0 for v in values) and any(v < 0 for v in values):
        return 0
    return min(values, key=abs)


def per_phase(
    stated: Sequence[ValueType],
    terms: CableTerms,
    cable: str,
    path: str,
    notes: list[Deviation],
    choose: Callable[[Sequence[int]], int],
) -> Amounts:
    """The amounts of one block, per phase; None on a phase that is not stated.

    Args:
        stated: Values of one name in one block; none at all leaves every phase open.
        terms: What is known of the cable.
        cable: Its id, for notes and refusals.
        path: Of the element, likewise.
        notes: Takes what had to be tolerated.
        choose: Which of several values without Phase holds: `least_of` or `nearest_zero`. Changes (`nearest_zero`)
            are rounded towards 0, limits down.

    Raises:
        CableRefused: A unit that cannot be converted, a mix of values with and without Phase, or one phase twice with
            different values.

    Source: decisions 4, 5 and 34.
    """
    read: dict[int | None, list[int]] = {}
    stated_as: dict[int | None, set[tuple[str, Decimal]]] = {}
    for value in stated:
        amount = hundredths(value, terms, towards_zero=choose is nearest_zero)
        if amount is None:
            raise refused(cable, path, f"{value.unit} cannot be read as ampere per phase on this cable", "INVALID_UNIT")
        if abs(amount) > MOST_CA:
            notes.append(Deviation(34, path, f"cable {cable}: more than any cable carries, cut"))
            amount = max(-MOST_CA, min(amount, MOST_CA))
        read.setdefault(value.phase, []).append(amount)
        stated_as.setdefault(value.phase, set()).add((value.unit, value.value))
    if not read:
        return (None, None, None)
    if None in read:
        if len(read) > 1:
            raise refused(cable, path, "some values name a Phase and some do not")
        values = read[None]
        one = choose(values)
        if len(values) > 1:
            text = f"cable {cable}: {len(values)} values without Phase, {Decimal(one).scaleb(-2)} A taken"
            notes.append(Deviation(5, path, text))
        return (one, one, one)
    for phase, values in read.items():
        if phase not in PHASES:
            raise refused(cable, path, f"Phase {phase} is not 1, 2 or 3", "INVALID_PHASE")
        if len(stated_as[phase]) > 1:
            raise refused(cable, path, f"Phase {phase} is stated twice with different values")
        if len(values) > 1:
            notes.append(Deviation(5, path, f"cable {cable}: Phase {phase} is stated twice, counted once"))
    if len(read) < len(PHASES):
        notes.append(Deviation(5, path, f"cable {cable}: only phases {sorted(p for p in read if p)} are stated"))
    first, second, third = (read[p][0] if p in read else None for p in PHASES)
    return (first, second, third)
