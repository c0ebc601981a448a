"""Row 32, section 5.3 and SOAP: Faults, written and read. What is wrong in the business is a Result instead."""

import pytest

from gridroom import xml
from gridroom.oscp.errors import AnswerError, RemoteError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.conversation import Conversation
from gridroom.oscp.v10.judge import Again, GivenUp, judge
from gridroom.oscp.v10.letters import Peer, letter
from gridroom.oscp.v10.messages import CSP_NAMESPACE, Fault, HeartbeatResponse, Result
from gridroom.oscp.v10.names import FAULT_ACTION, SOAP11, SOAP12, content_type
from gridroom.oscp.v10.profile import DEFAULT, PeerProfile
from gridroom.oscp.v10.replying import (
    Reply,
    fault_status,
    fault_type,
    write_fault,
)
from oscp_messages import ASK, HEARTBEAT, OK
from oscp_samples import FORECAST, START, changed, read, written

SPEAKS11 = PeerProfile(soap="1.1")
DSO = Peer("dso", frozenset({"dso", "cso"}), "dso", "cso", frozenset({"cso", "dso"}), "https://dso.example/")
OF_ADDRESSING = (
    *("ActionMismatch", "InvalidCardinality", "InvalidAddressingHeader", "MessageAddressingHeaderRequired"),
    *("ActionNotSupported", "OnlyAnonymousAddressSupported", "MissingAddressInEPR"),
)


def envelope12(fault: str, header: str = "") -> bytes:
    return f'<e:Envelope xmlns:e="{SOAP12}"><e:Header>{header}</e:Header><e:Body>{fault}</e:Body></e:Envelope>'.encode()


def envelope11(fault: str) -> bytes:
    return f'<e:Envelope xmlns:e="{SOAP11}"><e:Body><e:Fault>{fault}</e:Fault></e:Body></e:Envelope>'.encode()


def heard(data: bytes) -> Fault:
    fault = soap.read_reply(data)
    assert isinstance(fault, Fault)
    return fault


def code12(value: str, sub: str = "") -> bytes:
    subcode = f"<e:Subcode><e:Value>{sub}</e:Value></e:Subcode>" if sub else ""
    reason = '<e:Reason><e:Text xml:lang="nl">bezet</e:Text></e:Reason>'
    return envelope12(f"<e:Fault><e:Code><e:Value>{value}</e:Value>{subcode}</e:Code>{reason}</e:Fault>")


def answered(data: bytes, profile: PeerProfile = DEFAULT) -> Reply:
    """What a CSO says to these bytes."""
    peer = Peer("dso", frozenset({"dso"}), "dso", "cso", frozenset({"cso"}), profile=profile)
    line = Conversation(peer, CSP_NAMESPACE, lambda _: HeartbeatResponse(START, Result.success()), lambda: "answer-1")
    return line.receive(data, now=START)


