"""The main job as a person starts it: `gridroom demo`, a day through processes, sockets and databases.

This is the one slow test; the days of other seeds take the short road, see `test_street_day`.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gridroom.sim.errors import SimError
from gridroom.sim.outcome import MESSAGE_TYPES
from gridroom.sim.processes import Processes
from gridroom.sim.street import build

LISTED: dict[str, type] = {
    "seed": int,
    "wall_seconds": float,
    "fuse_a": float,
    "uncontrolled.overload_blocks": int,
    "oscp.overload_blocks": int,
    "oscp.peak_share_of_limit": float,
    "oscp.energy_share_of_need": float,
    "oscp.energy_share_of_bound": float,
    "oscp.sessions_satisfied_share": float,
} | {f"messages.{name}.{count}": int for name in MESSAGE_TYPES for count in ("sent", "acknowledged", "refused")}
"""Fields of report.json, dots being nesting."""

PATIENCE_S = 600


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short name: control sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix="gr-") as name:
        yield Path(name)


def alive(folder: Path) -> dict[int, str]:
    """Processes whose command line names a folder, by number."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in words and int(entry.name) != os.getpid():
            found[int(entry.name)] = words
    return found


def at(document: Any, path: str) -> Any:
    """The value at a dotted path."""
    for name in path.split("."):
        document = document[name]
    return document


def test_a_day_through_processes_is_reported_and_leaves_nothing_behind(short: Path, tmp_path: Path) -> None:
    report = tmp_path / "report"
    done = subprocess.run(
        [sys.executable, "-m", "gridroom", "demo", "--seed", "5", "--evs", "30", "--report", str(report)],
        env=os.environ | {"TMPDIR": str(short), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert alive(short) == {}
    assert list(short.iterdir()) == []
    assert "Traceback" not in done.stdout + done.stderr

    figures = json.loads((report / "report.json").read_text())
    for path, kind in LISTED.items():
        value = at(figures, path)
        assert type(value) is kind or (kind is float and type(value) is int), (path, value)
    assert list(figures["messages"]) == [*MESSAGE_TYPES]
    for name, count in figures["messages"].items():
        assert set(count) == {"sent", "acknowledged", "refused"}
        assert count["acknowledged"] > 0, name
        assert count["acknowledged"] + count["refused"] <= count["sent"], name
    assert (figures["seed"], figures["sessions"]) == (5, 30)
    assert figures["oscp"]["overload_blocks"] == 0
    assert 0 < figures["oscp"]["energy_share_of_need"] <= figures["oscp"]["energy_share_of_bound"] <= 1.001
    assert 0 <= figures["oscp"]["sessions_satisfied_share"] <= 1
    assert 0 < figures["oscp"]["peak_share_of_limit"] <= 1

    page = (report / "index.html").read_text()
    assert page.count("<img") >= 3
    assert 'src="http' not in page  # it stands alone
    assert len(list(report.glob("*.png")) + list(report.glob("*.svg"))) >= 3
    for name in MESSAGE_TYPES:
        assert name in page
        assert name in done.stdout
    assert str(report / "index.html") in done.stdout.replace("\n", "")
    assert f"fuse {figures['fuse_a']:g} A" in done.stdout + done.stderr


async def test_an_actor_that_dies_ends_the_day_in_words_and_takes_the_others_along(short: Path) -> None:
    street = build(seed=5, evs=30)
    async with Processes(street, short, ()) as road:
        running = alive(short)
        assert len(running) == 4
        (dso,) = (number for number, words in running.items() if " dso run " in words)
        os.kill(dso, signal.SIGKILL)
        with pytest.raises(SimError, match=r"^the meter does not reach the DSO: "):
            await road.read_meter(street.start, (1.0, 2.0, 3.0))
        with pytest.raises(SimError, match=r"^dso could not do 'watch': it went away"):
            await road.ask("dso", "watch", street.start)
    assert alive(short) == {}


async def test_a_day_that_is_called_off_while_the_actors_start_ends_at_once(short: Path) -> None:
    starting = asyncio.ensure_future(Processes(build(seed=5, evs=30), short, ()).__aenter__())
    while not starting.done() and not any(" run " in words for words in alive(short).values()):
        await asyncio.sleep(0.05)
    begin = time.monotonic()
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert time.monotonic() - begin < 8
    assert alive(short) == {}
