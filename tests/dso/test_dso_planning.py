"""From expectations to plans: no cable and nothing above it is asked for more than it has, whatever is still held."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from dso_area import DAY, HOUR, MONDAY, Area, homes, invented, shared
from gridroom.dso import learning, lessons, planning, promises
from gridroom.dso.cables import Cable, Node, Register
from gridroom.dso.learning import Expectation
from gridroom.dso.loads import load_of
from gridroom.dso.rules import RiskClass
from gridroom.dso.store import Store
from gridroom.storage.columns import Ints

pytestmark = pytest.mark.usefixtures("database_kind")

QUICK = (Phase.explicit, Phase.generate)
"""An example takes a database: what fails is told at once, not made small for minutes."""

N = 6
NUMBERS = count(1)


def grid(chance: np.random.Generator, name: str) -> tuple[list[Cable], list[Node]]:
    """Cables below transformers below substations, most of which are too small; some hang below nothing."""

    def limit(most: int) -> tuple[int, int, int] | None:
        return None if chance.random() < 0.2 else (int(chance.integers(0, most)),) * 3

    above = [Node(f"{name}S{i}", "substation", limit(60_000)) for i in range(chance.integers(0, 3))]
    tops, trees = ["", *(node.id for node in above)], []
    for i in range(chance.integers(1, 4)):
        trees.append(Node(f"{name}T{i}", "transformer", limit(40_000), str(chance.choice(tops))))
    parents = ["", *(node.id for node in trees)]
    cables = [homes(f"{name}c{i}", str(chance.choice(parents))) for i in range(chance.integers(2, 8))]
    return cables, above + trees


def expectation(mean: Ints, margin: Ints) -> Expectation:
    return Expectation(mean.astype(float), (mean + margin).astype(float), "good")


def hold(store: Store, cable: str, party: str, limits: Ints, *, acknowledged: bool) -> None:
    """A CSO was sent a forecast."""
    name = f"m{next(NUMBERS)}"
    promises.sent(store, name, party, MONDAY, [(cable, MONDAY, limits)])
    if acknowledged:
        promises.acknowledged(store, name, cable)


@pytest.fixture
def area() -> Iterator[Area]:
    area = Area([])
    yield area
    area.close()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], phases=QUICK)
@given(seed=st.integers(0, 2**32))
def test_nothing_in_the_tree_is_asked_for_more_than_it_has_whatever_is_still_held(area: Area, seed: int) -> None:
    chance, shape = np.random.default_rng(seed), (3, N)
    register = Register(*grid(chance, f"{next(NUMBERS)}"))
    office = replace(area.office, register=register)
    expectations, held, doubtful = {}, {}, set()
    with area.store() as store:
        for cable in register.values():
            expectations[cable.id] = expectation(
                chance.integers(-3_000, 9_000, shape), chance.integers(0, 4_000, shape)
            )
            held[cable.id] = np.zeros(shape, dtype=np.int64)
            if chance.random() < 0.4:
                held[cable.id] = chance.integers(0, 15_000, shape)
                sure = bool(chance.random() < 0.5)
                hold(store, cable.id, "north", held[cable.id], acknowledged=sure)
                doubtful |= set() if sure else {cable.id}
        for node in register.nodes.values():
            if node.limit_ca is not None and chance.random() < 0.5:
                load = chance.integers(-3_000, 20_000, shape)
                expectations[node.id] = expectation(load, chance.integers(0, 8_000, shape))
        plans = planning.issue(store, office, MONDAY, expectations)
    for cable in register.values():
        available, limit = plans[cable.id].available, np.array(cable.limit_ca)[:, None]
        assert ((available >= 0) & (available <= limit)).all()
        assert (available <= np.maximum(limit - np.ceil(np.maximum(expectations[cable.id].bound, 0)), 0)).all()
    for node in register.nodes.values():
        cables = register.below(node.id)
        if node.limit_ca is None:
            continue
        load = np.sum([np.zeros(shape), *(np.maximum(expectations[one.id].bound, 0) for one in cables)], axis=0)
        if node.id in expectations:
            load = np.maximum(expectations[node.id].bound, 0)
        room = np.maximum(np.array(node.limit_ca)[:, None] - np.ceil(load), 0)
        given_ = sum((plans[one.id].available for one in cables), np.zeros(shape))
        may = sum((np.maximum(plans[one.id].available, held[one.id]) for one in cables), np.zeros(shape))
        assert (given_ <= room).all()
        lost = [np.maximum(plans[one.id].available, held[one.id]) for one in cables if one.id in doubtful]
        heard = [plans[one.id].available for one in cables if one.id not in doubtful]
        zero = np.zeros(shape)
        assert (sum(heard, zero) <= np.maximum(room - sum(lost, zero), 0)).all()
        assert (may <= np.maximum(room, sum((held[one.id] for one in cables), np.zeros(shape)))).all()


@pytest.fixture
def street() -> Iterator[Area]:
    """Two cables below a transformer that has room for one and a half of them."""
    area = Area([homes("c1", "T"), homes("c2", "T")], [Node("T", "transformer", (34_000,) * 3)])
    for i, name in enumerate(("c1", "c2")):
        area.measured(name, MONDAY, invented(12 * 24, seed=i))
    yield area
    area.close()


def test_a_transformer_that_is_measured_goes_by_its_own_forecast_and_others_by_their_cables(street: Area) -> None:
    now = MONDAY + 12 * DAY
    apart = sum(plan.available for plan in street.plan(now).values())
    both = sum(invented(12 * 24, seed=i) for i in range(2))
    street.measured("T", MONDAY, np.asarray(both))
    expected = street.expect(now)
    together = sum(plan.available for plan in street.plan(now).values())
    room = np.maximum(34_000 - np.ceil(np.maximum(expected["T"].bound, 0)), 0)
    assert (together <= room).all()
    assert np.asarray(together).mean() > np.asarray(apart).mean()  # peaks of two cables do not meet


def test_a_cable_that_came_below_a_transformer_counts_on_top_of_what_that_expects() -> None:
    """For four weeks; by then it has learned what the cable adds."""
    weeks = 8 * 7
    load = {name: invented(weeks * 24, seed=i) for i, name in enumerate("abc")}
    nodes = [Node("T1", "transformer", (30_000,) * 3), Node("T2", "transformer", (24_000,) * 3)]
    area = Area([homes("a", "T1"), homes("b", "T1"), homes("c", "T2")], nodes)
    moved = Register([homes("a", "T1"), homes("b", "T2"), homes("c", "T2")], nodes)
    begin = 3 * 7 * 24
    for name in "abc":
        area.measured(name, MONDAY, load[name])
    area.measured("T1", MONDAY, np.hstack([(load["a"] + load["b"])[:, :begin], load["a"][:, begin:]]))
    area.measured("T2", MONDAY, np.hstack([load["c"][:, :begin], (load["b"] + load["c"])[:, begin:]]))
    now = MONDAY + begin * HOUR
    area.plan(now)
    area.office = replace(area.office, register=moved)
    for hours in (0, 6, 24, 96, 7 * 24, 20 * 24, 29 * 24):
        at = begin + hours
        expected, plans = area.expect(MONDAY + at * HOUR), area.plan(MONDAY + at * HOUR)
        assert expected["T2"].newcomers == (frozenset("b") if hours < 28 * 24 else frozenset())
        assert expected["T1"].newcomers == frozenset()
        offered = plans["b"].available + plans["c"].available
        assert (offered + (load["b"] + load["c"])[:, at : at + 24] > 24_000).mean() < 0.01, hours
        assert (offered > 0).any() or hours < 20 * 24
    area.close()


@pytest.mark.parametrize("others", ["none ever", "none any more", "one"])
def test_a_cable_counts_on_top_whatever_hung_below_its_transformer_before(others: str) -> None:
    node, n = Node("T", "transformer", (45_000,) * 3), 14 * 24
    first = [] if others == "none ever" else [homes("first", "T")]
    area = Area([homes("new"), *first], [node])
    for i, place in enumerate(("T", "new", *(one.id for one in first))):
        area.measured(place, MONDAY, invented(n, seed=i))
    now = MONDAY + n * HOUR
    area.plan(now)
    if others == "none any more":
        first = []
        area.office = replace(area.office, register=Register([homes("new")], [node]))
        area.plan(now)
    area.office = replace(area.office, register=Register([homes("new", "T"), *first], [node]))
    expected, plans = area.expect(now), area.plan(now)
    assert expected["T"].newcomers == frozenset({"new"})
    room = 45_000 - expected["T"].bound - np.minimum(expected["new"].bound, 20_000)
    offered = np.sum([plan.available for plan in plans.values()], axis=0)
    assert (offered > 0).any()
    assert (offered <= np.maximum(room, 0)).all()
    area.close()


def test_what_a_cable_used_elsewhere_is_not_subtracted_where_it_hangs_now() -> None:
    n = 14 * 24
    nodes = [Node("T1", "transformer", (60_000,) * 3), Node("T2", "transformer", (20_000,) * 3)]
    area = Area([replace(shared("c"), parent="T1")], nodes)
    area.measured("T1", MONDAY, invented(n, seed=1) + 9_000)
    area.measured("T2", MONDAY, invented(n, seed=2))
    area.measured("c", MONDAY, invented(n, seed=3) + 6_000)
    area.reported("c", MONDAY, np.full((3, n), 6_000))
    now = MONDAY + n * HOUR
    before = area.expect(now)["T2"].bound
    area.office = replace(area.office, register=Register([replace(shared("c"), parent="T2")], nodes))
    area.expect(now)
    with area.store() as store:
        load = load_of(store, area.office, "T2", now - DAY, 24)
        assert (load.load == load.measured).all()
        assert load.learnable.all()
        lessons.unlearn(store)
    assert np.allclose(area.expect(now)["T2"].bound, before, rtol=0.05)
    area.close()


def test_without_cables_there_is_nothing_to_expect() -> None:
    area = Area([], [Node("T", "transformer", (20_000,) * 3)])
    assert (area.expect(MONDAY), area.plan(MONDAY)) == ({}, {})
    area.close()


def test_a_transformer_keeps_to_the_strictest_risk_below_it() -> None:
    classes = (RiskClass("hospital", 0.0001, "15min"),)
    found = []
    for name in ("", "hospital"):
        cables = [homes("c1", "T"), homes("c2", "T", risk_class=name)]
        area = Area(cables, [Node("T", "transformer", (34_000,) * 3)], risk=0.01, criterion="1h", risk_classes=classes)
        for place in ("c1", "c2", "T"):
            area.measured(place, MONDAY, invented(12 * 24, seed=3))
        found.append(area.expect(MONDAY + 12 * DAY)["T"])
        area.close()
    assert (found[1].bound >= found[0].bound).all()
    assert (found[1].bound > found[0].bound)[:, :2].all()  # the next hours; beyond, the tail's risk is as strict


def test_a_transformer_of_which_nothing_is_known_any_more_goes_by_its_cables(street: Area) -> None:
    now = MONDAY + 12 * DAY
    expectations = {name: one for name, one in street.expect(now).items() if name != "T"}
    with street.store() as store:
        by_cables = planning.issue(store, street.office, now, expectations)
    unknown = Expectation(np.full((3, 24), np.nan), np.full((3, 24), np.inf), "none")
    with street.store() as store:
        plans = planning.issue(store, street.office, now, expectations | {"T": unknown})
    for name, plan in plans.items():
        assert np.array_equal(plan.available, by_cables[name].available)


def test_back_feed_is_never_sold_and_what_is_not_known_has_no_capacity() -> None:
    area = Area([homes("fed"), homes("dark")])
    fed = expectation(np.full((3, N), -9_000), np.full((3, N), 500))
    dark = Expectation(np.full((3, N), np.nan), np.full((3, N), np.inf), "none")
    half = replace(
        fed, mean=np.full((3, N), 5_000.0), bound=np.where(np.arange(N) < 3, 6_000.0, np.inf) * np.ones((3, 1))
    )
    with area.store() as store:
        plans = planning.issue(store, area.office, MONDAY, {"fed": fed, "dark": dark})
        assert (plans["fed"].available == 20_000).all()
        assert (plans["dark"].available == 0).all()
        plan = planning.issue(store, area.office, MONDAY, {"fed": half})["fed"]
    assert (plan.available[:, :3] == 14_000).all()
    assert (plan.available[:, 3:] == 0).all()
    area.close()


def test_every_division_says_what_it_rests_on(street: Area) -> None:
    now = MONDAY + 12 * DAY
    street.plan(now)
    with street.store() as store:
        assert {name: one.issued for name, one in store.standings(["c1", "c2"]).items()} == {"c1": now, "c2": now}
    street.plan(now + timedelta(days=2))
    with street.store() as store:
        records = [note.record for note in store.notes("division", now) if note.cable == "c1"]
    assert [record["quality"] for record in records] == ["good", "stale"]
    assert (records[1]["risk"], records[1]["criterion"]) == (0.001, "15min")


def test_a_publish_takes_as_many_statements_for_many_cables_as_for_few() -> None:
    counts = []
    for size in (2, 40):
        area = Area([homes(f"c{i}") for i in range(size)])
        for i in range(size):
            area.measured(f"c{i}", MONDAY, invented(48, seed=i))
        area.plan(MONDAY + 2 * DAY)
        statements: list[str] = []
        with area.db.transact() as tx:
            event.listen(tx, "before_cursor_execute", lambda *args, to=statements: to.append(args[2]))
            store, now = Store(tx, HOUR), MONDAY + 2 * DAY + HOUR
            planning.issue(store, area.office, now, learning.expect(store, area.office, now, 24))
        counts.append(len(statements))
        area.close()
    assert counts[0] == counts[1]
