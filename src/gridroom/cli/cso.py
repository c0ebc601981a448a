"""The commands of a charge station operator's back office."""

from typing import Annotated

import typer

from gridroom.cli.folders import Folder, Lockstep, Pki, Start, clock, free, resume, there
from gridroom.cli.shell import live, plainly

app = typer.Typer(no_args_is_help=True, help="The charge station operator's back office.")


@app.command("init")
def init(folder: Folder, pki: Pki) -> None:
    """Write a commented configuration and a certificate for a CSO."""
    from gridroom.cso import setup

    with plainly():
        free(folder, "cso")
        typer.echo(f"configuration: {setup.init(folder, pki)}")


@app.command("run")
def run(folder: Folder, lockstep: Lockstep = None, start: Start = None) -> None:
    """Run the CSO of a folder."""
    from gridroom.cso import app as cso

    there(folder, "cso")
    live(cso.run(folder, clock(lockstep, start)))


@app.command("resume")
def resume_dso(folder: Folder, party: Annotated[str, typer.Argument(help="The DSO that offers it now.")]) -> None:
    """Send a DSO again what it answered with NOT IMPLEMENTED."""
    from gridroom.cso import app as cso

    with plainly():
        there(folder, "cso")
        resume(cso.open_database(cso.load(folder)), party)
