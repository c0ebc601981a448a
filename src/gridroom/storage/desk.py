"""The desk where letters wait for their turn: urgent ones first, and only what is less critical may be sent away.

A letter is taken from the desk as soon as the one before it is dealt with; meanwhile others may arrive and overtake.
Source: OSCP 1.0 section 3.2.1 (Priority).
"""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from heapq import heappop, heappush
from itertools import count

import sqlalchemy as sa
import structlog

from gridroom.oscp.errors import RemoteError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import OPERATIONS, UpdateCableCapacityForecastRequest, operation_of
from gridroom.oscp.v10.peer import Peer, Reply, write_fault
from gridroom.storage.database import Database
from gridroom.storage.letters import WAITS

log = structlog.get_logger()

CROWDED = 100
"""Letters waiting above which the less critical ones are sent away."""

BREATHS = 4
"""Turns of the event loop between two letters, so that who stands at the door comes in and may overtake."""

URGENT, NORMAL, LOW = "urgent", "normal", "low"

_PRIORITY = re.compile(rb"<(?:[\w.-]+:)?priority\b[^>]{0,500}>(.{1,500}?)</", re.IGNORECASE | re.DOTALL)
_BESIDE = re.compile(rb"<!--.*?-->|<\?.*?\?>|<!\[CDATA\[|\]\]>", re.DOTALL)
_INTEGER = re.compile(rb"\s*([+-]?[0-9]+)\s*")
_BODY = re.compile(rb"<(?:[\w.-]+:)?body\b", re.IGNORECASE)

Answer = Callable[[str, bytes], Reply]
"""Deals with a letter from a party."""


def glance(data: bytes) -> int:
    """The priority that an envelope seems to have, without reading it; it only decides who is served first.

    >>> glance(b"<e:Header><Priority>2</Priority></e:Header><e:Body/>"), glance(b"<what/>")
    (2, 0)
    """
    body = _BODY.search(data)
    found = _PRIORITY.search(data, 0, body.start() if body else len(data))
    number = _INTEGER.fullmatch(_BESIDE.sub(b"", found[1])) if found else None
    return int(number[1]) if number else 0


@dataclass(frozen=True)
class Waits:
    """How long letters of one class took from receipt to processed [ms], and how many were sent away."""

    letters: int = 0
    total_ms: int = 0
    longest_ms: int = 0
    shed: int = 0

    def plus(self, other: "Waits") -> "Waits":
        """Both together."""
        longest = max(self.longest_ms, other.longest_ms)
        return Waits(self.letters + other.letters, self.total_ms + other.total_ms, longest, self.shed + other.shed)


class Desk:
    """Letters of one service that wait to be dealt with, one after the other."""

    def __init__(self, answer: Answer, crowded: int = CROWDED) -> None:
        """Open the desk.

        Args:
            answer: Deals with a letter.
            crowded: Letters waiting above which the less critical ones are sent away.
        """
        self._answer, self._crowded = answer, crowded
        self._line: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = count()
        self._serving: asyncio.Task[None] | None = None
        self._waits: dict[str, Waits] = {}

    async def take(self, peer: Peer | None, party: str, data: bytes, now: datetime) -> Reply:
        """Deal with a letter when its turn comes.

        Args:
            peer: Who sent it; None when it is no peer of ours.
            party: The name that its certificate proves.
            data: The envelope.
            now: The present moment. [UTC]
        """
        received, priority = time.monotonic(), glance(data)
        if priority < 0 and peer is not None and len(self._line) >= self._crowded:
            fault = _sent_away(peer, data, now)
            if fault is not None:
                log.warning("overload: a letter of low priority was sent away", party=party, waiting=len(self._line))
                self._measure(LOW, Waits(shed=1))
                return fault
        answered: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        def serve() -> None:
            if answered.cancelled():
                return
            try:
                answered.set_result(self._answer(party, data))
            except Exception as error:
                answered.set_exception(error)
            ms = round((time.monotonic() - received) * 1000)
            self._measure(kind_of(priority), Waits(1, ms, ms))

        heappush(self._line, (-priority, next(self._numbers), serve))
        if self._serving is None:
            self._serving = asyncio.ensure_future(self._serve())
        return await answered

    def keep(self, db: Database) -> None:
        """Add what was measured, if anything, to what the database knows, and begin anew."""
        if not self._waits:
            return
        with db.transact() as tx:
            known = waits(tx)
            for kind, one in self._waits.items():
                values = asdict(known.get(kind, Waits()).plus(one))
                if tx.execute(WAITS.update().where(WAITS.c.kind == kind).values(values)).rowcount == 0:
                    tx.execute(WAITS.insert().values(kind=kind, **values))
        self._waits = {}

    async def _serve(self) -> None:
        try:
            while self._line:
                for _ in range(BREATHS):
                    await asyncio.sleep(0)
                heappop(self._line)[2]()
        finally:
            self._serving = None

    def _measure(self, kind: str, one: Waits) -> None:
        self._waits[kind] = self._waits.get(kind, Waits()).plus(one)


def kind_of(priority: int) -> str:
    """The class of a priority: urgent, normal or low."""
    return NORMAL if priority == 0 else URGENT if priority > 0 else LOW


def waits(tx: sa.Connection) -> dict[str, Waits]:
    """From receipt to processed, per class, since the database was made."""
    return {
        row.kind: Waits(row.letters, row.total_ms, row.longest_ms, row.shed) for row in tx.execute(sa.select(WAITS))
    }


def told(tx: sa.Connection) -> dict[str, dict[str, int]]:
    """The same for people: number, mean and longest per class, and what was sent away. [ms]"""
    return {
        kind: {
            "letters": one.letters,
            "mean_ms": one.total_ms // max(one.letters, 1),
            "longest_ms": one.longest_ms,
            "shed": one.shed,
        }
        for kind, one in sorted(waits(tx).items())
    }


def _sent_away(peer: Peer, data: bytes, now: datetime) -> Reply | None:
    """The Receiver fault for a letter of low priority; None for a forecast, and for what cannot be read."""
    try:
        envelope = soap.read(data, soap11=peer.profile.soap == "1.1")
    except RemoteError:
        return None
    if envelope.header.priority >= 0 or isinstance(envelope.body, UpdateCableCapacityForecastRequest):
        return None
    error = RemoteError("too much to do; send it again later", sender=False)
    error.relates_to = envelope.header.message_id
    return write_fault(error, peer, now=now, service=OPERATIONS[operation_of(envelope.body)][0])
