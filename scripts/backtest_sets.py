"""Sets of loads to test forecasts on, made from a seed: everybody gets the same figures.

Usage: python scripts/backtest_sets.py NAME OUT.parquet     NAME: simbench, street, invented, cycling

`simbench` needs the package `simbench` 1.6.3 (pip install simbench; its data is ODbL 1.0), `street` the extract of it
that is in this package, `invented` nothing: its homes are chains of chance events on a Dutch wall clock. So are the
heat pumps of `cycling`.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import ZoneInfo

import holidays
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from gridroom.dso.backtest.grid import Loads

QUARTER = timedelta(minutes=15)
DAY, WEEK = 96, 672
VOLT = 230.0
SEED = 20261121
ZONE = ZoneInfo("Europe/Amsterdam")
NEEDS_SIMBENCH = "needs the package simbench 1.6.3: pip install simbench"


def simbench(cables: int = 100) -> Loads:
    """Cables of 10 to 40 homes of one low-voltage grid of SimBench each, a fifth of the phases with some solar panels.

    A home lives its shape up to four whole weeks earlier or later; one in six is tied to all three phases.
    """
    spec = find_spec("simbench")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"the set simbench {NEEDS_SIMBENCH}")
    folder = Path(spec.submodule_search_locations[0]) / "networks" / "1-complete_data-mixed-all-1-sw"
    chance = np.random.default_rng(SEED)
    options = pa.csv.ParseOptions(delimiter=";")
    load, shapes, sun = (
        pa.csv.read_csv(folder / f"{name}.csv", parse_options=options) for name in ("Load", "LoadProfile", "RESProfile")
    )
    homes: dict[str, list[tuple[str, float]]] = {}
    for profile, power, grid, level in zip(
        *(load[name].to_pylist() for name in ("profile", "pLoad", "subnet", "voltLvl")), strict=True
    ):
        if level == 7 and profile.startswith("H0"):
            homes.setdefault(grid, []).append((profile, power * 1e6 / VOLT))
    grids = [grid for grid, here in sorted(homes.items()) if len(here) >= 10]
    year = {name: shapes[f"{name}_pload"].to_numpy() for name in {p for here in homes.values() for p, _ in here}}
    panels = [sun[f"PV{number}"].to_numpy() for number in range(1, 9)]
    amps = np.zeros((shapes.num_rows, 3 * cables), np.float32)
    for cable in range(cables):
        here = homes[grids[chance.integers(len(grids))]]
        count = int(chance.integers(10, min(40, len(here)) + 1))
        for number, home in enumerate(chance.permutation(len(here))[:count]):
            profile, power = here[home]
            one = np.roll(year[profile], int(chance.integers(-4, 5)) * WEEK) * power
            if chance.random() < 1 / 6:
                amps[:, 3 * cable : 3 * cable + 3] += (one / 3)[:, None]
            else:
                amps[:, 3 * cable + number % 3] += one
        for phase in range(3):
            if chance.random() < 0.2:
                peak = chance.uniform(1000, 4000) * int(chance.integers(1, 4)) / VOLT
                amps[:, 3 * cable + phase] -= panels[chance.integers(len(panels))] * peak
    return _named(amps, datetime(2015, 12, 31, 23, tzinfo=UTC))


def street(cables: int = 40) -> Loads:
    """Cables of 8 to 30 homes of the demo's street, dealt anew for each, by year and phase."""
    chance = np.random.default_rng(SEED + 1)
    folder = files("gridroom.sim") / "data"
    about = json.loads((folder / "feeder.json").read_text())
    with (folder / "feeder.npz").open("rb") as file, np.load(file) as archive:
        shapes = dict(zip(about["shapes"], archive["shapes"] * about["unit"], strict=True))
    amps = np.zeros((len(next(iter(shapes.values()))), 3 * cables), np.float32)
    for cable in range(cables):
        for _ in range(int(chance.integers(8, 31))):
            home = about["households"][chance.integers(len(about["households"]))]
            one = np.roll(shapes[home["shape"]], int(chance.integers(-6, 7)) * WEEK) * (home["power_w"] / VOLT)
            amps[:, 3 * cable + int(chance.integers(3))] += one
    kept = amps.max(axis=0) > 0
    loads = _named(amps, datetime(2015, 12, 31, 23, tzinfo=UTC))
    return loads.columns(kept, ())


