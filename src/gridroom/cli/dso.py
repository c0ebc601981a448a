"""The commands of a grid operator's back office."""

import dataclasses
import json
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, cast
from zoneinfo import ZoneInfo

import typer
from typer.core import TyperCommand

from gridroom.cli.folders import Folder, Lockstep, Pki, Start, clock, free, resume, there
from gridroom.cli.shell import live, plainly, refuse
from gridroom.clock import WallClock

if TYPE_CHECKING:
    from gridroom.dso.cables import Cable
    from gridroom.dso.config import DsoConfig
    from gridroom.dso.office import Furnished
    from gridroom.dso.screens.curves import Curves
    from gridroom.storage.database import Database

app = typer.Typer(no_args_is_help=True, help="The grid operator's back office.")
AsJson = Annotated[bool, typer.Option("--json", help="The same as JSON, for programs.")]
ONE_DAY, TERMINAL, LISTED = timedelta(days=1), "-", 5
TAKING = ("--phase", "--start", "--plot")
"""Options of `forecast` that a word may follow."""

FAR = 0.1
"""How like an id must at least be to what was typed, for lack of better ones."""


class PlotCommand(TyperCommand):
    """A command whose `--plot` may be given without a file."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `-` behind a `--plot` that no file follows: a file has an ending, or folder and cable stand elsewhere."""
        before = ["", *args[:-1]]
        others = [one for last, one in zip(before, args, strict=True) if not {one[:1], last} & {"-", *TAKING}]
        filled = []
        for here, following in zip(args, [*args[1:], ""], strict=True):
            filled.append(here)
            word = following[:1] not in ("", "-") and (Path(following).suffix or len(others) > 1)
            if here == "--plot" and not word and following != TERMINAL:
                filled.append(TERMINAL)
        return super().parse_args(ctx, filled)


@app.command("init")
def init(folder: Folder, pki: Pki) -> None:
    """Write a commented configuration and a certificate for a DSO."""
    from gridroom.dso import setup

    with plainly():
        free(folder, "dso")
        typer.echo(f"configuration: {setup.init(folder, pki)}")


@app.command("run")
def run(folder: Folder, lockstep: Lockstep = None, start: Start = None) -> None:
    """Run the DSO of a folder."""
    from gridroom.dso import app as dso

    there(folder, "dso")
    live(dso.run(folder, clock(lockstep, start)))


@app.command("status")
def status(folder: Folder, as_json: AsJson = False) -> None:
    """Tell how the DSO of a folder fares, running or not; exit 1 when something is alarming."""
    from gridroom.cli import as_json as forms
    from gridroom.cli import tables
    from gridroom.dso.screens import overview

    now = WallClock().now()
    with plainly(), _opened(folder, now) as (config, db, furnished):
        missed_after = timedelta(seconds=config.measurements.late_after_s)
        office, findings = furnished.office, furnished.findings
        found = overview.look(db, office, config.party, config.peers(), now, findings, missed_after)
        zone = furnished.office.rules.zone
        if as_json:
            typer.echo(json.dumps(forms.status(found, zone), indent=2, ensure_ascii=False))
        else:
            tables.show(*tables.status(found, zone))
    if found.alarming:
        raise typer.Exit(1)


@app.command("cables")
def cables(folder: Folder, as_json: AsJson = False) -> None:
    """List the register, and how each cable stands."""
    from gridroom.cli import as_json as forms
    from gridroom.cli import tables
    from gridroom.dso.screens import overview
    from gridroom.dso.screens.status import summed
    from gridroom.dso.store import Store

    now = WallClock().now()
    with plainly(), _opened(folder, now) as (_, db, furnished):
        office = furnished.office
        with db.transact() as tx:
            lines = overview.lines(Store(tx, office.rules.block), office, now)
        if as_json:
            typer.echo(
                json.dumps(
                    forms.cables(lines, office.register, office.rules.zone, furnished.warnings),
                    indent=2,
                    ensure_ascii=False,
                )
            )
        else:
            tables.show(*tables.cables(lines, office.register, now, tables.width()))
        for warning in summed(furnished.warnings):
            typer.echo(f"gridroom: warning: {warning}", err=True)


