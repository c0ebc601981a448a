"""Which list of cars is best: a few good ones are filled and judged by what the drivers will probably get.

A block counts by the chance that the car is still there: until a declared departure with an error around it, and ever
less where nothing was declared. So nobody trusts a departure to the minute, and a car that may leave any moment goes
before one that stays until the morning, unless that one would miss its energy.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import erf

import numpy as np
from numpy.typing import NDArray

from gridroom.cso.schedule import MISSING, Car, Plan, earliest_deadline, fill, hours_of, power_w
from gridroom.cso.steps import Ints
from gridroom.timegrid import QUARTER

TYPICAL_WH = 12_000
"""Energy that a car wants whose driver said nothing. Dutch public charging, mean of a session."""

MORE_WH = 6_000
"""What such a car still wants when it has that. [Wh]"""

UNSURE = timedelta(minutes=30)
"""Standard deviation of a real departure around the declared one."""

STAYS = timedelta(hours=2)
"""Mean remaining stay of a car that just came and declared nothing; it grows with half of the time stayed."""

ENERGY, DRIVER, ENOUGH = 2.5, 1.2, 0.5
EARLY = 0.998
MOVES = 5


def best(cars: Sequence[Car], room_ca: Ints, start: datetime, now: datetime, block: timedelta = QUARTER) -> Plan:
    """The plan of the best list found; arguments as of `schedule.fill`."""
    if len(cars) < 2:
        return fill(cars, room_ca, start, now, block)
    n = room_ca.shape[1]
    hours = hours_of(n, start, now, block)
    chance = {car.station: _chance(car, start, now, n, block) for car in cars}
    tried: dict[tuple[str, ...], tuple[float, Plan]] = {}

    def judged(order: Sequence[Car]) -> tuple[float, Plan]:
        name = tuple(car.station for car in order)
        if name not in tried:
            plan = fill(order, room_ca, start, now, block, wake=False)
            tried[name] = (_score(plan, chance, hours), plan)
        return tried[name]

    score, plan = max((judged(order) for order in _lists(cars, now)), key=lambda found: found[0])
    for _ in range(MOVES):
        worst = _poorest(plan, chance, hours)
        moved = next((car for car in worst if plan.cars[0] is not car and _first(plan.cars, car) not in tried), None)
        if moved is None:
            break
        again, other = judged([moved, *(car for car in plan.cars if car is not moved)])
        if again > score:
            score, plan = again, other
    return fill(plan.cars, room_ca, start, now, block)


def _first(order: Sequence[Car], car: Car) -> tuple[str, ...]:
    return (car.station, *(one.station for one in order if one is not car))


def _lists(cars: Sequence[Car], now: datetime) -> list[tuple[Car, ...]]:
    """Earliest deadline, least laxity, smallest need."""

    def laxity(car: Car) -> float:
        return (car.deadline - now).total_seconds() / 3600 - _wanted(car) / (power_w(car) * car.max_ca)

    def by(key: dict[str, float]) -> tuple[Car, ...]:
        return tuple(sorted(cars, key=lambda c: (c.rank, key[c.station], c.station)))

    return [
        earliest_deadline(cars),
        by({car.station: laxity(car) for car in cars}),
        by({car.station: _wanted(car) for car in cars}),
    ]


def _wanted(car: Car) -> float:
    """Energy that a car probably still wants. [Wh]"""
    return float(car.need_wh) if car.need_wh is not None else float(max(TYPICAL_WH - car.got_wh, MORE_WH))


def _chance(car: Car, start: datetime, now: datetime, n: int, block: timedelta) -> NDArray[np.float64]:
    """Chance that the car is there in the middle of each block, shape (n,)."""
    ahead_h = (np.arange(n) + 0.5) * (block / timedelta(hours=1)) - (now - start) / timedelta(hours=1)
    if car.declared:
        left_h = (car.deadline - now) / timedelta(hours=1)
        spread_h = UNSURE / timedelta(hours=1) * 2**0.5
        return np.array([0.5 * (1 + erf(x)) for x in (left_h - ahead_h) / spread_h])
    stayed = now - car.since if car.since is not None else timedelta(0)
    mean_h = (STAYS + stayed / 2) / timedelta(hours=1)
    remaining: NDArray[np.float64] = np.exp(-np.maximum(ahead_h, 0) / mean_h)
    return remaining


def _expected(plan: Plan, chance: dict[str, NDArray[np.float64]], hours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Energy that each car probably gets per block, at most what it wants, shape (cars, n). [Wh]"""
    watts = np.array([power_w(car) for car in plan.cars])
    weights = np.array([chance[car.station] for car in plan.cars])
    wanted = np.array([_wanted(car) for car in plan.cars])
    energy = plan.rates_ca * watts[:, None] * hours
    total = np.cumsum(energy, axis=1)
    excess = np.maximum(total - wanted[:, None], 0)
    useful: NDArray[np.float64] = np.maximum(energy - np.diff(excess, axis=1, prepend=0), 0)
    useful *= weights
    return useful


def _score(plan: Plan, chance: dict[str, NDArray[np.float64]], hours: NDArray[np.float64]) -> float:
    expected = _expected(plan, chance, hours)
    early = EARLY ** np.arange(expected.shape[1])
    share = _share(plan, expected)
    missing = np.array([car.rank == MISSING for car in plan.cars])
    happy = 1 - (1 - share) ** 2 + ENOUGH * (share >= 0.95)
    return float(ENERGY * (expected * early).sum() / 10_000 + DRIVER * happy[missing].sum())


def _share(plan: Plan, expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of what each driver wants that the car will probably have, shape (cars,)."""
    got = np.array([car.got_wh for car in plan.cars], dtype=np.float64)
    wanted = np.array([_wanted(car) for car in plan.cars])
    share: NDArray[np.float64] = np.minimum((got + expected.sum(axis=1)) / np.maximum(got + wanted, 1), 1)
    return share


def _poorest(plan: Plan, chance: dict[str, NDArray[np.float64]], hours: NDArray[np.float64]) -> list[Car]:
    """The cars that miss energy, who misses most first."""
    share = _share(plan, _expected(plan, chance, hours))
    order = np.argsort(share, kind="stable")
    return [plan.cars[int(i)] for i in order if plan.cars[int(i)].rank == MISSING and share[int(i)] < 0.95]
