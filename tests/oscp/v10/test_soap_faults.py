"""Section 5.3: Faults, written and read; row 32."""

from datetime import UTC, datetime

import pytest

from gridroom import xml
from gridroom.oscp.errors import AnswerError, RemoteError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import Fault, Header, HeartbeatRequest
from gridroom.oscp.v10.profile import PeerProfile

SOAP11 = PeerProfile(soap="1.1")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def envelope12(fault: str, header: str = "") -> bytes:
    soap12 = 'xmlns:e="http://www.w3.org/2003/05/soap-envelope"'
    return f"<e:Envelope {soap12}><e:Header>{header}</e:Header><e:Body>{fault}</e:Body></e:Envelope>".encode()


def envelope11(fault: str) -> bytes:
    soap11 = 'xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"'
    return f"<e:Envelope {soap11}><e:Body><e:Fault>{fault}</e:Fault></e:Body></e:Envelope>".encode()


@pytest.mark.parametrize("profile", [PeerProfile(), SOAP11])
@pytest.mark.parametrize("sender", [True, False])
def test_a_fault_written_is_read_back(profile: PeerProfile, sender: bool) -> None:
    error = RemoteError("wrong <& strange", path="Envelope/Header/Parties", sender=sender)
    data = soap.write_fault(error, relates_to="id-1", message_id="f-1", now=NOW, profile=profile)
    assert soap.read_reply(data) == Fault(sender, "Envelope/Header/Parties: wrong <& strange", "", "id-1")


@pytest.mark.parametrize(
    "subcode",
    [
        *("ActionMismatch", "InvalidCardinality", "InvalidAddressingHeader", "MessageAddressingHeaderRequired"),
        *("ActionNotSupported", "OnlyAnonymousAddressSupported", "VersionMismatch", "MustUnderstand", "UnknownParty"),
    ],
)
def test_subcodes(subcode: str) -> None:
    fault = soap.read_reply(soap.write_fault(RemoteError("no", subcode=subcode)))
    assert isinstance(fault, Fault)
    assert (fault.sender, fault.subcode) == (True, subcode)


def test_details_of_addressing_stand_beneath_invalid_addressing_header() -> None:
    data = soap.write_fault(RemoteError("no", subcode="ActionMismatch"))
    values = [element.text for element in xml.parse(data).iter("{http://www.w3.org/2003/05/soap-envelope}Value")]
    assert values == ["soap:Sender", "wsa:InvalidAddressingHeader", "c:ActionMismatch"]


def test_any_text_can_be_told() -> None:
    fault = soap.read_reply(soap.write_fault(RemoteError("\x00\x1f ]]> " + "x" * 5000), relates_to=" \x01 "))
    assert isinstance(fault, Fault)
    assert fault.reason.startswith("?? ]]> xxx")


@pytest.mark.parametrize(
    ("code", "sender"),
    [
        ("e:Client", True),
        ("e:Server", False),
        ("Client.Authentication", True),
        ("e:VersionMismatch", True),
        ("e:MustUnderstand", True),
        ("Server.Busy", False),
        ("Strange", False),
    ],
)
def test_soap_1_1_faults_are_read_whatever_the_profile(code: str, sender: bool) -> None:
    fault = soap.read_reply(envelope11(f"<faultcode>{code}</faultcode><faultstring>so it is</faultstring>"))
    assert isinstance(fault, Fault)
    assert (fault.sender, fault.reason) == (sender, "so it is")


def test_the_code_decides_who_is_to_blame() -> None:
    text = (
        "<e:Fault><e:Code><e:Value>e:Receiver</e:Value><e:Subcode><e:Value>x:Busy</e:Value></e:Subcode></e:Code>"
        '<e:Reason><e:Text xml:lang="nl">bezet</e:Text></e:Reason></e:Fault>'
    )
    relates = '<RelatesTo xmlns="http://www.w3.org/2005/08/addressing">id-9</RelatesTo>'
    assert soap.read_reply(envelope12(text, relates)) == Fault(False, "bezet", "Busy", "id-9")


def test_a_fault_without_code_or_something_else_is_no_answer() -> None:
    for data in (envelope12("<e:Fault/>"), envelope11(""), b"<html/>", b"", envelope12("<x/>")):
        with pytest.raises(AnswerError):
            soap.read_reply(data)


def test_a_request_is_no_answer_and_a_fault_is_no_message() -> None:
    request = soap.write(Header("id", "a", "b", NOW, to="https://x"), HeartbeatRequest(1, 1))
    with pytest.raises(AnswerError, match="request"):
        soap.read_reply(request)
    with pytest.raises(RemoteError):
        soap.read(soap.write_fault(RemoteError("no")))


def test_media_types() -> None:
    assert soap.content_type("HeartbeatResponse") == (
        'application/soap+xml; charset=utf-8; action="/HeartbeatResponse"'
    )
    assert soap.content_type("Heartbeat", SOAP11) == "text/xml; charset=utf-8"
    assert "addressing/fault" in soap.content_type("Fault")
