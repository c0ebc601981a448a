"""Take blocks in, and read what is expected: pure arithmetic on a `State`."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridroom.dso.forecasting.calendar import Cell
from gridroom.dso.forecasting.layout import DAILY, IN_FORCE, LAST, MEMORIES, Layout, Mask, Reals
from gridroom.dso.forecasting.state import HIGHS, State

FAST, SLOW, WEEK = 0.15, 0.03, 0.25
"""Least weight of a new value in the averages per time of day and, the last, per time of week."""

VARIANCE, LONG = 0.02, 0.007
"""Least weights of a new squared error in the two averages of its time of day."""

LEVEL_DAYS = 28
"""Days over which a series' mean and spread are averaged."""

FORGET = 1 / 14
"""A day's share of forgetting the highest load of a time of day."""

CLOSENESS = np.array([1.0, 1.0, 0.6, 0.3, 0.0], dtype=np.float32)
"""How much of each class' scale is that of the block in force; the rest is that of the day ahead."""

OWN, AROUND = 1.5, 1.9
"""Share of the errors of the time of day, remembered longer, and of those of the times around it, in the scale."""

LOAD, LOAD_NEAR = 0.3, 0.12
"""Share of the load itself: what is switched on may be switched on once more."""

TOP, TOP_NEAR = 0.12, 0.05
"""Share of the highest errors of the last four weeks."""

ROUGH = 0.3
"""Share of the errors of the last three hours, in the scale of the next blocks."""

CONTRASTS = np.array([[1, 0, -1, 0, 0], [1, -1, 0, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1]], dtype=np.float32)
"""What the scale leans on, of the rows of the mix: fast less weekly, fast less slow, and the last two."""

KNOWN = len(CONTRASTS) + 1
"""All that it leans on: the contrasts, and the last error."""

LEANING = 0.5
"""Most that leaning adds to a scale, or takes from it, as a share."""

LEAST = 1e-2
"""Least scale, as a share of the series' spread."""

GONE_DAYS = 14
"""Without measurements for so long, what was learned counts no more than a day."""

EVERY = slice(None)

PRIOR_DAYS = 3.0
"""What the shape of the others counts for a new series, in days of its own."""

USUAL = np.array([0.5, 0.0, 0.5, 0.0, 0.0], dtype=np.float32)
"""Weights of the mix before any were learned: half the fast average, half the weekly one."""


@dataclass(frozen=True)
class Mixing:
    """How the averages and the recent errors are mixed; the same for all series.

    Attributes:
        day: Weights of the rows of the mix, shape (5,).
        recent: Weights of the recent errors, per near lead, shape (near, 4).
        lean: Weights of what scales lean on, for the day ahead and the block in force, shape (2, KNOWN).
    """

    day: Reals
    recent: Reals
    lean: Reals


@dataclass(frozen=True)
class Seen:
    """What a block showed: error of each forecast of it, and the scale expected of that.

    Near leads first, then the day ahead; both of shape (near + 1, S).
    """

    errors: Reals
    scales: Reals


def base(state: State, mixing: Mixing, slot: int, out: Reals | None = None) -> Reals:
    """Load expected at a time of day, without what is recent, shape (S,); into `out` if that is given."""
    mixed: Reals = np.matmul(mixing.day, state.mix[:, slot], out=out)
    return mixed


def recent(layout: Layout, state: State, number: int) -> Reals:
    """What was recent after a block, shape (RECENT, S)."""
    then: Reals = state.ring[number % layout.ring]
    return then


def look(layout: Layout, state: State, mixing: Mixing, cell: Cell, load: Reals) -> Seen:
    """Errors of the forecasts that were made of a block, by lead.

    Args:
        layout: The length of block.
        state: As it was before the block.
        mixing: How forecasts are mixed.
        cell: The block.
        load: What it was, shape (S,); NaN where not measured.
    """
    error, day, near = load - base(state, mixing, cell.slot), state.scale_day[cell.slot], state.scale_near[cell.slot]
    then = state.ring[(cell.number - np.arange(1, layout.near + 1)) % layout.ring]
    closeness = CLOSENESS[layout.rows[:-1], None]
    errors = error - np.einsum("lm,lms->ls", mixing.recent, then[:, :-1])
    scales = closeness * close(mixing, near, then[:, LAST], then[:, -1]) + (1 - closeness) * day
    return Seen(np.concatenate([errors, error[None]]), np.concatenate([scales, day[None]]))


