"""Whatever happens between a DSO, a CSO and its stations: no message of the CSO ever lets the cars draw more than the
book allows, and when all is calm again what stations may draw is within the book, for the next 24 hours.

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
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gridroom.clock import Duty
from gridroom.cso import profiles
from gridroom.cso.app import MIGRATIONS, Cso, CsoConfig
from gridroom.cso.book import Book
from gridroom.cso.ledger import Given, Held
from gridroom.cso.settings import CableEntry, DsoEntry
from gridroom.cso.stations import CableKey, Register, Station
from gridroom.cso.store import Store
from gridroom.ocpp.errors import NoAnswerError, NotConnectedError
from gridroom.ocpp.messages import BootNotification
from gridroom.ocpp.metering import reading
from gridroom.ocpp.profiles import Period, SetChargingProfile, Transaction
from gridroom.ocpp.wire import Counts
from gridroom.oscp.errors import RemoteError
from gridroom.oscp.v10 import blocks
from gridroom.oscp.v10.blocks import Span
from gridroom.oscp.v10.letters import Peer, letter
from gridroom.oscp.v10.messages import (
    DSO_NAMESPACE,
    Adjustment,
    CapacityBlock,
    Detail,
    Forecast,
    GetCapacityForecastRequest,
    GetCapacityForecastResponse,
    Message,
    RequestAdjustedCapacityRequest,
    RequestAdjustedCapacityResponse,
    Result,
    ResultType,
    UpdateCableCapacityForecastRequest,
)
from gridroom.oscp.v10.peer import read_request, write_answer
from gridroom.oscp.v10.profile import GRIDROOM
from gridroom.station.controller import Controller
from gridroom.storage import database
from gridroom.timegrid import floor

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


LEVELS = st.tuples(*[st.sampled_from([0, 7, 13, 20, 32, 48])] * 3)


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

    def __init__(self, street: "Street") -> None:
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


class Street(RuleBasedStateMachine):
    """Everything that can go on around a CSO with one cable and four stations."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = Hands()
        self.poles = {n: Pole(n, r, s) for n, r, s in zip(NAMES, ROTATIONS, SAFE_CA, strict=True)}
        self.field = Field(self)
        self.register = Register({p.name: Station(p.name, KEY, p.rotation, RATED_CA) for p in self.poles.values()})
        self.db = database.open("sqlite://", MIGRATIONS)
        self.ids = 0
        self.adjusts = "refuse"
        self.during: list[tuple[bytes, datetime, np.ndarray]] = []
        self.sent: list[bytes] = []
        self.newest: tuple[datetime, np.ndarray] | None = None
        self.granted = np.zeros((3, CELLS), dtype=np.int64)
        self._open()

    def teardown(self) -> None:
        try:
            self.calm()
        finally:
            self.db.close()
            self.loop.close()

    # What happens

    @initialize(level=st.sampled_from([16, 32, 48]))
    def begin(self, level: int) -> None:
        for name in NAMES[:3]:
            self.connects(name, forgets=False, boots=True)
        self.forecast((level, level, level), "new", during=False)
        for name in NAMES[:2]:
            self.car_comes(name, phases=3)
        self.plan()

    @rule(levels=LEVELS, kind=st.sampled_from(["same time", "late", "old", "earlier block", "broken", "short"]))
    def odd_forecast(self, levels: tuple[int, int, int], kind: str) -> None:
        self.forecast(levels, kind, during=False)

    @rule(levels=LEVELS, kind=st.sampled_from(["new", "new", "late", "broken"]), during=st.booleans())
    def forecast(self, levels: tuple[int, int, int], kind: str, during: bool) -> None:
        """A forecast comes: `levels` for the next hour, until two hours from now, and later. [A]"""
        made = {"late": -3 * MINUTE, "old": -10 * MINUTE}.get(kind, timedelta(0)) + self.now
        if kind == "same time" and self.newest is not None:
            made = self.newest[0]
        start = floor(self.now, QUARTER) - (QUARTER if kind == "earlier block" else timedelta(0))
        n = 6 if kind == "short" else 96
        steps = np.array([levels[0]] * 4 + [levels[1]] * 5 + [levels[2]] * 90)[:n] * 100
        limits = np.repeat(steps[None, :], 3, axis=0)
        limits[1] = np.maximum(limits[1] - 300, 0)
        shape = blocks.forecast_blocks(start, QUARTER, limits, np.full((3, n), 1000), GRIDROOM)
        body = UpdateCableCapacityForecastRequest((Forecast("c1", shape),))
        data = letter(PEER, body, now=made, message_id=self._id()).data
        if kind == "broken":
            data = data.replace(b".00</Capacity", b"e1</Capacity")
        grid = np.full((3, CELLS), -1, dtype=np.int64)
        first = (start - NOON) // QUARTER
        grid[:, max(first, 0) : first + n] = limits[:, max(-first, 0) :]
        if during:
            self.during.append((data, made, grid))
        else:
            self._deliver(data, made, grid)

    @precondition(lambda self: self.sent)
    @rule(which=st.integers(0, 9))
    def forecast_again(self, which: int) -> None:
        """The network delivers an old one once more."""
        self.cso.handle_oscp("dso", self.sent[which % len(self.sent)])

    @rule(name=st.sampled_from(NAMES), forgets=st.booleans(), boots=st.booleans())
    def connects(self, name: str, forgets: bool, boots: bool) -> None:
        pole = self.poles[name]
        if pole.on:
            return
        if forgets and boots:
            pole.controller = Controller(pole.controller.safe, pole.controller.most)
        pole.on = True
        if boots or not pole.seen:
            pole.seen = True
            assert self._do(self.cso.stations.boot(name, BOOT))
        self._tell(pole)

    @rule(name=st.sampled_from(NAMES))
    def line_lost(self, name: str) -> None:
        self.poles[name].on = False

    @rule(
        name=st.sampled_from(NAMES),
        mode=st.sampled_from(["obeys", "rejects", "question lost", "answer lost"]),
    )
    def station_behaves(self, name: str, mode: str) -> None:
        self.poles[name].mode = mode

    @rule(name=st.sampled_from(NAMES), phases=st.sampled_from([1, 3]))
    def car_comes(self, name: str, phases: int) -> None:
        pole = self.poles[name]
        if pole.car is None and pole.seen:
            pole.car, pole.number, pole.came = phases, None, self.now
            pole.untold.append(("start", self.now))
            self._tell(pole)
            self.plan()

    @rule(name=st.sampled_from(NAMES))
    def car_goes(self, name: str) -> None:
        pole = self.poles[name]
        if pole.car is not None:
            pole.car = None
            pole.controller = pole.controller.end_transaction()
            pole.untold.append(("stop", self.now))
            self._tell(pole)

    @rule(name=st.sampled_from(NAMES), hours=st.sampled_from([0.5, 2, 9]), kwh=st.sampled_from([0, 2, 30]))
    def driver_wishes(self, name: str, hours: float, kwh: int) -> None:
        """Precedence changes: another car is charged first."""
        self.cso.take_wish(name, self.clock.now() + hours * HOUR, kwh * 1000 or None)
        self.plan()

    @rule(name=st.sampled_from(NAMES))
    def measures(self, name: str) -> None:
        pole = self.poles[name]
        if pole.car is None or not pole.on or pole.number is None:
            return
        limit = pole.controller.limit(self.now, Transaction(pole.came, pole.number)).limit_ca
        drawn = limit if limit >= 600 else 0
        pole.register_wh += 100
        one = reading(self.now, [drawn if n < pole.car else 0 for n in range(3)], pole.register_wh)
        self._do(self.cso.stations.meter_values(name, 1, pole.number, (one,)))

    @rule(how=st.sampled_from(sorted(ADJUST)))
    def dso_answers(self, how: str) -> None:
        self.adjusts = how

    @rule(minutes=st.sampled_from([1, 5, 10, 15, 50]))
    def time_goes_on(self, minutes: int) -> None:
        self.clock.true = min(self.now + minutes * MINUTE, NOON + DAY)

    @rule(minutes=st.sampled_from([-40, -4, -1, 0, 0, 1, 4, 40]))
    def clock_steps(self, minutes: int) -> None:
        """The CSO's clock is off by so much from now on."""
        self.clock.ahead = minutes * MINUTE

    @rule()
    def plan(self) -> None:
        self._do(self.cso.plan(self.clock.now()))
        self._do(self.cso.post(self.clock.now()))

    @rule()
    def restarts(self) -> None:
        self._do(self.cso.stop())
        for pole in self.poles.values():
            pole.on = False
        self._open()

    @rule()
    def calm(self) -> None:
        """All faults end; two rounds later what may be drawn is within the book."""
        self.clock.ahead, self.adjusts, self.during = timedelta(0), "refuse", []
        for pole in self.poles.values():
            pole.mode = "obeys"
            self.connects(pole.name, forgets=False, boots=True)
        self.plan()
        self.plan()
        first = (self.now - NOON) // QUARTER
        over = self.drawn() - self._book()
        assert over[:, first:].max() <= 0

    # What must hold

    @invariant()
    def the_book_is_never_above_what_was_stated_and_granted(self) -> None:
        if self.newest is None or self.during:
            return
        stated = self.newest[1]
        first = (self.now - NOON) // QUARTER
        over = np.where(stated >= 0, self._book() - stated - self.granted, 0)
        assert over[:, first:].max() <= 0

    def not_raised(self, before: np.ndarray) -> None:
        """A message changed what a station may draw: nowhere up to more than the book allows."""
        first = (self.now - NOON) // QUARTER
        over = self.drawn() - np.maximum(self._book(), before)
        assert over[:, first:].max() <= 0

    # How it is done

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


