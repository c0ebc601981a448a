"""The commands of a DSO's operator, on a real folder: status, cables, import and forecast."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import structlog
import typer
from rich.console import Console, Group
from typer.testing import CliRunner, Result

from dso_curves import AMSTERDAM, SATURDAY, curves
from gridroom.cli import app, as_json, tables
from gridroom.clock import WallClock
from gridroom.dso import folder as dso_folder
from gridroom.dso import setup as dso_setup
from gridroom.dso.app import Dso
from gridroom.dso.cables import Cable, Contract, Node, Register
from gridroom.dso.screens.overview import CableLine
from gridroom.dso.screens.risk import DAYS, band, effective
from gridroom.dso.screens.status import Status, percent
from gridroom.security import pki
from gridroom.timegrid import QUARTER, floor
from ports import free_ports
from terminals import Terminal, until
from terminals import gridroom as process

PAGE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
OFFSET = r"[+-]\d\d:\d\d"
TIME = rf"\d{{4}}-\d\d-\d\d \d\d:\d\d{OFFSET}"
NARROW = {"COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"}
GRID = {
    "substations.csv": "substation,limit_a\nS1,\n",
    "transformers.csv": "transformer,substation,limit_a\nT1,S1,400\n",
    "cables.csv": "cable,transformer,limit_a\nmill-lane,T1,200\nmill-road,T1,160\n",
    "contracts.csv": "cso,cable,contracted_a,since\ncso,mill-lane,80,2060-01-01T00:00:00Z\n",
}
"""A small grid beside the cable that `dso init` makes, with one that nobody measures."""


def gridroom(*words: str | Path) -> Result:
    """Run the command in this process, in a terminal of 80 columns."""
    before = structlog.get_config()  # the command sets logging up for its process, which is not this one
    try:
        return CliRunner(env=NARROW).invoke(app, [str(word) for word in words])
    finally:
        structlog.configure(**before)


def history(days: int, cable: str = "cable-1") -> str:
    """Readings of quarters until the last full one."""
    end = floor(datetime.now(UTC), QUARTER)
    rows = ["time,cable,L1,L2,L3"]
    for n in range(days * 96, 0, -1):
        time = end - n * QUARTER
        ampere = 40 + 30 * (17 <= time.hour <= 21) + n % 7
        rows.append(f"{time:%Y-%m-%dT%H:%M:%SZ},{cable},{ampere},{ampere / 2},{ampere + 10}")
    return "\n".join(rows) + "\n"


def published(folder: Path) -> None:
    """The DSO of a folder publishes once; nobody answers."""

    async def nobody(url: str, data: bytes, kind: str) -> tuple[int | None, bytes, float | None]:
        return None, b"", None

    config = dso_folder.load(folder)
    db = dso_folder.open_database(config)
    try:
        dso = Dso(config, db, nobody, lambda: str(uuid4()), WallClock())
        asyncio.run(dso.publish(datetime.now(UTC)))
    finally:
        db.close()


def made(folder: Path) -> Path:
    """A DSO as `dso init` makes it, with eight days of readings; gives its folder."""
    pki.init(folder / "pki")
    ours, theirs = free_ports(2)
    dso_setup.init(folder / "dso", folder / "pki", port=ours, cso_url=f"https://localhost:{theirs}/OSCP")
    (folder / "history.csv").write_text(history(8))
    told = gridroom("dso", "import", folder / "dso", folder / "history.csv")
    assert (told.exit_code, told.stdout) == (0, "768 readings stored, 0 refused\n")
    return folder / "dso"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DSO that has published a moment ago, for tests that only look."""
    found = made(tmp_path_factory.mktemp("show"))
    published(found)
    return found


def asked(*words: str | Path) -> Any:
    """What a command prints as JSON."""
    return json.loads(gridroom(*words, "--json").stdout)


# -- status ------------------------------------------------------------------------------------------------------------


