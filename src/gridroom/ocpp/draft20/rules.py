"""What a message of chapter 4 may not hold: all findings, with the field that each is about.

Source: OSCP 1.0 sections 4.2.1.2 and 4.2.2.1. Where a message leaves a limit unclear, that is a finding too: whoever
sent it has to say it clearly.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from gridroom.ocpp.draft20.enums import ValueFormat, units_of
from gridroom.ocpp.draft20.values import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
    MeasuredValue,
    Message,
    MeterValuesRequest,
    SalesTariffTable,
    SetChargingProfileRequest,
)
from gridroom.ocpp.errors import RulesError
from gridroom.ocpp.profiles import OF_THE_STATION, Kind, Purpose
from gridroom.ocpp.stated import LONGEST_S

MOST_KW = 2_300
"""More power than this is no charge station's. [kW]"""

MOST_A = 10_000
"""Larger limits are mistakes: no station carries them. [A]"""

LONGEST_VALUE = 250
"""Longest text of a measured value. [characters]"""

LONGEST_NAME = 36
"""Longest identifier. [characters]"""

LONGEST_DESCRIPTION = 32
"""Longest description. [characters]"""

LONGEST_TARIFF_TEXT = 254
"""Longest text about a tariff. [characters]"""

Finding = tuple[str, str]
"""A field, such as `csChargingProfiles[2].chargingSchedule.duration`, and what is wrong with it."""

_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
HEX = re.compile(r"([0-9A-Fa-f]{2})+")
"""Bytes as pairs of hexadecimal digits."""


def findings(message: Message) -> tuple[Finding, ...]:
    """Every rule that a message breaks, in the message's order; an answer breaks none."""
    if isinstance(message, SetChargingProfileRequest):
        return tuple(_charging(message))
    if isinstance(message, MeterValuesRequest):
        return tuple(_metering(message))
    return ()


def check(message: Message) -> None:
    """Refuse a message that breaks a rule.

    Raises:
        RulesError: With all findings.
    """
    found = findings(message)
    if found:
        raise RulesError(found)


def _charging(message: SetChargingProfileRequest) -> Iterator[Finding]:
    yield from _evse(message.evse.id)
    if not message.profiles:
        yield "csChargingProfiles", "at least one must stand"
        return
    primaries = [profile.primary for profile in message.profiles]
    alone = len(primaries) == 1
    if primaries.count(True) != 1 and not (alone and primaries[0] is None):
        yield "csChargingProfiles", f"exactly one must be primary, not {primaries.count(True)}"
    yield from _unique("chargingProfileId", [profile.id for profile in message.profiles])
    yield from _unique("chargingSchedule.chargingScheduleId", [one.schedule.id for one in message.profiles])
    for n, profile in enumerate(message.profiles, 1):
        path = "csChargingProfiles" if alone else f"csChargingProfiles[{n}]"
        if profile.primary is None and not alone:
            yield f"{path}.primary", "must say whether it is the primary schedule, since it is not alone"
        for field, reason in _profile(profile, message.evse.id):
            yield f"{path}.{field}", reason
    yield from _levels([one.sales_tariff for one in message.profiles if one.sales_tariff is not None])


def _evse(number: int) -> Iterator[Finding]:
    if number < 0:
        yield "evse.id", f"{number} is negative"


def _unique(name: str, numbers: Sequence[int]) -> Iterator[Finding]:
    for number in sorted({number for number in numbers if numbers.count(number) > 1}):
        yield f"csChargingProfiles.{name}", f"{number} stands {numbers.count(number)} times, it must be unique"


def _profile(profile: ChargingProfile, evse: int) -> Iterator[Finding]:
    purpose = profile.purpose
    if profile.stack_level < 0:
        yield "stackLevel", f"{profile.stack_level} is negative"
    if purpose in OF_THE_STATION and evse != 0:
        yield "chargingProfilePurpose", f"a {purpose} needs evse.id 0"
    if purpose is Purpose.TX and evse == 0:
        yield "chargingProfilePurpose", "a TxProfile needs an EVSE, not evse.id 0"
    for name, moment in (("validFrom", profile.valid_from), ("validTo", profile.valid_to)):
        if moment is not None and purpose is Purpose.TX:
            yield name, "must not stand in a TxProfile"
    if profile.valid_from and profile.valid_to and profile.valid_to <= profile.valid_from:
        yield "validTo", "is not after validFrom"
    if (profile.kind is Kind.RECURRING) != (profile.recurrency is not None):
        yield "recurrencyKind", "must stand in a Recurring profile, and in no other"
    if profile.kind is Kind.RELATIVE and profile.schedule.start_schedule is not None:
        yield "chargingSchedule.startSchedule", "must not stand in a Relative profile"
    if profile.primary is False and profile.sales_tariff is None:
        yield "salesTariff", "must stand in an alternative schedule"
    for field, reason in _schedule(profile.schedule):
        yield f"chargingSchedule.{field}", reason
    if profile.sales_tariff is not None:
        for field, reason in _tariff(profile.sales_tariff):
            yield f"salesTariff.{field}", reason


