"""Which clock do the loads of a file go by: found from the changes of time in the warm-up."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from dso_fleet import AMSTERDAM, DAY, HOUR, QUARTER
from gridroom.dso.backtest.clock import DAYS, found
from gridroom.dso.backtest.grid import Loads

BEFORE_SPRING, BEFORE_AUTUMN = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)


def loads(start: datetime, days: int, zone: ZoneInfo, block: timedelta = HOUR, gaps: float = 0.0) -> Loads:
    """Loads that go by a clock: a rise in the morning, a peak in the evening, and noise."""
    chance = np.random.default_rng(3)
    n = days * (DAY // block)
    local = [(start + i * block).astimezone(zone) for i in range(n)]
    hours = np.array([one.hour + one.minute / 60 for one in local])
    shape = 10 + 5 * np.exp(-((hours - 8) ** 2) / 2) + 15 * np.exp(-((hours - 18.5) ** 2) / 4)
    amps = (shape[:, None] * chance.uniform(0.5, 2, 5) * chance.normal(1, 0.2, (n, 5))).astype(np.float32)
    amps[chance.random(amps.shape) < gaps] = np.nan
    return Loads(tuple("abcde"), start, block, amps)


@pytest.mark.parametrize("block", [HOUR, QUARTER])
@pytest.mark.parametrize("start", [BEFORE_SPRING, BEFORE_AUTUMN])
@pytest.mark.parametrize("zone", [AMSTERDAM, ZoneInfo("UTC")], ids=str)
@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_the_clock_of_the_loads_is_found(block: timedelta, start: datetime, zone: ZoneInfo, gaps: float) -> None:
    made = loads(start, 60, zone, block, gaps)
    assert found(made, made.blocks).key == zone.key


def test_the_wall_clock_holds_where_no_change_of_time_was_seen() -> None:
    for start, days in ((datetime(2026, 5, 1, tzinfo=UTC), 60), (datetime(2026, 3, 20, tzinfo=UTC), 60)):
        made = loads(start, days, ZoneInfo("UTC"))
        assert found(made, made.blocks) == AMSTERDAM  # none, or one with too few days before it


def test_a_change_of_time_in_the_test_tells_nothing_beforehand() -> None:
    made = loads(BEFORE_SPRING, 60, ZoneInfo("UTC"))
    change = (datetime(2026, 3, 30, tzinfo=UTC) - BEFORE_SPRING) // HOUR
    assert found(made, change + DAYS * 24 - 1) == AMSTERDAM
    assert found(made, change + DAYS * 24).key == "UTC"


def test_a_file_that_begins_in_the_middle_of_a_day_is_understood() -> None:
    for zone in (AMSTERDAM, ZoneInfo("UTC")):
        made = loads(BEFORE_SPRING + 7 * HOUR, 60, zone)
        assert found(made, made.blocks).key == zone.key


def test_series_without_values_do_not_disturb() -> None:
    for zone in (AMSTERDAM, ZoneInfo("UTC")):
        made = loads(BEFORE_SPRING, 60, zone)
        made.amps[:, 1] = np.nan
        made.amps[: 24 * 40, 2] = np.nan
        assert found(made, made.blocks).key == zone.key
    made.amps[:] = np.nan
    assert found(made, made.blocks) == AMSTERDAM
