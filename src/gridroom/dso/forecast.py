"""Forecast of non-controllable load: a streaming average per phase and local time of day, and how far it is off now.

State is a function of the history of a cable, block by block: it can be rebuilt. Averages are exponentially weighted;
weekdays and weekends are kept apart; `drift` carries the errors of the last blocks into the next hours.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from gridroom.storage.columns import Ints

Reals = NDArray[np.float64]

PHASES = 3
KINDS = 2
SATURDAY = 5

WEIGHT = 0.1
"""Least weight of a new day in the average of its time of day."""

SLOW = 1 / (28 * 96)
"""Least weight of a new block in the series' own mean and variance."""

DRIFT_WEIGHT = 0.5
DRIFT_DECAY = 0.8
"""How much of the drift is left a block later."""

PEAK_DECAY = 1 / 14
"""A day's share of forgetting the highest load of a time of day: about two weeks."""


@dataclass(frozen=True)
class State:
    """What was learned of one cable. All loads in 0.01 A.

    Attributes:
        count: Blocks learned per kind of day and time of day, shape (2, slots).
        mean: Average load, shape (3, 2, slots).
        variance: Average squared error, shape (3, 2, slots).
        peak: Slowly forgotten highest load per time of day, shape (3, slots).
        level: Mean of the whole series, shape (3,).
        spread: Variance of the whole series, shape (3,).
        drift: Error of the last blocks, shape (3,).
    """

    count: Reals
    mean: Reals
    variance: Reals
    peak: Reals
    level: Reals
    spread: Reals
    drift: Reals

    @classmethod
    def empty(cls, slots: int) -> "State":
        """Nothing learned yet."""
        each = (PHASES, KINDS, slots)
        level, spread, drift = np.zeros(PHASES), np.zeros(PHASES), np.zeros(PHASES)
        peak = np.zeros((PHASES, slots))
        return cls(np.zeros((KINDS, slots)), np.zeros(each), np.zeros(each), peak, level, spread, drift)

    @property
    def learned(self) -> float:
        """Blocks learned in all."""
        return float(self.count.sum())

    def pack(self) -> Reals:
        """All of it as one row of numbers, for storage."""
        parts = (self.count, self.mean, self.variance, self.peak, self.level, self.spread, self.drift)
        return np.concatenate([part.ravel() for part in parts])

    @classmethod
    def unpack(cls, row: Reals, slots: int) -> "State":
        """The opposite of `pack`."""
        each = PHASES * KINDS * slots
        sizes = (KINDS * slots, each, each, PHASES * slots, PHASES, PHASES, PHASES)
        count, mean, variance, peak, level, spread, drift = np.split(row, np.cumsum(sizes)[:-1])
        shape = (PHASES, KINDS, slots)
        return cls(
            count.reshape(KINDS, slots),
            mean.reshape(shape),
            variance.reshape(shape),
            peak.reshape(PHASES, slots),
            level,
            spread,
            drift,
        )


@dataclass(frozen=True)
class Outlook:
    """What is expected of the coming blocks.

    Attributes:
        mean: Expected load, shape (3, n). [0.01 A]
        variance: Average squared error at that time of day, shape (3, n).
        sigma: Standard deviation of the whole series, shape (3, 1). [0.01 A]
        known: Whether that time of day was ever seen, shape (n,).
    """

    mean: Reals
    variance: Reals
    sigma: Reals
    known: NDArray[np.bool_]


def clock(start: datetime, n: int, block: timedelta, zone: ZoneInfo) -> tuple[Ints, Ints]:
    """Kind of day (0 weekday, 1 weekend) and time of day of each block on the local clock, shapes (n,).

    >>> from datetime import UTC
    >>> start, zone = datetime(2026, 1, 3, 22, 30, tzinfo=UTC), ZoneInfo("Europe/Amsterdam")
    >>> kinds, slots = clock(start, 3, timedelta(minutes=15), zone)
    >>> kinds.tolist(), slots.tolist()
    ([1, 1, 1], [94, 95, 0])
    """
    kinds, slots = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    seconds = block // timedelta(seconds=1)
    for i in range(n):
        local = (start + i * block).astimezone(zone)
        kinds[i] = local.weekday() >= SATURDAY
        slots[i] = (local.hour * 3600 + local.minute * 60 + local.second) // seconds
    return kinds, slots


