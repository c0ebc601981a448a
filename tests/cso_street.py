"""A CSO with one cable and four stations, whose lines and clock can fail, for the state machine of the CSO.

What stations may draw is taken from their own profiles, not from the CSO's ledger.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import numpy as np

import databases
from gridroom.clock import Duty
from gridroom.cso.app import MIGRATIONS, Cso, CsoConfig
from gridroom.cso.book import Book
from gridroom.cso.settings import CableEntry, DsoEntry
from gridroom.cso.stations import CableKey, Register, Station
from gridroom.cso.store import Store
from gridroom.ocpp.errors import NoAnswerError, NotConnectedError
from gridroom.ocpp.messages import BootNotification
from gridroom.ocpp.profiles import Period, SetChargingProfile, Transaction
from gridroom.ocpp.wire import Counts
from gridroom.oscp.errors import RemoteError
from gridroom.oscp.v10.letters import Peer
from gridroom.oscp.v10.messages import (
    DSO_NAMESPACE,
    Adjustment,
    CapacityBlock,
    Detail,
    GetCapacityForecastRequest,
    GetCapacityForecastResponse,
    Message,
    RequestAdjustedCapacityRequest,
    RequestAdjustedCapacityResponse,
    Result,
    ResultType,
)
from gridroom.oscp.v10.peer import read_request, write_answer
from gridroom.oscp.v10.profile import GRIDROOM
from gridroom.station.controller import Controller
from gridroom.storage import database

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
CELLS = 200
"""Quarters of an hour looked at, from noon: the day ahead of any moment that a run reaches."""
KEY = CableKey("dso", "c1")
PEER = Peer("cso", frozenset({"cso"}), "cso", "dso", frozenset({"dso"}), "https://cso", GRIDROOM)
NAMES = ("s1", "s2", "s3", "s4")
ROTATIONS = ((1, 2, 3), (2, 3, 1), (3, 1, 2), (1, 2, 3))
SAFE_CA = (0, 600, 1600, 0)
RATED_CA = 1600
BOOT = BootNotification("Maker", "Model")
ADJUST = {"grant", "half", "refuse", "lost", "dead"}


class Pole:
    """A station by itself: its profiles, its car, what it still has to tell, and how its line behaves."""

    def __init__(self, name: str, rotation: tuple[int, int, int], safe_ca: int) -> None:
        self.name, self.rotation = name, rotation
        self.controller = Controller(Period(0, safe_ca), Period(0, RATED_CA))
        self.seen = self.on = False
        self.mode = "obeys"
        self.car: int | None = None
        self.number: int | None = None
        self.came = NOON
        self.register_wh = 0
        self.untold: deque[tuple[str, datetime]] = deque()

    def may_draw(self, now: datetime) -> np.ndarray:
        """The most on the cable's phases per cell, shape (3, CELLS): with this car, or with another one. [0.01 A]"""
        found = np.zeros((3, CELLS), dtype=np.int64)
        if not self.seen:
            return found
        end = NOON + CELLS * QUARTER
        running = None if self.car is None else Transaction(self.came, self.number)
        for transaction, phases in ((running, self.car or 0), (None, 3)):
            moments = [*self.controller.changes(now, end, transaction), end]
            for begin, until in pairwise(moments):
                limit = self.controller.limit(begin, transaction).limit_ca
                first, last = (begin - NOON) // QUARTER, -((NOON - until) // QUARTER)
                for phase in self.rotation[:phases]:
                    found[phase - 1, first:last] = np.maximum(found[phase - 1, first:last], limit)
        return found


class Hands:
    """The CSO's clock: the true time and an error."""

    def __init__(self) -> None:
        self.true, self.ahead = NOON, timedelta(0)

    def now(self) -> datetime:
        return self.true + self.ahead

    async def run(self, duties: Mapping[str, Duty]) -> None:
        raise NotImplementedError


class Field:
    """The lines to all stations, in place of a `Csms`."""

    def __init__(self, street: "Surroundings") -> None:
        self.street, self.poles = street, street.poles
        self.counts = Counts()
        self.handler: object = None

    def connected(self, identity: str) -> bool:
        return self.poles[identity].on

    async def stop(self) -> None:
        """Nothing to close."""

    async def send(self, identity: str, request: SetChargingProfile, timeout_s: float) -> str:
        assert timeout_s > 0
        pole, before = self.poles[identity], self.street.drawn()
        if not pole.on:
            raise NotConnectedError(identity)
        if pole.mode == "rejects":
            return "Rejected"
        if pole.mode == "question lost":
            raise NoAnswerError(identity)
        running = None if pole.car is None else Transaction(pole.came, pole.number)
        pole.controller, status = pole.controller.set_profile(request, running)
        self.street.not_raised(before)
        await asyncio.sleep(0)  # now all messages of the batch have arrived
        self.street.meanwhile()
        if pole.mode == "answer lost":
            raise NoAnswerError(identity)
        return status


