"""The OSCP application and the client, over mutual TLS on loopback."""

import asyncio
import contextlib
import gzip
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import httpx2
import pytest

from gridroom import xml
from gridroom.oscp.io.asgi import Reply, oscp_app
from gridroom.oscp.io.client import MAX_ANSWER, OscpClient, retry_after
from gridroom.oscp.io.server import Started, serve
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import GetCapacityForecastRequest, Header
from gridroom.oscp.v10.peer import CERTIFICATE_REFUSED
from gridroom.oscp.v10.profile import PeerProfile
from gridroom.security import tls

ClientContext = Callable[[str | None], ssl.SSLContext]
SOAP = "application/soap+xml; charset=utf-8"


@dataclass
class Service:
    """Answers what the test tells it to, and remembers what came."""

    heard: list[tuple[str, bytes]] = field(default_factory=list)
    reply: Reply = field(default_factory=lambda: Reply(200, b"<answer/>", SOAP))

    async def answer(self, party: str, data: bytes) -> Reply:
        self.heard.append((party, data))
        return self.reply


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
async def server(service: Service, server_context: ssl.SSLContext) -> AsyncIterator[Started]:
    app = oscp_app(service.answer, lambda url: f"<definitions at='{url}'/>".encode(), limits=xml.Limits(max_bytes=5000))
    started = await serve(app, ssl_context=server_context)
    yield started
    await started.close()


@pytest.fixture
def url(server: Started) -> str:
    return f"https://localhost:{server.port}/oscp/dso"


@pytest.fixture
async def client(client_context: ClientContext) -> AsyncIterator[OscpClient]:
    async with OscpClient(client_context("cso"), timeout=5) as made:
        yield made


@pytest.fixture
async def browser(client_context: ClientContext) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(verify=client_context("cso"), trust_env=False) as made:
        yield made


async def test_a_letter_arrives_with_the_party_of_its_certificate(
    client: OscpClient, url: str, service: Service
) -> None:
    assert await client(url, b"<letter/>", SOAP) == (200, b"<answer/>", None)
    assert service.heard == [("cso", b"<letter/>")]


async def test_a_connection_serves_many_letters(client: OscpClient, url: str, server: Started) -> None:
    for _ in range(3):
        assert (await client.post(url, b"<letter/>", SOAP)).status == 200
    assert len(server._server.server_state.connections) == 1


async def test_a_fault_comes_back_as_it_is(client: OscpClient, url: str, service: Service) -> None:
    service.reply = Reply(400, b"<fault/>", SOAP)
    assert await client.post(url, b"<letter/>", SOAP) == (400, b"<fault/>", None)


async def test_the_wsdl_is_served_for_the_url_that_was_called(browser: httpx2.AsyncClient, url: str) -> None:
    for query in ("?wsdl", "?WSDL", "?wsdl=1"):
        response = await browser.get(url + query)
        assert response.text == f"<definitions at='{url}'/>"
        assert response.headers["content-type"] == "text/xml; charset=utf-8"


async def test_messages_are_posted(browser: httpx2.AsyncClient, url: str) -> None:
    for method in ("GET", "PUT", "DELETE", "HEAD"):
        response = await browser.request(method, url)
        assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")


@pytest.mark.parametrize(
    "content_type", ["", "application/json", "text/xml; charset=utf-16", "multipart/related; type=text/xml"]
)
async def test_other_media_types_are_refused(client: OscpClient, url: str, content_type: str, service: Service) -> None:
    status, text, _ = await client.post(url, b"<letter/>", content_type)
    assert status == 415
    assert b"is read here" in text
    assert not service.heard


@pytest.mark.parametrize(
    "content_type", ["text/xml", 'Application/SOAP+XML;charset="UTF-8"; action="/Heartbeat"', "text/xml;charset=UTF-8"]
)
async def test_both_soap_media_types_are_read(client: OscpClient, url: str, content_type: str) -> None:
    assert (await client.post(url, b"<letter/>", content_type)).status == 200


async def test_a_gzip_body_is_inflated(browser: httpx2.AsyncClient, url: str, service: Service) -> None:
    headers = {"content-type": SOAP, "content-encoding": "gzip"}
    response = await browser.post(url, content=gzip.compress(b"<letter/>"), headers=headers)
    assert response.status_code == 200
    assert service.heard == [("cso", b"<letter/>")]


