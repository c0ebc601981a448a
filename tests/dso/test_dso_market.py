"""Nobody is ever promised what is not there: whatever is asked, given back, lost, delayed, repeated or restarted.

OSCP 1.0 section 3.2.5; "reductions before raises" and "adjustments" of docs/deviations.md.
"""

import asyncio
import shutil
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest

import databases
from chance import Pick, by_hypothesis, by_seed
from dso_faults import FAULTS
from dso_market import Market, taught
from dso_office import CABLE, QUARTER, ask
from gridroom.dso.folder import MIGRATIONS
from gridroom.oscp.v10.messages import (
    CableUsage,
    GetCapacityForecastRequest,
    UpdateAggregatedUsageRequest,
    UsageBlock,
    ValueType,
)
from gridroom.timegrid import floor

PARTIES = ("north", "south")
FATES = ("answered", "answered", "answer lost", "lost")
GOOD = ("good",)
LINES = ("good", "good", "good", "good", "dead", "deaf", "delaying", "refusing", "busy")
BAD = ("dead", "deaf", "delaying", "refusing", "busy")
LOADS = (10, 40, 60, 130, 150, 190, 210)
MORE, LESS = (5, 30, 80, 150), (-5, -30, -60)
NOTHING = tuple(ValueType(Decimal(0), unit, phase) for unit in ("A", "Wh") for phase in (1, 2, 3))


class Trade(Market):
    """Whatever can happen, by chance; a move is a step or a little story."""

    def __init__(self, url: str, moves: tuple[str, ...] | None = None) -> None:
        super().__init__(url)
        self.moves = moves or MOVES
        asyncio.run(self.dso.publish(self.clock.time))
        self.check()

    def move(self, pick: Pick) -> None:
        getattr(self, pick(self.moves))(pick)

    def quarter(self, pick: Pick) -> None:
        self._quarter(pick, pick(LOADS), LINES)

    def minutes(self, pick: Pick) -> None:
        """Less than a block: an overload is looked for, or what waits is sent."""
        self.go(timedelta(minutes=5))
        self.measure(pick(LOADS))
        self._lines(pick, LINES)
        asyncio.run(getattr(self.dso, pick(("watch", "post")))(self.clock.time))
        self.check()

    def request(self, pick: Pick) -> None:
        self._ask(pick, pick(PARTIES), pick((MORE, LESS)), FATES)

    def rivals(self, pick: Pick) -> None:
        """Both hold what they were told, and both want what is left."""
        self._quarter(pick, pick(LOADS), GOOD)
        for party in pick((PARTIES, PARTIES[::-1])):
            self._ask(pick, party, MORE, FATES)

    def again(self, pick: Pick) -> None:
        """What had no answer comes once more; what was under way arrives."""
        for party in PARTIES:
            self._again(pick, party)

    def homes_take_the_cable(self, pick: Pick) -> None:
        """Somebody was granted more; now less is there, but not everybody hears of it; then somebody asks."""
        if pick((True, False)):
            self._ask(pick, pick(PARTIES), MORE, ("answered",))
        load = pick((130, 150, 190))
        for lines in pick(((LINES, BAD), (BAD,), (GOOD, BAD))):
            self._quarter(pick, load, lines)
        self._ask(pick, pick(PARTIES), MORE, FATES)

    def homes_come_and_go(self, pick: Pick) -> None:
        """A raise is sent over bad lines, a reduction follows, and a raise again."""
        self._quarter(pick, pick((130, 150)), GOOD)
        self._quarter(pick, 10, ("good", "deaf", "delaying"))
        for load in (pick((130, 150)), pick((130, 150)), 60):
            self._quarter(pick, load, ("good", "dead", "dead", "busy"))

    def give_back(self, pick: Pick) -> None:
        """Somebody gives back, perhaps more than once over bad lines; another takes what is there."""
        party, other = pick((PARTIES, PARTIES[::-1]))
        self._ask(pick, party, LESS, FATES)
        for _ in range(pick((0, 1, 2))):
            self._again(pick, party)
        self._ask(pick, other, MORE, FATES)

    def wrong_clock(self, pick: Pick) -> None:
        """One or two clocks step between a forecast and what follows, and are set right, mostly."""
        if pick((True, False)):
            self._quarter(pick, pick(LOADS), ("delaying", "delaying", "good"))
        for which in pick(((0,), (1,), (2,), (0, 1), (0, 2))):
            self.set(which, timedelta(minutes=pick((-40, -4, -3, 3, 40))))
        self.check()
        for _ in range(pick((1, 2))):
            getattr(self, pick(("request", "give_back", "give_back", "again", "minutes")))(pick)
        for party in PARTIES:
            self._again(pick, party)
        for which in pick(((0, 1, 2), (0, 1, 2), (0,), ())):
            self.set(which, timedelta(0))
        self.check()

    def answer_before_a_forecast(self, pick: Pick) -> None:
        """Clocks are set back while forecasts are under way; what is given back meanwhile, another takes."""
        self._quarter(pick, pick((10, 40, 60)), ("delaying",))
        which = pick((0, 1))
        party, other = PARTIES[which], PARTIES[1 - which]
        self.set(0, timedelta(minutes=pick((-3, -4, 0))))
        self.set(1 + which, timedelta(minutes=pick((-4, -4, 0))))
        self._ask(pick, party, LESS, ("answered", "answered", "answer lost"))
        self.traders[party].arrive()
        self.check()
        self._ask(pick, other, MORE, FATES)
        for clock in range(3):
            self.set(clock, timedelta(0))
        self.check()

    def housekeeping(self, pick: Pick) -> None:
        """The DSO restarts, or a CSO asks for its forecasts."""
        if pick((True, False)):
            self.restart()
        else:
            self.say(pick(PARTIES), GetCapacityForecastRequest())
            asyncio.run(self.dso.post(self.clock.time))
        self.check()

    def _quarter(self, pick: Pick, load: int, lines: tuple[str, ...]) -> None:
        """A block passes, the homes use so much [A], forecasts go out over such lines."""
        self.go(QUARTER)
        self.measure((load, load, pick((load, 20))), 900)
        start = floor(self.true) - QUARTER
        report = UpdateAggregatedUsageRequest((CableUsage(CABLE, (UsageBlock(start, start + QUARTER, NOTHING),)),))
        for party in pick((PARTIES, PARTIES, ())):
            self.say(party, report)
        self._lines(pick, lines)
        asyncio.run(self.dso.publish(self.clock.time))
        self.check()

    def _lines(self, pick: Pick, lines: tuple[str, ...]) -> None:
        for trader in self.traders.values():
            trader.line = pick(lines)

    def _ask(self, pick: Pick, party: str, amounts: tuple[int, ...], fates: tuple[str, ...]) -> None:
        """For all phases, or for each its own."""
        amount = pick(amounts)
        each: int | tuple[float, float, float] = amount
        if pick((False, False, True)):
            each = (amount, pick(amounts), pick((0, *MORE, *LESS)))
        start = floor(self.traders[party].clock.now()) + pick((0, 1, 1, 2)) * QUARTER
        fate = pick(fates)
        self.ask(party, ask(each, start, pick((1, 2, 4))), heard=fate != "lost", answered=fate == "answered")
        self.check()

    def _again(self, pick: Pick, party: str) -> None:
        trader = self.traders[party]
        for change in [one for one in trader.changes if one.answered_at is None]:
            self.deliver(trader, change, answered=pick((True, False)))
            self.check()
        if pick((True, False)):
            trader.arrive()
            self.check()


