"""What the commands that work in an actor's folder share: their arguments, its clock, letters sent again."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridroom.clock import Clock, WallClock

if TYPE_CHECKING:
    from gridroom.storage.database import Database

Folder = Annotated[Path, typer.Argument(help="Its folder.")]
Pki = Annotated[Path, typer.Option("--pki", help="Folder of the authority, made by `gridroom pki init`.")]
Lockstep = Annotated[Path | None, typer.Option(hidden=True, help="Control socket of the street's clock.")]
Start = Annotated[datetime | None, typer.Option(hidden=True, help="First moment of the street's clock.")]


def clock(lockstep: Path | None, start: datetime | None) -> Clock:
    """The clock that an actor lives on: that of the wall, or the street's."""
    if lockstep is None or start is None:
        return WallClock()
    from gridroom.sim.clock import LockstepClock

    return LockstepClock(lockstep, start.replace(tzinfo=UTC))


def resume(db: "Database", party: str) -> None:
    """Send a party again what it answered with NOT IMPLEMENTED; exit 1 when nothing was stopped."""
    from gridroom.storage.outbox import Outbox

    with closing(db), db.transact() as tx:
        resumed = Outbox(tx).resume(party)
    typer.echo(f"{party}: {', '.join(resumed) or 'nothing was stopped'}")
    if not resumed:
        raise typer.Exit(1)
