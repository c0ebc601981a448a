"""OSCP 1.0 sections 4.2.1.1 and 5.3: who is meant, what is taken, and the Faults for the rest."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ocpp_samples as samples
from gridroom.ocpp.draft20 import soap
from gridroom.ocpp.draft20.endpoint import answer_cp, answer_cs
from gridroom.ocpp.draft20.enums import GenericStatus
from gridroom.ocpp.draft20.soap import Letter
from gridroom.ocpp.draft20.values import (
    MeterValuesRequest,
    MeterValuesResponse,
    SetChargingProfileRequest,
    SetChargingProfileResponse,
)
from gridroom.ocpp.errors import CallRefusedError, PayloadError

SAMPLES = Path(__file__).parent / "samples"
PLAN, READINGS = ((SAMPLES / f"{name}.xml").read_bytes() for name in ("plan", "readings"))


class Heard:
    """Both ends, writing down what they are told."""

    def __init__(self) -> None:
        self.plans: list[SetChargingProfileRequest] = []
        self.readings: list[MeterValuesRequest] = []

    def plan(self, request: SetChargingProfileRequest) -> GenericStatus:
        self.plans.append(request)
        return GenericStatus.ACCEPTED

    def reading(self, request: MeterValuesRequest) -> None:
        self.readings.append(request)


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_a_local_controller_takes_a_plan_that_is_meant_for_it(heard: Heard) -> None:
    data = soap.write(Letter(samples.PLAN, "CB1234", "urn:uuid:1"))
    status, answer = answer_cp(data, "CB1234", heard.plan)
    assert (status, soap.read_answer(answer)) == (200, SetChargingProfileResponse(GenericStatus.ACCEPTED))
    assert soap.read(answer).relates_to == "urn:uuid:1"
    assert heard.plans == [samples.PLAN]


def test_a_cso_takes_meter_values_of_the_station_that_the_connection_proves(heard: Heard) -> None:
    status, answer = answer_cs(READINGS, "CB1234", heard.reading)
    assert (status, soap.read_answer(answer)) == (200, MeterValuesResponse())
    assert len(heard.readings) == 1


def refused(result: tuple[int, bytes], status: int = 400) -> CallRefusedError:
    assert result[0] == status
    with pytest.raises(CallRefusedError) as error:
        soap.read_answer(result[1])
    return error.value


@pytest.mark.parametrize("identity", ["CB1235", "cb1234", ""])
def test_a_wrong_identity_is_a_fault_identity_mismatch_and_nothing_is_taken(heard: Heard, identity: str) -> None:
    for found in (answer_cp(PLAN, identity, heard.plan), answer_cs(READINGS, identity, heard.reading)):
        assert refused(found).code == "IdentityMismatch"
    assert (heard.plans, heard.readings) == ([], [])


def test_identity_comes_before_rules_and_is_told_in_the_namespace_of_the_service(heard: Heard) -> None:
    status, answer = answer_cp(PLAN.replace(b"<evse>", b"<evs>"), "CB1234", heard.plan)
    assert (status, refused((status, answer)).code) == (400, "ProtocolError")
    broken = PLAN.replace(b"<id>2</id>", b"<id>0</id>")
    assert refused(answer_cp(broken, "CB1234", heard.plan)).code == "ProtocolError"
    assert b'<soap:Value xmlns:c="urn://Ocpp/Cp/2014/08/">c:IdentityMismatch' in answer_cp(broken, "x", heard.plan)[1]
    assert b'<soap:Value xmlns:c="urn://Ocpp/Cs/2014/08/">c:IdentityMismatch' in answer_cs(READINGS, "x", print)[1]


def test_a_request_without_identity_is_refused(heard: Heard) -> None:
    nameless = soap.enclose(Letter(samples.PLAN, message_id="7"))
    error = refused(answer_cp(nameless, "CB1234", heard.plan))
    assert (error.code, error.description) == (
        "ProtocolError",
        "Envelope/Header/chargePointIdentity: must stand in each request",
    )
    assert b">7</RelatesTo>" in answer_cp(nameless, "CB1234", heard.plan)[1]


def test_each_side_takes_only_what_is_its_own(heard: Heard) -> None:
    assert refused(answer_cp(READINGS, "CB1234", heard.plan)).code == "NotSupported"
    assert refused(answer_cs(PLAN, "CB1234", heard.reading)).code == "NotSupported"
    answer = soap.write(Letter(MeterValuesResponse())).replace(b"<soap:Header>", soap_header("CB1234"))
    assert refused(answer_cs(answer, "CB1234", heard.reading)).code == "NotSupported"


def soap_header(identity: str) -> bytes:
    return f"<soap:Header><chargePointIdentity>{identity}</chargePointIdentity>".encode()


def test_codes_of_soap_itself_come_with_http_500(heard: Heard) -> None:
    old = PLAN.replace(b"http://www.w3.org/2003/05/soap-envelope", b"http://schemas.xmlsoap.org/soap/envelope/")
    assert refused(answer_cp(old, "CB1234", heard.plan), 500).code == "VersionMismatch"
    strange = PLAN.replace(b"<soap:Header>", b"<soap:Header><x:y xmlns:x='urn:x' soap:mustUnderstand='true'/>")
    assert refused(answer_cp(strange, "CB1234", heard.plan), 500).code == "MustUnderstand"


def test_a_handler_may_refuse_in_words() -> None:
    def unwilling(request: MeterValuesRequest) -> None:
        raise PayloadError("evse.id", "there is no EVSE 2")

    error = refused(answer_cs(READINGS, "CB1234", unwilling))
    assert (error.code, error.description) == ("ProtocolError", "evse.id: there is no EVSE 2")


@given(st.binary(max_size=200) | st.tuples(st.integers(0, 2000), st.binary(max_size=9)))
def test_no_bytes_make_it_raise(noise: bytes | tuple[int, bytes]) -> None:
    data = noise if isinstance(noise, bytes) else PLAN[: noise[0]] + noise[1] + PLAN[noise[0] + len(noise[1]) :]
    for status, answer in (
        answer_cp(data, "CB1234", lambda request: GenericStatus.REJECTED),
        answer_cs(data, "CB1234", lambda request: None),
    ):
        assert status in (200, 400, 500)
        assert soap.split(answer, soap11=True)


def test_a_doctype_is_refused_before_anything_else(heard: Heard) -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY b "bbbb">]>' + PLAN
    assert "DOCTYPE" in refused(answer_cp(bomb, "CB1234", heard.plan)).description
