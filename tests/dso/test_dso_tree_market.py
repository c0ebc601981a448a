"""Cables below one transformer: whatever letters are lost, grants asked and brakes pulled, it is never sold twice."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from dso_office import MONDAY, World, cable
from gridroom.dso import adjustment, braking, planning, promises, register, service
from gridroom.dso.app import Dso
from gridroom.dso.cables import Node
from gridroom.dso.learning import Expectation
from gridroom.dso.store import Store
from gridroom.oscp.v10.answers import Ask
from gridroom.oscp.v10.blocks import Span
from gridroom.storage.columns import Ints
from gridroom.timegrid import QUARTER, floor

CABLES, BLOCKS = 4, 99


class Street:
    """Four cables with two CSOs each below a transformer, and CSOs whose answers come by chance."""

    def __init__(self, seed: int) -> None:
        self.chance, self.number = np.random.default_rng(seed), 0
        self.world = World()
        limits = self.chance.integers(50, 200, CABLES)
        cables = [replace(cable(f"c{i}", limit_a=int(limit)), parent="t") for i, limit in enumerate(limits)]
        self.limit = int(self.chance.integers(10_000, 40_000))
        node = Node("t", "transformer", (self.limit,) * 3)
        with self.world.db.transact() as tx:
            register.write(tx, register.entries_of(cables, [node]))
        world = self.world
        self.office = Dso(world.config, world.db, world.post, world.ids, world.clock).office
        self.now, self.issued, self.room = MONDAY + timedelta(minutes=1), MONDAY, np.zeros((3, BLOCKS), dtype=np.int64)

    def held(self, store: Store) -> Ints:
        """The most that all CSOs may hold from the block in force on, shape (3, n). [0.01 A]"""
        ids = list(self.office.register)
        found = promises.holdings(store, ids, floor(self.now, QUARTER), BLOCKS)
        return sum((one.most for key, one in found.items() if key[0] in ids), np.zeros((3, BLOCKS), dtype=np.int64))

    def allowed(self) -> Ints:
        """What the transformer has, as forecast last, from the block in force on."""
        gone = (floor(self.now, QUARTER) - self.issued) // QUARTER
        room = np.zeros((3, BLOCKS), dtype=np.int64)
        room[:, : BLOCKS - gone] = self.room[:, gone:]
        return room

    def send(self, store: Store, told: dict[str, planning.CableForecast]) -> None:
        for party, forecast in told.items():
            self.number += 1
            name, dated = f"m{self.number}", self.now + timedelta(milliseconds=self.number)
            promises.sent(store, name, party, dated, [(forecast.cable, forecast.start, forecast.limits)])
            if self.chance.random() < 0.6:
                promises.acknowledged(store, name, forecast.cable)

    def publish(self, store: Store) -> None:
        def expected(most: int) -> Expectation:
            bound = float(self.chance.integers(0, most))
            return Expectation(np.full((3, BLOCKS), bound / 2), np.full((3, BLOCKS), bound), "good")

        expectations = {one.id: expected(one.limit_ca[0]) for one in self.office.register.values()}
        if self.chance.random() < 0.5:
            expectations["t"] = expected(self.limit)
        nodes, start = self.office.register.nodes["t"], floor(self.now, QUARTER)
        self.room, self.issued = planning._room(self.office.register, nodes, expectations, BLOCKS), start
        for plan in planning.issue(store, self.office, self.now, expectations).values():
            self.send(store, dict(planning.tell(store, {plan.cable.id: plan})))

    def ask(self, store: Store) -> None:
        cables = list(self.office.register.values())
        one = cables[self.chance.integers(CABLES)]
        start = floor(self.now, QUARTER)
        amounts = (int(self.chance.integers(-5000, 5000)),) * 3
        span = Span(start, start + timedelta(hours=int(self.chance.integers(1, 10))), amounts)
        party = one.parties[self.chance.integers(len(one.parties))]
        hearing = adjustment.Hearing(store, self.office, party, [one], self.now)
        hearing.assign(one, [Ask(span, uniform=False)])
        hearing.keep()

    def settle(self, store: Store) -> None:
        for outgoing in service.settle(store, self.office, self.now):
            for forecast in outgoing.forecasts:
                self.send(store, {outgoing.party: forecast})


@pytest.mark.parametrize("seed", [3, 14, 18, 23, 37, 44, 52, 56])
def test_what_csos_hold_below_a_transformer_is_never_raised_above_what_it_has(seed: int) -> None:
    street = Street(seed)
    try:
        with street.world.db.transact() as tx:
            store = Store(tx, QUARTER)
            for step in range(30):
                what = street.chance.integers(5) if step else 0
                if what == 4:
                    street.now += timedelta(minutes=int(street.chance.integers(1, 20)))
                    continue
                before = street.held(store)
                (street.publish, street.publish, street.settle, street.ask)[what](store)
                most = np.maximum(before, street.allowed())
                assert (street.held(store)[:, :-5] <= most[:, :-5]).all(), f"step {step}, action {what}"
    finally:
        street.world.close()


def test_an_overloaded_transformer_lowers_all_cables_below_it_in_proportion_to_their_use() -> None:
    street = Street(1)
    try:
        with street.world.db.transact() as tx:
            store = Store(tx, QUARTER)
            calm = {one.id: np.zeros((3, BLOCKS)) for one in street.office.register.values()}
            expectations = {one: Expectation(zero, zero, "good") for one, zero in calm.items()}
            plans = planning.issue(store, street.office, street.now, expectations)
            used = sum(plan.division.allotment[:, :, 0].sum(axis=0) for plan in plans.values())
            reading = tuple(int(street.limit * 1.2) for _ in range(3))
            store.stand("t", latest_end=street.now, latest=reading)
            assert {one.id for one in braking.brake(store, street.office, street.now)} == set(plans)
            start, rules = floor(street.now, QUARTER), street.office.rules
            left = sum(
                braking.braked(plan.available, store.standing(one), start, rules)[:, 0] for one, plan in plans.items()
            )
            excess = reading[0] - street.limit * rules.threshold_ppm // 1_000_000
            assert (left <= np.maximum(used - excess, 0)).all()
            assert (left >= np.maximum(used - excess, 0) - CABLES).all()
            assert braking.brake(store, street.office, street.now) == []  # each reading counts once
    finally:
        street.world.close()
