"""The street's time: a clock whose hands are moved from outside, so that many processes live the same day in lockstep.

An actor runs its duties on a `LockstepClock`; the street holds the `Driver` and says, over a Unix domain socket of its
own, which duty to do and what the time is. One JSON object a line: `{"duty": name, "now": iso}` is answered by
`{"ok": result}` or `{"error": text}`; `{"stop": true}` and the driver's death end the run. Only commands travel here:
what actors have to say to each other goes over their own networks.
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import structlog

from gridroom.clock import Duty
from gridroom.sim.errors import SimError

log = structlog.get_logger()

LONGEST_LINE = 1 << 26
LONGEST_PATH = 100


class LockstepError(SimError):
    """An actor did not do what the driver asked.

    Attributes:
        actor: Its name.
        duty: What was asked.
        reason: What went wrong.
    """

    def __init__(self, actor: str, duty: str, reason: str) -> None:
        super().__init__(f"{actor} could not do {duty!r}: {reason}")
        self.actor, self.duty, self.reason = actor, duty, reason


class LockstepClock:
    """The time as the driver gives it; see `gridroom.clock.Clock`."""

    def __init__(self, path: Path, start: datetime) -> None:
        """Prepare the clock.

        Args:
            path: Unix domain socket to listen on, readable by its owner only. At most 100 bytes long.
            start: The time until the first command. [UTC]

        Raises:
            ValueError: The path is longer than a socket's address may be.
        """
        if len(str(path).encode()) > LONGEST_PATH:
            raise ValueError(f"the socket path {path} is longer than {LONGEST_PATH} bytes: choose a shorter folder")
        self._path = path
        self._now = start
        self._done = asyncio.Event()

    def now(self) -> datetime:
        """The moment of the latest command. [UTC]"""
        return self._now

    async def run(self, duties: Mapping[str, Duty]) -> None:
        """Listen, and do what the driver says until it stops or goes away; a failing duty is answered as an error."""

        async def obey(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await self._obey(duties, reader, writer)
            finally:
                self._done.set()
                writer.close()

        self._path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(obey, self._path, limit=LONGEST_LINE)
        self._path.chmod(0o600)
        try:
            await self._done.wait()
        finally:
            server.close()
            self._path.unlink(missing_ok=True)

    async def _obey(
        self, duties: Mapping[str, Duty], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(ConnectionError):
            while line := await reader.readline():
                command = json.loads(line)
                if command.get("stop"):
                    return
                answer = await self._do(duties, command["duty"], datetime.fromisoformat(command["now"]))
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()

    async def _do(self, duties: Mapping[str, Duty], name: str, now: datetime) -> dict[str, object]:
        if name not in duties:
            return {"error": f"no such duty; there are {', '.join(sorted(duties))}"}
        self._now = now.astimezone(UTC)
        try:
            return {"ok": await duties[name].call(self._now)}
        except Exception as error:
            log.exception("duty failed", duty=name)
            return {"error": f"{type(error).__name__}: {error}"}


class Driver:
    """The hand on the clocks: asks each actor, by name, to do a duty at a moment."""

    def __init__(self, paths: Mapping[str, Path], deadline_s: float = 30.0) -> None:
        """Prepare the driver.

        Args:
            paths: Socket of each actor's `LockstepClock`.
            deadline_s: How long an answer may take on the wall clock. [s]
        """
        self._paths = dict(paths)
        self._deadline_s = deadline_s
        self._lines: dict[str, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}
        self._turns = {actor: asyncio.Lock() for actor in paths}

    async def connect(self, actor: str, deadline_s: float = 30.0) -> None:
        """Reach an actor that may still be starting.

        Raises:
            LockstepError: It did not listen in time.
        """
        try:
            async with asyncio.timeout(deadline_s):
                while actor not in self._lines:
                    with suppress(FileNotFoundError, ConnectionRefusedError):
                        path = self._paths[actor]
                        self._lines[actor] = await asyncio.open_unix_connection(path, limit=LONGEST_LINE)
                        return
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise LockstepError(actor, "connect", f"it did not listen within {deadline_s:g} s") from None

    async def ask(self, actor: str, duty: str, now: datetime) -> object:
        """Have an actor do one duty and give its answer; calls to one actor wait for each other.

        Raises:
            LockstepError: It answered with an error, went away, or took longer than the deadline.
        """
        reader, writer = self._lines[actor]
        async with self._turns[actor]:
            try:
                async with asyncio.timeout(self._deadline_s):
                    writer.write(json.dumps({"duty": duty, "now": now.isoformat()}).encode() + b"\n")
                    await writer.drain()
                    line = await reader.readline()
            except TimeoutError:
                raise LockstepError(actor, duty, f"no answer within {self._deadline_s:g} s") from None
            except ConnectionError as error:
                raise LockstepError(actor, duty, f"it went away ({error})") from error
        if not line:
            raise LockstepError(actor, duty, "it went away")
        answer = json.loads(line)
        if "error" in answer:
            raise LockstepError(actor, duty, answer["error"])
        return answer["ok"]

    async def stop(self) -> None:
        """Tell every actor reached to end its run."""
        for _, writer in self._lines.values():
            with suppress(ConnectionError):
                writer.write(b'{"stop": true}\n')
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        self._lines.clear()
