"""The command that says a message between CSO and station in another version of OCPP."""

from pathlib import Path
from typing import Annotated

import typer

from gridroom.cli.shell import plainly, read

app = typer.Typer()


@app.command()
def convert(
    file: Annotated[
        Path, typer.Argument(help="XML of OSCP 1.0 chapter 4 or JSON of OCPP; - reads standard input.", allow_dash=True)
    ],
    to: Annotated[str, typer.Option("--to", help="draft20 (chapter 4), 1.6 or 2.0.1.")],
    identity: Annotated[str, typer.Option(help="The charge point, for the header of chapter 4.")] = "",
) -> None:
    """Say a SetChargingProfile or MeterValues in another version of OCPP; each loss is a line on stderr."""
    from gridroom.ocpp.convert import Version
    from gridroom.ocpp.convert import convert as converted

    if to not in set(Version):
        raise typer.BadParameter(f"{to!r} is none of {', '.join(Version)}", param_hint="--to")
    with plainly():
        found = converted(read(file), Version(to), identity)
        for loss in found.losses:
            typer.echo(str(loss), err=True)
        typer.echo(found.text)
