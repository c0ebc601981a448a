"""The command that tests forecast and margin on somebody's loads."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated

import typer

from gridroom.cli.shell import words

if TYPE_CHECKING:
    from gridroom.dso.backtest.report import Bar, Report
    from gridroom.dso.backtest.run import Tick

app = typer.Typer()


@app.command("backtest")
def run(
    loads: Annotated[Path, typer.Argument(help="CSV or Parquet: a time, then a series in ampere per column.")],
    limits: Annotated[Path | None, typer.Option(help="CSV: series,limit_a.")] = None,
    limit_factor: Annotated[
        float | None, typer.Option(help="Limit as a multiple of each peak in the warm-up; 1.25 without --limits.")
    ] = None,
    risk: Annotated[float, typer.Option(help="Accepted share above the limit.")] = 0.001,
    criterion: Annotated[str, typer.Option(help="What must not exceed: 15min, 1h or 1h10.")] = "15min",
    warmup_days: Annotated[int | None, typer.Option(help="Days before the test; half of all without it.")] = None,
    test_days: Annotated[int | None, typer.Option(help="Days of the test; the rest without it.")] = None,
    every: Annotated[str, typer.Option(help="Time between issues, such as 24h or 15min.")] = "24h",
    new: Annotated[
        list[str] | None,
        typer.Option(help="Series that begin with the test, by comma (* allowed): their first week is judged."),
    ] = None,
    zone: Annotated[
        str,
        typer.Option(
            help="Time zone that people live by, and whose clock times without a zone are. Without it "
            "such times are UTC, and people live by the Dutch one, or UTC if the loads do not follow it."
        ),
    ] = "",
    holidays: Annotated[
        str | None, typer.Option(help="Country of the public holidays; empty for none; NL in the Dutch zone.")
    ] = None,
    baselines: Annotated[bool, typer.Option(help="Run the plain methods beside it.")] = True,
    to_json: Annotated[Path | None, typer.Option("--json", help="Write all figures there.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Folder for pictures.")] = None,
) -> None:
    """Test forecast and margin on a file of loads: what would have been offered, and how often was it too much."""
    from gridroom.dso.backtest import engine, reading
    from gridroom.dso.backtest.baselines import baselines as plain
    from gridroom.dso.backtest.errors import BacktestError
    from gridroom.dso.backtest.prepare import Choices, prepare, zone_named
    from gridroom.dso.backtest.report import backtest

    names = tuple(filter(None, map(str.strip, ",".join(new or ()).split(","))))
    choices = Choices(limits, limit_factor, risk, criterion, warmup_days, test_days, every, names, zone, holidays)
    try:
        if unwritable := _unwritable(to_json, plot):
            raise BacktestError(unwritable)
        trial = prepare(reading.read(loads, zone_named(zone)), choices)
        with _bars() as bar:
            report = backtest(trial, engine.make, plain() if baselines else {}, bar)
        if to_json:
            to_json.write_text(json.dumps(report.as_json(), indent=1) + "\n")
        pictures = _draw(report, plot) if plot else []
    except (BacktestError, OSError) as error:
        typer.echo(f"gridroom: {words(error)}", err=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt:
        typer.echo("gridroom: stopped before the end: there are no results", err=True)
        raise typer.Exit(130) from None
    _show(report)  # last: who reads it may go away, as `head` does
    for path in pictures:
        typer.echo(f"picture: {path}")


def _draw(report: "Report", folder: Path) -> list[Path]:
    from gridroom.dso.backtest import draw

    return list(draw.draw_all(report, folder))


def _unwritable(to_json: Path | None, plot: Path | None) -> str:
    """Why the results could not be written where they are wanted; empty when they can. A run may take an hour."""
    if to_json is not None:
        if to_json.is_dir():
            return f"--json: {to_json} is a folder; name a file"
        if not to_json.parent.is_dir():
            return f"--json: {to_json}: there is no folder {to_json.parent}"
        if not os.access(to_json if to_json.exists() else to_json.parent, os.W_OK):
            return f"--json: {to_json} may not be written"
    if plot is not None:
        there = next(one for one in (plot, *plot.absolute().parents) if one.exists())
        if not there.is_dir():
            return f"--plot: {there} is a file; name a folder"
        if not os.access(there, os.W_OK):
            return f"--plot: {there} may not be written into"
    return ""


def _show(report: "Report") -> None:
    """The table, and what it was made on."""
    from rich.console import Console

    from gridroom.dso.backtest import show

    console = Console(highlight=False)
    for line in show.heading(report):
        typer.echo(fill(line, console.width, break_long_words=False, break_on_hyphens=False))
    console.print()
    Console(highlight=False, width=max(console.width, show.WIDTH)).print(show.table(report))
    for line in show.verdict(report):
        typer.echo(fill(line, console.width, break_long_words=False, break_on_hyphens=False))
    for line in show.absent(report):
        typer.echo(line)


@contextmanager
def _bars() -> "Iterator[Bar]":
    """Bars on standard error, while somebody is watching."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    parts = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*parts, console=console, transient=True, disable=not console.is_terminal) as progress:

        @contextmanager
        def bar(name: str, blocks: int) -> "Iterator[Tick]":
            task = progress.add_task(name.replace("_", " "), total=blocks)
            yield lambda done: progress.advance(task, done)
            progress.update(task, completed=blocks)

        yield bar
