"""Cables with a history and nothing around them: for tests of learning and planning."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

import databases
from gridroom.dso import learning, lessons, planning
from gridroom.dso.cables import Cable, Contract, Node, Register
from gridroom.dso.learning import Expectation
from gridroom.dso.planning import Plan
from gridroom.dso.readings.measurements import SLICES
from gridroom.dso.rules import Office, Rules
from gridroom.dso.store import Store
from gridroom.dso.tables import ALLOTMENTS, LEARNERS, LOADS, POOLS, USAGES
from gridroom.storage import database
from gridroom.storage.columns import Ints

MIGRATIONS = "gridroom.dso.migrations"
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LATER = datetime(2050, 1, 1, tzinfo=UTC)
ALL_SLICES = 2**SLICES - 1


def homes(name: str, parent: str = "", risk_class: str = "", limit_ca: int = 20_000) -> Cable:
    """A cable whose contracts begin later: nobody has to report use."""
    contracts = (Contract("north", 10_000, (), LATER), Contract("south", 5_000, (), LATER))
    return Cable(name, (limit_ca,) * 3, contracts, parent=parent, risk_class=risk_class)


def shared(name: str) -> Cable:
    """A cable whose use one CSO has to report."""
    return Cable(name, (20_000,) * 3, (Contract("north", 10_000),))


def invented(n: int, seed: int, per_day: int = 24) -> Ints:
    """Load of a cable, shape (3, n) [0.01 A]: a day, noise that lasts for a while, some high values."""
    chance = np.random.default_rng(seed)
    base = 5000 + 2000 * np.sin(2 * np.pi * np.arange(n) / per_day)
    noise = chance.standard_t(4, (3, n)) * 250
    for i in range(1, n):
        noise[:, i] += 0.6 * noise[:, i - 1]
    return np.rint(base + noise).astype(np.int64)


class Area:
    """A register, rules and a database."""

    def __init__(self, cables: Iterable[Cable], nodes: Iterable[Node] = (), **rules: Any) -> None:
        self.office = Office(Register(cables, nodes), Rules(**({"block": HOUR} | rules)))
        self.db = database.open(databases.fresh(MIGRATIONS), MIGRATIONS)

    @property
    def block(self) -> timedelta:
        return self.office.rules.block

    @contextmanager
    def store(self) -> Iterator[Store]:
        with self.db.transact() as tx:
            yield Store(tx, self.block)

    def measured(self, place: str, start: datetime, load: Ints, known: NDArray[np.bool_] | None = None) -> None:
        """Readings of whole blocks, but for those that are not known."""
        known = np.ones(load.shape[1], dtype=bool) if known is None else known
        sums, masks = np.where(known, load * SLICES, 0), np.where(known, ALL_SLICES, 0)[None]
        with self.store() as store:
            store.write(LOADS, (place,), start, {"sums": sums, "masks": masks, "flags": np.zeros_like(masks)})
            ends = [start + (int(i) + 1) * self.block for i in np.flatnonzero(known)[-1:]]
            store.stand(place, latest_end=max([*ends, store.standing(place).latest_end or start]))

    def reported(self, cable: str, start: datetime, used: Ints, party: str = "north") -> None:
        """Use that a CSO was entitled to and reports."""
        with self.store() as store:
            store.write(USAGES, (cable, party, ""), start, {"used": used})
            store.write(ALLOTMENTS, (cable, party), start, {"entitled": np.maximum(used, 0)})

    def expect(self, start: datetime, n: int = 24, cables: Sequence[str] | None = None) -> dict[str, Expectation]:
        """What is expected from a moment on."""
        asked = None if cables is None else [self.office.register[one] for one in cables]
        with self.store() as store:
            return learning.expect(store, self.office, start, n, asked)

    def plan(self, now: datetime, n: int = 24) -> dict[str, Plan]:
        """Plans made at a moment."""
        expectations = self.expect(now, n)
        with self.store() as store:
            return planning.issue(store, self.office, now, expectations)

    def learned(self) -> dict[str, tuple[datetime, NDArray[np.float32]]]:
        """How far each place was learned, and what."""
        with self.store() as store:
            found = lessons.learners(store, [*self.office.register, *self.office.register.nodes])
        return {one: (learner.until, learner.state) for one, learner in found.items()}

    def pools(self) -> Sequence[sa.Row[Any]]:
        """What all series share, day by day."""
        with self.db.transact() as tx:
            return tx.execute(POOLS.select().order_by(POOLS.c.day)).all()

    def lose(self) -> None:
        """What was learned is lost; the history stays."""
        with self.db.transact() as tx:
            tx.execute(LEARNERS.delete())
            tx.execute(POOLS.delete())

    def close(self) -> None:
        self.db.close()


def assert_same(mine: Area, other: Area, *, exact: bool = True) -> None:
    """Both learned the same; but for rounding where series were not summed in the same order."""
    left, right = mine.learned(), other.learned()
    assert left.keys() == right.keys()
    close = {"rtol": 0, "atol": 0} if exact else {"rtol": 1e-4, "atol": 0.05}
    for place, (until, state) in left.items():
        assert until == right[place][0]
        np.testing.assert_allclose(state, right[place][1], **close)
    days, others = mine.pools(), other.pools()
    assert [row[0] for row in days] == [row[0] for row in others]
    for row, another in zip(days, others, strict=True):
        for name in ("total", "today", "counts", "scored", "pace"):
            np.testing.assert_allclose(
                getattr(row, name), getattr(another, name), **(close if exact else {"rtol": 1e-3, "atol": 2.0})
            )
