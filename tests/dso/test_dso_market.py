"""Nobody is ever promised what is not there: whatever is asked, given back, lost, delayed, repeated or restarted.

OSCP 1.0 section 3.2.5; "reductions before raises" and "adjustments" of docs/deviations.md.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from dso_market import Market, template
from dso_office import CABLE, QUARTER, ask
from gridroom.dso import allocation, backup, oscp10
from gridroom.dso.allocation import Division
from gridroom.dso.store import Store
from gridroom.oscp.v10.messages import (
    CableUsage,
    GetCapacityForecastRequest,
    UpdateAggregatedUsageRequest,
    UsageBlock,
    ValueType,
)
from gridroom.storage import inbox
from gridroom.storage.columns import Ints
from gridroom.storage.outbox import Outbox
from gridroom.timegrid import floor

PARTIES = st.sampled_from(["north", "south"])
FATES = st.sampled_from(["answered", "answered", "answer lost", "lost"])
LINES = st.sampled_from(["good", "good", "good", "dead", "deaf", "delaying", "refusing", "busy"])


class Trade(RuleBasedStateMachine):
    """A market hour or two, by chance."""

    file: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.market = Market(self.folder, self.file)

    def teardown(self) -> None:
        self.market.close()
        shutil.rmtree(self.folder)

    @initialize()
    def first_forecasts(self) -> None:
        asyncio.run(self.market.dso.publish(self.market.clock.time))

    @rule(
        load=st.integers(2, 21).map(lambda tens: 10 * tens),
        minutes=st.sampled_from([5, 10, 15]),
        lines=st.tuples(LINES, LINES),
        duty=st.sampled_from(["publish", "publish", "watch", "post"]),
    )
    def time_passes(self, load: int, minutes: int, lines: tuple[str, str], duty: str) -> None:
        self.market.go(timedelta(minutes=minutes))
        self.market.measure(load)
        for trader, line in zip(self.market.traders.values(), lines, strict=True):
            trader.line = line
        asyncio.run(getattr(self.market.dso, duty)(self.market.clock.time))

    @rule(
        party=PARTIES,
        amount=st.one_of(st.integers(-80, 80), st.tuples(*[st.integers(-60, 60)] * 3)),
        first=st.integers(0, 3),
        blocks=st.integers(1, 6),
        fate=FATES,
    )
    def somebody_asks(
        self, party: str, amount: int | tuple[float, float, float], first: int, blocks: int, fate: str
    ) -> None:
        self._ask(party, amount, first, blocks, fate)

    @rule(party=PARTIES, what=st.sampled_from(["arrive", "again", "again, lost", "forecast", "restart", "post"]))
    def something_happens(self, party: str, what: str) -> None:
        market, trader = self.market, self.market.traders[party]
        match what:
            case "arrive":  # what was under way to a CSO
                trader.arrive()
            case "again" | "again, lost":
                for change in [one for one in trader.changes if one.answered_at is None]:
                    market.deliver(trader, change, answered=what == "again")
            case "forecast":
                market.say(party, GetCapacityForecastRequest())
            case "restart":
                market.restart()
            case "post":
                asyncio.run(market.dso.post(market.clock.time))

    @rule(which=st.integers(0, 2), minutes=st.sampled_from([-40, -3, 0, 0, 3, 40]))
    def a_clock_steps(self, which: int, minutes: int) -> None:
        """The DSO's, or a CSO's."""
        self.market.set(which, timedelta(minutes=minutes))

    def _ask(self, party: str, amount: int | tuple[float, float, float], first: int, blocks: int, fate: str) -> None:
        start = floor(self.market.traders[party].clock.now()) + first * QUARTER
        self.market.ask(party, ask(amount, start, blocks), heard=fate != "lost", answered=fate == "answered")

    @invariant()
    def nothing_is_promised_that_is_not_there(self) -> None:
        self.market.check()


@pytest.fixture(scope="module")
def trade(tmp_path_factory: pytest.TempPathFactory) -> type[Trade]:
    Trade.file = template(tmp_path_factory.mktemp("market"))
    return Trade


def run(machine: type[Trade], examples: int, *, steps: int = 30) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_at_every_moment_the_csos_together_hold_no_more_than_was_there(trade: type[Trade]) -> None:
    run(trade, 16)


# -- what a broken build does, step by step ----------------------------------------------------------------------------


class Story(Market):
    """A market whose steps are told; nothing may be promised that is not there after each of them."""

    def quarter(self, load: int, *, south: str = "good", north: str = "good", minutes: int = 15) -> None:
        """Time passes, the homes use so much [A], forecasts go out over these lines."""
        self.go(timedelta(minutes=minutes))
        self.measure(load, 900)
        start = floor(self.true) - QUARTER
        nothing = tuple(ValueType(Decimal(0), unit, phase) for unit in ("A", "Wh") for phase in (1, 2, 3))
        report = UpdateAggregatedUsageRequest((CableUsage(CABLE, (UsageBlock(start, start + QUARTER, nothing),)),))
        for party in self.traders:
            self.say(party, report)
        self.traders["north"].line, self.traders["south"].line = north, south
        asyncio.run(self.dso.publish(self.clock.time))
        self.check()

    def asks(self, party: str, amount: int, *, fate: str = "answered") -> None:
        """A CSO asks for more [A] in the coming hour, or gives back."""
        start = floor(self.true) + QUARTER
        self.ask(party, ask(amount, start, 4), heard=fate != "lost", answered=fate == "answered")
        self.check()

    def again(self, party: str) -> None:
        """Its requests without an answer arrive once more."""
        trader = self.traders[party]
        for change in [one for one in trader.changes if one.answered_at is None]:
            self.deliver(trader, change, answered=False)
        self.check()


def the_homes_take_the_cable(story: Story, south: str) -> None:
    story.quarter(130, south=south)
    story.quarter(130, south=south)
    story.asks("north", 80)


def one_cannot_be_reached(story: Story) -> None:
    the_homes_take_the_cable(story, "dead")


def one_refuses_its_forecasts(story: Story) -> None:
    the_homes_take_the_cable(story, "refusing")


def one_gives_back_and_hears_no_answer(story: Story) -> None:
    story.asks("north", -30, fate="answer lost")
    story.again("north")
    story.again("north")
    story.asks("south", 150)


def one_took_a_raise_and_its_answer_was_lost(story: Story) -> None:
    story.quarter(130)
    story.quarter(130)
    story.quarter(10, south="deaf")
    for load in (150, 150, 60, 60):
        story.quarter(load, south="dead")


def a_clock_is_set_back_between_a_forecast_and_an_answer(story: Story) -> None:
    story.quarter(40, south="delaying")
    story.set(0, timedelta(minutes=-3))
    story.set(2, timedelta(minutes=-4))  # the CSO's own clock does not save it
    story.asks("south", -30)
    story.traders["south"].arrive()
    story.asks("north", 150)


REAL_ROOM, REAL_DROP = backup.room, Outbox.drop


def others_do_not_count(available: Ints, division: Division, _held: Ints, *rest: int) -> backup.Room:
    return REAL_ROOM(available, division, division.allotment, *rest)


def forgets_what_was_tried(outbox: Outbox, party: str, subjects: Iterable[str], now: datetime) -> list[str]:
    every = [one.message_id for one in outbox.waiting(party)]
    REAL_DROP(outbox, party, subjects, now)
    return every


STORIES: dict[str, tuple[Callable[[Story], None], object, str, object]] = {
    "a grant is given without looking at what others hold": (
        one_cannot_be_reached,
        backup,
        "room",
        others_do_not_count,
    ),
    "raises go before reductions": (
        one_took_a_raise_and_its_answer_was_lost,
        allocation,
        "sendable",
        lambda _available, target, _held, _doubtful: target,
    ),
    "a forecast that was refused counts as taken": (
        one_refuses_its_forecasts,
        oscp10,
        "_taken",
        lambda cables, _result: cables,
    ),
    "a retry acts twice": (
        one_gives_back_and_hears_no_answer,
        inbox,
        "_remember",
        lambda _tx, _incoming, reply, _now: reply,
    ),
    "a forecast that was tried and replaced is forgotten": (
        one_took_a_raise_and_its_answer_was_lost,
        Outbox,
        "drop",
        forgets_what_was_tried,
    ),
    "an answer bears an older DateTime than a forecast made before it": (
        a_clock_is_set_back_between_a_forecast_and_an_answer,
        Store,
        "after",
        lambda _store, _party, now: now,
    ),
}


@pytest.fixture
def story(trade: type[Trade], tmp_path: Path) -> Iterator[Story]:
    one = Story(tmp_path, trade.file)
    asyncio.run(one.dso.publish(one.clock.time))
    one.check()
    yield one
    one.close()


@pytest.mark.parametrize("fault", STORIES)
def test_a_good_build_promises_nothing_that_is_not_there(fault: str, story: Story) -> None:
    STORIES[fault][0](story)


@pytest.mark.parametrize("fault", STORIES)
def test_a_broken_build_is_caught(fault: str, story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    tell, target, name, instead = STORIES[fault]
    monkeypatch.setattr(target, name, instead)
    with pytest.raises(AssertionError):
        tell(story)
