"""Files of loads and of limits: what is odd is told, what is broken is refused in one line."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridroom.dso.backtest.errors import BacktestError
from gridroom.dso.backtest.grid import MICROSECOND, Loads, lay
from gridroom.dso.backtest.limits import from_file, from_peaks
from gridroom.dso.backtest.reading import read
from gridroom.timegrid import EPOCH

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
START = datetime(2026, 3, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


def lines(rows: Sequence[str], head: str = "time,a,b") -> str:
    return "\n".join((head, *rows)) + "\n"


def csv_file(folder: Path, text: str, name: str = "loads.csv") -> Path:
    (folder / name).write_text(text)
    return folder / name


def rows(n: int, step: timedelta = QUARTER) -> list[str]:
    return [f"{(START + k * step).isoformat()},{k},{-k / 2}" for k in range(n)]


def told(loads: Loads) -> list[str]:
    return [str(finding) for finding in loads.findings]


def test_csv_and_parquet_say_the_same_whatever_the_name_of_the_file(tmp_path: Path) -> None:
    csv = csv_file(tmp_path, lines(rows(8)), "loads.parquet")
    times = pa.array([START + k * QUARTER for k in range(8)], pa.timestamp("ns", "UTC"))
    table = pa.table({"a": [float(k) for k in range(8)], "b": [-k / 2 for k in range(8)], "time": times})
    pyarrow.parquet.write_table(table, tmp_path / "loads.csv")
    one, other = read(csv), read(tmp_path / "loads.csv")
    assert one.names == other.names == ("a", "b")
    assert one.start == other.start == START
    assert one.block == other.block == QUARTER
    np.testing.assert_array_equal(one.amps, other.amps)
    assert one.amps[:, 1].tolist() == [-k / 2 for k in range(8)]
    assert told(one) == told(other) == []


def test_the_time_is_the_index_of_a_parquet_file_or_else_the_first_column(tmp_path: Path) -> None:
    times = pa.array([START + k * QUARTER for k in range(8)], pa.timestamp("us", "UTC"))
    table = pa.table({"a": [1.0] * 8, "when": times})
    table = table.replace_schema_metadata({"pandas": '{"index_columns": ["when"]}'})
    pyarrow.parquet.write_table(table, tmp_path / "indexed")
    assert read(tmp_path / "indexed").names == ("a",)
    assert read(csv_file(tmp_path, lines(rows(8), head="when,a,b"))).names == ("a", "b")
    assert read(csv_file(tmp_path, lines(rows(8), head=",a,b"))).names == ("a", "b")


@pytest.mark.parametrize("minutes", [1, 5, 10, 15, 20, 30, 60])
def test_the_length_of_blocks_is_that_of_most_rows(tmp_path: Path, minutes: int) -> None:
    step = timedelta(minutes=minutes)
    loads = read(csv_file(tmp_path, lines([row for k, row in enumerate(rows(40, step)) if k % 11])))
    assert loads.block == step
    assert loads.blocks == 39
    assert int(np.isnan(loads.amps[:, 0]).sum()) == 3


def test_a_day_of_summer_time_is_as_long_as_any_other_in_utc(tmp_path: Path) -> None:
    first = datetime.fromisoformat("2026-03-29T01:30:00+01:00")
    text = lines([f"{first.isoformat()},1,1", "2026-03-29T01:45:00+01:00,2,2", "2026-03-29T03:00:00+02:00,3,3"])
    loads = read(csv_file(tmp_path, text))
    assert loads.amps[:, 0].tolist() == [1, 2, 3]
    assert told(loads) == []


def test_times_without_a_zone_are_utc_and_that_is_told(tmp_path: Path) -> None:
    loads = read(csv_file(tmp_path, lines([row.replace("+00:00", "") for row in rows(8)])))
    assert loads.start == START
    text = "column time: 8 times have no zone; read as UTC; with --zone they are clock times there"
    assert told(loads) == [text]
    naive = pa.array([datetime(2026, 3, 1) + k * QUARTER for k in range(8)], pa.timestamp("ms"))  # noqa: DTZ001
    pyarrow.parquet.write_table(pa.table({"time": naive, "a": [1.0] * 8}), tmp_path / "naive")
    assert told(read(tmp_path / "naive")) == [text]


@pytest.mark.parametrize("parquet", [False, True])
def test_clock_times_of_a_zone_are_those_moments_when_the_clocks_change_too(tmp_path: Path, parquet: bool) -> None:
    first = datetime(2026, 10, 24, 22, tzinfo=UTC)  # midnight in Amsterdam, on the day of 25 hours
    moments = [first + k * QUARTER for k in range(100)]
    shown = [one.astimezone(AMSTERDAM).replace(tzinfo=None) for one in moments]
    if parquet:
        times = pa.array(shown, pa.timestamp("ms"))
        pyarrow.parquet.write_table(pa.table({"time": times, "a": [float(k) for k in range(100)]}), tmp_path / "naive")
        path = tmp_path / "naive"
    else:
        path = csv_file(tmp_path, lines([f"{one.isoformat()},{k}" for k, one in enumerate(shown)], "time,a"))
    loads = read(path, AMSTERDAM)
    assert (loads.start, loads.amps[:, 0].tolist()) == (first, list(range(100)))
    assert told(loads) == [
        "column time: 100 times have no zone; read as clock times of Europe/Amsterdam",
        "column time: 8 times of an hour that comes twice; told apart by their order",
    ]


def test_in_the_hour_that_the_clocks_skip_there_is_no_row(tmp_path: Path) -> None:
    shown = [datetime(2026, 3, 29, 1) + k * QUARTER for k in range(12)]  # noqa: DTZ001
    loads = read(
        csv_file(tmp_path, lines([f"{one.isoformat()},{k}" for k, one in enumerate(shown)], "time,a")), AMSTERDAM
    )
    assert loads.amps[:, 0].tolist() == [0, 1, 2, 3, 8, 9, 10, 11]
    assert told(loads)[1] == "row 6 and 3 more rows: show a time that the clocks skip; left out"
    assert told(read(csv_file(tmp_path, lines(rows(8))), AMSTERDAM)) == [], "times with a zone say it themselves"


def test_what_is_odd_is_told_and_does_no_harm(tmp_path: Path) -> None:
    some = rows(40)
    some[3], some[2] = some[2], some[3]  # out of order
    del some[10]  # missing
    some.insert(6, some[5])  # repeated
    some.insert(9, some[8].rpartition(",")[0] + ",99")  # contradicted
    some[20] = some[20].replace(":00+", ":07+")  # beside the grid
    some[25] = some[25].partition(",")[0] + ",,nan"
    some[26] = some[26].partition(",")[0] + ",inf,-1e9"
    loads = read(csv_file(tmp_path, lines(some)))
    assert told(loads) == [
        "row 22: begins on no multiple of 15 min; left out",
        "row 5: comes before an earlier row; put in order",
        "row 8: repeats a row of the same time",
        "row 11: states something else for a time that was there before; the first stays",
        "rows: 2 are missing, the first at 2026-03-01T02:30:00+00:00",
        "column a: 1 value is missing; 2 in 2 series in all",
        "column a: 1 value is no current; 2 in 2 series in all",
    ]
    expected = np.arange(40, dtype=np.float32)
    expected[[10, 19, 24, 25]] = np.nan
    np.testing.assert_array_equal(loads.amps[:, 0], expected)
    np.testing.assert_array_equal(loads.amps[:, 1], -expected / 2)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_no_order_and_no_repetition_changes_what_is_read(data: st.DataObject) -> None:
    times = np.arange(50, dtype=np.int64) * (QUARTER // MICROSECOND) + ((START - EPOCH) // MICROSECOND)
    values = np.random.default_rng(1).normal(10, 5, (50, 2)).astype(np.float32)
    mixed = np.array(data.draw(st.permutations([*range(50), *data.draw(st.lists(st.integers(0, 49), max_size=20))])))
    clean = lay(("a", "b"), times, values, np.arange(50))
    loads = lay(("a", "b"), times[mixed], values[mixed], np.arange(len(mixed)))
    assert (loads.start, loads.block) == (clean.start, clean.block)
    np.testing.assert_array_equal(loads.amps, clean.amps)


def test_of_many_contradictions_out_of_order_the_first_in_the_file_stays() -> None:
    chance = np.random.default_rng(5)
    places = chance.integers(0, 40, 2000)
    times = places * (QUARTER // MICROSECOND)
    values = np.arange(2000, dtype=np.float32)[:, None]
    loads = lay(("a",), times, values, np.arange(2000))
    assert loads.amps[:, 0].tolist() == [float(np.flatnonzero(places == place)[0]) for place in range(40)]


BROKEN = {
    "": "row 1: columns `time`, then one per series, separated by commas; it has nothing",
    "time;a;b\n": "row 1: columns `time`, then one per series, separated by commas; it has 'time;a;b' only",
    lines(rows(8), head="time,a,a"): "row 1: column 'a' stands there twice",
    "time,a;b\n2026-03-01T00:00:00Z,12;17\n": "row 2, column a;b: '12;17' is not a number; columns are separated by "
    "commas, and numbers have a point",
    'time,a\n2026-03-01T00:00:00Z,"12,5"\n': "row 2, column a: '12,5' is not a number; columns are separated by "
    "commas, and numbers have a point",
    "[" * 100_000: f"row 1: columns `time`, then one per series, separated by commas; it has '{'[' * 60}…' only",
    "time,cable,L1,L2,L3\n": "row 1: has a row per time and cable; a wide file is needed: a time, then a column of "
    "amperes per series, such as time,c1.L1,c1.L2,c1.L3",
    "time,place,amps\n2026-03-01T02:00:00Z,c1,5\n": "row 2, column place: 'c1' is not a number; a wide file is needed: "
    "a time, then a column of amperes per series",
    "PK\x03\x04": "looks like a spreadsheet: save it as CSV",
    lines([*rows(8), "2026-03-01T02:00:00Z,1,x"]): "row 10, column b: 'x' is not a number",
    lines([*rows(8), "2026-03-01T02:00:00Z,1"]): "row 10: 2 cells, but the first row has 3",
    lines([*rows(8), "yesterday,1,2"]): "row 10, column time: 'yesterday' is no time in ISO 8601",
    lines(rows(1)): "column time: at least two different times are needed",
    lines([]): "column time: at least two different times are needed",
    lines(
        rows(8, timedelta(minutes=7))
    ): "column time: rows are 7 min apart; blocks must divide an hour, such as 15 min",
    lines(
        rows(8, timedelta(days=1))
    ): "column time: rows are 1440 min apart; blocks must divide an hour, such as 15 min",
    lines(
        [row.replace(":00+", ":07+") for row in rows(8)]
    ): "row 2: 2026-03-01T00:00:07+00:00 is on no multiple of 15 min",
    lines([*rows(8), "0001-01-01T00:00:00+14:00,1,2"]): "row 10, column time: no time between 1900 and 2100",
    lines([*rows(8), "9999-12-31T23:59:59-14:00,1,2"]): "row 10, column time: no time between 1900 and 2100",
    lines([*rows(8), "1970-01-01T00:00:00Z,1,2"]): (
        "column time: from 1970-01-01T00:00:00+00:00 to 2026-03-01T01:45:00+00:00, but only 9 rows"
    ),
}


@pytest.mark.parametrize(("text", "words"), BROKEN.items(), ids=range(len(BROKEN)))
def test_a_broken_file_is_refused_by_row_and_column(tmp_path: Path, text: str, words: str) -> None:
    path = csv_file(tmp_path, text)
    with pytest.raises(BacktestError) as caught:
        read(path)
    assert str(caught.value) == f"{path}: {words}"


@pytest.mark.parametrize("told", ["no json", "[]", '{"index_columns": 3}', '{"index_columns": [{"kind": "range"}]}'])
def test_what_pandas_did_not_write_names_no_index(tmp_path: Path, told: str) -> None:
    path, times = tmp_path / "odd.parquet", [START + i * QUARTER for i in range(8)]
    table = pa.table({"a": [1.0] * 8, "time": times}).replace_schema_metadata({"pandas": told})
    pyarrow.parquet.write_table(table, path)
    assert read(path).names == ("a",)


def test_a_parquet_file_of_an_age_without_dates_is_refused(tmp_path: Path) -> None:
    path, seconds = tmp_path / "far.parquet", pa.array([0, 900, 9_000_000_000_000], pa.timestamp("s", "UTC"))
    pyarrow.parquet.write_table(pa.table({"time": seconds, "a": [1.0] * 3}), path)
    with pytest.raises(BacktestError, match="row 3, column time: no time between 1900 and 2100"):
        read(path)


def test_a_parquet_file_of_something_else_is_refused_by_its_column(tmp_path: Path) -> None:
    path = tmp_path / "odd.parquet"
    times = [START + k * QUARTER for k in range(8)]
    pyarrow.parquet.write_table(pa.table({"time": times, "a": ["x"] * 8}), path)
    with pytest.raises(BacktestError, match="column a: holds string, not numbers"):
        read(path)
    pyarrow.parquet.write_table(pa.table({"time": [1] * 8, "a": [1.0] * 8}), path)
    with pytest.raises(BacktestError, match="column time: holds int64, not times"):
        read(path)
    path.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(BacktestError, match=r"odd\.parquet: cannot be read: .*[Pp]arquet") as caught:
        read(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(BacktestError, match="No such file"):
        read(tmp_path / "none")
    with pytest.raises(BacktestError, match="Is a directory"):
        read(tmp_path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(bytes(range(128, 256)) * 4)
    with pytest.raises(BacktestError, match="noise: cannot be read: "):
        read(tmp_path / "noise")


def test_limits_come_from_a_file_and_others_in_it_are_told(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "series,limit_a\nb,63\nz,10\na,100.5\n")
    limits, findings = from_file(path, ("a", "b"))
    assert limits.tolist() == [100.5, 63.0]
    assert [str(one) for one in findings] == ["z: has a limit, but no load"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,limit\na,1\n", "row 1: the columns must be series,limit_a, not 'name,limit'"),
        ("series,limit_a\na,1\na,2\n", "row 3: 'a' stands there twice"),
        ("series,limit_a\na,much\n", "row 2, column limit_a of 'a': 'much' is not a number"),
        ("series,limit_a\na,1_00\n", "row 2, column limit_a of 'a': '1_00' is not a number"),
        ("series,limit_a\na,-5\n", "row 2, column limit_a of 'a': -5 A is no limit; it must be above 0"),
        ("PK\x03\x04", "looks like a spreadsheet: save it as CSV"),
        ("series,limit_a\na,0\n", "row 2, column limit_a of 'a': 0 A is no limit; it must be above 0"),
        ("series,limit_a\na,nan\n", "row 2, column limit_a of 'a': nan A is no limit; it must be above 0"),
        ("series,limit_a\na\n", "row 2: 1 cells, not 2"),
        ("series,limit_a\na,1\n", "1 series without a limit, the first is 'b'"),
        (
            "series,limit_a\na,1\nc,1\nB,1\n",
            "1 series without a limit, the first is 'b'; 2 limits of no load, the first for 'B': is it a slip?",
        ),
    ],
)
def test_broken_limits_are_refused_by_row(tmp_path: Path, text: str, words: str) -> None:
    path = csv_file(tmp_path, text)
    with pytest.raises(BacktestError) as caught:
        from_file(path, ("a", "b"))
    assert str(caught.value) == f"{path}: {words}"


def test_a_peak_is_that_of_the_warm_up_alone() -> None:
    amps = np.array([[1, -3, np.nan], [4, -1, np.nan], [9, 9, 9]], np.float32)
    limits = from_peaks(Loads(("a", "b", "c"), START, QUARTER, amps), 2, 1.25)
    np.testing.assert_array_equal(limits, [5.0, np.nan, np.nan])
