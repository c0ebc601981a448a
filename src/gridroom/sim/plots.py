"""Pictures of a simulated day."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import matplotlib.dates as mdates
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from gridroom.sim.day import STEP, ZONE
from gridroom.sim.households import PHASES, Amps
from gridroom.sim.outcome import MESSAGE_TYPES, Outcome, in_force
from gridroom.sim.uncontrolled import quarters
from gridroom.timegrid import QUARTER

WIDE_IN = 11.0
PHASE_COLOURS = ("#0072b2", "#d55e00", "#009e73")
CSO_COLOURS = ("#3b8ed6", "#e69f00", "#8f6bb3", "#4caf7d")
HOMES, FUSE, BAND, WILD, CUT, TEXT = "#c9cdd2", "#1b1f24", "#dcefdc", "#c62828", "#fdf0cc", "#3c444d"
GOOD = "#5c9e6e"


def draw_all(outcome: Outcome, folder: Path) -> dict[str, Path]:
    """Draw every picture into a folder; their paths by name."""
    pictures: dict[str, Callable[[Outcome], Figure]] = {
        "fuse": fuse,
        "forecast": forecast,
        "shares": shares,
        "drivers": drivers,
        "messages": messages,
        "timeline": timeline,
    }
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, picture in pictures.items():
        paths[name] = folder / f"{name}.png"
        figure = picture(outcome)
        FigureCanvasAgg(figure)
        figure.savefig(paths[name], dpi=130)
    return paths


def fuse(outcome: Outcome) -> Figure:
    """The fuse, phase by phase: without control and with OSCP, on top of the homes."""
    street = outcome.street
    figure, axes = _figure(PHASES, 7.6)
    wild, total, homes = (quarters(a) for a in (outcome.uncontrolled.amps, outcome.total_a, outcome.homes_a))
    edges = _edges(outcome)
    for phase, axis in enumerate(axes):
        _mark_cuts(axis, outcome)
        axis.stairs(homes[phase], edges, fill=True, color=HOMES)
        over = np.maximum(wild[phase], street.fuse_a)
        axis.stairs(over, edges, baseline=street.fuse_a, fill=True, color=WILD, alpha=0.25)
        axis.stairs(wild[phase], edges, baseline=None, color=WILD, lw=1.3)
        axis.stairs(total[phase], edges, baseline=None, color=PHASE_COLOURS[0], lw=1.8)
        axis.axhline(street.fuse_a, color=FUSE, lw=1.2, ls=(0, (6, 2)))
        axis.set_ylabel(f"L{phase + 1} [A]")
        axis.set_ylim(min(0.0, float(homes.min())), max(1.1 * street.fuse_a, 1.06 * float(wild.max())))
    handles = [
        Line2D([], [], color=WILD, label="uncontrolled"),
        Line2D([], [], color=PHASE_COLOURS[0], lw=1.8, label="with OSCP"),
        Patch(color=HOMES, label="homes alone"),
        Line2D([], [], color=FUSE, ls=(0, (6, 2)), label=f"fuse {street.fuse_a:g} A"),
        Patch(color=CUT, label="a line is cut"),
    ]
    return _finish(figure, axes, outcome, handles, "Current at the fuse, mean of every quarter of an hour")


def forecast(outcome: Outcome) -> Figure:
    """Forecast against measured homes per phase, the limit and what is free: as the paper's figure 6."""
    street = outcome.street
    figure, axes = _figure(1, 5.2)
    (axis,) = axes
    edges = _edges(outcome)
    homes, room = in_force(street, outcome.forecasts)
    taken = street.fuse_a - room.min(axis=0)
    axis.fill_between(
        edges, street.fuse_a, np.append(taken, taken[-1]), step="post", color=BAND, label="capacity for cars"
    )
    middle = edges[:-1] + np.diff(edges) / 2
    for phase, colour in enumerate(PHASE_COLOURS):
        axis.plot(middle, homes[phase], color=colour, lw=1.8, label=f"L{phase + 1} forecast")
    for phase, colour in enumerate(PHASE_COLOURS):
        measured = quarters(outcome.homes_a)[phase]
        axis.plot(middle, measured, color=colour, lw=1.1, ls=(0, (3, 1.5)), label=f"L{phase + 1} measured")
    axis.axhline(street.fuse_a, color=FUSE, lw=1.4, label=f"limit {street.fuse_a:g} A")
    axis.set_ylabel("[A]")
    axis.set_ylim(min(0.0, float(outcome.homes_a.min())), 1.08 * street.fuse_a)
    title = "Non-controllable load: the forecast in force at each quarter of an hour, and what was measured"
    return _finish(figure, axes, outcome, axis.get_legend_handles_labels()[0], title)