@pytest.mark.parametrize(
    "body",
    [b"nonsense", gzip.compress(b"<letter/>", mtime=0)[:-9], gzip.compress(bytes(2_000_000), mtime=0)],
    ids=["nonsense", "cut", "bomb"],
)
async def test_a_gzip_body_that_is_broken_or_a_bomb_is_refused(
    browser: httpx2.AsyncClient, url: str, service: Service, body: bytes
) -> None:
    response = await browser.post(url, content=body, headers={"content-type": SOAP, "content-encoding": "gzip"})
    assert response.status_code == 400
    assert "gzip" in response.text
    assert not service.heard


async def test_other_encodings_are_refused(browser: httpx2.AsyncClient, url: str) -> None:
    response = await browser.post(url, content=b"x", headers={"content-type": SOAP, "content-encoding": "br"})
    assert response.status_code == 415


async def test_a_large_body_is_refused_before_it_is_read(client: OscpClient, url: str, service: Service) -> None:
    status, text, _ = await client.post(url, b"x" * 5001, SOAP)
    assert (status, text) == (413, b"The body has more than 5000 bytes\n")
    assert (await client.post(url, b"x" * 5000, SOAP)).status == 200


async def test_a_large_body_of_unknown_length_is_refused(browser: httpx2.AsyncClient, url: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(6):
            yield b"x" * 1000

    response = await browser.post(url, content=pieces(), headers={"content-type": SOAP})
    assert response.status_code == 413


async def test_who_hangs_up_in_the_middle_of_a_body_is_nobodys_error(
    client: OscpClient, url: str, server: Started, service: Service, client_context: ClientContext
) -> None:
    _, writer = await asyncio.open_connection(
        "127.0.0.1", server.port, ssl=client_context("cso"), server_hostname="localhost"
    )
    writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Length: 9\r\n\r\nhalf")
    await writer.drain()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    assert (await client.post(url, b"<letter/>", SOAP)).status == 200
    assert service.heard == [("cso", b"<letter/>")]


async def test_a_certificate_that_names_no_party_is_forbidden(url: str, client_context: ClientContext) -> None:
    async with OscpClient(client_context("station")) as client:
        status, text, _ = await client.post(url, b"<letter/>", SOAP)
    assert status == 403
    assert b"names no party" in text


async def test_where_certificates_are_optional_a_message_still_needs_one(
    service: Service, server_context: ssl.SSLContext, client_context: ClientContext
) -> None:
    server_context.verify_mode = ssl.CERT_OPTIONAL
    server = await serve(oscp_app(service.answer, lambda _: b""), ssl_context=server_context)
    async with OscpClient(client_context(None)) as client:
        status, text, _ = await client.post(f"https://localhost:{server.port}/", b"<letter/>", SOAP)
    await server.close()
    assert status == 403
    assert b"No client certificate" in text


async def test_a_server_that_we_do_not_trust_is_no_broken_network(url: str, keys: Path) -> None:
    other = keys / "other"
    context = tls.client_context(other / "cso.pem", other / "cso.key", other / "ca.pem")
    async with OscpClient(context) as client:
        status, text, _ = await client.post(url, b"<letter/>", SOAP)
    assert status == CERTIFICATE_REFUSED
    assert b"CERTIFICATE_VERIFY_FAILED" in text


@pytest.mark.parametrize("name", [None, "other/cso"])
async def test_a_server_that_does_not_trust_us_is_no_broken_network(
    server_context: ssl.SSLContext, client_context: ClientContext, name: str | None
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            connection = listener.accept()[0]
            with server_context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as tls_socket:
                with pytest.raises(ssl.SSLError):
                    tls_socket.do_handshake()  # tells the client why
                tls_socket.shutdown(socket.SHUT_WR)
                while socket.socket.recv(tls_socket, 4096):
                    pass

        refusing = asyncio.create_task(asyncio.to_thread(refuse))
        async with OscpClient(client_context(name)) as client:
            status, *_ = await client.post(f"https://localhost:{listener.getsockname()[1]}/", b"<letter/>", SOAP)
        await refusing
    assert status == CERTIFICATE_REFUSED


async def test_nobody_there_is_no_exception(client: OscpClient) -> None:
    status, text, _ = await client.post("https://localhost:9/", b"<letter/>", SOAP)
    assert status is None
    assert text.startswith(b"ConnectError")


async def test_a_bad_url_is_no_exception(client: OscpClient) -> None:
    assert (await client.post("https://[", b"", SOAP)).status is None
    assert (await client.post("nowhere", b"", SOAP)).status is None


async def raw(context: ssl.SSLContext, answer: bytes, *, hold: bool = False) -> asyncio.Server:
    """A server that says one thing to whoever comes."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            if hold:
                await reader.read()
        except OSError:
            pass
        finally:
            writer.close()

    return await asyncio.start_server(speak, "127.0.0.1", 0, ssl=context)


async def ask(
    server_context: ssl.SSLContext, client_context: ssl.SSLContext, answer: bytes, *, hold: bool = False
) -> tuple[int | None, bytes, float | None]:
    server = await raw(server_context, answer, hold=hold)
    port = server.sockets[0].getsockname()[1]
    async with OscpClient(client_context, timeout=0.5) as client:
        response = await client.post(f"https://localhost:{port}/", b"", SOAP)
    server.close()
    await server.wait_closed()
    await asyncio.sleep(0.05)
    return response


async def test_no_answer_in_time_is_a_failure_of_the_network(
    server_context: ssl.SSLContext, client_context: ClientContext
) -> None:
    status, text, _ = await ask(server_context, client_context("cso"), b"HTTP/1.1 200 OK\r\n", hold=True)
    assert status is None
    assert b"Timeout" in text


async def test_half_an_answer_is_a_failure_of_the_network(
    server_context: ssl.SSLContext, client_context: ClientContext
) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n<half"
    assert (await ask(server_context, client_context("cso"), answer))[0] is None


async def test_retry_after_is_handed_on(server_context: ssl.SSLContext, client_context: ClientContext) -> None:
    answer = b"HTTP/1.1 503 Busy\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n"
    assert await ask(server_context, client_context("cso"), answer) == (503, b"", 17.0)


@pytest.mark.parametrize("version", ["1.1", "1.2"])
async def test_soap_1_1_names_the_action_in_a_header_of_its_own(
    server_context: ssl.SSLContext, client_context: ClientContext, version: Literal["1.1", "1.2"]
) -> None:
    heads: list[bytes] = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).lower())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    profile = PeerProfile(soap=version)
    header = Header("id-1", "cso", "dso", datetime(2026, 1, 1, tzinfo=UTC), to="https://dso.example/")
    data = soap.write(header, GetCapacityForecastRequest(), profile)
    listener = await asyncio.start_server(speak, "127.0.0.1", 0, ssl=server_context)
    async with OscpClient(client_context("cso"), timeout=5) as client:
        url = f"https://localhost:{listener.sockets[0].getsockname()[1]}/"
        await client.post(url, data, soap.content_type("GetCapacityForecast", profile))
    listener.close()
    await listener.wait_closed()
    named = b'soapaction: "/getcapacityforecast"' in heads[0]
    typed = b'action="/getcapacityforecast"' in heads[0].partition(b"content-type:")[2].partition(b"\r\n")[0]
    assert (named, typed) == ((True, False) if version == "1.1" else (False, True))


async def test_a_redirect_is_not_followed(server_context: ssl.SSLContext, client_context: ClientContext) -> None:
    answer = b"HTTP/1.1 307 Elsewhere\r\nLocation: https://localhost:9/\r\nContent-Length: 0\r\n\r\n"
    assert (await ask(server_context, client_context("cso"), answer))[0] == 307


async def test_an_answer_without_end_is_dropped(
    server_context: ssl.SSLContext, client_context: ClientContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gridroom.oscp.io.client.MAX_ANSWER", 1000)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000
    status, text, _ = await ask(server_context, client_context("cso"), answer)
    assert (status, text) == (None, b"the answer has more than 1000 bytes")
    assert MAX_ANSWER > 1000


async def test_a_gzip_answer_is_inflated(server_context: ssl.SSLContext, client_context: ClientContext) -> None:
    for body, status in ((gzip.compress(b"<answer/>"), 200), (b"nonsense!", None)):
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        response = await ask(server_context, client_context("cso"), head + body)
        assert response[0] == status
        if status:
            assert response[1] == b"<answer/>"


def test_retry_after_may_be_a_date() -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert retry_after("Thu, 01 Jan 2026 12:00:30 GMT", now) == 30.0
    assert retry_after("Thu, 01 Jan 2026 11:00:00 GMT", now) == 0.0
    assert retry_after("Thu, 99 Jan 2026 11:00:00 GMT", now) is None
    assert retry_after("", now) is None
