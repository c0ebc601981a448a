"""A DSO, a network and two clocks around a CSO's book of two cables, for the tests of sequences.

The CSO's own road from bytes to book is run, on a real database; the judge is `cso_paper.py`.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import sqlalchemy as sa

import databases
from cso_paper import Paper, Says
from gridroom.cso import oscp10, planning, service
from gridroom.cso.app import MIGRATIONS
from gridroom.cso.settings import CableEntry, CsoConfig, DsoEntry, market
from gridroom.cso.stations import CableKey, Register
from gridroom.cso.store import Store
from gridroom.oscp.v10.letters import Letter, Peer, letter
from gridroom.oscp.v10.messages import (
    DSO_NAMESPACE,
    Adjustment,
    CapacityBlock,
    Detail,
    Envelope,
    Forecast,
    ForecastedBlock,
    RequestAdjustedCapacityRequest,
    RequestAdjustedCapacityResponse,
    Result,
    ResultType,
    UpdateCableCapacityForecastRequest,
    ValueType,
)
from gridroom.oscp.v10.peer import Incoming, read_request, write_answer
from gridroom.oscp.v10.profile import GRIDROOM
from gridroom.storage import database
from gridroom.storage.outbox import Courier
from gridroom.timegrid import QUARTER, floor

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CABLES = ("c1", "c2")
CELLS = 150
TO_CSO = Peer("cso", frozenset({"cso"}), "cso", "dso", frozenset({"dso"}), "https://cso", GRIDROOM)
SENTINEL = Decimal("777.77")
NO = Result(ResultType.FAILED, (Detail("NO_CAPACITY", "None."),))
Amounts = tuple[int, int, int]


@dataclass(frozen=True)
class Told:
    """A forecast message of the DSO."""

    message_id: str
    made: datetime
    says: dict[str, Says]
    kinds: dict[str, str]

    def data(self) -> bytes:
        forecasts = []
        for cable, says in self.says.items():
            forecasts.append(_forecast(cable, says))
            if self.kinds[cable] == "half broken":
                forecasts.append(_forecast(cable, {max(says) + 1: (1, 1, 1)}, broken=True))
            elif self.kinds[cable] == "broken":
                forecasts[-1] = _forecast(cable, says, broken=True)
        body = UpdateCableCapacityForecastRequest(tuple(forecasts))
        one = letter(TO_CSO, body, now=self.made, message_id=self.message_id, expires=self.made + timedelta(days=9))
        return one.data.replace(b"777.77", b"7e2")


class Dialogue:
    """What can be done to the two of them; each act is followed by a check of what must hold.

    Attributes:
        true: The present moment; each side's clock is ahead of it. [UTC]
        fate: What becomes of the CSO's next requests: answered, crossed (by a forecast under way, before or after the
            DSO reads), question lost, answer lost, busy.
        mode: How the DSO answers them.
    """

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.true = NOON
        self.ahead = {"cso": timedelta(0), "dso": timedelta(0)}
        profile = {"phases": "per-phase"}
        entry = DsoEntry("dso", "dso", "https://dso", cables=tuple(map(CableEntry, CABLES)), profile=profile)
        self.market = market(CsoConfig(party="cso", id="cso", dso=(entry,)), Register({}))
        self.db = database.open(databases.fresh(MIGRATIONS), MIGRATIONS)
        self.ids = 0
        self.papers = {cable: Paper() for cable in CABLES}
        self.seen: set[str] = set()
        self.sent: list[Told] = []
        self.under_way: list[Told] = []
        self.answers: dict[str, bytes] = {}
        self.granted: dict[str, dict[int, Amounts]] = {}
        self.asked: dict[str, str] = {}
        self.fate, self.mode = "answered", "grant"
        self.restart()

    def close(self) -> None:
        self.db.close()
        self.loop.close()

    def restart(self) -> None:
        """The CSO's process dies and comes back: only the database stays."""
        self.courier = Courier(self.db, self.market.peers, self._post, self._on_answer, lambda: 0.0)

    def clock(self, side: str) -> datetime:
        """The present moment as one side takes it to be. [UTC]"""
        return self.true + self.ahead[side]

    # What happens

    def tells(self, says: Says, kind: str, shift: int, cables: tuple[str, ...], *, now: bool) -> None:
        """The DSO makes a forecast for these cables; `kind` is the first one's."""
        kinds = dict.fromkeys(cables, "good") | {cables[0]: kind}
        made = self.clock("dso") + shift * MINUTE
        one = Told(self._id(), made, dict.fromkeys(cables, says), kinds)
        self.sent.append(one)
        if now:
            self.deliver(one)
        else:
            self.under_way.append(one)

    def arrives(self, which: int) -> None:
        """What was under way arrives."""
        if self.under_way:
            self.deliver(self.under_way.pop(which % len(self.under_way)))

    def again(self, which: int, how: str) -> None:
        """The DSO, or the network, sends an old one once more: 0 is the newest."""
        if not self.sent:
            return
        one = self.sent[-1 - which % len(self.sent)]
        if "fresh" in how:
            one = replace(one, made=self.clock("dso"))
        made = self.papers[CABLES[0]].made
        if how == "level" and made is not None:
            one = replace(one, made=made)
        if "id" in how or how == "level":
            one = replace(one, message_id=self._id())
            self.sent.append(one)
        self.deliver(one)

    def asks(self, cable: str, wish: Amounts, first: int, blocks: int) -> None:
        """The CSO writes a request [A] for blocks from the running one on."""
        now, name = self.clock("cso"), self._id()
        start = (floor(now, QUARTER) - NOON) // QUARTER + first
        stated = tuple(ValueType(Decimal(v), "A", p) for p, v in enumerate(wish, 1))
        quarters = range(start, start + blocks)
        change = Adjustment(
            cable, tuple(CapacityBlock(NOON + q * QUARTER, NOON + (q + 1) * QUARTER, stated) for q in quarters)
        )
        with self.db.transact() as tx:
            store, key = Store(tx), CableKey("dso", cable)
            store.save_book(key, planning.owe(store, self.market, key, store.book(key), change, now, lambda: name))
        self.asked[name] = cable
        self.papers[cable].asks(name, dict.fromkeys(quarters, (wish[0] * 100, wish[1] * 100, wish[2] * 100)))
        self.check()

    def posts(self, fate: str, mode: str) -> None:
        """The CSO sends what is due, once more where there was no answer."""
        self.fate, self.mode = fate, mode
        self.loop.run_until_complete(self.courier.flush(self.clock("cso")))
        self.check()

    # What must hold

    def check(self) -> None:
        """The book holds no more than the paper, for the last hour and the hours ahead; and no less, where stated."""
        first = max(0, (self.true - NOON) // QUARTER - 4)
        with self.db.transact() as tx:
            books = {cable: Store(tx).book(CableKey("dso", cable)) for cable in CABLES}
        for cable, paper in self.papers.items():
            believed = books[cable].limits(NOON, NOON, CELLS)
            for quarter in range(first, min(CELLS, first + 28)):
                for phase in range(3):
                    held, allowed = int(believed[phase, quarter]), paper.at(quarter, phase)
                    where = f"{cable}, quarter {quarter}, phase {phase + 1}: {held} believed, {allowed} allowed"
                    assert held <= allowed, where
                    if paper.stated(quarter, phase) is not None and not paper.doubted:
                        assert held == allowed, f"less than stated: {where}"

    # How it is done

    def deliver(self, one: Told) -> None:
        """A forecast reaches the CSO."""
        now = self.clock("cso")
        reply = oscp10.receive(self.db, self.market, "dso", one.data(), now, self._id)
        good = now - timedelta(hours=24) <= one.made <= now + 5 * MINUTE
        if one.message_id not in self.seen:
            assert reply.status == (200 if good else 400)
            for cable, says in one.says.items() if good else ():
                self.papers[cable].forecast(one.made, says if one.kinds[cable] == "good" else None)
        self.seen.add(one.message_id)
        self.check()

    def _id(self) -> str:
        self.ids += 1
        return f"00000000-0000-4000-8000-{self.ids:012d}"

    async def _post(self, url: str, data: bytes, kind: str) -> tuple[int | None, bytes, float | None]:
        if self.fate == "question lost":
            return None, b"lost", None
        if self.fate == "busy":
            return 503, b"", None
        if self.fate == "crossed" and self.under_way:
            self.deliver(self.under_way.pop(0))
        incoming = read_request(TO_CSO, DSO_NAMESPACE, data, self.clock("cso"))
        if incoming.message_id not in self.answers:
            self.answers[incoming.message_id] = self._answer(incoming, self.clock("dso"))
        if self.fate == "answer lost":
            return None, b"lost", None
        if self.fate == "crossed" and self.under_way:
            self.deliver(self.under_way.pop())
        return 200, self.answers[incoming.message_id], None

    def _answer(self, incoming: Incoming, made: datetime) -> bytes:
        body = incoming.envelope.body
        assert isinstance(body, RequestAdjustedCapacityRequest)
        shares = {"grant": "1", "half": "0.5", "more": "2", "failed": "1", "flipped": "-1"}
        share = shares.get(self.mode)
        stated = tuple(
            replace(one, blocks=tuple(_scaled(block, Decimal(share or 0)) for block in one.blocks))
            for one in body.adjustments
        )
        result = {"half": NO, "refuse": NO, "failed": Result(ResultType.FAILED)}.get(self.mode, Result.success())
        counted = {"grant": 100, "half": 50, "more": 100}.get(self.mode, 0)
        self.granted[incoming.message_id] = {
            (block.start - NOON) // QUARTER: _positive(block, counted)
            for one in body.adjustments
            for block in one.blocks
        }
        answer = RequestAdjustedCapacityResponse(stated if share is not None else (), result)
        return write_answer(incoming, answer, now=made, message_id=self._id())

    def _on_answer(self, tx: sa.Connection, sent: Letter, answer: Envelope | None) -> None:
        now = self.clock("cso")
        service.settle(Store(tx), self.market, sent, answer, now)
        if answer is not None:
            assert answer.header.date_time is not None
            at = answer.header.date_time
            at = now + 5 * MINUTE if at < sent.date_time - 5 * MINUTE else max(at, sent.date_time)
            self.papers[self.asked[sent.message_id]].hears(sent.message_id, self.granted[sent.message_id], at)


def _forecast(cable: str, says: Says, *, broken: bool = False) -> Forecast:
    blocks = []
    for quarter, values in says.items():
        stated = tuple(ValueType(Decimal(v).scaleb(-2), "A", p) for p, v in enumerate(values, 1) if v is not None)
        if broken and quarter == max(says):
            stated = (ValueType(SENTINEL),)
        start = NOON + quarter * QUARTER
        blocks.append(ForecastedBlock(start, start + QUARTER, stated, (ValueType(Decimal(5)),)))
    return Forecast(cable, tuple(blocks))


def _scaled(block: CapacityBlock, share: Decimal) -> CapacityBlock:
    return replace(block, capacity=tuple(replace(one, value=one.value * share) for one in block.capacity))


def _positive(block: CapacityBlock, hundredths: int) -> Amounts:
    found = [0, 0, 0]
    for one in block.capacity:
        assert one.phase is not None
        found[one.phase - 1] = max(0, int(one.value * hundredths))
    return (found[0], found[1], found[2])
