"""Whole days on the street through the production code, without sockets: the fuse that blows uncontrolled holds.

Currents are the physical ones, as the street computes them; what actors say of themselves is not believed here.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
import structlog

from gridroom.cso.book import Book
from gridroom.sim.outcome import MESSAGE_TYPES, Outcome, in_force, summary
from gridroom.sim.run import in_memory
from gridroom.sim.street import Street, build
from gridroom.sim.uncontrolled import overloads, quarters
from gridroom.timegrid import QUARTER

ROUNDING_A = 0.5
"""Cars round their current, and blocks their limits. [A]"""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """A day says a thousand things; only what a person would be called for is printed."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    yield
    structlog.configure(**before)


def afternoon(street: Street, first_hour: int = 9, hours: int = 7) -> Street:
    """The hours of a day in which the trouble is, with the morning as its past; cars that come earlier stay away."""
    begin, n = int(timedelta(hours=first_hour) / QUARTER), int(timedelta(hours=hours) / QUARTER)
    start, end = street.start + begin * QUARTER, street.start + (begin + n) * QUARTER
    return replace(
        street,
        start=start,
        end=end,
        loads=street.loads[:, begin : begin + n],
        past=np.concatenate([street.past, street.loads[:, :begin]], axis=1),
        sessions=tuple(
            replace(one, plug_out=min(one.plug_out, end))
            for one in street.sessions
            if start <= one.plug_in < end - QUARTER
        ),
    )


def above_the_offer_a(outcome: Outcome) -> float:
    """How far all cars together were above what the DSO offered for a block when it began, lines being whole. [A]

    Where a line is cut, a lower offer cannot arrive: then the DSO reckons with what was offered before.
    """
    _, room = in_force(outcome.street, outcome.forecasts)
    drawn = quarters(sum(outcome.cars_a.values(), np.zeros_like(outcome.homes_a)))
    times = [outcome.street.start + n * QUARTER for n in range(outcome.street.blocks)]
    whole = np.array([not any(_cut(event.at, event.until, moment) for event in outcome.events) for moment in times])
    assert whole.sum() >= outcome.street.blocks / 2
    return float((drawn - room)[:, whole].max())


def _cut(start: datetime, end: datetime | None, moment: datetime) -> bool:
    return end is not None and start - QUARTER < moment <= end + QUARTER


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_day_holds_the_fuse_and_charges_the_cars(seed: int) -> None:
    outcome = await in_memory(build(seed=seed))
    figures: Any = summary(outcome)
    assert figures["seed"] == seed
    assert figures["households"] >= 30
    assert figures["stations"] >= 30
    assert figures["uncontrolled"]["overload_blocks"] > 0
    assert figures["oscp"]["overload_blocks"] == 0
    assert figures["oscp"]["peak_share_of_limit"] <= 1
    assert float(np.abs(quarters(outcome.total_a)).max()) <= outcome.street.fuse_a
    assert above_the_offer_a(outcome) <= ROUNDING_A
    assert set(figures["messages"]) == set(MESSAGE_TYPES)
    for name, count in figures["messages"].items():
        assert count["sent"] >= count["acknowledged"] > 0, name
        assert count["sent"] >= count["acknowledged"] + count["refused"], name
    assert figures["messages"]["SetChargingProfile"]["refused"] == 0
    assert figures["messages"]["UpdateAggregatedUsage"]["refused"] == 0
    for session, taken_wh in zip(outcome.street.sessions, outcome.delivered_wh, strict=True):
        assert 0 <= taken_wh <= session.energy_wh * 1.001 + 1
    drawn_wh = float(sum(cars.sum() for cars in outcome.cars_a.values())) * 230 / 12
    assert drawn_wh == pytest.approx(sum(outcome.delivered_wh), rel=0.01)
    assert 0.95 <= figures["oscp"]["energy_share_of_bound"] <= 1.001


@pytest.mark.parametrize("broken", [False, True], ids=["as it is", "CSOs that double their limits"])
async def test_the_judgement_can_fail(broken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a build whose CSOs use twice what they may, the same street must show it."""
    if broken:
        honest = Book.limits
        monkeypatch.setattr(Book, "limits", lambda *given, **named: 2 * honest(*given, **named))
    outcome = await in_memory(afternoon(build(seed=1)))
    above = int(overloads(outcome.total_a, outcome.street.fuse_a).sum())
    if broken:
        assert above > 0
        assert above_the_offer_a(outcome) > 5
    else:
        assert above == 0
        assert above_the_offer_a(outcome) <= ROUNDING_A
