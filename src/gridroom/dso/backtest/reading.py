"""Loads from a wide file, CSV or Parquet, told apart by content: a time, then a series in ampere per column."""

import csv
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from gridroom.dso.backtest.errors import BacktestError
from gridroom.dso.backtest.grid import MICROSECOND, Amps, Bools, Ints, Loads, counted, lay, many
from gridroom.dso.cables import Finding
from gridroom.dso.readings import wall_times
from gridroom.dso.readings.measurements import COMMAS
from gridroom.dso.register.rows import shown
from gridroom.dso.register.strange import HEAD, strange
from gridroom.timegrid import EPOCH

TIME = "time"
PARQUET = b"PAR1"
LONG = {"cable", "L1", "L2", "L3"}
WIDE = "a wide file is needed: a time, then a column of amperes per series"
"""What to do with a long one, which has a row per time and cable."""

SECOND = timedelta(seconds=1) // MICROSECOND
FIRST, LAST = 1900, 2100
"""Years between which a time lies."""


def read(path: Path, zone: ZoneInfo | None = None) -> Loads:
    """Read loads.

    The time is the column `time`, else a Parquet file's index, else the first column.

    Args:
        path: The file.
        zone: Whose clock times without a zone were read from; None: UTC.

    Raises:
        BacktestError: The file cannot be used; names row and column.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
        if why := strange(head):
            raise BacktestError(why)
        parquet = head.startswith(PARQUET)
        table, time = _parquet(path) if parquet else _csv(path)
        names = tuple(name for name in table.column_names if name != time)
        if not names:
            raise BacktestError(f"beside the time in column {time!r} it needs a column per series")
        first = 1 if parquet else 2
        rows = np.arange(first, first + table.num_rows, dtype=np.int64)
        times, told = _times(table.column(time), time, rows, zone)
        values = np.empty((table.num_rows, len(names)), dtype=np.float32)
        for place, name in enumerate(names):
            values[:, place] = _numbers(table.column(name), name)
        known = times != NO_TIME
        loads = lay(names, times[known], values[known], rows[known])
        return Loads(loads.names, loads.start, loads.block, loads.amps, (*told, *loads.findings))
    except OSError as error:
        raise BacktestError(f"{path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, pa.ArrowException) as error:
        raise BacktestError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from error
    except BacktestError as error:
        raise BacktestError(f"{path}: {error}") from error


NO_TIME = np.iinfo(np.int64).min


def _parquet(path: Path) -> tuple[pa.Table, str]:
    table = pa.parquet.read_table(path)
    _check_head(table.column_names)
    named = [name for name in _index(table.schema.metadata or {}) if name in table.column_names]
    return table, TIME if TIME in table.column_names else (named or table.column_names)[0]


def _index(metadata: Mapping[bytes, bytes]) -> list[str]:
    """The columns that were the index in pandas; none where that is not told as pandas does."""
    try:
        told = json.loads(metadata.get(b"pandas", b"{}"))
    except ValueError:
        return []
    columns = told.get("index_columns") if isinstance(told, dict) else None
    return [one for one in columns if isinstance(one, str)] if isinstance(columns, list) else []


def _csv(path: Path) -> tuple[pa.Table, str]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        head = next(csv.reader(file), [])
    _check_head(head)
    time = TIME if TIME in head else head[0]
    kinds = {name: pa.string() if name == time else pa.float32() for name in head}
    try:
        return pa.csv.read_csv(path, convert_options=pa.csv.ConvertOptions(column_types=kinds)), time
    except pa.ArrowInvalid:
        _find_bad_cell(path, time)
        raise


def _check_head(names: list[str]) -> None:
    if len(names) < 2:
        only = f" {shown(names[0])} only" if names else " nothing"
        raise BacktestError(f"row 1: columns `time`, then one per series, separated by commas; it has{only}")
    if set(names) >= LONG:
        raise BacktestError(f"row 1: has a row per time and cable; {WIDE}, such as time,c1.L1,c1.L2,c1.L3")
    if doubled := {name for name in names if names.count(name) > 1}:
        raise BacktestError(f"row 1: column {min(doubled)!r} stands there twice")


def _find_bad_cell(path: Path, time: str) -> None:
    """Raise for the first cell that is no number, or the first row that is too short or long."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file)
        head = next(lines, [])
        for line in filter(None, lines):
            if len(line) != len(head):
                raise BacktestError(f"row {lines.line_num}: {len(line)} cells, but the first row has {len(head)}")
            for name, cell in zip(head, line, strict=True):
                if name != time and cell and not _is_number(cell):
                    otherwise = re.search(r"[;\t]|\d,\d", name + cell)
                    hint = f"; {COMMAS}" if otherwise else f"; {WIDE}" if lines.line_num == 2 else ""
                    raise BacktestError(f"row {lines.line_num}, column {name}: {shown(cell)} is not a number{hint}")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell.strip().upper() in ("NA", "#N/A", "N/A", "NULL")
    return True


