"""What makes the DSO brake: the newest reading, whatever a clock once said."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from dso_office import CABLE, MONDAY, QUARTER, STEP, World
from gridroom.clock import WallClock
from gridroom.dso import braking
from gridroom.dso.app import Dso
from gridroom.dso.readings.measurements import Reading
from gridroom.dso.recording import AHEAD
from gridroom.dso.store import Standing, Store

HOUR = timedelta(hours=1)
OVERLOAD_A = 290.0


@pytest.fixture
def world(database_kind: str) -> Iterator[World]:
    world = World()
    world.history(3)
    asyncio.run(world.dso.publish(world.clock.time))
    yield world
    world.close()


def measure(world: World, moment: datetime, ampere: float) -> None:
    """A meter tells of the five minutes before a moment, and the DSO looks."""
    world.clock.time = moment
    world.measure(ampere)
    asyncio.run(world.dso.watch(moment))


def standing(world: World) -> Standing:
    with world.db.transact() as tx:
        return Store(tx, QUARTER).standing(CABLE)


@pytest.mark.parametrize("ahead", [HOUR, 30 * 24 * HOUR], ids=["an hour", "a month"])
def test_a_clock_that_was_ahead_and_is_right_again_does_not_blind_the_brake(world: World, ahead: timedelta) -> None:
    measure(world, MONDAY + ahead, 40.0)
    before = len(world.csos["north"].forecasts())
    measure(world, MONDAY + STEP, OVERLOAD_A)
    assert standing(world).latest_end == MONDAY + STEP
    assert standing(world).braked_at == MONDAY + STEP
    assert len(world.csos["north"].forecasts()) == before + 1
    measure(world, MONDAY + 2 * STEP, OVERLOAD_A)
    assert standing(world).braked_at == MONDAY + 2 * STEP


def test_what_a_clock_ahead_measured_and_nobody_looked_at_does_not_brake_later(world: World) -> None:
    world.clock.time = MONDAY + HOUR
    world.measure(OVERLOAD_A)
    measure(world, MONDAY + STEP, 40.0)
    assert standing(world).latest == (4000, 4000, 4000)
    assert standing(world).braked_at is None


def test_a_clock_that_was_ahead_makes_nothing_seem_out_of_order_or_missing(world: World) -> None:
    measure(world, MONDAY + HOUR, 40.0)
    world.clock.time = MONDAY + STEP
    received = world.dso.record_readings([Reading(CABLE, MONDAY, 300, (4000, 4001, 4002))], "meter-1")
    assert (received.stored, +received.counts) == (1, {})


@pytest.mark.parametrize(
    ("end", "seen"),
    [(AHEAD, True), (AHEAD + STEP, False), (-QUARTER, True), (-QUARTER - STEP, False)],
    ids=["a little ahead", "in the future", "of this block", "too old"],
)
def test_only_a_reading_of_about_now_is_looked_at(world: World, end: timedelta, seen: bool) -> None:
    world.clock.time = MONDAY + end
    world.measure(OVERLOAD_A)
    with world.db.transact() as tx:
        found = braking.brake(Store(tx, QUARTER), world.dso.office, MONDAY)
    assert bool(found) is seen


@pytest.mark.parametrize(("ampere", "brakes"), [(OVERLOAD_A, True), (150.0, False)])
async def test_a_running_dso_looks_as_soon_as_an_overload_is_told(world: World, ampere: float, brakes: bool) -> None:
    clock = WallClock()
    world.clock.time = clock.now()
    dso = Dso(world.config, world.db, world.post, world.ids, clock)
    current = (round(ampere * 100),) * 3
    start = clock.now().replace(second=0, microsecond=0) - 2 * STEP
    dso.record_readings([Reading(CABLE, start, 300, current)])
    for _ in range(50):
        await asyncio.sleep(0.01)
        if standing(world).braked_at is not None:
            break
    assert (standing(world).braked_at is not None) is brakes
    await dso.stop()
