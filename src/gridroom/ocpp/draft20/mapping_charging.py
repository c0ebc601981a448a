"""SetChargingProfile of chapter 4 to and from what OCPP 1.6 and 2.0.1 state. Source: OSCP 1.0 section 4.2.1."""

from datetime import UTC, datetime
from decimal import Decimal

from gridroom.ocpp.draft20.values import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
    Evse,
    SalesTariffTable,
    SetChargingProfileRequest,
    TariffPeriod,
)
from gridroom.ocpp.errors import PayloadError
from gridroom.ocpp.losses import Loss, Lost
from gridroom.ocpp.narrowing import as_current, floor, only_schedule, phase_left_out
from gridroom.ocpp.profiles import CYCLE, Recurrency
from gridroom.ocpp.stated import (
    RateUnit,
    StatedCharging,
    StatedPeriod,
    StatedProfile,
    StatedSchedule,
    Tariff,
    TariffEntry,
)

KILO = 1000
"""W in a kW."""

MONDAY = datetime(2014, 8, 4, tzinfo=UTC)
"""A Monday midnight before all messages, that cycles without startSchedule count from: the date of the draft."""


def charging_to(message: SetChargingProfileRequest, lost: list[Loss]) -> StatedCharging:
    """What a SetChargingProfile of chapter 4 states; only its primary schedule bounds."""
    profile = message.primary()
    if message.evse.connector_type is not None:
        text = f"{message.evse.connector_type} is left out: the limit holds for the whole EVSE"
        lost.append(Loss(Lost.CONNECTOR_TYPE, "evse.connectorType", text))
    for other in message.profiles:
        if other is not profile:
            text = f"profile {other.id} is left out: only the primary schedule is kept"
            lost.append(Loss(Lost.ALTERNATIVE, "csChargingProfiles", text))
    stated = StatedProfile(
        id=profile.id,
        stack_level=profile.stack_level,
        purpose=profile.purpose,
        kind=profile.kind,
        schedules=(_schedule(profile, lost),),
        valid_from=profile.valid_from,
        valid_to=profile.valid_to,
        recurrency=profile.recurrency,
    )
    return StatedCharging(message.evse.id, stated)


def _schedule(profile: ChargingProfile, lost: list[Loss]) -> StatedSchedule:
    """A schedule in one unit: power where all periods state nothing else, current otherwise."""
    schedule = profile.schedule
    by_power = all(period.max_current_a is None for period in schedule.periods)
    return StatedSchedule(
        unit=RateUnit.WATT if by_power else RateUnit.AMPERE,
        periods=tuple(_period(period, by_power, n, lost) for n, period in enumerate(schedule.periods, 1)),
        id=schedule.id,
        start=_start(profile, lost),
        duration_s=schedule.duration_s,
        tariff=None if profile.sales_tariff is None else _tariff(profile.sales_tariff, lost),
    )


def _start(profile: ChargingProfile, lost: list[Loss]) -> datetime | None:
    """The start of a schedule; a recurring one of chapter 4 restarts at midnight, one of OCPP at startSchedule.

    Raises:
        PayloadError: The two differ.
    """
    start = profile.schedule.start_schedule
    if profile.recurrency is None:
        return start
    if start is None:
        lost.append(
            Loss(Lost.RECURRENCE, "startSchedule", f"{MONDAY:%Y-%m-%dT%H:%MZ} is added, a Monday midnight in UTC")
        )
        return MONDAY
    if (start - MONDAY) % CYCLE[profile.recurrency]:
        day = "at midnight" if profile.recurrency is Recurrency.DAILY else "on Monday at midnight"
        reason = f"a {profile.recurrency} schedule starts anew {day} in UTC, startSchedule must too"
        raise PayloadError("chargingSchedule.startSchedule", reason)
    return start


def _period(period: ChargingSchedulePeriod, by_power: bool, n: int, lost: list[Loss]) -> StatedPeriod:
    power, current = period.max_power_kw, period.max_current_a
    limits = [] if current is None else [current]
    if power is not None:
        watt = Decimal(power * KILO)
        if by_power:
            limits.append(watt)
        else:
            limits.append(as_current(watt, period.number_phases))
            text = f"{power} kW becomes at most {limits[-1]} A in each phase, since a schedule has one unit"
            lost.append(Loss(Lost.BOTH_LIMITS, f"chargingSchedulePeriod[{n}].maxPower", text))
    return StatedPeriod(period.start_period_s, min(limits), period.number_phases)


def _tariff(tariff: SalesTariffTable, lost: list[Loss]) -> Tariff:
    if any(period.description for period in tariff.periods):
        lost.append(Loss(Lost.SALES_TARIFF, "salesTariff.tariffPeriods.periodDescription", "is left out"))
    entries = tuple(TariffEntry(period.start_period_s, period.e_price_level) for period in tariff.periods)
    return Tariff(tariff.id, tariff.max_e_price_level, entries, tariff.description, from_start=True)


def charging_from(stated: StatedCharging, lost: list[Loss]) -> SetChargingProfileRequest:
    """The SetChargingProfile of chapter 4 that says it."""
    profile = stated.profile
    schedule = only_schedule(profile, lost)
    if profile.transaction_id is not None:
        text = f"{profile.transaction_id!r} is left out: send it only while that transaction runs"
        lost.append(Loss(Lost.TRANSACTION, "transactionId", text))
    if schedule.least is not None:
        lost.append(Loss(Lost.MIN_RATE, "chargingSchedule.minChargingRate", f"{schedule.least} is left out"))
    made = ChargingProfile(
        id=profile.id,
        stack_level=profile.stack_level,
        purpose=profile.purpose,
        kind=profile.kind,
        schedule=ChargingSchedule(
            id=profile.id if schedule.id is None else schedule.id,
            periods=tuple(_period_back(one, schedule.unit, n, lost) for n, one in enumerate(schedule.periods)),
            duration_s=schedule.duration_s,
            start_schedule=schedule.start,
        ),
        primary=True,
        recurrency=profile.recurrency,
        valid_from=profile.valid_from,
        valid_to=profile.valid_to,
        sales_tariff=None if schedule.tariff is None else _tariff_back(schedule, schedule.tariff, lost),
    )
    _start(made, lost)
    return SetChargingProfileRequest(Evse(stated.evse), (made,))


def _period_back(period: StatedPeriod, unit: RateUnit, n: int, lost: list[Loss]) -> ChargingSchedulePeriod:
    path = f"chargingSchedulePeriod[{n}]"
    if period.phase is not None:
        lost.append(phase_left_out(period.phase, path))
    if unit is RateUnit.AMPERE:
        return ChargingSchedulePeriod(period.start_s, None, period.limit, period.phases)
    power_kw = int(floor(period.limit / KILO, Decimal(1)))
    if power_kw * KILO != period.limit:
        text = f"{period.limit} W becomes {power_kw} kW, maxPower is a whole number"
        lost.append(Loss(Lost.ROUNDED, f"{path}.limit", text))
    return ChargingSchedulePeriod(period.start_s, power_kw, None, period.phases)


def _tariff_back(schedule: StatedSchedule, tariff: Tariff, lost: list[Loss]) -> SalesTariffTable:
    if not tariff.from_start and schedule.start is not None:
        text = "chapter 4 counts prices from startSchedule, not from now"
        lost.append(Loss(Lost.SALES_TARIFF, "salesTariffEntry.relativeTimeInterval.start", text))
    periods = tuple(TariffPeriod(one.start_s, one.level) for one in tariff.entries)
    return SalesTariffTable(tariff.id, tariff.levels, periods, tariff.text)
