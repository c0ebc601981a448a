"""Figure 6 as a picture: load and forecast, safety margin, limit, and what is left for electric vehicles.

Source: CIRED paper, figure 6; the colours are those of M. Okabe and K. Ito, which the colour-blind can tell apart.
"""

from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import matplotlib.dates as mdates
import numpy as np
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from gridroom.dso.screens.curves import Amps, Curves

KINDS = (".png", ".svg")
"""Endings of files that can be drawn."""

WIDE_IN, HIGH_IN, AROUND_IN = 11.0, 2.6, 1.6
INK, PALE, NOW = "#1b1f24", "#e6e9ec", "#6b7480"
FORECAST, MARGIN, BACKUP = "#0072b2", "#f3c26b", "#ffffff"
SHARES = ("#56b4e9", "#009e73", "#cc79a7", "#d55e00", "#f0e442")
"""Of the CSOs, in the order of their names; again from the front when there are more."""


def draw(curves: Curves, file: Path) -> None:
    """Draw a cable into a file; its ending says which kind.

    Args:
        curves: What to show.
        file: A path that ends in one of `KINDS`.

    Raises:
        OSError: It cannot be written.
    """
    figure = picture(curves)
    FigureCanvasAgg(figure)
    metadata = {"Date": None} if file.suffix.lower() == ".svg" else {}
    with rc_context({"svg.hashsalt": "gridroom"}):  # no chance in it: the same curves give the same bytes
        figure.savefig(file, dpi=130, metadata=metadata)


