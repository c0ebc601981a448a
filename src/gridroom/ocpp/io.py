"""OCPP 1.6J over WebSockets: a thin shell, the only importer of `ocpp` and `websockets`.

Of the package `ocpp` we take the message types and the schemas. Its ChargePoint class waits for its time-out when a
line is dead and computes the wire names; here a call fails at once when the line is lost, and names are written out
in v16.py.

Security profile 2: TLS, and HTTP Basic authentication with the station's identity. Source: OCPP-J 1.6 specification,
OCPP 1.6 security whitepaper (edition 2) chapter 2.
"""

import asyncio
import base64
import binascii
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote, urlsplit
from uuid import uuid4

import structlog
from ocpp import exceptions
from ocpp import messages as ocpp_messages
from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.http11 import Request as HttpRequest
from websockets.http11 import Response
from websockets.typing import Subprotocol

from gridroom.ocpp import v16
from gridroom.ocpp.errors import (
    BrokenAnswerError,
    CallRefusedError,
    NoAnswerError,
    NotConnectedError,
    PayloadError,
)
from gridroom.ocpp.events import StationEvents
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
from gridroom.ocpp.v16 import Payload
from gridroom.ocpp.wire import ClosedError, Counts, Dial, Transport, pair

log = structlog.get_logger()
ocpp_messages.ASYNC_VALIDATION = False  # a schema check takes less than the hop to a thread

OCPP16 = Subprotocol("ocpp1.6")
LARGEST_MESSAGE = 256 * 1024
WAITING_CALLS = 100
TIMEOUT_S = 10.0
Answer = Callable[[Request], Awaitable[Payload]]


class Line:
    """Calls and answers over one connection; either side of it."""

    def __init__(self, name: str, transport: Transport, answer: Answer, counts: Counts) -> None:
        self._name, self._transport, self._answer, self._counts = name, transport, answer, counts
        self._lock = asyncio.Lock()
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._incoming: asyncio.Queue[Any] = asyncio.Queue(WAITING_CALLS)
        self.gone = asyncio.Event()

    async def run(self) -> None:
        """Take messages until the connection is gone; calls that wait then fail."""
        worker = asyncio.create_task(self._work())
        try:
            while True:
                await self._take(await self._transport.recv())
        except (ConnectionClosed, ClosedError):
            pass
        finally:
            self.gone.set()
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(NotConnectedError(f"{self._name}: the line was lost before the answer came"))
            worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await worker

    async def close(self) -> None:
        """Close the connection; `run` ends."""
        self.gone.set()
        await self._transport.close()

    async def call(self, action: str, payload: Payload, timeout_s: float = TIMEOUT_S) -> Payload:
        """Send a request, and give the payload of its answer.

        Raises:
            NotConnectedError: The line is dead.
            NoAnswerError: No answer in time. [s]
            CallRefusedError: A CALLERROR came.
            BrokenAnswerError: The answer breaks the schema.
        """
        call = ocpp_messages.Call(str(uuid4()), action, payload)
        try:
            async with asyncio.timeout(timeout_s), self._lock:
                answer = await self._exchange(call)
        except TimeoutError:
            raise NoAnswerError(f"{self._name}: no answer to {action} within {timeout_s:g} s") from None
        except (ConnectionClosed, ClosedError):
            raise NotConnectedError(f"{self._name}: the line was lost") from None
        if isinstance(answer, ocpp_messages.CallError):
            self._counts.refused[action] += 1
            raise CallRefusedError(str(answer.error_code), str(answer.error_description))
        answer.action = action
        try:
            await ocpp_messages.validate_payload(answer, "1.6")
        except exceptions.OCPPError as error:
            self._counts.refused[action] += 1
            raise BrokenAnswerError(
                f"{self._name}: the answer to {action} breaks its schema: {_cause(error)}"
            ) from None
        content: Payload = answer.payload
        (self._counts.acknowledged if v16.acknowledged(action, content) else self._counts.refused)[action] += 1
        return content

    async def _exchange(self, call: Any) -> Any:
        if self.gone.is_set():
            raise NotConnectedError(f"{self._name}: there is no line")
        future = self._waiting[call.unique_id] = asyncio.get_running_loop().create_future()
        try:
            await self._transport.send(call.to_json())
            self._counts.sent[call.action] += 1
            return await future
        finally:
            del self._waiting[call.unique_id]
            future.cancel()

    async def _take(self, text: str | bytes) -> None:
        try:
            message = ocpp_messages.unpack(text)
        except (exceptions.OCPPError, ValueError, TypeError, KeyError, RecursionError) as error:
            log.warning("not an OCPP message, ignored", station=self._name, reason=type(error).__name__)
            return
        if not isinstance(message.unique_id, str):
            log.warning("a message without an id, ignored", station=self._name)
        elif isinstance(message, ocpp_messages.Call):
            await self._incoming.put(message)
        elif (future := self._waiting.get(message.unique_id)) is None or future.done():
            log.warning("an answer that nobody waits for, ignored", station=self._name)
        else:
            future.set_result(message)

    async def _work(self) -> None:
        """Answer the other side's calls, one after the other."""
        while True:
            call = await self._incoming.get()
            reply = await self._reply(call)
            try:
                await self._transport.send(reply.to_json())
            except (ConnectionClosed, ClosedError):
                return

    async def _reply(self, call: Any) -> Any:
        try:
            if not isinstance(call.action, str) or call.action not in v16.ACTIONS:
                raise exceptions.NotImplementedError
            self._counts.received[call.action] += 1
            await ocpp_messages.validate_payload(call, "1.6")
            request = v16.read(call.action, call.payload)
            return call.create_call_result(await self._answer(request))
        except PayloadError as error:
            log.warning("a payload that we refuse", station=self._name, action=call.action, reason=str(error))
            return ocpp_messages.CallError(call.unique_id, "PropertyConstraintViolation", str(error)[:255], {})
        except CallRefusedError as error:
            return ocpp_messages.CallError(call.unique_id, error.code, error.description[:255], {})
        except exceptions.OCPPError as error:
            log.warning("a call that we refuse", station=self._name, action=str(call.action), reason=_cause(error))
            return ocpp_messages.CallError(call.unique_id, error.code, _cause(error), {})
        except Exception:
            log.exception("a call that we failed to answer", station=self._name, action=call.action)
            return ocpp_messages.CallError(call.unique_id, "InternalError", "We failed; try again later.", {})


