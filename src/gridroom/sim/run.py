"""The main job: a day on a street with every actor a process of its own, and a report of it."""

import asyncio
import os
import shutil
import tempfile
import time
from datetime import date
from pathlib import Path

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gridroom.sim.bound import bound_wh
from gridroom.sim.errors import SimError
from gridroom.sim.live import Cut, Diary, Road, evening_cuts, live
from gridroom.sim.memory import InMemory
from gridroom.sim.offices import RISK
from gridroom.sim.outcome import Outcome
from gridroom.sim.processes import Processes
from gridroom.sim.street import Street, build
from gridroom.sim.uncontrolled import uncontrolled

log = structlog.get_logger()


def demo(
    *,
    seed: int,
    day: date | None,
    evs: int | None,
    fuse: float | None,
    loads: Path | None,
    sessions: Path | None,
    report: Path,
) -> None:
    """Build a street, live its day through processes, write and print the report.

    Args:
        seed: What chance follows from.
        day: Local date, see `street.build`.
        evs: Number of sessions.
        fuse: Rated current of the fuse. [A]
        loads: File with what the homes draw.
        sessions: File with charging sessions.
        report: Folder of the report.

    Raises:
        SimError: The data cannot be used, or an actor failed.
    """
    console = Console(stderr=True)
    street = build(seed, day, evs, fuse, loads, sessions)
    _make_room(report)
    for note in street.notes:
        console.print(f"[yellow]note[/] {note}")
    console.print(
        f"{street.about}: {len(street.households)} homes, {len(street.stations)} stations, {len(street.sessions)} "
        f"sessions on {street.day}; fuse {street.fuse_a:g} A, accepted risk {RISK:.3%} of blocks, seed {street.seed}"
    )
    outcome = asyncio.run(_through_processes(street, console))
    from gridroom.sim.report import print_summary, write_report  # plots take a second to import

    page = write_report(outcome, report)
    print_summary(outcome, Console())
    Console().print(f"report: {page}")


def _make_room(report: Path) -> None:
    """See that the report can be written, before the day is lived."""
    try:
        report.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SimError(f"{report}: no report can be written here: {error.strerror} (--report)") from error
    if not os.access(report, os.W_OK):
        raise SimError(f"{report}: no report can be written here: no permission (--report)")


async def in_memory(street: Street) -> Outcome:
    """Live a street's day on the short road, without sockets and processes."""
    cuts, begin = evening_cuts(street), time.monotonic()
    async with InMemory(street) as road:
        diary = await live(street, road, cuts, lambda _: None)
    return conclude(street, diary, time.monotonic() - begin)


async def _through_processes(street: Street, console: Console) -> Outcome:
    cuts, begin = evening_cuts(street), time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="gridroom-"))
    try:
        with console.status("starting the DSO, two CSOs and the stations") as status:
            async with Processes(street, folder, cuts) as road:
                status.stop()
                diary = await _with_progress(street, road, cuts, console)
    except BaseException:
        console.print(f"what the actors did and said is in {folder}")
        raise
    shutil.rmtree(folder)
    return conclude(street, diary, time.monotonic() - begin)


async def _with_progress(street: Street, road: Road, cuts: tuple[Cut, ...], console: Console) -> Diary:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("steps of 5 minutes", total=street.steps)
        return await live(street, road, cuts, lambda done: progress.update(task, completed=done))


def conclude(street: Street, diary: Diary, wall_seconds: float) -> Outcome:
    """The outcome of a day, beside the same day without control and with perfect foresight.

    Raises:
        SimError: A session was not simulated.
    """
    missing = [s for s in street.sessions if (s.station, s.plug_in) not in diary.sessions]
    if missing:
        raise SimError(f"no car came to {missing[0].station} at {missing[0].plug_in}")
    return Outcome(
        street=street,
        wall_seconds=wall_seconds,
        homes_a=diary.homes_a,
        cars_a=diary.cars_a,
        delivered_wh=tuple(diary.sessions[s.station, s.plug_in] for s in street.sessions),
        uncontrolled=uncontrolled(street),
        bound_wh=bound_wh(street),
        forecasts=tuple(diary.forecasts),
        allotted_a=diary.allotted_a,
        messages=diary.messages,
        events=tuple(diary.events),
        settings={
            "accepted risk": f"{RISK:.3%} of the blocks",
            "order of a step": "measure, control, react",
            "urgent forecasts": str(diary.urgent),
        },
    )