def test_status_of_a_dso_that_works_ends_with_0(folder: Path) -> None:
    result = gridroom("dso", "status", folder)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert re.fullmatch(rf"dso at {TIME}: good", lines[0])
    assert re.fullmatch(rf"last publish +{TIME}, \d min ago", lines[1])
    assert re.fullmatch(rf"newest reading +{TIME}, \d+ min ago", lines[2])
    assert [line for line in lines if line != line.rstrip()] == []
    assert [" ".join(line.split()) for line in lines[3:6]] == [
        "odd readings none",
        "forecasts 1 good",
        "risk, default nothing to judge yet; asked 0.1 %",
    ]
    assert lines[-1].split() == ["cso", "2", "0", "0", "–"]
    assert max(map(len, lines)) <= 80


def test_status_as_json_says_the_same(folder: Path) -> None:
    found = asked("dso", "status", folder)
    assert (found["party"], found["alarming"], found["signs"]) == ("dso", False, [])
    assert found["forecasts"] == {"good": 1}
    assert 0 <= found["published_age_s"] < found["late_after_s"] == 1800
    for name in ("at", "published", "newest_reading"):
        assert re.fullmatch(rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d{OFFSET}", found[name])
    assert found["letters"]["cso"]["waiting"] == 2
    assert found["letters"]["cso"]["silent_since"] is not None
    assert found["risks"]["default"] == {"asked": 0.001, "realised": None, "low": 0.0, "high": 1.0, "blocks": 0}


def test_status_ends_with_1_when_something_is_alarming(tmp_path: Path) -> None:
    found = made(tmp_path)
    result = gridroom("dso", "status", found)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0].endswith(": look at it now")
    alarm = "alarm publish: nothing was published yet; start it with `gridroom dso run`, or see its log "
    assert alarm in " ".join(result.stdout.split())
    nothing = gridroom("dso", "forecast", found, "cable-1")
    tells = f"gridroom: cable-1: nothing was published yet; `gridroom dso status {found}` tells more\n"
    assert (nothing.exit_code, nothing.stderr) == (1, tells)
    as_json = gridroom("dso", "status", found, "--json")
    assert as_json.exit_code == 1
    assert json.loads(as_json.stdout)["alarming"]
    assert json.loads(as_json.stdout)["published"] is None


def test_status_looks_at_a_dso_that_runs(tmp_path: Path) -> None:
    found = made(tmp_path)
    file = found / "dso.toml"
    file.write_text(file.read_text().replace("interval_s = 900", "interval_s = 5"))
    running = Terminal("dso", "run", "dso", cwd=tmp_path)
    running.start()
    try:
        until(lambda: "forecast made" in running.said(), "the DSO publishes")
        told = json.loads(process("dso", "status", "dso", "--json", cwd=tmp_path))
        assert told["forecasts"] == {"good": 1}
        assert told["published_age_s"] <= 10
        assert "cable-1" in process("dso", "cables", "dso", cwd=tmp_path)
        assert "L1" in process("dso", "forecast", "dso", "cable-1", cwd=tmp_path)
        assert running.running()
        assert running.interrupt() == 0
    finally:
        running.kill()
    assert "Traceback" not in running.said()
    assert "locked" not in running.said()
    assert json.loads(gridroom("dso", "status", found, "--json").stdout)["forecasts"] == {
        "good": 1
    }  # and when it ended


