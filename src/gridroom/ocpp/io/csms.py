"""The CSO's end of the lines to its stations: the door, who may pass it, and what is asked there.

Source: OCPP-J 1.6 chapters 3 and 6; OSCP 1.0 section 5.2 for TLS.
"""

import asyncio
import base64
import binascii
import ssl
from collections.abc import Callable
from datetime import datetime
from typing import cast
from urllib.parse import unquote, urlsplit

from ocpp import exceptions
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request as HttpRequest
from websockets.http11 import Response

from gridroom.ocpp import times, v16
from gridroom.ocpp.errors import NotConnectedError
from gridroom.ocpp.events import StationEvents
from gridroom.ocpp.fields import Payload
from gridroom.ocpp.io.line import LARGEST_MESSAGE, OCPP16, TIMEOUT_S, Line
from gridroom.ocpp.messages import (
    Authorize,
    BootNotification,
    ClearChargingProfile,
    Heartbeat,
    MeterValues,
    Request,
    SetChargingProfile,
    StartTransaction,
    StatusNotification,
    StopTransaction,
)
from gridroom.ocpp.wire import Counts, Dial, Transport, pair


class Csms:
    """The CSO's end of the lines to its stations.

    Args:
        now: The CSO's clock. [UTC]
        heartbeat_s: How often stations shall send a heartbeat. [s]

    Set `handler` before the first station comes.
    """

    def __init__(self, now: Callable[[], datetime], heartbeat_s: int = 300) -> None:
        self.handler: StationEvents | None = None
        self.port = 0
        self.counts = Counts()
        self._now, self._heartbeat_s = now, heartbeat_s
        self._lines: dict[str, Line] = {}
        self._server: Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(
        self, host: str, port: int, ssl_context: ssl.SSLContext, passwords: Callable[[str, str], bool]
    ) -> None:
        """Open the door: wss://host:port/<anything>/<identity>.

        Args:
            host: Address to listen on.
            port: Port; 0 takes a free one, to be read in `port`.
            ssl_context: The CSO's certificate; without TLS there is no door.
            passwords: Whether a password is the one of an identity.
        """

        def admit(connection: ServerConnection, request: HttpRequest) -> Response | None:
            if _authenticated(request, passwords):
                return None
            response = connection.respond(401, "Identity and password, please (security profile 2).\n")
            response.headers["WWW-Authenticate"] = 'Basic realm="gridroom"'
            return response

        async def talk(connection: ServerConnection) -> None:
            await self.accept(_identity(cast(HttpRequest, connection.request)), connection)

        self._server = await serve(
            talk,
            host,
            port,
            ssl=ssl_context,
            process_request=admit,
            subprotocols=[OCPP16],
            compression=None,
            max_size=LARGEST_MESSAGE,
            close_timeout=1,
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def accept(self, identity: str, transport: Transport) -> None:
        """Talk with a station that has proved its identity, until its line is gone."""
        handler = self.handler
        if handler is None:
            raise RuntimeError("set Csms.handler before stations come")
        line = Line(identity, transport, lambda request: self._answer(handler, identity, request), self.counts)
        older = self._lines.get(identity)
        self._lines[identity] = line
        if older is not None:
            await older.close()
        try:
            await handler.connected(identity)
            await line.run()
        finally:
            await self._gone(handler, identity, line)

    async def _gone(self, handler: StationEvents, identity: str, line: Line) -> None:
        """Forget a line, unless a newer one of the same station took its place."""
        if self._lines.get(identity) is line:
            del self._lines[identity]
            await handler.disconnected(identity)

    def dial(self, identity: str) -> Dial:
        """A way to reach this CSMS in memory, for a `StationLink`."""

        async def dial() -> Transport:
            near, far = pair()
            task = asyncio.create_task(self.accept(identity, near))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return far

        return dial

    def connected(self, identity: str) -> bool:
        """Whether a station is on the line."""
        line = self._lines.get(identity)
        return line is not None and not line.gone.is_set()

    async def send(
        self,
        identity: str,
        request: SetChargingProfile | ClearChargingProfile,
        timeout_s: float = TIMEOUT_S,
        *,
        rate_unit: str = "A",
    ) -> str:
        """Send a request to a station.

        Args:
            identity: The station.
            request: What to say.
            timeout_s: How long to wait for the answer. [s]
            rate_unit: W for a station that knows power only; limits become the power at 207 V.

        Returns:
            The status it answers with: Accepted, Rejected, NotSupported or Unknown.

        Raises:
            OcppError: Not connected, no answer, refused or broken; the station may have obeyed, or not.
        """
        line = self._lines.get(identity)
        if line is None:
            raise NotConnectedError(f"{identity}: there is no line")
        answer = await line.call(*v16.write(request, rate_unit=rate_unit), timeout_s)
        return str(answer["status"])

    async def drop(self, identity: str) -> None:
        """Close a station's line; it may come again."""
        line = self._lines.get(identity)
        if line is not None:
            await line.close()

    async def stop(self) -> None:
        """Close the door and every line."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        for line in tuple(self._lines.values()):
            await line.close()
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _answer(self, handler: StationEvents, identity: str, request: Request) -> Payload:
        match request:
            case BootNotification():
                accepted = await handler.boot(identity, request)
                return {
                    "status": "Accepted" if accepted else "Rejected",
                    "currentTime": times.write(self._now()),
                    "interval": self._heartbeat_s,
                }
            case Authorize():  # who may charge is not decided here: a transaction is accepted likewise
                return {"idTagInfo": {"status": "Accepted"}}
            case Heartbeat():
                return {"currentTime": times.write(self._now())}
            case StatusNotification(connector, status, at):
                await handler.status(identity, connector, status, at or self._now())
                return {}
            case StartTransaction(connector, id_tag, meter_start_wh, at):
                number = await handler.start_transaction(identity, connector, id_tag, meter_start_wh, at)
                return {"transactionId": number, "idTagInfo": {"status": "Accepted"}}
            case StopTransaction(number, meter_stop_wh, at, reason):
                await handler.stop_transaction(identity, number, meter_stop_wh, at, reason)
                return {}
            case MeterValues(connector, number, readings):
                await handler.meter_values(identity, connector, number, readings)
                return {}
            case _:
                raise exceptions.NotImplementedError


def _identity(request: HttpRequest) -> str:
    return unquote(urlsplit(request.path).path.rsplit("/", 1)[-1])


def _authenticated(request: HttpRequest, passwords: Callable[[str, str], bool]) -> bool:
    """Whether a handshake carries the Basic credentials of the identity in its path."""
    given = request.headers.get_all("Authorization")
    if len(given) != 1:
        return False
    scheme, _, encoded = given[0].partition(" ")
    try:
        credentials = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return False
    identity = _identity(request)
    if scheme.lower() != "basic" or not identity or not credentials.startswith(identity + ":"):
        return False
    return passwords(identity, credentials[len(identity) + 1 :])
