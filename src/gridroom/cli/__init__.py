"""The command `gridroom`: every actor, tool and the street, from the shell.

An error is one line that says what to do, and exit code 1. Heavy imports wait until the command that needs them.
"""

from typing import Annotated

import typer

from gridroom import __version__
from gridroom.cli import actors, backtest, converting, cso, dso, letters, shell

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Electric cars share a cable: OSCP 1.0 from substation to socket.",
)
app.add_typer(letters.app)
app.add_typer(converting.app)
app.add_typer(dso.app, name="dso")
app.add_typer(cso.app, name="cso")
app.add_typer(actors.app)
app.add_typer(backtest.app)

LEVELS = ("debug", "info", "warning", "error")


def main() -> None:
    """Run the command line."""
    app()


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
    shell.log(log)