def close(mixing: Mixing, near: Reals, last: Reals, rough: Reals) -> Reals:
    """Scale of the error of the next blocks, with what the last hours say of it, shape (n, S).

    Args:
        mixing: How the scale leans on the last error.
        near: Scale of the time of day in force, shape (S,) or (n, S).
        last: The last error, shape (S,) or (n, S).
        rough: Average squared error of the last hours, same shape.
    """
    scale: Reals = _leaned(near, mixing.lean[1, -1] * last)
    scale += ROUGH * np.sqrt(rough)
    return scale


def _leaned(scale: Reals, more: Reals) -> Reals:
    """A scale and what leaning adds, as far as it may."""
    leaned: Reals = scale + more
    np.maximum(leaned, (1 - LEANING) * scale, out=leaned)
    np.minimum(leaned, (1 + LEANING) * scale, out=leaned)
    return leaned


def take(layout: Layout, state: State, mixing: Mixing, cell: Cell, before: Cell, load: Reals, seen: Seen) -> None:
    """Take one block in, in place.

    Args:
        layout: The length of block.
        state: What was learned so far.
        mixing: How forecasts are mixed.
        cell: The block.
        before: The block `layout.window` earlier: its time of day gets its new rows now.
        load: Non-controllable load, shape (S,); NaN where it cannot be learned from.
        seen: What `look` gave for it.
    """
    slot, known = cell.slot, ~np.isnan(load)
    load = np.where(known, load, np.float32(0))
    back = known & (state.gap >= GONE_DAYS * layout.slots)
    state.learned[:] = np.where(back, np.minimum(state.learned, layout.slots), state.learned)
    days = state.days + PRIOR_DAYS * (state.start[1] > 0)
    _move(state.fast[slot], load, np.maximum(1 / (days + 1), FAST), known)
    _move(state.slow[slot], load, np.maximum(1 / (days + 1), SLOW), known)
    _move(state.week[cell.weekday, slot], load, np.maximum(1 / (days / 7 + 1), WEEK), known)
    error, near = seen.errors[-1], seen.errors[layout.leads[IN_FORCE] - 1]
    judged = known & ~np.isnan(error)
    follow(layout, state, cell, np.where(judged, error, np.float32(np.nan)))
    error, near = np.where(judged, error, np.float32(0)), np.where(judged, near, np.float32(0))
    first = 1 / np.maximum(days, 1)
    for squared, rows, longer in ((error**2, state.day, state.day_long), (near**2, state.near, state.near_long)):
        _move(rows[slot], squared, np.maximum(first, VARIANCE), judged)
        _move(longer[slot], squared, np.maximum(first, LONG), judged)
    _move(state.peak[slot], np.fmax(load, state.peak[slot] - FORGET * (state.peak[slot] - load)), 1.0, known)
    weight = np.maximum(1 / (state.learned + 1), 1 / (LEVEL_DAYS * layout.slots)) * known
    state.level[:] += weight * (load - state.level)
    state.square[:] += weight * (load**2 - state.square)
    _high(layout, state, cell, error)
    state.learned[:] += known
    state.gap[:] = np.where(known, 0, state.gap + (state.learned > 0))
    renew(layout, state, mixing, before, np.where(known, recent(layout, state, cell.number)[DAILY], np.float32(np.nan)))


