"""The figures of a method, as they go into tables and JSON."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gridroom.dso.backtest.calendar import Ints, local
from gridroom.dso.backtest.grid import Loads
from gridroom.dso.backtest.judge import Sums, Verdict
from gridroom.dso.backtest.method import Criterion, Setting
from gridroom.dso.backtest.plan import Plan
from gridroom.dso.backtest.run import LEVELS, Record

SERIES_BELOW = 0.95
"""Share of the series that stay below `exceedance_p95_series`."""

DIGITS = 7
"""Decimals in JSON."""


@dataclass(frozen=True)
class Figures:
    """How a method fared. Shares are of one; what they are of, docs/results.md defines.

    Attributes:
        series: Judged series.
        blocks: Judged blocks of time.
        values: Measured loads judged: at most series times blocks.
        offered_share: Offered, of what perfect foresight would have offered.
        offered_share_lead: The same at the k-th block of every issue, by k.
        exceedance_15min: Blocks that exceeded, whatever their length.
        exceedance_1h: Hours (rolling) whose mean exceeded.
        exceedance_1h10: Hours whose mean exceeded the limit by more than a tenth.
        exceedance_error: Standard error of the exceedance by the criterion asked, with local days as clusters.
        exceedance_p95_series: What 95 % of the series stay below, by the criterion asked.
        exceedance_worst_day: Greatest share on one local day over all series, by the criterion asked.
        mae_over_mean: Sum of absolute errors, of the sum of absolute loads.
        pinball_95: Mean pinball loss of the .95 bound. [A]
        pinball_99: Mean pinball loss of the .99 bound. [A]
        pinball_999: Mean pinball loss of the .999 bound. [A]
        coverage_95: Loads not above the .95 bound.
        coverage_99: Loads not above the .99 bound.
        coverage_999: Loads not above the .999 bound.
        without_forecast: Measured loads for which there was no forecast.
        cpu_us_per_series_issue: CPU time of issuing, per series and issue. [microseconds]
        cpu_us_per_series_observe: CPU time of taking in, per series and block. [microseconds]
    """

    series: int
    blocks: int
    values: int
    offered_share: float
    offered_share_lead: dict[str, float]
    exceedance_15min: float
    exceedance_1h: float
    exceedance_1h10: float
    exceedance_error: float
    exceedance_p95_series: float
    exceedance_worst_day: float
    mae_over_mean: float
    pinball_95: float
    pinball_99: float
    pinball_999: float
    coverage_95: float
    coverage_99: float
    coverage_999: float
    without_forecast: float
    cpu_us_per_series_issue: float
    cpu_us_per_series_observe: float

    def as_json(self) -> dict[str, Any]:
        """As JSON has it; what cannot be told is null."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def figures(record: Record, verdict: Verdict, loads: Loads, plan: Plan, setting: Setting) -> Figures:
    """Make figures of the sums."""
    count = verdict.counts[setting.criterion]
    judged = count.series > 0
    own = count.over_series[judged] / count.series[judged]
    over, blocks = by_day(verdict, loads, plan, setting)
    values = verdict.values or math.nan
    loss, covered = verdict.pinball / values, verdict.covered / values
    places = [LEVELS.index(level) for level in (0.95, 0.99, 0.999)]
    return Figures(
        series=record.measured.shape[2],
        blocks=record.measured.shape[0] * record.measured.shape[1],
        values=verdict.values,
        offered_share=_ratio(verdict.offered.sum(), verdict.room.sum()),
        offered_share_lead={
            str(lead): _ratio(offered, room)
            for lead, offered, room in zip(plan.leads, record.lead_offered, record.lead_room, strict=True)
        },
        exceedance_15min=verdict.counts[Criterion.QUARTER].share,
        exceedance_1h=verdict.counts[Criterion.HOUR].share,
        exceedance_1h10=verdict.counts[Criterion.HOUR_TENTH].share,
        exceedance_error=_clustered(over, blocks),
        exceedance_p95_series=float(np.quantile(own, SERIES_BELOW)) if len(own) else math.nan,
        exceedance_worst_day=_worst(over, blocks),
        mae_over_mean=_ratio(verdict.error, verdict.load),
        **{f"pinball_{name}": float(loss[k]) for name, k in zip(("95", "99", "999"), places, strict=True)},
        **{f"coverage_{name}": float(covered[k]) for name, k in zip(("95", "99", "999"), places, strict=True)},
        without_forecast=verdict.without / values,
        cpu_us_per_series_issue=record.issue_us,
        cpu_us_per_series_observe=record.observe_us,
    )


def by_day(verdict: Verdict, loads: Loads, plan: Plan, setting: Setting) -> tuple[Sums, Sums]:
    """What exceeded the criterion asked, and what was judged, per local day, shapes (days,)."""
    count = verdict.counts[setting.criterion]
    days, _ = clock(loads, plan, setting)
    place = np.unique(days.ravel(), return_inverse=True)[1]
    over, blocks = (np.bincount(place, each.ravel()).astype(np.float64) for each in (count.over, count.blocks))
    return over, blocks


def clock(loads: Loads, plan: Plan, setting: Setting) -> tuple[Ints, Ints]:
    """Local day and minute of each judged block, shapes (issues, blocks)."""
    places = np.array(plan.starts)[:, None] + plan.offset + np.arange(plan.judged)
    days, minutes = local(loads.time(plan.first), int(places.max()) + 1 - plan.first, loads.block, setting.zone)
    return days[places - plan.first], minutes[places - plan.first]


def _worst(over: Sums, blocks: Sums) -> float:
    """Greatest share of a day; a day with less than half of what others have is none."""
    whole = blocks > 0.5 * blocks.max(initial=0)
    return float((over[whole] / blocks[whole]).max()) if whole.any() else math.nan


def _clustered(over: Sums, blocks: Sums) -> float:
    """Standard error of the overall share when days are independent, but not the blocks of a day.

    The ratio estimator: share = sum of over / sum of blocks, so its error is the root of the sum of squares of
    (over - share * blocks), times days / (days - 1), divided by the sum of blocks.
    """
    days = int((blocks > 0).sum())
    if days < 2:
        return math.nan
    off = over - over.sum() / blocks.sum() * blocks
    return float(np.sqrt((off**2).sum() * days / (days - 1)) / blocks.sum())


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, float):
        return round(value, DIGITS) if math.isfinite(value) else None
    return value


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else math.nan