def test_a_dso_of_daily_files_says_when_readings_are_missed(tmp_path: Path) -> None:
    found = made(tmp_path)
    file = found / "dso.toml"
    assert "\n[measurements]\nlate_after_s = 3600\n" in file.read_text()
    assert asked("dso", "status", found)["missed_after_s"] == 3600
    file.write_text(file.read_text().replace("late_after_s = 3600", "late_after_s = 129600"))
    assert asked("dso", "status", found)["missed_after_s"] == 129_600
    file.write_text(file.read_text().replace("late_after_s = 129600", "late_after_s = 0"))
    told = gridroom("dso", "status", found)
    assert told.exit_code == 1
    assert "`measurements.late_after_s`: above 0 s" in told.stderr


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"PK\x03\x04rest", "looks like a spreadsheet: save it as CSV"),
        ("time,cable,L1,L2,L3\n".encode("utf-16"), "is UTF-16 text: save it as CSV in UTF-8"),
        (b"\x15\x04\x00\x00PAR1", "is neither text nor Parquet; was it cut or damaged?"),
    ],
)
def test_a_file_that_is_no_text_is_told_with_what_to_do(folder: Path, tmp_path: Path, data: bytes, told: str) -> None:
    (tmp_path / "a.csv").write_bytes(data)
    result = gridroom("dso", "import", folder, tmp_path / "a.csv")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"gridroom: {tmp_path / 'a.csv'}: {told}\n"


def test_what_holds_a_cable_back_is_told(tmp_path: Path) -> None:
    found = made(tmp_path)
    (tmp_path / "t.csv").write_text("transformer,limit_a\nT1,100\n")
    (tmp_path / "c.csv").write_text("cable,limit_a,transformer\ncable-1,200,T1\n")
    assert gridroom("dso", "import", found, tmp_path / "t.csv", tmp_path / "c.csv").exit_code == 0
    published(found)
    told = "transformer T1 leaves it less than its own limit does"
    assert gridroom("dso", "forecast", found, "cable-1").stdout.splitlines()[1] == told
    assert asked("dso", "forecast", found, "cable-1")["held_by"] == ["T1"]
    assert told in gridroom("dso", "forecast", found, "cable-1", "--plot").stdout.splitlines()[-1]
    yesterday = f"{datetime.now(UTC) - timedelta(days=2):%Y-%m-%d}"
    assert told not in gridroom("dso", "forecast", found, "cable-1", "--start", yesterday).stdout


def test_times_are_those_of_the_configured_zone(tmp_path: Path) -> None:
    found = made(tmp_path)
    file = found / "dso.toml"
    file.write_text(file.read_text().replace("Europe/Amsterdam", "Asia/Kolkata"))
    published(found)
    assert all(
        offset == "+05:30" for offset in re.findall(rf":\d\d({OFFSET})", gridroom("dso", "status", found).stdout)
    )
    table = gridroom("dso", "forecast", found, "cable-1").stdout
    assert set(re.findall(rf"\d\d:\d\d({OFFSET})", table)) == {"+05:30"}
    assert "Asia/Kolkata" in gridroom("dso", "forecast", found, "cable-1", "--plot").stdout


# -- import and cables -------------------------------------------------------------------------------------------------


def test_import_takes_files_of_the_register_and_readings_in_any_order(tmp_path: Path) -> None:
    found = made(tmp_path)
    for name, text in GRID.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "lane.csv").write_text(history(8, "mill-lane"))
    files = [tmp_path / name for name in ("lane.csv", *reversed(GRID))]
    result = gridroom("dso", "import", found, *files)
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith("\n768 readings stored, 0 refused\n")
    published(found)
    lines = [line.split() for line in gridroom("dso", "cables", found).stdout.splitlines()]
    by_id = {line[0]: line for line in lines}
    assert by_id["T1"][1:] == ["400", "transformer"]
    assert by_id["mill-road"][1:5] == ["160", "–", "none", "never"]
    assert by_id["mill-lane"][1:5] == ["200", "cso", "80", "good"]