APPLIANCES = {
    "kettle": (4.0, 2000, 0.3, (7, 13, 20), 1.5),
    "cooker": (1.3, 2200, 2.0, (12, 18), 1.0),
    "washing": (0.6, 1900, 2.0, (10, 19), 3.0),
    "dryer": (0.3, 2400, 5.0, (13, 21), 2.5),
    "television": (2.0, 180, 10.0, (20,), 2.0),
    "cleaning": (0.4, 1200, 2.0, (11,), 2.5),
    "water": (0.5, 2500, 4.0, (7, 22), 1.0),
}
"""Uses per day and home, power [W], mean length [quarters], local hours it is used around, their width [h]."""


def invented(cables: int = 40, days: int = 365) -> Loads:
    """Cables of 8 to 40 homes that use appliances by chance, warm themselves, and have solar panels here and there.

    Habits follow the Dutch wall clock: weekends and holidays begin later, summer time moves the day, people go away.
    """
    chance = np.random.default_rng(SEED + 2)
    start = datetime(2024, 12, 31, 23, tzinfo=UTC)
    n = days * DAY
    local = [(start + k * QUARTER).astimezone(ZONE) for k in range(n)]
    hour = np.array([t.hour + t.minute / 60 for t in local])
    free_days = holidays.country_holidays("NL", years=range(2024, 2027))
    free = np.array([t.weekday() >= 5 or date(t.year, t.month, t.day) in free_days for t in local])
    season = np.cos(2 * np.pi * (np.arange(n) / DAY - 20) / 365)
    cold = np.clip(9 + 8 * season + _wander(chance, days, 3.0), 0, None)  # degrees below 18
    sky = np.clip(0.6 + _wander(chance, days, 0.25), 0.05, 1.0)
    height = np.clip(np.sin((hour - 6.5 - 0.5 * season) / 13 * np.pi), 0, 1) * (0.6 - 0.4 * season)
    amps = np.zeros((n, 3 * cables), np.float32)
    for column in range(amps.shape[1]):
        homes = max(2, round(chance.uniform(8, 40) / 3))
        busy = np.exp(_wander(chance, days, 0.12)) * homes
        watt = homes * 90 * (1 + 0.15 * season) + chance.gamma(4, 4 * homes, n)
        for uses, power, length, hours, width in APPLIANCES.values():
            late = 1.2 * free
            around = sum(np.exp(-0.5 * (_apart(hour, h + late) / width) ** 2) for h in hours) + 0.02
            rate = busy * uses * around / (around.mean() * DAY)
            begun = chance.poisson(rate)
            lasting = np.exp(-np.arange(24) / max(length, 0.5))
            lasting[0] = min(1.0, length)
            watt += np.convolve(begun, lasting)[:n] * power * chance.uniform(0.9, 1.1)
        watt += _lamps(hour, season) * busy * 120
        if (pumps := int(chance.binomial(homes, 0.15))) > 0:
            duty = np.clip(cold / 20 * (0.8 + 0.2 * np.cos((hour - 6) / 12 * np.pi)), 0, 1)
            watt += chance.binomial(pumps, duty) * 2000
        if (panels := int(chance.binomial(homes, 0.2))) > 0:
            watt -= panels * 3500 * height * np.clip(sky + chance.normal(0, 0.08, n), 0, 1)
        amps[:, column] = watt / VOLT
    return _named(amps, start)


PUMPS = ((45.0, 3.0), (90.0, 5.0))
"""How long a heat pump's cycle takes, and how much one differs from the next. [min]"""


