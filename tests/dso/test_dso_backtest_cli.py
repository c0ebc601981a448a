"""The command `gridroom backtest`: its options, its JSON, its pictures, and one line for what is wrong."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from matplotlib.figure import Figure
from typer.testing import CliRunner, Result

from backtest_checks import FIGURES, HOUR, invented
from gridroom.cli import app
from gridroom.dso.backtest import baselines, draw, engine
from gridroom.dso.backtest.grid import Loads
from gridroom.dso.backtest.method import Method, Setting
from gridroom.dso.backtest.report import Report

WIDE = {"COLUMNS": "160", "TERM": "dumb", "NO_COLOR": "1"}


@pytest.fixture(autouse=True)
def _plain_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the command does around the engine does not hang on it: a plain method takes its place."""

    def make(series: int, setting: Setting) -> Method:
        method = baselines.four_week_mean(series, setting)
        method.name = engine.NAME  # type: ignore[misc]
        return method

    monkeypatch.setattr(engine, "make", make)


def gridroom(*words: object) -> Result:
    return CliRunner(env=WIDE).invoke(app, ["backtest", *map(str, words)])


def write(loads: Loads, path: Path) -> Path:
    columns = {name: loads.amps[:, place].astype(np.float64) for place, name in enumerate(loads.names)}
    times = pa.array([loads.time(index) for index in range(loads.blocks)], pa.timestamp("us", "UTC"))
    pyarrow.parquet.write_table(pa.table({"time": times, **columns}), path)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(invented(70, 5, HOUR / 4), tmp_path / "loads.parquet")


def test_every_figure_is_in_the_json_for_the_engine_and_each_baseline(file: Path, tmp_path: Path) -> None:
    done = gridroom(file, "--warmup-days", 60, "--risk", 0.01, "--json", tmp_path / "out.json")
    assert done.exit_code == 0, done.output
    out = json.loads((tmp_path / "out.json").read_text())
    assert list(out["baselines"]) == ["weekly_persistence", "four_week_mean", "lightgbm"]
    for figures in (out, *out["baselines"].values()):
        assert [name for name in FIGURES if name not in figures] == []
        assert list(figures["offered_share_lead"]) == ["1", "2", "4", "8", "96"]
        assert (figures["series"], figures["blocks"]) == (5, 960)
        assert 0 < figures["offered_share"] < 1
    assert out["mae_over_four_week_mean"] == 1
    assert out["mae_over_mean"] == out["baselines"]["four_week_mean"]["mae_over_mean"]
    assert out["setting"]["warmup_days"] == 60
    assert out["setting"]["issues"] == 10
    assert out["findings"] == ["column s0: 83 values are missing; 367 in 5 series in all"]
    for words in (
        "offered share",
        "weekly",
        "four week",
        "lightgbm",
        "10 issues",
        "a risk of 1 %",
        "Found: column s0",
    ):
        assert words in done.output


def test_the_second_block_is_judged_when_issued_every_quarter(file: Path, tmp_path: Path) -> None:
    json_file = tmp_path / "out.json"
    words = ("--warmup-days", 60, "--test-days", 2, "--every", "15min", "--criterion", "1h", "--no-baselines")
    done = gridroom(file, *words, "--json", json_file)
    assert done.exit_code == 0, done.output
    out = json.loads(json_file.read_text())
    assert out["blocks"] == 191
    assert out["baselines"] == {}
    assert out["offered_share"] == pytest.approx(out["offered_share_lead"]["2"], abs=1e-3)


