"""`gridroom dso import` of measurements: what is stored, what is told, what is counted."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from dso_office import CABLE, QUARTER
from gridroom.cli import app
from gridroom.dso import recording
from gridroom.dso.folder import import_measurements, load, open_database
from gridroom.dso.reading_counts import counted
from gridroom.dso.readings.measurements import Reason, Received
from gridroom.dso.setup import init
from gridroom.dso.store import Store
from gridroom.dso.tables import LOADS
from gridroom.security import pki
from gridroom.timegrid import floor, midnight

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pki.init(tmp_path / "pki")
    init(tmp_path / "dso", tmp_path / "pki", port=0)
    return tmp_path / "dso"


def run(folder: Path, *words: str | Path) -> Result:
    return CliRunner().invoke(app, ["dso", "import", str(folder), *map(str, words)])


def wide(start: datetime, n: int, zone: ZoneInfo | None = None) -> str:
    times = (start + i * QUARTER for i in range(n))
    shown = (one.astimezone(zone).replace(tzinfo=None) if zone else one for one in times)
    rows = (f"{one.isoformat()},{10 + i % 7},{i % 5},{20 + i % 3}\n" for i, one in enumerate(shown))
    return f"time,{CABLE}.L1,{CABLE}.L2,{CABLE}.L3\n{''.join(rows)}"


def test_local_times_are_taken_with_their_zone_and_refused_without(folder: Path) -> None:
    start = floor(datetime.now(UTC), QUARTER) - timedelta(days=3)
    file = folder / "local.csv"
    file.write_text(wide(start, 200, AMSTERDAM))
    refused = run(folder, file)
    assert refused.exit_code == 1
    assert refused.stdout == "0 readings stored, 200 refused; unreadable: 200\n"
    (told,) = refused.stderr.splitlines()
    assert "and those of 199 more rows have no zone" in told
    assert "--zone Europe/Amsterdam" in told
    assert counts_of(folder) == Counter()
    taken = run(folder, file, "--zone", "Europe/Amsterdam")
    assert (taken.exit_code, taken.stdout) == (0, "200 readings stored, 0 refused\n")
    lost = run(folder, file, "--zone", "Europe/Nowhere")
    assert lost.exit_code == 1
    assert lost.stderr.splitlines() == ["gridroom: 'Europe/Nowhere' is no time zone, such as Europe/Amsterdam"]


def counts_of(folder: Path) -> Counter[Reason]:
    """All that was counted as odd."""
    db = open_database(load(folder))
    with db.transact() as tx:
        told = counted(Store(tx, QUARTER), date(2000, 1, 1))
    db.close()
    return Counter({reason: sum(cables.values()) for reason, cables in told.items()})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("cable;limit_a\nc,200\n", "columns are separated by commas, and numbers have a point"),
        ("Cable,Limit_A\nc,200\n", "write cable for Cable"),
        ("time,cable,L1,L2,L3,quality\n", "leave out quality"),
        ("cable,time,L1,L2\n", "cable,time,L1,L2 are no columns of measurements"),
        ("time,cable,L1_kW,L2_kW,L3_kW\n", "'L1_kW' is no current: currents in ampere are needed, not power or energy"),
        ("time,P_kW\n", "'P_kW' is no current: currents in ampere are needed, not power or energy"),
        ("time,cable,L1 [A],L2 [A],L3 (A)\n", "write L1 for L1 [A], L2 for L2 [A], L3 for L3 (A)"),
        ("time,mill-road.L1_A\n", "write mill-road.L1 for mill-road.L1_A"),
        ("[]", "readings in JSON come over HTTPS or MQTT only"),
        ("", "the file is empty"),
    ],
)
def test_of_a_file_of_no_kind_it_is_told_what_the_kinds_look_like(folder: Path, text: str, fault: str) -> None:
    file = folder / "file"
    file.write_text(text)
    result = run(folder, file)
    (told,) = result.stderr.splitlines()
    assert result.exit_code == 1
    assert told.startswith(f"gridroom: {file}: row 1: {fault}; the columns must be time,cable,L1,L2,L3 [A] and ")
    assert told.endswith(
        "; a file of the register begins with cso, connection, cable, transformer, substation (small letters), "
        "or is a grid model in JSON"
    )


def test_what_looks_wrong_in_the_register_is_listed_with_its_cables(folder: Path) -> None:
    (folder / "c.csv").write_text("cable,limit_a,voltage_v\nc2,63,400\nc3,63,400\n")
    (folder / "d.csv").write_text("cso,cable,contracted_a\ncso,c2,90\n")
    told = run(folder, folder / "c.csv", folder / "d.csv").stderr
    assert "gridroom: warning: d.csv row 2, cable 'c2': 90 A is contracted, more than its limit of 63 A" in told
    again = run(folder, folder / "cables.csv").stderr
    assert (
        again == "gridroom: warning: register: 3 older warnings about other entries: `gridroom dso cables` lists them\n"
    )
    listed = CliRunner().invoke(app, ["dso", "cables", str(folder)])
    assert listed.stderr.count("looks like the voltage between phases") == 2
    assert "gridroom: warning: cable 'c2': 90 A is contracted, more than its limit of 63 A" in listed.stderr


def test_an_unknown_cable_is_one_that_the_register_has_not(folder: Path) -> None:
    (folder / "m.csv").write_text(f"time,cable,L1,L2,L3\n{floor(datetime.now(UTC), QUARTER) - QUARTER},x,1,2,3\n")
    assert run(folder, folder / "m.csv").stderr.endswith(": no such cable in the register\n")
    assert counts_of(folder) == Counter()


def test_what_is_wrong_with_many_rows_is_told_once(folder: Path) -> None:
    start = floor(datetime.now(UTC), QUARTER) - timedelta(days=3)
    file = folder / "broken.csv"
    file.write_text(wide(start, 20) + "yesterday,1,2,3\n" * 250)
    result = run(folder, file)
    told = result.stderr.splitlines()
    text = "time: 'yesterday' is no time in ISO 8601, such as 2026-01-05T17:15:00Z (249 more like this)"
    assert told == [f"gridroom: {file}: row 22: {text}"]
    assert result.stdout == "20 readings stored, 250 refused; unreadable: 250\n"
    commas = "".join(f'{(start + i * QUARTER).isoformat()},"1,{i}",x,3\n' for i in range(150))
    file.write_text(wide(start, 0) + commas)
    told = run(folder, file).stderr.splitlines()
    assert told == [
        f"gridroom: {file}: row 2: {CABLE}.L1: '1,0' is no number; write a point for the comma (149 more like this)",
        f"gridroom: {file}: row 2: {CABLE}.L2: 'x' is no number (149 more like this)",
    ]
    file.write_text(wide(start, 20))
    run(folder, file)
    file.write_text(wide(start, 20).replace(",20\n", ",50\n"))
    first, replace = run(folder, file).stderr.splitlines()
    local = start.astimezone(AMSTERDAM).isoformat()
    text = "states another value than was measured before; the first one stays (6 more like this)"
    assert first == f"gridroom: {file}: row 2: {CABLE} {local}: {text}"
    assert replace == f"gridroom: {file}: with --replace what it tells takes the place of what stands there"


def test_only_a_hundred_kinds_of_faults_are_printed(folder: Path) -> None:
    start = floor(datetime.now(UTC), QUARTER) - timedelta(days=3)
    file = folder / "broken.csv"
    file.write_text("time,cable,L1,L2,L3\n" + "".join(f"{start},strange-{i},1,2,3\n" for i in range(250)))
    result = run(folder, file)
    told = result.stderr.splitlines()
    assert len(told) == 101
    assert told[-1] == f"gridroom: {file}: 150 more, counted below"
    assert result.stdout == "0 readings stored, 250 refused; unknown cable: 250\n"


def test_the_right_file_takes_the_place_of_a_wrong_one(folder: Path) -> None:
    start = floor(datetime.now(UTC), QUARTER) - timedelta(days=3)
    right, wrong = folder / "right.csv", folder / "wrong.csv"
    right.write_text(wide(start, 200))
    wrong.write_text(wide(start + timedelta(hours=1), 196))
    assert run(folder, wrong).exit_code == 0
    assert run(folder, right).exit_code == 1
    done = run(folder, right, "--replace")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "196 readings stored, 0 refused; repeated: 4",
        "196 of them took the place of other values; what was learned from those is learned anew at the next publish",
    ]
    db = open_database(load(folder))
    with db.transact() as tx:
        cells = Store(tx, QUARTER).read(LOADS, (CABLE,), start, 200)
    db.close()
    assert cells["sums"][0].tolist() == [15 * 100 * (10 + i % 7) for i in range(200)]
    assert set(cells["flags"][0].tolist()) == {0}
    assert run(folder, right, "--replace").stdout == "0 readings stored, 0 refused; repeated: 200\n"


def test_a_level_far_from_that_of_the_days_before_is_worth_a_second_look(folder: Path) -> None:
    start = floor(datetime.now(UTC), QUARTER) - timedelta(days=9)
    for name, days, factor in (("one", 3, 1), ("two", 2, 1), ("three", 2, 0.69)):
        rows = (f"{(start + i * QUARTER).isoformat()},{factor * (20 + i % 9)},,\n" for i in range(days * 96))
        (folder / name).write_text("time,cable-1.L1,cable-1.L2,cable-1.L3\n" + "".join(rows).replace(",,", ",9,9"))
        start += timedelta(days=days)
        assert run(folder, folder / name).stderr == ""
    (folder / "kW").write_text(wide(start, 150).replace(",1", ",.1").replace(",2", ",.2"))
    assert run(folder, folder / "kW").stderr == (
        f"gridroom: warning: {folder / 'kW'}: {CABLE}: carries 0.18 A as a rule, 11.5 A in the days before: are these "
        "amperes of it?\n"
    )


def test_a_file_without_readings_is_no_import(folder: Path) -> None:
    (folder / "none.csv").write_text("time,cable,L1,L2,L3\n")
    done = run(folder, folder / "none.csv")
    assert (done.exit_code, done.stdout) == (1, "0 readings stored, 0 refused\n")
    assert done.stderr == f"gridroom: {folder / 'none.csv'}: holds no readings\n"


def test_who_ends_it_is_told_what_was_stored(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, cables = folder / "m.csv", folder / "cables.csv"
    file.write_text(wide(floor(datetime.now(UTC), QUARTER) - timedelta(days=3), 20))

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for name, words, told in (
        ("gridroom.dso.folder.read_file", [file], f"nothing of {file} was stored"),
        ("gridroom.dso.register.import_files", [cables], "nothing was stored"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(name, stop)
            done = run(folder, *words)
            assert (done.exit_code, done.stdout, done.stderr) == (130, "", f"gridroom: stopped; {told}\n")
    (folder / "two.csv").write_text("cable,limit_a\ncable-2,63\n")
    run(folder, folder / "two.csv")
    at = floor(datetime.now(UTC), QUARTER) - timedelta(days=1)
    rows = (f"{at.isoformat()},{one},1,2,3\n" for one in (CABLE, "cable-2"))
    file.write_text("time,cable,L1,L2,L3\n" + "".join(rows))
    real, calls = recording.record_series, list[int]()

    def stop_at_the_second(*words: Any, **more: Any) -> Received:
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return real(*words, **more)

    monkeypatch.setattr(recording, "record_series", stop_at_the_second)
    done = run(folder, file)
    assert (done.exit_code, done.stderr) == (130, f"gridroom: stopped; a part of {file} is stored: import it again\n")


def test_a_file_that_comes_again_is_not_counted_again_and_one_that_has_grown_by_what_is_new(folder: Path) -> None:
    start = midnight((datetime.now(UTC) - timedelta(days=3)).date())
    first, *others = (f"{(start + i * QUARTER).isoformat()},{CABLE}," for i in range(8))
    rows = [f"{first}1,2,3", f"{first}1,2,3", f"{first}9,9,9", f"{others[0]}900,1,1", f"{others[1]}5,,5"]
    rows += [f"{others[2]}1,2,3", f"{(start + 11 * QUARTER / 15).isoformat()},{CABLE},4,4,4", f"{others[3]}6,6,6"]
    file = folder / "m.csv"
    file.write_text("\n".join(["time,cable,L1,L2,L3", *rows]))
    told = run(folder, file).stdout
    odd = {
        Reason.REPEATED: 1,
        Reason.CONTRADICTED: 1,
        Reason.OVERLAPPING: 1,
        Reason.IMPOSSIBLE: 1,
        Reason.INCOMPLETE: 1,
    }
    odd |= {Reason.INCOMPLETE: 1, Reason.GAP: 2}
    assert counts_of(folder) == odd
    assert run(folder, file).stdout != told, "all that was stored is repeated now"
    assert counts_of(folder) == odd
    file.write_text("\n".join(["time,cable,L1,L2,L3", *rows, f"{others[5]}901,1,1", f"{others[6]}1,2,3"]))
    run(folder, file)
    assert counts_of(folder) == odd | {Reason.IMPOSSIBLE: 2, Reason.GAP: 4}


def test_parquet_and_csv_of_the_same_readings_are_the_same(folder: Path) -> None:
    n = 500
    start = floor(datetime.now(UTC), QUARTER) - n * QUARTER
    values = np.arange(n) % 11 + 0.25
    moments = pa.array([start + i * QUARTER for i in range(n)], pa.timestamp("us", "UTC"))
    columns = {f"{CABLE}.L{phase}": values * phase for phase in (1, 2, 3)}
    pq.write_table(pa.table({"time": moments, **columns}), folder / "m.parquet")
    rows = [f"{start + i * QUARTER},{CABLE},{v},{2 * v},{3 * v}\n" for i, v in enumerate(values.tolist())]
    (folder / "m.csv").write_text("time,cable,L1,L2,L3\n" + "".join(rows))
    progress = list[tuple[int, int]]()
    first = import_measurements(folder, folder / "m.parquet", progress=lambda *one: progress.append(one))
    again = import_measurements(folder, folder / "m.csv")
    assert (first.stored, first.counts) == (n, Counter())
    assert (again.stored, again.counts) == (0, {Reason.REPEATED: n})
    assert progress[-1] == (2, 2)
    assert all(0 <= done <= whole for done, whole in progress)
    assert counts_of(folder) == Counter()


def test_of_readings_longer_than_a_block_it_is_told_why_they_are_of_no_use(folder: Path) -> None:
    start = floor(datetime.now(UTC), timedelta(hours=1)) - timedelta(days=3)
    rows = (f"{(start + timedelta(hours=i)).isoformat()},{i},{i},{i}\n" for i in range(60))
    (folder / "hours.csv").write_text(f"time,{CABLE}.L1,{CABLE}.L2,{CABLE}.L3\n{''.join(rows)}")
    result = run(folder, folder / "hours.csv")
    line, why = result.stdout.splitlines()
    assert (result.exit_code, line) == (0, "60 readings stored, 0 refused; coarse: 60")
    assert "set `publish.block_s` to their length" in why
    assert counts_of(folder) == {Reason.COARSE: 60}
