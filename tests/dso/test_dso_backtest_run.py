"""Rolling origins: what is known when, which blocks are judged, and what the plain methods say."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest_checks import (
    DAY,
    HOUR,
    QUARTER,
    Peeking,
    assert_nothing_later_is_known,
    assert_others_count_only_together,
    gain_from_a_twin,
    invented,
    issues,
    setting,
)
from gridroom.dso.backtest.baselines import baselines, four_week_mean, weekly_persistence
from gridroom.dso.backtest.baselines.calibrated import quantile
from gridroom.dso.backtest.errors import BacktestError
from gridroom.dso.backtest.grid import Loads
from gridroom.dso.backtest.judge import judge
from gridroom.dso.backtest.method import Criterion, Make
from gridroom.dso.backtest.plan import Plan, plan
from gridroom.dso.backtest.prepare import Choices, prepare
from gridroom.dso.backtest.report import backtest
from gridroom.dso.backtest.run import run

MAKES: dict[str, Make] = {name: make for name, make in baselines().items() if not isinstance(make, str)}


def lived(loads: Loads, found: Plan, new: Any = None) -> Peeking:
    methods = list[Peeking]()

    def make(series: int, told: Any) -> Peeking:
        methods.append(Peeking(loads))
        return methods[0]

    run(make, loads, found, setting(loads, found.every * loads.block), new=new)
    return methods[0]


@settings(max_examples=30, deadline=None)
@given(block=st.sampled_from([QUARTER, HOUR]), every=st.sampled_from([1, 2, 6, 24, 36, 48]), warm=st.integers(1, 4))
def test_every_issue_has_seen_all_that_ended_before_it_and_nothing_later(
    block: timedelta, every: int, warm: int
) -> None:
    loads = invented(8, 2, block)
    found = plan(loads, warm, None, every * HOUR)
    method = lived(loads, found)
    assert [time for time, _ in method.seen] == [loads.time(index) for index in range(found.starts[-1])]
    for start, n, seen in method.asked:
        assert start == loads.time(seen)
        assert n >= found.offset + found.judged
    np.testing.assert_array_equal([load for _, load in method.seen], loads.amps[: len(method.seen)])


def test_day_ahead_every_block_of_the_test_is_judged_once() -> None:
    found = plan(invented(10, 1, QUARTER), 4, None, DAY)
    assert list(found.starts) == [96 * day for day in range(4, 10)]
    assert (found.offset, found.judged, found.leads) == (0, 96, (1, 2, 4, 8, 96))


def test_issued_every_quarter_the_second_block_is_judged() -> None:
    found = plan(invented(10, 1, QUARTER), 4, 2, QUARTER)
    assert (found.offset, found.judged) == (1, 1)
    assert list(found.starts) == list(range(96 * 4, 96 * 6 - 1))
    assert [found.length(start) for start in found.starts][:98] == [96] + [8] * 95 + [96, 8]


def test_issued_every_hour_a_forecast_is_in_force_from_its_second_block_to_the_second_of_the_next() -> None:
    found = plan(invented(10, 1, QUARTER), 4, None, HOUR)
    judged = [start + found.offset + k for start in found.starts for k in range(found.judged)]
    assert judged == list(range(96 * 4 + 1, judged[-1] + 1))
    assert 960 - judged[-1] <= 4


def test_leads_follow_the_blocks_of_a_day() -> None:
    assert plan(invented(10, 1, HOUR), 4, None, DAY).leads == (1, 2, 4, 8, 24)
    assert plan(invented(10, 1, timedelta(minutes=5)), 4, None, DAY).leads == (1, 2, 4, 8, 96, 288)


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        (Choices(risk=0), "--risk: 0 is no share between 0 and 0.5"),
        (Choices(risk=float("nan")), "--risk: nan is no share between 0 and 0.5"),
        (Choices(criterion="2h"), "--criterion: '2h' is none of 15min, 1h, 1h10"),
        (Choices(every="soon"), "--every: 'soon' is no length of time such as 24h, 1h or 15min"),
        (Choices(every="0h"), "--every: '0h' is no length of time such as 24h, 1h or 15min"),
        (Choices(every="90min"), "--every: 90 min is no multiple of the blocks of 60 min"),
        (Choices(zone="Mars/Base"), "--zone: 'Mars/Base' is no time zone such as Europe/Amsterdam"),
        (Choices(zone="../etc"), "--zone: '../etc' is no time zone such as Europe/Amsterdam"),
        (Choices(holidays="Utopia"), "--holidays: 'Utopia' is no country such as NL; leave it empty for none"),
        (Choices(warmup_days=0), "--warmup-days: at least a day is needed; the loads have 6"),
        (Choices(test_days=0), "--test-days: at least a day is needed"),
        (Choices(warmup_days=6), "--warmup-days: 6 leave nothing of 6 whole days to test"),
        (Choices(factor=0), "--limit-factor: 0 is no multiple of a peak"),
        (Choices(factor=2, limits=Path("x")), "--limits and --limit-factor: give one of them"),
        (Choices(new=("s0", "x*")), "--new: there is no series 'x*'; the first is 's0'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_choice_that_cannot_be_is_named(choices: Choices, words: str) -> None:
    with pytest.raises(BacktestError) as caught:
        prepare(invented(6), choices)
    assert str(caught.value) == words


def test_a_series_without_load_in_the_warm_up_is_left_out_and_told() -> None:
    loads = invented(6)
    loads.amps[:, 1] = -3.0
    trial = prepare(loads, Choices())
    assert trial.loads.names == ("s0", "s2", "s3")
    assert [str(one) for one in trial.loads.findings] == [
        "column s1: no load above 0 in the warm-up; 1 series left out"
    ]
    np.testing.assert_allclose(trial.setting.limits, 1.25 * np.nanmax(loads.amps[:72, [0, 2, 3]], axis=0))
    loads.amps[:] = -3.0
    with pytest.raises(BacktestError, match="no series has a load above 0"):
        prepare(loads, Choices())


def test_new_series_are_hidden_before_the_test_and_alone_judged_for_a_week() -> None:
    loads = invented(30)
    trial = prepare(loads, Choices(warmup_days=10, new=("s1*", "s3")))
    assert trial.new == ("s1", "s3")
    assert trial.limits_from == "1.25 times each peak of the warm-up, new series too"
    assert trial.plan.end == 17 * 24
    method = lived(loads, trial.plan, np.isin(loads.names, trial.new))
    seen = np.array([load for _, load in method.seen])
    assert np.isnan(seen[:240, [1, 3]]).all()
    np.testing.assert_array_equal(seen[240:], loads.amps[240 : len(seen)])
    np.testing.assert_array_equal(seen[:, [0, 2]], loads.amps[: len(seen), [0, 2]])
    report = backtest(trial, lambda n, s: Peeking(loads), {})
    assert report.engine.figures.series == 2
    assert report.engine.figures.blocks == 168
    assert report.as_json()["first_week"]["offered_share"] == 1


def test_a_series_that_cannot_have_a_limit_cannot_be_new() -> None:
    loads = invented(30)
    loads.amps[:240, 1] = np.nan
    with pytest.raises(BacktestError, match="--new: 's1' has no load above 0 in the warm-up; give its limit"):
        prepare(loads, Choices(warmup_days=10, new=("s1",)))


def test_the_four_week_mean_is_plainly_that() -> None:
    loads = invented(60)
    loads.amps[30 * 24 + 5, 0] = np.nan
    at = 50 * 24
    ((mean, _, _),) = issues(four_week_mean, loads, setting(loads), [at], 24)
    days = np.stack([loads.amps[at - 168 * k : at - 168 * k + 24] for k in (1, 2, 3, 4)])
    np.testing.assert_allclose(mean, np.nanmean(days, axis=0), rtol=1e-6)


def test_weekly_persistence_takes_the_newest_day_where_the_week_is_not_known() -> None:
    loads = invented(60)
    loads.amps[np.isnan(loads.amps)] = 7.0
    at = 50 * 24
    loads.amps[at - 168 : at - 168 + 24, 0] = np.nan
    ((mean, _, _),) = issues(weekly_persistence, loads, setting(loads), [at], 24)
    np.testing.assert_array_equal(mean[:, 0], loads.amps[at - 24 : at, 0])
    np.testing.assert_array_equal(mean[:, 1:], loads.amps[at - 168 : at - 144, 1:])


@pytest.mark.parametrize("name", MAKES)
@pytest.mark.parametrize("every", [DAY, HOUR], ids=["day ahead", "in force"])
def test_no_method_knows_anything_later(name: str, every: timedelta) -> None:
    loads = invented(64, 4)
    assert_nothing_later_is_known(lambda _: MAKES[name], loads, setting(loads, every), 62 * 24)


def test_who_knows_something_later_is_found() -> None:
    loads = invented(64, 4)
    with pytest.raises(AssertionError):
        assert_nothing_later_is_known(lambda one: lambda n, s: Peeking(one), loads, setting(loads), 62 * 24)


@pytest.mark.parametrize("make", [weekly_persistence, four_week_mean])
def test_others_count_only_together(make: Make) -> None:
    loads = invented(62, 5)
    assert_others_count_only_together(make, loads, setting(loads), 61 * 24)


@pytest.mark.parametrize("name", MAKES)
def test_nobody_gains_from_a_series_that_lived_tomorrow_before(name: str) -> None:
    loads = invented(62, 5)
    assert gain_from_a_twin(MAKES[name], loads, setting(loads), 61 * 24) < 0.1


class Copying(Peeking):
    """Expects of every series what the next one had yesterday."""

    def issue(self, start: Any, n: int) -> Any:
        before = np.array([load for _, load in self.seen[-n:]])
        said = super().issue(start, n)
        said.mean[:] = said.bound[:] = before[:, [1, 2, 3, 4, 0]]
        return said


def test_who_copies_another_series_is_found() -> None:
    loads = invented(62, 5)
    told = setting(loads)
    assert gain_from_a_twin(lambda n, s: Copying(loads), loads, told, 61 * 24) > 0.5
    with pytest.raises(AssertionError):
        assert_others_count_only_together(lambda n, s: Copying(loads), loads, told, 61 * 24)


@pytest.mark.parametrize("criterion", list(Criterion))
@pytest.mark.parametrize("name", MAKES)
def test_the_plain_methods_keep_the_risk_that_is_asked(name: str, criterion: Criterion) -> None:
    loads = invented(150, 12, 2 * QUARTER)
    told = setting(loads, criterion=criterion, risk=0.02)
    found = plan(loads, 100, None, DAY)
    verdict = judge(run(MAKES[name], loads, found, told), found, told.hour)
    assert 0.014 < verdict.counts[criterion].share < 0.026


@pytest.mark.parametrize("name", MAKES)
def test_before_anything_is_known_nothing_is_offered(name: str) -> None:
    loads = invented(4)
    method = MAKES[name](4, setting(loads))
    first = method.issue(loads.start, 24)
    assert first.bound.shape == (24, 4)
    assert np.isnan(first.bound).all()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=1, max_size=200), st.floats(0.01, 0.99))
def test_the_quantile_leaves_room_for_one_more_score(scores: list[float], level: float) -> None:
    found = quantile(np.array(scores), level)
    below = sum(score <= found for score in scores)
    if np.isnan(found):
        assert (len(scores) + 1) * level > len(scores)
    else:
        assert below >= (len(scores) + 1) * level - 1e-6