def learn(state: State, load: Reals, kind: int, slot: int) -> None:
    """Take one block in, in place.

    Args:
        state: What was learned so far.
        load: Non-controllable load, shape (3,). [0.01 A]
        kind: Kind of day.
        slot: Time of day.
    """
    before, seen = state.count[kind, slot], state.learned
    error = load - _mean(state, kind, slot) if seen else np.zeros(PHASES)
    follow(state, load, kind, slot)
    if before:
        weight = max(1 / (before + 1), WEIGHT)
        own = load - state.mean[:, kind, slot]
        state.mean[:, kind, slot] += weight * own
        state.variance[:, kind, slot] += max(1 / before, WEIGHT) * (own**2 - state.variance[:, kind, slot])
    else:
        state.mean[:, kind, slot] = load
        state.variance[:, kind, slot] = error**2
    peak = state.peak[:, slot]
    state.peak[:, slot] = np.maximum(load, peak - PEAK_DECAY * (peak - load))
    slow = max(1 / (seen + 1), SLOW)
    off = load - state.level
    state.level[:] += slow * off
    state.spread[:] += slow * (off**2 * (1 - slow) - state.spread)
    state.count[kind, slot] += 1


def follow(state: State, load: Reals, kind: int, slot: int, *, only_up: bool = False) -> None:
    """Let the drift follow a block that is not (or not yet) learned from, in place.

    Args:
        state: What was learned so far.
        load: Shape (3,). [0.01 A]
        kind: Kind of day.
        slot: Time of day.
        only_up: For loads that may hold use of electric vehicles: they never lower the drift.
    """
    if not state.learned:
        return
    moved = state.drift * DRIFT_DECAY + DRIFT_WEIGHT * (load - _mean(state, kind, slot) - state.drift * DRIFT_DECAY)
    state.drift[:] = np.maximum(moved, state.drift * DRIFT_DECAY) if only_up else moved


def copy(state: State) -> State:
    """A state of its own, to be changed."""
    return replace(state, **{name: value.copy() for name, value in vars(state).items()})


def predict(state: State, kinds: Ints, slots: Ints, *, ahead: int = 0, stale: bool = False) -> Outlook:
    """Expected load of the coming blocks.

    Args:
        state: What was learned.
        kinds: Kind of day per block, shape (n,).
        slots: Time of day per block, shape (n,).
        ahead: Blocks between the last one followed and the first one asked for.
        stale: The last hour was not measured: the highest load of about two weeks is expected instead.
    """
    counts = state.count[:, slots]
    n = np.arange(len(slots))
    other = (counts[kinds, n] == 0) & (counts[1 - kinds, n] > 0)
    kinds = np.where(other, 1 - kinds, kinds)
    mean, sigma = state.mean[:, kinds, slots], np.sqrt(state.spread)[:, None]
    variance = state.variance[:, kinds, slots]
    few = counts[kinds, n] < 3  # an average over one or two errors says little
    variance = np.where(few, np.maximum(variance, sigma**2), variance)
    mean = mean + state.drift[:, None] * DRIFT_DECAY ** (n + ahead)
    if stale:
        mean = np.maximum(mean, state.peak[:, slots])
    return Outlook(mean, variance, sigma, counts.sum(axis=0) > 0)


def _mean(state: State, kind: int, slot: int) -> Reals:
    """Average of that time of day, of the other kind of day where this one is new, else of the series."""
    for one in (kind, 1 - kind):
        if state.count[one, slot]:
            return state.mean[:, one, slot]
    return state.level
