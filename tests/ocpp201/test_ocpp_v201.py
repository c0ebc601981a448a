"""OCPP 2.0.1: payloads to what they state and back, judged by the published JSON schemas."""

import json
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from ocpp import messages

import ocpp_samples as samples
from gridroom.ocpp import understood, versions
from gridroom.ocpp.draft20 import mapping
from gridroom.ocpp.draft20.values import Request
from gridroom.ocpp.errors import PayloadError
from gridroom.ocpp.losses import Loss, Lost
from gridroom.ocpp.metering import MeterValues
from gridroom.ocpp.profiles import Kind, Period, Profile, Purpose, Schedule, SetChargingProfile
from gridroom.ocpp.stated import (
    RateUnit,
    Stated,
    StatedCharging,
    StatedPeriod,
    StatedProfile,
    StatedReading,
    StatedReadings,
    StatedSample,
    StatedSchedule,
    Tariff,
    TariffEntry,
)
from gridroom.ocpp.versions import Version

AT = datetime(2026, 1, 5, 12, tzinfo=UTC)
SCHEDULE = StatedSchedule(
    RateUnit.AMPERE,
    (StatedPeriod(0, Decimal("16.1"), 3), StatedPeriod(900, Decimal(0), 1, 2)),
    80,
    AT,
    3600,
    Decimal("0.5"),
)
WHOLE = StatedCharging(
    1, StatedProfile(3, 1, Purpose.TX, Kind.ABSOLUTE, (SCHEDULE,), "tx-1", AT, AT + timedelta(hours=9))
)
PRICED = StatedCharging(
    0,
    StatedProfile(
        3,
        1,
        Purpose.EXTERNAL_CONSTRAINTS,
        Kind.RELATIVE,
        (
            StatedSchedule(
                RateUnit.WATT,
                (StatedPeriod(0, Decimal(7400)),),
                3,
                tariff=Tariff(1, 2, (TariffEntry(0, 1), TariffEntry(60, 2)), "green"),
            ),
        ),
    ),
)
READ = StatedReadings(
    1,
    None,
    (
        StatedReading(
            AT,
            (
                StatedSample("12345", unit="Wh"),
                StatedSample("16.05", "Current.Import", "A", "Sample.Clock", "Inlet", "L1"),
                StatedSample("55", "SoC", "Percent", location="EV"),
            ),
        ),
    ),
)


async def wire(version: str, action: str, payload: dict[str, Any]) -> dict[str, Any]:
    """The payload as it arrives, after the schema of the package `ocpp` found nothing wrong."""
    call = messages.unpack(messages.Call("1", action, payload).to_json())
    await messages.validate_payload(call, version)
    found: dict[str, Any] = call.payload
    return found


@pytest.mark.parametrize("stated", [WHOLE, PRICED, READ], ids=["current", "prices", "readings"])
async def test_what_is_stated_fits_the_schema_and_comes_back_unchanged(stated: Stated) -> None:
    lost: list[Loss] = []
    action, payload = versions.write(stated, Version.OCPP201, lost)
    assert versions.read(Version.OCPP201, action, await wire("2.0.1", action, payload), lost) == stated
    assert lost == []


@given(samples.charging() | samples.readings)
async def test_whatever_chapter_4_says_fits_the_schemas_of_both_versions(message: Request) -> None:
    stated = mapping.to_stated(message, [])
    for version in (Version.OCPP201, Version.OCPP16):
        try:
            action, payload = versions.write(stated, version, [])
        except PayloadError as error:
            assert "no value is left" in error.reason or "OCPP 1.6 has no" in error.reason  # noqa: PT017
            continue
        await wire(version, action, payload)


