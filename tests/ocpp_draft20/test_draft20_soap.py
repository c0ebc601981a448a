"""OSCP 1.0 sections 4.2.1.1, 5.1: messages of chapter 4 in their SOAP envelope."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ocpp_samples as samples
from gridroom import xml
from gridroom.ocpp.draft20 import soap, wsdl
from gridroom.ocpp.draft20.enums import GenericStatus, UnitOfMeasure
from gridroom.ocpp.draft20.faults import write_fault
from gridroom.ocpp.draft20.names import BODIES, CP, CS, SOAP11
from gridroom.ocpp.draft20.soap import Letter
from gridroom.ocpp.draft20.values import (
    ChargingSchedulePeriod,
    Message,
    MeterValuesRequest,
    MeterValuesResponse,
    SetChargingProfileRequest,
    SetChargingProfileResponse,
)
from gridroom.ocpp.errors import BrokenAnswerError, CallRefusedError, PayloadError, RulesError

SAMPLES = Path(__file__).parent / "samples"
ANSWERS = (SetChargingProfileResponse, MeterValuesResponse)


def letter(message: Message) -> Letter:
    return Letter(message) if isinstance(message, ANSWERS) else Letter(message, "CB1234")


@pytest.mark.parametrize("name", samples.MESSAGES)
def test_each_sample_is_written_as_it_lies_here_and_read_back(name: str) -> None:
    message = samples.MESSAGES[name]
    assert soap.write(letter(message)) == (SAMPLES / f"{name}.xml").read_bytes().rstrip()
    found = soap.read((SAMPLES / f"{name}.xml").read_bytes())
    expected = message
    if isinstance(message, MeterValuesRequest):  # the unit that is meant is written
        signed = message.values[1].values[0]
        second = replace(message.values[1], values=(replace(signed, unit=UnitOfMeasure.WH),))
        expected = replace(message, values=(message.values[0], second))
    assert (found.message, found.identity) == (expected, letter(message).identity)


@given(samples.charging() | samples.readings)
def test_what_is_written_is_valid_by_the_schema_and_comes_back(message: Message) -> None:
    data = soap.write(Letter(message, "CB1234", "urn:uuid:1", "https://station.example/"))
    header, body = soap.split(data)
    assert header is not None
    schema = wsdl.schema("cp" if isinstance(message, SetChargingProfileRequest) else "cs")
    assert schema.findings(body) == []
    assert schema.findings(header[0]) == []
    assert soap.read(data) == Letter(message, "CB1234", "urn:uuid:1", "https://station.example/")


def test_the_body_stands_in_the_namespace_of_who_hosts_the_service() -> None:
    assert {name: namespace for name, (namespace, _) in BODIES.items()} == {
        "setChargingProfileRequest": "urn://Ocpp/Cp/2014/08/",
        "setChargingProfileResponse": "urn://Ocpp/Cp/2014/08/",
        "meterValuesRequest": "urn://Ocpp/Cs/2014/08/",
        "meterValuesResponse": "urn://Ocpp/Cs/2014/08/",
    }


def plan(*changes: tuple[str, str], name: str = "plan") -> bytes:
    """A sample with some of its text changed."""
    text = (SAMPLES / f"{name}.xml").read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text.encode()


@pytest.mark.parametrize(
    "change",
    [
        ("<id>2</id>", "<Id> 2\n</Id>"),
        ("<numberPhases>3</numberPhases>", "<NumberPhase>3</NumberPhase>"),
        ("<primary>true</primary>", "<primary>1</primary>"),
        ("<chargingProfilePurpose>TxProfile<", "<chargingProfilePurpose>txprofile<"),
        ("2026-01-05T12:00:00.000Z", "2026-01-05T12:00:00"),
        ("2026-01-05T12:00:00.000Z", "2026-01-05T13:00:00.0000000+01:00"),
        ("<maxPower>11</maxPower>", "<maxPower>+011</maxPower><maxCurrent xsi:nil='true'/>"),
        ("<maxPower>11</maxPower>", "<maxPower xsi:type='xs:int'>11</maxPower>"),
        ("<evse>", "<?pi?><!-- c --><evse>"),
        ("<startPeriod>0</startPeriod><maxPower>11</maxPower>", "<maxPower>11</maxPower><startPeriod>0</startPeriod>"),
    ],
)
def test_what_can_be_taken_to_mean_it_is_read(change: tuple[str, str]) -> None:
    envelope = ("<soap:Envelope", '<soap:Envelope xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"')
    assert soap.read(plan(envelope, change)) == Letter(samples.PLAN, "CB1234")


def test_the_name_of_the_identity_is_read_in_any_letter_case() -> None:
    opening, closing = ("chargePointIdentity xmlns", "CHARGEpointID xmlns"), ("chargePointIdentity>", "CHARGEpointID>")
    shouting = [(old, new.replace("ID", "IDENTITY")) for old, new in (opening, closing)]
    assert soap.read(plan(*shouting)) == Letter(samples.PLAN, "CB1234")


def test_midnight_may_be_the_end_of_the_day_before() -> None:
    found = soap.read(plan(("2026-01-05T12:00:00.000Z", "2026-01-04T24:00:00Z"))).message
    assert isinstance(found, SetChargingProfileRequest)
    assert found.profiles[0].schedule.start_schedule == samples.MONDAY


def test_the_unit_of_ocpp_1_5_is_read() -> None:
    assert soap.read(plan(('unit="A"', 'unit="Amp"'), name="readings")) == soap.read(plan(name="readings"))


def test_a_connector_type_beside_meter_values_says_nothing() -> None:
    told = plan(("<id>2</id>", "<id>2</id><connectorType>sType4</connectorType>"), name="readings")
    assert soap.read(told) == soap.read(plan(name="readings"))


def test_attributes_that_are_left_out_have_the_defaults_of_the_document() -> None:
    told = ' context="Sample.Periodic" format="Raw" measurand="Energy.Active.Import.Register" location="Outlet"'
    assert soap.read(plan((told, ""), name="readings")) == soap.read(plan(name="readings"))


@pytest.mark.parametrize(
    ("change", "path", "reason"),
    [
        (("<maxCurrent>12.55<", "<maxCurrent>1e9<"), "chargingSchedulePeriod[2]/maxCurrent", "not a number"),
        (("<maxCurrent>12.55<", "<maxCurrent>12,55<"), "maxCurrent", "not a number"),
        (("<maxCurrent>12.55<", "<maxCurrent/><maxCurrent>9<"), "maxCurrent", "not a number|stands 2 times"),
        (("<maxCurrent>12.55<", "<maxCurent>1</maxCurent><maxCurrent>12.55<"), "maxCurent", "is not known here"),
        (("<maxPower>11<", "<maxPower unit='W'>11<"), "maxPower", "attribute unit"),
        (("<maxPower>11<", "<maxPower>11.5<"), "maxPower", "not a whole number"),
        (("<maxPower>11<", "<maxPower><b/>11<"), "maxPower", "text beside elements"),
        (("<maxPower>11<", "<maxPower><b>11</b><"), "maxPower", "text was expected"),
        (("<startPeriod>0</startPeriod>", ""), "chargingSchedulePeriod[1]/startPeriod", "is missing"),
        (("<startPeriod>0<", "<startPeriod>1111111111111111111<"), "startPeriod", "not a whole number"),
        (("<primary>true<", "<primary>yes<"), "primary", "neither true nor false"),
        (("T12:00:00.000Z", " noon"), "startSchedule", "is not a time like"),
        (("2026-01-05T", "2026-02-30T"), "startSchedule", "not a time of the calendar"),
        (("2026-01-05T12:00:00.000Z", "0001-01-01T00:00:00+14:00"), "startSchedule", "not a time of the calendar"),
        (("<connectorType>sType2<", "<connectorType>sType4<"), "connectorType", "is none of cCCS1"),
        (("<numberPhases>3<", "<NumberPhase>3</NumberPhase><numberPhases>3<"), "Period[2]", "two spellings"),
        (("<evse>", "<evse xmlns='urn:other'>"), "evse", "is not known here"),
        (("<evse>", "<evse/><evse>"), "evse[2]", "stands 2 times"),
        (("<id>2</id>", ""), "evse/id", "is missing"),
        (("setChargingProfileRequest xmlns=", "setProfile xmlns="), "", "not well-formed"),
        (("<soap:Header>", "<soap:Header/><soap:Header>"), "Envelope", "at most one Header"),
        (("<Action xmlns", "<chargepointidentity>x</chargepointidentity><Action xmlns"), "chargepoint", "stands twice"),
        ((">CB1234<", f">{'x' * 256}<"), "chargePointIdentity", "longer than 255"),
    ],
)
def test_what_is_broken_is_refused_with_its_place(change: tuple[str, str], path: str, reason: str) -> None:
    with pytest.raises(PayloadError, match=reason) as error:
        soap.read(plan(change))
    assert path in error.value.path


@pytest.mark.parametrize(
    ("data", "code", "reason"),
    [
        (b"", "", "not well-formed"),
        (b"<a/>", "", "SOAP 1.2 Envelope"),
        (b"\xff", "", "not UTF-8"),
        (plan(("<soap:Envelope", "<!DOCTYPE a><soap:Envelope")), "", "DOCTYPE"),
        (plan(("http://www.w3.org/2003/05/soap-envelope", SOAP11)), "VersionMismatch", "SOAP 1.2"),
        (plan(("2003/05/soap-envelope", "2099/05/soap-envelope")), "VersionMismatch", "SOAP 1.2"),
        (plan(('urn://Ocpp/Cp/2014/08/"><evse', 'urn://Ocpp/Cp/2012/06/"><evse')), "NotSupported", "no message"),
        (
            plan(("<Action xmlns", "<x:Pay xmlns:x='urn:x' soap:mustUnderstand='1'/><Action xmlns")),
            "MustUnderstand",
            "must be understood",
        ),
    ],
)
def test_what_is_no_envelope_of_ours_has_a_code_for_its_fault(data: bytes, code: str, reason: str) -> None:
    with pytest.raises(PayloadError, match=reason) as error:
        soap.read(data)
    assert error.value.code == code


def test_headers_of_others_are_let_be() -> None:
    data = plan(("<Action xmlns", "<x:Pay xmlns:x='urn:x' soap:mustUnderstand='0'>9</x:Pay><Action xmlns"))
    assert soap.read(data).identity == "CB1234"


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (Letter(samples.PLAN), "must stand in each request"),
        (Letter(samples.PLAN, " CB"), "outer white space"),
        (Letter(samples.PLAN, "C\x00B"), "control character"),
        (Letter(replace(samples.PLAN, profiles=()), "CB"), "at least one"),
    ],
)
def test_what_cannot_be_said_is_not_written(made: Letter, reason: str) -> None:
    with pytest.raises(PayloadError, match=reason):
        soap.write(made)


def test_a_limit_with_more_digits_than_are_read_is_not_written() -> None:
    long = ChargingSchedulePeriod(0, max_current_a=Decimal("1." + "1" * 30))
    profile = samples.OFFLINE.profiles[0]
    message = replace(
        samples.OFFLINE, profiles=(replace(profile, schedule=replace(profile.schedule, periods=(long,))),)
    )
    with pytest.raises(PayloadError, match="more digits than are read"):
        soap.write(Letter(message, "CB"))


def test_answers_are_read_and_faults_raised() -> None:
    accepted = SetChargingProfileResponse(GenericStatus.ACCEPTED)
    assert soap.read_answer(soap.write(Letter(accepted, relates_to="1"))) == accepted
    assert soap.read_answer(soap.write(Letter(MeterValuesResponse()))) == MeterValuesResponse()
    with pytest.raises(BrokenAnswerError, match="a request came"):
        soap.read_answer(soap.write(Letter(samples.PLAN, "CB1234")))
    with pytest.raises(BrokenAnswerError, match="cannot be read: not well-formed"):
        soap.read_answer(b"")
    with pytest.raises(BrokenAnswerError, match="status"):
        soap.read_answer(plan((">Accepted<", ">Maybe<"), name="accepted"))
    with pytest.raises(CallRefusedError) as refused:
        soap.read_answer(soap.envelope("", write_fault(PayloadError("a", "no <b>", "IdentityMismatch"), CS)))
    assert (refused.value.code, refused.value.description) == ("IdentityMismatch", "a: no <b>")


@pytest.mark.parametrize(
    ("inside", "code", "reason"),
    [
        ("<faultcode>soap:Client</faultcode><faultstring>no\n way</faultstring>", "Client", "no way"),
        ("", "Fault", ""),
    ],
)
def test_a_fault_of_soap_1_1_is_read_too(inside: str, code: str, reason: str) -> None:
    body = f"<soap:Body><soap:Fault>{inside}</soap:Fault></soap:Body>"
    with pytest.raises(CallRefusedError) as refused:
        soap.read_answer(f'<soap:Envelope xmlns:soap="{SOAP11}">{body}</soap:Envelope>'.encode())
    assert (refused.value.code, refused.value.description) == (code, reason)


@given(st.data())
def test_a_message_with_a_piece_missing_or_doubled_is_read_or_refused_never_worse(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(("offline", "plan", "readings")))
    text = (SAMPLES / f"{name}.xml").read_bytes()
    begin, end = sorted(data.draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
    piece = data.draw(st.sampled_from((b"", text[begin:end] * 2, b"&", b"<a>", b"<a/>", b"9" * 40, b"\x00")))
    try:
        soap.read(text[:begin] + piece + text[end:])
    except PayloadError as error:
        told = str(error)
    else:
        told = "read"
    assert "\n" not in told


NIL = ' xsi:nil="true" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
NAMES = st.sampled_from(("maxCurrent", "MAXCURRENT", "maxPower", "maxpower", "maxCurent", "limit", "x:maxCurrent"))
STATED = st.lists(
    st.tuples(NAMES, st.sampled_from(("", "", "", NIL, ' unit="A"')), st.sampled_from(("6", "16.5", "32", "", " 7 "))),
    min_size=1,
    max_size=3,
)


@given(STATED)
def test_the_limit_understood_is_never_above_the_lowest_that_a_period_states(
    stated: list[tuple[str, str, str]],
) -> None:
    inside = "".join(f"<{name}{attribute}>{text}</{name}>" for name, attribute, text in stated)
    data = plan(("<maxPower>11</maxPower>", inside), ("<soap:Envelope", '<soap:Envelope xmlns:x="urn:x"'))
    try:
        message = soap.read(data).message
    except PayloadError:
        return
    assert isinstance(message, SetChargingProfileRequest)
    period = message.primary().schedule.periods[0]
    understood = [one for one in (period.max_current_a, period.max_power_kw) if one is not None]
    assert sorted(understood) == sorted(Decimal(text) for _, _, text in stated if text)


def test_a_limit_that_says_it_is_absent_is_absent_and_a_period_is_not() -> None:
    found = soap.read(plan(("<maxPower>7<", f"<maxPower{NIL}><"))).message
    assert isinstance(found, SetChargingProfileRequest)
    assert found.primary().schedule.periods[1] == ChargingSchedulePeriod(900, None, Decimal("12.55"), 3)
    with pytest.raises(PayloadError, match="says that it is absent, and holds something"):
        soap.read(plan(("<maxPower>7<", f"<maxPower{NIL}>7<")))
    second = "<chargingSchedulePeriod><startPeriod>900<"
    assert soap.read(plan((second, second.replace("Period>", f"Period{NIL}>", 1)))).message == samples.PLAN


def test_all_findings_are_in_the_error() -> None:
    with pytest.raises(RulesError) as error:
        soap.read(plan(("<id>2</id>", "<id>0</id>"), ("<primary>true", "<primary>false")))
    assert len(error.value.findings) == 4  # evse.id of two TxProfiles, none primary, an alternative without prices
    assert all(reason in str(error.value) for _, reason in error.value.findings)


def test_xml_costs_are_bounded() -> None:
    assert soap.LIMITS.max_bytes == 1 << 20
    with pytest.raises(PayloadError, match="larger than"):
        soap.read(b"<a>" + b" " * (1 << 20) + b"</a>")


def test_the_schema_refuses_what_the_tables_forbid() -> None:
    def findings(change: tuple[str, str]) -> list[Any]:
        return list(wsdl.schema("cp").findings(soap.split(plan(change))[1]))

    assert findings(("<id>2</id>", "<id>2</id>")) == []
    assert findings(("<id>2</id>", "<id>-1</id>"))
    assert findings(("<numberPhases>3<", "<numberPhases>4<"))
    assert findings(("TxProfile", "TxProfiles"))
    assert xml.split(soap.split(plan())[1].tag) == (CP, "setChargingProfileRequest")
