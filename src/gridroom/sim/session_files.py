"""Charging sessions from anyone's file: plug_in, plug_out, energy_kwh, max_power_kw, perhaps phases, station_id."""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow.parquet

from gridroom.sim.day import STEP, ZONE, day_of, span
from gridroom.sim.errors import SimError
from gridroom.sim.households import NOMINAL_V, WEEK, YEAR, Loads
from gridroom.sim.sessions import Visit, clip

NEEDED = ("plug_in", "plug_out", "energy_kwh", "max_power_kw")
LIKE_A_TIME = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?")
NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]")
LEAST_A, MOST_A = 6.0, 32.0
ONE_PHASE_KW = 7.5
"""Up to this power a session without phases is taken as one phase: 32 A. [kW]"""
THREE_PHASE_KW = 3 * LEAST_A * NOMINAL_V / 1000
"""No car draws less than this from three phases. [kW] Source: 6 A, IEC 61851-1."""

Row = tuple[int, dict[str, object]]


class _UnusableError(Exception):
    """A row that is well written but tells of no session."""


@dataclass(frozen=True)
class SessionLog:
    """Sessions of a file.

    Attributes:
        name: Name of the file.
        visits: The usable ones, moved to the time of the loads.
        notes: What was left out or moved, in words.
    """

    name: str
    visits: tuple[Visit, ...]
    notes: tuple[str, ...]


def read_sessions(path: Path, loads: Loads) -> SessionLog:
    """Read charging sessions.

    Times without a zone are Europe/Amsterdam. Rows that tell of no session (an end before the beginning, no energy, a
    date no calendar has) are left out and counted. Sessions that all lie outside the loads' time are moved by whole
    weeks into its middle.

    Args:
        path: A Parquet file if its name ends in `.parquet`, else CSV with a header.
        loads: The homes they will share the cable with.

    Raises:
        SimError: A column is missing or a cell cannot be read; names line and column.
    """
    rows = list(_rows(path))
    names_phases = any(_names_a_phase(row) for _, row in rows)
    unusable: Counter[str] = Counter()
    visits = []
    for line, row in rows:
        try:
            visits.append(_visit(path, line, row, names_phases))
        except _UnusableError as reason:
            unusable[str(reason)] += 1
    if not visits:
        raise SimError(f"{path}: no usable session among {len(rows)} rows ({_told(unusable)})")
    notes = [f"{path.name}: {unusable.total()} of {len(rows)} rows left out: {_told(unusable)}"] if unusable else []
    weeks = _weeks_to(visits, loads)
    if weeks:
        notes.append(f"{path.name}: all sessions moved by {weeks} weeks, to the time of the loads")
    moved = tuple(_moved(v, timedelta(weeks=weeks)) for v in visits)
    return SessionLog(path.name, moved, tuple(notes))


def pick_day(log: SessionLog, offered: list[date]) -> date:
    """The day with the most sessions, the earliest of equals.

    Raises:
        SimError: No session is on a day that the loads cover.
    """
    counts = Counter(day_of(v.plug_in) for v in log.visits)
    days = [d for d in offered if counts[d]]
    if not days:
        raise SimError(f"{log.name}: no session between {offered[0]} and {offered[-1]}, the days of the loads")
    return max(days, key=lambda d: (counts[d], -d.toordinal()))


def visits_of(log: SessionLog, rng: np.random.Generator, day: date, count: int) -> tuple[list[Visit], tuple[str, ...]]:
    """Sessions that begin on a day, cut to it: `count` of them at random, or all when there are fewer; and notes.

    Raises:
        SimError: There is none.
    """
    start, end = span(day)
    today = [v for v in log.visits if start <= v.plug_in < end]
    clipped = [c for v in today if (c := clip(v, start, end)) is not None]
    visits = _apart(clipped)
    if not visits:
        raise SimError(f"{log.name}: no session to charge on {day}; most are on {day_of(_busiest(log))}")
    notes = []
    if len(clipped) < len(today):
        notes.append(f"{log.name}: {len(today) - len(clipped)} sessions of the day left out, below 1 kWh inside it")
    if len(visits) < len(clipped):
        notes.append(f"{log.name}: {len(clipped) - len(visits)} sessions left out, their station was still in use")
    if len(visits) < count:
        notes.append(f"{log.name}: {len(visits)} sessions on {day}, fewer than the {count} asked for")
        return visits, tuple(notes)
    chosen = sorted(rng.choice(len(visits), count, replace=False))
    return [visits[i] for i in chosen], tuple(notes)


def _busiest(log: SessionLog) -> datetime:
    counts = Counter(day_of(v.plug_in) for v in log.visits)
    return max(log.visits, key=lambda v: counts[day_of(v.plug_in)]).plug_in


def _apart(visits: list[Visit]) -> list[Visit]:
    """Leave out whom an earlier car stands in the way of."""
    free: dict[str, datetime] = {}
    kept = []
    for visit in sorted(visits, key=lambda v: v.plug_in):
        if visit.station and visit.station in free and visit.plug_in < free[visit.station]:
            continue
        free[visit.station] = visit.plug_out + STEP
        kept.append(visit)
    return kept