async def test_a_transaction_event_is_read_for_its_meter_values() -> None:
    event = {
        "eventType": "Updated",
        "timestamp": "2026-01-05T12:00:00Z",
        "triggerReason": "MeterValuePeriodic",
        "seqNo": 7,
        "transactionInfo": {"transactionId": "tx-1"},
        "evse": {"id": 2, "connectorId": 1},
        "meterValue": versions.write(READ, Version.OCPP201, [])[1]["meterValue"],
    }
    lost: list[Loss] = []
    found = versions.read(Version.OCPP201, "TransactionEvent", await wire("2.0.1", "TransactionEvent", event), lost)
    assert found == StatedReadings(2, "tx-1", READ.readings)
    assert [loss.what for loss in lost] == [Lost.EVENT]
    assert "not eventType, timestamp, triggerReason, seqNo" in lost[0].text


def sample(**fields: Any) -> dict[str, Any]:
    return {"evseId": 1, "meterValue": [{"timestamp": "2026-01-05T12:00:00Z", "sampledValue": [fields]}]}


def test_a_multiplier_is_multiplied_out() -> None:
    for power, text in ((3, "16050"), (0, "16.05"), (-2, "0.1605")):
        payload = sample(value=16.05, unitOfMeasure={"unit": "Wh", "multiplier": power})
        stated = versions.read(Version.OCPP201, "MeterValues", payload, [])
        assert isinstance(stated, StatedReadings)
        assert Decimal(stated.readings[0].samples[0].value) == Decimal(text)


def test_a_signature_is_lost_and_its_number_kept() -> None:
    lost: list[Loss] = []
    signed = {"signedMeterData": "x", "signingMethod": "", "encodingMethod": "OCMF", "publicKey": ""}
    stated = versions.read(Version.OCPP201, "MeterValues", sample(value=1, signedMeterValue=signed), lost)
    assert isinstance(stated, StatedReadings)
    assert stated.readings[0].samples == (StatedSample("1"),)
    assert [loss.what for loss in lost] == [Lost.SIGNED]


def test_custom_data_is_lost_wherever_it_stands() -> None:
    payload = deepcopy(versions.write(PRICED, Version.OCPP201, [])[1])
    payload["customData"] = {"vendorId": "x"}
    payload["chargingProfile"]["chargingSchedule"][0]["customData"] = {"vendorId": "x"}
    lost: list[Loss] = []
    assert versions.read(Version.OCPP201, "SetChargingProfile", payload, lost) == PRICED
    assert [loss.what for loss in lost] == [Lost.CUSTOM_DATA] * 2


def test_prices_that_chapter_4_has_no_room_for_are_lost() -> None:
    payload = deepcopy(versions.write(PRICED, Version.OCPP201, [])[1])
    tariff = payload["chargingProfile"]["chargingSchedule"][0]["salesTariff"]
    tariff["salesTariffEntry"][0]["relativeTimeInterval"]["duration"] = 9
    tariff["salesTariffEntry"][0]["consumptionCost"] = []
    del tariff["salesTariffEntry"][1]["ePriceLevel"], tariff["numEPriceLevels"], tariff["salesTariffDescription"]
    lost: list[Loss] = []
    stated = versions.read(Version.OCPP201, "SetChargingProfile", payload, lost)
    assert isinstance(stated, StatedCharging)
    assert stated.profile.schedules[0].tariff == Tariff(1, 1, (TariffEntry(0, 1), TariffEntry(60, 0)))
    assert [loss.what for loss in lost] == [Lost.SALES_TARIFF] * 2


