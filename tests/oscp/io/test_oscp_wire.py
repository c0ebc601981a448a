"""Two peers over mutual TLS: from a letter to its answer, and what strangers get."""

import ssl
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from gridroom.oscp.io.asgi import Reply, oscp_app
from gridroom.oscp.io.client import OscpClient
from gridroom.oscp.io.server import serve
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import (
    CSP_NAMESPACE,
    DSO_NAMESPACE,
    Fault,
    GetCapacityForecastRequest,
    GetCapacityForecastResponse,
    Response,
    Result,
)
from gridroom.oscp.v10.peer import Conversation, Delivered, GivenUp, Incoming, Letter, Peer, Verdict

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DSO = Peer("dso", frozenset({"d"}), "d", "c", frozenset({"c"}))
CSO = Peer("cso", frozenset({"c"}), "c", "d", frozenset({"d"}))


@dataclass
class Wire:
    """A DSO that listens and a CSO that asks."""

    cso: Conversation
    client: OscpClient
    acted: list[str] = field(default_factory=list)

    async def post(self, one: Letter) -> Verdict:
        status, data, wait = await self.client(
            self.cso.peer.url, one.data, soap.content_type(one.operation, self.cso.peer.profile)
        )
        return self.cso.settle(one, status, data, now=NOON, jitter=0, retry_after=wait)


@pytest.fixture
async def wire(
    server_context: ssl.SSLContext, client_context: Callable[[str | None], ssl.SSLContext]
) -> AsyncIterator[Wire]:
    acted: list[str] = []

    def act(incoming: Incoming) -> Response:
        acted.append(incoming.peer.party)
        return GetCapacityForecastResponse(Result.success())

    dso = Conversation(CSO, DSO_NAMESPACE, act, lambda: str(uuid.uuid4()))

    async def answer(party: str, data: bytes) -> Reply:
        assert party == "cso"
        return dso.receive(data, now=NOON)

    server = await serve(oscp_app(answer, lambda url: url.encode()), ssl_context=server_context)
    peer = replace(DSO, url=f"https://localhost:{server.port}/oscp")
    cso = Conversation(peer, CSP_NAMESPACE, act, lambda: str(uuid.uuid4()))
    async with OscpClient(client_context("cso")) as client:
        yield Wire(cso, client, acted)
    await server.close()


async def test_a_question_travels_and_so_does_its_answer(wire: Wire) -> None:
    verdict = await wire.post(wire.cso.send(GetCapacityForecastRequest(), now=NOON))
    assert isinstance(verdict, Delivered)
    assert verdict.envelope.deviations == ()
    assert wire.acted == ["cso"]


async def test_asked_again_it_answers_byte_for_byte(wire: Wire) -> None:
    one = wire.cso.send(GetCapacityForecastRequest(), now=NOON)
    kind = soap.content_type(one.operation, wire.cso.peer.profile)
    answers = {(await wire.client(wire.cso.peer.url, one.data, kind)).data for _ in range(3)}
    assert len(answers) == 1
    assert wire.acted == ["cso"]


async def test_who_speaks_for_another_gets_a_sender_fault(wire: Wire) -> None:
    wire.cso.peer = replace(wire.cso.peer, own_id="somebody")
    one = wire.cso.send(GetCapacityForecastRequest(), now=NOON)
    response = await wire.client(wire.cso.peer.url, one.data, "text/xml")
    fault = soap.read_reply(response.data)
    assert response.status == 400
    assert isinstance(fault, Fault)
    assert fault.sender
    assert "not an id of cso, whose certificate this is" in fault.reason
    assert fault.relates_to == one.message_id
    assert isinstance(await wire.post(one), GivenUp)
    assert wire.acted == []


async def test_a_clock_that_is_wrong_gets_a_sender_fault(wire: Wire) -> None:
    verdict = await wire.post(wire.cso.send(GetCapacityForecastRequest(), now=NOON + timedelta(hours=1)))
    assert isinstance(verdict, GivenUp)
    assert "ahead of our clock" in verdict.reason
    assert wire.acted == []


@pytest.mark.parametrize("data", [b"", b"<nonsense", b"<!DOCTYPE a><a/>", b"{}", bytes(100)])
async def test_nonsense_gets_a_sender_fault_and_the_service_goes_on(wire: Wire, data: bytes) -> None:
    response = await wire.client(wire.cso.peer.url, data, "text/xml")
    fault = soap.read_reply(response.data)
    assert response.status == 400
    assert isinstance(fault, Fault)
    assert fault.sender
    assert isinstance(await wire.post(wire.cso.send(GetCapacityForecastRequest(), now=NOON)), Delivered)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/soap+xml",
        'application/soap+xml; charset=utf-8; action="/GetCapacityForecast"',
        'application/soap+xml; action="http://OSCP/DSO/2013/06/GetCapacityForecast"',
        "text/xml; charset=utf-8",
    ],
)
async def test_row_24_the_content_types_action_is_optional_and_nothing_is_decided_by_it(
    wire: Wire, content_type: str
) -> None:
    one = wire.cso.send(GetCapacityForecastRequest(), now=NOON)
    response = await wire.client(wire.cso.peer.url, one.data, content_type)
    assert response.status == 200
    assert wire.acted == ["cso"]


async def test_row_32_a_fault_has_the_status_and_the_soap_version_of_its_question(wire: Wire) -> None:
    good = wire.cso.send(GetCapacityForecastRequest(), now=NOON).data
    old = good.replace(b"http://www.w3.org/2003/05/soap-envelope", b"http://schemas.xmlsoap.org/soap/envelope/")
    block = b'<x:S xmlns:x="urn:x" soap:mustUnderstand="1"/></soap:Header>'
    cases = (
        (good.replace(b"<senderID>c<", b"<senderID>x<"), 400, ""),
        (old, 500, "VersionMismatch"),
        (good.replace(b"</soap:Header>", block), 500, "MustUnderstand"),
        (good.replace(b">/GetCapacityForecast<", b">/Heartbeat<"), 400, "ActionMismatch"),
    )
    for data, status, subcode in cases:
        response = await wire.client(wire.cso.peer.url, data, "application/soap+xml")
        fault = soap.read_reply(response.data)
        assert isinstance(fault, Fault)
        assert (response.status, fault.subcode) == (status, subcode)
        assert (b"schemas.xmlsoap.org" in response.data) == (data is old)
    assert wire.acted == []
