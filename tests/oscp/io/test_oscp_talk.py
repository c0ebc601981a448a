"""A conversation over the network without a database: asked again where it helps, answered only for those we know."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gridroom.oscp import v10
from gridroom.oscp.io import OscpClient, Response, answering, ask, talking
from gridroom.security import tls

Post = Callable[[str, bytes, str], Awaitable[Response]]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ASKED = v10.GetCapacityForecastRequest(("C1",))


def peer(name: str, own: str, url: str = "https://there.example/") -> v10.Peer:
    return v10.Peer(name, frozenset({name}), name, own, frozenset({own}), url)


def well(incoming: v10.Incoming) -> v10.Response:
    return v10.GetCapacityForecastResponse(v10.Result.success())


def refuse(incoming: v10.Incoming) -> v10.Response:
    raise v10.RemoteError("nothing is offered here")


def both(handle: Callable[[v10.Incoming], v10.Response], lost: int = 0) -> tuple[v10.Conversation, Post, list[bytes]]:
    """A CSO's conversation, a post that reaches a DSO after so many were lost, and what was posted."""
    ids = iter(f"id-{number}" for number in range(100))
    cso = v10.Conversation(peer("dso", "cso"), v10.CSP_NAMESPACE, well, lambda: next(ids))
    dso = v10.Conversation(peer("cso", "dso"), v10.DSO_NAMESPACE, handle, lambda: next(ids))
    posted: list[bytes] = []

    async def post(url: str, data: bytes, content_type: str) -> Response:
        assert (url, content_type) == ("https://there.example/", v10.content_type("GetCapacityForecast"))
        posted.append(data)
        if len(posted) <= lost:
            return Response(None, b"no connection")
        reply = dso.receive(data, now=NOON)
        return Response(reply.status, reply.data)

    return cso, post, posted


@pytest.fixture
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(seconds: float) -> None:
        assert 0 <= seconds <= 300

    monkeypatch.setattr(asyncio, "sleep", at_once)


@pytest.mark.usefixtures("_no_waiting")
async def test_a_request_is_repeated_word_by_word_until_it_is_answered() -> None:
    cso, post, posted = both(well, lost=2)
    outcome = await ask(cso, post, ASKED, now=lambda: NOON)
    assert isinstance(outcome, v10.Delivered)
    assert outcome.envelope.body == v10.GetCapacityForecastResponse(v10.Result.success())
    assert len(posted) == 3
    assert len(set(posted)) == 1
    assert cso.waiting == {}


@pytest.mark.usefixtures("_no_waiting")
@pytest.mark.parametrize("lost", [0, 2])
async def test_a_request_that_is_refused_is_not_repeated(lost: int) -> None:
    cso, post, posted = both(refuse, lost)
    outcome = await ask(cso, post, ASKED, now=lambda: NOON)
    assert outcome == v10.GivenUp("Fault: nothing is offered here", possibly_applied=lost > 0)
    assert len(posted) == lost + 1


@pytest.mark.usefixtures("_no_waiting")
async def test_a_peer_that_never_answers_is_given_up() -> None:
    cso, _, _ = both(well)
    tries: list[bytes] = []

    async def nobody(url: str, data: bytes, content_type: str) -> Response:
        tries.append(data)
        return Response(None, b"no connection")

    outcome = await ask(cso, nobody, ASKED, now=lambda: NOON)
    assert isinstance(outcome, v10.GivenUp)
    assert "no connection" in outcome.reason
    assert len(tries) == 8


async def test_a_party_without_a_conversation_is_refused_and_nothing_is_handled() -> None:
    cso, _, _ = both(well)
    letter = cso.send(ASKED, now=NOON)
    handled: list[v10.Incoming] = []

    def note(incoming: v10.Incoming) -> v10.Response:
        handled.append(incoming)
        return well(incoming)

    dso = v10.Conversation(peer("cso", "dso"), v10.DSO_NAMESPACE, note, lambda: "answer")
    answer = answering(v10.DSO_NAMESPACE, {"cso": dso}, now=lambda: NOON)
    refused = await answer("stranger", letter.data)
    fault = v10.read_reply(refused.data)
    assert isinstance(fault, v10.Fault)
    assert (refused.status, fault.sender, fault.relates_to) == (400, True, letter.message_id)
    assert "stranger is no party that we work with" in fault.reason
    assert handled == []
    assert isinstance(v10.read_reply((await answer("cso", letter.data)).data), v10.Envelope)
    assert len(handled) == 1


async def test_talking_listens_with_its_wsdl_and_asks_until_the_block_is_left(keys: Path) -> None:
    def files(name: str) -> tuple[Path, Path, Path]:
        return keys / f"{name}.pem", keys / f"{name}.key", keys / "ca.pem"

    def contexts(name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        return tls.server_context(*files(name)), tls.client_context(*files(name))

    free = asyncio.get_running_loop()
    server = await free.create_server(asyncio.Protocol, "127.0.0.1", 0)
    port = int(server.sockets[0].getsockname()[1])
    server.close()
    await server.wait_closed()
    url = f"https://localhost:{port}/oscp"
    async with talking(peer("cso", "dso"), v10.DSO_NAMESPACE, well, *contexts("dso"), port=port):
        async with talking(peer("dso", "cso", url), v10.CSP_NAMESPACE, refuse, *contexts("cso")) as asking:
            outcome = await asking(ASKED)
        assert isinstance(outcome, v10.Delivered)
        async with OscpClient(tls.client_context(*files("cso"))) as client:
            described = await client._client.get(f"{url}?wsdl")
        assert f'location="{url}"' in described.text
    async with OscpClient(tls.client_context(*files("cso"))) as client:
        assert (await client.post(url, b"", "text/xml")).status is None
