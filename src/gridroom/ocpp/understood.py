"""What our CSOs and stations make of a message as it stands: currents in each phase, numbers, UTC.

Source: OCPP 1.6 (edition 2) section 3.13; OSCP 1.0 section 4.2.
"""

from dataclasses import replace
from decimal import Decimal

from gridroom.ocpp.errors import PayloadError
from gridroom.ocpp.fields import plain, plain_number
from gridroom.ocpp.metering import MeterReading, MeterValues, Sample
from gridroom.ocpp.narrowing import CENT, TENTH, as_current, as_power, floor, only_schedule
from gridroom.ocpp.profiles import Period, Profile, Schedule, SetChargingProfile
from gridroom.ocpp.stated import (
    ALL_PHASES,
    LONGEST_S,
    RateUnit,
    Stated,
    StatedCharging,
    StatedPeriod,
    StatedProfile,
    StatedReading,
    StatedReadings,
    StatedSample,
    StatedSchedule,
)

LARGEST_CA = 1_000_000
"""More current than this is not understood. [0.01 A]"""


def charging(stated: StatedCharging) -> SetChargingProfile:
    """The limits that a request means, down to 0.01 A.

    Our stations steer by current, so a power of the phases together is the current in each that it is at 253 V: at no
    voltage of the grid do they draw more.

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
    current = floor(period.limit, CENT) if unit is RateUnit.AMPERE else as_current(period.limit, phases)
    if not 0 <= current * 100 <= LARGEST_CA:
        raise PayloadError("limit", f"{period.limit} {unit} is out of range")
    return Period(period.start_s, int(current * 100), phases)


def state(request: SetChargingProfile, unit: RateUnit) -> StatedCharging:
    """A request as it is to be stated, rounded down: in tenths of A; in W that of the phases together at 207 V.

    A station that follows power draws the more current the lower the voltage: so it never draws more than the limit.
    """
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
    return Decimal(as_power(period.limit_ca, period.phases))


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


def transaction_number(name: str | None) -> int | None:
    """The number of a transaction, which OCPP 2.0.1 and chapter 4 name by a text.

    Raises:
        PayloadError: It is no number.
    """
    number = plain_number(name)
    if number is None and name is not None:
        raise PayloadError("transactionId", f"{name!r} is no number, as OCPP 1.6 counts transactions")
    return number