def test_cables_stand_below_what_feeds_them(tmp_path: Path) -> None:
    found = made(tmp_path)
    for name, text in GRID.items():
        (tmp_path / name).write_text(text)
    assert gridroom("dso", "import", found, *(tmp_path / name for name in GRID)).exit_code == 0
    table = gridroom("dso", "cables", found).stdout.splitlines()
    depth = {line.split()[0]: len(line) - len(line.lstrip()) for line in table if line.strip()}
    assert {name: depth[name] for name in ("S1", "T1", "mill-lane", "mill-road", "cable-1")} == {
        "S1": 0,
        "T1": 2,
        "mill-lane": 4,
        "mill-road": 4,
        "cable-1": 0,
    }
    order = [line.split()[0] for line in table if line.strip()]
    assert order.index("S1") < order.index("T1") < order.index("mill-lane")
    told = asked("dso", "cables", found)
    assert {node["id"]: node["parent"] for node in told["nodes"]} == {"S1": "", "T1": "S1"}
    assert {cable["id"]: cable["parent"] for cable in told["cables"]} == {
        "cable-1": "",
        "mill-lane": "T1",
        "mill-road": "T1",
    }


def test_a_register_with_a_mistake_keeps_the_readings_of_the_same_command_out(tmp_path: Path) -> None:
    found = made(tmp_path)
    before = asked("dso", "cables", found)
    (tmp_path / "cables.csv").write_text("cable,limit_a\ncable-2,many\n")
    (tmp_path / "more.csv").write_text(history(1, "cable-2"))
    result = gridroom("dso", "import", found, tmp_path / "more.csv", tmp_path / "cables.csv")
    assert result.exit_code == 1
    assert "'many' is no number" in result.stderr
    assert result.stdout == "nothing stored: 1 error\n"
    assert asked("dso", "cables", found) == before


def test_broken_rows_of_one_file_do_not_keep_the_next_out(tmp_path: Path) -> None:
    found = made(tmp_path)
    end = floor(datetime.now(UTC), QUARTER) - timedelta(days=9)
    (tmp_path / "a.csv").write_text(f"time,cable,L1,L2,L3\n{end:%Y-%m-%dT%H:%M:%SZ},cable-1,x,1,1\n")
    (tmp_path / "b.csv").write_text(f"time,cable,L1,L2,L3\n{end:%Y-%m-%dT%H:%M:%SZ},cable-1,1,1,1\n")
    result = gridroom("dso", "import", found, tmp_path / "a.csv", tmp_path / "b.csv")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1].startswith("1 readings stored")
    assert "'x'" in result.stderr


# -- forecast ----------------------------------------------------------------------------------------------------------


def test_a_forecast_is_a_table_of_the_next_day(folder: Path) -> None:
    result = gridroom("dso", "forecast", folder, "cable-1")
    assert (result.exit_code, result.stderr) == (0, "")
    first, second, head, *rows = result.stdout.splitlines()
    assert re.fullmatch(rf"cable-1: limit 200 A; forecast of {TIME}, good", first)
    assert second == "the phase with the least capacity in each block; --phase L1 for one"
    assert head.split() == ["local", "time,", "[A]", "forecast", "margin", "available", "backup", "cso"]
    assert len(rows) == 96
    assert max(map(len, result.stdout.splitlines())) <= 80
    for row in rows:
        _, time, phase, *values = row.split()
        assert re.fullmatch(rf"\d\d:\d\d{OFFSET}", time)
        forecast, margin, available, backup, share = map(float, values)
        assert phase == "L3" or available == 0  # it carries most
        assert abs(max(0, 200 - forecast - margin) - available) < 0.2
        assert backup + share <= available + 0.11


def test_a_phase_can_be_chosen(folder: Path) -> None:
    rows = gridroom("dso", "forecast", folder, "cable-1", "--phase", "l2").stdout.splitlines()
    assert {row.split()[2] for row in rows[2:]} == {"L2"}
    assert asked("dso", "forecast", folder, "cable-1", "--phase", "L2")["phases"] == ["L2"]
    wrong = gridroom("dso", "forecast", folder, "cable-1", "--phase", "L4")
    assert (wrong.exit_code, wrong.stderr) == (1, "gridroom: cable-1 has no phase 'L4'; it has L1, L2, L3\n")


