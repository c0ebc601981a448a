"""Quantiles by gradient boosted trees (LightGBM), trained on the past of all series with features of their own only.

Loads are divided by the series' own mean absolute load of four weeks, so that one model serves all. The trees' upper
quantile less their median is the scale of the calibrated margin.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridroom.dso.backtest.baselines.history import History
from gridroom.dso.backtest.calendar import local
from gridroom.dso.backtest.grid import Amps
from gridroom.dso.backtest.method import Setting
from gridroom.timegrid import DAY

Floats = NDArray[np.float32]

WEEKS = (1, 2, 3, 4)

MEMORY_DAYS = 28
"""Oldest day that a feature looks at."""

TRAINING_DAYS = 84
"""Days trained on."""

RETRAIN_DAYS = 28

ROWS = 150_000
"""Rows trained on, drawn from those days."""

UPPER = 0.98
"""Quantile that, less the median, makes the scale."""

LEAST_SHARE = 0.02
"""Least scale, as a share of the series' mean absolute load."""

TREES = 100
LEAST_IN_LEAF = 100
CHOICES: dict[str, Any] = {
    "objective": "quantile",
    "learning_rate": 0.1,
    "num_leaves": 31,
    "min_data_in_leaf": LEAST_IN_LEAF,
    "max_bin": 63,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
    "seed": 1,
}


class Trees:
    """See `Expectation`."""

    def __init__(self, series: int, setting: Setting) -> None:
        self._setting = setting
        self._series = series
        self._models: tuple[Any, Any] | None = None
        self._trained = 0

    def learn(self, history: History, now: int, start: datetime, error: Amps | None) -> None:  # noqa: ARG002
        """Train on the past, every four weeks."""
        if self._models is not None and now - self._trained < RETRAIN_DAYS * self._setting.day:
            return
        import lightgbm

        rows = list(self._past(history, now, start))
        if not rows or sum(len(target) for _, target in rows) < 10 * LEAST_IN_LEAF:
            return
        features, targets = (np.concatenate(parts) for parts in zip(*rows, strict=True))
        models = []
        for level in (0.5, UPPER):
            data = lightgbm.Dataset(features, targets, params={"max_bin": CHOICES["max_bin"], "verbosity": -1})
            models.append(lightgbm.train(CHOICES | {"alpha": level}, data, num_boost_round=TREES))
        self._models = (models[0], models[1])
        self._trained = now

    def expect(self, history: History, now: int, n: int, start: datetime) -> tuple[Amps, Amps]:
        """Median, and upper quantile less median."""
        mean = np.full((n, self._series), np.nan, dtype=np.float32)
        if self._models is None:
            return mean, mean
        features, unit = self._features(history, now, n, start)
        middle, upper = (m.predict(features, num_threads=1).reshape(n, -1).astype(np.float32) for m in self._models)
        scale = np.maximum(upper - middle, np.float32(LEAST_SHARE))
        return middle * unit, scale * unit

    def _past(self, history: History, now: int, start: datetime) -> Iterator[tuple[Floats, Floats]]:
        """Features and targets of some rows of each past day, as they were known when it began."""
        day = self._setting.day
        days = min(TRAINING_DAYS, now // day - MEMORY_DAYS)
        for back in range(1, days + 1):
            first = now - back * day
            chance = np.random.default_rng(first)
            features, unit = self._features(history, first, day, start - back * DAY)
            target = (history.span(first, first + day) / unit).ravel()
            usable = np.flatnonzero(np.isfinite(target))
            some = chance.choice(usable, min(len(usable), ROWS // days + 1), replace=False)
            yield features[some], target[some]

    def _features(self, history: History, now: int, n: int, start: datetime) -> tuple[Floats, Amps]:
        """Features known at block `now`, shape (n * series, features), and the unit of each series [A]."""
        setting, day = self._setting, self._setting.day
        with np.errstate(invalid="ignore", divide="ignore"):
            past = history.span(now - MEMORY_DAYS * day, now)
            known = ~np.isnan(past)
            count = np.where((counted := known.sum(axis=0)) > 0, counted, np.nan)
            filled = np.where(known, past, 0)
            unit = np.maximum(np.abs(filled).sum(axis=0) / count, 1e-3).astype(np.float32)
            mean = filled.sum(axis=0) / count
            spread = np.sqrt(np.maximum((filled**2).sum(axis=0) / count - mean**2, 0))
            times = (filled.reshape(MEMORY_DAYS, day, -1), known.reshape(MEMORY_DAYS, day, -1))
            month, week = (self._by_time(*(part[-d:] for part in times)) for d in (MEMORY_DAYS, 7))
            again = (np.arange(n) % day)[:, None] * np.ones(1, dtype=np.int64)
            yesterday = past[-day:]
            recent = filled[-day:].sum(axis=0) / np.where((last := known[-day:].sum(axis=0)) > 0, last, np.nan)
            weeks = [history.span(now - 7 * k * day, now - 7 * k * day + n) for k in WEEKS]
            repeat = again[:, 0]
            loads = [*weeks, sum(weeks) / len(weeks), yesterday[repeat], month[0][repeat], month[1][repeat]]
            loads += [week[0][repeat], *(np.broadcast_to(x, weeks[0].shape) for x in (mean, spread, recent))]
            columns = [(column / unit).astype(np.float32) for column in loads]
        columns += [np.broadcast_to(x[:, None], weeks[0].shape) for x in self._calendar(start, n, setting)]
        return np.stack(columns, axis=-1).reshape(n * self._series, -1), unit

    @staticmethod
    def _by_time(filled: Amps, known: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Mean and deviation per time of day over some days, shapes (day, series)."""
        count = known.sum(axis=0)
        mean = filled.sum(axis=0) / np.where(count > 0, count, np.nan)
        square = (filled**2).sum(axis=0) / np.where(count > 0, count, np.nan)
        return mean, np.sqrt(np.maximum(square - mean**2, 0))

    @staticmethod
    def _calendar(start: datetime, n: int, setting: Setting) -> tuple[Floats, ...]:
        """Local time of day, day of the week (holidays as an eighth), shapes (n,)."""
        days, minutes = local(start, n, setting.block, setting.zone)
        weekday = (days - 1) % 7
        if setting.holidays:
            import holidays

            free = holidays.country_holidays(setting.holidays)
            off = {int(day) for day in np.unique(days) if datetime.fromordinal(int(day)) in free}
            weekday = np.where(np.isin(days, list(off)), 7, weekday)
        return minutes.astype(np.float32), weekday.astype(np.float32)