def picture(curves: Curves) -> Figure:
    """One panel per phase, on a local time axis, with the present moment and a legend."""
    phases = curves.phases
    size = (WIDE_IN, HIGH_IN * len(phases) + AROUND_IN)
    figure = Figure(figsize=size, layout="constrained")
    panels = list(figure.subplots(len(phases), 1, sharex=True, squeeze=False)[:, 0])
    edges = np.array([_number(moment) for moment in curves.times])
    for phase, axis in zip(phases, panels, strict=True):
        _panel(axis, curves, phase, edges)
    _clock(panels[-1], curves, edges)
    figure.suptitle(_title(curves), x=0.01, ha="left", fontsize=12, color=INK)
    handles, names = _legend(curves)
    figure.legend(handles, names, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure


def _panel(axis: Axes, curves: Curves, phase: int, edges: Amps) -> None:
    row = phase - 1
    axis.set_axisbelow(True)
    axis.grid(color=PALE, lw=0.8)
    axis.spines[["top", "right"]].set_visible(False)
    limit, forecast = float(curves.limit[row]), curves.forecast[row]
    bound = forecast + curves.margin[row]
    _band(axis, edges, forecast, bound, MARGIN)
    low = np.maximum(bound, 0.0)  # back-feed is not sold
    for colour, share in zip(_colours(curves), curves.allotments.values(), strict=True):
        _band(axis, edges, low, low + share[row], colour, alpha=0.55)
        low = low + share[row]
    _band(axis, edges, low, low + curves.backup[row], BACKUP, edgecolor=NOW, hatch="////")
    axis.stairs(forecast, edges, baseline=None, color=FORECAST, lw=1.8)
    axis.stairs(curves.measured[row], edges, baseline=None, color=INK, lw=1.5)
    if not np.array_equal(curves.load[row], curves.measured[row], equal_nan=True):
        axis.stairs(curves.load[row], edges, baseline=None, color=INK, lw=1.2, ls=(0, (2, 1.2)))
    axis.axhline(limit, color=INK, lw=1.4, ls=(0, (7, 2.5)))
    now = _number(curves.now)
    if edges[0] < now < edges[-1]:
        axis.axvline(now, color=NOW, lw=1.2)
        above = axis.get_xaxis_transform()
        axis.text(now, 1, " now", transform=above, va="top", color=NOW, fontsize=8.5)
    _unknown(axis, edges[: curves.over + 1], curves.measured[row, : curves.over], "not measured")
    _unknown(axis, edges[curves.over :], forecast[curves.over :], "no forecast")
    shown = (curves.measured[row], forecast, bound)
    lows = [np.nanmin(one) for one in shown if not np.isnan(one).all()]
    highs = [np.nanmax(one) for one in shown if not np.isnan(one).all()]
    lowest, highest = min([0.0, *lows]), max([limit, *highs])
    axis.set_ylim(lowest - (0.06 * (highest - lowest) if lowest < 0 else 0.0), highest + 0.1 * (highest - lowest))
    axis.yaxis.set_major_locator(MaxNLocator(5))
    axis.set_ylabel(f"L{phase} [A]", color=INK)
    axis.tick_params(colors=INK)


def _unknown(axis: Axes, edges: Amps, values: Amps, words: str) -> None:
    """Say so where nothing is known of a whole side."""
    if len(values) and np.isnan(values).all():
        middle = (edges[0] + edges[-1]) / 2
        axis.text(middle, 0.5, words, transform=axis.get_xaxis_transform(), ha="center", color=NOW, fontsize=9)


def _band(axis: Axes, edges: Amps, low: Amps, high: Amps, colour: str, **looks: Any) -> None:
    """An area between two series of blocks; nothing where one is unknown."""
    known = np.where(np.isnan(low), np.nan, high)
    looks = dict[str, Any](lw=0, facecolor=colour, fill=True) | looks
    axis.stairs(known, edges, baseline=np.where(np.isnan(known), 0.0, low), **looks)


def _clock(axis: Axes, curves: Curves, edges: Amps) -> None:
    axis.set_xlim(edges[0], edges[-1])
    hours = (edges[-1] - edges[0]) * 24
    every = next(step for step in (1, 2, 3, 6, 12, 24) if hours / step <= 17 or step == 24)
    local: tzinfo = curves.zone
    axis.xaxis.set_major_locator(mdates.HourLocator(range(0, 24, every), tz=local))  # type: ignore[no-untyped-call]
    form = mdates.ConciseDateFormatter(  # type: ignore[no-untyped-call]
        axis.xaxis.get_major_locator(),
        tz=local,
        formats=["%Y", "%b", "%d %b", "%H:%M", "%H:%M", "%S"],
        zero_formats=["", "%Y", "%b", "%d %b", "%H:%M", "%H:%M"],
        show_offset=False,
    )
    axis.xaxis.set_major_formatter(form)
    axis.set_xlabel(f"local time, {curves.zone.key}", color=INK)


def _title(curves: Curves) -> str:
    length = f"means of {curves.block.total_seconds() / 60:g} min"
    first = f"{curves.cable}: load, forecast, and capacity for electric vehicles; {length}"
    return "\n".join(filter(None, [first, curves.words, curves.held]))


def _legend(curves: Curves) -> tuple[list[Artist], list[str]]:
    shares = [
        (Patch(facecolor=c, alpha=0.55), f"capacity of {p}")
        for c, p in zip(_colours(curves), curves.allotments, strict=True)
    ]
    rows: list[tuple[Artist, str]] = [
        (Line2D([], [], color=INK, lw=1.5), "measured"),
        (Line2D([], [], color=INK, lw=1.2, ls=(0, (2, 1.2))), "measured less electric vehicles"),
        (Line2D([], [], color=FORECAST, lw=1.8), "forecast"),
        (Patch(facecolor=MARGIN), "safety margin"),
        *shares,
        (Patch(facecolor=BACKUP, edgecolor=NOW, hatch="////", lw=0), "backup capacity"),
        (Line2D([], [], color=INK, lw=1.4, ls=(0, (7, 2.5))), "limit"),
    ]
    return [handle for handle, _ in rows], [name for _, name in rows]


def _colours(curves: Curves) -> list[str]:
    return [SHARES[i % len(SHARES)] for i in range(len(curves.allotments))]


def _number(moment: datetime) -> float:
    return float(mdates.date2num(moment))  # type: ignore[no-untyped-call]
