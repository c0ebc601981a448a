"""Peer profiles: the envelope. Each switch against a peer that needs it, which the default does not suit."""

import re

import pytest
from lxml import etree

from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.conversation import Conversation
from gridroom.oscp.v10.judge import Delivered, GivenUp
from gridroom.oscp.v10.letters import Letter, Peer, letter
from gridroom.oscp.v10.messages import DSO_NAMESPACE, HeartbeatRequest, UpdateAggregatedUsageResponse
from gridroom.oscp.v10.messages import Result as Outcome
from gridroom.oscp.v10.profile import DEFAULT, PeerProfile
from gridroom.oscp.v10.replying import (
    Reply,
)
from oscp_samples import REQUEST, START, USAGE, written

SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
WSA = "http://www.w3.org/2005/08/addressing"


def peer(profile: PeerProfile, url: str = "https://cso.example/oscp") -> Peer:
    return Peer("cso", frozenset({"cso"}), "cso", "dso", frozenset({"dso"}), url, profile)


class OnlySoap11:
    """A service of 2005: an envelope of SOAP 1.1 as text/xml, dispatched by the HTTP header SOAPAction."""

    def post(self, data: bytes, content_type: str, soap_action: str) -> tuple[int, bytes]:
        root = etree.fromstring(data)
        if root.tag != f"{{{SOAP11}}}Envelope":
            return 500, self.fault("VersionMismatch")
        if not content_type.startswith("text/xml"):
            return 415, b"text/xml only"
        if soap_action != '"/Heartbeat"':
            return 500, self.fault("Client")
        (asked,) = root.iter(f"{{{WSA}}}MessageID")
        return 200, (
            f'<e:Envelope xmlns:e="{SOAP11}"><e:Header><RelatesTo xmlns="{WSA}">{asked.text}</RelatesTo>'
            '<Parties xmlns="http://OSCP/CSP/2013/06/"><senderID>cso</senderID><receiverID>dso</receiverID></Parties>'
            '</e:Header><e:Body><HeartbeatResponse xmlns="http://OSCP/CSP/2013/06/">'
            "<CurrentTime>2026-01-01T10:00:00Z</CurrentTime><Result><Type>SUCCESS</Type></Result></HeartbeatResponse>"
            "</e:Body></e:Envelope>"
        ).encode()

    def fault(self, code: str) -> bytes:
        fault = f"<e:Fault><faultcode>e:{code}</faultcode><faultstring>no</faultstring></e:Fault>"
        return f'<e:Envelope xmlns:e="{SOAP11}"><e:Body>{fault}</e:Body></e:Envelope>'.encode()


class TestSoap:
    def say(self, profile: PeerProfile) -> object:
        line = Conversation(peer(profile), DSO_NAMESPACE, lambda _: pytest.fail("nobody asks us"), lambda: "m1")
        one = line.send(HeartbeatRequest(300, 900), now=START)
        kind = soap.content_type(one.operation, profile)
        status, data = OnlySoap11().post(one.data, kind, soap.soap_action(one.data) if "text/xml" in kind else "")
        return line.settle(one, status, data, now=START, jitter=0.5)

    def test_a_service_of_soap_1_1_refuses_the_default(self) -> None:
        assert isinstance(self.say(DEFAULT), GivenUp)

    def test_and_takes_soap_1_1(self) -> None:
        assert isinstance(self.say(PeerProfile(soap="1.1")), Delivered)

    def test_what_it_asks_is_read_only_with_the_switch(self) -> None:
        asked = written(USAGE, PeerProfile(soap="1.1")).encode()
        for profile, status in ((DEFAULT, 500), (PeerProfile(soap="1.1"), 200)):
            us = Peer("cso", frozenset({"dso"}), "dso", "cso", frozenset({"cso"}), profile=profile)
            line = Conversation(
                us, DSO_NAMESPACE, lambda _: UpdateAggregatedUsageResponse(Outcome.success()), lambda: "a"
            )
            reply = line.receive(asked, now=START)
            assert reply.status == status
            assert etree.fromstring(reply.data).tag == f"{{{SOAP11}}}Envelope"


class LooksAtTo:
    """A service whose dispatcher compares wsa:To with its own address, character for character."""

    ADDRESS = "http://scsp01.internal:8080/OSCP/ChargeServiceProviderServiceV10.svc"

    def takes(self, one: Letter) -> bool:
        (to,) = etree.fromstring(one.data).iter(f"{{{WSA}}}To")
        return to.text == self.ADDRESS


class TestToUrl:
    PUBLIC = "https://oscp.cso.example/OSCP/ChargeServiceProviderServiceV10.svc"

    def test_behind_a_proxy_it_takes_its_own_address_only(self) -> None:
        body = HeartbeatRequest(300, 900)
        default = letter(peer(DEFAULT, self.PUBLIC), body, now=START, message_id="m")
        set_so = letter(peer(PeerProfile(to_url=LooksAtTo.ADDRESS), self.PUBLIC), body, now=START, message_id="m")
        assert not LooksAtTo().takes(default)
        assert LooksAtTo().takes(set_so)


class LikeWcf:
    """A client that reads a Fault only in a 500: any other 4xx is an exception of HTTP, without its contents."""

    def outcome(self, reply: Reply) -> str:
        if reply.status not in (200, 500):
            return f"ProtocolException: the remote server returned {reply.status}"
        return "".join(re.findall(r"<soap:Text[^>]*>(.*?)</soap:Text>", reply.data.decode()))


class TestSenderFaultStatus:
    def refused(self, profile: PeerProfile) -> str:
        us = Peer("cso", frozenset({"dso"}), "dso", "cso", frozenset({"cso"}), profile=profile)
        line = Conversation(us, DSO_NAMESPACE, lambda _: pytest.fail("it is refused before"), lambda: "a")
        return LikeWcf().outcome(line.receive(written(REQUEST).replace(">cso<", ">who<").encode(), now=START))

    def test_a_client_like_wcf_never_hears_why_by_default(self) -> None:
        assert self.refused(DEFAULT) == "ProtocolException: the remote server returned 400"

    def test_in_a_500_it_does(self) -> None:
        assert "receiverID 'who' is not an id of ours" in self.refused(PeerProfile(sender_fault_status=500))
