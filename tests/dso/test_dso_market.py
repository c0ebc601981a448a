"""Nobody is ever promised what is not there: whatever is asked, given back, lost, delayed, repeated or restarted.

OSCP 1.0 section 3.2.5; "reductions before raises" and "adjustments" of docs/deviations.md.
"""

import asyncio
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from dso_market import Market, template
from dso_office import QUARTER, ask
from gridroom.oscp.v10.messages import GetCapacityForecastRequest
from gridroom.timegrid import floor

PARTIES = st.sampled_from(["north", "south"])
LINES = st.sampled_from(["good", "good", "dead", "deaf", "delaying"])


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
        self.market.clock.time += timedelta(minutes=minutes)
        self.market.measure(load)
        for trader, line in zip(self.market.traders.values(), lines, strict=True):
            trader.line = line
        asyncio.run(getattr(self.market.dso, duty)(self.market.clock.time))

    @rule(
        party=PARTIES,
        amount=st.one_of(st.integers(-80, 80), st.tuples(*[st.integers(-60, 60)] * 3)),
        first=st.integers(0, 3),
        blocks=st.integers(1, 6),
        fate=st.sampled_from(["answered", "answered", "answer lost", "lost"]),
    )
    def somebody_asks(
        self, party: str, amount: int | tuple[float, float, float], first: int, blocks: int, fate: str
    ) -> None:
        start = floor(self.market.clock.time) + first * QUARTER
        heard, answered = fate != "lost", fate == "answered"
        self.market.ask(party, ask(amount, start, blocks), heard=heard, answered=answered)

    @rule(
        party=PARTIES, what=st.sampled_from(["arrive", "again", "again, lost", "forecast", "restart", "clock", "post"])
    )
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
            case "clock":
                market.clock.time -= timedelta(minutes=3)
            case "post":
                asyncio.run(market.dso.post(market.clock.time))

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
    run(trade, 20)
