"""What the commands that work in an actor's folder share: their arguments, its clock, letters sent again."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridroom.cli.shell import refuse
from gridroom.clock import Clock, WallClock

if TYPE_CHECKING:
    from gridroom.storage.database import Database

OFFICES = {"dso": "dso.toml", "cso": "cso.toml"}
"""By whom a folder is told apart: each office has a file of its own."""

Folder = Annotated[Path, typer.Argument(help="Its folder.")]
Pki = Annotated[Path, typer.Option("--pki", help="Folder of the authority, made by `gridroom pki init`.")]
Lockstep = Annotated[Path | None, typer.Option(hidden=True, help="Control socket of the street's clock.")]
Start = Annotated[datetime | None, typer.Option(hidden=True, help="First moment of the street's clock.")]


def clock(lockstep: Path | None, start: datetime | None) -> Clock:
    """The clock that an actor lives on: that of the wall, or the street's."""
    if lockstep is None or start is None:
        from gridroom.storage.database import DatabaseError

        return WallClock(DatabaseError)
    from gridroom.sim.clock import LockstepClock

    return LockstepClock(lockstep, start.replace(tzinfo=UTC))


def there(folder: Path, office: str) -> None:
    """Refuse a folder in which an office is not, and say what to do."""
    file, name = folder / OFFICES[office], office.upper()
    if file.exists():
        return
    if folder.is_file():
        refuse(f"{folder} is a file: the folder of the {name} comes first, then what else there is")
    free(folder, office)
    refuse(f"{file}: No such file or directory; `gridroom {office} init {folder} --pki PKI` makes a new {name}")


def free(folder: Path, office: str) -> None:
    """Refuse a folder in which another office is."""
    for other, name in OFFICES.items():
        if other != office and (folder / name).exists():
            refuse(
                f"{folder} is the folder of a {other.upper()} ({name}): name that of the {office.upper()}; "
                "each has a folder of its own"
            )


def resume(db: "Database", party: str) -> None:
    """Send a party again what it answered with NOT IMPLEMENTED; exit 1 when nothing was stopped."""
    from gridroom.storage.outbox import Outbox

    with closing(db), db.transact() as tx:
        resumed = Outbox(tx).resume(party)
    typer.echo(f"{party}: {', '.join(resumed) or 'nothing was stopped'}")
    if not resumed:
        raise typer.Exit(1)
