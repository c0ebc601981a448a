"""The web server: certificates and deadlines, over real sockets on loopback."""

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gridroom.oscp.io.identity import certificate_of, party_of
from gridroom.oscp.io.server import Deadlines, Started, serve

QUICK = Deadlines(headers=0.3, body=0.3, idle=1, shutdown=1)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Tells who asked and how much it sent."""
    request = Request(scope, receive)
    size = len(await request.body())
    der = certificate_of(scope)
    said = json.dumps({"party": party_of(der) if der else None, "size": size})
    await Response(said, media_type="application/json")(scope, receive, send)


@pytest.fixture
async def server(server_context: ssl.SSLContext) -> AsyncIterator[Started]:
    started = await serve(app, ssl_context=server_context, deadlines=QUICK)
    yield started
    await started.close()


class Line:
    """A connection to speak HTTP by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, server: Started, context: ssl.SSLContext) -> "Line":
        return cls(*await asyncio.open_connection("127.0.0.1", server.port, ssl=context, server_hostname="localhost"))

    async def say(self, text: str) -> None:
        self.writer.write(text.encode())
        await self.writer.drain()

    async def hear(self) -> tuple[str, str]:
        """One answer: head and body."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length:")[1].split()[0])
        return head, (await self.reader.readexactly(length)).decode()

    async def cut(self) -> bool:
        """Whether the server ends the connection without a word."""
        try:
            return await asyncio.wait_for(self.reader.read(), 5) == b""
        except ConnectionError:
            return True

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@pytest.fixture
async def line(server: Started, client_context: Callable[[str | None], ssl.SSLContext]) -> AsyncIterator[Line]:
    made = await Line.to(server, client_context("cso"))
    yield made
    await made.close()


async def test_the_application_learns_who_is_calling(line: Line) -> None:
    await line.say("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await line.hear())[1] == '{"party": "cso", "size": 0}'


async def test_a_connection_is_used_again(line: Line) -> None:
    for size in (3, 5):
        await line.say(f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n" + "x" * size)
        assert (await line.hear())[1] == f'{{"party": "cso", "size": {size}}}'


async def test_requests_in_a_row_are_answered_in_a_row(line: Line) -> None:
    await line.say("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3)
    for _ in range(3):
        assert (await line.hear())[1] == '{"party": "cso", "size": 0}'


async def test_connection_close_is_answered_with_the_same(line: Line) -> None:
    await line.say("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    head, _ = await line.hear()
    assert "connection: close" in head
    assert await line.cut()


@pytest.mark.parametrize(
    "half",
    [
        "",
        "POST / HTTP/1.1\r\nHost: loc",
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf",
        "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf",
    ],
)
async def test_half_a_request_is_cut_off(line: Line, half: str) -> None:
    await line.say(half)
    assert await line.cut()


async def test_half_of_a_second_request_is_cut_off(line: Line) -> None:
    await line.say("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await line.hear()
    await line.say("GET / HT")
    assert await line.cut()


async def test_a_dribble_does_not_move_the_deadline(line: Line) -> None:
    await line.say("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n")

    async def dribble() -> None:
        while True:
            await line.say("x")
            await asyncio.sleep(0.02)

    dribbling = asyncio.create_task(dribble())
    assert await asyncio.wait_for(line.cut(), 2)
    dribbling.cancel()
    await asyncio.wait([dribbling])
    if not dribbling.cancelled():
        assert isinstance(dribbling.exception(), ConnectionError)


async def test_an_idle_connection_is_closed(line: Line) -> None:
    await line.say("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await line.hear()
    assert await line.cut()


async def test_nonsense_is_answered_with_400(line: Line) -> None:
    await line.say("nonsense\r\n\r\n")
    assert (await line.reader.readline()).startswith(b"HTTP/1.1 400")


async def test_without_a_certificate_there_is_no_handshake(
    server: Started, client_context: Callable[[str | None], ssl.SSLContext]
) -> None:
    for name in (None, "other/cso"):
        line = await Line.to(server, client_context(name))  # in TLS 1.3 the client hears of the refusal when it reads
        with contextlib.suppress(OSError):
            await line.say("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with pytest.raises((OSError, asyncio.IncompleteReadError)):
            await line.hear()
        await line.close()


async def test_plain_http_gets_nowhere(server: Started) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    line = Line(reader, writer)
    await line.say("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"HTTP" not in await reader.read()
    await line.close()


async def test_where_certificates_are_optional_a_stranger_is_let_in_as_nobody(
    keys: object, server_context: ssl.SSLContext, client_context: Callable[[str | None], ssl.SSLContext]
) -> None:
    server_context.verify_mode = ssl.CERT_OPTIONAL
    server = await serve(app, ssl_context=server_context, deadlines=QUICK)
    for name, party in ((None, "null"), ("cso", '"cso"')):
        line = await Line.to(server, client_context(name))
        await line.say("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await line.hear())[1] == f'{{"party": {party}, "size": 0}}'
        await line.close()
    await server.close()


async def test_where_none_is_asked_for_everybody_is_nobody(
    server_context: ssl.SSLContext, client_context: Callable[[str | None], ssl.SSLContext]
) -> None:
    server_context.verify_mode = ssl.CERT_NONE
    server = await serve(app, ssl_context=server_context, deadlines=QUICK)
    line = await Line.to(server, client_context("cso"))
    await line.say("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await line.hear())[1] == '{"party": null, "size": 0}'
    await line.close()
    await server.close()


async def test_a_server_that_cannot_start_is_an_os_error_and_leaves_its_port(
    server_context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []

    async def fail(self: uvicorn.Server, sockets: list[socket.socket]) -> None:
        taken.append(sockets[0].getsockname()[1])
        raise OSError("no more file descriptors")

    monkeypatch.setattr(uvicorn.Server, "startup", fail)
    with pytest.raises(OSError, match="descriptors"):
        await serve(app, ssl_context=server_context)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", taken[0])


async def test_a_port_that_is_taken_is_an_os_error(server: Started, server_context: ssl.SSLContext) -> None:
    with pytest.raises(OSError, match="in use"):
        await serve(app, ssl_context=server_context, port=server.port)


async def test_a_closed_server_is_gone_and_its_port_free(server_context: ssl.SSLContext) -> None:
    first = await serve(app, ssl_context=server_context)
    await first.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", first.port)
    second = await serve(app, ssl_context=server_context, port=first.port)
    await second.close()


async def test_closing_does_not_wait_for_silent_connections(
    server_context: ssl.SSLContext, client_context: Callable[[str | None], ssl.SSLContext]
) -> None:
    server = await serve(app, ssl_context=server_context)
    line = await Line.to(server, client_context("cso"))
    await asyncio.wait_for(server.close(), 3)
    assert await line.cut()
    await line.close()


async def test_closing_finishes_what_is_being_answered(
    server_context: ssl.SSLContext, client_context: Callable[[str | None], ssl.SSLContext]
) -> None:
    asked, released = asyncio.Event(), asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        asked.set()
        await released.wait()
        await Response("done")(scope, receive, send)

    server = await serve(slow, ssl_context=server_context)
    line = await Line.to(server, client_context("cso"))
    await line.say("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await asked.wait()
    closing = asyncio.create_task(server.close())
    await asyncio.sleep(0.1)
    released.set()
    assert (await line.hear())[1] == "done"
    await asyncio.wait_for(closing, 3)
    await line.close()
