"""OCPP 1.6 chapter 6: values to payloads and back, judged by the published JSON schemas."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocpp import messages

from gridroom.ocpp import fields, v16
from gridroom.ocpp.errors import PayloadError
from gridroom.ocpp.fields import Payload
from gridroom.ocpp.messages import (
    Authorize,
    BootNotification,
    ClearChargingProfile,
    Heartbeat,
    MeterValues,
    Request,
    SetChargingProfile,
    StartTransaction,
    Status,
    StatusNotification,
    StopTransaction,
)
from gridroom.ocpp.metering import MeterReading, Sample, reading
from gridroom.ocpp.profiles import Kind, Period, Profile, Purpose, Recurrency, Schedule

AT = datetime(2026, 1, 5, 12, 0, 1, 250_000, tzinfo=UTC)
PLAN = SetChargingProfile(
    1,
    Profile(3, 1, Purpose.TX, Kind.ABSOLUTE, Schedule((Period(0, 1610), Period(900, 0, 1)), AT, 1800), 7, AT, AT),
)
REQUESTS: list[Request] = [
    BootNotification("Gridroom", "Simulated", "s1", "1"),
    Heartbeat(),
    Authorize("car"),
    StatusNotification(1, Status.SUSPENDED_EVSE, AT),
    StatusNotification(0, Status.FAULTED, None, "GroundFailure"),
    StartTransaction(1, "car", 100, AT),
    StopTransaction(7, 200, AT, "EVDisconnected"),
    MeterValues(1, 7, (reading(AT, (1600, 0, 33), 307, "Transaction.End"),)),
    MeterValues(1, None, (reading(AT, (0, 0, 0), 307),)),
    PLAN,
    SetChargingProfile(
        0,
        Profile(
            4,
            0,
            Purpose.TX_DEFAULT,
            Kind.RECURRING,
            Schedule((Period(0, 600),), AT),
            recurrency=Recurrency.DAILY,
        ),
    ),
    SetChargingProfile(0, Profile(5, 0, Purpose.CHARGE_POINT_MAX, Kind.RELATIVE, Schedule((Period(0, 600),)))),
    ClearChargingProfile(),
    ClearChargingProfile(3, 1, Purpose.TX, 2),
]


async def wire(action: str, payload: Payload) -> Payload:
    """The payload as it arrives, after the schema of the package `ocpp` found nothing wrong."""
    call = messages.unpack(messages.Call("1", action, payload).to_json())
    await messages.validate_payload(call, "1.6")
    found: Payload = call.payload
    return found


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda r: type(r).__name__)
async def test_each_request_fits_its_schema_and_comes_back_unchanged(request_: Request) -> None:
    action, payload = v16.write(request_)
    assert action == type(request_).__name__
    assert v16.read(action, await wire(action, payload)) == request_


@given(st.lists(st.integers(0, 40_000), min_size=1, max_size=5), st.sampled_from((1, 2, 3)), st.sampled_from("AW"))
async def test_limits_are_written_downwards_never_upwards(limits: list[int], phases: int, unit: str) -> None:
    periods = tuple(Period(60 * n, limit_ca, phases) for n, limit_ca in enumerate(limits))
    plan = SetChargingProfile(1, Profile(1, 0, Purpose.TX, Kind.ABSOLUTE, Schedule(periods, AT)))
    back = v16.read("SetChargingProfile", await wire(*v16.write(plan, rate_unit=unit)))
    assert isinstance(back, SetChargingProfile)
    for given_, found in zip(periods, back.profile.schedule.periods, strict=True):
        stated_ca = given_.limit_ca if unit == "A" else given_.limit_ca * 207 / 253
        assert given_.limit_ca >= found.limit_ca
        assert stated_ca - found.limit_ca < 10


def test_a_power_limit_is_that_of_the_phases_together_at_the_lowest_voltage() -> None:
    """A station that follows power draws 16.1 A where the grid has 207 V, and less where it has more."""
    _, payload = v16.write(PLAN, rate_unit="W")
    limits = [p["limit"] for p in payload["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"]]
    assert limits == [9_998.0, 0.0]


@pytest.mark.parametrize(("phases", "current_ca"), [(None, 1449), (3, 1449), (2, 2173), (1, 4347)])
def test_a_power_becomes_the_current_that_it_is_at_the_highest_voltage(phases: int | None, current_ca: int) -> None:
    """At 253 V 11 kW are 14.49 A in each of three phases; more would pass the limit."""
    _, payload = v16.write(PLAN)
    schedule = payload["csChargingProfiles"]["chargingSchedule"]
    named = {} if phases is None else {"numberPhases": phases}
    schedule |= {"chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 11000} | named]}
    found = v16.read("SetChargingProfile", payload)
    assert isinstance(found, SetChargingProfile)
    assert found.profile.schedule.periods == (Period(0, current_ca, phases or 3),)


def test_a_current_without_a_unit_is_refused() -> None:
    _, payload = v16.write(MeterValues(1, 7, (reading(AT, (1600, 0, 33), 307),)))
    del payload["meterValue"][0]["sampledValue"][0]["unit"]
    with pytest.raises(PayloadError, match=r"Current\.Import L1: has no unit, A is needed"):
        v16.read("MeterValues", payload)


def test_a_register_in_another_unit_is_refused_and_kwh_is_converted() -> None:
    assert MeterReading(AT, (Sample("Energy.Active.Import.Register", Decimal("1.5"), "kWh"),)).register_wh() == 1500
    assert MeterReading(AT, (Sample("Energy.Active.Import.Register", Decimal("15"), ""),)).register_wh() == 15
    assert MeterReading(AT, ()).register_wh() is None
    with pytest.raises(PayloadError, match="has varh"):
        MeterReading(AT, (Sample("Energy.Active.Import.Register", Decimal(15), "varh"),)).register_wh()


def test_a_phase_that_stands_there_twice_is_refused() -> None:
    twice = (Sample("Current.Import", Decimal(1), "A", "L1"), Sample("Current.Import", Decimal(2), "A", "L1"))
    with pytest.raises(PayloadError, match="twice"):
        MeterReading(AT, twice).currents_ca()
    assert MeterReading(AT, twice[:1] * 2).currents_ca() == (100, None, None)


def test_a_current_without_a_phase_says_nothing_of_a_phase() -> None:
    assert MeterReading(AT, (Sample("Current.Import", Decimal(48), "A"),)).currents_ca() == (None, None, None)


def test_signed_values_stay_out() -> None:
    payload = {
        "connectorId": 1,
        "meterValue": [
            {"timestamp": "2026-01-05T12:00:00Z", "sampledValue": [{"value": "OCMF|{}|{}", "format": "SignedData"}]}
        ],
    }
    assert v16.read("MeterValues", payload) == MeterValues(
        1, None, (MeterReading(AT.replace(second=0, microsecond=0), ()),)
    )


BROKEN: list[tuple[str, list[str | int], Any, str]] = [
    ("SetChargingProfile", ["connectorId"], "one", "connectorId"),
    ("SetChargingProfile", ["connectorId"], None, "connectorId"),
    ("SetChargingProfile", ["connectorId"], True, "connectorId"),
    ("SetChargingProfile", ["csChargingProfiles"], [], "csChargingProfiles"),
    ("SetChargingProfile", ["csChargingProfiles", "chargingProfilePurpose"], "Other", "chargingProfilePurpose"),
    ("SetChargingProfile", ["csChargingProfiles", "validFrom"], "yesterday", "validFrom"),
    ("SetChargingProfile", ["csChargingProfiles", "validFrom"], "0001-01-01T00:00:00+14:00", "validFrom"),
    ("SetChargingProfile", ["csChargingProfiles", "stackLevel"], 10**30, "stackLevel"),
    ("SetChargingProfile", ["csChargingProfiles", "chargingSchedule", "chargingRateUnit"], "VA", "chargingRateUnit"),
    ("SetChargingProfile", ["csChargingProfiles", "chargingSchedule", "duration"], 10**12, "duration"),
    (
        "SetChargingProfile",
        ["csChargingProfiles", "chargingSchedule", "chargingSchedulePeriod"],
        {},
        "chargingSchedulePeriod",
    ),
    (
        "SetChargingProfile",
        ["csChargingProfiles", "chargingSchedule", "chargingSchedulePeriod", 0],
        3,
        "chargingSchedulePeriod",
    ),
    (
        "SetChargingProfile",
        ["csChargingProfiles", "chargingSchedule", "chargingSchedulePeriod", 0, "limit"],
        -1,
        "limit",
    ),
    (
        "SetChargingProfile",
        ["csChargingProfiles", "chargingSchedule", "chargingSchedulePeriod", 0, "limit"],
        float("nan"),
        "limit",
    ),
    (
        "SetChargingProfile",
        ["csChargingProfiles", "chargingSchedule", "chargingSchedulePeriod", 0, "startPeriod"],
        10**20,
        "startPeriod",
    ),
    ("MeterValues", ["meterValue"], {}, "meterValue"),
    ("MeterValues", ["meterValue", 0], 1, "meterValue"),
    ("MeterValues", ["meterValue", 0, "sampledValue", 0], 1, "sampledValue"),
    ("MeterValues", ["meterValue", 0, "sampledValue", 0, "value"], "NaN", "value"),
    ("MeterValues", ["meterValue", 0, "sampledValue", 0, "value"], "1e400", "value"),
    ("MeterValues", ["meterValue", 0, "sampledValue", 0, "value"], "sixteen", "value"),
    ("StartTransaction", ["timestamp"], "2026-13-01T00:00:00Z", "timestamp"),
    ("StartTransaction", ["connectorId"], 0, "connectorId"),
    ("StopTransaction", ["meterStop"], 1.5, "meterStop"),
    ("StatusNotification", ["status"], "Tired", "status"),
    ("BootNotification", ["chargePointVendor"], 3, "chargePointVendor"),
]


@pytest.mark.parametrize(("action", "place", "value", "field"), BROKEN)
def test_a_broken_payload_names_the_field(action: str, place: list[str | int], value: Any, field: str) -> None:
    sample = PLAN if action == "SetChargingProfile" else next(r for r in REQUESTS if type(r).__name__ == action)
    payload: Any = json.loads(json.dumps(v16.write(sample)[1]))
    inner = payload
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    with pytest.raises(PayloadError) as error:
        v16.read(action, payload)
    assert error.value.path == field


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-05T12:00:00Z",
        "2026-01-05t12:00:00.0000000z",
        "2026-01-05 12:00:00+00:00",
        "2026-01-05T13:30+0130",
        "2026-01-05T04:00:00-08:00",
    ],
)
def test_times_are_read_as_stations_in_the_field_write_them(text: str) -> None:
    assert fields.time({"t": text}, "t") == datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["2026-01-05", "20260105T120000Z", "12:00:00Z", "2026-W02-1T12:00Z", "9999-12-31T24:00Z"]
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(PayloadError, match="is not a time"):
        fields.time({"t": text}, "t")


def test_a_time_without_a_zone_is_utc() -> None:
    assert fields.time({"t": "2026-01-05T12:00:00"}, "t") == datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert fields.time({"t": "2026-01-05T13:00:00+01:00"}, "t") == datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize("phases", [0, 4])
def test_a_number_of_phases_that_cannot_be_is_refused_not_taken_as_three(phases: int) -> None:
    payload = v16.write(PLAN)[1]
    payload["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"][0]["numberPhases"] = phases
    with pytest.raises(PayloadError, match="numberPhases"):
        v16.read("SetChargingProfile", payload)


def test_what_counts_as_a_yes() -> None:
    assert v16.acknowledged("MeterValues", {})
    assert v16.acknowledged("SetChargingProfile", {"status": "Accepted"})
    assert not v16.acknowledged("SetChargingProfile", {"status": "NotSupported"})
    assert not v16.acknowledged("StartTransaction", {"transactionId": 1, "idTagInfo": {"status": "Blocked"}})
    assert v16.transaction_id({"transactionId": -4}) == -4
