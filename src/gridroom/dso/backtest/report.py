"""All methods in one run, and their figures as a value and as JSON."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from gridroom.dso.backtest.figures import Figures, figures
from gridroom.dso.backtest.judge import Verdict, judge
from gridroom.dso.backtest.method import Make
from gridroom.dso.backtest.prepare import Trial
from gridroom.dso.backtest.run import Record, Tick, run

FOUR_WEEKS = "four_week_mean"
"""The baseline whose error ours is compared with."""

Bar = Callable[[str, int], AbstractContextManager[Tick]]
"""Shows how far a method (by name) is, of a number of blocks."""


@dataclass(frozen=True)
class Run:
    """What a method did, and what that came to."""

    record: Record
    verdict: Verdict
    figures: Figures


@dataclass(frozen=True)
class Report:
    """A backtest.

    Attributes:
        trial: What it was made on.
        engine: Our own method.
        baselines: The others by name; a text says why one is absent.
    """

    trial: Trial
    engine: Run
    baselines: Mapping[str, Run | str]

    @property
    def runs(self) -> dict[str, Run]:
        """All methods that ran, ours first."""
        others = {name: run for name, run in self.baselines.items() if isinstance(run, Run)}
        return {self.engine.record.name: self.engine} | others

    def as_json(self) -> dict[str, Any]:
        """Figures of the engine, then those of the baselines, then what they were made on."""
        own = self.engine.figures.as_json()
        mean = self.baselines.get(FOUR_WEEKS)
        ratio = None
        if isinstance(mean, Run) and mean.figures.mae_over_mean:
            ratio = round(self.engine.figures.mae_over_mean / mean.figures.mae_over_mean, 4)
        new = self.trial.new
        return {
            **own,
            "mae_over_four_week_mean": ratio,
            **({"first_week": own, "new": list(new)} if new else {}),
            "baselines": {
                name: one.figures.as_json() if isinstance(one, Run) else {"absent": one}
                for name, one in self.baselines.items()
            },
            "setting": _setting(self.trial),
            "findings": [str(finding) for finding in self.trial.loads.findings],
        }


def backtest(trial: Trial, engine: Make, others: Mapping[str, Make | str], bar: Bar | None = None) -> Report:
    """Run the engine and the baselines over the same loads and issues.

    Args:
        trial: What is run.
        engine: Our own method.
        others: How to make each baseline, or why it cannot be made.
        bar: Shows progress.
    """

    def one(name: str, make: Make) -> Run:
        if bar is None:
            return _run(make, trial, None)
        with bar(name, trial.plan.end) as tick:
            return _run(make, trial, tick)

    ran = one("gridroom", engine)
    return Report(
        trial, ran, {name: make if isinstance(make, str) else one(name, make) for name, make in others.items()}
    )


def _run(make: Make, trial: Trial, tick: Tick | None) -> Run:
    new = np.isin(trial.loads.names, trial.new) if trial.new else None
    record = run(make, trial.loads, trial.plan, trial.setting, new=new, tick=tick)
    verdict = judge(record, trial.plan, trial.setting.hour)
    return Run(record, verdict, figures(record, verdict, trial.loads, trial.plan, trial.setting))


def _setting(trial: Trial) -> dict[str, Any]:
    setting, plan, loads = trial.setting, trial.plan, trial.loads
    return {
        "block_minutes": setting.block.total_seconds() / 60,
        "every_minutes": setting.every.total_seconds() / 60,
        "risk": setting.risk,
        "criterion": setting.criterion.value,
        "zone": setting.zone.key,
        "holidays": setting.holidays,
        "limits": trial.limits_from,
        "issues": len(plan.starts),
        "warmup_days": plan.first // plan.day,
        "test_start": loads.time(plan.first).isoformat(),
        "test_end": loads.time(plan.end).isoformat(),
    }
