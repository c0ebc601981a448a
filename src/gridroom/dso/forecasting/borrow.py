"""A new series, until it has a day of its own: the shape of the others, as a share of the limit, at its own level."""

import numpy as np

from gridroom.dso.forecasting.layout import Layout, Mask, Reals
from gridroom.dso.forecasting.learn import AROUND, LOAD, LOAD_NEAR, OWN, TOP, TOP_NEAR
from gridroom.dso.forecasting.pool import Shape
from gridroom.dso.forecasting.state import AVERAGES, State
from gridroom.timegrid import HOUR

HOURS = 6
"""Hours of measurements that weigh as much as the usual level of the others."""

HIGH = 2.5
"""Highest errors of a series, in spreads, before they are known."""


def admit(layout: Layout, state: State, shape: Shape | None, limit: Reals, which: Mask) -> None:
    """Give series of which nothing is known the shape of the others, in place.

    Args:
        layout: The length of block.
        state: What was learned.
        shape: That of the others; None: nothing happens.
        limit: Limit of each series, shape (S,).
        which: The series that may be meant, shape (S,).
    """
    new = which & (state.learned == 0)
    if shape is None or not new.any():
        return
    limit = limit[new]
    mean, spread = np.outer(shape.mean, limit), np.outer(np.sqrt(shape.variance), limit)
    usual = np.sqrt((spread**2).mean(axis=0))
    for rows in (state.fast, state.slow, *state.week, *state.mix[:AVERAGES]):
        rows[:, new] = mean
    state.mix[AVERAGES:, :, new] = 0
    for rows, longer, scale, of_load, of_top in (
        (state.day, state.day_long, state.scale_day, LOAD, TOP),
        (state.near, state.near_long, state.scale_near, LOAD_NEAR, TOP_NEAR),
    ):
        rows[:, new] = longer[:, new] = spread**2
        scale[:, new] = (OWN + AROUND) * spread + of_load * np.maximum(mean, 0) + of_top * HIGH * usual
    state.peak[:, new] = mean + HIGH * spread
    state.highs[:, new] = state.top[new] = HIGH * usual
    state.start[:, new] = HOURS * (HOUR / layout.block) * mean.mean(axis=0)


def level(layout: Layout, state: State, shape: Shape | None, limit: Reals, slot: int, load: Reals) -> None:
    """Let the first day of a new series set its level, in place.

    Args:
        layout: The length of block.
        state: What was learned.
        shape: That of the others.
        limit: Limit of each series, shape (S,).
        slot: Time of day of the block.
        load: Shape (S,); NaN where not measured.
    """
    new = (state.start[1] > 0) & (state.learned < layout.slots) & ~np.isnan(load)
    if shape is None or not new.any():
        return
    before, spread = _found(layout, state, shape, limit)
    state.start[0, new] += np.maximum(load[new], 0)
    state.start[1, new] += np.maximum(shape.mean[slot] * limit[new], 0)
    after, spread_after = _found(layout, state, shape, limit)
    grown, narrowed = (after / before)[new], (spread_after / spread)[new]
    for rows in (state.fast, state.slow, *state.week, *state.mix):
        rows[:, new] *= grown
    for rows in (state.day, state.near, state.day_long, state.near_long):
        rows[:, new] *= narrowed**2
    for rows in (state.scale_day, state.scale_near):
        rows[:, new] *= narrowed
    state.highs[:, new] *= narrowed
    state.top[new] *= narrowed


def _found(layout: Layout, state: State, shape: Shape, limit: Reals) -> tuple[Reals, Reals]:
    """Level of each series over the usual one, and its spread, as far as known, shapes (S,)."""
    ratio = np.maximum(state.start[0], 1e-9) / np.maximum(state.start[1], 1e-9)
    own = shape.relative.mean() * (ratio * shape.mean.mean() * limit) ** 2
    known = state.learned / (state.learned + HOURS * (HOUR / layout.block))
    return ratio, np.sqrt(known * own + (1 - known) * shape.variance.mean() * limit**2)
