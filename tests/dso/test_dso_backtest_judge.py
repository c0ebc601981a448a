"""The figures of a backtest, against their definitions spelled out block by block."""

import math
from datetime import timedelta
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest_checks import DAY, HOUR, QUARTER, START, Peeking, invented, setting
from gridroom.dso.backtest.calendar import local
from gridroom.dso.backtest.figures import Figures, figures
from gridroom.dso.backtest.grid import Loads
from gridroom.dso.backtest.judge import judge
from gridroom.dso.backtest.method import Criterion, Setting
from gridroom.dso.backtest.plan import Plan
from gridroom.dso.backtest.run import LEVELS, Record, run


def plainly(record: Record, plan: Plan, loads: Loads, told: Setting) -> dict[str, Any]:
    """Every figure by loops over single blocks."""
    issues, blocks, series = record.measured.shape
    offered_sum = room = error = load_sum = 0.0
    over = {c: [0, 0] for c in Criterion}
    own = [[0, 0] for _ in range(series)]
    days: dict[int, list[int]] = {}
    loss, covered, values = [0.0] * 3, [0] * 3, 0
    local_day, _ = local(loads.time(0), loads.blocks, loads.block, told.zone)
    for s in range(series):
        limit = float(record.limits[s])
        cells = []  # (window group, block of time, measured, offered) in the order of time
        for i, start in enumerate(plan.starts):
            for b in range(blocks):
                measured, bound = float(record.measured[i, b, s]), float(record.bound[i, b, s])
                offered = 0.0 if math.isnan(bound) else min(max(limit - bound, 0.0), limit)
                group = i if plan.day_ahead else 0
                cells.append((group, start + plan.offset + b, measured, offered))
                if math.isnan(measured):
                    continue
                values += 1
                offered_sum += offered
                room += min(max(limit - measured, 0.0), limit)
                mean = float(record.mean[i, b, s])
                error += abs(measured - (0.0 if math.isnan(mean) else mean))
                load_sum += abs(measured)
                for k, level in enumerate(LEVELS):
                    edge = float(record.levels[k][i, b, s])
                    edge = limit if math.isnan(edge) else edge
                    off = measured - edge
                    loss[k] += level * off if off > 0 else (level - 1) * off
                    covered[k] += off <= 1e-6 * limit
        for n in range(len(cells)):
            window = cells[max(0, n - told.hour + 1) : n + 1]
            whole = len(window) == told.hour and len({c[0] for c in window}) == 1
            for criterion in Criterion:
                some = [cells[n]] if criterion is Criterion.QUARTER else window
                if (criterion is not Criterion.QUARTER and not whole) or any(math.isnan(c[2]) for c in some):
                    continue
                offered = sum(c[3] for c in some) / len(some)
                total = sum(c[2] for c in some) / len(some) + offered
                top = limit * (1.1 if criterion is Criterion.HOUR_TENTH else 1.0)
                exceeded = offered > 0 and total > top + 1e-6 * limit
                over[criterion][0] += exceeded
                over[criterion][1] += 1
                if criterion is told.criterion:
                    own[s][0] += exceeded
                    own[s][1] += 1
                    day = days.setdefault(int(local_day[cells[n][1]]), [0, 0])
                    day[0] += exceeded
                    day[1] += 1
    most = max(whole for _, whole in days.values())
    shares = [part / whole for part, whole in own if whole]
    share = sum(part for part, _ in days.values()) / sum(whole for _, whole in days.values())
    squares = sum((part - share * whole) ** 2 for part, whole in days.values())
    return {
        "exceedance_error": math.sqrt(squares * len(days) / (len(days) - 1)) / sum(whole for _, whole in days.values()),
        "series": series,
        "blocks": issues * blocks,
        "values": values,
        "offered_share": offered_sum / room,
        "exceedance_15min": over[Criterion.QUARTER][0] / over[Criterion.QUARTER][1],
        "exceedance_1h": over[Criterion.HOUR][0] / over[Criterion.HOUR][1],
        "exceedance_1h10": over[Criterion.HOUR_TENTH][0] / over[Criterion.HOUR_TENTH][1],
        "exceedance_p95_series": float(np.quantile(shares, 0.95)),
        "exceedance_worst_day": max(part / whole for part, whole in days.values() if whole > most / 2),
        "mae_over_mean": error / load_sum,
        **{f"pinball_{name}": loss[k] / values for k, name in enumerate(("95", "99", "999"))},
        **{f"coverage_{name}": covered[k] / values for k, name in enumerate(("95", "99", "999"))},
    }


def judged(record: Record, plan: Plan, loads: Loads, told: Setting) -> Figures:
    return figures(record, judge(record, plan, told.hour), loads, plan, told)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    block=st.sampled_from([QUARTER, 2 * QUARTER, HOUR]),
    every=st.sampled_from([1, 3, 24, 48]),
    criterion=st.sampled_from(list(Criterion)),
)
def test_the_figures_are_those_of_their_definitions(
    seed: int, block: timedelta, every: int, criterion: Criterion
) -> None:
    loads = invented(5, 3, block, seed)
    told = setting(loads, every * HOUR, criterion)
    day = DAY // block
    plan = Plan(2 * day, 5 * day, every * told.hour, day)
    chance = np.random.default_rng(seed)
    shape = (len(plan.starts), plan.judged, 3)
    places = np.array(plan.starts)[:, None] + plan.offset + np.arange(plan.judged)
    measured = loads.amps[places]

    def said(more: float) -> Any:
        values = np.where(np.isnan(measured), 10.0, measured) + chance.normal(more, 5, shape)
        values[chance.random(shape) < 0.02] = np.nan
        return values.astype(np.float32)

    levels = tuple(said(more) for more in (4, 6, 9))
    leads = np.zeros(len(plan.leads))
    record = Record("m", measured, said(0), said(3), levels, told.limits, leads, leads, 0, 0)
    found = judged(record, plan, loads, told)
    for name, value in plainly(record, plan, loads, told).items():
        assert getattr(found, name) == pytest.approx(value, rel=1e-6, abs=1e-9), name


