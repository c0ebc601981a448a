"""Commands that set up and run the actors, certificates and the street."""

from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridroom.cli.shell import live, plainly
from gridroom.clock import Clock, WallClock

if TYPE_CHECKING:
    from gridroom.storage.database import Database

app = typer.Typer()
pki_app = typer.Typer(no_args_is_help=True, help="Certificates of a development authority.")
dso_app = typer.Typer(no_args_is_help=True, help="The grid operator's back office.")
cso_app = typer.Typer(no_args_is_help=True, help="The charge station operator's back office.")
station_app = typer.Typer(no_args_is_help=True, help="Simulated charge stations, real protocol.")
app.add_typer(pki_app, name="pki")
app.add_typer(dso_app, name="dso")
app.add_typer(cso_app, name="cso")
app.add_typer(station_app, name="station")

Folder = Annotated[Path, typer.Argument(help="Its folder.")]
Pki = Annotated[Path, typer.Option("--pki", help="Folder of the authority, made by `gridroom pki init`.")]
Lockstep = Annotated[Path | None, typer.Option(hidden=True, help="Control socket of the street's clock.")]
Start = Annotated[datetime | None, typer.Option(hidden=True, help="First moment of the street's clock.")]


def _clock(lockstep: Path | None, start: datetime | None) -> Clock:
    if lockstep is None or start is None:
        return WallClock()
    from gridroom.sim.clock import LockstepClock

    return LockstepClock(lockstep, start.replace(tzinfo=UTC))


def _resume(db: "Database", party: str) -> None:
    from gridroom.storage.outbox import Outbox

    with closing(db), db.transact() as tx:
        resumed = Outbox(tx).resume(party)
    typer.echo(f"{party}: {', '.join(resumed) or 'nothing was stopped'}")
    if not resumed:
        raise typer.Exit(1)


@pki_app.command("init")
def pki_init(folder: Folder) -> None:
    """Make a certificate authority for development in a new folder."""
    from gridroom.security import pki

    with plainly():
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
    with plainly():
        hosts = host or ["localhost", "127.0.0.1"]
        cert, key = pki.issue(folder, party, hosts=hosts, kind=kind, into=into)  # type: ignore[arg-type]
        typer.echo(f"certificate: {cert}\nkey: {key}")


@dso_app.command("init")
def dso_init(folder: Folder, pki: Pki) -> None:
    """Write a commented configuration and a certificate for a DSO."""
    from gridroom.dso import setup

    with plainly():
        typer.echo(f"configuration: {setup.init(folder, pki)}")


@dso_app.command("run")
def dso_run(folder: Folder, lockstep: Lockstep = None, start: Start = None) -> None:
    """Run the DSO of a folder."""
    from gridroom.dso import app as dso

    live(dso.run(folder, _clock(lockstep, start)))


@dso_app.command("import")
def dso_import(
    folder: Folder,
    file: Annotated[Path, typer.Argument(help="Measurements: time,cable,L1,L2,L3 in ampere, UTC.")],
    start: Start = None,
) -> None:
    """Read measurements from a CSV file; broken rows are told and left out."""
    from gridroom.dso import app as dso

    with plainly():
        received = dso.import_csv(folder, file, start and start.replace(tzinfo=UTC))
        for finding in received.findings:
            typer.echo(f"{file}: {finding.where}: {finding.text}", err=True)
        typer.echo(f"{received.stored} readings stored, {len(received.findings)} refused")
        if received.findings:
            raise typer.Exit(1)


@dso_app.command("resume")
def dso_resume(folder: Folder, party: Annotated[str, typer.Argument(help="The CSO that offers it now.")]) -> None:
    """Send a CSO again what it answered with NOT IMPLEMENTED."""
    from gridroom.dso import app as dso

    with plainly():
        _resume(dso.open_database(dso.load(folder)), party)


@cso_app.command("init")
def cso_init(folder: Folder, pki: Pki) -> None:
    """Write a commented configuration and a certificate for a CSO."""
    from gridroom.cso import setup

    with plainly():
        typer.echo(f"configuration: {setup.init(folder, pki)}")


@cso_app.command("run")
def cso_run(folder: Folder, lockstep: Lockstep = None, start: Start = None) -> None:
    """Run the CSO of a folder."""
    from gridroom.cso import app as cso

    live(cso.run(folder, _clock(lockstep, start)))


@cso_app.command("resume")
def cso_resume(folder: Folder, party: Annotated[str, typer.Argument(help="The DSO that offers it now.")]) -> None:
    """Send a DSO again what it answered with NOT IMPLEMENTED."""
    from gridroom.cso import app as cso

    with plainly():
        _resume(cso.open_database(cso.load(folder)), party)


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

    with plainly():
        rows = setup.init(folder, pki, url=url, count=count, prefix=prefix, cso=cso)
        typer.echo(f"stations: {folder / 'stations.toml'}\nrows for the CSO's register: {rows}")
        if cso is not None:
            typer.echo(f"added to {cso / rows.name}")


@station_app.command("run")
def station_run(folder: Folder, lockstep: Lockstep = None, start: Start = None) -> None:
    """Run the simulated stations of a folder."""
    from gridroom.station import app as station

    live(station.run(folder, _clock(lockstep, start), keep=lockstep is None))


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

    with plainly():
        try:
            chosen = date.fromisoformat(day) if day else None
        except ValueError as error:
            raise typer.BadParameter(f"{day!r} is no date like 2016-11-15", param_hint="--day") from error
        run.demo(seed=seed, day=chosen, evs=evs, fuse=fuse, loads=loads, sessions=sessions, report=report)