def shares(outcome: Outcome) -> Figure:
    """Who got what: allotted and used current per CSO, mean of the three phases, stacked."""
    figure, axes = _figure(2, 6.2)
    edges = _edges(outcome)
    csos = sorted(outcome.cars_a)
    rows = (
        ("allotted [A]", {c: outcome.allotted_a.get(c, np.zeros((PHASES, outcome.street.blocks))) for c in csos}),
        ("used [A]", {c: quarters(outcome.cars_a[c]) for c in csos}),
    )
    for axis, (label, amps) in zip(axes, rows, strict=True):
        _mark_cuts(axis, outcome)
        for cso, low, high in _stacked(amps):
            axis.stairs(high, edges, baseline=low, fill=True, color=_cso_colour(csos, cso))
        axis.set_ylabel(label)
    top = max(axis.get_ylim()[1] for axis in axes)
    for axis in axes:
        axis.set_ylim(0, top)
    handles = [Patch(color=_cso_colour(csos, c), label=c) for c in csos] + [Patch(color=CUT, label="a line is cut")]
    return _finish(figure, axes, outcome, handles, "Who got what: mean of the three phases")


def drivers(outcome: Outcome) -> Figure:
    """What each driver needed and got, in order of arrival."""
    street = outcome.street
    figure, axes = _figure(1, 4.6, shared=False)
    (axis,) = axes
    csos = sorted(outcome.cars_a)
    cso_of = {s.id: s.cso for s in street.stations}
    place = np.arange(len(street.sessions))
    need = [s.energy_wh / 1000 for s in street.sessions]
    got = [wh / 1000 for wh in outcome.delivered_wh]
    colours = [_cso_colour(csos, cso_of[s.station]) for s in street.sessions]
    axis.bar(place, need, width=0.8, color="none", edgecolor="#8a929b", lw=0.9)
    axis.bar(place, got, width=0.8, color=colours)
    for x, (height, good) in enumerate(zip(need, outcome.satisfied(), strict=True)):
        if not good:
            axis.annotate("▼", (x, height), (0, 3), textcoords="offset points", ha="center", color=WILD, fontsize=8)
    axis.set_xlim(-0.8, len(place) - 0.2)
    every = max(1, len(place) // 14)
    axis.set_xticks(place[::every], [f"{s.plug_in.astimezone(ZONE):%H:%M}" for s in street.sessions][::every])
    axis.set_ylabel("[kWh]")
    axis.set_xlabel("sessions, by time of arrival")
    handles = [Patch(color=_cso_colour(csos, c), label=f"charged at {c}") for c in csos]
    handles += [Patch(facecolor="none", edgecolor="#8a929b", label="needed")]
    missed = Line2D([], [], color=WILD, marker="v", ls="", label="below 95 % of the need")
    return _finish(figure, axes, outcome, [*handles, missed], "What each driver needed and got", clock=False)


def messages(outcome: Outcome) -> Figure:
    """What became of the messages of each type, as shares, and how many there were."""
    names = [*MESSAGE_TYPES, *sorted(set(outcome.messages) - set(MESSAGE_TYPES))][::-1]
    figure, axes = _figure(1, 0.9 + 0.42 * len(names), shared=False)
    (axis,) = axes
    counts = [outcome.count(n) for n in names]
    sent = np.array([max(1, c.sent) for c in counts], dtype=float)
    good, bad = (np.array([getattr(c, key) for c in counts], dtype=float) for key in ("acknowledged", "refused"))
    lost = np.maximum(0.0, np.array([c.sent for c in counts]) - good - bad)
    left = np.zeros(len(names))
    for values, colour in ((good, GOOD), (bad, WILD), (lost, "#b8bec5")):
        axis.barh(names, 100 * values / sent, left=left, color=colour, height=0.62)
        left += 100 * values / sent
    for y, count in enumerate(counts):
        axis.annotate(f"{count.sent:,}", (101, y), va="center")
    axis.set_xlim(0, 110)
    axis.set_xlabel("[% of those sent; their number at the right]")
    axis.grid(visible=False, axis="y")
    handles = [
        Patch(color=GOOD, label="acknowledged"),
        Patch(color=WILD, label="refused"),
        Patch(color="#b8bec5", label="without an answer"),
    ]
    return _finish(figure, axes, outcome, handles, "What became of the messages of each type", clock=False)


def timeline(outcome: Outcome) -> Figure:
    """What happened when: cuts as bars, moments as points."""
    who = list(dict.fromkeys(e.who for e in outcome.events))[::-1]
    figure, axes = _figure(1, 1.3 + 0.65 * max(1, len(who)))
    (axis,) = axes
    for event in outcome.events:
        y, begin = who.index(event.who), _number(event.at)
        if event.until is None:
            axis.plot([begin], [y], marker="D", color=PHASE_COLOURS[1], ms=5, ls="")
        else:
            end = _number(event.until)
            axis.barh(y, end - begin, left=begin, height=0.42, color="#d98c8c")
            axis.annotate(event.what, (begin, y + 0.27), (0, 2), textcoords="offset points", fontsize=8.5)
    axis.set_yticks(range(len(who)), who)
    axis.set_ylim(-0.7, max(0, len(who) - 1) + 0.7)
    handles = [Patch(color="#d98c8c", label="lasts"), Line2D([], [], color=PHASE_COLOURS[1], marker="D", ls="")]
    handles[1].set_label("a moment")
    return _finish(figure, axes, outcome, handles, "What happened when")


def _figure(rows: int, height_in: float, shared: bool = True) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(WIDE_IN, height_in), layout="constrained")
    axes = list(figure.subplots(rows, 1, sharex=shared, squeeze=False)[:, 0])
    for axis in axes:
        axis.set_axisbelow(True)
        axis.grid(color="#e6e9ec", lw=0.8)
        axis.spines[["top", "right"]].set_visible(False)
        axis.spines[["left", "bottom"]].set_color("#9aa2ab")
        axis.tick_params(colors=TEXT)
        axis.yaxis.label.set_color(TEXT)
    return figure, axes


