"""Pictures of a backtest: a week of some series, whether the risk was kept, and when capacity was offered."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import matplotlib.dates as mdates
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gridroom.dso.backtest.calendar import Ints
from gridroom.dso.backtest.figures import clock
from gridroom.dso.backtest.method import Reals
from gridroom.dso.backtest.report import Report
from gridroom.dso.backtest.run import offer

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#8f6bb3")
LOAD, LIMIT, FREE, MARGIN = "#3c444d", "#1b1f24", "#dcefdc", "#fdf0cc"
SHOWN = 3
WEEK = timedelta(weeks=1)
HOUR, HOURS = timedelta(hours=1), 24


def draw_all(report: Report, folder: Path) -> list[Path]:
    """Draw every picture into a folder; their paths."""
    pictures: dict[str, Callable[[Report], Figure]] = {"week": week, "reliability": reliability, "offered": offered}
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, picture in pictures.items():
        figure = picture(report)
        FigureCanvasAgg(figure)
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=130)
    return paths


def week(report: Report) -> Figure:
    """The first week judged of three series: measured, expected, the bound, what is offered up to the limit."""
    record, trial = report.engine.record, report.trial
    plan, loads, zone = trial.plan, trial.loads, trial.setting.zone
    judged = np.array(plan.starts)[:, None] + plan.offset + np.arange(plan.judged)
    inside = (judged - judged[0, 0]) * loads.block < WEEK
    times = [loads.time(int(index)).astimezone(zone) for index in judged[inside]]
    names = trial.new or loads.names
    by_size = np.argsort(record.limits)
    chosen = by_size[np.linspace(0, len(by_size) - 1, min(SHOWN, len(by_size))).round().astype(int)]
    figure = Figure(figsize=(11, 1.2 + 2.4 * len(chosen)), layout="constrained")
    axes = figure.subplots(len(chosen), 1, sharex=True, squeeze=False)[:, 0]
    for axis, series in zip(axes, chosen, strict=True):
        limit = float(record.limits[series])
        mean, load, bound = (a[:, :, series][inside] for a in (record.mean, record.measured, record.bound))
        below = limit - offer(bound, np.full_like(bound, limit))
        axis.fill_between(times, below, limit, step="post", color=FREE, label="offered")
        axis.fill_between(times, mean, np.maximum(below, mean), step="post", color=MARGIN, label="safety margin")
        axis.step(times, mean, where="post", color=COLOURS[0], lw=1.0, label="forecast")
        axis.step(times, load, where="post", color=LOAD, lw=0.9, label="measured")
        axis.axhline(limit, color=LIMIT, lw=1.2, ls=(0, (6, 2)), label="limit")
        axis.set_ylabel(f"{names[series]} [A]")
        axis.set_ylim(min(0.0, float(np.nanmin(load, initial=0.0)) * 1.05), 1.08 * limit)
        _plain(axis)
    formatter = mdates.DateFormatter("%a %d %b", tz=zone)  # type: ignore[no-untyped-call]
    axes[-1].xaxis.set_major_formatter(formatter)
    axes[-1].set_xlabel(f"wall clock of {zone.key}")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=5, frameon=False)
    return figure


def reliability(report: Report) -> Figure:
    """Asked and realised risk, per month and over the series."""
    setting = report.trial.setting
    days, _ = clock(report.trial.loads, report.trial.plan, setting)
    months = days.astype("datetime64[D]") - (np.datetime64("1970-01-01") - np.datetime64("0001-01-01")) - 1
    months = months.astype("datetime64[M]")
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    names, place = np.unique(months, return_inverse=True)
    width = 0.8 / len(report.runs)
    most = 0.0
    for number, (name, run) in enumerate(report.runs.items()):
        count = run.verdict.counts[setting.criterion]
        over, blocks = (np.bincount(place.ravel(), each.ravel()) for each in (count.over, count.blocks))
        share = 100 * over / np.where(blocks, blocks, np.nan)
        left.bar(
            np.arange(len(names)) + (number + 0.5) * width - 0.4, share, width, color=COLOURS[number], label=_name(name)
        )
        seen = count.series > 0
        own = 100 * np.sort(count.over_series[seen] / count.series[seen])
        most = max(most, float(own.max(initial=0.0)))
        right.step(
            np.concatenate([[0.0], own, [100.0]]),  # from none to all, also where nothing was exceeded
            np.concatenate([[0.0], np.arange(1, len(own) + 1) / max(1, len(own)), [1.0]]),
            where="post",
            color=COLOURS[number],
            lw=2.4 if number == 0 else 1.4,
        )
    left.set_xticks(np.arange(len(names)), [str(name) for name in names], rotation=35, ha="right")
    left.axhline(100 * setting.risk, color=LIMIT, lw=1.2, ls=(0, (6, 2)), label="asked")
    right.axvline(100 * setting.risk, color=LIMIT, lw=1.2, ls=(0, (6, 2)))
    left.set_ylabel("realised risk per month [%]")
    right.set_xlabel("realised risk of a series over the whole test [%]")
    right.set_ylabel("share of the series at or below")
    right.set_xlim(0, max(3 * 100 * setting.risk, 1.02 * most))
    right.set_ylim(0, 1.04)
    left.set_ylim(bottom=0)
    if most == 0.0:
        left.text(0.5, 0.5, "nothing was exceeded", transform=left.transAxes, ha="center", color=LIMIT)
    for axis in (left, right):
        _plain(axis)
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=5, frameon=False)
    return figure


def offered(report: Report) -> Figure:
    """Share of the room that was offered, by the block of an issue and by local hour."""
    plan, setting = report.trial.plan, report.trial.setting
    _, minutes = clock(report.trial.loads, plan, setting)
    hour = minutes // 60
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for number, (name, run) in enumerate(report.runs.items()):
        style: dict[str, Any] = {"color": COLOURS[number], "lw": 2.4 if number == 0 else 1.4, "zorder": 3 - number / 10}
        if plan.day_ahead:
            share = _share(run.verdict.offered.sum(axis=0), run.verdict.room.sum(axis=0))
            left.plot((np.arange(len(share)) + 1) * (setting.block / HOUR), share, label=_name(name), **style)
        else:
            share = _share(run.record.lead_offered, run.record.lead_room)
            left.plot(np.arange(len(share)), share, marker="o", label=_name(name), **style)
        part, whole = (_per_hour(hour, sums) for sums in (run.verdict.offered, run.verdict.room))
        right.plot(np.arange(HOURS), _share(part, whole), marker="o", ms=3, **style)
    if plan.day_ahead:
        left.set_xticks(range(0, HOURS + 1, 3))
        left.set_xlabel("end of the block, after the issue [h]")
    else:
        ends = [lead * setting.block for lead in plan.leads]
        words = [f"{end / HOUR:g} h" if end >= HOUR else f"{60 * (end / HOUR):g} min" for end in ends]
        left.set_xticks(range(len(words)), words)
        left.set_xlabel("end of the block, after the issue (the last: of one issue a day)")
    right.set_xlabel(f"hour of the day, {setting.zone.key}")
    left.set_ylabel("offered, of what perfect foresight could offer")
    left.set_ylim(0, 1)
    right.set_xticks(range(0, HOURS, 3))
    for axis in (left, right):
        _plain(axis)
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False)
    return figure


def _per_hour(hour: Ints, sums: Reals) -> Reals:
    per_hour: Reals = np.bincount(hour.ravel(), sums.ravel(), minlength=HOURS).astype(np.float64)
    return per_hour


def _share(part: Reals, whole: Reals) -> Reals:
    return part / np.where(whole > 0, whole, np.nan)


def _name(name: str) -> str:
    return name.replace("_", " ")


def _plain(axis: Axes) -> None:
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis="y", color="#e3e6e9", lw=0.6)
    axis.set_axisbelow(True)
