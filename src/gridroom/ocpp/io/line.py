"""A connection between a CSO and a station: calls and answers, either way."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import structlog
from ocpp import exceptions
from ocpp import messages as ocpp_messages
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from gridroom.ocpp import v16
from gridroom.ocpp.errors import (
    BrokenAnswerError,
    CallRefusedError,
    NoAnswerError,
    NotConnectedError,
    PayloadError,
)
from gridroom.ocpp.fields import Payload
from gridroom.ocpp.messages import Request
from gridroom.ocpp.wire import ClosedError, Counts, Transport

log = structlog.get_logger()
ocpp_messages.ASYNC_VALIDATION = False  # a schema check takes less than the hop to a thread

OCPP16 = Subprotocol("ocpp1.6")
"""The WebSocket subprotocol. Source: OCPP-J 1.6 chapter 3."""

LARGEST_MESSAGE = 256 * 1024
"""Longest message that is taken. [bytes]"""

WAITING_CALLS = 100
"""Most calls that may wait for their turn on a line."""

TIMEOUT_S = 10.0
"""How long an answer may take. [s]"""

Answer = Callable[[Request], Awaitable[Payload]]
"""Acts on a request and gives the payload of its answer."""


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