class TestReading:
    @pytest.mark.parametrize(
        ("code", "sender"),
        [
            ("e:Sender", True),
            ("e:Receiver", False),
            ("e:VersionMismatch", True),
            ("e:MustUnderstand", True),
            ("e:DataEncodingUnknown", True),
            ("x:Strange", False),
        ],
    )
    def test_codes_of_soap_1_2(self, code: str, sender: bool) -> None:
        assert heard(code12(code)).sender is sender
        assert heard(code12(code, "x:Busy")) == Fault(sender, "bezet", "Busy", "")

    @pytest.mark.parametrize(
        ("code", "sender"),
        [
            *[("e:Client", True), ("Client", True), ("e:Client.Authentication", True), ("e:Server", False)],
            *[("Server.Busy", False), ("e:VersionMismatch", True), ("e:MustUnderstand", True), ("Strange", False)],
            *[(f"wsa:{name}", True) for name in OF_ADDRESSING],
            *[("wsa:EndpointUnavailable", False)],
        ],
    )
    def test_codes_of_soap_1_1_whatever_the_profile(self, code: str, sender: bool) -> None:
        fault = heard(envelope11(f"<faultcode>{code}</faultcode><faultstring>so it is</faultstring>"))
        assert (fault.sender, fault.reason) == (sender, "so it is")

    @pytest.mark.parametrize("status", [200, 202, 400, 404, 500, 503])
    def test_the_code_decides_not_the_http_status(self, status: int) -> None:
        one = letter(DSO, ASK, now=START, message_id="m")
        assert isinstance(judge(one, DSO, status, code12("e:Sender"), START, 0.5), GivenUp)
        assert isinstance(judge(one, DSO, status, code12("e:Receiver"), START, 0.5), Again)

    @pytest.mark.parametrize("data", [b"", b"<html>no</html>", code12("e:Sender")[:-20], envelope12("<e:Fault/>")])
    def test_where_no_fault_can_be_read_the_status_decides(self, data: bytes) -> None:
        one = letter(DSO, HEARTBEAT, now=START, message_id="m")
        kinds = {400: GivenUp, 403: GivenUp, 500: Again, 503: Again, 408: Again, 425: Again, 429: Again}
        assert {status: type(judge(one, DSO, status, data, START, 0.5)) for status in kinds} == kinds

    def test_an_answer_that_comes_with_an_error_status_counts_as_none(self) -> None:
        one = letter(DSO, ASK, now=START, message_id="id-1")
        for status, kind in ((500, Again), (404, GivenUp)):
            assert isinstance(judge(one, DSO, status, changed(OK), START, 0.5), kind)

    def test_it_names_the_request_or_not(self) -> None:
        relates = '<RelatesTo xmlns="http://www.w3.org/2005/08/addressing">id-9</RelatesTo>'
        body = "<e:Fault><e:Code><e:Value>e:Receiver</e:Value></e:Code></e:Fault>"
        assert heard(envelope12(body, relates)) == Fault(False, "", "", "id-9")
        assert heard(envelope12(body, relates * 2)).relates_to == ""
        assert heard(envelope12(body, relates.replace("id-9", "<a/>"))).relates_to == ""

    def test_one_without_a_code_or_something_else_is_no_answer(self) -> None:
        for data in (envelope12("<e:Fault/>"), envelope11(""), b"<html/>", b"", envelope12("<x/>"), code12(" ")):
            with pytest.raises(AnswerError):
                soap.read_reply(data)

    def test_it_is_no_message(self) -> None:
        with pytest.raises(RemoteError) as caught:
            soap.read(code12("e:Sender"))
        assert caught.value.subcode == "ActionNotSupported"


class TestWriting:
    @pytest.mark.parametrize("profile", [PeerProfile(), SPEAKS11])
    @pytest.mark.parametrize("sender", [True, False])
    def test_it_is_read_back(self, profile: PeerProfile, sender: bool) -> None:
        error = RemoteError("wrong <& strange", path="Envelope/Header/Parties", sender=sender)
        data = soap.write_fault(error, relates_to="id-1", message_id="f-1", now=START, profile=profile)
        assert heard(data) == Fault(sender, "Envelope/Header/Parties: wrong <& strange", "", "id-1")
        assert FAULT_ACTION in data.decode()

    @pytest.mark.parametrize("subcode", [*OF_ADDRESSING, "VersionMismatch", "MustUnderstand", "UnknownParty"])
    def test_every_subcode(self, subcode: str) -> None:
        fault = heard(soap.write_fault(RemoteError("no", subcode=subcode)))
        assert (fault.sender, fault.subcode) == (True, subcode)

    @pytest.mark.parametrize("subcode", [*OF_ADDRESSING, "VersionMismatch", "MustUnderstand"])
    def test_every_subcode_in_soap_1_1_is_its_code(self, subcode: str) -> None:
        fault = heard(soap.write_fault(RemoteError("no", subcode=subcode), profile=SPEAKS11))
        assert (fault.sender, fault.subcode) == (True, subcode)

    def test_details_of_addressing_stand_beneath_invalid_addressing_header(self) -> None:
        data = soap.write_fault(RemoteError("no", subcode="ActionMismatch"))
        values = [element.text for element in xml.parse(data).iter(f"{{{SOAP12}}}Value")]
        assert values == ["soap:Sender", "wsa:InvalidAddressingHeader", "c:ActionMismatch"]

    def test_any_text_can_be_told(self) -> None:
        fault = heard(soap.write_fault(RemoteError("\x00\x1f ]]> " + "x" * 5000), relates_to=" \x01 "))
        assert fault.reason.startswith("?? ]]> xxx")
        assert len(fault.reason) == 1000

    def test_a_subcode_that_is_no_name_is_left_out(self) -> None:
        assert heard(soap.write_fault(RemoteError("no", subcode="a b"))).subcode == ""


