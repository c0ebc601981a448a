"""How fast a fleet is forecast: all series side by side, beside the same series one by one, and beside a plain copy.

Prints microseconds of CPU time per series; fails when both ways do not say the same.
"""

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import process_time
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from gridroom.dso.forecasting.calendar import Calendar
from gridroom.dso.forecasting.fleet import Fleet

SERIES, ALONE, DAYS, ROUNDS = 30_000, 30, 15, 5
QUARTER, RISK = timedelta(minutes=15), 0.001
DAY_AHEAD, SOON = 96, 8


def main() -> int:
    """Measure, compare, print."""
    calendar = Calendar(QUARTER, ZoneInfo("Europe/Amsterdam"), "NL")
    number = calendar.number(datetime(2026, 1, 5, tzinfo=UTC))
    chance = np.random.default_rng(1)
    level, shape = chance.uniform(5, 50, SERIES), 1 + 0.5 * np.sin(2 * np.pi * np.arange(96) / 96)
    fleet = Fleet(calendar, (4 * level).astype(np.float32))
    for i in range(DAYS * 96):
        fleet.advance(number, level * shape[i % 96] * chance.gamma(4, 0.25, SERIES))
        number += 1
        if number % 96 == 0:
            fleet.turn()
    few = [Fleet(calendar, fleet.limits[i : i + 1], (0,), fleet.state.take(_only(i)), fleet.pool) for i in range(ALONE)]

    def bound(one: Fleet, n: int) -> np.ndarray:
        return one.outlook(number, n).bound(one.common.factors.at(0, RISK), 0)

    load = (level * shape[0]).astype(np.float32)
    for name, whole, parts, copied in (
        ("24 hours, 96 blocks", lambda: bound(fleet, DAY_AHEAD), lambda one, _: bound(one, DAY_AHEAD), DAY_AHEAD),
        ("the next 8 blocks", lambda: bound(fleet, SOON), lambda one, _: bound(one, SOON), SOON),
        (
            "take a block in",
            lambda: _taken(fleet, number, load),
            lambda one, i: _taken(one, number, load[i : i + 1]),
            0,
        ),
    ):
        cells = fleet.state.mix[:, :copied].copy(), fleet.state.scale_day[:copied].copy()
        seconds, said = _timed(whole)
        seconds_alone, alone = _timed(lambda parts=parts: np.hstack([parts(one, i) for i, one in enumerate(few)]))
        if not np.allclose(said[..., :ALONE], alone, rtol=1e-4):
            print(f"{name}: a fleet and single series do not say the same", file=sys.stderr)
            return 1
        us, us_alone = 1e6 * seconds / SERIES, 1e6 * seconds_alone / ALONE
        words = f"{name:<22} {us:6.2f} us a series; one by one {us_alone / us:5.0f} times that"
        if copied:
            plain, _ = _timed(lambda cells=cells: [one.copy() for one in cells])
            words += f"; to copy its rows {plain / seconds:.2f} of it"
        print(words)
    print(f"state: {fleet.state.pack().nbytes / SERIES / 1000:.1f} kB a series")
    return 0


def _only(i: int) -> np.ndarray:
    return np.arange(SERIES) == i


def _taken(fleet: Fleet, number: int, load: np.ndarray) -> np.ndarray:
    """Take a block in, and give what is known of the load of its time of day, shape (1, S)."""
    fleet.advance(number, load)
    return fleet.state.fast[fleet.calendar.at(number).slot][None].copy()


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Least CPU time of a few rounds [s], and what the first gave."""
    first: Any = None
    best = np.inf
    for _ in range(ROUNDS):
        begin = process_time()
        result = work()
        best = min(best, process_time() - begin)
        first = result if first is None else first
    return best, first


if __name__ == "__main__":
    sys.exit(main())
