"""The command `gridroom`: every actor, tool and the street, from the shell.

An error is one line that says what to do, and exit code 1. Heavy imports wait until the command that needs them.
"""

import asyncio
import json
import logging
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer

from gridroom import __version__
from gridroom.clock import Clock, WallClock

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Electric cars share a cable: OSCP 1.0 from substation to socket.",
)
pki_app = typer.Typer(no_args_is_help=True, help="Certificates of a development authority.")
dso_app = typer.Typer(no_args_is_help=True, help="The grid operator's back office.")
cso_app = typer.Typer(no_args_is_help=True, help="The charge station operator's back office.")
station_app = typer.Typer(no_args_is_help=True, help="Simulated charge stations, real protocol.")
app.add_typer(pki_app, name="pki")
app.add_typer(dso_app, name="dso")
app.add_typer(cso_app, name="cso")
app.add_typer(station_app, name="station")

LEVELS = ("debug", "info", "warning", "error")

Folder = Annotated[Path, typer.Argument(help="Its folder.")]
Pki = Annotated[Path, typer.Option("--pki", help="Folder of the authority, made by `gridroom pki init`.")]
Lockstep = Annotated[Path | None, typer.Option(hidden=True, help="Control socket of the street's clock.")]
Start = Annotated[datetime | None, typer.Option(hidden=True, help="First moment of the street's clock.")]


def main() -> None:
    """Run the command line."""
    app()


@contextmanager
def _plainly() -> Iterator[None]:
    """Tell an expected error in one line, without a traceback."""
    from gridroom.config import ConfigError
    from gridroom.dso.measurements import DeliveryError
    from gridroom.oscp.errors import OscpError
    from gridroom.security.pki import PkiError
    from gridroom.sim.errors import SimError
    from gridroom.storage.database import DatabaseError
    from gridroom.xml import XmlError

    try:
        yield
    except (ConfigError, DeliveryError, OscpError, PkiError, SimError, DatabaseError, XmlError, OSError) as error:
        typer.echo(f"gridroom: {_words(error)}", err=True)
        raise typer.Exit(1) from error


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _log(level: str) -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _live(work: Coroutine[Any, Any, None]) -> None:
    """Run an actor until it ends, or until Ctrl-C or SIGTERM asks it to; it then closes what it opened."""

    async def until_told() -> None:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        with suppress(asyncio.CancelledError):
            await task

    with _plainly():
        asyncio.run(until_told())


def _clock(lockstep: Path | None, start: datetime | None) -> Clock:
    if lockstep is None or start is None:
        return WallClock()
    from gridroom.sim.clock import LockstepClock

    return LockstepClock(lockstep, start.replace(tzinfo=UTC))


