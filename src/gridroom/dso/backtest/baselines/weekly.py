"""Means over the same block of earlier weeks; the scale is the series' own root mean square error of four weeks."""

from collections import deque
from datetime import datetime, timedelta

import numpy as np

from gridroom.dso.backtest.baselines.history import History
from gridroom.dso.backtest.grid import Amps, Ints
from gridroom.dso.backtest.method import Setting

WEEK = timedelta(weeks=1)
DAYS_IN_WEEK = 7

MEMORY_DAYS = 28
"""Days of errors that make the scale."""

LEAST_SHARE = 1e-3
"""Least scale, as a share of the limit: a series that never moves may begin to."""


class Weekly:
    """See `Expectation`."""

    def __init__(self, setting: Setting, weeks: tuple[int, ...]) -> None:
        self._week = WEEK // setting.block
        self._day = setting.day
        self._weeks = weeks
        self._limits = setting.limits.astype(np.float32)
        self._scale = np.full(len(setting.limits), np.nan, dtype=np.float32)
        self._squares: deque[Amps] = deque(maxlen=MEMORY_DAYS)
        self._counts: deque[Ints] = deque(maxlen=MEMORY_DAYS)

    def learn(self, history: History, now: int, start: datetime, error: Amps | None) -> None:  # noqa: ARG002
        """Take the scale from the errors of four weeks."""
        if error is None:
            return
        known = ~np.isnan(error)
        self._squares.append((np.where(known, error, np.float32(0)) ** 2).sum(axis=0))
        self._counts.append(known.sum(axis=0))
        count = sum(self._counts)
        with np.errstate(invalid="ignore", divide="ignore"):
            own = np.sqrt(sum(self._squares) / np.where(count, count, np.nan)).astype(np.float32)
        self._scale = self._or_pooled(own)

    def _or_pooled(self, scale: Amps) -> Amps:
        """A series without errors yet has the median scale of the others, as shares of their limits."""
        shares = scale / self._limits
        known = ~np.isnan(shares)
        usual = np.median(shares[known]) if known.any() else np.nan
        scale = np.where(known, scale, usual * self._limits)
        least: Amps = np.maximum(scale, LEAST_SHARE * self._limits)
        return least

    def expect(self, history: History, now: int, n: int, start: datetime) -> tuple[Amps, Amps]:  # noqa: ARG002
        """The mean; where no week knows the block, the last day that does."""
        mean = self._mean(history, now, now + n)
        for days in range(1, DAYS_IN_WEEK):
            if not (gone := np.isnan(mean)).any():
                break
            length = days * self._day
            for first in range(0, n, length):
                part = slice(first, min(n, first + length))
                before = history.span(now - length, now - length + part.stop - first)
                mean[part] = np.where(gone[part], before, mean[part])
        return mean, np.broadcast_to(self._scale, mean.shape)

    def _mean(self, history: History, first: int, end: int) -> Amps:
        """Mean over the weeks that know a block, shape (end - first, series). [A]"""
        total = np.zeros((end - first, len(self._limits)), dtype=np.float32)
        count = np.zeros_like(total)
        for weeks in self._weeks:
            back = weeks * self._week
            before = history.span(first - back, end - back)
            known = ~np.isnan(before)
            np.add(total, before, out=total, where=known)
            count += known
        return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