def _half(block: CapacityBlock) -> CapacityBlock:
    return replace(block, capacity=tuple(replace(v, value=(v.value / 2).quantize(v.value)) for v in block.capacity))


RUN = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


def test_nothing_raises_what_stations_may_draw_above_the_book() -> None:
    run_state_machine_as_test(Street, settings=RUN)


def all_at_once(changes: list[profiles.Change], *_: object) -> list[profiles.Change]:
    """Raises before lowers."""
    return list({change.identity: change for change in reversed(changes)}.values())


def one_is_enough(held: Held, given: Given, now: datetime) -> Held:
    """A profile without an answer counts as not sent."""
    return replace(held, number=given.number, changed_at=now)


def always_newer(book: Book, made_at: datetime, capacity: list[Span], remaining: list[Span], now: datetime) -> object:
    """Whatever comes last holds."""
    return REAL_ACCEPT(replace(book, made_at=None), made_at, capacity, remaining, now)


REAL_ACCEPT = Book.accept
BROKEN = {
    "raises go before lowers": (profiles, "sendable", all_at_once),
    "a lost answer counts as nothing sent": (Held, "offer", one_is_enough),
    "a restart changes nothing": (Held, "restarted", lambda held, _now: held),
    "the last forecast to come holds": (Book, "accept", always_newer),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_build_is_caught(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*BROKEN[fault])
    with pytest.raises((AssertionError, ExceptionGroup)):
        run_state_machine_as_test(Street, settings=settings(RUN, max_examples=200, phases=[Phase.generate]))
