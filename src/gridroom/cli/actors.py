"""Commands of the development authority, of stations and of the street."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from gridroom.cli.folders import Folder, Lockstep, Pki, Start, clock
from gridroom.cli.shell import live, plainly

app = typer.Typer()
pki_app = typer.Typer(no_args_is_help=True, help="Certificates of a development authority.")
station_app = typer.Typer(no_args_is_help=True, help="Simulated charge stations, real protocol.")
app.add_typer(pki_app, name="pki")
app.add_typer(station_app, name="station")


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

    live(station.run(folder, clock(lockstep, start), keep=lockstep is None))


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