def test_a_forecast_as_json_has_all_phases(folder: Path) -> None:
    found = asked("dso", "forecast", folder, "cable-1")
    assert found["held_by"] == []
    assert (found["cable"], found["quality"], found["limit_a"]) == ("cable-1", "good", [200.0] * 3)
    assert len(found["blocks"]) == 96
    for block in found["blocks"]:
        shares = [sum(each) for each in zip(*block["allotments_a"].values(), block["backup_a"], strict=True)]
        assert all(share <= free + 1e-9 for share, free in zip(shares, block["available_a"], strict=True))
        assert block["measured_a"] is None
    ends = [block["end"] for block in found["blocks"]]
    assert ends[:-1] == [block["start"] for block in found["blocks"]][1:]


def test_a_forecast_begins_where_it_is_told_to(folder: Path) -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=1)).replace(minute=7)
    found = asked("dso", "forecast", folder, "cable-1", "--start", yesterday.isoformat())
    first = found["blocks"][0]
    assert datetime.fromisoformat(first["start"]) == floor(yesterday, QUARTER)
    assert first["measured_a"] is not None
    assert first["forecast_a"] is None  # nothing was published then
    table = gridroom("dso", "forecast", folder, "cable-1", "--start", yesterday.isoformat()).stdout
    assert "measured" in " ".join(table.splitlines()[:5])
    assert "; no forecast was in force" in table
    assert "good" not in table.splitlines()[0]
    naive = asked("dso", "forecast", folder, "cable-1", "--start", f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}")
    assert "T00:00:00" in naive["blocks"][0]["start"]


@pytest.mark.parametrize("start", ["soon", "2026-13-01", "0001-01-01T00:00", "9999-12-31T23:00Z"])
def test_a_start_that_is_no_moment_is_told(folder: Path, start: str) -> None:
    result = gridroom("dso", "forecast", folder, "cable-1", "--start", start)
    assert result.exit_code == 2
    assert f"{start!r} is no moment like 2026-01-05T17:00" in " ".join(result.stderr.replace("│", " ").split())


def test_of_a_time_without_forecast_and_reading_there_is_nothing_to_show(folder: Path) -> None:
    result = gridroom("dso", "forecast", folder, "cable-1", "--start", "2090-01-01")
    assert (result.exit_code, result.stdout) == (1, "")
    assert (
        result.stderr
        == f"gridroom: cable-1: nothing is known of that time; `gridroom dso status {folder}` tells more\n"
    )


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("mill-line", "there is no cable 'mill-line'; near it are mill-lane, mill-road"),
        ("MILL-LANE", "there is no cable 'MILL-LANE'; near it are mill-lane, mill-road"),
        ("1", "there is no cable '1'; near it are cable-1"),
        ("xyz", "there is no cable 'xyz'; there are cable-1, mill-lane, mill-road"),
        ("T1", "T1 is a transformer; choose a cable below it: mill-lane, mill-road"),
        ("S1", "S1 is a substation; choose a cable below it: mill-lane, mill-road"),
    ],
)
def test_of_an_unknown_cable_those_that_are_near_are_told(tmp_path: Path, name: str, told: str) -> None:
    found = made(tmp_path)
    for file, text in GRID.items():
        (tmp_path / file).write_text(text)
    gridroom("dso", "import", found, *(tmp_path / file for file in GRID))
    result = gridroom("dso", "forecast", found, name)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"gridroom: {told}\n")


# -- plots -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("{folder}", "cable-1", "--plot"),
        ("{folder}", "cable-1", "--plot", "-"),
        ("{folder}", "--plot", "cable-1"),
        ("--plot", "{folder}", "cable-1"),
        ("{folder}", "cable-1", "--plot", "--phase", "L2"),
        ("{folder}", "cable-1", "--plot=-"),
    ],
)
def test_a_plot_without_a_file_is_drawn_in_the_terminal(folder: Path, words: tuple[str, ...]) -> None:
    result = gridroom("dso", "forecast", *(word.format(folder=folder) for word in words))
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == ("L2 [A]" if "--phase" in words else "L1 [A]")
    assert max(map(len, lines)) <= 80
    for sign in "━░▒▓│":
        assert sign in result.stdout
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize("words", [("cable-1", "--plot", "x"), ("--plot", "x", "cable-1", "--phase", "L1")])
def test_a_plot_to_a_file_without_an_ending_is_told(folder: Path, words: tuple[str, ...]) -> None:
    result = gridroom("dso", "forecast", folder, *words)
    assert (result.exit_code, result.stderr) == (1, "gridroom: x: a plot ends in .png or .svg\n")


