"""Who charges when: a list of cars, filled per phase, never between 0 and 6 A.

A car that finishes within a block still draws its rate until it stops, so the whole block is reserved for it. Which
list is best is decided in `priority.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from gridroom.cso.sessions import MINIMUM_CA
from gridroom.cso.steps import Ints
from gridroom.timegrid import QUARTER, index

STEP_CA = 10
"""Stations take limits in tenths of an ampere."""

VOLTAGE_V = 230
"""Assumed on every cable: at another voltage a car is only planned to need a little more or less time."""

SPREAD = 3
PROBE = 2
"""Blocks in which nothing is left unused while a car could take it."""

MISSING, CONTENT, FULL = 0, 1, 2


@dataclass(frozen=True)
class Car:
    """A plugged-in car.

    Attributes:
        station: Identity of its station.
        phases: Phases of the cable that it uses, shape (3,).
        max_ca: The most it takes per phase. [0.01 A]
        deadline: When it leaves, declared or assumed. [UTC]
        need_wh: Energy that it still needs; None charges until it is full. [Wh]
        rank: `MISSING` energy, `CONTENT` (has what was asked for), or `FULL` (takes nothing).
        declared: Whether its driver declared the departure.
        got_wh: Energy that it has. [Wh]
        since: When it came; None counts as now. [UTC]
        unseen: Whether its phases are not known yet: it has to draw current for that.
    """

    station: str
    phases: NDArray[np.bool_]
    max_ca: int
    deadline: datetime
    need_wh: int | None = None
    rank: int = MISSING
    declared: bool = False
    got_wh: int = 0
    since: datetime | None = None
    unseen: bool = False


@dataclass(frozen=True)
class Plan:
    """Rates for cars.

    Attributes:
        cars: In order of precedence.
        rates_ca: Shape (cars, n). [0.01 A]
        room_ca: What is left on the cable, shape (3, n). [0.01 A]
        short: Which cars miss energy at their deadline, shape (cars,).
    """

    cars: tuple[Car, ...]
    rates_ca: Ints
    room_ca: Ints
    short: NDArray[np.bool_]

    def used(self) -> Ints:
        """Sum over the cars, shape (3, n). [0.01 A]"""
        masks = np.array([car.phases for car in self.cars], dtype=np.int64).reshape(-1, 3)
        total: Ints = masks.T @ self.rates_ca
        return total


def earliest_deadline(cars: Sequence[Car]) -> tuple[Car, ...]:
    """The cars that miss energy first, among them the earliest deadline first."""
    return tuple(sorted(cars, key=lambda c: (c.rank, c.deadline, c.station)))


def fill(
    cars: Sequence[Car],
    room_ca: Ints,
    start: datetime,
    now: datetime,
    block: timedelta = QUARTER,
    *,
    wake: bool = True,
) -> Plan:
    """Give each car of a list, one after the other, the earliest blocks that its tightest phase leaves.

    A car whose phases are not known gets 6 A at once where that fits: else nobody would ever learn them.

    Args:
        cars: Who is there, in order of precedence; see `earliest_deadline`.
        room_ca: What the cable leaves them, shape (3, n). [0.01 A]
        start: Start of the first block, the running one. [UTC]
        now: The present moment. [UTC]
        block: Length of a block.
        wake: Whether cars that miss a little of 6 A get it from others.

    Returns:
        Rates whose sum never exceeds `room_ca`.
    """
    order = tuple(cars)
    n = room_ca.shape[1]
    room = np.maximum(room_ca, 0)
    rates = np.zeros((len(order), n), dtype=np.int64)
    short = np.zeros(len(order), dtype=np.bool_)
    hours = hours_of(n, start, now, block)
    _probe(order, rates, room)
    for i, car in enumerate(order):
        if car.rank == MISSING:
            room += rates[i] * car.phases[:, None]
            blocks = min(n, index(car.deadline, start, block) + 1)
            rates[i], short[i] = _earliest(car, room, hours, blocks, rates[i])
            room -= rates[i] * car.phases[:, None]
    _spread(order, rates, room)
    if wake:
        _wake(order, rates, room)
    return Plan(order, rates, room, short)


def hours_of(n: int, start: datetime, now: datetime, block: timedelta = QUARTER) -> NDArray[np.float64]:
    """What is left of each block, shape (n,). [h]"""
    hours = np.full(n, block / timedelta(hours=1))
    hours[0] = max((start + block - now) / timedelta(hours=1), 1e-6)
    return hours


def demand(cars: Sequence[Car], n: int, start: datetime, now: datetime, block: timedelta = QUARTER) -> Ints:
    """What the cars that miss energy would use if the cable left enough, shape (3, n). [0.01 A]"""
    missing = [car for car in cars if car.rank == MISSING]
    room = np.full((3, n), 100_000_000, dtype=np.int64)
    return fill(missing, room, start, now, block).used() if missing else np.zeros((3, n), dtype=np.int64)


def power_w(car: Car) -> float:
    """Power per hundredth of an ampere. [W]"""
    return VOLTAGE_V * int(car.phases.sum()) / 100


def _offer(car: Car, room: Ints) -> Ints:
    """What the tightest phase of a car leaves, in whole steps."""
    tightest: Ints = room[car.phases].min(axis=0)
    return tightest // STEP_CA * STEP_CA


def _probe(order: Sequence[Car], rates: Ints, room: Ints) -> None:
    """Reserve 6 A for cars whose phases are not known, in the nearest blocks that leave it."""
    for i, car in enumerate(order):
        if car.unseen and car.rank == MISSING:
            rates[i, :PROBE] = np.where(_offer(car, room[:, :PROBE]) >= MINIMUM_CA, MINIMUM_CA, 0)
            room[:, :PROBE] -= rates[i, :PROBE] * car.phases[:, None]


def _earliest(car: Car, room: Ints, hours: NDArray[np.float64], blocks: int, least: Ints) -> tuple[Ints, bool]:
    rate = np.minimum(_offer(car, room), car.max_ca // STEP_CA * STEP_CA)
    rate[rate < MINIMUM_CA] = 0
    rate[max(blocks, 1) :] = 0
    rate = np.maximum(rate, least)
    if car.need_wh is None:
        return rate, False
    energy = np.cumsum(rate * power_w(car) * hours)
    enough = int(np.searchsorted(energy, car.need_wh))
    rate[enough + 1 :] = 0
    rate = np.maximum(rate, least)
    return rate, enough >= rate.size


def _spread(order: Sequence[Car], rates: Ints, room: Ints) -> None:
    """Give what is left in the nearest blocks to whoever can take it: unused capacity is lost."""
    for i, car in enumerate(order):
        near = slice(0, SPREAD)
        if room[:, near].max() < STEP_CA:
            return
        most = MINIMUM_CA if car.rank == FULL else car.max_ca // STEP_CA * STEP_CA
        wanted = np.minimum(rates[i, near] + _offer(car, room[:, near]), most)
        wanted = np.where(wanted < MINIMUM_CA, 0, np.maximum(wanted, rates[i, near]))
        room[:, near] -= (wanted - rates[i, near]) * car.phases[:, None]
        rates[i, near] = wanted


def _wake(order: Sequence[Car], rates: Ints, room: Ints) -> None:
    """Where a waiting car misses a little of 6 A, let others, the latest first, give that little."""
    for i, car in enumerate(order):
        if car.rank == FULL:
            continue
        for k in range(min(SPREAD, rates.shape[1])):
            if rates[i, k] == 0 and rates[:, k].max() > MINIMUM_CA:
                _lend(order, rates, room, i, k)


def _lend(order: Sequence[Car], rates: Ints, room: Ints, i: int, k: int) -> None:
    car = order[i]
    lack = np.where(car.phases, MINIMUM_CA - room[:, k], 0)
    lack = -(-np.maximum(lack, 0) // STEP_CA) * STEP_CA
    if lack.max() * 2 > MINIMUM_CA:
        return
    taken: list[tuple[int, int]] = []
    for j in range(len(order) - 1, -1, -1):
        useful = lack[order[j].phases]
        spare = int(rates[j, k]) - MINIMUM_CA
        if j == i or spare <= 0 or useful.size == 0 or useful.max() <= 0:
            continue
        amount = min(spare // STEP_CA * STEP_CA, int(useful.max()))
        taken.append((j, amount))
        lack = np.maximum(lack - np.where(order[j].phases, amount, 0), 0)
        if lack.max() == 0:
            break
    lost = sum(amount * int(order[j].phases.sum()) for j, amount in taken)
    if lack.max() > 0 or lost >= MINIMUM_CA * int(car.phases.sum()):
        return
    for j, amount in taken:
        rates[j, k] -= amount
        room[:, k] += amount * order[j].phases
    rates[i, k] = MINIMUM_CA
    room[:, k] -= MINIMUM_CA * car.phases
