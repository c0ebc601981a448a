"""Whatever happens between a DSO, a CSO and its stations: no message of the CSO ever lets the cars draw more than the
book allows, and when all is calm again what stations may draw is within the book, for the next 24 hours.

What stations may draw is taken from their own profiles, not from the CSO's ledger.
"""

from dataclasses import replace
from datetime import datetime, timedelta

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

from cso_street import ADJUST, BOOT, CELLS, DAY, HOUR, MINUTE, NAMES, NOON, PEER, QUARTER, Surroundings
from gridroom.cso import profiles
from gridroom.cso.book import Book
from gridroom.cso.ledger import Given, Held
from gridroom.ocpp.metering import reading
from gridroom.ocpp.profiles import Transaction
from gridroom.oscp.v10 import blocks
from gridroom.oscp.v10.blocks import Span
from gridroom.oscp.v10.letters import letter
from gridroom.oscp.v10.messages import (
    Forecast,
    UpdateCableCapacityForecastRequest,
)
from gridroom.oscp.v10.profile import GRIDROOM
from gridroom.station.controller import Controller
from gridroom.timegrid import floor

LEVELS = st.tuples(*[st.sampled_from([0, 7, 13, 20, 32, 48])] * 3)


class Street(Surroundings, RuleBasedStateMachine):
    """Everything that can go on around them."""

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


RUN = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


def test_nothing_raises_what_stations_may_draw_above_the_book(database_kind: str) -> None:
    runs = RUN if database_kind == "sqlite" else settings(RUN, max_examples=3)
    run_state_machine_as_test(Street, settings=runs)


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
