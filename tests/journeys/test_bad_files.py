"""Files that somebody wrote with a mistake in them: one line that names the place, exit code 1, nothing half done."""

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gridroom.cli import app
from gridroom.dso import folder as dso_folder
from gridroom.timegrid import QUARTER, floor
from refusals import refused

pytestmark = pytest.mark.usefixtures("logging_as_it_was")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The README's folders."""
    for words in (
        ["pki", "init", "pki"],
        ["dso", "init", "dso", "--pki", "pki"],
        ["cso", "init", "cso", "--pki", "pki"],
        ["station", "init", "station", "--pki", "pki", "--cso", "cso"],
    ):
        gridroom(*(word if n < 2 or word.startswith("--") else str(tmp_path / word) for n, word in enumerate(words)))
    return tmp_path


def gridroom(*words: str | Path) -> str:
    """Run a command that succeeds; gives what it printed."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.stdout


def changed(file: Path, old: str, new: str) -> str:
    """Make a mistake; gives the text as it was."""
    text = file.read_text()
    assert old in text, old
    file.write_text(text.replace(old, new, 1))
    return text


# -- configurations ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        (
            "dso/dso.toml",
            "interval_s = 900",
            "intervall_s = 900",
            "`publish`: Object contains unknown field `intervall_s`",
        ),
        ("dso/dso.toml", "share = 0.2", "share = some", "not valid TOML: "),
        ("dso/dso.toml", "share = 0.2", 'share = "some"', "`backup.share`: "),
        ("dso/dso.toml", 'url = "https', 'url_ = "https', "`peer[0]`: Object contains unknown field `url_`"),
        ("dso/dso.toml", 'zone = "Europe/Amsterdam"', 'zone = "Europe/Amsterdm"', "`forecast.zone`: 'Europe/Amsterdm'"),
        ("cso/cso.toml", "oscp_port", "oscp_prot", "Object contains unknown field `oscp_prot`"),
        ("cso/cso.toml", "block_min = 15", "block_min = 7", "`block_min` must divide a day of 1440 minutes"),
        ("cso/cso.toml", 'phases = "per-phase"', 'phase = "per-phase"', "`phase` is none of "),
        ("cso/cso.toml", "[[dso.cables]]", "[[dso.cabels]]", "`dso[0]`: Object contains unknown field `cabels`"),
        ("cso/cso.toml", "voltage_v = 230.0", "voltage_v = '230'", "`dso[0].cables[0].voltage_v`: "),
        ("station/stations.toml", "safe_current_a = 6", "safe_current_a = 3", "safe_current_a 3 is neither 0 nor"),
        ("station/stations.toml", "[[visitor]]", "[[vistor]]", "Object contains unknown field `vistor`"),
        ("station/stations.toml", 'rotation = "231"', 'rotation = "221"', "rotation '221' is none of 123"),
        (
            "station/stations.toml",
            'station = "station-2"',
            'station = "sation-2"',
            "station 'sation-2' of a car is not",
        ),
        ("station/stations.toml", "wss://", "ws://", "does not start with wss://"),
        ("cso/stations.csv", "identity,dso", "identity;dso", "line 1: the header must be identity,dso,cable"),
        ("cso/stations.csv", "station-2,dso", "station-1,dso", "line 3: identity station-1 stands there twice"),
        ("cso/stations.csv", "station-2,dso,cable-1", "station-2,dso,cabel-1", "station-2"),
        ("cso/stations.csv", "231,16", "231,sixteen", "line 3: max_a 'sixteen' is not a number"),
        ("cso/stations.csv", ",16,", ",16,x,", "line 2: 7 columns, 6 are needed"),
    ],
)
def test_a_mistake_in_a_configuration_is_named_with_its_file(
    folder: Path, name: str, old: str, new: str, told: str
) -> None:
    file = folder / name
    changed(file, old, new)
    actor = file.parent
    lines = refused(actor.name, "run", actor)
    assert len(lines) == 1
    assert lines[0].startswith(f"gridroom: {file}"), lines
    assert told in lines[0]
    assert not (actor / "stations.json").exists()


@pytest.mark.parametrize(
    ("actor", "gone"),
    [("dso", "dso.key"), ("dso", "ca.pem"), ("cso", "cso.pem"), ("cso", "stations.csv"), ("station", "ca.pem")],
)
def test_a_missing_file_is_named(folder: Path, actor: str, gone: str) -> None:
    (folder / actor / gone).unlink()
    (line,) = refused(actor, "run", folder / actor)
    assert str(folder / actor / gone) in line


def test_a_certificate_of_somebody_else_is_named(folder: Path) -> None:
    gridroom("pki", "issue", folder / "pki", "other", "--into", folder / "dso")
    changed(folder / "dso" / "dso.toml", 'key = "dso.key"', 'key = "other.key"')
    (line,) = refused("dso", "run", folder / "dso")
    assert f"{folder / 'dso' / 'other.key'} is not the (unencrypted) key of the certificate" in line


def test_a_database_that_is_none_is_named(folder: Path) -> None:
    for actor in ("dso", "cso"):
        (folder / actor / f"{actor}.db").write_text(
            "no database, but long enough to be looked at as if it were one\n" * 20
        )
        (line,) = refused(actor, "run", folder / actor)
        assert f"{actor}.db" in line


def test_a_port_in_use_is_named(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for actor, usual in (("dso", "8700"), ("cso", "8711")):
            changed(folder / actor / f"{actor}.toml", f"port = {usual}", f"port = {port}")
            (line,) = refused(actor, "run", folder / actor)
            assert port in line
            assert "in use" in line


# -- measurements ------------------------------------------------------------------------------------------------------


def rows(now: datetime, *broken: str, n: int = 8) -> str:
    good = [f"{(now - k * QUARTER).isoformat()},cable-1,{k},1.{k},2.{k}" for k in range(n, 0, -1)]
    return "\n".join(["time,cable,L1,L2,L3", *good, *broken]) + "\n"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("{past},cable-1,1,2", "row 10: has 4 values, not 5"),
        ("{past},cable-1,1,2,x", "row 10: L3: 'x' is no number"),
        ("{past},cable-1,1,2,nan", "states no possible current"),
        ("yesterday,cable-1,1,2,3", "row 10: time: 'yesterday' is no time in ISO 8601"),
        ("2026-01-01T00:00:00,cable-1,1,2,3", "row 10: time: '2026-01-01T00:00:00' has no zone"),
        ("{past},cable-9,1,2,3", "cable-9 "),
        ("{future},cable-1,1,2,3", "ends after now"),
        ('"{past},cable-1,1,2,3', "row 10: "),
    ],
)
def test_a_broken_row_is_named_and_the_others_are_taken(folder: Path, row: str, told: str) -> None:
    now = floor(datetime.now(UTC), QUARTER)
    past, future = (now - 9 * QUARTER).isoformat(), (now + timedelta(days=1)).isoformat()
    file = folder / "m.csv"
    file.write_text(rows(now, row.format(past=past, future=future)))
    result = CliRunner().invoke(app, ["dso", "import", str(folder / "dso"), str(file)])
    assert result.exit_code == 1
    assert result.stdout.startswith("8 readings stored, 1 refused; ")
    lines = result.stderr.splitlines()
    assert any(line.startswith(f"gridroom: {file}: ") and told in line for line in lines), lines
    file.write_text(rows(now, n=10))
    assert gridroom("dso", "import", folder / "dso", file).startswith("2 readings stored, 0 refused; repeated: 8")


@pytest.mark.parametrize("data", ["[" * 100_000, "x" * 100_000 + "\n", "time," + "x" * 100_000 + "\n"])
def test_of_a_file_that_is_something_else_not_all_is_told(folder: Path, data: str) -> None:
    file = folder / "m.csv"
    file.write_text(data)
    (line,) = refused("dso", "import", folder / "dso", file)
    assert line.startswith(f"gridroom: {file}: row 1: ")
    assert "the columns must be time,cable,L1,L2,L3 [A]" in line
    assert "a file of the register begins with cso" in line
    assert len(line) < 1_100


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"time,cable,L1,L2\n", "row 1: time,cable,L1,L2 are no columns of measurements"),
        (b"", "row 1: the file is empty; the columns must be time,cable,L1,L2,L3"),
        (b"\xff\xfe\x00", "is UTF-16 text: save it as CSV in UTF-8"),
    ],
)
def test_a_file_that_holds_no_measurements_is_refused_whole(folder: Path, data: bytes, told: str) -> None:
    file = folder / "m.csv"
    file.write_bytes(data)
    (line,) = refused("dso", "import", folder / "dso", file)
    assert told in line
    assert str(file) in line


def test_a_folder_or_nothing_is_no_file_of_measurements(folder: Path) -> None:
    for name, told in (("none.csv", "No such file or directory"), ("pki", "Is a directory")):
        (line,) = refused("dso", "import", folder / "dso", folder / name)
        assert line == f"gridroom: {folder / name}: {told}"
    config = dso_folder.load(folder / "dso")
    db = dso_folder.open_database(config)
    with db.transact() as tx:
        assert tx.exec_driver_sql("SELECT count(*) FROM loads").scalar() == 0
    db.close()


# -- the demo ----------------------------------------------------------------------------------------------------------

LOADS = "time,h.L1,h.L2,h.L3\n"
SESSIONS = "plug_in,plug_out,energy_kwh,max_power_kw\n"


@pytest.mark.parametrize(
    ("option", "text", "told"),
    [
        ("--loads", LOADS + "2026-01-05T00:00:00Z,1,2,three\n", "line 2, column h.L3: 'three' is not a number"),
        ("--loads", LOADS + "2026-01-05T00:00:00Z,1,2\n", "line 2"),
        ("--loads", LOADS + "once,1,2,3\n", "'once'"),
        ("--loads", LOADS + "2026-01-05T00:00:00Z,1,2,3\n", "at least two rows are needed"),
        ("--loads", LOADS, "at least two rows are needed"),
        ("--loads", "when,h.L1\n", "needs `time` and columns"),
        ("--loads", "time,h.L4\n2026-01-05T00:00:00Z,1\n", "column 'h.L4' is neither"),
        ("--loads", "", "needs `time` and columns"),
        ("--sessions", SESSIONS + "soon,2016-11-15 20:00,9,3.7\n", "line 2, column plug_in: 'soon' is not a time"),
        ("--sessions", SESSIONS + "2016-11-15 18:00,2016-11-15 20:00,nine,3.7\n", "line 2, column energy_kwh: 'nine'"),
        ("--sessions", SESSIONS + "2016-11-15 18:00,2016-11-15 20:00,9\n", "line 2: not as many cells"),
        ("--sessions", SESSIONS + "2016-11-15 20:00,2016-11-15 18:00,9,3.7\n", "no usable session among 1 rows"),
        ("--sessions", "plug_in,plug_out,energy_kwh\n", "column 'max_power_kw' is missing"),
        ("--sessions", "", "is missing"),
    ],
)
def test_data_that_the_demo_cannot_use_is_named_with_its_place(
    tmp_path: Path, option: str, text: str, told: str
) -> None:
    file = tmp_path / "data.csv"
    file.write_text(text)
    (line,) = refused("demo", option, file, "--report", tmp_path / "report")
    assert line.startswith(f"gridroom: {file}")
    assert told in line
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize("option", ["--loads", "--sessions"])
@pytest.mark.parametrize("name", ["none.csv", "none.parquet", "folder", "text.parquet", "bytes.csv"])
def test_a_file_that_the_demo_cannot_read_is_named(tmp_path: Path, option: str, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.parquet").write_text(SESSIONS)
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00\x01")
    (line,) = refused("demo", option, tmp_path / name, "--report", tmp_path / "report")
    assert line.startswith(f"gridroom: {tmp_path / name}")
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--day", "2020-01-01"], "choose one from 2016-01-01 to 2016-12-31 (--day)"),
        (["--evs", "0"], "(--evs)"),
        (["--evs", "-3"], "(--evs)"),
        (["--fuse", "0"], "(--fuse)"),
        (["--fuse", "nan"], "(--fuse)"),
    ],
)
def test_a_choice_that_the_demo_cannot_follow_is_named_by_its_option(
    tmp_path: Path, words: list[str], told: str
) -> None:
    (line,) = refused("demo", *words, "--report", tmp_path / "report")
    assert told in line
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    ("option", "value"), [("--day", "tomorrow"), ("--day", "2016-11-31"), ("--seed", "x"), ("--evs", "many")]
)
def test_an_option_that_is_no_value_is_a_usage_error(tmp_path: Path, option: str, value: str) -> None:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(
        app, ["demo", option, value, "--report", str(tmp_path / "report")]
    )
    assert result.exit_code == 2
    assert option in result.stderr
    assert not (tmp_path / "report").exists()


def test_a_report_that_cannot_be_written_is_told_before_the_day_begins(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("a file of mine")
    (line,) = refused("demo", "--report", tmp_path / "report")
    assert str(tmp_path / "report") in line