def test_results_are_written_also_when_nobody_reads_the_table(file: Path, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)  # as `head` does once it has its lines
    words = (file, "--warmup-days", 60, "--no-baselines", "--json", tmp_path / "out.json", "--plot", tmp_path / "seen")
    command = [sys.executable, "-c", "from gridroom.cli import main; main()", "backtest", *map(str, words)]
    with os.fdopen(writer, "wb") as gone:
        done = subprocess.run(command, stdout=gone, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads((tmp_path / "out.json").read_text())["series"] == 5
    assert len(list((tmp_path / "seen").glob("*.png"))) == 3


def test_who_ends_it_is_told_that_there_are_no_results(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(series: int, setting: Setting) -> Method:
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "make", make)
    done = gridroom(file, "--json", tmp_path / "out.json")
    assert (done.exit_code, done.stderr) == (130, "gridroom: stopped before the end: there are no results\n")
    assert not (tmp_path / "out.json").exists()


def test_with_a_zone_clock_times_are_read_as_of_it(tmp_path: Path) -> None:
    start = datetime(2026, 1, 5, tzinfo=UTC)
    rows = (f"{(start + k * HOUR).replace(tzinfo=None).isoformat()},{k % 24 + 1}\n" for k in range(72 * 24))
    (tmp_path / "clock.csv").write_text("time,a\n" + "".join(rows))
    words = (tmp_path / "clock.csv", "--every", "24h", "--no-baselines", "--risk", 0.01)
    told = gridroom(*words, "--zone", "America/New_York").stdout
    assert "1 series of 60 min, 2026-01-05 05:00 to 2026-03-18 04:00 UTC" in " ".join(told.split())
    assert "1728 times have no zone; read as clock times of America/New_York" in " ".join(told.split())
    assert "row 1492: shows a time that the clocks skip; left out" in told
    assert "1728 times have no zone; read as UTC; with --zone they are clock times there" in " ".join(
        gridroom(*words).stdout.split()
    )
    assert (
        gridroom(*words, "--zone", "Mars").stderr
        == "gridroom: --zone: 'Mars' is no time zone such as Europe/Amsterdam\n"
    )


def test_new_series_are_judged_in_their_first_week(file: Path, tmp_path: Path) -> None:
    (tmp_path / "limits.csv").write_text("series,limit_a\n" + "".join(f"s{k},100\n" for k in range(5)))
    json_file = tmp_path / "out.json"
    words = ("--limits", tmp_path / "limits.csv", "--new", "s1", "--new", "s4", "--no-baselines", "--json", json_file)
    done = gridroom(file, *words, "--warmup-days", 60, "--risk", 0.01)
    assert done.exit_code == 0, done.output
    out = json.loads(json_file.read_text())
    assert out["new"] == ["s1", "s4"]
    assert out["first_week"] == {name: out[name] for name in out["first_week"]}
    assert [name for name in FIGURES if name not in out["first_week"]] == []
    assert (out["series"], out["blocks"]) == (2, 672)
    assert out["setting"]["limits"] == "limits.csv"


def test_pictures_come_into_a_folder(file: Path, tmp_path: Path) -> None:
    words = ("--warmup-days", 60, "--risk", 0.01, "--no-baselines", "--plot", tmp_path / "a" / "b")
    for more in ((), ("--every", "1h", "--new", "s1")):
        done = gridroom(file, *words, *more)
        assert done.exit_code == 0, done.output
        for name in ("week", "reliability", "offered"):
            assert (tmp_path / "a" / "b" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
            assert f"picture: {tmp_path / 'a' / 'b' / name}.png" in done.output


def test_where_nothing_is_exceeded_the_picture_says_so(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, real = list[Figure](), draw.reliability

    def kept(report: Report) -> Figure:
        seen.append(real(report))
        return seen[-1]

    monkeypatch.setattr(draw, "reliability", kept)
    words = ("--warmup-days", 60, "--risk", 1e-7, "--no-baselines", "--plot", tmp_path)
    assert gridroom(file, *words).exit_code == 0
    left, right = seen[0].axes
    assert [text.get_text() for text in left.texts] == ["nothing was exceeded"]
    assert left.get_ylim()[0] == right.get_ylim()[0] == 0
    (x, y) = next(np.asarray(line.get_data()) for line in right.lines if len(np.asarray(line.get_xdata())) > 2)
    assert (y[0], y[-1]) == (0, 1)
    assert x[-1] >= right.get_xlim()[1]


def test_without_lightgbm_it_tells_how_to_get_it(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "find_spec", lambda name: None)
    done = gridroom(file, "--warmup-days", 60, "--json", tmp_path / "out.json")
    assert done.exit_code == 0
    how = "not installed: pip install '.[backtest]' in Gridroom's source adds it"
    assert done.output.splitlines()[-1] == f"lightgbm: {how}"
    out = json.loads((tmp_path / "out.json").read_text())["baselines"]
    assert out["lightgbm"] == {"absent": how}
    assert out["four_week_mean"]["series"] == 5


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--risk", 2), "--risk: 2 is no share between 0 and 0.5"),
        (("--every", "7min"), "--every: 7 min is no multiple of the blocks of 15 min"),
        (("--warmup-days", 700), "--warmup-days: 700 leave nothing of 70 whole days to test"),
        (("--new", "nobody"), "--new: there is no series 'nobody'; the first is 's0'"),
        (("--limits", "none.csv"), "none.csv: No such file or directory"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(file: Path, words: tuple[object, ...], text: str) -> None:
    done = gridroom(file, *words)
    assert done.exit_code == 2
    assert done.stderr == f"gridroom: {text}\n"
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("option", "place", "text"),
    [
        ("--json", "none/out.json", "--json: {0}/none/out.json: there is no folder {0}/none"),
        ("--json", "dir", "--json: {0}/dir is a folder; name a file"),
        ("--plot", "file", "--plot: {0}/file is a file; name a folder"),
        ("--plot", "file/below", "--plot: {0}/file is a file; name a folder"),
    ],
)
def test_where_nothing_can_be_written_is_told_before_the_run(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, place: str, text: str
) -> None:
    def make(series: int, setting: Setting) -> Method:
        raise AssertionError("it ran")

    monkeypatch.setattr(engine, "make", make)
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").touch()
    done = gridroom(file, option, tmp_path / place)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == f"gridroom: {text.format(tmp_path)}\n"


def test_what_may_not_be_written_is_told_before_the_run(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # who runs as root may write everywhere
    for option, text in (("--json", "may not be written"), ("--plot", "may not be written into")):
        done = gridroom(file, option, tmp_path / "new")
        assert (done.exit_code, done.stdout) == (2, "")
        assert done.stderr.endswith(f"{text}\n")


def test_the_heading_fits_80_columns_and_a_small_risk_is_told_in_full(file: Path, tmp_path: Path) -> None:
    loads = tmp_path / "a-name-that-is-not-short.csv"
    loads.write_text("series,limit_a\n" + "".join(f"s{k},100\n" for k in range(5)))
    words = [file, "--warmup-days", 60, "--no-baselines", "--risk", "1e-9", "--limits", loads, "--new", "s*"]
    done = CliRunner(env=WIDE | {"COLUMNS": "80"}).invoke(app, ["backtest", *map(str, words)])
    assert done.exit_code == 0, done.output
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "with a risk of 0.0000001 %." in " ".join(done.stdout.split())


def test_the_table_says_what_was_asked_and_whether_it_came_true_also_in_a_narrow_terminal(file: Path) -> None:
    words = ["backtest", *map(str, (file, "--warmup-days", 60, "--criterion", "1h", "--risk", 0.01))]
    done = CliRunner(env=WIDE | {"COLUMNS": "40"}).invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "…" not in done.stdout
    assert next(line for line in done.stdout.splitlines() if "(asked)" in line).startswith("  1-h means (asked)")
    assert "gridroom exceeded" in done.stdout
    assert "where 1 % was asked: as chance allows (" in " ".join(done.stdout.split())


def test_a_bad_file_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "loads.csv").write_text("time,a\n2026-01-01T00:00:00Z,1\n2026-01-01T00:15:00Z,one\n")
    done = gridroom(tmp_path / "loads.csv")
    assert done.exit_code == 2
    assert done.stderr == f"gridroom: {tmp_path / 'loads.csv'}: row 3, column a: 'one' is not a number\n"


def test_a_short_time_of_unlucky_data_never_crashes(tmp_path: Path) -> None:
    loads = invented(3, 3)
    loads.amps[:, 1] = np.nan
    loads.amps[30:, 2] = np.nan
    done = gridroom(write(loads, tmp_path / "short"), "--warmup-days", 1, "--plot", tmp_path)
    assert done.exit_code == 0, done.output
    assert "no load above 0 in the warm-up; 1 series left out" in done.output