def test_perfect_foresight_offers_everything_and_never_too_much() -> None:
    loads = invented(6)
    told = setting(loads)
    plan = Plan(48, 144, 24, 24)
    found = judged(run(lambda n, s: Peeking(loads), loads, plan, told), plan, loads, told)
    assert found.offered_share == pytest.approx(1)
    assert found.offered_share_lead == pytest.approx({"1": 1, "2": 1, "4": 1, "8": 1, "24": 1})
    assert found.exceedance_15min == found.exceedance_1h == found.mae_over_mean == 0
    assert found.coverage_95 == 1


def test_who_offers_an_ampere_too_much_always_exceeds() -> None:
    loads = invented(6)
    told = setting(loads)
    plan = Plan(48, 144, 24, 24)
    found = judged(run(lambda n, s: Peeking(loads, more=-1.0), loads, plan, told), plan, loads, told)
    assert found.exceedance_15min == found.exceedance_worst_day == found.exceedance_p95_series == 1
    assert found.exceedance_1h10 == 0
    assert found.coverage_95 == 0


def test_without_a_bound_nothing_is_offered_and_nothing_exceeds() -> None:
    loads = invented(6)
    told = setting(loads)
    plan = Plan(48, 144, 24, 24)
    for nothing in (np.nan, np.inf):
        make = partial(lambda more, n, s: Peeking(loads, more), nothing)
        found = judged(run(make, loads, plan, told), plan, loads, told)
        assert found.offered_share == 0
        assert found.exceedance_15min == found.exceedance_1h == 0
        assert 0 < found.pinball_95 < 100


def test_back_feed_is_never_sold() -> None:
    loads = Loads(("pv",), START, HOUR, np.full((72, 1), -5.0, np.float32))
    told = Setting(HOUR, DAY, setting(invented(2)).zone, "", 0.01, Criterion.QUARTER, np.array([10.0]))
    plan = Plan(24, 72, 24, 24)
    record = run(lambda n, s: Peeking(loads), loads, plan, told)
    found = judge(record, plan, 1)
    assert found.offered.sum() == found.room.sum() == 48 * 10.0


def test_a_block_is_exceeded_only_beyond_its_limit_and_only_where_something_was_offered() -> None:
    measured = np.array([[[7.0], [7.1], [12.0], [np.nan]]], np.float32)
    bound = np.array([[[7.0], [7.0], [11.0], [0.0]]], np.float32)
    record = Record("m", measured, bound, bound, (bound,) * 3, np.array([10.0]), np.zeros(1), np.zeros(1), 0, 0)
    count = judge(record, Plan(0, 4, 4, 4), 4).counts
    assert count[Criterion.QUARTER].over.tolist() == [[0, 1, 0, 0]]
    assert count[Criterion.QUARTER].blocks.tolist() == [[1, 1, 1, 0]]
    assert count[Criterion.HOUR].blocks.sum() == 0  # the only hour has a gap


def test_hours_roll_over_the_blocks_in_force_but_never_from_one_day_ahead_into_the_next() -> None:
    measured = np.full((2, 4, 1), 5.0, np.float32)
    bound = np.zeros_like(measured)
    record = Record("m", measured, bound, bound, (bound,) * 3, np.array([10.0]), np.zeros(1), np.zeros(1), 0, 0)
    ahead = judge(record, Plan(0, 8, 4, 4), 4).counts[Criterion.HOUR]
    in_force = judge(record, Plan(0, 9, 4, 96), 4).counts[Criterion.HOUR]
    assert ahead.blocks.tolist() == [[0, 0, 0, 1], [0, 0, 0, 1]]
    assert in_force.blocks.tolist() == [[0, 0, 0, 1], [1, 1, 1, 1]]
    assert in_force.share == ahead.share == 1


def test_the_error_of_a_share_tells_how_far_days_alone_would_move_it() -> None:
    loads = invented(62, 1)
    told = setting(loads)
    plan = Plan(24, 24 * 62, 24, 24)
    chance = np.random.default_rng(3)
    found = []
    for _ in range(300):
        bad = chance.random(len(plan.starts)) < 0.1  # on a bad day, each of 10 series exceeds half of the time
        measured = (2.0 * bad[:, None, None] * (chance.random((len(bad), 24, 10)) < 0.5)).astype(np.float32)
        nothing = np.zeros_like(measured)
        leads = np.zeros(5)
        record = Record("m", measured, nothing, nothing, (nothing,) * 3, np.ones(10), leads, leads, 0, 0)
        found.append(judged(record, plan, loads, told))
    shares = np.array([one.exceedance_15min for one in found])
    assert np.mean([one.exceedance_error for one in found]) == pytest.approx(shares.std(), rel=0.2)
