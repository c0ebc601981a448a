"""A web server that knows who is calling: uvicorn, with the client's certificate and with deadlines.

The application finds the verified certificate (DER, or None) at `scope["extensions"]["gridroom.tls"]["client_cert"]`.
Requests that dribble in are cut off; uvicorn by itself would hold them for ever.

Source: OSCP 1.0 section 5.2.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

PARTING = 1.0
"""How long a client may take to answer the end of TLS. [s]"""


@dataclass(frozen=True)
class Deadlines:
    """How long a client may take. [s]

    Attributes:
        headers: From the connection, or the first byte of a further request, to the end of the headers.
        body: From there to the end of the body.
        idle: Between two requests on one connection.
        shutdown: For requests that are being answered when the server closes.
    """

    headers: float = 10.0
    body: float = 60.0
    idle: int = 75
    shutdown: int = 5


class Started:
    """A server that runs in the current event loop.

    Attributes:
        host: Address it listens on.
        port: Port it listens on.
    """

    def __init__(self, server: uvicorn.Server, task: asyncio.Task[None], host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._server = server
        self._task = task

    async def close(self) -> None:
        """Stop listening, finish what is being answered, and return when all is closed."""
        self._server.should_exit = True
        await self._task


async def serve(
    app: ASGIApp,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    ssl_context: ssl.SSLContext,
    deadlines: Deadlines = Deadlines(),
) -> Started:
    """Serve an application over TLS, and return when it listens.

    Args:
        app: The application.
        host: Address to listen on; loopback by default.
        port: Port to listen on; 0 takes a free one.
        ssl_context: Says whether clients must show a certificate.
        deadlines: How long clients may take.

    Raises:
        OSError: The address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family)
    config = uvicorn.Config(
        app,
        http=_protocol(deadlines),
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=deadlines.idle,
        timeout_graceful_shutdown=deadlines.shutdown,
        ssl_context_factory=lambda _config, _default: ssl_context,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        if task.done():
            listener.close()
            task.result()
        await asyncio.sleep(0.005)
    return Started(server, task, host, listener.getsockname()[1])


class _Server(uvicorn.Server):
    """Leaves the signals to the program that it runs in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def _protocol(deadlines: Deadlines) -> type[H11Protocol]:
    return type("Protocol", (_Protocol,), {"deadlines": deadlines})


class _Protocol(H11Protocol):
    """One connection: the client's certificate goes into the scope, and each request has a deadline."""

    deadlines: Deadlines
    _timer: asyncio.TimerHandle | None = None
    _reading: Any = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app = _with_certificate(self.app, _certificate(transport))
        self._arm(h11.IDLE, self.deadlines.headers)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        super().handle_events()
        state = self.conn.their_state
        pending, _ = self.conn.trailing_data
        if state is h11.SEND_BODY:
            self._arm(state, self.deadlines.body)
        elif state is h11.IDLE and pending:
            self._arm(state, self.deadlines.headers)
        else:
            self._disarm()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._part()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._part()

    def send_400_response(self, msg: str) -> None:
        super().send_400_response(msg)
        self._part()

    def shutdown(self) -> None:
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering or self.transport.get_write_buffer_size():
            super().shutdown()
            self._part()
        else:
            self._cut()  # nobody waits for anything

    def _part(self) -> None:
        """A client that does not answer the end of TLS is not waited for."""
        if self.transport.is_closing():
            self._arm(h11.MUST_CLOSE, PARTING)

    def _arm(self, reading: Any, seconds: float) -> None:
        """Start the clock for what is being read, unless it runs already."""
        if self._timer is not None and self._reading is reading:
            return
        self._disarm()
        self._reading = reading
        self._timer = self.loop.call_later(seconds, self._cut)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._reading = None

    def _cut(self) -> None:
        self._disarm()
        self.transport.abort()


def _certificate(transport: asyncio.BaseTransport) -> bytes | None:
    """The client's certificate, only where TLS has verified it."""
    connection: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    if connection is None or connection.context.verify_mode is ssl.CERT_NONE:
        return None
    return connection.getpeercert(binary_form=True)


def _with_certificate(app: Any, certificate: bytes | None) -> Any:
    async def known(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("extensions", {})["gridroom.tls"] = {"client_cert": certificate}
        await app(scope, receive, send)

    return known
