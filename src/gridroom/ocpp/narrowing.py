"""Towards less: what a limit becomes where it cannot be said as it stands.

Source: ours; a power is a current at 1.1 times the nominal voltage in decision 4 of docs/deviations.md too.
"""

from decimal import ROUND_FLOOR, Decimal

from gridroom.ocpp.errors import PayloadError
from gridroom.ocpp.losses import Loss, Lost
from gridroom.ocpp.stated import ALL_PHASES, RateUnit, StatedPeriod, StatedProfile, StatedSchedule

TENTH = Decimal("0.1")
"""Steps in which limits are stated."""

CENT = Decimal("0.01")
"""Steps in which we calculate."""

HIGHEST_V = 253
"""Voltage at which a power becomes a current: 230 V and 10 %, so that the current is the least. [V]"""

LOWEST_V = 207
"""Voltage at which a current becomes a power: 230 V less 10 %, so that the power is the least. [V]"""


def floor(value: Decimal, step: Decimal) -> Decimal:
    """A value rounded down to a step.

    >>> str(floor(Decimal("16.19"), TENTH))
    '16.1'
    """
    return value.quantize(step, rounding=ROUND_FLOOR)


def tenths(value: Decimal, path: str, lost: list[Loss]) -> float:
    """A limit in tenths, rounded down; `path` is its field, for the loss."""
    rounded = floor(value, TENTH)
    if rounded != value:
        lost.append(Loss(Lost.ROUNDED, path, f"{value} becomes {rounded}"))
    return float(rounded)


def as_current(power_w: Decimal, phases: int | None) -> Decimal:
    """The current in each phase that is never more than a power of them together, down to 0.01 A. [A]

    >>> str(as_current(Decimal(11000), 3))
    '14.49'
    """
    return floor(power_w / (HIGHEST_V * (phases or ALL_PHASES)), CENT)


def as_power(current_ca: int, phases: int) -> int:
    """The power of the phases together that is never more than a current [0.01 A] in each, down to 1 W. [W]

    >>> as_power(1600, 3)
    9936
    """
    return current_ca * LOWEST_V * phases // 100


def only_schedule(profile: StatedProfile, lost: list[Loss]) -> StatedSchedule:
    """One schedule that is never above any of a profile's; of several, which may be obeyed is not told.

    Raises:
        PayloadError: There is none, or they cannot be compared.
    """
    if len(profile.schedules) == 1:
        return profile.schedules[0]
    if len({(one.unit, one.start, one.duration_s) for one in profile.schedules}) != 1:
        raise PayloadError("chargingSchedule", "the schedules differ in unit, start or duration: none is the lowest")
    starts = sorted({period.start_s for one in profile.schedules for period in one.periods})
    first = profile.schedules[0]
    text = f"of {len(profile.schedules)} schedules the lowest limit of each moment is kept"
    lost.append(Loss(Lost.ALTERNATIVE, "chargingSchedule", text))
    lost.extend(loss for n, one in enumerate(profile.schedules) for loss in _beside_limits(one, n))
    periods = tuple(_lowest(profile.schedules, start_s) for start_s in starts)
    return StatedSchedule(first.unit, periods, first.id, first.start, first.duration_s)


def _beside_limits(schedule: StatedSchedule, n: int) -> list[Loss]:
    """What the n-th of several schedules has that belongs to it alone, not to the lowest of all."""
    path = f"chargingSchedule[{n}]"
    found = []
    if schedule.tariff is not None:
        found.append(Loss(Lost.SALES_TARIFF, f"{path}.salesTariff", "prices are left out"))
    if schedule.least is not None:
        found.append(Loss(Lost.MIN_RATE, f"{path}.minChargingRate", f"{schedule.least} is left out"))
    for m, period in enumerate(schedule.periods):
        if period.phase is not None:
            found.append(phase_left_out(period.phase, f"{path}.chargingSchedulePeriod[{m}]"))
    return found


def phase_left_out(phase: int, path: str) -> Loss:
    """That a period, whose field is `path`, no longer says which phase is meant."""
    return Loss(Lost.PHASE_TO_USE, f"{path}.phaseToUse", f"L{phase} is left out, the station chooses")


def _lowest(schedules: tuple[StatedSchedule, ...], start_s: int) -> StatedPeriod:
    """The period that is nowhere above the schedules at a second: fewest phases, and least current in each."""
    held = [[period for period in one.periods if period.start_s <= start_s] for one in schedules]
    if not all(held):
        raise PayloadError("chargingSchedulePeriod", "the first period does not start at 0 s")
    last = [periods[-1] for periods in held]
    phases = min(period.phases or ALL_PHASES for period in last)
    if schedules[0].unit is RateUnit.AMPERE:
        return StatedPeriod(start_s, min(period.limit for period in last), phases)
    least = min(period.limit * phases / (period.phases or ALL_PHASES) for period in last)
    return StatedPeriod(start_s, floor(least, CENT), phases)
