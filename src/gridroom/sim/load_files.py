"""What homes draw, from anyone's file: `time`, then `<household>.L1|L2|L3` in amperes; CSV or Parquet."""

import csv
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from gridroom.dso.register.strange import HEAD, strange
from gridroom.sim.errors import SimError
from gridroom.sim.households import PHASES, WEEK, Amps, Household, Loads
from gridroom.timegrid import QUARTER, floor

TIME = "time"
COLUMN = re.compile(r"(?P<home>.+)\.L(?P<phase>[123])")
LONGEST = timedelta(days=5 * 366)


def read_loads(path: Path) -> Loads:
    """Read what homes draw.

    Rows may be finer or coarser than a quarter of an hour and out of order; times without a zone are UTC. Missing
    values are taken from the nearest whole week earlier or later, and told in the notes.

    Args:
        path: A Parquet file if its name ends in `.parquet`, else CSV with a header.

    Raises:
        SimError: The file cannot be used; names line and column.
    """
    table = _table(path)
    columns = [c for c in table.column_names if c != TIME]
    places = [_place(path, c) for c in columns]
    times = _times(path, table)
    values = np.column_stack([_numbers(path, table, c) for c in columns])
    start, grid = _on_grid(path, times, values)
    filled, missing = _fill(path, columns, grid)
    amps = np.zeros((PHASES, len(filled)))
    for column, (_, phase) in enumerate(places):
        amps[phase - 1] += filled[:, column]
    homes: dict[str, list[int]] = {}
    for home, phase in places:
        homes.setdefault(home, []).append(phase)
    return Loads(
        cable=path.stem,
        about=path.name,
        households=tuple(Household(home, tuple(sorted(phases))) for home, phases in homes.items()),
        start=start,
        amps=amps,
        notes=(f"{path.name}: {missing} missing values filled from another week",) if missing else (),
    )


def _table(path: Path) -> pa.Table:
    try:
        with path.open("rb") as start:
            if why := strange(start.read(HEAD)):
                raise SimError(f"{path}: {why}")
        if path.suffix == ".parquet":
            table = pa.parquet.read_table(path)
        else:
            with path.open(newline="", encoding="utf-8-sig") as file:
                head = next(csv.reader(file), [])
            _check_head(path, head)
            kinds = {c: pa.string() if c == TIME else pa.float64() for c in head}
            table = pa.csv.read_csv(path, convert_options=pa.csv.ConvertOptions(column_types=kinds))
    except (OSError, UnicodeDecodeError) as error:
        raise SimError(f"{path}: cannot be read: {error}") from error
    except pa.ArrowInvalid as error:
        _find_bad_cell(path)
        raise SimError(f"{path}: {error}") from error
    _check_head(path, table.column_names)
    return table


def _check_head(path: Path, names: list[str]) -> None:
    if TIME not in names or len(names) < 2:
        raise SimError(f"{path}: needs `time` and columns `<household>.L1|L2|L3`; it has {', '.join(names[:5])}")
    if doubled := {n for n in names if names.count(n) > 1}:
        raise SimError(f"{path}: column {min(doubled)!r} stands there twice")


def _find_bad_cell(path: Path) -> None:
    """Raise for the first cell that is no number, when that is what is wrong."""
    if path.suffix == ".parquet":
        return
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file)
        head = next(lines, [])
        for line in lines:
            if len(line) != len(head):
                raise SimError(f"{path}, line {lines.line_num}: {len(line)} cells where the header has {len(head)}")
            for name, cell in zip(head, line, strict=True):
                if name == TIME or not cell:
                    continue
                try:
                    float(cell)
                except ValueError:
                    raise SimError(f"{path}, line {lines.line_num}, column {name}: {cell!r} is not a number") from None


def _place(path: Path, column: str) -> tuple[str, int]:
    match = COLUMN.fullmatch(column)
    if match is None:
        raise SimError(f"{path}: column {column!r} is neither `time` nor `<household>.L1`, `.L2` or `.L3`")
    return match["home"], int(match["phase"])


def _times(path: Path, table: pa.Table) -> list[datetime]:
    times = []
    for number, value in enumerate(table.column(TIME).to_pylist()):
        try:
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        except ValueError:
            raise SimError(f"{path}, line {number + 2}, column {TIME}: {value!r} is not a time") from None
        times.append(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC))
    if len(times) < 2:
        raise SimError(f"{path}: at least two rows are needed, it has {len(times)}")
    if max(times) - min(times) > LONGEST:
        raise SimError(f"{path}, column {TIME}: from {min(times)} to {max(times)} is more than five years")
    return times


def _numbers(path: Path, table: pa.Table, column: str) -> Amps:
    try:
        values = np.array(table.column(column).cast(pa.float64()).to_numpy(), dtype=np.float64)
    except pa.ArrowInvalid as error:
        raise SimError(f"{path}, column {column}: not numbers ({error})") from error
    if len(bad := np.flatnonzero(np.isinf(values))):
        raise SimError(f"{path}, line {bad[0] + 2}, column {column}: {values[bad[0]]} is not a current")
    return values


def _on_grid(path: Path, times: list[datetime], values: Amps) -> tuple[datetime, Amps]:
    """Means per quarter of an hour, shape (blocks, columns); NaN where nothing was measured."""
    start = floor(min(times))
    seconds = np.array([(t - start).total_seconds() for t in times])
    step = float(np.median(np.diff(np.unique(seconds))))
    quarter = QUARTER.total_seconds()
    if step > 4 * quarter:
        raise SimError(f"{path}, column {TIME}: rows are {step / 60:.0f} minutes apart, at most 60 can be used")
    repeats = max(1, round(step / quarter))
    index = (np.repeat(seconds, repeats) // quarter).astype(np.int64) + np.tile(np.arange(repeats), len(seconds))
    rows = np.repeat(values, repeats, axis=0)
    known = ~np.isnan(rows)
    sums = np.zeros((int(index.max()) + 1, rows.shape[1]))
    counts = np.zeros_like(sums)
    np.add.at(sums, index, np.where(known, rows, 0.0))
    np.add.at(counts, index, known)
    with np.errstate(invalid="ignore"):
        return start, sums / np.where(counts, counts, np.nan)


def _fill(path: Path, columns: list[str], grid: Amps) -> tuple[Amps, int]:
    """Fill the gaps from other weeks, the nearest first; also their number."""
    filled = grid.copy()
    missing: NDArray[np.bool_] = np.isnan(grid)
    total = int(missing.sum())
    week = WEEK // QUARTER
    for weeks in range(1, len(grid) // week + 1):
        for shift in (weeks * week, -weeks * week):
            if not np.isnan(filled).any():
                return filled, total
            other = np.full_like(grid, np.nan)
            if shift > 0:
                other[shift:] = grid[:-shift]
            else:
                other[:shift] = grid[-shift:]
            filled = np.where(np.isnan(filled), other, filled)
    if len(gone := np.flatnonzero(np.isnan(filled).any(axis=0))):
        raise SimError(f"{path}, column {columns[gone[0]]}: has gaps that no other week can fill")
    return filled, total
