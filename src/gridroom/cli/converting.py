"""The command that says a message between CSO and station in another version of OCPP."""

from pathlib import Path
from typing import Annotated

import typer

from gridroom.cli.shell import plainly, read

app = typer.Typer()

CONVERTED = "what is converted: SetChargingProfile, MeterValues, and TransactionEvent of OCPP 2.0.1"
"""Added where the text as a whole is no message that could be."""


@app.command()
def convert(
    file: Annotated[
        Path, typer.Argument(help="XML of OSCP 1.0 chapter 4 or JSON of OCPP; - reads standard input.", allow_dash=True)
    ],
    to: Annotated[str, typer.Option("--to", help="draft20 (chapter 4), 1.6 or 2.0.1.")],
    identity: Annotated[
        str, typer.Option(help="The charge point, for the header of chapter 4; at most 255 characters.")
    ] = "",
) -> None:
    """Say a SetChargingProfile, MeterValues or TransactionEvent in another version of OCPP; losses go to stderr."""
    from gridroom.ocpp.convert import Version
    from gridroom.ocpp.convert import convert as converted
    from gridroom.ocpp.draft20.soap import LONGEST_ID
    from gridroom.ocpp.errors import PayloadError

    if to not in set(Version):
        raise typer.BadParameter(f"{to!r} is none of {', '.join(Version)}", param_hint="--to")
    if len(identity) > LONGEST_ID:
        raise typer.BadParameter(f"at most {LONGEST_ID} characters, not {len(identity)}", param_hint="--identity")
    with plainly():
        data = read(file)
        if not data.strip():
            raise PayloadError("", "there is nothing to read, it is empty")
        try:
            found = converted(data, Version(to), identity)
        except PayloadError as error:
            if error.path:
                raise
            raise PayloadError("", f"{error.reason}; {CONVERTED}") from error
        for loss in found.losses:
            typer.echo(str(loss), err=True)
        typer.echo(found.text)
