"""`gridroom convert`: what is read, what is lost and named, what is refused, and the command."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner, Result

from gridroom.cli import app
from gridroom.ocpp.convert import Converted, Version, convert
from gridroom.ocpp.draft20 import soap
from gridroom.ocpp.draft20.values import MeterValuesRequest, SetChargingProfileRequest
from gridroom.ocpp.errors import OcppError, PayloadError
from gridroom.ocpp.losses import Lost

SAMPLES = Path(__file__).parent / "samples"
DOCS = Path(__file__).parents[2] / "docs"


def xml(name: str, *changes: tuple[str, str]) -> bytes:
    text = (SAMPLES / f"{name}.xml").read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text.encode()


def v16(**changes: Any) -> dict[str, Any]:
    """A SetChargingProfile of OCPP 1.6."""
    schedule = {
        "chargingRateUnit": "A",
        "startSchedule": "2026-01-05T12:00:00Z",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.1}],
    }
    schedule |= {key: changes.pop(key) for key in list(changes) if key in ("startSchedule", "minChargingRate")}
    profile = {
        "chargingProfileId": 5,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": schedule,
    }
    return {"connectorId": 1, "csChargingProfiles": profile | changes}


def v201(*schedules: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A SetChargingProfile of OCPP 2.0.1."""
    one = {"id": 5, "chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 11000}]}
    profile = {
        "id": 5,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": [one | two for two in schedules] or [one],
    }
    return {"evseId": 1, "chargingProfile": profile | changes}


def meter(version: str = "1.6", **fields: Any) -> dict[str, Any]:
    """A MeterValues of either version, with one sample beside one that everybody can say."""
    plain: dict[str, Any] = {"value": "1"} if version == "1.6" else {"value": 1}
    name = "connectorId" if version == "1.6" else "evseId"
    return {name: 0, "meterValue": [{"timestamp": "2026-01-05T12:00:00Z", "sampledValue": [plain, plain | fields]}]}


def as_json(payload: object) -> bytes:
    return json.dumps(payload).encode()


DRAFT, OCPP16, OCPP201 = Version

PRICES = {"salesTariff": {"id": 1, "numEPriceLevels": 1, "salesTariffEntry": [{"relativeTimeInterval": {"start": 0}}]}}
SIGNED = {"value": "4F" * 126, "format": "SignedData"}

ONE_PHASE = {"chargingSchedulePeriod": [{"startPeriod": 0, "limit": 7350, "numberPhases": 1, "phaseToUse": 2}]}
LONG = ">16." + "0" * 20 + "1<"
NO_READINGS = xml("readings").split(b"<transactionId>")[0] + b"</meterValuesRequest></soap:Body></soap:Envelope>"
DAILY = {"chargingProfileKind": "Recurring", "recurrencyKind": "Daily"}
WEEKLY = DAILY | {"recurrencyKind": "Weekly", "startSchedule": "2026-01-06T00:00:00Z"}

LOSSES: list[tuple[bytes, Version, set[Lost]]] = [
    (xml("offline"), OCPP16, {Lost.SCHEDULE_ID}),
    (xml("offline"), OCPP201, set()),
    (xml("offline", ("<startSchedule>2026-01-05T00:00:00.000Z</startSchedule>", "")), OCPP201, {Lost.RECURRENCE}),
    (
        xml("plan"),
        OCPP16,
        {Lost.CONNECTOR_TYPE, Lost.ALTERNATIVE, Lost.BOTH_LIMITS, Lost.SCHEDULE_ID, Lost.ROUNDED, Lost.EVSE},
    ),
    (
        xml("plan"),
        OCPP201,
        {Lost.CONNECTOR_TYPE, Lost.ALTERNATIVE, Lost.BOTH_LIMITS, Lost.ROUNDED, Lost.TRANSACTION},
    ),
    (xml("readings"), OCPP16, {Lost.EVSE}),
    (xml("readings"), OCPP201, {Lost.TRANSACTION, Lost.MEASURAND, Lost.SIGNED}),
    (xml("readings", (">41<", ">tx-1<")), OCPP16, {Lost.EVSE, Lost.TRANSACTION}),
    (
        xml("readings", (">16.05<", LONG)),
        OCPP201,
        {Lost.TRANSACTION, Lost.MEASURAND, Lost.SIGNED, Lost.VALUE},
    ),
    (as_json(v16()), DRAFT, {Lost.EVSE}),
    (as_json(v16(transactionId=7, minChargingRate=6)), DRAFT, {Lost.EVSE, Lost.TRANSACTION, Lost.MIN_RATE}),
    (as_json(v16(transactionId=7, minChargingRate=6)), OCPP201, {Lost.EVSE}),
    (as_json(v16(transactionId=7, minChargingRate=6.19)), OCPP201, {Lost.EVSE, Lost.ROUNDED}),
    (as_json(v201({"minChargingRate": 6.19})), OCPP16, {Lost.EVSE, Lost.ROUNDED}),
    (as_json(v201()), DRAFT, set()),
    (as_json(v201({"id": 6})), OCPP16, {Lost.SCHEDULE_ID, Lost.EVSE}),
    (as_json(v201(PRICES)), DRAFT, set()),
    (as_json(v201(PRICES)), OCPP16, {Lost.SALES_TARIFF, Lost.EVSE}),
    (as_json(v201({}, {"id": 6})), DRAFT, {Lost.ALTERNATIVE}),
    (as_json(v201({}, PRICES | {"id": 6})), DRAFT, {Lost.ALTERNATIVE, Lost.SALES_TARIFF}),
    (as_json(v201({"minChargingRate": 6}, {"id": 6})), OCPP16, {Lost.ALTERNATIVE, Lost.MIN_RATE, Lost.EVSE}),
    (as_json(v201({}, ONE_PHASE | {"id": 6})), OCPP201, {Lost.ALTERNATIVE, Lost.PHASE_TO_USE, Lost.ROUNDED}),
    (
        as_json(v201(ONE_PHASE)),
        DRAFT,
        {Lost.ROUNDED, Lost.PHASE_TO_USE},
    ),
    (
        as_json(v201(ONE_PHASE)),
        OCPP16,
        {Lost.PHASE_TO_USE, Lost.EVSE},
    ),
    (as_json(v201(customData={"vendorId": "x"})), DRAFT, {Lost.CUSTOM_DATA}),
    (as_json(v201(chargingProfilePurpose="TxProfile", transactionId="tx")), OCPP16, {Lost.TRANSACTION, Lost.EVSE}),
    (as_json(meter()), DRAFT, set()),
    (as_json(meter(measurand="Current.Import", unit="A", phase="L1")), DRAFT, {Lost.PHASE}),
    (as_json(meter(measurand="SoC", unit="Percent")), DRAFT, {Lost.MEASURAND}),
    (as_json(meter(measurand="Voltage", unit="V", location="EV")), DRAFT, {Lost.LOCATION}),
    (as_json(meter(measurand="Voltage")), DRAFT, {Lost.UNIT}),
    (as_json(meter(measurand="Temperature", unit="K")), DRAFT, {Lost.UNIT}),
    (as_json(meter(measurand="Temperature", unit="Celcius")), DRAFT, set()),
    (as_json(meter(context="Trigger")), DRAFT, {Lost.CONTEXT}),
    (as_json(meter(**SIGNED)), DRAFT, {Lost.SIGNED}),
    (as_json(meter(**SIGNED)), OCPP201, {Lost.SIGNED}),
    (as_json(meter(**(SIGNED | {"value": "4F"}))), DRAFT, set()),
    (as_json(meter(**(SIGNED | {"value": "OCMF|{}|{}"}))), DRAFT, {Lost.SIGNED}),
    (as_json(meter("2.0.1", measurand="Energy.Active.Net")), OCPP16, {Lost.MEASURAND}),
    (as_json(meter("2.0.1", measurand="Frequency", unitOfMeasure={"unit": "Hz"})), OCPP16, {Lost.UNIT}),
    (
        as_json(
            {
                **meter("2.0.1"),
                **{"evse": {"id": 2}, "transactionInfo": {"transactionId": "9"}, "eventType": "Updated"},
            }
        ).replace(b'"evseId": 0, ', b""),
        DRAFT,
        {Lost.EVENT},
    ),
]


@pytest.mark.parametrize(("data", "to", "expected"), LOSSES)
def test_what_is_lost_is_named_and_nothing_else(data: bytes, to: Version, expected: set[Lost]) -> None:
    found = convert(data, to, "CB1234")
    assert {loss.what for loss in found.losses} - {Lost.IDENTITY} == expected
    assert (Lost.IDENTITY in {loss.what for loss in found.losses}) == data.startswith(b"<")


LEVEL = {"relativeTimeInterval": {"start": 0}, "ePriceLevel": 1}
PLAN_201 = v201(
    {"salesTariff": {"id": 1, "numEPriceLevels": 1, "salesTariffEntry": [LEVEL]}}
    | ONE_PHASE
    | {"startSchedule": "2026-01-05T12:00:00.000Z", "duration": 900, "minChargingRate": 6.1},
    chargingProfileKind="Absolute",
)
SAME: list[tuple[Version, dict[str, Any] | bytes]] = [
    (DRAFT, xml("offline")),
    (DRAFT, xml("plan")),
    (DRAFT, xml("readings")),
    (OCPP16, v16(startSchedule="2026-01-05T12:00:00.000Z", transactionId=7, minChargingRate=6.1)),
    (OCPP16, meter(context="Trigger", measurand="Voltage", unit="V", phase="L1", location="EV") | {"connectorId": 2}),
    (OCPP201, PLAN_201),
    (OCPP201, v201(chargingProfilePurpose="TxProfile", transactionId="tx")),
    (OCPP201, meter("2.0.1", context="Trigger", measurand="Energy.Active.Net", phase="L1") | {"evseId": 2}),
]


@pytest.mark.parametrize(("version", "said"), SAME)
def test_a_message_said_in_its_own_version_loses_nothing(version: Version, said: dict[str, Any] | bytes) -> None:
    if isinstance(said, bytes):
        assert convert(said, version) == Converted(said.decode().strip(), ())
        return
    found = convert(as_json(said), version)
    assert found.losses == ()
    back = json.loads(found.text)
    for reading in said.get("meterValue", ()):
        reading["timestamp"] = "2026-01-05T12:00:00.000Z"
        for one in reading["sampledValue"]:  # the defaults of OCPP, written out
            one.setdefault("context", "Sample.Periodic")
            one.setdefault("measurand", "Energy.Active.Import.Register")
    assert back == said


@pytest.mark.parametrize("data", [xml("plan"), xml("readings"), as_json(v16()), as_json(v201())])
@pytest.mark.parametrize("to", Version)
def test_that_connectors_and_evses_are_counted_alike_is_told_once_and_only_between_1_6_and_the_others(
    data: bytes, to: Version
) -> None:
    told = [loss for loss in convert(data, to, "CB").losses if loss.what is Lost.EVSE]
    assert len(told) == ((b"connectorId" in data) != (to is OCPP16))


def test_of_several_schedules_each_thing_that_only_one_has_is_named() -> None:
    one = PRICES | ONE_PHASE | {"minChargingRate": 6}
    losses = convert(as_json(v201(one, PRICES | {"id": 6, "minChargingRate": 7})), OCPP16).losses
    assert [str(loss) for loss in losses if loss.path.startswith("chargingSchedule[")] == [
        "[salesTariff] chargingSchedule[0].salesTariff: prices are left out",
        "[minChargingRate] chargingSchedule[0].minChargingRate: 6 is left out",
        "[phaseToUse] chargingSchedule[0].chargingSchedulePeriod[0].phaseToUse: L2 is left out, the station chooses",
        "[salesTariff] chargingSchedule[1].salesTariff: prices are left out",
        "[minChargingRate] chargingSchedule[1].minChargingRate: 7 is left out",
    ]


def test_a_least_rate_that_has_no_tenths_is_rounded_down_and_told() -> None:
    for data in (as_json(v16(minChargingRate=6.19)), as_json(v201({"minChargingRate": 6.19}))):
        for to in (OCPP16, OCPP201):
            found = convert(data, to)
            assert '"minChargingRate": 6.1' in found.text
            assert "[limit rounded down] chargingSchedule.minChargingRate: 6.19 becomes 6.1" in map(str, found.losses)


def test_each_kind_of_loss_is_met_above_or_below_and_told_in_the_docs() -> None:
    assert {kind for *_, kinds in LOSSES for kind in kinds} | {Lost.IDENTITY} == set(Lost)
    told = (DOCS / "ocpp.md").read_text()
    assert [kind for kind in Lost if f"| {kind} |" not in told] == []


def test_prices_beside_a_fixed_start_are_lost_in_part() -> None:
    text = xml("plan").decode()
    first, other = text.index("<csChargingProfiles>"), text.rindex("<csChargingProfiles>")
    alone = (text[:first] + text[other:]).replace("<primary>false", "<primary>true")
    long = alone.replace("green energy", "g" * 33).encode()
    losses = [loss for loss in convert(long, OCPP201).losses if loss.what is Lost.SALES_TARIFF]
    assert [loss.path.rpartition(".")[2] for loss in losses] == ["periodDescription", "start", "salesTariffDescription"]
    back = convert(convert(alone.encode(), OCPP201).text.encode(), DRAFT, "CB")
    assert [loss.path for loss in back.losses] == ["salesTariffEntry.relativeTimeInterval.start"]


def charging(found: Converted) -> SetChargingProfileRequest:
    message = soap.read(found.text.encode()).message
    assert isinstance(message, SetChargingProfileRequest)
    return message


def test_watts_become_whole_kilowatts_below_and_the_lowest_of_several_schedules_is_kept() -> None:
    one = {"chargingSchedulePeriod": [{"startPeriod": 0, "limit": 7999.9}]}
    other = {"id": 6, "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 9000, "numberPhases": 1}]}
    (period,) = charging(convert(as_json(v201(one)), DRAFT, "CB")).profiles[0].schedule.periods
    assert (period.max_power_kw, period.max_current_a, period.number_phases) == (7, None, None)
    (period,) = charging(convert(as_json(v201(one, other)), DRAFT, "CB")).profiles[0].schedule.periods
    assert (period.max_power_kw, period.number_phases) == (2, 1)  # a third of 7999.9 W in the one phase


def test_external_constraints_and_maximum_have_their_names_in_2_0_1_and_only_the_latter_in_1_6() -> None:
    for old, new in (
        ("ChargePointExternalConstraints", "ChargingStationExternalConstraints"),
        ("ChargePointMaxProfile", "ChargingStationMaxProfile"),
    ):
        data = xml("offline", ("TxDefaultProfile", old))
        assert json.loads(convert(data, OCPP201).text)["chargingProfile"]["chargingProfilePurpose"] == new
    with pytest.raises(PayloadError, match="would replace the maximum"):
        convert(xml("offline", ("TxDefaultProfile", "ChargePointExternalConstraints")), OCPP16)
    body = json.loads(convert(xml("offline", ("TxDefaultProfile", "ChargePointMaxProfile")), OCPP16).text)
    assert (body["connectorId"], body["csChargingProfiles"]["chargingProfilePurpose"]) == (0, "ChargePointMaxProfile")


@pytest.mark.parametrize("to", [DRAFT, OCPP16])
def test_a_moment_of_which_nothing_can_be_said_is_left_out(to: Version) -> None:
    said = meter("2.0.1")
    net = {"value": 1, "measurand": "Energy.Active.Net"}
    said["meterValue"].append({"timestamp": "2026-01-05T12:01:00Z", "sampledValue": [net]})
    found = convert(as_json(said), to, "CB")
    assert "12:00:00" in found.text
    assert "12:01:00" not in found.text
    assert [loss.what for loss in found.losses] == [Lost.MEASURAND]


def test_celsius_has_its_name_in_json() -> None:
    body = json.loads(convert(xml("readings"), OCPP16).text)
    assert [one.get("unit") for one in body["meterValue"][0]["sampledValue"]] == ["kWh", "A", "Celsius"]


def test_a_call_stays_a_call_and_answers_become_payloads() -> None:
    found = json.loads(convert(as_json([2, "id-7", "SetChargingProfile", v16()]), OCPP201).text)
    assert found[:3] == [2, "id-7", "SetChargingProfile"]
    letter = soap.read(convert(as_json([2, "id-7", "SetChargingProfile", v16()]), DRAFT, "CB1").text.encode())
    assert (letter.message_id, letter.identity) == ("id-7", "CB1")
    assert json.loads(convert(xml("accepted"), OCPP16).text) == {"status": "Accepted"}
    assert json.loads(convert(xml("taken"), OCPP201).text) == {}
    assert convert(xml("taken"), DRAFT).text == xml("taken").decode().strip()


def test_a_message_in_its_own_version_is_written_as_we_write_it() -> None:
    assert convert(xml("plan"), DRAFT) == Converted(xml("plan").decode().strip(), ())
    said = v16()
    said["csChargingProfiles"]["chargingSchedule"]["startSchedule"] = "2026-01-05T12:00:00.000Z"
    assert json.loads(convert(as_json(v16()), OCPP16).text) == said


def test_a_message_of_chapter_4_without_identity_is_one_to_be_filled_in() -> None:
    found = convert(as_json(meter()), DRAFT)
    assert [loss.what for loss in found.losses] == [Lost.IDENTITY]
    assert "chargePointIdentity" not in found.text
    assert isinstance(soap.read(found.text.encode()).message, MeterValuesRequest)


@pytest.mark.parametrize(
    ("data", "to", "reason"),
    [
        (b"", DRAFT, "neither XML nor JSON"),
        (b"\xff\xfe", DRAFT, "neither XML nor JSON"),
        (b"[" * 100_000, DRAFT, "neither XML nor JSON"),
        (b"9" * 5000, DRAFT, "neither XML nor JSON"),
        (b'{"a": NaN}', DRAFT, "NaN is no number"),
        (b'{"a": 1, "a": 2}', DRAFT, "a key stands twice"),
        (b"7", DRAFT, "neither XML, nor a JSON object"),
        (b"{}", DRAFT, "neither connectorId"),
        (b" " * (1 << 20) + b"1", DRAFT, "larger than"),
        (b"<a/>", OCPP16, "SOAP 1.2 Envelope"),
        (as_json([3, "id", {}]), DRAFT, "only a call"),
        (as_json([2, 7, "SetChargingProfile", {}]), DRAFT, "only a call"),
        (as_json([2, "7", "Reset", v16()]), DRAFT, "Reset: is not converted"),
        (as_json([2, "7", "SetChargingProfile", []]), DRAFT, "neither XML, nor a JSON object"),
        (as_json(v16(chargingProfilePurpose="ChargePointExternalConstraints")), DRAFT, "OCPP 1.6 has no Charge"),
        (as_json(v16(validTo="2026-01-06T00:00:00Z")), DRAFT, "validTo: must not stand in a TxProfile"),
        (as_json(v16(chargingProfileKind="Recurring")), DRAFT, "needs recurrencyKind"),
        (
            as_json(v16(**DAILY)),
            DRAFT,
            "starts anew at midnight in UTC",
        ),
        (as_json(v16(chargingProfileKind="Relative")), DRAFT, "must not stand in a Relative"),
        (
            as_json(v16(**WEEKLY)),
            DRAFT,
            "on Monday at midnight",
        ),
        (as_json(v201({}, {"duration": 9})), DRAFT, "none is the lowest"),
        (
            as_json(v201({}, {"chargingSchedulePeriod": [{"startPeriod": 1, "limit": 1}]})),
            DRAFT,
            "does not start at 0 s",
        ),
        (as_json({"evseId": 0, "meterValue": []}), OCPP16, "has 0 entries"),
        (NO_READINGS, OCPP16, "no value is left"),
        (NO_READINGS, OCPP201, "no value is left"),
    ],
)
def test_what_cannot_be_converted_safely_is_refused_in_one_line(data: bytes, to: Version, reason: str) -> None:
    with pytest.raises(OcppError, match=reason) as error:
        convert(data, to, "CB")
    assert "\n" not in str(error.value)


def test_the_example_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    found = re.search(r"```python\n(.*?)```", (DOCS / "ocpp.md").read_text(), re.DOTALL)
    assert found is not None
    exec(found[1], {})
    assert capsys.readouterr().out == "200 Accepted\n"


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    """The command sets logging up for its process, which is not this one."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def gridroom(*words: str | Path, stdin: bytes = b"") -> Result:
    wide = {"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"}
    return CliRunner(env=wide).invoke(app, ["convert", *map(str, words)], input=stdin)


def test_the_command_prints_the_message_and_on_stderr_a_line_per_loss() -> None:
    result = gridroom(SAMPLES / "plan.xml", "--to", "1.6")
    expected = convert(xml("plan"), OCPP16)
    assert (result.exit_code, result.stdout) == (0, expected.text + "\n")
    assert result.stderr.splitlines() == [str(loss) for loss in expected.losses]
    assert "[connectorType] evse.connectorType: sType2 is left out: the limit holds for the whole EVSE" in result.stderr


def test_the_command_reads_standard_input_and_takes_an_identity() -> None:
    result = gridroom("-", "--to", "draft20", "--identity", "CB7", stdin=as_json([2, "1", "MeterValues", meter()]))
    assert (result.exit_code, result.stderr) == (0, "")
    assert soap.read(result.stdout.encode()).identity == "CB7"


@pytest.mark.parametrize("data", [b"", b"nonsense", b"{}", b"<a/>", b"\x00\xff"])
def test_bad_input_is_one_clear_line_and_exit_1(data: bytes) -> None:
    result = gridroom("-", "--to", "2.0.1", stdin=data)
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("gridroom: ")


def test_a_missing_file_and_an_unknown_version_are_told(tmp_path: Path) -> None:
    assert gridroom(tmp_path / "no.xml", "--to", "1.6").stderr.endswith("No such file or directory\n")
    result = gridroom(SAMPLES / "plan.xml", "--to", "1.5")
    assert result.exit_code == 2
    assert "'1.5' is none of draft20, 1.6, 2.0.1" in result.stderr
