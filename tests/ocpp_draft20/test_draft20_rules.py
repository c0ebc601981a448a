"""OSCP 1.0 sections 4.2.1.2 and 4.2.2.1: values, enumerations and rules of chapter 4."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given

import ocpp_samples as samples
from gridroom.ocpp.draft20 import enums, rules
from gridroom.ocpp.draft20.enums import Measurand, UnitOfMeasure, ValueFormat
from gridroom.ocpp.draft20.values import (
    ChargingProfile,
    ChargingSchedulePeriod,
    Evse,
    MeasuredValue,
    Message,
    MeterValue,
    MeterValuesRequest,
    SalesTariffTable,
    SetChargingProfileRequest,
    TariffPeriod,
)
from gridroom.ocpp.errors import RulesError
from gridroom.ocpp.profiles import Kind, Purpose, Recurrency

TABLES: dict[type[StrEnum], str] = {
    enums.ConnectorType: """cCCS1 cCCS2 cG105 cTesla cType1 cType2 Other1PhMax16A Other3Ph s309-1P-16A s309-1P-32A
        s309-3P-16A s309-3P-32A sBS1361 sCEE-7-7 sType2 sType3 Undetermined Unknown wInductive wResonant""",
    Kind: "Absolute Recurring Relative",
    Purpose: "ChargePointExternalConstraints ChargePointMaxProfile TxDefaultProfile TxProfile",
    Recurrency: "Daily Weekly",
    enums.RequestedEnergyTransferType: "Ac DcChademo DcIso",
    enums.ReadingContext: """Interruption.Begin Interruption.End Sample.Clock Sample.Periodic Transaction.Begin
        Transaction.End""",
    ValueFormat: "Raw SignedData",
    Measurand: """Current.Export Current.Import Energy.Active.Export.Interval Energy.Active.Export.Register
        Energy.Active.Import.Interval Energy.Active.Import.Register Energy.Reactive.Export.Interval
        Energy.Reactive.Export.Register Energy.Reactive.Import.Interval Energy.Reactive.Import.Register
        Power.Active.Export Power.Active.Import Power.Reactive.Export Power.Reactive.Import Temperature Voltage""",
    enums.Location: "Body Inlet Outlet",
    UnitOfMeasure: "A ASU C dB Deg F g Hz kPa kvar kvarh kW kWh lx ms2 N ohm pct RH RPM s var varh V W Wh",
}


@pytest.mark.parametrize("enumeration", TABLES, ids=lambda one: one.__name__)
def test_each_enumeration_has_the_values_of_its_table(enumeration: type[StrEnum]) -> None:
    assert set(enumeration) == set(TABLES[enumeration].split())


def test_each_measurand_has_units_and_each_unit_a_measurand() -> None:
    assert {unit for one in Measurand for unit in enums.units_of(one)} < set(UnitOfMeasure)


PLAN, OFFLINE = samples.PLAN, samples.OFFLINE
PRIMARY, OTHER = PLAN.profiles
ALONE = OFFLINE.profiles[0]
SOON = samples.NOON + timedelta(hours=1)


def alone(profile: ChargingProfile = ALONE, evse: int = 0, **changes: Any) -> SetChargingProfileRequest:
    return SetChargingProfileRequest(Evse(evse), (replace(profile, **changes),))


def schedule(**changes: Any) -> SetChargingProfileRequest:
    return alone(schedule=replace(ALONE.schedule, **changes))


def period(**changes: Any) -> SetChargingProfileRequest:
    return schedule(periods=(replace(ALONE.schedule.periods[0], **changes),))


def two(*profiles: ChargingProfile) -> SetChargingProfileRequest:
    return replace(PLAN, profiles=profiles)


def tariff(**changes: Any) -> SetChargingProfileRequest:
    return alone(sales_tariff=replace(SalesTariffTable(1, 3, (TariffPeriod(0, 1),)), **changes))


CHARGING: list[tuple[SetChargingProfileRequest, str, str]] = [
    (replace(PLAN, evse=Evse(-1)), "evse.id", "-1 is negative"),
    (replace(PLAN, profiles=()), "csChargingProfiles", "at least one"),
    (alone(primary=False, sales_tariff=OTHER.sales_tariff), "csChargingProfiles", "exactly one must be primary, not 0"),
    (two(PRIMARY, replace(OTHER, primary=True)), "csChargingProfiles", "not 2"),
    (two(PRIMARY, replace(OTHER, primary=None)), "csChargingProfiles[2].primary", "must say whether"),
    (two(PRIMARY, replace(OTHER, sales_tariff=None)), "csChargingProfiles[2].salesTariff", "must stand"),
    (two(PRIMARY, replace(OTHER, id=8)), "csChargingProfiles.chargingProfileId", "8 stands 2 times"),
    (
        two(PRIMARY, replace(OTHER, schedule=PRIMARY.schedule)),
        "csChargingProfiles.chargingSchedule.chargingScheduleId",
        "80 stands 2 times",
    ),
    (alone(stack_level=-1), "csChargingProfiles.stackLevel", "negative"),
    (alone(evse=1, purpose=Purpose.CHARGE_POINT_MAX), "csChargingProfiles.chargingProfilePurpose", "needs evse.id 0"),
    (
        alone(evse=1, purpose=Purpose.EXTERNAL_CONSTRAINTS),
        "csChargingProfiles.chargingProfilePurpose",
        "needs evse.id 0",
    ),
    (alone(PRIMARY), "csChargingProfiles.chargingProfilePurpose", "not evse.id 0"),
    (alone(PRIMARY, 1, valid_from=SOON), "csChargingProfiles.validFrom", "must not stand in a TxProfile"),
    (alone(PRIMARY, 1, valid_to=SOON), "csChargingProfiles.validTo", "must not stand in a TxProfile"),
    (alone(valid_from=SOON, valid_to=SOON), "csChargingProfiles.validTo", "not after validFrom"),
    (alone(recurrency=None), "csChargingProfiles.recurrencyKind", "must stand in a Recurring"),
    (alone(kind=Kind.ABSOLUTE), "csChargingProfiles.recurrencyKind", "in no other"),
    (
        alone(kind=Kind.RELATIVE, recurrency=None),
        "csChargingProfiles.chargingSchedule.startSchedule",
        "must not stand in a Relative",
    ),
    (schedule(duration_s=0), "csChargingProfiles.chargingSchedule.duration", "0 s"),
    (schedule(periods=()), "csChargingProfiles.chargingSchedule.chargingSchedulePeriod", "at least one"),
    (
        schedule(periods=ALONE.schedule.periods[1:]),
        "csChargingProfiles.chargingSchedule.chargingSchedulePeriod[1].startPeriod",
        "the time before would have no limit",
    ),
    (
        schedule(periods=ALONE.schedule.periods[:1] * 2),
        "csChargingProfiles.chargingSchedule.chargingSchedulePeriod[2].startPeriod",
        "0 does not come after 0",
    ),
    (
        schedule(periods=(*ALONE.schedule.periods, ChargingSchedulePeriod(10**9, 1))),
        "csChargingProfiles.chargingSchedule.chargingSchedulePeriod[3].startPeriod",
        "is more than",
    ),
    (
        period(max_current_a=None),
        "csChargingProfiles.chargingSchedule.chargingSchedulePeriod[1].maxPower",
        "maxPower or maxCurrent must stand",
    ),
    (
        period(max_current_a=Decimal("-0.1")),
        "csChargingProfiles.chargingSchedule.chargingSchedulePeriod[1].maxCurrent",
        "-0.1 A",
    ),
    (
        period(max_current_a=Decimal("NaN")),
        "csChargingProfiles.chargingSchedule.chargingSchedulePeriod[1].maxCurrent",
        "NaN A",
    ),
    (period(max_power_kw=-1), "csChargingProfiles.chargingSchedule.chargingSchedulePeriod[1].maxPower", "-1 kW"),
    (period(number_phases=4), "csChargingProfiles.chargingSchedule.chargingSchedulePeriod[1].numberPhases", "4 is not"),
    (tariff(description="x" * 255), "csChargingProfiles.salesTariff.tariffDescription", "longer"),
    (tariff(max_e_price_level=-1, periods=()), "csChargingProfiles.salesTariff.maxEPriceLevel", "negative"),
    (tariff(periods=()), "csChargingProfiles.salesTariff.tariffPeriods", "at least one"),
    (
        tariff(periods=(TariffPeriod(-1, 0),)),
        "csChargingProfiles.salesTariff.tariffPeriods[1].startPeriod",
        "negative",
    ),
    (
        tariff(periods=(TariffPeriod(5, 0), TariffPeriod(5, 0))),
        "csChargingProfiles.salesTariff.tariffPeriods[2].startPeriod",
        "does not come after",
    ),
    (tariff(periods=(TariffPeriod(0, -1),)), "csChargingProfiles.salesTariff.tariffPeriods[1].ePriceLevel", "negative"),
    (
        tariff(periods=(TariffPeriod(0, 1, "x" * 33),)),
        "csChargingProfiles.salesTariff.tariffPeriods[1].periodDescription",
        "longer",
    ),
    (
        tariff(max_e_price_level=1, periods=(TariffPeriod(0, 1), TariffPeriod(1, 2), TariffPeriod(2, 0))),
        "csChargingProfiles.salesTariff.maxEPriceLevel",
        "is 1, and 2 levels",
    ),
]


@pytest.mark.parametrize(("message", "path", "reason"), CHARGING)
def test_each_rule_of_set_charging_profile_is_one_finding(
    message: SetChargingProfileRequest, path: str, reason: str
) -> None:
    found = rules.findings(message)
    assert [one for one in found if one[0] == path and reason in one[1]], found
    assert len(found) == 1 or path in ALSO, found


ALSO = {"evse.id", "csChargingProfiles[2].primary", "csChargingProfiles.salesTariff.maxEPriceLevel"}
"""Where one mistake breaks two rules."""


def value(text: str = "1", **changes: Any) -> MeterValuesRequest:
    return MeterValuesRequest(Evse(1), (MeterValue(samples.NOON, (MeasuredValue(text, **changes),)),))


METERING: list[tuple[MeterValuesRequest, str, str]] = [
    (MeterValuesRequest(Evse(-1)), "evse.id", "negative"),
    (MeterValuesRequest(Evse(0), (), ""), "transactionId", "1 to 36"),
    (MeterValuesRequest(Evse(0), (), "x" * 37), "transactionId", "1 to 36"),
    (MeterValuesRequest(Evse(0), (MeterValue(samples.NOON, ()),)), "values[1].value", "at least one"),
    (value("1" * 251), "values[1].value[1]", "longer than 250"),
    (value("1e3"), "values[1].value[1]", "not a number"),
    (value(""), "values[1].value[1]", "not a number"),
    (value("4F4", format=ValueFormat.SIGNED_DATA), "values[1].value[1]", "hexadecimal"),
    (value(measurand=Measurand.CURRENT_IMPORT), "values[1].value[1]/@unit", "has no unit, A is needed"),
    (value(measurand=Measurand.ENERGY_REACTIVE_IMPORT_REGISTER), "values[1].value[1]/@unit", "no unit, varh or kvarh"),
    (value(unit=UnitOfMeasure.A), "values[1].value[1]/@unit", "has A, Wh or kWh is needed"),
]


@pytest.mark.parametrize(("message", "path", "reason"), METERING)
def test_each_rule_of_meter_values_is_one_finding(message: MeterValuesRequest, path: str, reason: str) -> None:
    (found,) = rules.findings(message)
    assert found[0] == path
    assert reason in found[1]


def test_all_findings_are_told_at_once() -> None:
    message = replace(PLAN, evse=Evse(0), profiles=(replace(PRIMARY, stack_level=-1), replace(OTHER, id=8)))
    with pytest.raises(RulesError) as error:
        rules.check(message)
    assert len(error.value.findings) == 4  # the number twice, the level, and two TxProfiles without EVSE
    assert str(error.value).count("; ") == 3


@pytest.mark.parametrize("message", samples.MESSAGES.values(), ids=samples.MESSAGES)
def test_the_samples_keep_all_rules(message: Message) -> None:
    assert rules.findings(message) == ()


@given(samples.charging() | samples.readings)
def test_the_strategies_keep_all_rules(message: Message) -> None:
    assert rules.findings(message) == ()


def test_a_single_profile_that_does_not_tell_is_the_primary() -> None:
    assert OFFLINE.primary() is ALONE
    assert PLAN.primary() is PRIMARY
    with pytest.raises(LookupError):
        two(OTHER, OTHER).primary()


def test_an_active_energy_without_unit_is_in_wh_and_nothing_else_has_a_default() -> None:
    with_default = [one for one in Measurand if MeasuredValue("1", measurand=one).unit_meant() is not None]
    assert with_default == [one for one in Measurand if one.startswith("Energy.Active.")]