@pytest.mark.parametrize(("name", "begins"), [("a.png", b"\x89PNG"), ("a.SVG", b"<?xml")])
def test_a_plot_goes_to_a_file(folder: Path, tmp_path: Path, name: str, begins: bytes) -> None:
    result = gridroom("dso", "forecast", folder, "cable-1", "--plot", tmp_path / name)
    assert (result.exit_code, result.stdout) == (0, f"drawn: {tmp_path / name}\n")
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_what_cannot_be_drawn_is_one_line(folder: Path, tmp_path: Path) -> None:
    other = gridroom("dso", "forecast", folder, "cable-1", "--plot", tmp_path / "a.jpg")
    assert (other.exit_code, other.stderr) == (1, f"gridroom: {tmp_path}/a.jpg: a plot ends in .png or .svg\n")
    nowhere = gridroom("dso", "forecast", folder, "cable-1", "--plot", tmp_path / "none" / "a.png")
    assert (nowhere.exit_code, nowhere.stderr) == (
        1,
        f"gridroom: {tmp_path}/none/a.png: No such file or directory\n",
    )
    both = gridroom("dso", "forecast", folder, "cable-1", "--plot", "--json")
    assert both.exit_code == 2
    assert "choose one of --json and --plot" in both.stderr


# -- the page ----------------------------------------------------------------------------------------------------------


def test_the_page_for_operators_tells_every_command_option_and_key(folder: Path) -> None:
    commands = typer.main.get_command(app).commands["dso"].commands  # type: ignore[attr-defined]
    for name, command in commands.items():
        assert f"| `gridroom dso {name} " in PAGE
        options = [one.opts[0] for one in command.params if one.opts[0].startswith("--") and not one.hidden]
        assert [option for option in options if f"`{option}" not in PAGE and f" {option} " not in PAGE] == []
    told = asked("dso", "status", folder)
    keys = [*told, *told["letters"]["cso"], *told["risks"]["default"]]
    assert [key for key in keys if f"`{key}`" not in PAGE] == []


def test_the_bands_on_the_page_are_those_that_are_computed() -> None:
    rows = re.findall(r"^\| ([\d,]+) \| ([\d,]+) \| ([\d.]+) to ([\d.]+) % \|$", PAGE, re.MULTILINE)
    assert len(rows) == 4
    for row in rows:
        cables, blocks = (int(cell.replace(",", "")) for cell in row[:2])
        assert blocks == cables * 288 * DAYS
        assert [f"{cell} %" for cell in row[2:]] == [percent(share) for share in band(0.001, effective(blocks, 0.001))]


# -- tables ------------------------------------------------------------------------------------------------------------


def test_the_hour_that_comes_twice_is_told_apart() -> None:
    change = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
    console = Console(width=80)
    with console.capture() as capture:
        console.print(Group(*tables.forecast(curves(change, behind=0, phases=(1,)), 80)))
    times = re.findall(rf"Sun (02:\d\d{OFFSET})", capture.get())
    assert times == [f"02:{minute:02}{offset}" for offset in ("+02:00", "+01:00") for minute in (0, 15, 30, 45)]


def test_times_and_numbers_are_not_broken_where_three_csos_share() -> None:
    head, *rows = shown(*tables.forecast(curves(SATURDAY, parties=("north", "south", "east"), behind=4), 80))[3:]
    rows = [row for row in rows if row.strip()]
    times = [row for row in rows if re.match(rf"(Sat|Sun) \d\d:\d\d{OFFSET} ", row)]
    assert len(times) == 100
    assert times == rows
    assert all(len(row.split()) == 11 for row in times)
    assert max(map(len, [head, *rows])) <= 80


