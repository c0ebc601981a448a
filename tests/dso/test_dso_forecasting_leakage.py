"""The engine in the backtest knows nothing beforehand, and nothing of a series from another one's values."""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from backtest_checks import (
    DAY,
    FIGURES,
    HOUR,
    START,
    assert_nothing_later_is_known,
    assert_others_count_only_together,
    gain_from_a_twin,
    invented,
    issues,
    setting,
)
from gridroom.cli import app
from gridroom.dso.backtest import engine
from gridroom.dso.backtest.grid import Loads
from gridroom.dso.backtest.method import Criterion


@pytest.mark.parametrize("criterion", list(Criterion))
@pytest.mark.parametrize("at", [24 * 20, 24 * 20 + 7])
def test_nothing_later_is_known(criterion: Criterion, at: int) -> None:
    loads = invented(23, 12)
    told = setting(loads, criterion=criterion)
    assert_nothing_later_is_known(lambda _: engine.make, loads, told, at)


@pytest.mark.parametrize("block", [HOUR, timedelta(minutes=30)])
def test_others_count_only_together(block: timedelta) -> None:
    loads = invented(20, 12, block)
    assert_others_count_only_together(engine.make, loads, setting(loads), 18 * (DAY // block))


def test_a_twin_that_lives_a_day_ahead_is_of_no_use() -> None:
    loads = invented(24, 12)
    assert abs(gain_from_a_twin(engine.make, loads, setting(loads), 24 * 20)) < 0.02


def test_what_was_issued_stays_what_it_was() -> None:
    loads = invented(20, 30)
    told = setting(loads)
    method = engine.make(30, told)
    for index in range(24 * 15):
        method.observe(loads.time(index), loads.amps[index].copy())
    issue = method.issue(loads.time(24 * 15), 24)
    before = issue.mean.copy(), issue.bound.copy()
    for index in range(24 * 15, 24 * 17):
        method.observe(loads.time(index), loads.amps[index] * 5)
    np.testing.assert_array_equal(issue.mean, before[0])
    np.testing.assert_array_equal(issue.bound, before[1])


def test_an_issue_has_a_bound_for_each_level_and_the_one_that_was_asked_for() -> None:
    loads = invented(20, 30)
    told = setting(loads, risk=0.01)
    method = engine.make(30, told)
    for index in range(24 * 19):
        method.observe(loads.time(index), loads.amps[index].copy())
    issue = method.issue(loads.time(24 * 19), 24)
    np.testing.assert_allclose(issue.bound_at(0.99), issue.bound, rtol=1e-5)
    assert (issue.bound_at(0.95) < issue.bound_at(0.99)).all()
    assert (issue.bound_at(0.99) < issue.bound_at(0.999)).all()
    assert len(issues(engine.make, loads, told, [24, 48], 24)) == 2
    with pytest.raises(ValueError, match="limits of 30 series, not 3"):
        engine.make(3, told)


def test_the_command_runs_the_engine_and_writes_every_figure(tmp_path: Path) -> None:
    loads = invented(40, 8)
    file, out = tmp_path / "loads.csv", tmp_path / "out.json"
    write(loads, file)
    words = ["backtest", str(file), "--warmup-days", "30", "--risk", "0.01", "--json", str(out)]
    done = CliRunner(env={"TERM": "dumb", "COLUMNS": "160"}).invoke(app, words)
    assert done.exit_code == 0, done.output
    figures = json.loads(out.read_text())
    assert [name for name in (*FIGURES, "baselines") if name not in figures] == []
    assert set(figures["baselines"]) == {"weekly_persistence", "four_week_mean", "lightgbm"}
    for each in figures["baselines"].values():
        assert [name for name in FIGURES if name not in each] == []
    assert figures["series"] == 8
    assert figures["blocks"] == 10 * 24
    assert 0.3 < figures["offered_share"] < 1
    assert figures["exceedance_15min"] < 0.03
    assert figures["mae_over_mean"] < figures["baselines"]["weekly_persistence"]["mae_over_mean"]
    assert 0.9 < figures["coverage_95"] <= 1
    for name in ("pinball_95", "pinball_999", "cpu_us_per_series_issue"):
        assert figures[name] > 0


def write(loads: Loads, path: Path) -> None:
    rows = ["time," + ",".join(loads.names)]
    for index, row in enumerate(loads.amps):
        values = ("" if np.isnan(value) else f"{value:.3f}" for value in row)
        rows.append(f"{loads.time(index):%Y-%m-%dT%H:%M:%SZ}," + ",".join(values))
    assert loads.start == START
    path.write_text("\n".join(rows) + "\n")
