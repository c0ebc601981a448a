"""A station's end of its line to the CSO: connect, call, answer, come back after a loss.

Source: OCPP 1.6 section 4.2 (BootNotification), OCPP-J 1.6 chapter 5 (connections).
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from gridroom.ocpp import v16
from gridroom.ocpp.errors import CallRefusedError, NotConnectedError, OcppError
from gridroom.ocpp.fields import Payload
from gridroom.ocpp.io import TIMEOUT_S, Line
from gridroom.ocpp.messages import ClearChargingProfile, Request, SetChargingProfile
from gridroom.ocpp.wire import Counts, Dial

log = structlog.get_logger()


class StationLink:
    """A station's end of its line.

    Args:
        identity: The station.
        dial: How to reach the CSMS: `dial_tls(...)`, or `Csms.dial(identity)` in memory.
        answer: What the station answers to a SetChargingProfile or ClearChargingProfile: the status.
        counts: Where messages are counted.

    `connections` counts how often it connected.
    """

    def __init__(
        self,
        identity: str,
        dial: Dial,
        answer: Callable[[SetChargingProfile | ClearChargingProfile], Awaitable[str]],
        counts: Counts,
    ) -> None:
        self.identity, self._dial, self._answer, self._counts = identity, dial, answer, counts
        self.connections = 0
        self._line: Line | None = None
        self._task: asyncio.Task[None] | None = None
        self._cut = False

    @property
    def connected(self) -> bool:
        """Whether the line is there."""
        return self._line is not None and not self._line.gone.is_set()

    async def connect(self) -> None:
        """Connect now, unless connected.

        Raises:
            NotConnectedError: The CSMS cannot be reached, refuses us, or the line is cut.
        """
        if self.connected:
            return
        if self._cut:
            raise NotConnectedError(f"{self.identity}: the line is cut")
        await self._hang_up()
        line = Line(self.identity, await self._dial(), self._reply, self._counts)
        self._line, self._task = line, asyncio.create_task(line.run())
        self.connections += 1

    async def keep(self, on_connected: Callable[[], Awaitable[None]], first_wait_s: float = 1.0) -> None:
        """Stay connected until cancelled: connect again after a loss, waiting longer after each failure. [s]"""
        wait_s = first_wait_s
        while True:
            try:
                await self.connect()
                await on_connected()
                wait_s = first_wait_s
                if self._line is not None:
                    await self._line.gone.wait()
            except OcppError as error:
                log.info("no line, trying again", station=self.identity, reason=str(error), wait_s=round(wait_s, 1))
            await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))
            wait_s = min(2 * wait_s, 60.0)

    async def call(self, request: Request, timeout_s: float = TIMEOUT_S) -> Mapping[str, Any]:
        """Send a request; the payload of the answer.

        Raises:
            OcppError: NotConnectedError, NoAnswerError, CallRefusedError or BrokenAnswerError.
        """
        if self._line is None:
            raise NotConnectedError(f"{self.identity}: there is no line")
        return await self._line.call(*v16.write(request), timeout_s)

    async def cut(self) -> None:
        """Cut the line; no connection until `mend`."""
        self._cut = True
        await self._hang_up()

    def mend(self) -> None:
        """The line may be used again."""
        self._cut = False

    async def close(self) -> None:
        """Hang up."""
        await self._hang_up()

    async def _hang_up(self) -> None:
        line, task, self._line, self._task = self._line, self._task, None, None
        if line is not None and task is not None:
            await line.close()
            await task

    async def _reply(self, request: Request) -> Payload:
        if not isinstance(request, SetChargingProfile | ClearChargingProfile):
            raise CallRefusedError("NotImplemented", "a station does not take this")
        return {"status": await self._answer(request)}
