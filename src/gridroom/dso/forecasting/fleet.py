"""A fleet of series: takes their loads in, block by block, and says what is to be expected of the next ones.

The whole method is here in a page: `advance` judges what was forecast of a block, learns from it, and forgets nothing
that `outlook` needs. Both cost a few operations per value; nothing is refitted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from gridroom.dso.forecasting import borrow, hours, lean, learn, pool, scores
from gridroom.dso.forecasting.calendar import Calendar, Cell
from gridroom.dso.forecasting.layout import DAY_AHEAD, IN_FORCE, LAST, Layout, Mask, Reals, runs
from gridroom.dso.forecasting.pool import Pool
from gridroom.dso.forecasting.state import AVERAGES, State


class Quality(IntEnum):
    """What a forecast rests on; the higher, the less."""

    GOOD = 0
    LATE = 1  # the last hour was not measured: nothing recent is known
    COLD = 2  # less than a week was learned
    BORROWED = 3  # less than a day was learned: the shape of the other cables
    STALE = 4  # nothing was measured for two days: the highest load of two weeks is expected
    NONE = 5  # nothing to go by: no capacity


COLD_DAYS, BORROWED_DAYS = 7, 1
STALE_DAYS = 2
YOUNG_DAYS, YOUNG = 28, 0.25
"""Until when a series is young, and what is added to its margin until it is no longer cold; that fades in between."""

BORROWED, STALE = 0.2, 0.25
"""What is added to the margin where only the shape of others is known, and where nothing was measured for two days."""


@dataclass(frozen=True)
class Outlook:
    """What is expected of the coming blocks.

    Attributes:
        mean: Expected load, shape (n, S).
        scale: Scale of its error, shape (n, S).
        hours: Factors on it by time of day, as `hours.factors` has them, shape (4, n).
        classes: Class of lead of each block, shape (n,).
        least: Load to be reckoned with at least, shape (n, S); or None.
        caution: Factor on the margin, shape (S,).
        theta: The series' own factors, shape (3, 5, S).
        late: Series of which nothing recent is known: the margin of the day ahead holds throughout, shape (S,).
        quality: What it rests on, shape (S,).
    """

    mean: Reals
    scale: Reals
    hours: Reals
    classes: NDArray[np.int64]
    least: Reals | None
    caution: Reals
    theta: Reals
    late: Mask
    quality: NDArray[np.int8]

    def bound(self, factors: Reals, criterion: int) -> Reals:
        """Load that is exceeded with the asked risk only; infinite where nothing is known, shape (n, S).

        Args:
            factors: From `Factors.at`, shape (5,), or (5, S) where series differ.
            criterion: Index into `CRITERIA`.
        """
        own = np.exp(self.theta[criterion]) * self.caution
        per_class = own * (factors if factors.ndim == 2 else factors[:, None])
        per_class[:, self.late] = per_class[DAY_AHEAD, self.late]
        bound, by_hour, soon = np.empty_like(self.mean), self.hours[criterion], self.hours[hours.SOON]
        for k, rows in runs(self.classes):
            np.multiply(self.scale[rows], per_class[k], out=bound[rows])
            if k == DAY_AHEAD:
                bound[rows] *= by_hour[rows, None]
                continue
            instead = by_hour[rows, None]
            if k <= IN_FORCE and not criterion:
                bound[rows] *= soon[rows, None]
                instead = instead / soon[rows, None]
            if self.late.any():
                bound[rows, self.late] *= instead
        bound += self.mean
        if self.least is not None:
            np.maximum(bound, self.least, out=bound)  # what is not known stays so
        np.copyto(bound, np.inf, where=np.isnan(bound))
        return bound


class Fleet:
    """Series learned side by side.

    Args:
        calendar: Local clock and length of block.
        limits: Limit of each series, shape (S,).
        criteria: Which of `scores.CRITERIA` are to be calibrated.
        state: What was learned; nothing when not given.
        known: What was summed over the series so far; nothing when not given.
    """

    def __init__(
        self,
        calendar: Calendar,
        limits: Reals,
        criteria: Sequence[int] = (0,),
        state: State | None = None,
        known: Pool | None = None,
    ) -> None:
        self.layout, self.calendar = Layout(calendar.block), calendar
        self.limits, self.criteria = limits.astype(np.float32), tuple(sorted({0, *criteria}))
        self.state = State.empty(self.layout, limits.size) if state is None else state
        self.pool = Pool.empty(self.layout) if known is None else known
        self.common = self.pool.common()
        self.panel = pool.panel(limits.size)

    def turn(self, oldest: scores.Counts | None = None) -> None:
        """A new day begins: what was seen on the last one counts from now on.

        Args:
            oldest: Scores of the day that lies four weeks back, which are forgotten.
        """
        self.pool = self.pool.turn(oldest)
        self.common = self.pool.common()
        borrow.admit(self.layout, self.state, self.common.shape, self.limits, self.state.learned == 0)

    def advance(self, number: int, load: Reals, which: Mask | None = None, sure: Mask | None = None) -> None:
        """Take one block in.

        Args:
            number: Blocks since 1970.
            load: Non-controllable load, shape (S,); NaN where it is not known.
            which: The series whose turn it is, shape (S,); all when not given.
            sure: Where it is known to hold no use of electric vehicles, shape (S,); all when not given. What may hold
                some is learned only where it is above what was expected, and tells nothing of margins.
        """
        if which is not None and not which.all():
            part = Fleet.__new__(Fleet)
            mine = {"state": self.state.take(which), "limits": self.limits[which], "panel": self.panel[which]}
            part.__dict__.update(self.__dict__, **mine)
            part.advance(number, load[which], None, None if sure is None else sure[which])
            self.state.put(which, part.state)
            return
        layout, state, common = self.layout, self.state, self.common
        cell = self.calendar.at(number)
        load = load.astype(np.float32)
        borrow.admit(layout, state, common.shape, self.limits, state.start[1] == 0)
        if sure is not None:
            load = np.where(sure | np.isnan(load), load, np.fmax(load, learn.base(state, common.mixing, cell.slot)))
        telling = load if sure is None else np.where(sure, load, np.float32(np.nan))
        borrow.level(layout, state, common.shape, self.limits, cell.slot, load)
        seen = learn.look(layout, state, common.mixing, cell, load)
        scores.keep_hour(layout, state, seen, number)
        warm = state.learned >= COLD_DAYS * layout.slots
        for i in self.criteria:
            score = scores.score(state, seen, self.limits, i)
            score[-1] *= np.exp(-common.hours[i, cell.slot])
            if not i:
                score[: layout.leads[IN_FORCE]] *= np.exp(-common.hours[hours.SOON, cell.slot])
            usable = warm & ~np.isnan(score) & ~np.isnan(telling)
            self._tell(i, cell, seen, score, usable)
            self.pool.scored[i] += scores.count(layout, score, state.theta[i], usable)
            scores.adapt(layout, state.theta[i], score, common.factors.tracked[i], usable)
        pool.gather(layout, state, common, cell, telling, self.limits, self.panel, self.pool.today)
        learn.take(layout, state, common.mixing, cell, self.calendar.at(number - layout.window), load, seen)

    def _tell(self, criterion: int, cell: Cell, seen: learn.Seen, score: Reals, usable: Mask) -> None:
        """Add what the scores of a block tell of the scale to the sums of the day, before it is taken in.

        Args:
            criterion: Index into `CRITERIA`.
            cell: The block.
            seen: What it showed.
            score: By lead, shape (near + 1, S).
            usable: Which of them count, same shape.
        """
        layout, state, common, heard, today = self.layout, self.state, self.common, self.panel, self.pool.today
        theta, rare = state.theta[criterion], common.factors.rare[criterion]
        judged = scores.judge(layout, state, seen, score, theta, rare, usable, heard)
        for which, kind in enumerate((criterion,) if criterion else (criterion, hours.SOON)):
            used, into = common.hours[kind, cell.slot], today.hours[:, kind, cell.slot]
            hours.gather(judged.high[which], judged.weight[which], used, into)
        if not criterion:
            lean.gather(layout, state, common.mixing, cell, judged, heard, today.lean)

    def glance(self, number: int, load: Reals, sure: Mask, which: Mask) -> None:
        """Let the next hours follow a block that cannot be learned yet, without learning it.

        The state is then good for an outlook, and no more for learning.

        Args:
            number: Blocks since 1970.
            load: Shape (S,); NaN where not measured.
            sure: Where it is known to hold no use of electric vehicles; other loads never lower what is expected.
            which: The series that are meant.
        """
        layout, part, cell = self.layout, self.state.take(which), self.calendar.at(number)
        load, known = load[which].astype(np.float32), ~np.isnan(load[which])
        error = load - learn.base(part, self.common.mixing, cell.slot)
        learn.follow(layout, part, cell, error, known & ~sure[which])
        part.gap[:] = np.where(known & sure[which], 0, part.gap + 1)
        self.state.put(which, part)

    def outlook(self, number: int, n: int, waited: NDArray[np.int64] | None = None) -> Outlook:
        """What is expected of `n` blocks, the first of which is `number`.

        Args:
            number: Blocks since 1970.
            n: How many.
            waited: Blocks that passed since each series was taken in, where nothing came any more, shape (S,).
        """
        layout, state, mixing = self.layout, self.state, self.common.mixing
        slots, classes = self.calendar.slots(number, n), layout.classes(n)
        mean = np.empty((n, state.series), dtype=np.float32)
        for row, slot in zip(mean, slots, strict=True):
            learn.base(state, mixing, slot, row)
        scale = state.scale_day[slots]
        gap, now = state.gap, learn.recent(layout, state, number - 1)
        if waited is not None:
            gap, last = gap + waited, (number - 1 - waited) % layout.ring
            then = state.ring[last, :, np.arange(state.series)].T
            faded = layout.keep[:, None] ** waited * then
            now = np.where(waited > 0, np.maximum(faded, then), now)
        quality, late = self.quality(gap), gap >= layout.hour
        near = min(n, layout.near)
        news = mixing.recent[:near] @ now[:-1]
        mean[:near] += np.where(late, np.maximum(news, 0), news)  # what is not known any more never lowers it
        share = np.where(late, np.float32(0), learn.CLOSENESS[classes[:near], None])
        scale[:near] += share * (learn.close(mixing, state.scale_near[slots[:near]], now[LAST], now[-1]) - scale[:near])
        self._read_on(mean, slots, self.calendar.weekdays(number, n), waited)
        stale = quality == Quality.STALE
        least = np.where(stale, state.peak[slots], -np.inf).astype(np.float32) if stale.any() else None
        mean[:, quality == Quality.NONE] = np.nan
        young = np.clip((YOUNG_DAYS - state.days) / (YOUNG_DAYS - COLD_DAYS), 0, 1)
        caution = 1 + np.where(quality == Quality.BORROWED, BORROWED, YOUNG * young) + STALE * stale
        middle = slots + np.array([0, layout.hour // 2, layout.hour // 2, 0])[:, None]  # an hour is judged at its end
        by_hour = np.exp(self.common.hours[np.arange(hours.KINDS)[:, None], middle % layout.slots])
        return Outlook(mean, scale, by_hour, classes, least, caution.astype(np.float32), state.theta, late, quality)

    def _read_on(
        self,
        mean: Reals,
        slots: NDArray[np.int64],
        weekdays: NDArray[np.int64],
        waited: NDArray[np.int64] | None,
    ) -> None:
        """The rows of a time of day are those of its next block; of later ones the week is read anew, in place."""
        layout, state = self.layout, self.state
        usual = max(0, layout.slots - layout.window)
        ahead = np.full(1, usual) if waited is None else np.maximum(0, usual - waited)
        for i in range(int(ahead.min(initial=usual)), len(mean)):
            some = slice(None) if i >= usual else np.flatnonzero(ahead <= i)
            week = learn.read(layout, state.week[weekdays[i]], slots[i], some)
            parts = np.stack([week, state.week[weekdays[i], slots[i], some] - week])
            weekly = slice(AVERAGES - 1, AVERAGES + 1)
            mean[i, some] += self.common.mixing.day[weekly] @ np.nan_to_num(parts - state.mix[weekly, slots[i], some])

    def quality(self, gap: Reals) -> NDArray[np.int8]:
        """What a forecast of each series rests on, shape (S,).

        Args:
            gap: Blocks since it was measured, shape (S,).
        """
        state, n = self.state, self.layout.slots
        result = np.full(state.series, Quality.GOOD, dtype=np.int8)
        for quality, holds in (
            (Quality.LATE, gap >= self.layout.hour),
            (Quality.COLD, state.learned < COLD_DAYS * n),
            (Quality.BORROWED, state.learned < BORROWED_DAYS * n),
            (Quality.STALE, gap >= STALE_DAYS * n),
            (Quality.NONE, (gap >= learn.GONE_DAYS * n) | (state.learned + state.start[1] == 0)),
        ):
            result[holds] = quality
        return result