class Surroundings:
    """What is around a CSO with one cable and four stations: their lines, a DSO, a clock."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = Hands()
        self.poles = {n: Pole(n, r, s) for n, r, s in zip(NAMES, ROTATIONS, SAFE_CA, strict=True)}
        self.field = Field(self)
        self.register = Register({p.name: Station(p.name, KEY, p.rotation, RATED_CA) for p in self.poles.values()})
        self.db = database.open(databases.fresh(MIGRATIONS), MIGRATIONS)
        self.ids = 0
        self.adjusts = "refuse"
        self.during: list[tuple[bytes, datetime, np.ndarray]] = []
        self.sent: list[bytes] = []
        self.newest: tuple[datetime, np.ndarray] | None = None
        self.granted = np.zeros((3, CELLS), dtype=np.int64)
        self._open()

    def _open(self) -> None:
        entry = DsoEntry("dso", "dso", "https://dso", cables=(CableEntry("c1"),), profile={"phases": "per-phase"})
        config = CsoConfig(party="cso", id="cso", dso=(entry,))
        self.cso = Cso(config, self.db, self._post, self._id, self.clock, self.field, self.register)  # type: ignore[arg-type]

    @property
    def now(self) -> datetime:
        return self.clock.true

    def _id(self) -> str:
        self.ids += 1
        return str(UUID(int=self.ids, version=4))

    def _do(self, work: object) -> object:
        return self.loop.run_until_complete(work)  # type: ignore[arg-type]

    def drawn(self) -> np.ndarray:
        total = np.zeros((3, CELLS), dtype=np.int64)
        for pole in self.poles.values():
            total += pole.may_draw(self.now)
        return total

    def _book(self) -> np.ndarray:
        with self.db.transact() as tx:
            book: Book = Store(tx).book(KEY)
        return book.limits(self.now, NOON, CELLS)

    def _deliver(self, data: bytes, made: datetime, grid: np.ndarray) -> None:
        self.sent.append(data)
        answer = self.cso.handle_oscp("dso", data).data
        applied = b"SUCCESS" in answer and b"SUPERSEDED" not in answer
        if applied and (self.newest is None or made >= self.newest[0]):
            self.newest = (made, grid)
            self.granted[:] = 0

    def meanwhile(self) -> None:
        """Forecasts that come in the middle of a round."""
        while self.during:
            self._deliver(*self.during.pop())

    def _tell(self, pole: Pole) -> None:
        """Tell the CSO what the station has to say, if it is on the line."""
        while pole.on and pole.untold:
            what, at = pole.untold.popleft()
            events = self.cso.stations
            if what == "start":
                number = self._do(events.start_transaction(pole.name, 1, "tag", pole.register_wh, at))
                if not any(kind == "stop" for kind, _ in pole.untold):
                    pole.number = number  # type: ignore[assignment]
            else:
                self._do(events.stop_transaction(pole.name, self._running(pole), pole.register_wh, at, "Local"))

    def _running(self, pole: Pole) -> int:
        with self.db.transact() as tx:
            session = Store(tx).session(pole.name)
        return 0 if session is None else session.transaction

    async def _post(self, _url: str, data: bytes, _content_type: str) -> tuple[int | None, bytes, float | None]:
        if self.adjusts == "dead":
            return None, b"", None
        try:
            incoming = read_request(PEER, DSO_NAMESPACE, data, self.now)
        except RemoteError:  # the CSO's clock is too far ahead
            return 400, b"", None
        body = incoming.envelope.body
        answer: Message
        if isinstance(body, GetCapacityForecastRequest):
            answer = GetCapacityForecastResponse(Result.success())
        elif isinstance(body, RequestAdjustedCapacityRequest):
            answer = self._adjusted(body.adjustments)
        else:
            raise AssertionError(body)
        if self.adjusts == "lost":
            return None, b"", None
        return 200, write_answer(incoming, answer, now=self.now, message_id=self._id()), None

    def _adjusted(self, asked: tuple[Adjustment, ...]) -> RequestAdjustedCapacityResponse:
        share = {"grant": 1.0, "half": 0.5}.get(self.adjusts)
        no = Result(ResultType.FAILED, (Detail("NO_CAPACITY", "None."),))
        if share is None:
            return RequestAdjustedCapacityResponse((), no)
        for change in asked:
            for block in change.blocks:
                cell = (block.start - NOON) // QUARTER
                for value in block.capacity:
                    rows = range(3) if value.phase is None else (value.phase - 1,)
                    for row in rows:
                        self.granted[row, cell] += max(0, int(value.value * 100))
        if share == 1.0:
            return RequestAdjustedCapacityResponse(asked, Result.success())
        halves = tuple(Adjustment(a.cable_id, tuple(_half(b) for b in a.blocks)) for a in asked)
        return RequestAdjustedCapacityResponse(halves, no)

    def not_raised(self, before: np.ndarray) -> None:
        """A message changed what a station may draw: nowhere up to more than the book allows."""
        first = (self.now - NOON) // QUARTER
        over = self.drawn() - np.maximum(self._book(), before)
        assert over[:, first:].max() <= 0


def _half(block: CapacityBlock) -> CapacityBlock:
    return replace(block, capacity=tuple(replace(v, value=(v.value / 2).quantize(v.value)) for v in block.capacity))