BROKEN: list[tuple[list[str | int], Any, str, str]] = [
    (["evseId"], -1, "evseId", "out of range"),
    (["more"], 1, "more", "is not known here"),
    (["chargingProfile"], [], "chargingProfile", "is not an object"),
    (["chargingProfile", "limit"], 3, "limit", "is not known here"),
    (["chargingProfile", "transactionId"], "x" * 37, "transactionId", "longer than 36"),
    (["chargingProfile", "chargingProfilePurpose"], "ChargePointMaxProfile", "chargingProfilePurpose", "is none of"),
    (["chargingProfile", "chargingSchedule"], [], "chargingSchedule", "has 0 entries"),
    (["chargingProfile", "chargingSchedule"], [{}] * 4, "chargingSchedule", "has 4 entries"),
    (["chargingProfile", "chargingSchedule"], None, "chargingSchedule", "is missing"),
    (["chargingProfile", "chargingSchedule", 0, "id"], None, "id", "is missing"),
    (["chargingProfile", "chargingSchedule", 0, "chargingSchedulePeriod", 0, "limit"], 1e-300, "limit", "out of range"),
    (
        ["chargingProfile", "chargingSchedule", 0, "chargingSchedulePeriod", 0, "limit"],
        Decimal("1." + "1" * 30),
        "limit",
        "more than 20 digits",
    ),
    (
        ["chargingProfile", "chargingSchedule", 0, "chargingSchedulePeriod", 0, "phaseToUse"],
        4,
        "phaseToUse",
        "out of range",
    ),
]


@pytest.mark.parametrize(("place", "value", "field", "reason"), BROKEN)
def test_a_broken_payload_names_the_field(place: list[str | int], value: Any, field: str, reason: str) -> None:
    payload: Any = json.loads(json.dumps(versions.write(WHOLE, Version.OCPP201, [])[1]))
    inner = payload
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    with pytest.raises(PayloadError, match=reason) as error:
        versions.read(Version.OCPP201, "SetChargingProfile", payload, [])
    assert error.value.path == field


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"evseId": 1, "meterValue": {}}, "meterValue"),
        ({"evseId": 1, "meterValue": [7]}, "meterValue"),
        (sample(value="many"), "value"),
        (sample(value=1, measurand="Temperature"), "measurand"),
        (sample(value=1, phase="L4"), "phase"),
        (sample(value=1, unitOfMeasure={"multiplier": 99}), "multiplier"),
    ],
)
def test_broken_meter_values_name_the_field(payload: dict[str, Any], field: str) -> None:
    with pytest.raises(PayloadError) as error:
        versions.read(Version.OCPP201, "MeterValues", payload, [])
    assert error.value.path == field


def test_other_actions_are_not_converted() -> None:
    for version, known in ((Version.OCPP16, "MeterValues$"), (Version.OCPP201, "MeterValues, TransactionEvent$")):
        with pytest.raises(PayloadError, match=f"Reset: is not converted, of OCPP {version} only .*{known}"):
            versions.read(version, "Reset", {}, [])


def test_our_stations_understand_what_is_stated() -> None:
    plan = understood.charging(StatedCharging(1, StatedProfile(3, 1, Purpose.TX, Kind.ABSOLUTE, (SCHEDULE,), "7")))
    assert plan == SetChargingProfile(
        1, Profile(3, 1, Purpose.TX, Kind.ABSOLUTE, Schedule((Period(0, 1610), Period(900, 0, 1)), AT, 3600), 7)
    )
    readings = understood.readings(READ)
    assert isinstance(readings, MeterValues)
    assert readings.readings[0].register_wh() == 12345
    with pytest.raises(PayloadError, match="'tx-1' is no number"):
        understood.charging(WHOLE)
    understood.check(WHOLE)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"periods": (StatedPeriod(0, Decimal(-1)),)}, "out of range"),
        ({"periods": (StatedPeriod(0, Decimal(16), 4),)}, "is not 1, 2 or 3"),
        ({"periods": (StatedPeriod(10**9, Decimal(16)),)}, "longer than"),
        ({"duration_s": 10**9}, "longer than"),
    ],
)
def test_our_stations_refuse_what_breaks_a_rule(change: dict[str, Any], reason: str) -> None:
    fields = {"unit": RateUnit.AMPERE, "periods": (StatedPeriod(0, Decimal(16)),), **change}
    with pytest.raises(PayloadError, match=reason):
        understood.check(StatedCharging(1, StatedProfile(3, 1, Purpose.TX, Kind.ABSOLUTE, (StatedSchedule(**fields),))))
