"""Realised risk holds against us what was promised, whatever a later plan of the same block says."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from dso_office import CABLE, MONDAY, QUARTER, World, configuration
from gridroom.config import ConfigError
from gridroom.dso.cables import Cable, Contract
from gridroom.dso.readings.measurements import SLICES, Reading
from gridroom.dso.screens.overview import look
from gridroom.dso.store import Store
from gridroom.dso.tables import ALLOTMENTS, LOADS, PLANS, USAGES
from gridroom.oscp.v10.messages import CableUsage, UpdateAggregatedUsageRequest, UsageBlock, ValueType

MIGRATIONS = "gridroom.dso.migrations"


def test_a_brake_in_the_block_of_an_overload_does_not_undo_what_was_promised(
    new_database: Callable[[str], str],
) -> None:
    world = World(new_database(MIGRATIONS))
    world.history(14)
    asyncio.run(world.dso.publish(world.clock.time))
    promised = world.dso.view(CABLE, MONDAY, 1).available[:, 0]
    world.clock.time += timedelta(minutes=5)
    world.measure(290)
    asyncio.run(world.dso.watch(world.clock.time))
    braked = world.dso.view(CABLE, MONDAY, 1).available[:, 0]
    assert (0.8 * promised + 12_600 > 20_000).all()
    assert (braked + 12_600 <= 20_000).all()
    world.clock.time = MONDAY + QUARTER
    world.dso.record_readings([Reading(CABLE, MONDAY + timedelta(minutes=5), 600, (4_400, 4_401, 4_402))])
    nothing = tuple(ValueType(Decimal(0), unit, phase) for unit in ("A", "Wh") for phase in (1, 2, 3))
    report = UpdateAggregatedUsageRequest((CableUsage(CABLE, (UsageBlock(MONDAY, MONDAY + QUARTER, nothing),)),))
    for party in ("north", "south"):
        world.say(party, report)
    found = look(world.db, world.dso.office, "dso", (), world.clock.time).risks["default"]
    assert (found.blocks, found.realised) == (3, 1.0)
    world.close()


def test_a_database_with_blocks_of_another_length_is_refused(new_database: Callable[[str], str]) -> None:
    world = World(new_database(MIGRATIONS))
    with world.db.transact() as tx:
        Store(tx, QUARTER).write(PLANS, (CABLE,), MONDAY, {"available": np.zeros((3, 4), dtype=np.int64)})
    world.config = configuration(publish={"block_s": 1800, "interval_s": 1800})
    with pytest.raises(ConfigError, match=r"`publish.block_s` is 1800, but .* blocks of 900 s: set it to 900"):
        world.restart()
    world.close()


def test_reports_that_leave_nothing_for_the_homes_are_an_alarm(new_database: Callable[[str], str]) -> None:
    for claimed, alarmed in ((0.98, True), (0.6, False)):
        contracts = tuple(Contract(party, 10_000) for party in ("north", "south"))
        world = World(new_database(MIGRATIONS), cables=[Cable(CABLE, (20_000,) * 3, contracts)])
        world.history(8)
        start, n = MONDAY - timedelta(days=8), 8 * 96
        with world.db.transact() as tx:
            store = Store(tx, QUARTER)
            sums = store.read(LOADS, (CABLE,), start, n)["sums"]
            used = (sums / SLICES * claimed).astype(np.int64)
            store.write(USAGES, (CABLE, "north", ""), start, {"used": used})
            store.write(USAGES, (CABLE, "south", ""), start, {"used": np.zeros_like(used)})
            store.write(ALLOTMENTS, (CABLE, "north"), start, {"entitled": used})
        found = look(world.db, world.dso.office, "dso", (), world.clock.time)
        assert found.overclaimed == ((CABLE,) if alarmed else ())
        assert any("as if homes used nothing" in sign.text for sign in found.signs) is alarmed
        world.close()