def _cause(error: exceptions.OCPPError) -> str:
    return str(error.details.get("cause") or error.description).partition("\n")[0][:255]


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
            if connection.request is not None:
                await self.accept(_identity(connection.request), connection)

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
        if self.handler is None:
            raise RuntimeError("set Csms.handler before stations come")
        line = Line(identity, transport, lambda request: self._answer(identity, request), self.counts)
        older = self._lines.get(identity)
        self._lines[identity] = line
        if older is not None:
            await older.close()
        try:
            await self.handler.connected(identity)
            await line.run()
        finally:
            if self._lines.get(identity) is line:
                del self._lines[identity]
                await self.handler.disconnected(identity)

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
            rate_unit: W for a station that knows power only.

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

    async def _answer(self, identity: str, request: Request) -> Payload:
        handler = self.handler
        if handler is None:
            raise exceptions.InternalError
        match request:
            case BootNotification():
                accepted = await handler.boot(identity, request)
                return {
                    "status": "Accepted" if accepted else "Rejected",
                    "currentTime": v16.write_time(self._now()),
                    "interval": self._heartbeat_s,
                }
            case Authorize():  # who may charge is not decided here: a transaction is accepted likewise
                return {"idTagInfo": {"status": "Accepted"}}
            case Heartbeat():
                return {"currentTime": v16.write_time(self._now())}
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


def dial_tls(url: str, identity: str, password: str, ssl_context: ssl.SSLContext) -> Dial:
    """A way to reach a CSMS over TLS.

    Args:
        url: wss://host:port/path; the identity is added to it.
        identity: The station.
        password: Its password for HTTP Basic authentication.
        ssl_context: With the certificates that the station trusts.

    Raises:
        ValueError: The URL has no TLS.
    """
    if urlsplit(url).scheme != "wss":
        raise ValueError(f"{url}: a station speaks over TLS only, the address starts with wss://")
    credentials = base64.b64encode(f"{identity}:{password}".encode()).decode()

    async def dial() -> Transport:
        try:
            connection = await connect(
                f"{url.rstrip('/')}/{quote(identity, safe='')}",
                ssl=ssl_context,
                subprotocols=[OCPP16],
                additional_headers={"Authorization": f"Basic {credentials}"},
                compression=None,
                max_size=LARGEST_MESSAGE,
                open_timeout=TIMEOUT_S,
                close_timeout=1,
                proxy=None,
            )
        except InvalidStatus as error:
            status = error.response.status_code
            hint = ": check its identity and password" if status == 401 else ""
            raise NotConnectedError(f"{identity}: {url} answers {status}{hint}") from None
        except (OSError, InvalidHandshake, TimeoutError, ConnectionClosed) as error:
            raise NotConnectedError(f"{identity}: {url} cannot be reached: {error}") from None
        if connection.subprotocol != OCPP16:
            await connection.close()
            raise NotConnectedError(f"{identity}: {url} does not speak OCPP 1.6")
        return connection

    return dial
