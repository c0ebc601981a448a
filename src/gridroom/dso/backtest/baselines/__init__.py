"""Plain methods to compare with, each calibrated on its own past to the risk asked for."""

from importlib.util import find_spec

from gridroom.dso.backtest.baselines.calibrated import Baseline, Expectation
from gridroom.dso.backtest.baselines.weekly import Weekly
from gridroom.dso.backtest.method import Make, Method, Setting

PERSISTENCE, FOUR_WEEKS, LIGHTGBM = "weekly_persistence", "four_week_mean", "lightgbm"


def baselines() -> dict[str, Make | str]:
    """How to make each of them, by name; a text says what to do about one that cannot be made here."""
    absent = "not installed: pip install '.[backtest]' in Gridroom's source adds it"
    return {
        PERSISTENCE: weekly_persistence,
        FOUR_WEEKS: four_week_mean,
        LIGHTGBM: lightgbm if find_spec("lightgbm") else absent,
    }


def weekly_persistence(series: int, setting: Setting) -> Method:
    """The same block a week before."""
    return _baseline(PERSISTENCE, Weekly(setting, weeks=(1,)), series, setting)


def four_week_mean(series: int, setting: Setting) -> Method:
    """Mean of the same block 7, 14, 21 and 28 days before."""
    return _baseline(FOUR_WEEKS, Weekly(setting, weeks=(1, 2, 3, 4)), series, setting)


def lightgbm(series: int, setting: Setting) -> Method:
    """Median and upper quantile by gradient boosted trees."""
    from gridroom.dso.backtest.baselines.trees import Trees

    return _baseline(LIGHTGBM, Trees(series, setting), series, setting)


def _baseline(name: str, expectation: Expectation, series: int, setting: Setting) -> Method:
    return Baseline(name, expectation, series, setting)
