"""What our CSOs and stations make of a message as it stands: currents in each phase, numbers, UTC.

Source: OCPP 1.6 (edition 2) section 3.13; OSCP 1.0 section 4.2.
"""

from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal

from gridroom.ocpp.errors import PayloadError
from gridroom.ocpp.metering import MeterReading, MeterValues, Sample
from gridroom.ocpp.profiles import Period, Profile, Schedule, SetChargingProfile
from gridroom.ocpp.stated import (
    ALL_PHASES,
    LONGEST_S,
    TENTH,
    RateUnit,
    Stated,
    StatedCharging,
    StatedPeriod,
    StatedProfile,
    StatedReading,
    StatedReadings,
    StatedSample,
    StatedSchedule,
    floor,
    only_schedule,
)

VOLTAGE_V = 230
"""Voltage between phase and neutral at which power becomes current. [V]"""

LARGEST_CA = 1_000_000
"""More current than this is not understood. [0.01 A]"""


def charging(stated: StatedCharging) -> SetChargingProfile:
    """The limits that a request means; a power is shared by its phases at 230 V, rounded down to 0.01 A.

    Raises:
        PayloadError: They break a rule, or a transaction has no number.
    """
    profile = stated.profile
    schedule = only_schedule(profile, [])
    for seconds in (schedule.duration_s or 0, *(period.start_s for period in schedule.periods)):
        if seconds > LONGEST_S:
            raise PayloadError("chargingSchedule", f"{seconds} s is longer than {LONGEST_S} s")
    return SetChargingProfile(
        stated.evse,
        Profile(
            id=profile.id,
            stack_level=profile.stack_level,
            purpose=profile.purpose,
            kind=profile.kind,
            schedule=Schedule(
                tuple(_period(period, schedule.unit) for period in schedule.periods),
                schedule.start,
                schedule.duration_s,
            ),
            transaction_id=transaction_number(profile.transaction_id),
            valid_from=profile.valid_from,
            valid_to=profile.valid_to,
            recurrency=profile.recurrency,
        ),
    )


def check(stated: Stated) -> None:
    """Refuse what no version of OCPP allows; transactions may have any name.

    Raises:
        PayloadError: It breaks a rule; the error names the field.
    """
    if isinstance(stated, StatedCharging):
        charging(replace(stated, profile=replace(stated.profile, transaction_id=None)))
    else:
        readings(replace(stated, transaction_id=None))


def _period(period: StatedPeriod, unit: RateUnit) -> Period:
    phases = ALL_PHASES if period.phases is None else period.phases
    if phases not in (1, 2, 3):
        raise PayloadError("numberPhases", f"{phases} is not 1, 2 or 3")
    per_phase = period.limit if unit is RateUnit.AMPERE else period.limit / (VOLTAGE_V * phases)
    if not 0 <= per_phase * 100 <= LARGEST_CA:
        raise PayloadError("limit", f"{period.limit} {unit} is out of range")
    return Period(period.start_s, int((per_phase * 100).to_integral_value(ROUND_FLOOR)), phases)


def state(request: SetChargingProfile, unit: RateUnit) -> StatedCharging:
    """A request as it is to be stated: limits in tenths, rounded down; in W those of the phases together."""
    profile, schedule = request.profile, request.profile.schedule
    stated = StatedProfile(
        id=profile.id,
        stack_level=profile.stack_level,
        purpose=profile.purpose,
        kind=profile.kind,
        schedules=(
            StatedSchedule(
                unit,
                tuple(StatedPeriod(one.start_s, _limit(one, unit), one.phases) for one in schedule.periods),
                start=schedule.start,
                duration_s=schedule.duration_s,
            ),
        ),
        transaction_id=None if profile.transaction_id is None else str(profile.transaction_id),
        valid_from=profile.valid_from,
        valid_to=profile.valid_to,
        recurrency=profile.recurrency,
    )
    return StatedCharging(request.connector, stated)


def _limit(period: Period, unit: RateUnit) -> Decimal:
    if unit is RateUnit.AMPERE:
        return floor(Decimal(period.limit_ca).scaleb(-2), TENTH)
    return Decimal(period.limit_ca * VOLTAGE_V * period.phases // 100)


def readings(stated: StatedReadings) -> MeterValues:
    """The readings that a request means.

    A signed value is not a number: it stays out until its signature can be verified.

    Raises:
        PayloadError: A value is no number, or has a unit that its measurand has not.
    """
    found = tuple(
        MeterReading(one.timestamp, tuple(_sample(sample) for sample in one.samples if not sample.signed))
        for one in stated.readings
    )
    for reading in found:
        reading.currents_ca()
        reading.register_wh()
    return MeterValues(stated.evse, transaction_number(stated.transaction_id), found)


def _sample(stated: StatedSample) -> Sample:
    return Sample(stated.measurand, Decimal(stated.value), stated.unit, stated.phase, stated.context)


def state_readings(request: MeterValues) -> StatedReadings:
    """Readings as they are to be stated."""
    number = request.transaction_id
    return StatedReadings(
        request.connector,
        None if number is None else str(number),
        tuple(StatedReading(one.timestamp, tuple(map(_state_sample, one.samples))) for one in request.readings),
    )


def _state_sample(sample: Sample) -> StatedSample:
    return StatedSample(plain(sample.value), sample.measurand, sample.unit, sample.context, phase=sample.phase)


def plain(number: Decimal) -> str:
    """A number as a decimal text, without exponent.

    >>> plain(Decimal("1.60e+1")), plain(Decimal("-0.05"))
    ('16.0', '-0.05')
    """
    return format(number, "f")


def transaction_number(name: str | None) -> int | None:
    """The number of a transaction, which OCPP 2.0.1 and chapter 4 name by a text.

    Raises:
        PayloadError: It is no number.
    """
    number = plain_number(name)
    if number is None and name is not None:
        raise PayloadError("transactionId", f"{name!r} is no number, as OCPP 1.6 counts transactions")
    return number


def plain_number(name: str | None) -> int | None:
    """The whole number that a text is, written as OCPP 1.6 would; None when it is none.

    >>> plain_number("7"), plain_number("07"), plain_number("tx-7")
    (7, None, None)
    """
    digits = (name or "").removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 16):
        return None
    number = int(name or "")
    return number if str(number) == name else None