def cycling(cables: int = 40, days: int = 200) -> Loads:
    """Cables on whose phases one to three big heat pumps go on and off within the hour, over an ordinary load.

    What such a load does in the next quarter tells much of the quarter after, and misleads about a later one.
    """
    chance = np.random.default_rng(SEED + 4)
    n, minutes = days * DAY, days * 1440
    hour = (np.arange(n) % DAY) / 4
    evening = np.exp(-0.5 * (_apart(hour, 19) / 2.2) ** 2) + 0.4 * np.exp(-0.5 * (_apart(hour, 8) / 1.5) ** 2)
    edges = np.arange(n + 1) * 15.0
    amps = np.zeros((n, 3 * cables), np.float32)
    for column in range(amps.shape[1]):
        course = chance.uniform(8, 14) + chance.uniform(5, 10) * evening * np.exp(_wander(chance, days, 0.1))
        load = course + chance.normal(0, 0.7, n)
        period, spread = PUMPS[column % len(PUMPS)]
        for _ in range(int(chance.integers(1, 4))):
            lasting = chance.normal(period, spread, int(1.1 * minutes / period))
            begin = np.cumsum(lasting) - chance.uniform(period, 2 * period)
            on = lasting * chance.uniform(0.25, 0.45)
            moments = np.stack([begin, begin + on], axis=1).ravel()
            been_on = np.stack([np.cumsum(on) - on, np.cumsum(on)], axis=1).ravel()
            load += np.diff(np.interp(edges, moments, been_on)) / 15 * chance.uniform(6, 10)
        amps[:, column] = load
    return _named(amps, datetime(2024, 12, 31, 23, tzinfo=UTC))


def coarser(loads: Loads, factor: int) -> Loads:
    """Blocks that are some times as long."""
    n = loads.blocks // factor
    means = loads.amps[: n * factor].reshape(n, factor, -1).mean(axis=1, dtype=np.float32)
    return replace(loads, block=loads.block * factor, amps=means)


def with_gaps(loads: Loads, share: float = 0.01) -> Loads:
    """Single blocks are missing, meters fail for up to two days, and once all of them for six hours."""
    chance = np.random.default_rng(SEED + 3)
    amps = loads.amps.copy()
    amps[chance.random(amps.shape) < share] = np.nan
    for column in range(amps.shape[1]):
        for first in chance.integers(0, loads.blocks, chance.poisson(loads.blocks / (40 * DAY))):
            amps[first : first + int(chance.integers(4, 2 * DAY)), column] = np.nan
    middle = loads.blocks * 3 // 4
    amps[middle : middle + 24] = np.nan
    return replace(loads, amps=amps)


SETS: dict[str, Callable[[], Loads]] = {
    "simbench": simbench,
    "street": street,
    "invented": invented,
    "cycling": cycling,
}


def write(loads: Loads, path: Path) -> None:
    """As `gridroom backtest` reads it."""
    times = pa.array([loads.time(k) for k in range(loads.blocks)], pa.timestamp("s", "UTC"))
    columns = {name: loads.amps[:, place] for place, name in enumerate(loads.names)}
    pyarrow.parquet.write_table(pa.table({"time": times, **columns}), path)


def _named(amps: np.ndarray, start: datetime) -> Loads:
    names = tuple(f"c{column // 3:03d}.L{column % 3 + 1}" for column in range(amps.shape[1]))
    return Loads(names, start, QUARTER, amps)


def _wander(chance: np.random.Generator, days: int, size: float) -> np.ndarray:
    """Something that wanders around 0 from day to day, a value per block."""
    steps = np.empty(days + 1)
    steps[0] = chance.normal(0, size)
    for day in range(days):
        steps[day + 1] = 0.7 * steps[day] + chance.normal(0, 0.7 * size)
    return np.interp(np.arange(days * DAY) / DAY, np.arange(days + 1), steps)


def _apart(hour: np.ndarray, other: np.ndarray | float) -> np.ndarray:
    """Distance on the face of the clock. [h]"""
    return (hour - other + 12) % 24 - 12


def _lamps(hour: np.ndarray, season: np.ndarray) -> np.ndarray:
    """Share of the lamps that burn: from dusk to bedtime, and before dawn."""
    dusk, dawn = 19.5 - 2.5 * season, 6.5 + 1.5 * season
    evening = 1 / (1 + np.exp(-2 * (hour - dusk))) * (1 / (1 + np.exp(3 * (hour - 23))))
    return evening + 0.5 / (1 + np.exp(3 * (hour - dawn))) / (1 + np.exp(-4 * (hour - 6.3)))


if __name__ == "__main__":
    name, out = sys.argv[1:]
    made = SETS[name]()
    write(made, Path(out))
    print(f"{out}: {len(made.names)} series of {made.blocks} blocks, mean {made.amps.mean():.1f} A")