MOVES = (
    *("quarter", "request", "rivals", "homes_take_the_cable", "give_back", "wrong_clock", "answer_before_a_forecast"),
    *("homes_come_and_go", "minutes", "again", "housekeeping"),
)

RUNS = 60
REVEALING = {
    "a grant is given without looking at what others hold": ("rivals", "homes_take_the_cable", "quarter"),
    "what was granted is forgotten": ("rivals", "quarter", "again"),
    "raises go before reductions": ("homes_come_and_go", "homes_take_the_cable"),
    "a forecast that was refused counts as taken": ("homes_come_and_go", "quarter"),
    "a retry acts twice": ("give_back", "quarter"),
    "a forecast that was tried and replaced is forgotten": ("homes_come_and_go", "quarter"),
    "an answer bears an older DateTime than a forecast made before it": ("answer_before_a_forecast", "quarter"),
}
"""Fault to the moves that bring it out; with all of them it takes luck, and ten times as long."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("market") / "template.db"
    taught(f"sqlite:///{file}")
    return file


@pytest.fixture
def trade(template: Path, tmp_path: Path) -> Callable[..., Trade]:
    numbers = count()

    def begin(moves: tuple[str, ...] | None = None) -> Trade:
        file = tmp_path / f"{next(numbers)}.db"
        shutil.copyfile(template, file)
        return Trade(f"sqlite:///{file}", moves)

    return begin


def test_at_every_moment_the_csos_together_hold_no_more_than_was_there(trade: Callable[..., Trade]) -> None:
    by_hypothesis(trade, 12, 12)
    by_seed(trade, 10, 12)


def test_nor_do_they_on_postgres(tmp_path: Path) -> None:
    with databases.of("postgres", tmp_path):
        by_seed(lambda: Trade(taught(databases.lasting(MIGRATIONS))), 2, 12)


@pytest.mark.parametrize("fault", FAULTS)
def test_chance_finds_a_broken_build(fault: str, trade: Callable[..., Trade], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*FAULTS[fault])
    with pytest.raises(AssertionError, match="promised"):
        by_seed(lambda: trade(REVEALING[fault]), RUNS, 12)
