"""CSOs that follow the specification to the letter, on lines that lose, delay and repeat: for the DSO's state machine.

A model of its own, from the specification page, so that the DSO is not judged by our own CSO.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from dso_office import CABLE, MONDAY, QUARTER, Cso, HandClock, World, request
from gridroom.dso import learning
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.blocks import CableTerms, Span, answer_spans, deltas_count, forecast_spans, request_spans
from gridroom.oscp.v10.messages import (
    CSP_NAMESPACE,
    Adjustment,
    Detail,
    Fault,
    Level,
    RequestAdjustedCapacityResponse,
    Result,
    ResultType,
    UpdateCableCapacityForecastRequest,
    UpdateCableCapacityForecastResponse,
)
from gridroom.oscp.v10.peer import Letter, letter, read_request, write_answer
from gridroom.storage.columns import Ints

BLOCKS = 160
LATE = timedelta(minutes=5)
AGES_AGO = MONDAY - timedelta(days=1000)


def blank() -> Ints:
    return np.zeros((3, BLOCKS), dtype=np.int64)


def grid(spans: list[Span]) -> Ints:
    """Amounts on the blocks from MONDAY on, 0 where nothing is said."""
    cells = blank()
    for span in spans:
        a, b = (span.start - MONDAY) // QUARTER, (span.end - MONDAY) // QUARTER
        cells[:, max(0, a) : max(0, b)] += np.array([[value or 0] for value in span.amounts])
    return cells


@dataclass
class Change:
    """A change that the CSO asked for."""

    letter: Letter
    asked: list[Span]
    give: Ints
    taken: int
    promised: Ints = field(default_factory=blank)  # what the DSO granted, whether or not its answer has come
    answered_at: datetime | None = None
    reached: bool = False  # whether the DSO has read it


@dataclass
class Trader(Cso):
    """A CSO that asks, gives back, and holds what the specification lets it hold.

    Attributes:
        line: good; dead; deaf (its answers are lost); delaying (forecasts take their time); refusing (FAILED); busy
            (ERROR).
        taken: Forecasts that came.
        stated: The forecast in force, made at `made`.
        late: Forecasts that are still under way to it, or repeated by the network: (made, limits).
        changes: Its own changes that the forecast in force does not contain.
        told: All forecasts since the last one that it acknowledged, lost ones too, with what was granted since.
    """

    line: str = "good"
    taken: int = 0
    stated: Ints = field(default_factory=blank)
    made: datetime = AGES_AGO
    late: list[tuple[datetime, Ints]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    told: list[Ints] = field(default_factory=list)

    def receive(self, data: bytes) -> tuple[int | None, bytes, float | None]:
        envelope = soap.read(data)
        self.dead, self.deaf = self.line == "dead", self.line == "deaf"
        made = envelope.header.date_time or AGES_AGO
        forecast = isinstance(envelope.body, UpdateCableCapacityForecastRequest)
        if isinstance(envelope.body, UpdateCableCapacityForecastRequest):
            limits = grid(forecast_spans(envelope.body.forecasts[0], CableTerms())[0])
            self.told.append(limits)
        if made > self.clock.now() + LATE:
            return None, b"dated far ahead of our clock", None
        if not self.dead and forecast:
            if self.line in ("refusing", "busy"):
                return self.refuse(data)
            if self.line == "delaying":
                self.late.append((made, limits))
                return None, b"nothing came back in time", None
            self.take(made, limits)
            self.told = self.told if self.deaf else [limits]
        return super().receive(data)

    def refuse(self, data: bytes) -> tuple[int | None, bytes, float | None]:
        """A forecast that it does not take: for good, or for now."""
        incoming = read_request(self.peer, CSP_NAMESPACE, data, self.clock.now())
        bad, count = Detail("INVALID_VALUE", f"{CABLE}: bad", Level.ERROR), Detail("APPLIED", "0 cables applied.")
        result = Result(ResultType.FAILED, (bad, count)) if self.line == "refusing" else Result(ResultType.ERROR)
        if self.line == "refusing":
            self.taken += 1
        body = UpdateCableCapacityForecastResponse(result)
        return 200, write_answer(incoming, body, now=self.clock.now(), message_id=self.ids()), None

    def take(self, made: datetime, limits: Ints) -> None:
        """A forecast arrives: the newer one replaces, one that is not clearly newer may lower."""
        self.taken += 1
        if made < self.made - LATE:
            return
        for change in self.changes:
            change.promised = blank()
        if made > self.made:
            self.changes = [one for one in self.changes if one.answered_at is None or made <= one.answered_at]
            self.made, self.stated = made, limits
        else:
            self.stated = np.minimum(self.stated, limits)

    def arrive(self) -> None:
        """What was under way arrives, the last first."""
        while self.late:
            self.take(*self.late.pop())

    def may_hold(self) -> Ints:
        """The most that it may use, whatever of what is under way arrives, shape (3, BLOCKS). [0.01 A]"""
        most = self._using(self.stated + sum((one.promised for one in self.changes), blank()), self.changes)
        for made, limits in self.late:
            if made > self.made:
                kept = [one for one in self.changes if one.answered_at is None or made <= one.answered_at]
                most = np.maximum(most, self._using(limits, kept))
        return most

    def promised(self) -> Ints:
        """The most that it was told, whether or not it came, and before what it gives back, shape (3, BLOCKS). [0.01 A]

        The DSO cannot know that a letter is lost, or that less is used than it said.
        """
        most: Ints = np.maximum.reduce([self.may_hold(), *self.told])
        return most

    @staticmethod
    def _using(limits: Ints, changes: list[Change]) -> Ints:
        used: Ints = np.maximum(limits - sum((one.give for one in changes), blank()), 0)
        return used


class Market(World):
    """The DSO with two traders; every road between them can fail, and each has a clock of its own.

    Attributes:
        true: The present moment; `clock` is what the DSO takes it to be. [UTC]
    """

    def __init__(self, url: str) -> None:
        little = {"share": 0.02, "cap": 1.0}  # what is kept as backup would hide small mistakes
        super().__init__(url, backup=little)
        self.true = self.clock.time
        self.traders = {party: Trader(party, self.ids, HandClock(self.true)) for party in self.csos}
        self.csos = dict(self.traders)
        self.total = blank()

    def clocks(self) -> list[HandClock]:
        """The DSO's and the traders'."""
        return [self.clock, *(trader.clock for trader in self.traders.values())]

    def go(self, time: timedelta) -> None:
        """Time passes, on every clock."""
        self.true += time
        for clock in self.clocks():
            clock.time += time

    def set(self, which: int, error: timedelta) -> None:
        """A clock is set: it is off by so much from now on."""
        self.clocks()[which].time = self.true + error

    def ask(self, party: str, adjustment: Adjustment, *, heard: bool, answered: bool) -> None:
        """A trader asks; what it gives back it stops using at once."""
        trader = self.traders[party]
        body = request(adjustment)
        sent = letter(trader.peer, body, now=trader.clock.now(), message_id=self.ids())
        asked = request_spans(adjustment, CableTerms())[0]
        trader.changes.append(Change(sent, asked, np.maximum(-grid(asked), 0), trader.taken))
        if heard:
            self.deliver(trader, trader.changes[-1], answered=answered)

    def deliver(self, trader: Trader, change: Change, *, answered: bool) -> None:
        """A request reaches the DSO, perhaps once more; its answer may be lost."""
        reply = soap.read_reply(self.dso.handle_oscp(trader.party, change.letter.data).data)
        if isinstance(reply, Fault):
            return  # dated too far ahead, after the clock was set back
        assert isinstance(reply.body, RequestAdjustedCapacityResponse)
        good = deltas_count(reply.body.result)
        granted = grid(answer_spans(change.asked, reply.body.adjustments[0], CableTerms(), granted=good)[0])
        if not change.reached:
            change.reached, trader.told = True, [one + np.maximum(granted, 0) for one in trader.told]
        if trader.taken == change.taken:  # a grant counts only if no forecast has come since the request was sent
            change.promised = granted
        if answered:
            change.answered_at = max(reply.header.date_time or AGES_AGO, change.letter.date_time)

    def check(self) -> None:
        """Nothing was promised that was not there when it was promised, in no block that is still to come."""
        total: Ints = sum((trader.may_hold() for trader in self.traders.values()), blank())
        available = np.maximum(self.dso.view(CABLE, MONDAY, BLOCKS).available, 0)
        present = max(0, (self.true - MONDAY) // QUARTER)
        too_much = (total > np.maximum(self.total, available))[:, present:]
        assert not too_much.any(), f"{total[:, present:][too_much]} promised of {available[:, present:][too_much]}"
        self.total = sum((trader.promised() for trader in self.traders.values()), blank())


def taught(url: str) -> str:
    """A database with nine days of history, learned; gives its URL."""
    world = World(url)
    world.history(9)
    with world.db.transact() as tx:
        learning.expect(world.dso._store(tx), world.dso.office, MONDAY, 1)
    world.close()
    return url
