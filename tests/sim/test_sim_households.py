"""The homes on the cable, from the package and from files."""

import dataclasses
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from gridroom.sim.day import span
from gridroom.sim.errors import SimError
from gridroom.sim.households import YEAR, simbench
from gridroom.sim.load_files import read_loads
from gridroom.timegrid import QUARTER

START = datetime(2026, 1, 5, tzinfo=UTC)


def write(path: Path, rows: list[str], head: str = "time,a.L1,a.L2,b.L1") -> Path:
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def test_the_feeder_has_its_homes_on_all_three_phases_evenly() -> None:
    loads = simbench()
    assert len(loads.households) == 34
    assert {h.phases for h in loads.households} == {(1,), (2,), (3,)}
    mean = loads.amps.mean(axis=1)
    assert mean.max() < 1.1 * mean.min()
    assert loads.rating_a == 357


def test_homes_alone_take_five_eighths_of_the_fuse_at_most_on_every_day_offered() -> None:
    loads = simbench()
    fuse = loads.smallest_fuse()
    assert fuse == 100
    for day in (date(2016, 1, 1) + timedelta(days=n) for n in range(366)):
        assert loads.window(*span(day)).max() * 1.6 <= fuse


def test_the_year_wraps_by_whole_weeks() -> None:
    loads = simbench()
    early = loads.window(loads.start - timedelta(weeks=8), loads.start)
    assert np.array_equal(early, loads.window(loads.start - timedelta(weeks=8) + YEAR, loads.start + YEAR))
    assert loads.window(loads.end, loads.end + timedelta(days=1)).shape == (3, 96)


def test_a_file_of_loads_is_summed_per_phase(tmp_path: Path) -> None:
    rows = [f"{(START + n * QUARTER).isoformat()},{n},1.5,-2" for n in range(4)]
    loads = read_loads(write(tmp_path / "x.csv", rows))
    assert loads.start == START
    assert loads.amps.tolist() == [[-2, -1, 0, 1], [1.5] * 4, [0] * 4]
    assert [(h.id, h.phases) for h in loads.households] == [("a", (1, 2)), ("b", (1,))]


def test_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    times = [START + n * QUARTER for n in range(8)]
    values = np.arange(8.0)
    pa.parquet.write_table(pa.table({"time": times, "a.L3": values}), tmp_path / "x.parquet")
    rows = [f"{t:%Y-%m-%d %H:%M},{v}" for t, v in zip(times, values, strict=True)]
    csv = write(tmp_path / "x.csv", rows, "time,a.L3")
    assert np.array_equal(read_loads(csv).amps, read_loads(tmp_path / "x.parquet").amps)


def test_finer_rows_are_averaged_and_coarser_ones_spread(tmp_path: Path) -> None:
    fine = [f"{(START + n * timedelta(minutes=5)).isoformat()},{n},0,0" for n in range(6)]
    assert read_loads(write(tmp_path / "f.csv", fine)).amps[0].tolist() == [1, 4]
    coarse = [f"{(START + n * timedelta(hours=1)).isoformat()},{n},0,0" for n in range(2)]
    assert read_loads(write(tmp_path / "c.csv", coarse)).amps[0].tolist() == [0] * 4 + [1] * 4


def test_gaps_are_filled_from_the_nearest_week_and_told(tmp_path: Path) -> None:
    rows = [f"{(START + n * QUARTER).isoformat()},{n},1,{'' if n == 700 else n % 672}" for n in range(1400)]
    del rows[900]
    loads = read_loads(write(tmp_path / "x.csv", rows))
    assert loads.amps[0, 700] == 700 + 28
    assert loads.amps[0, 900] == (900 - 672) + (900 - 672)
    assert loads.notes == ("x.csv: 4 missing values filled from another week",)


@pytest.mark.parametrize(
    ("head", "row", "told"),
    [
        ("time,a.L1,a.L2,b.L1", "2026-01-01T00:15Z,1,x,3", "line 3, column a.L2: 'x' is not a number"),
        ("time,a.L1,a.L2,b.L1", "2026-01-01T00:15Z,1,2", "line 3: 3 cells where the header has 4"),
        ("time,a.L1,a.L2,b.L1", "yesterday,1,2,3", "line 3, column time: 'yesterday' is not a time"),
        ("time,a.L1,a.L2,b.L1", "2026-01-01T00:15Z,1,2,inf", "line 3, column b.L1: inf is not a current"),
        ("time,a.L1,a.L2,b.L1", "2206-01-01T00:15Z,1,2,3", "more than five years"),
        ("time,a.L1,a.L4,b.L1", "2026-01-01T00:15Z,1,2,3", "column 'a.L4' is neither"),
        ("moment,a.L1,a.L2,b.L1", "2026-01-01T00:15Z,1,2,3", "needs `time`"),
        ("time,a.L1,a.L1,b.L1", "2026-01-01T00:15Z,1,2,3", "column 'a.L1' stands there twice"),
        ("time,a.L1,a.L2,b.L1", "2026-01-01T00:15Z,1,2,", "column b.L1: has gaps that no other week can fill"),
    ],
)
def test_bad_loads_name_the_file_the_line_and_the_column(tmp_path: Path, head: str, row: str, told: str) -> None:
    path = write(tmp_path / "x.csv", ["2026-01-01T00:00Z,1,2,3", row], head)
    with pytest.raises(SimError) as error:
        read_loads(path)
    assert told in str(error.value)
    assert str(path) in str(error.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SimError, match="cannot be read"):
        read_loads(tmp_path / "none.csv")
    (tmp_path / "x.xlsx").write_bytes(b"PK\x03\x04\xc7")
    with pytest.raises(SimError, match=r"x\.xlsx: looks like a spreadsheet: save it as CSV"):
        read_loads(tmp_path / "x.xlsx")
    (tmp_path / "x.parquet").write_text("no parquet")
    with pytest.raises(SimError, match=r"x\.parquet"):
        read_loads(tmp_path / "x.parquet")


def test_loads_in_watts_are_noticed() -> None:
    loads = simbench()
    with pytest.raises(SimError, match="are the loads in amperes"):
        dataclasses.replace(loads, amps=loads.amps * 230).smallest_fuse()
