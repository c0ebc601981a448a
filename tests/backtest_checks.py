"""Loads and methods for tests of the backtest, and the laws that every method keeps."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from gridroom.dso.backtest.grid import Amps, Loads
from gridroom.dso.backtest.method import Criterion, Issue, Make, Method, Reals, Setting

FIGURES = [
    "series",
    "blocks",
    "offered_share",
    "offered_share_lead",
    "exceedance_15min",
    "exceedance_1h",
    "exceedance_1h10",
    "exceedance_p95_series",
    "exceedance_worst_day",
    "mae_over_mean",
    "pinball_95",
    "pinball_999",
    "coverage_95",
    "coverage_99",
    "cpu_us_per_series_issue",
]
"""What issue 4 demands of JSON, at least."""

START = datetime(2026, 1, 5, tzinfo=UTC)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
QUARTER, HOUR, DAY = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)


def invented(days: int, series: int = 4, block: timedelta = HOUR, seed: int = 1) -> Loads:
    """Series with a day, a week, noise of their own and some gaps."""
    chance = np.random.default_rng(seed)
    n = days * (DAY // block)
    hour = np.arange(n) * (block / HOUR)
    size = chance.uniform(5, 40, series)
    shape = 1 + 0.5 * np.sin(2 * np.pi * hour / 24)[:, None] + 0.2 * np.sin(2 * np.pi * hour / 168)[:, None]
    amps = (size * shape * (1 + chance.normal(0, 0.15, (n, series)))).astype(np.float32)
    amps[chance.random(amps.shape) < 0.01] = np.nan
    return Loads(tuple(f"s{number}" for number in range(series)), START, block, amps)


def setting(
    loads: Loads, every: timedelta = DAY, criterion: Criterion = Criterion.QUARTER, risk: float = 0.01
) -> Setting:
    """What the methods are told of invented loads."""
    limits = 1.25 * np.nanmax(loads.amps, axis=0).astype(np.float64)
    return Setting(loads.block, every, AMSTERDAM, "NL", risk, criterion, limits)


@dataclass(frozen=True)
class Said:
    """A forecast of fixed arrays."""

    mean: Reals
    bound: Reals

    def bound_at(self, level: float) -> Reals:
        return self.bound


class Peeking:
    """Knows all loads, also those to come, and offers what `more` leaves of them."""

    name = "peeking"

    def __init__(self, loads: Loads, more: float = 0.0) -> None:
        self.loads, self.more = loads, more
        self.seen: list[tuple[datetime, NDArray[np.float32]]] = []
        self.asked: list[tuple[datetime, int, int]] = []

    def observe(self, time: datetime, load: Reals) -> None:
        self.seen.append((time, np.array(load, dtype=np.float32)))

    def issue(self, start: datetime, n: int) -> Issue:
        self.asked.append((start, n, len(self.seen)))
        first = (start - self.loads.start) // self.loads.block
        rows = np.full((n, len(self.loads.names)), np.nan)
        known = self.loads.amps[first : first + n]
        rows[: len(known)] = known
        return Said(rows, rows + self.more)


def issues(make: Make, loads: Loads, told: Setting, starts: list[int], n: int) -> list[tuple[Amps, Amps, Amps]]:
    """Mean, bound and bound at .99 of issues at some blocks."""
    method: Method = make(len(loads.names), told)
    found = []
    for index in range(max(starts) + 1):
        if index in starts:
            issue = method.issue(loads.time(index), n)
            found.append(tuple(np.array(a, np.float32) for a in (issue.mean, issue.bound, issue.bound_at(0.99))))
        method.observe(loads.time(index), loads.amps[index].copy())
    return found  # type: ignore[return-value]


def assert_nothing_later_is_known(make: Callable[[Loads], Make], loads: Loads, told: Setting, at: int) -> None:
    """Replacing everything from block `at` on changes no issue up to then.

    Args:
        make: The method, for certain loads (a method that is honest does not look at them).
        loads: What is measured.
        told: What the method is told.
        at: Block of the last issue compared.
    """
    noise = loads.amps.copy()
    noise[at:] = np.random.default_rng(at).normal(0, 1000, noise[at:].shape)
    other = replace(loads, amps=noise)
    day = DAY // loads.block
    starts = [at - day, at]
    pairs = zip(*(issues(make(one), one, told, starts, day) for one in (loads, other)), strict=True)
    for mine, changed in pairs:
        for before, after in zip(mine, changed, strict=True):
            np.testing.assert_array_equal(before, after)


def assert_others_count_only_together(make: Make, loads: Loads, told: Setting, at: int) -> None:
    """Which of the others has which load does not matter to the first series: only all of them together may.

    What is said of the first series is the same, but for rounding, when the others change their places.
    """
    order = np.concatenate([[0], np.arange(len(loads.names) - 1, 0, -1)])
    moved = replace(loads, amps=loads.amps[:, order])
    limits = replace(told, limits=told.limits[order])
    day = DAY // loads.block
    (mine,), (changed,) = (issues(make, one, t, [at], day) for one, t in ((loads, told), (moved, limits)))
    for before, after in zip(mine, changed, strict=True):
        np.testing.assert_allclose(before[:, 0], after[:, 0], rtol=1e-4, atol=1e-3)


def gain_from_a_twin(make: Make, loads: Loads, told: Setting, at: int) -> float:
    """How much of the first series' error goes when another series lived its next day beforehand.

    In benchmark sets, made of a few shapes moved in time, one series tells another's future. Who forecasts each from
    its own values gains nothing by that.
    """
    day = DAY // loads.block
    errors = []
    for tells in (False, True):
        amps = loads.amps.copy()
        if tells:
            amps[:-day, 1] = amps[day:, 0]
        ((mean, _, _),) = issues(make, replace(loads, amps=amps), told, [at], day)
        errors.append(float(np.nansum(np.abs(loads.amps[at : at + day, 0] - mean[:, 0]))))
    return 1 - errors[1] / errors[0]
