"""A DSO in memory and CSOs that answer it: shared by the tests of the DSO."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import msgspec
import numpy as np

import databases
from gridroom.dso import register
from gridroom.dso.app import Dso
from gridroom.dso.cables import Cable, Contract
from gridroom.dso.config import DsoConfig
from gridroom.dso.folder import MIGRATIONS
from gridroom.dso.readings.measurements import Reading
from gridroom.dso.tables import METADATA
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.blocks import UNKNOWN, CableTerms, Span, forecast_spans
from gridroom.oscp.v10.messages import (
    CSP_NAMESPACE,
    Adjustment,
    CapacityBlock,
    Envelope,
    Fault,
    HeartbeatResponse,
    Request,
    RequestAdjustedCapacityRequest,
    Response,
    Result,
    UpdateCableCapacityForecastRequest,
    UpdateCableCapacityForecastResponse,
    ValueType,
)
from gridroom.oscp.v10.peer import Peer, Reply, letter, read_request, write_answer
from gridroom.oscp.v10.profile import GRIDROOM
from gridroom.storage import database
from gridroom.storage.columns import Ints
from gridroom.storage.database import Database
from gridroom.storage.letters import METADATA as LETTERS
from gridroom.timegrid import floor

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
STEP = timedelta(minutes=5)
CABLE = "cable-1"


def cable(name: str = CABLE, limit_a: int = 200, **contracted_a: int) -> Cable:
    """A cable, contracted 2 : 1 by north and south unless told otherwise."""
    contracts = contracted_a or {"north": 100, "south": 50}
    found = (Contract(party, ampere * 100, (), MONDAY) for party, ampere in contracts.items())
    return Cable(name, (limit_a * 100,) * 3, tuple(found))


class HandClock:
    """A clock whose hands the test moves."""

    def __init__(self, now: datetime) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    async def run(self, duties: Mapping[str, object]) -> None:
        raise NotImplementedError


def configuration(**changes: Any) -> DsoConfig:
    """A meter and two CSOs."""
    table: dict[str, Any] = {
        "party": "dso",
        "ids": ["dso"],
        "tls": {"certificate": "dso.pem", "key": "dso.key", "ca": "ca.pem"},
        "meter": [{"party": "meter-1"}],
        "peer": [
            {"party": name, "ids": [name], "url": f"https://{name}", "kind": "gridroom"} for name in ("north", "south")
        ],
    }
    return msgspec.convert(table | changes, DsoConfig)


def on_grid(spans: Sequence[Span], start: datetime, n: int) -> Ints:
    """Limits in quarters of an hour, shape (3, n) [0.01 A]; our DSO writes no other blocks. `UNKNOWN` where none is."""
    grid = np.full((3, n), UNKNOWN, dtype=np.int64)
    for span in spans:
        first, last = ((moment - start) / QUARTER for moment in (span.start, span.end))
        assert first.is_integer()
        assert last.is_integer()
        values = [UNKNOWN if value is None else value for value in span.amounts]
        grid[:, max(0, int(first)) : max(0, int(last))] = np.array(values)[:, None]
    return grid


@dataclass
class Cso:
    """A CSO that takes what it gets, unless its line is dead."""

    party: str
    ids: Callable[[], str]
    clock: HandClock
    dead: bool = False
    deaf: bool = False  # takes the forecast, but its answer is lost
    result: Result = field(default_factory=Result.success)
    heard: list[Envelope] = field(default_factory=list)

    @property
    def peer(self) -> Peer:
        """The DSO as this CSO sees it."""
        own = frozenset({self.party})
        return Peer("dso", frozenset({"dso"}), "dso", self.party, own, "https://dso", GRIDROOM)

    def receive(self, data: bytes) -> tuple[int | None, bytes, float | None]:
        if self.dead:
            return None, b"dead", None
        incoming = read_request(self.peer, CSP_NAMESPACE, data, self.clock.now())
        self.heard.append(incoming.envelope)
        if self.deaf:
            return None, b"lost", None
        forecast = isinstance(incoming.envelope.body, UpdateCableCapacityForecastRequest)
        body: Response = (
            UpdateCableCapacityForecastResponse(self.result)
            if forecast
            else HeartbeatResponse(self.clock.now(), self.result)
        )
        return 200, write_answer(incoming, body, now=self.clock.now(), message_id=self.ids()), None

    def forecasts(self) -> list[Envelope]:
        return [one for one in self.heard if isinstance(one.body, UpdateCableCapacityForecastRequest)]

    def limits(self, start: datetime, n: int = 96) -> Ints:
        """What the newest forecast allows, shape (3, n). [0.01 A]"""
        body = self.forecasts()[-1].body
        assert isinstance(body, UpdateCableCapacityForecastRequest)
        spans, _, _ = forecast_spans(body.forecasts[0], CableTerms())
        return on_grid(spans, floor(start, QUARTER), n)


@dataclass(frozen=True)
class Memory:
    """What a world knows: its database, what the CSOs heard, its clock and the next number of a message."""

    rows: databases.Contents
    heard: Mapping[str, list[Envelope]]
    now: datetime
    number: int


class World:
    """A DSO, its CSOs and the clock on their wall."""

    def __init__(
        self, url: str = "", now: datetime = MONDAY, cables: Sequence[Cable] = (cable(),), **changes: Any
    ) -> None:
        self._numbers = count(1)
        self.ids: Callable[[], str] = lambda: f"00000000-0000-4000-8000-{next(self._numbers):012d}"
        self.clock = HandClock(now)
        self.config = configuration(**changes)
        self.csos = {one.party: Cso(one.party, self.ids, self.clock) for one in self.config.peer}
        self.url = url or databases.fresh(MIGRATIONS)
        self.db: Database = database.open(self.url, MIGRATIONS)
        with self.db.transact() as tx:
            register.write(tx, register.entries_of(cables))
        self.dso = Dso(self.config, self.db, self.post, self.ids, self.clock)

    async def post(self, url: str, data: bytes, kind: str) -> tuple[int | None, bytes, float | None]:
        return self.csos[url.removeprefix("https://")].receive(data)

    def restart(self) -> None:
        """The process dies and comes back."""
        self.db.close()
        self.db = database.open(self.url, MIGRATIONS)
        self.dso = Dso(self.config, self.db, self.post, self.ids, self.clock)

    def memory(self) -> Memory:
        """All that this world knows, so that another one of its kind need not live through it."""
        with self.db.transact() as tx:
            rows = databases.contents(tx, METADATA, LETTERS)
        heard = {party: [*cso.heard] for party, cso in self.csos.items()}
        return Memory(rows, heard, self.clock.time, next(self._numbers))

    def recall(self, memory: Memory) -> None:
        """Be where another world was."""
        with self.db.transact() as tx:
            databases.refill(tx, memory.rows, METADATA, LETTERS)
        for party, cso in self.csos.items():
            cso.heard = [*memory.heard[party]]
        self.clock.time, self._numbers = memory.now, count(memory.number)
        self.dso = Dso(self.config, self.db, self.post, self.ids, self.clock)

    def measure(self, ampere: float | tuple[float, float, float], seconds: int = 300) -> None:
        """The meter tells of the time just passed."""
        each = ampere if isinstance(ampere, tuple) else (ampere, ampere, ampere)
        first, second, third = (round(value * 100) for value in each)
        start = self.clock.time - timedelta(seconds=seconds)
        self.dso.record_readings([Reading(CABLE, start, seconds, (first, second, third))], "meter-1")

    def history(self, days: int, load: Callable[[datetime], float] | None = None, seed: int = 1) -> None:
        """Quarters of an hour until now, as a file would bring them; what differs from `load` lasts for a while."""
        chance = np.random.default_rng(seed)
        start = self.clock.time - timedelta(days=days)
        readings, noise = [], np.zeros(3)
        for i in range(days * 96):
            moment = start + i * QUARTER
            base = load(moment) if load else 40 + 20 * np.sin(2 * np.pi * (i % 96) / 96)
            noise = 0.8 * noise + chance.normal(0, 2, 3)
            values = np.rint((base + noise) * 100).astype(int)
            readings.append(Reading(CABLE, moment, 900, (int(values[0]), int(values[1]), int(values[2]))))
        self.dso.record_readings(readings)

    def say(self, party: str, body: Request, message_id: str = "") -> Envelope | Fault:
        """A CSO sends a message to the DSO and reads the answer."""
        return soap.read_reply(self.say_raw(party, body, message_id).data)

    def say_raw(self, party: str, body: Request, message_id: str = "") -> Reply:
        one = letter(self.csos[party].peer, body, now=self.clock.now(), message_id=message_id or self.ids())
        return self.dso.handle_oscp(party, one.data)

    def close(self) -> None:
        self.db.close()


def ask(ampere: float | tuple[float, float, float], start: datetime, blocks: int = 1, cable: str = CABLE) -> Adjustment:
    """Adjustment of consecutive blocks by the same amount."""
    if isinstance(ampere, tuple):
        values = tuple(ValueType(Decimal(str(one)), "A", phase) for phase, one in enumerate(ampere, 1))
    else:
        values = (ValueType(Decimal(str(ampere))),)
    return Adjustment(
        cable, tuple(CapacityBlock(start + i * QUARTER, start + (i + 1) * QUARTER, values) for i in range(blocks))
    )


def request(*adjustments: Adjustment) -> RequestAdjustedCapacityRequest:
    return RequestAdjustedCapacityRequest(adjustments)
