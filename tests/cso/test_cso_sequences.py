"""The safety rule over sequences: whatever comes late, twice, in another order, with a fresh DateTime or id, refused,
or across a request, while clocks step and programs restart, a CSO believes no more than section 3 of the decisions
says.

The CSO's own road from bytes to book is run, on a real database; the judge is `cso_paper.py`. OSCP 1.0 sections 3.2.3,
3.2.5 and 5.3.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from cso_paper import Paper, Says
from gridroom.cso import book as book_room
from gridroom.cso import oscp10, planning, service
from gridroom.cso.book import Book, Outcome
from gridroom.cso.settings import CableEntry, CsoConfig, DsoEntry, market
from gridroom.cso.stations import CableKey, Register
from gridroom.cso.steps import NOTHING
from gridroom.cso.store import Store
from gridroom.oscp.v10 import blocks
from gridroom.oscp.v10.blocks import CableTerms, Span, request_spans
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
from gridroom.storage import database, inbox
from gridroom.storage.outbox import Courier
from gridroom.timegrid import QUARTER, floor

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CABLES = ("c1", "c2")
CELLS = 150
TO_CSO = Peer("cso", frozenset({"cso"}), "cso", "dso", frozenset({"dso"}), "https://cso", GRIDROOM)
SENTINEL = Decimal("777.77")
NO = Result(ResultType.FAILED, (Detail("NO_CAPACITY", "None."),))

AMPERE = st.sampled_from([0, 3, 8, 12, 20, 33])
SHAPES = st.sampled_from(["whole", "whole", "gap", "two phases", "short", "later", "earlier"])
KINDS = st.sampled_from(["good", "good", "good", "broken", "half broken"])
FATES = st.sampled_from(["answered", "answered", "crossed", "question lost", "answer lost", "busy"])
ANSWERS = st.sampled_from(["grant", "grant", "half", "more", "refuse", "failed", "flipped", "nothing said"])


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


def _forecast(cable: str, says: Says, *, broken: bool = False) -> Forecast:
    blocks = []
    for quarter, values in says.items():
        stated = tuple(ValueType(Decimal(v).scaleb(-2), "A", p) for p, v in enumerate(values, 1) if v is not None)
        if broken and quarter == max(says):
            stated = (ValueType(SENTINEL),)
        start = NOON + quarter * QUARTER
        blocks.append(ForecastedBlock(start, start + QUARTER, stated, (ValueType(Decimal(5)),)))
    return Forecast(cable, tuple(blocks))


class Sequence(RuleBasedStateMachine):
    """A DSO, a network and two clocks around the CSO's book of two cables."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.true, self.cso_ahead, self.dso_ahead = NOON, timedelta(0), timedelta(0)
        entry = DsoEntry(
            "dso",
            "dso",
            "https://dso",
            cables=tuple(CableEntry(c) for c in CABLES),
            profile={"phases": "per-phase"},
        )
        self.market = market(CsoConfig(party="cso", id="cso", dso=(entry,)), Register({}))
        self.db = database.open("sqlite://", "gridroom.cso.migrations")
        self.ids = 0
        self.papers = {cable: Paper() for cable in CABLES}
        self.seen: set[str] = set()
        self.sent: list[Told] = []
        self.under_way: list[Told] = []
        self.answers: dict[str, bytes] = {}
        self.granted: dict[str, dict[int, tuple[int, int, int]]] = {}
        self.asked: dict[str, str] = {}
        self.fate, self.mode = "answered", "grant"
        self.open()

    def open(self) -> None:
        self.courier = Courier(self.db, self.market.peers, self.post, self.on_answer, lambda: 0.0)

    def teardown(self) -> None:
        self.db.close()
        self.loop.close()

    # What happens

    @rule(
        level=st.tuples(AMPERE, AMPERE, AMPERE),
        shape=SHAPES,
        kind=KINDS,
        shift=st.sampled_from([0, 0, 0, -3, -5, -6]),
        both=st.booleans(),
        now=st.booleans(),
    )
    def forecast(self, level: tuple[int, int, int], shape: str, kind: str, shift: int, both: bool, now: bool) -> None:
        """The DSO makes a forecast: `level` [A] for an hour, then until two and a half, then after."""
        made = self.true + self.dso_ahead + shift * MINUTE
        says = self._says(level, shape)
        cables = CABLES if both else CABLES[:1]
        kinds = dict.fromkeys(cables, "good") | {"c1": kind}
        one = Told(self.new_id(), made, dict.fromkeys(cables, says), kinds)
        self.sent.append(one)
        if now:
            self.deliver(one)
        else:
            self.under_way.append(one)

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0, 9))
    def arrives(self, which: int) -> None:
        self.deliver(self.under_way.pop(which % len(self.under_way)))

    @precondition(lambda self: self.sent)
    @rule(which=st.integers(0, 9), how=st.sampled_from(["the same", "fresh", "new id", "fresh and new id", "level"]))
    def again(self, which: int, how: str) -> None:
        """The DSO, or the network, sends an old one once more."""
        one = self.sent[-1 - which % len(self.sent)]
        if "fresh" in how:
            one = replace(one, made=self.true + self.dso_ahead)
        if how == "level" and self.papers["c1"].made is not None:
            one = replace(one, made=self.papers["c1"].made)
        if "id" in how or how == "level":
            one = replace(one, message_id=self.new_id())
            self.sent.append(one)
        self.deliver(one)

    @rule(
        cable=st.sampled_from(CABLES),
        wish=st.tuples(*[st.sampled_from([-9, -2, 0, 4, 10])] * 3),
        first=st.integers(0, 12),
        blocks=st.integers(1, 3),
        fate=FATES,
        mode=ANSWERS,
    )
    def asks(self, cable: str, wish: tuple[int, int, int], first: int, blocks: int, fate: str, mode: str) -> None:
        """The CSO asks for more on some phases and gives back on others."""
        if not any(wish):
            return
        now, name = self.true + self.cso_ahead, self.new_id()
        start = (floor(now, QUARTER) - NOON) // QUARTER + first
        each = (wish[0] * 100, wish[1] * 100, wish[2] * 100)
        stated = tuple(ValueType(Decimal(v), "A", p) for p, v in enumerate(wish, 1))
        change = Adjustment(
            cable,
            tuple(
                CapacityBlock(NOON + q * QUARTER, NOON + (q + 1) * QUARTER, stated)
                for q in range(start, start + blocks)
            ),
        )
        with self.db.transact() as tx:
            store, key = Store(tx), CableKey("dso", cable)
            store.save_book(key, planning.owe(store, self.market, key, store.book(key), change, now, lambda: name))
        self.asked[name] = cable
        self.papers[cable].asks(name, dict.fromkeys(range(start, start + blocks), each))
        self.check()
        self.posts(fate, mode)

    @rule(fate=FATES, mode=ANSWERS)
    def posts(self, fate: str, mode: str) -> None:
        """The CSO sends what is due, once more where there was no answer."""
        self.fate, self.mode = fate, mode
        self.loop.run_until_complete(self.courier.flush(self.true + self.cso_ahead))

    @rule(minutes=st.sampled_from([1, 4, 15, 15, 50, 150]))
    def time_passes(self, minutes: int) -> None:
        self.true += minutes * MINUTE

    @rule(side=st.sampled_from(["cso", "dso"]), minutes=st.sampled_from([-40, -4, 0, 0, 4, 40]))
    def a_clock_steps(self, side: str, minutes: int) -> None:
        setattr(self, f"{side}_ahead", minutes * MINUTE)

    @rule(what=st.sampled_from(["restart", "tidy", "prune"]))
    def the_house_is_kept(self, what: str) -> None:
        now = self.true + self.cso_ahead
        if what == "restart":
            self.open()
        with self.db.transact() as tx:
            if what == "prune":
                inbox.prune(tx, now)
            for cable in CABLES if what == "tidy" else ():
                store, key = Store(tx), CableKey("dso", cable)
                store.save_book(key, store.book(key).tidy(now))

    # What must hold

    @invariant()
    def check(self) -> None:
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

    def new_id(self) -> str:
        self.ids += 1
        return f"00000000-0000-4000-8000-{self.ids:012d}"

    def _says(self, level: tuple[int, int, int], shape: str) -> Says:
        start = (floor(self.true + self.dso_ahead, QUARTER) - NOON) // QUARTER
        start += {"later": 2, "earlier": -1}.get(shape, 0)
        says: Says = {}
        for k in range(6 if shape == "short" else 16):
            amount = 100 * level[0 if k < 4 else 1 if k < 10 else 2]
            says[start + k] = (amount, None if shape == "two phases" and k > 1 else amount // 2, amount + k)
        if shape == "gap":
            del says[start + 2], says[start + 5]
        return says

    def deliver(self, one: Told) -> None:
        now = self.true + self.cso_ahead
        reply = oscp10.receive(self.db, self.market, "dso", one.data(), now, self.new_id)
        good = now - timedelta(hours=24) <= one.made <= now + 5 * MINUTE
        if one.message_id not in self.seen:
            assert reply.status == (200 if good else 400)
            for cable, says in one.says.items() if good else ():
                self.papers[cable].forecast(one.made, says if one.kinds[cable] == "good" else None)
        self.seen.add(one.message_id)

    async def post(self, url: str, data: bytes, kind: str) -> tuple[int | None, bytes, float | None]:
        if self.fate == "question lost":
            return None, b"lost", None
        if self.fate == "busy":
            return 503, b"", None
        if self.fate == "crossed" and self.under_way:
            self.deliver(self.under_way.pop(0))
        cso = Peer("cso", frozenset({"cso"}), "cso", "dso", frozenset({"dso"}), "https://cso", GRIDROOM)
        made = self.true + self.dso_ahead
        incoming = read_request(cso, DSO_NAMESPACE, data, self.true + self.cso_ahead)
        if incoming.message_id not in self.answers:
            self.answers[incoming.message_id] = self._answer(incoming, made)
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
        return write_answer(incoming, answer, now=made, message_id=self.new_id())

    def on_answer(self, tx: sa.Connection, sent: Letter, answer: Envelope | None) -> None:
        now = self.true + self.cso_ahead
        service.settle(Store(tx), self.market, sent, answer, now)
        if answer is not None:
            assert answer.header.date_time is not None
            at = answer.header.date_time
            at = now + 5 * MINUTE if at < sent.date_time - 5 * MINUTE else max(at, sent.date_time)
            self.papers[self.asked[sent.message_id]].hears(sent.message_id, self.granted[sent.message_id], at)


def _scaled(block: CapacityBlock, share: Decimal) -> CapacityBlock:
    return replace(block, capacity=tuple(replace(one, value=one.value * share) for one in block.capacity))


def _positive(block: CapacityBlock, hundredths: int) -> tuple[int, int, int]:
    found = [0, 0, 0]
    for one in block.capacity:
        assert one.phase is not None
        found[one.phase - 1] = max(0, int(one.value * hundredths))
    return (found[0], found[1], found[2])


RUN = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def test_no_sequence_makes_a_cso_believe_more_than_it_was_told() -> None:
    run_state_machine_as_test(Sequence, settings=RUN)


REAL_ACCEPT, REAL_ANSWER, REAL_PAST = Book.accept, Book.answer, Book._past


def a_late_one_raises(book: Book, made_at: datetime, *rest: Any) -> object:
    late = book.made_at is not None and book.made_at - 5 * MINUTE <= made_at < book.made_at
    return REAL_ACCEPT(replace(book, made_at=made_at - MINUTE) if late else book, made_at, *rest)


def the_last_of_one_moment_holds(book: Book, made_at: datetime, *rest: Any) -> object:
    return REAL_ACCEPT(replace(book, made_at=None) if made_at == book.made_at else book, made_at, *rest)


def a_late_retry_raises(book: Book, *rest: Any) -> object:
    return REAL_ACCEPT(replace(book, first=None), *rest)


def a_crossed_grant_counts(book: Book, *rest: Any) -> Book:
    return REAL_ANSWER(replace(book, asked=tuple(replace(a, heard=book.heard) for a in book.asked)), *rest)


def an_answer_undoes_a_give_back(book: Book, message_id: str, *rest: Any) -> Book:
    found = REAL_ANSWER(book, message_id, *rest)
    undone = tuple(replace(a, give=NOTHING) if a.message_id == message_id else a for a in found.asked)
    return replace(found, asked=undone)


def acts_again(_tx: object, _incoming: object, reply: object, _now: object) -> object:
    return reply


def stated(answer: RequestAdjustedCapacityResponse) -> dict[str, list[Span]]:
    return {one.cable_id: request_spans(one, CableTerms())[0] for one in answer.adjustments}


# -- what a broken build does, step by step ----------------------------------------------------------------------------


def told(run: Sequence, ampere: int, *, later: int | None = None, shape: str = "whole", **more: Any) -> None:
    """A forecast, at once if nothing else is said."""
    level = (ampere, ampere, ampere if later is None else later)
    step: dict[str, Any] = {"shape": shape, "kind": "good", "shift": 0, "both": False, "now": True}
    run.forecast(level=level, **(step | more))
    run.check()


def asked(run: Sequence, ampere: int, *, fate: str = "answered", mode: str = "grant") -> None:
    """A request for the running block."""
    run.asks(cable="c1", wish=(ampere, ampere, ampere), first=0, blocks=1, fate=fate, mode=mode)
    run.check()


def a_late_one(run: Sequence) -> None:
    told(run, 8)
    told(run, 33, shift=-3)


def two_of_one_moment(run: Sequence) -> None:
    told(run, 8)
    told(run, 33)


def a_late_retry_with_a_fresh_date_time(run: Sequence) -> None:
    told(run, 33)
    run.time_passes(minutes=15)
    told(run, 8)
    run.time_passes(minutes=1)
    run.again(which=1, how="fresh and new id")
    run.check()


def a_retry_with_a_fresh_date_time(run: Sequence) -> None:
    told(run, 33)
    run.time_passes(minutes=1)
    told(run, 8)
    run.time_passes(minutes=1)
    run.again(which=1, how="fresh")
    run.check()


def a_grant_crosses_a_forecast(run: Sequence) -> None:
    told(run, 12)
    run.time_passes(minutes=1)
    told(run, 8, now=False)
    asked(run, 4, fate="crossed")


def a_give_back_is_answered(run: Sequence) -> None:
    told(run, 12)
    asked(run, -2)


def a_forecast_follows_a_give_back_that_got_lost(run: Sequence) -> None:
    told(run, 12)
    asked(run, -2, fate="question lost")
    run.time_passes(minutes=1)
    told(run, 12)


def a_forecast_made_before_the_answer_comes_after_it(run: Sequence) -> None:
    told(run, 12)
    run.time_passes(minutes=1)
    told(run, 12, now=False)
    run.time_passes(minutes=4)
    asked(run, -2)
    run.arrives(which=0)
    run.check()


def a_broken_one(run: Sequence) -> None:
    told(run, 33, later=3)
    run.time_passes(minutes=1)
    told(run, 33, kind="broken")


def one_with_a_gap(run: Sequence) -> None:
    told(run, 3)
    run.time_passes(minutes=1)
    told(run, 33, shape="gap")


def the_first_one_has_a_gap(run: Sequence) -> None:
    told(run, 33, later=3, shape="gap")


def one_with_a_gap_while_the_clock_is_ahead(run: Sequence) -> None:
    told(run, 3)
    run.a_clock_steps(side="cso", minutes=40)
    one_with_a_gap(run)
    run.a_clock_steps(side="cso", minutes=0)
    run.check()


def more_is_granted_than_was_asked(run: Sequence) -> None:
    told(run, 12)
    asked(run, 4, mode="more")


def an_old_one(run: Sequence) -> None:
    told(run, 33)
    told(run, 3, shift=-6)


STORIES: dict[str, tuple[Callable[[Sequence], None], object, str, object]] = {
    "a late older forecast raises": (a_late_one, Book, "accept", a_late_one_raises),
    "of equal DateTimes the last holds": (two_of_one_moment, Book, "accept", the_last_of_one_moment_holds),
    "a late retry with a fresh DateTime raises": (
        a_late_retry_with_a_fresh_date_time,
        Book,
        "accept",
        a_late_retry_raises,
    ),
    "a retry acts twice": (a_retry_with_a_fresh_date_time, inbox, "_remember", acts_again),
    "a grant counts although a forecast crossed it": (
        a_grant_crosses_a_forecast,
        Book,
        "answer",
        a_crossed_grant_counts,
    ),
    "an answer undoes a give-back": (a_give_back_is_answered, Book, "answer", an_answer_undoes_a_give_back),
    "a give-back ends with the next forecast": (
        a_forecast_follows_a_give_back_that_got_lost,
        book_room,
        "_contained",
        lambda _asked, _made: True,
    ),
    "a give-back that got no answer ends with a forecast made after it": (
        a_forecast_follows_a_give_back_that_got_lost,
        book_room,
        "_contained",
        lambda asked, made: made > asked.sent_at,
    ),
    "a give-back ends with a forecast made before the answer": (
        a_forecast_made_before_the_answer_comes_after_it,
        book_room,
        "_contained",
        lambda asked, _made: asked.answered_at is not None,
    ),
    "a refused forecast changes nothing": (
        a_broken_one,
        Book,
        "refuse",
        lambda book, _made, _now: (book, Outcome.SUPERSEDED),
    ),
    "gaps are filled from the offline value alone": (one_with_a_gap, Book, "_past", lambda _book, _since: NOTHING),
    "a clock set back resurrects a gap": (
        one_with_a_gap_while_the_clock_is_ahead,
        Book,
        "_past",
        lambda book, since: REAL_PAST(book, since + book_room.KEPT + 60 * MINUTE),
    ),
    "the offline value is what nobody stated": (
        the_first_one_has_a_gap,
        book_room,
        "_offline",
        lambda _stated, _first: (9999, 9999, 9999),
    ),
    "an answer grants more than was asked": (
        more_is_granted_than_was_asked,
        blocks,
        "granted_spans",
        lambda asked, answer, _terms: ({key: [] for key in asked} | stated(answer), []),
    ),
    "an old forecast has an effect": (an_old_one, book_room, "LATE", timedelta(days=9)),
}


@pytest.fixture
def sequence() -> Iterator[Sequence]:
    one = Sequence()
    yield one
    one.teardown()


@pytest.mark.parametrize("fault", STORIES)
def test_a_good_build_believes_what_was_told(fault: str, sequence: Sequence) -> None:
    STORIES[fault][0](sequence)


@pytest.mark.parametrize("fault", STORIES)
def test_a_broken_build_is_caught(fault: str, sequence: Sequence, monkeypatch: pytest.MonkeyPatch) -> None:
    tell, target, name, instead = STORIES[fault]
    monkeypatch.setattr(target, name, instead)
    with pytest.raises(AssertionError):
        tell(sequence)


@pytest.mark.parametrize("fault", ["a late older forecast raises", "a refused forecast changes nothing"])
def test_chance_finds_a_broken_build_too(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, target, name, instead = STORIES[fault]
    monkeypatch.setattr(target, name, instead)
    with pytest.raises((AssertionError, ExceptionGroup)):
        run_state_machine_as_test(Sequence, settings=settings(RUN, max_examples=300))