def test_contracts_of_many_csos_are_summed_where_there_is_no_room() -> None:
    contracts = [Contract(f"charging-company-{n}", 4_000) for n in range(3)]
    lines = table_of("c1", *contracts, offered=(113.0, 131.0, 103.0))
    (row,) = (line for line in lines if line.startswith("  c1 "))
    assert "120 of 3" in row
    assert "charging-company" not in "".join(lines)


def test_into_a_pipe_a_table_is_as_wide_as_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert tables.width() == tables.PIPED
    monkeypatch.setenv("COLUMNS", "90")
    assert tables.width() == 90


def test_many_csos_still_fit_the_terminal() -> None:
    console = Console(width=80)
    with console.capture() as capture:
        console.print(Group(*tables.forecast(curves(SATURDAY, parties=tuple("abcdefgh"), behind=4), 80)))
    assert max(map(len, capture.get().splitlines())) <= 80
    assert "8 CSOs" in capture.get()
    assert all(len(line.split()) == 9 for line in capture.get().splitlines() if "+01:00  L" in line)


WORDS = [("status",), ("cables",), ("forecast", "cable-1")]


@pytest.mark.parametrize("words", WORDS)
def test_to_look_where_nothing_is_yet_makes_nothing(tmp_path: Path, words: tuple[str, ...]) -> None:
    pki.init(tmp_path / "pki")
    dso_setup.init(tmp_path / "dso", tmp_path / "pki", port=0)
    (tmp_path / "dso" / "dso.db").unlink()
    before = sorted(tmp_path.rglob("*"))
    result = gridroom("dso", words[0], tmp_path / "dso", *words[1:])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("dso.db: nothing is there yet: import or run first\n")
    assert sorted(tmp_path.rglob("*")) == before


def shown(*what: Any) -> list[str]:
    """Lines of a terminal of 80 columns; longer ones are not cut."""
    console = Console(width=80, highlight=False)
    with console.capture() as capture:
        console.print(Group(*what), crop=False)
    return capture.get().splitlines()


def table_of(name: str, *contracts: Contract, offered: tuple[float, ...] | None = None) -> list[str]:
    """The table of one cable under a transformer."""
    cable = Cable(name, (20_000, 20_000, 16_000), contracts, parent="LV1 transformer")
    line = CableLine(cable, "good", SATURDAY - timedelta(minutes=11), offered)
    register = Register([cable], [Node("LV1 transformer", "transformer", (40_000,) * 3)])
    return [one.rstrip() for one in shown(*tables.cables([line], register, SATURDAY, 80))]


def test_what_no_cable_has_gets_no_column() -> None:
    name = "LV1.101-Line-2-from-bus-34"
    head, _, row = table_of(name)
    assert head.split() == ["id", "limit", "[A]", "quality", "last", "reading"]
    assert row.split() == [name, "200/200/160", "good", "11", "min", "ago"]


def test_what_is_offered_is_rounded_down() -> None:
    lines = table_of("c1", Contract("north", 8_000), offered=(181.7, 113.0, 0.99))
    assert any(line.endswith("181/113/0") for line in lines)


def test_many_warnings_that_say_the_same_are_summed(tmp_path: Path) -> None:
    found = made(tmp_path)
    (tmp_path / "t.csv").write_text("transformer,limit_a\nT1,100\nT2,90\n")
    rows = "".join(f"c{n},200,T{1 + n % 2}\n" for n in range(12))
    (tmp_path / "c.csv").write_text(f"cable,limit_a,transformer\n{rows}")
    (tmp_path / "k.csv").write_text("cso,cable,contracted_a\ncso,c1,230\n")
    gridroom("dso", "import", found, tmp_path / "t.csv", tmp_path / "c.csv", tmp_path / "k.csv")
    told = gridroom("dso", "cables", found).stderr.splitlines()
    assert len(told) == 7
    assert told[0] == "gridroom: warning: cable 'c0': its limit is above that of its transformer 'T1', which holds"
    assert told[5] == "gridroom: warning: ... and 7 more like this"
    assert told[6] == "gridroom: warning: cable 'c1': 230 A is contracted, more than its limit of 200 A"
    assert len(asked("dso", "cables", found)["warnings"]) == 13