@app.command("forecast", cls=PlotCommand)
def forecast(
    folder: Folder,
    cable: Annotated[str, typer.Argument(help="Its id.")],
    phase: Annotated[
        str, typer.Option(help="L1, L2 or L3. Without it all; in the table that with the least capacity of each block.")
    ] = "",
    plot: Annotated[
        str | None, typer.Option("--plot", metavar="[FILE]", help="Draw it: .png or .svg, or in the terminal.")
    ] = None,
    start: Annotated[
        str, typer.Option(help="Begin here, such as 2026-01-05T17:00; local time without a zone. Else now.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Show the forecast of a cable and what is offered: the next 24 hours, or a day before and after as a plot."""
    from gridroom.cli import as_json as forms
    from gridroom.cli import tables
    from gridroom.dso.screens import overview
    from gridroom.dso.screens.curves import curves
    from gridroom.dso.service import view
    from gridroom.dso.store import Store
    from gridroom.timegrid import floor

    if as_json and plot is not None:
        raise typer.BadParameter("choose one of --json and --plot", param_hint="--plot")
    now = WallClock().now()
    with plainly(), _opened(folder, now) as (_, db, furnished):
        office = furnished.office
        rules, which = office.rules, _cable(furnished, cable)
        begin = floor(_moment(start, rules.zone) if start else now, rules.block)
        before = ONE_DAY if plot is not None and not start else timedelta(0)
        with db.transact() as tx:
            store = Store(tx, rules.block)
            found = view(store, office, which, begin - before, (before + ONE_DAY) // rules.block)
            published = store.moment("published")
            made = overview.divisions(store, office, published).get(which.id, {})
            adjusted = overview.adjusted(store, which, found.start, found.available.shape[1])
        nodes, above = office.register.nodes, office.register.above(which.id)
        held_by = {one: nodes[one].kind for one in above if one in cast(list[str], made.get("held_by", []))}
        shown = curves(found, which, rules, now, str(made.get("quality", overview.NONE)), held_by, adjusted)
        if phase:
            shown = dataclasses.replace(shown, phases=(_phase(phase, which),))
        if shown.empty:
            why = "nothing was published yet" if published is None else "nothing is known of that time"
            refuse(f"{cable}: {why}; `gridroom dso status {folder}` tells more")
        if as_json:
            typer.echo(json.dumps(forms.forecast(shown), indent=2, ensure_ascii=False))
        elif plot is None:
            tables.show(*tables.forecast(shown, tables.width()))
        else:
            _plot(shown, plot)


@app.command("import")
def import_files(
    folder: Folder,
    files: Annotated[list[Path], typer.Argument(help="Of the register, of measurements, or of both.")],
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Register: the files are the whole of the kinds they are about. Measurements: what they tell "
            "takes the place of what is stored.",
        ),
    ] = False,
    zone: Annotated[
        str | None, typer.Option(help="Measurements: whose clock times without a zone are, such as Europe/Amsterdam.")
    ] = None,
    start: Start = None,
) -> None:
    """Read files of the register, all of them or none, then measurements; what is wrong is told."""
    from gridroom.dso import folder as home
    from gridroom.dso import register

    now = start and start.replace(tzinfo=UTC)
    wrong = False
    with plainly():
        there(folder, "dso")
        home.load(folder)  # a folder that is none is told before a file that is none
        for file in files:
            with file.open("rb") as stream:
                if why := register.strange(stream.read(register.HEAD)):
                    refuse(f"{file}: {why}")
        about = [file for file in files if register.is_register(file)]
        if about:
            try:
                imported = home.import_register(folder, about, replace=replace, now=now)
            except KeyboardInterrupt:
                _stopped("nothing was stored")
            for finding in imported.findings:
                typer.echo(f"gridroom: {finding.severity}: {finding}", err=True)
            typer.echo(imported.words)
            if not imported.stored:
                raise typer.Exit(1)
        for file in files:
            if file not in about:
                wrong = _measurements(folder, file, zone, now, replace) or wrong
    if wrong:
        raise typer.Exit(1)


@app.command("resume")
def resume_cso(folder: Folder, party: Annotated[str, typer.Argument(help="The CSO that offers it now.")]) -> None:
    """Send a CSO again what it answered with NOT IMPLEMENTED."""
    from gridroom.dso import folder as home

    with plainly():
        there(folder, "dso")
        resume(home.open_database(home.load(folder)), party)


def _measurements(folder: Path, file: Path, zone: str | None, now: datetime | None, replace: bool) -> bool:
    """Import a file of measurements; whether something in it was refused, or there is nothing in it."""
    from gridroom.cli.progress import bar
    from gridroom.dso import folder as home
    from gridroom.dso.readings.measurements import Reason

    with bar(file.name) as tell:
        done = 0.0

        def told(so_far: int, whole: int) -> None:
            nonlocal done
            done = so_far / max(1, whole)
            tell(so_far, whole)

        try:
            received = home.import_measurements(folder, file, zone, now, told, replace=replace)
        except KeyboardInterrupt:
            part = done > 0.5  # reading is the first half
            _stopped(f"a part of {file} is stored: import it again" if part else f"nothing of {file} was stored")
    for finding in received.findings:
        typer.echo(f"gridroom: {file}: {finding}", err=True)
    for doubt in received.doubts:
        typer.echo(f"gridroom: warning: {file}: {doubt}", err=True)
    if received.untold:
        typer.echo(f"gridroom: {file}: {received.untold} more, counted below", err=True)
    typer.echo(received.summary())
    if not replace and received.counts[Reason.CONTRADICTED] + received.counts[Reason.OVERLAPPING]:
        typer.echo(f"gridroom: {file}: with --replace what it tells takes the place of what stands there", err=True)
    nothing = not (received.stored or received.refused or received.repeated)
    if nothing:
        typer.echo(f"gridroom: {file}: holds no readings", err=True)
    return nothing or bool(received.refused)


def _stopped(what: str) -> NoReturn:
    """End as Ctrl-C ends a command, and say what was stored."""
    typer.echo(f"gridroom: stopped; {what}", err=True)
    raise typer.Exit(130)


@contextmanager
def _opened(folder: Path, now: datetime) -> Iterator[tuple["DsoConfig", "Database", "Furnished"]]:
    """The configuration of a folder, its database as it is, and what the register makes of both."""
    from gridroom.dso import folder as home
    from gridroom.dso.office import furnish

    there(folder, "dso")
    config = home.load(folder)
    with closing(home.look_at_database(config)) as db:
        with db.transact() as tx:
            furnished = furnish(config, tx, now)
        yield config, db, furnished


def _cable(furnished: "Furnished", cable_id: str) -> "Cable":
    """A cable of the register; of another id, those that are near are told."""
    register = furnished.office.register
    if cable_id in register:
        return register[cable_id]
    if cable_id in register.nodes:
        below = [cable.id for cable in register.below(cable_id)]
        refuse(f"{cable_id} is a {register.nodes[cable_id].kind}; choose a cable below it: {', '.join(below[:LISTED])}")
    folded = {one.casefold(): one for one in register}
    tries = (get_close_matches(cable_id.casefold(), folded, LISTED, cutoff) for cutoff in (0.5, FAR))
    if near := next(filter(None, tries), []):
        refuse(f"there is no cable {cable_id!r}; near it are {', '.join(folded[one] for one in near)}")
    some = ", ".join([*list(register)[:LISTED], *(["…"] if len(register) > LISTED else [])])
    refuse(f"there is no cable {cable_id!r}; there are {some or 'none: import some with `gridroom dso import`'}")


def _phase(name: str, cable: "Cable") -> int:
    there = {f"L{phase}": phase for phase in cable.phases}
    if name.upper() not in there:
        refuse(f"{cable.id} has no phase {name!r}; it has {', '.join(there)}")
    return there[name.upper()]


def _moment(text: str, zone: ZoneInfo) -> datetime:
    from gridroom.dso.readings.measurements import EARLIEST, LATEST

    try:
        moment = datetime.fromisoformat(text)
        moment = (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).astimezone(UTC)
        if EARLIEST <= moment < LATEST:
            return moment
    except (ValueError, OverflowError):
        pass
    raise typer.BadParameter(f"{text!r} is no moment like 2026-01-05T17:00", param_hint="--start")


def _plot(shown: "Curves", file: str) -> None:
    """Draw a cable into a file, or in the terminal."""
    from gridroom.dso.screens import chart, figure

    if file == TERMINAL:
        typer.echo(chart.chart(shown, shutil.get_terminal_size().columns))
    elif not file.lower().endswith(figure.KINDS):
        refuse(f"{file}: a plot ends in {' or '.join(figure.KINDS)}")
    else:
        figure.draw(shown, Path(file))
        typer.echo(f"drawn: {file}")