def follow(layout: Layout, state: State, cell: Cell, error: Reals, only_up: Mask | None = None) -> None:
    """Let what is recent follow a block, in place. Where its load is not known, nothing recent becomes less.

    Args:
        layout: The length of block.
        state: What was learned so far.
        cell: The block.
        error: Load less what was expected of that time of day, shape (S,); NaN where the load is not known.
        only_up: Loads that may hold use of electric vehicles: they never lower what is expected; shape (S,).
    """
    keep, last = layout.keep[:, None], recent(layout, state, cell.number - 1)
    faded = keep * last
    news = np.concatenate([np.broadcast_to(error, (len(MEMORIES), error.shape[0])), (error**2)[None]])
    moved = faded + (1 - keep) * news
    if only_up is not None:
        moved = np.where(only_up, np.maximum(moved, faded), moved)
    state.ring[cell.number % layout.ring] = np.where(np.isnan(news), np.maximum(faded, last), moved)


def renew(layout: Layout, state: State, mixing: Mixing, cell: Cell, daily: Reals) -> None:
    """Make the rows of a block's time of day for the day after it, in place.

    Args:
        layout: The length of block.
        state: What was learned so far.
        mixing: How forecasts are mixed.
        cell: The block.
        daily: Average error of the last day, shape (S,); where it is NaN, that of the day before stays.
    """
    slot = cell.slot
    state.mix[0, slot] = read(layout, state.fast, slot)
    state.mix[1, slot] = read(layout, state.slow, slot)
    week = read(layout, state.week[cell.following], slot)
    state.mix[2, slot] = np.where(np.isnan(week), state.mix[0, slot], week)
    state.mix[3, slot] = np.nan_to_num(state.week[cell.following, slot] - week)
    state.mix[4, slot] = np.where(np.isnan(daily), np.nan_to_num(state.mix[4, slot]), daily)
    expected = np.maximum(base(state, mixing, slot), 0)
    sigma, leaning = state.sigma, mixing.lean[:, :-1] @ CONTRASTS @ state.mix[:, slot]
    for rows, longer, scale, of_load, of_top, more in (
        (state.day, state.day_long, state.scale_day, LOAD, TOP, leaning[0]),
        (state.near, state.near_long, state.scale_near, LOAD_NEAR, TOP_NEAR, leaning[1]),
    ):
        around = _around(rows, slot, layout.window)
        if np.isnan(around).any():
            around = np.where(np.isnan(around), sigma**2, around)
        own = read(layout, longer, slot)
        own = np.where(np.isnan(own), sigma**2, own)
        mixed = OWN * np.sqrt(own) + AROUND * np.sqrt(around.mean(axis=0)) + of_load * expected + of_top * state.top
        scale[slot] = np.maximum(_leaned(mixed, more), LEAST * sigma)


def _high(layout: Layout, state: State, cell: Cell, error: Reals) -> None:
    """Note the highest error of the day, and at its end the mean of the three highest of four weeks."""
    today = state.highs[(cell.number // layout.slots) % HIGHS]
    if cell.number % layout.slots == 0:
        today[:] = 0
    np.maximum(today, error, out=today)
    if cell.number % layout.slots == layout.slots - 1:
        state.top[:] = np.partition(state.highs, HIGHS - 3, axis=0)[-3:].mean(axis=0)


def _move(row: Reals, value: Reals, weight: Reals | float, where: Mask) -> None:
    """Average a value into a row, in place; where it was never seen it is the value."""
    moved = row + weight * (value - row)
    np.copyto(row, np.where(np.isnan(row), value, moved), where=where, casting="same_kind")


def _around(rows: Reals, slot: int, reach: int) -> Reals:
    """Rows of a time of day and those around it."""
    first, last = slot - reach, slot + reach + 1
    if first >= 0 and last <= len(rows):
        return rows[first:last]
    return rows[np.arange(first, last) % len(rows)]


def read(layout: Layout, rows: Reals, slot: int, some: slice | NDArray[np.int64] = EVERY) -> Reals:
    """A time of day of some series read through the kernel; as it stands where a neighbour was never seen."""
    read = layout.kernel @ _around(rows, slot, len(layout.kernel) // 2)[:, some]
    return np.where(np.isnan(read), rows[slot, some], read)