def test_what_was_given_back_and_granted_stands_beside_the_backup() -> None:
    change = np.zeros((3, 192))
    change[:, 100:110] = -30.0
    some = {"north": change, "south": np.where(change < 0, 5.0, 0.0)}
    lines = shown(*tables.forecast(curves(adjusted=some, behind=96, allotments={}), 80))
    (head,) = (line for line in lines if line.startswith("local time"))
    assert " ".join(head.split()).endswith("available backup given back granted")
    assert sum(line.split()[-2:] == ["30.0", "5.0"] for line in lines) == 10
    assert max(map(len, lines)) <= 80
    block = as_json.forecast(curves(adjusted=some))["blocks"][100]
    assert block["adjusted_a"] == {"north": [-30.0] * 3, "south": [5.0] * 3}
    assert "granted" not in "".join(shown(*tables.forecast(curves(), 80)))


def test_connections_are_counted_and_named_in_json() -> None:
    contracts = Contract("north", 8_000, ("a", "b")), Contract("south", 4_000, ("c",))
    lines = table_of("c1", *contracts)
    assert any("conn." in line.split() for line in lines)
    (row,) = (line for line in lines if line.startswith("  c1 "))
    assert "3" in row.split()
    line = CableLine(Cable("c1", (1, 1, 1), contracts), "good", None, None)
    found = as_json.cables([line], Register([line.cable]), AMSTERDAM)["cables"][0]
    assert found["connections"] == {"north": ["a", "b"], "south": ["c"]}


@pytest.mark.parametrize("name", ["LV1.101 Line 1 between bus 34 and bus 36", "a" * 100])
def test_an_id_is_never_broken(name: str) -> None:
    lines = table_of(name, Contract("north", 8_000, ("a",)), offered=(113.0, 131.0, 103.0))
    assert f"  {name}" in lines
    assert max(len(line) for line in lines if name not in line) <= 80
    assert any(line.endswith("113/131/103") for line in lines)


def test_a_long_sign_goes_on_below_its_beginning() -> None:
    found = Status("dso", SATURDAY, QUARTER, published=SATURDAY, findings=("a long finding that goes on " * 5,))
    lines = shown(*tables.status(found, AMSTERDAM))
    assert lines[1].startswith("  notice register: a long")
    assert re.match(r" {9}\S", lines[2])


def test_a_heading_tells_what_is_shown() -> None:
    def words(behind: int, ahead: int, **changes: Any) -> str:
        return curves(behind=behind, ahead=ahead, **changes).words

    newest = "forecast of 2026-11-21 07:02+01:00, good"
    assert words(0, 8) == newest
    assert words(4, 4) == f"what was in force; then {newest}"
    assert words(8, -4) == "what was in force until 2026-11-21 06:00+01:00"
    nothing = np.full((3, 8), np.nan)
    assert words(0, 8, available=nothing) == "nothing is forecast"
    assert words(4, 4, available=nothing) == "no forecast was in force; then nothing is forecast"


@pytest.mark.parametrize("words", WORDS)
def test_a_folder_that_is_none_is_told_in_a_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    result = gridroom("dso", words[0], tmp_path, *words[1:])
    assert (result.exit_code, result.stdout) == (1, "")
    hint = f"`gridroom dso init {tmp_path} --pki PKI` makes a new DSO"
    assert result.stderr == f"gridroom: {tmp_path / 'dso.toml'}: No such file or directory; {hint}\n"
    assert list(tmp_path.iterdir()) == []