@app.callback(invoke_without_command=True)
def gridroom(
    log: Annotated[str, typer.Option(help="Least level to log: debug, info, warning, error.")] = "info",
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Set up what all commands share."""
    if version:
        typer.echo(__version__)
        raise typer.Exit
    if log.lower() not in LEVELS:
        raise typer.BadParameter(f"{log!r} is none of {', '.join(LEVELS)}", param_hint="--log")
    _log(log)


@app.command()
def decode(
    file: Annotated[Path, typer.Argument(help="A SOAP message of OSCP 1.0; - reads standard input.", allow_dash=True)],
) -> None:
    """Print an OSCP message as JSON: message, header, body, deviations; exit 1 when any part must be refused."""
    from gridroom.oscp.v10 import render, soap

    with _plainly():
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        shown = render.as_json(soap.read_any(data))
        typer.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        refused = shown["body"].get("refused", [])
        for one in refused:
            typer.echo(f"gridroom: {one['path']}: {one['Message']}", err=True)
        if refused:
            raise typer.Exit(1)


@pki_app.command("init")
def pki_init(folder: Folder) -> None:
    """Make a certificate authority for development in a new folder."""
    from gridroom.security import pki

    with _plainly():
        typer.echo(f"authority: {pki.init(folder).cert}")


@pki_app.command("issue")
def pki_issue(
    folder: Folder,
    party: Annotated[str, typer.Argument(help="Whom it speaks for; becomes urn:gridroom:party:<id>.")],
    host: Annotated[list[str] | None, typer.Option(help="Host name or address; may be repeated.")] = None,
    kind: Annotated[str, typer.Option(help="party, station or meter.")] = "party",
    into: Annotated[Path | None, typer.Option(help="Where to write; the authority's folder without it.")] = None,
) -> None:
    """Sign a certificate for a party."""
    from gridroom.security import pki

    if kind not in ("party", "station", "meter"):
        raise typer.BadParameter(f"{kind!r} is none of party, station, meter", param_hint="--kind")
    with _plainly():
        hosts = host or ["localhost", "127.0.0.1"]
        cert, key = pki.issue(folder, party, hosts=hosts, kind=kind, into=into)  # type: ignore[arg-type]
        typer.echo(f"certificate: {cert}\nkey: {key}")


@dso_app.command("init")
def dso_init(folder: Folder, pki: Pki) -> None:
    """Write a commented configuration and a certificate for a DSO."""
    from gridroom.dso import setup

    with _plainly():
        typer.echo(f"configuration: {setup.init(folder, pki)}")


@dso_app.command("run")
def dso_run(folder: Folder, lockstep: Lockstep = None, start: Start = None) -> None:
    """Run the DSO of a folder."""
    from gridroom.dso import app as dso

    _live(dso.run(folder, _clock(lockstep, start)))


@dso_app.command("import")
def dso_import(
    folder: Folder,
    file: Annotated[Path, typer.Argument(help="Measurements: time,cable,L1,L2,L3 in ampere, UTC.")],
    start: Start = None,
) -> None:
    """Read measurements from a CSV file; broken rows are told and left out."""
    from gridroom.dso import app as dso

    with _plainly():
        received = dso.import_csv(folder, file, _clock(file, start))
        for finding in received.findings:
            typer.echo(f"{file}: {finding.where}: {finding.text}", err=True)
        typer.echo(f"{received.stored} readings stored, {len(received.findings)} refused")
        if received.findings:
            raise typer.Exit(1)


@cso_app.command("init")
def cso_init(folder: Folder, pki: Pki) -> None:
    """Write a commented configuration and a certificate for a CSO."""
    from gridroom.cso import setup

    with _plainly():
        typer.echo(f"configuration: {setup.init(folder, pki)}")


@cso_app.command("run")
def cso_run(folder: Folder, lockstep: Lockstep = None, start: Start = None) -> None:
    """Run the CSO of a folder."""
    from gridroom.cso import app as cso

    _live(cso.run(folder, _clock(lockstep, start)))


@station_app.command("init")
def station_init(
    folder: Folder,
    pki: Pki,
    url: Annotated[str, typer.Option(help="Where the CSO listens for stations.")] = "wss://localhost:8710/ocpp",
    cso: Annotated[Path | None, typer.Option(help="Folder of a CSO; its register gets the stations.")] = None,
    count: Annotated[int, typer.Option(help="How many stations.", min=1)] = 3,
    prefix: Annotated[str, typer.Option(help="Their names: this, a dash and a number.")] = "station",
) -> None:
    """Write a commented configuration for simulated stations, and the rows for their CSO's register."""
    from gridroom.station import setup

    with _plainly():
        rows = setup.init(folder, pki, url=url, count=count, prefix=prefix, cso=cso)
        typer.echo(f"stations: {folder / 'stations.toml'}\nrows for the CSO's register: {rows}")
        if cso is not None:
            typer.echo(f"added to {cso / rows.name}")


@station_app.command("run")
def station_run(folder: Folder, lockstep: Lockstep = None, start: Start = None) -> None:
    """Run the simulated stations of a folder."""
    from gridroom.station import app as station

    _live(station.run(folder, _clock(lockstep, start), keep=lockstep is None))


@app.command()
def demo(
    seed: Annotated[int, typer.Option(help="What chance follows from.")] = 1,
    day: Annotated[str, typer.Option(help="Local date, YYYY-MM-DD.")] = "",
    evs: Annotated[int | None, typer.Option(help="Number of charging sessions.")] = None,
    fuse: Annotated[float | None, typer.Option(help="Rated current of the fuse. [A]")] = None,
    loads: Annotated[Path | None, typer.Option(help="What the homes draw, CSV or Parquet.")] = None,
    sessions: Annotated[Path | None, typer.Option(help="Charging sessions, CSV or Parquet.")] = None,
    report: Annotated[Path, typer.Option(help="Where the report goes.")] = Path("report"),
) -> None:
    """Simulate a day on a street: the fuse blows without OSCP and holds with it."""
    from gridroom.sim import run

    with _plainly():
        try:
            chosen = date.fromisoformat(day) if day else None
        except ValueError as error:
            raise typer.BadParameter(f"{day!r} is no date like 2016-11-15", param_hint="--day") from error
        run.demo(seed=seed, day=chosen, evs=evs, fuse=fuse, loads=loads, sessions=sessions, report=report)
