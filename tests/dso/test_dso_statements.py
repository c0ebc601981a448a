"""How often a message makes the DSO ask its database: as often for a hundred cables below a transformer as for ten."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy import event

from dso_office import MONDAY, QUARTER, World, ask, cable, request
from gridroom.dso import adjustment, planning, promises, register, service
from gridroom.dso.app import Dso
from gridroom.dso.cables import Node
from gridroom.dso.learning import Expectation
from gridroom.dso.store import Store
from gridroom.dso.tables import ALLOTMENTS, PLANS
from gridroom.oscp.v10.answers import Ask
from gridroom.oscp.v10.blocks import Span
from gridroom.oscp.v10.messages import Envelope, GetCapacityForecastRequest, RequestAdjustedCapacityResponse, ResultType

pytestmark = pytest.mark.usefixtures("database_kind")

MORE = 3
"""How many statements more a hundred cables may cost than ten."""


class Street(World):
    """Cables below one transformer with a plan in force, of which the CSOs were told."""

    def __init__(self, cables: int) -> None:
        found = [replace(cable(f"c{i}"), parent="t") for i in range(cables)]
        super().__init__(cables=())
        with self.db.transact() as tx:
            register.write(tx, register.entries_of(found, [Node("t", "transformer", (cables * 20_000,) * 3)]))
        self.dso = Dso(self.config, self.db, self.post, self.ids, self.clock)
        self.clock.time = MONDAY + timedelta(minutes=1)
        n = self.dso.office.rules.horizon
        loads = {one: np.full((3, n), 3_000.0) for one in self.dso.office.register}
        with self.db.transact() as tx:
            store = Store(tx, QUARTER)
            expectations = {one: Expectation(load, load + 1_000, "good") for one, load in loads.items()}
            planning.issue(store, self.dso.office, self.clock.time, expectations)

    @contextmanager
    def counted(self) -> Iterator[list[str]]:
        """The statements of a while."""
        statements = list[str]()

        def noted(_tx: sa.Connection, _cursor: object, text: str, *_: object) -> None:
            statements.append(text)

        event.listen(sa.Engine, "before_cursor_execute", noted)
        try:
            yield statements
        finally:
            event.remove(sa.Engine, "before_cursor_execute", noted)


def asks_for_forecasts(street: Street) -> int:
    with street.counted() as statements:
        street.say("north", GetCapacityForecastRequest())
    asyncio.run(street.dso.post(street.clock.time))
    body = street.csos["north"].forecasts()[-1].body
    assert len(body.forecasts) == len(street.dso.office.register)  # type: ignore[union-attr]
    return len(statements)


def sends_and_is_answered(street: Street) -> int:
    street.say("north", GetCapacityForecastRequest())
    with street.counted() as statements:
        asyncio.run(street.dso.post(street.clock.time))
    return len(statements)


def settles(street: Street) -> int:
    for party in street.csos:  # the other one has not answered yet: what is free then can be told
        street.say(party, GetCapacityForecastRequest())
        asyncio.run(street.dso.post(street.clock.time))
    with street.db.transact() as tx, street.counted() as statements:
        news = service.settle(Store(tx, QUARTER), street.dso.office, street.clock.time)
    assert len(news) <= len(street.csos)
    return len(statements)


def asks_for_more(street: Street) -> int:
    asks_for_forecasts(street)
    start = street.clock.time + timedelta(minutes=14)
    with street.counted() as statements:
        answer = street.say("north", request(*(ask(5, start, cable=one) for one in street.dso.office.register)))
    assert isinstance(answer, Envelope)
    assert isinstance(answer.body, RequestAdjustedCapacityResponse)
    assert answer.body.result.type is ResultType.SUCCESS
    return len(statements)


def hears_that_a_plan_is_too_old(street: Street) -> int:
    asks_for_forecasts(street)
    street.clock.time += timedelta(hours=2)
    with street.db.transact() as tx:
        store = Store(tx, QUARTER)
        for one in street.dso.office.register.values():
            store.stand(one.id, brake=(0, 0, 0), braked_at=street.clock.time)
        with street.counted() as statements:
            plans = service._lowered(
                store, street.dso.office.rules, [*street.dso.office.register.values()], street.clock.time
            )
    assert len(plans) == len(street.dso.office.register)
    return len(statements)


@pytest.mark.parametrize(
    "does",
    [asks_for_forecasts, sends_and_is_answered, settles, asks_for_more, hears_that_a_plan_is_too_old],
)
def test_a_hundred_cables_cost_as_many_statements_as_ten(does: Callable[[Street], int]) -> None:
    counts = []
    for cables in (10, 100):
        street = Street(cables)
        try:
            counts.append(does(street))
        finally:
            street.close()
    few, many = counts
    assert many <= few + MORE, counts


def test_who_asks_for_many_cables_in_one_message_gets_what_it_would_get_in_many() -> None:
    outcomes = []
    for together in (True, False):
        street = Street(9)
        try:
            for party in street.csos:
                street.say(party, GetCapacityForecastRequest())
            asyncio.run(street.dso.post(street.clock.time))
            start, names = MONDAY + QUARTER, [*street.dso.office.register]
            asked = [ask(9, start + i * QUARTER, i + 1, cable=one) for i, one in enumerate(names[:7])]
            asked += [ask(-4, start + i * QUARTER, 2, cable=f"c{i}") for i in (7, 8)]
            for party in ("north", "south", "north"):
                for message in [asked] if together else [[one] for one in asked]:
                    street.say(party, request(*message))
            with street.db.transact() as tx:
                found = promises.holdings(Store(tx, QUARTER), names, MONDAY, 90)
                sheets = Store(tx, QUARTER).read_all(ALLOTMENTS, names, MONDAY, 90)
                pools = Store(tx, QUARTER).read_all(PLANS, names, MONDAY, 90)
            held = {key: one.most.tolist() for key, one in found.items()}
            written = {key: {name: cells.tolist() for name, cells in one.items()} for key, one in sheets.items()}
            outcomes.append((held, written, {key: one["pool"].tolist() for key, one in pools.items()}))
            for one in names:
                total = sum(found[one, party].most for party in street.csos)
                assert (total + pools[one,]["pool"] <= pools[one,]["available"]).all()
        finally:
            street.close()
    assert outcomes[0] == outcomes[1]


def test_a_cable_that_is_named_twice_is_not_granted_twice() -> None:
    street = Street(2)
    try:
        asks_for_forecasts(street)
        office, span = street.dso.office, Span(MONDAY + QUARTER, MONDAY + 2 * QUARTER, (20_000,) * 3)
        with street.db.transact() as tx:
            hearing = adjustment.Hearing(
                Store(tx, QUARTER), office, "north", office.register.values(), street.clock.time
            )
            first, second = (
                hearing.assign(office.register["c0"], [Ask(span, uniform=True)])[0].amounts for _ in range(2)
            )
            hearing.keep()
        assert min(first) > 0
        assert second == (0, 0, 0)
    finally:
        street.close()