def _rows(path: Path) -> Iterator[Row]:
    """The rows with their line in the file."""
    try:
        if path.suffix == ".parquet":
            table = pyarrow.parquet.read_table(path)
            _check_head(path, table.column_names)
            yield from enumerate(table.to_pylist(), start=2)
            return
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            _check_head(path, list(reader.fieldnames or ()))
            for row in reader:
                if None in row or None in row.values():
                    raise SimError(f"{path}, line {reader.line_num}: not as many cells as the header has")
                yield reader.line_num, cast(dict[str, object], row)
    except (OSError, UnicodeDecodeError, pyarrow.ArrowInvalid, csv.Error) as error:
        raise SimError(f"{path}: cannot be read: {error}") from error


def _check_head(path: Path, names: list[str]) -> None:
    if missing := [c for c in NEEDED if c not in names]:
        raise SimError(f"{path}: column {missing[0]!r} is missing; it has {', '.join(islice(names, 8))}")


def _visit(path: Path, line: int, row: dict[str, object], names_phases: bool) -> Visit:
    plug_in, plug_out = (_time(path, line, row, c) for c in ("plug_in", "plug_out"))
    energy_kwh, power_kw = (_number(path, line, row, c) for c in ("energy_kwh", "max_power_kw"))
    if plug_out <= plug_in:
        raise _UnusableError("the car leaves before it comes")
    if energy_kwh <= 0 or power_kw <= 0:
        raise _UnusableError("no energy or no power")
    phases, first = _phases(path, line, row, power_kw, names_phases)
    amps = min(max(round(1000 * power_kw / (phases * NOMINAL_V), 1), LEAST_A), MOST_A)
    station = NOT_IN_A_NAME.sub("-", str(row.get("station_id") or "").strip())[:48]
    return Visit(plug_in, plug_out, round(1000 * energy_kwh), amps, phases, None, station, first)


def _time(path: Path, line: int, row: dict[str, object], column: str) -> datetime:
    value = row[column]
    if not isinstance(value, datetime):
        text = str(value or "").strip()
        try:
            value = datetime.fromisoformat(text)
        except ValueError:
            if not text or LIKE_A_TIME.fullmatch(text):
                raise _UnusableError("a date that no calendar has" if text else "no date") from None
            raise SimError(f"{path}, line {line}, column {column}: {text!r} is not a time") from None
    return (value.replace(tzinfo=ZONE) if value.tzinfo is None else value).astimezone(UTC)


def _number(path: Path, line: int, row: dict[str, object], column: str) -> float:
    value = row[column]
    if value is None or value == "":
        raise _UnusableError(f"no {column}")
    try:
        number = float(str(value))
    except ValueError:
        raise SimError(f"{path}, line {line}, column {column}: {value!r} is not a number") from None
    if not np.isfinite(number):
        raise _UnusableError(f"no {column}")
    return number


def _phases(path: Path, line: int, row: dict[str, object], power_kw: float, names_phases: bool) -> tuple[int, int]:
    """How many phases, and which cable phase comes first (0: it does not matter)."""
    text = _phase_text(row)
    if not text:
        return (1 if power_kw <= ONE_PHASE_KW else 3), 0
    if not re.fullmatch(r"[123]{1,3}", text) or len(set(text)) < len(text):
        raise SimError(
            f"{path}, line {line}, column phases: {text!r} is neither phases (1, 2, 3, 12, 123) nor a number"
        )
    if len(text) > 1:
        return len(text), 0 if len(text) == 3 else int(text[0])
    return (1, int(text)) if names_phases else (int(text), 0)


def _phase_text(row: dict[str, object]) -> str:
    value = row.get("phases")
    return "" if value is None or value != value else str(value).strip().removesuffix(".0")


def _names_a_phase(row: dict[str, object]) -> bool:
    """Whether a single digit must be the name of a phase: three phases cannot carry so little."""
    try:
        return _phase_text(row) == "3" and 0 < float(str(row.get("max_power_kw"))) < THREE_PHASE_KW
    except ValueError:
        return False


def _weeks_to(visits: list[Visit], loads: Loads) -> int:
    """Whole weeks, best whole years, that bring sessions into the loads' time; 0 when any lies inside."""
    if any(loads.start <= v.plug_in < loads.end for v in visits):
        return 0
    first, last = min(v.plug_in for v in visits), max(v.plug_in for v in visits)
    apart = (loads.start + (loads.end - loads.start) / 2) - (first + (last - first) / 2)
    weeks = round(apart / WEEK)
    years = round(apart / YEAR) * (YEAR // WEEK)
    fits = loads.start <= first + years * WEEK and last + years * WEEK < loads.end
    return years if fits else weeks


def _moved(visit: Visit, by: timedelta) -> Visit:
    """The visit some weeks away, at the same time of day on the clock of the street."""
    local = [
        (t.astimezone(ZONE).replace(tzinfo=None) + by).replace(tzinfo=ZONE) for t in (visit.plug_in, visit.plug_out)
    ]
    plug_in, plug_out = (t.astimezone(UTC) for t in local)
    return replace(visit, plug_in=plug_in, plug_out=max(plug_out, plug_in + STEP))


def _told(unusable: Counter[str]) -> str:
    return ", ".join(f"{reason} ({count})" for reason, count in unusable.most_common()) or "it is empty"
