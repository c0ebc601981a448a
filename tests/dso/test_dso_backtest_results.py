"""docs/results.md and what makes it: the page has the form of its generator, and the sets are as it says."""

import importlib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from backtest_checks import invented as small
from gridroom.dso.backtest import reading
from gridroom.dso.backtest.baselines import four_week_mean
from gridroom.dso.backtest.figures import Figures
from gridroom.dso.backtest.grid import Loads
from gridroom.dso.backtest.prepare import Choices, prepare
from gridroom.dso.backtest.report import backtest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "results.md"


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return importlib.import_module("results")


@pytest.fixture
def sets(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return importlib.import_module("backtest_sets")


def test_the_page_is_in_the_form_that_its_generator_gives_it(results: ModuleType) -> None:
    assert results.rewrite(PAGE.read_text(), {}) == PAGE.read_text()
    for test in results.TESTS:
        assert PAGE.read_text().count(f"\n| {test.name} |") == 2


def test_a_run_changes_its_own_rows_alone(results: ModuleType) -> None:
    report = backtest(prepare(small(70), Choices(risk=0.01)), four_week_mean, {"four_week_mean": four_week_mean})
    name = results.TESTS[1].name
    before, after = PAGE.read_text().splitlines(), results.rewrite(PAGE.read_text(), {name: report}).splitlines()
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    figures = report.engine.figures
    share = f"{figures.offered_share:.3f}"
    assert [row.split(" | ")[0] for row in changed] == [f"| {name}"] * 2
    assert changed[0].split(" | ")[1:4] == ["4", share, f"{100 * figures.exceedance_15min:.3f}"]
    assert changed[0].split(" | ")[8] == "1.000"
    assert changed[1].split(" | ")[1].startswith(f"{share} at ")
    assert changed[1].split(" | ")[2] == "–"  # not run


def test_the_page_tells_what_every_figure_means() -> None:
    text = PAGE.read_text()
    assert [one.name for one in fields(Figures) if f"`{one.name}`" not in text] == []


def test_the_sets_are_the_same_for_everybody_and_can_be_read(sets: ModuleType, tmp_path: Path) -> None:
    makes: list[Callable[[], Loads]] = [
        lambda: sets.street(2),
        lambda: sets.invented(2, days=20),
        lambda: sets.cycling(2, days=20),
    ]
    for make in makes:
        one, other = make(), make()
        np.testing.assert_array_equal(one.amps, other.amps)
        sets.write(one, tmp_path / "set")
        read = reading.read(tmp_path / "set")
        assert (read.names, read.start, read.block, read.findings) == (one.names, one.start, one.block, ())
        np.testing.assert_array_equal(read.amps, one.amps)
        assert np.isfinite(one.amps).all()


def test_a_coarser_set_has_the_same_mean_and_one_with_gaps_has_no_other_values(sets: ModuleType) -> None:
    loads = sets.invented(2, days=60)
    half = sets.coarser(loads, 2)
    assert (half.block, half.blocks) == (2 * loads.block, loads.blocks // 2)
    np.testing.assert_allclose(half.amps.mean(axis=0), loads.amps.mean(axis=0), rtol=1e-4)
    gone = np.isnan(sets.with_gaps(loads).amps)
    assert 0.01 < gone.mean() < 0.2
    np.testing.assert_array_equal(sets.with_gaps(loads).amps[~gone], loads.amps[~gone])
    assert np.isnan(sets.with_gaps(loads).amps).all(axis=1).sum() >= 24


def test_the_pumps_of_the_cycling_set_go_on_and_off_within_the_hour(sets: ModuleType) -> None:
    amps = sets.cycling(2, days=30).amps
    steps = amps[1:] - amps[:-1]

    def like(lag: int, column: int) -> float:
        return float(np.corrcoef(steps[:-lag, column], steps[lag:, column])[0, 1])

    for column, (period, _) in zip(range(4), sets.PUMPS * 2, strict=True):
        assert like(round(period / 15), column) > 0.15  # a cycle later the same
        assert like(round(period / 30), column) < 0  # and between, not