class TestStatus:
    """SOAP 1.2 part 2, table 20; SOAP 1.1 section 6.2."""

    def test_400_for_the_sender_or_what_the_profile_says_500_for_us(self) -> None:
        assert fault_status(RemoteError("no")) == 400
        assert fault_status(RemoteError("no"), PeerProfile(sender_fault_status=500)) == 500
        assert fault_status(RemoteError("no", sender=False)) == 500

    def test_500_in_soap_1_1_and_for_what_is_neither_sender_nor_receiver(self) -> None:
        assert fault_status(RemoteError("no"), SPEAKS11) == 500
        for subcode in ("VersionMismatch", "MustUnderstand"):
            assert fault_status(RemoteError("no", subcode=subcode)) == 500

    def test_media_types(self) -> None:
        assert fault_type().startswith("application/soap+xml")
        assert fault_type(SPEAKS11).startswith("text/xml")
        assert content_type("Fault").endswith(f'action="{FAULT_ACTION}"')
        assert content_type("Heartbeat", SPEAKS11) == "text/xml; charset=utf-8"


class TestVersions:
    """SOAP 1.2 part 1, section 5.4.7 and appendix A; SOAP 1.1 only where the profile allows it."""

    def test_soap_1_1_gets_its_own_fault_with_what_we_speak(self) -> None:
        reply = answered(written(HEARTBEAT, SPEAKS11).encode())
        root = xml.parse(reply.data)
        assert root.tag == f"{{{SOAP11}}}Envelope"
        assert (reply.status, reply.content_type) == (500, "text/xml; charset=utf-8")
        (supported,) = root.iter(f"{{{SOAP12}}}SupportedEnvelope")
        prefix, _, local = (supported.get("qname") or "").partition(":")
        assert (supported.nsmap[prefix], local) == (SOAP12, "Envelope")
        assert heard(reply.data).subcode == "VersionMismatch"

    def test_an_unknown_version_gets_soap_1_2_with_what_we_speak(self) -> None:
        reply = answered(written(HEARTBEAT).replace(SOAP12, "http://www.w3.org/2001/12/soap-envelope").encode())
        root = xml.parse(reply.data)
        assert root.tag == f"{{{SOAP12}}}Envelope"
        assert len(list(root.iter(f"{{{SOAP12}}}Upgrade"))) == 1
        assert reply.status == 500

    def test_other_faults_name_no_versions(self) -> None:
        assert b"Upgrade" not in answered(b"<nonsense").data

    def test_what_is_no_envelope_at_all_is_the_senders_fault(self) -> None:
        reply = answered(b"<Letter/>")
        assert (reply.status, heard(reply.data).subcode) == (400, "")

    @pytest.mark.parametrize("version", [PeerProfile(), SPEAKS11])
    def test_a_peer_that_may_speak_both_is_answered_in_the_version_of_its_question(self, version: PeerProfile) -> None:
        reply = answered(written(HEARTBEAT, version).encode(), SPEAKS11)
        expected = {"1.1": (SOAP11, "text/xml"), "1.2": (SOAP12, "application/soap+xml")}[version.soap]
        assert (xml.split(xml.parse(reply.data).tag)[0], reply.content_type.partition(";")[0]) == expected
        broken = answered(written(HEARTBEAT, version).replace(">300<", ">0<").encode(), SPEAKS11)
        assert (xml.split(xml.parse(broken.data).tag)[0], broken.content_type.partition(";")[0]) == expected
        assert heard(broken.data).relates_to == "id-1"

    def test_an_answer_in_soap_1_1_is_read_only_where_the_profile_says_so(self) -> None:
        data = answered(written(HEARTBEAT, SPEAKS11).encode(), SPEAKS11).data
        with pytest.raises(AnswerError):
            soap.read_reply(data)
        assert not isinstance(soap.read_reply(data, soap11=True), Fault)

    def test_the_http_header_of_soap_1_1_repeats_the_action(self) -> None:
        assert soap.soap_action(written(HEARTBEAT, SPEAKS11).encode()) == '"/Heartbeat"'
        assert soap.soap_action(b"<a/>") == soap.soap_action(b"nonsense") == '""'


class TestBusiness:
    def test_a_cable_whose_values_are_wrong_is_no_fault(self) -> None:
        envelope = read(FORECAST, (">24.00<", ">x<"))
        assert envelope.body.refused  # type: ignore[union-attr]

    def test_a_message_that_breaks_the_schema_is_one_that_names_the_element(self) -> None:
        data = changed(FORECAST, ("<StartTime>2026-01-01T10:00:00Z</StartTime>", ""))
        told = heard(write_fault(_error(data), DSO, now=START).data)
        assert "Forecast[1]/ForecastedBlock/StartTime: StartTime is missing" in told.reason
        assert told.relates_to == "id-1"


def _error(data: bytes) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        soap.read(data)
    return caught.value