def _numbers(column: pa.ChunkedArray, name: str) -> Amps:
    kind = column.type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)):
        if column.null_count == len(column):
            return np.full(len(column), np.nan, dtype=np.float32)
        raise BacktestError(f"column {name}: holds {kind}, not numbers; {WIDE}")
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float32)


def _times(column: pa.ChunkedArray, name: str, rows: Ints, zone: ZoneInfo | None) -> tuple[Ints, list[Finding]]:
    """Microseconds since 1970 per row, `NO_TIME` for none, and what was assumed."""
    where = f"column {name}"
    if pa.types.is_timestamp(column.type):
        whole = column.cast(pa.timestamp("us", column.type.tz), safe=False).cast(pa.int64())
        times = np.array(whole.fill_null(NO_TIME).to_numpy(), dtype=np.int64)
        naive = (times != NO_TIME) & (column.type.tz is None)
    elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        times, naive = _from_text(column.to_pylist(), where)
    else:
        raise BacktestError(f"{where}: holds {column.type}, not times")
    first, last = ((datetime(year, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND for year in (FIRST, LAST))
    outside = np.flatnonzero((times != NO_TIME) & ((times < first) | (times >= last)))
    if len(outside):
        raise BacktestError(f"row {rows[outside[0]]}, {where}: no time between {FIRST} and {LAST}")
    found, none = [], int((times == NO_TIME).sum())
    if naive.any():
        found += _from_clock(times, naive, where, rows, zone)
    if none:
        found.append(Finding(where, f"{counted(none, 'row')} {'has' if none == 1 else 'have'} no time; left out"))
    return times, found


def _from_clock(times: Ints, naive: Bools, where: str, rows: Ints, zone: ZoneInfo | None) -> list[Finding]:
    """Times that have no zone as moments, in place, and what was assumed."""
    number = int(naive.sum())
    text = f"{counted(number, 'time')} {'has' if number == 1 else 'have'} no zone; read as"
    if zone is None:
        return [Finding(where, f"{text} UTC; with --zone they are clock times there")]
    found = [Finding(where, f"{text} clock times of {zone.key}")]
    shown = times[naive]
    utc, kinds = wall_times.to_utc(shown // SECOND, zone)
    skipped = kinds == wall_times.Kind.MISSING
    times[naive] = np.where(skipped, NO_TIME, utc * SECOND + shown % SECOND)
    if twice := int((kinds == wall_times.Kind.GUESSED).sum()):
        found.append(Finding(where, f"{counted(twice, 'time')} of an hour that comes twice; told apart by their order"))
    if skipped.any():
        found.append(many(rows[naive][skipped], "show", "a time that the clocks skip; left out"))
    return found


def _from_text(texts: list[str | None], where: str) -> tuple[Ints, Bools]:
    """Microseconds since 1970 per row, and which times have no zone; those are taken for UTC."""
    times, naive = np.full(len(texts), NO_TIME, dtype=np.int64), np.zeros(len(texts), dtype=bool)
    for place, text in enumerate(texts):
        if not text:
            continue
        try:
            moment = datetime.fromisoformat(text.strip())
        except ValueError:
            raise BacktestError(f"row {place + 2}, {where}: {text!r} is no time in ISO 8601") from None
        if moment.tzinfo is None:
            naive[place], moment = True, moment.replace(tzinfo=UTC)
        times[place] = (moment - EPOCH) // MICROSECOND
    return times, naive