def _finish(
    figure: Figure, axes: list[Axes], outcome: Outcome, handles: Sequence[Artist], title: str, clock: bool = True
) -> Figure:
    if clock:
        edges = _edges(outcome)
        axes[-1].set_xlim(edges[0], edges[-1])
        axes[-1].xaxis.set_major_locator(mdates.HourLocator(interval=2, tz=ZONE))  # type: ignore[no-untyped-call]
        hours = mdates.DateFormatter("%H:%M", tz=ZONE)  # type: ignore[no-untyped-call]
        axes[-1].xaxis.set_major_formatter(hours)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, color=FUSE)
    figure.legend(handles=handles, loc="outside lower center", ncols=min(8, len(handles)), frameon=False, fontsize=9)
    return figure


def _edges(outcome: Outcome) -> Amps:
    """Edges of the day's quarters as matplotlib's days."""
    street = outcome.street
    return np.array([_number(street.start + n * QUARTER) for n in range(street.blocks + 1)])


def _number(moment: datetime) -> float:
    return float(mdates.date2num(moment))  # type: ignore[no-untyped-call]


def _mark_cuts(axis: Axes, outcome: Outcome) -> None:
    for event in outcome.events:
        if event.until is not None and event.until - event.at >= STEP:
            axis.axvspan(_number(event.at), _number(event.until), color=CUT, lw=0, zorder=0.5)


def _stacked(amps: dict[str, Amps]) -> Iterator[tuple[str, Amps, Amps]]:
    """Each CSO's mean of the phases on top of those before it."""
    low = np.zeros(0)
    for cso, values in amps.items():
        mean = values.mean(axis=0)
        low = low if len(low) else np.zeros_like(mean)
        yield cso, low, low + mean
        low = low + mean


def _cso_colour(csos: list[str], cso: str) -> str:
    return CSO_COLOURS[csos.index(cso) % len(CSO_COLOURS)] if cso in csos else HOMES
