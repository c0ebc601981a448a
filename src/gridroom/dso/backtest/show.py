"""A report as a table: our own method beside the plain ones."""

import math
from collections.abc import Iterator

from rich.table import Table

from gridroom.dso.backtest.figures import Figures
from gridroom.dso.backtest.method import Criterion
from gridroom.dso.backtest.report import Report
from gridroom.dso.screens.risk import band, effective
from gridroom.dso.screens.status import percent

WORDS = {
    Criterion.QUARTER: "a block",
    Criterion.HOUR: "the mean of an hour",
    Criterion.HOUR_TENTH: "the mean of an hour, less a tenth of the limit,",
}

ROWS = {
    Criterion.QUARTER: "exceeded: blocks",
    Criterion.HOUR: "  1-h means",
    Criterion.HOUR_TENTH: "  1-h means by 10 %",
}
"""The row of each criterion."""

WIDTH = 80
"""Narrower the table is not made: its figures would be cut. [characters]"""

MOST = 8
"""Findings that are printed; the others are in the JSON."""


def heading(report: Report) -> Iterator[str]:
    """What was tested, in lines."""
    loads, setting, plan = report.trial.loads, report.trial.setting, report.trial.plan
    minutes = setting.block.total_seconds() / 60
    first = report.engine.figures
    span = " to ".join(f"{loads.time(index):%Y-%m-%d %H:%M}" for index in (0, loads.blocks))
    days = plan.first // plan.day
    yield f"{len(loads.names)} series of {minutes:g} min, {span} UTC; warm-up {days} days, {len(plan.starts)} issues."
    judged = "all blocks of the day ahead" if plan.day_ahead else "the blocks in force, from the second of an issue on"
    yield f"Judged: {judged}; {first.blocks} blocks of {first.series} series. Limits: {report.trial.limits_from}."
    if report.trial.new:
        some = ", ".join(report.trial.new[:5]) + (", …" if len(report.trial.new) > 5 else "")
        yield f"Only the first week of {len(report.trial.new)} series is judged, hidden before: {some}"
    holidays = f", holidays of {setting.holidays}" if setting.holidays else ""
    yield f"Wall clock: {setting.zone.key}{holidays}."
    yield f"Asked: {WORDS[setting.criterion]} exceeds the limit with a risk of {percent(setting.risk, digits=6)}."
    for finding in loads.findings[:MOST]:
        yield f"Found: {finding}"
    if len(loads.findings) > MOST:
        yield f"Found: {len(loads.findings) - MOST} more, see --json"


def table(report: Report) -> Table:
    """The figures of every method, side by side."""
    shown = Table(box=None, pad_edge=False)
    shown.add_column("", no_wrap=True)
    for name in report.runs:
        shown.add_column(name.replace("_", " "), justify="right", max_width=12)
    asked = ROWS[report.trial.setting.criterion]
    for label, *cells in rows([run.figures for run in report.runs.values()]):
        shown.add_row(f"{label} (asked)" if label == asked else label, *cells)
    return shown


def verdict(report: Report) -> Iterator[str]:
    """Whether the risk came true as it was asked for, by what chance allows."""
    setting, figures, per_day = report.trial.setting, report.engine.figures, report.trial.plan.day
    by_criterion = {
        Criterion.QUARTER: figures.exceedance_15min,
        Criterion.HOUR: figures.exceedance_1h,
        Criterion.HOUR_TENTH: figures.exceedance_1h10,
    }
    came, together = by_criterion[setting.criterion], 1 if setting.criterion is Criterion.QUARTER else setting.hour
    if figures.values == 0 or math.isnan(came):
        return
    low, high = band(setting.risk, effective(figures.values, setting.risk, figures.blocks / per_day, together))
    words = "more than" if came > high else "less than" if came < low else "as"
    yield (
        f"gridroom exceeded {percent(came)} where {percent(setting.risk)} was asked: {words} chance allows "
        f"({percent(low)} to {percent(high)})."
    )


def rows(methods: list[Figures]) -> Iterator[tuple[str, ...]]:
    """Label and one text per method."""
    yield "offered share", *(_share(one.offered_share) for one in methods)
    for lead in methods[0].offered_share_lead:
        yield f"  of block {lead} of an issue", *(_share(one.offered_share_lead[lead]) for one in methods)
    yield ROWS[Criterion.QUARTER], *(_risk(one.exceedance_15min) for one in methods)
    yield ROWS[Criterion.HOUR], *(_risk(one.exceedance_1h) for one in methods)
    yield ROWS[Criterion.HOUR_TENTH], *(_risk(one.exceedance_1h10) for one in methods)
    yield "  standard error", *(_risk(one.exceedance_error) for one in methods)
    yield "  95 % of series below", *(_risk(one.exceedance_p95_series) for one in methods)
    yield "  worst day", *(_risk(one.exceedance_worst_day) for one in methods)
    yield "error / mean load", *(_share(one.mae_over_mean) for one in methods)
    yield "pinball loss, .95 [A]", *(f"{one.pinball_95:.3f}" for one in methods)
    yield "pinball loss, .999 [A]", *(f"{one.pinball_999:.4f}" for one in methods)
    yield "covered, .95", *(_risk(one.coverage_95) for one in methods)
    yield "covered, .99", *(_risk(one.coverage_99) for one in methods)
    yield "CPU of an issue [µs/series]", *(f"{one.cpu_us_per_series_issue:.2f}" for one in methods)
    yield "CPU of a block [µs/series]", *(f"{one.cpu_us_per_series_observe:.3f}" for one in methods)


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _risk(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3%}".replace("%", " %")


def absent(report: Report) -> Iterator[str]:
    """The baselines that could not be run, and why."""
    for name, why in report.baselines.items():
        if isinstance(why, str):
            yield f"{name.replace('_', ' ')}: {why}"
