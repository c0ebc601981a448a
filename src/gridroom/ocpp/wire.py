"""What a connection is: two ends that pass texts; here one in memory, in `io` a WebSocket.

Source: OCPP-J 1.6 chapter 4.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Protocol


class Transport(Protocol):
    """A WebSocket, or one end of a `pair`."""

    async def send(self, message: str) -> None:
        """Send a text."""

    async def recv(self) -> str | bytes:
        """The next text."""
        ...

    async def close(self) -> None:
        """Close both ways."""


Dial = Callable[[], Awaitable[Transport]]
"""Opens a connection."""


class ClosedError(Exception):
    """The other end of a pair is gone."""


class _End:
    """One end of an in-memory connection."""

    def __init__(self, inward: asyncio.Queue[str | None], outward: asyncio.Queue[str | None]) -> None:
        self._in, self._out = inward, outward
        self._open = True

    async def send(self, message: str) -> None:
        if not self._open:
            raise ClosedError
        self._out.put_nowait(message)

    async def recv(self) -> str:
        message = await self._in.get() if self._open else None
        if message is None:
            self._open = False
            raise ClosedError
        return message

    async def close(self) -> None:
        self._open = False
        self._in.put_nowait(None)
        self._out.put_nowait(None)


def pair() -> tuple[Transport, Transport]:
    """Two ends of a connection in memory."""
    there: asyncio.Queue[str | None] = asyncio.Queue()
    back: asyncio.Queue[str | None] = asyncio.Queue()
    return _End(there, back), _End(back, there)


class Counts:
    """How many messages of each action went out, were answered with yes or no, and came in."""

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()
        self.acknowledged: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.received: Counter[str] = Counter()

    def as_dict(self) -> dict[str, dict[str, int]]:
        """Per action: sent, acknowledged, refused, received."""
        actions = sorted({*self.sent, *self.received})
        return {
            action: {
                "sent": self.sent[action],
                "acknowledged": self.acknowledged[action],
                "refused": self.refused[action],
                "received": self.received[action],
            }
            for action in actions
        }
