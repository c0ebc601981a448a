"""A plain expectation, and a margin whose factor is the quantile of its own errors over the last four weeks.

Once a day: what was expected of the day that ended is scored, score = (load - mean) / scale, by the criterion asked;
the expectation of the next day is made. The factor is the quantile (1 - risk) of all series' scores of 28 days, at the
rank of split conformal prediction: ceil((n + 1) (1 - risk)) of n. Bound = mean + factor * scale.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np

from gridroom.dso.backtest.baselines.history import History
from gridroom.dso.backtest.grid import Amps
from gridroom.dso.backtest.judge import TENTH
from gridroom.dso.backtest.method import Criterion, Reals, Setting

WINDOW_DAYS = 28
"""Days whose scores are pooled."""


class Expectation(Protocol):
    """What is expected of a series, and the scale of its error."""

    def learn(self, history: History, now: int, start: datetime, error: Amps | None) -> None:
        """Look at everything before block `now`, whose start is given; called once a day.

        Args:
            history: What was observed.
            now: The first block not observed.
            start: Its start. [UTC]
            error: Errors of the day before, shape (day, series), NaN where unknown; None when it was not expected. [A]
        """
        ...

    def expect(self, history: History, now: int, n: int, start: datetime) -> tuple[Amps, Amps]:
        """Mean and scale of `n` blocks from `now`, of what came before, shapes (n, series); NaN where unknown. [A]"""
        ...


@dataclass
class Scores:
    """Scores of the last days.

    Attributes:
        days: Shape (series and blocks of a day that have a score,) each.
        factors: Quantiles asked since the last day came in, by level.
    """

    days: deque[Amps] = field(default_factory=lambda: deque(maxlen=WINDOW_DAYS))
    factors: dict[float, float] = field(default_factory=dict)

    def take(self, scores: Amps) -> None:
        """Add a day; NaN has no score."""
        self.days.append(scores[np.isfinite(scores)])
        self.factors.clear()

    def factor(self, level: float) -> float:
        """Factor that scores stay under with probability `level`; NaN when there are too few to tell."""
        if level not in self.factors:
            self.factors[level] = quantile(np.concatenate(self.days) if self.days else np.empty(0), level)
        return self.factors[level]


def quantile(scores: Reals, level: float) -> float:
    """The ceil((n + 1) level)-th of n scores; NaN where that would be beyond the last.

    >>> quantile(np.arange(1.0, 100.0), 0.95), quantile(np.arange(1.0, 10.0), 0.95)
    (95.0, nan)
    """
    rank = math.ceil((scores.size + 1) * level - 1e-9)
    if rank > scores.size:
        return math.nan
    return float(np.partition(scores, rank - 1)[rank - 1])


@dataclass(frozen=True)
class Bounds:
    """A baseline's forecast; see `Issue`."""

    mean: Amps
    bound: Amps
    scale: Amps
    scores: Scores

    def bound_at(self, level: float) -> Reals:
        """Load that a block stays under with probability `level`, shape (n, series). [A]"""
        return self.mean + np.float32(self.scores.factor(level)) * self.scale


class Baseline:
    """An expectation with a calibrated margin; see `Method`."""

    def __init__(self, name: str, expectation: Expectation, series: int, setting: Setting) -> None:
        self.name = name
        self._expectation = expectation
        self._setting = setting
        self._history = History(series)
        whole_days = not setting.every % timedelta(days=1)
        self._span = setting.day if whole_days else 2 * setting.day
        self._blocks, self._asked = Scores(), Scores()
        self._next = 0
        self._kept: tuple[int, Amps, Amps] | None = None

    def observe(self, time: datetime, load: Reals) -> None:  # noqa: ARG002
        """Take in a block; see `Method`."""
        self._history.append(load)

    def issue(self, start: datetime, n: int) -> Bounds:
        """Forecast `n` blocks; a day is expected at its beginning, for all issues in it."""
        now, day = self._history.blocks, self._setting.day
        # what is older than twice the window has no part in any score, so nobody has to expect it
        self._next = max(self._next, now // day - 2 * WINDOW_DAYS, 0)
        while self._next <= now // day:
            first = self._next * day
            self._close(first, start - (now - first) * self._setting.block)
            self._next += 1
        assert self._kept is not None  # noqa: S101
        begin, mean, scale = self._kept
        here = slice(now - begin, now - begin + n)
        bound = mean[here] + np.float32(self._asked.factor(1 - self._setting.risk)) * scale[here]
        return Bounds(mean[here], bound, scale[here], self._blocks)

    def _close(self, now: int, start: datetime) -> None:
        """Score the day that ends at block `now`, and expect what follows."""
        day = self._setting.day
        error = None
        if self._kept and self._kept[0] == now - day:
            error = self._history.span(now - day, now) - self._kept[1][:day]
            self._score(error, self._kept[2][:day])
        self._expectation.learn(self._history, now, start, error)
        self._kept = (now, *self._expectation.expect(self._history, now, self._span, start))

    def _score(self, error: Amps, scale: Amps) -> None:
        self._blocks.take(error / scale)
        if self._setting.criterion is Criterion.QUARTER:
            self._asked.take(error / scale)
            return
        hour = self._setting.hour
        windows = np.lib.stride_tricks.sliding_window_view
        error, scale = (windows(a, hour, axis=0).mean(axis=-1) for a in (error, scale))
        if self._setting.criterion is Criterion.HOUR_TENTH:
            error = error - np.float32(TENTH) * self._setting.limits.astype(np.float32)
        self._asked.take(error / scale)