def _schedule(schedule: ChargingSchedule) -> Iterator[Finding]:
    if schedule.duration_s is not None and not 0 < schedule.duration_s <= LONGEST_S:
        yield "duration", f"{schedule.duration_s} s is not between 1 and {LONGEST_S}"
    starts = [period.start_period_s for period in schedule.periods]
    if not starts:
        yield "chargingSchedulePeriod", "at least one must stand"
    elif starts[0] != 0:
        yield "chargingSchedulePeriod[1].startPeriod", f"is {starts[0]}: the time before would have no limit"
    yield from _rising("chargingSchedulePeriod", starts)
    for n, period in enumerate(schedule.periods, 1):
        for field, reason in _limit(period):
            yield f"chargingSchedulePeriod[{n}].{field}", reason


def _rising(name: str, starts: Sequence[int]) -> Iterator[Finding]:
    for n, (before, after) in enumerate(pairwise(starts), 2):
        if after <= before:
            yield f"{name}[{n}].startPeriod", f"{after} does not come after {before}"
    if starts and starts[-1] > LONGEST_S:
        yield f"{name}[{len(starts)}].startPeriod", f"is more than {LONGEST_S}"


def _limit(period: ChargingSchedulePeriod) -> Iterator[Finding]:
    power, current = period.max_power_kw, period.max_current_a
    if power is None and current is None:
        yield "maxPower", "maxPower or maxCurrent must stand"
    if power is not None and not 0 <= power <= MOST_KW:
        yield "maxPower", f"{power} kW is not between 0 and {MOST_KW}"
    if current is not None and not (current.is_finite() and 0 <= current <= MOST_A):
        yield "maxCurrent", f"{current} A is not between 0 and {MOST_A}"
    if period.number_phases not in (None, 1, 2, 3):
        yield "numberPhases", f"{period.number_phases} is not 1, 2 or 3"


def _tariff(tariff: SalesTariffTable) -> Iterator[Finding]:
    if len(tariff.description) > LONGEST_TARIFF_TEXT:
        yield "tariffDescription", f"is longer than {LONGEST_TARIFF_TEXT} characters"
    if tariff.max_e_price_level < 0:
        yield "maxEPriceLevel", f"{tariff.max_e_price_level} is negative"
    starts = [period.start_period_s for period in tariff.periods]
    if not starts:
        yield "tariffPeriods", "at least one must stand"
    elif starts[0] < 0:
        yield "tariffPeriods[1].startPeriod", f"{starts[0]} is negative"
    yield from _rising("tariffPeriods", starts)
    for n, period in enumerate(tariff.periods, 1):
        if period.e_price_level < 0:
            yield f"tariffPeriods[{n}].ePriceLevel", f"{period.e_price_level} is negative"
        if len(period.description) > LONGEST_DESCRIPTION:
            yield f"tariffPeriods[{n}].periodDescription", f"is longer than {LONGEST_DESCRIPTION} characters"


def _levels(tariffs: Sequence[SalesTariffTable]) -> Iterator[Finding]:
    """Different price levels of all tables together; 0 is none, since it is not compared."""
    levels = {period.e_price_level for tariff in tariffs for period in tariff.periods} - {0}
    most = min((tariff.max_e_price_level for tariff in tariffs), default=0)
    if len(levels) > most:
        yield "csChargingProfiles.salesTariff.maxEPriceLevel", f"is {most}, and {len(levels)} levels are used"


def _metering(message: MeterValuesRequest) -> Iterator[Finding]:
    yield from _evse(message.evse.id)
    name = message.transaction_id
    if name is not None and not 0 < len(name) <= LONGEST_NAME:
        yield "transactionId", f"must have 1 to {LONGEST_NAME} characters"
    for n, one in enumerate(message.values, 1):
        if not one.values:
            yield f"values[{n}].value", "at least one must stand"
        for m, value in enumerate(one.values, 1):
            for field, reason in _value(value):
                yield f"values[{n}].value[{m}]{field}", reason


def _value(value: MeasuredValue) -> Iterator[Finding]:
    if len(value.text) > LONGEST_VALUE:
        yield "", f"is longer than {LONGEST_VALUE} characters"
    if value.format is ValueFormat.SIGNED_DATA:
        if not HEX.fullmatch(value.text):
            yield "", "SignedData must be pairs of hexadecimal digits"
        return
    if not _DECIMAL.fullmatch(value.text):
        yield "", f"{value.text[:40]!r} is not a number like 16.05"
    unit, units = value.unit_meant(), units_of(value.measurand)
    if unit not in units:
        yield "/@unit", f"{value.measurand} has {unit or 'no unit'}, {' or '.join(units)} is needed"
