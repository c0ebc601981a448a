"""What meters measured, from anyone's file: CSV or Parquet, long or wide.

Long: `time,cable,L1,L2,L3` and, optionally, `seconds`. Wide: `time`, then a column per cable and phase, such as
`cable-1.L1`. Currents are in ampere; `time` is the start in ISO 8601 with a zone, or a time of Parquet. What cannot be
read is a finding with its row; the rest is read.
"""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from gridroom.dso.cables import LONGEST_ID
from gridroom.dso.readings import wall_times
from gridroom.dso.readings.measurements import (
    COMMAS,
    EARLIEST,
    LARGEST_CA,
    LATEST,
    LONGEST_S,
    NO_CABLE,
    NOT_MEASURED,
    SLICES,
    Bools,
    Delivery,
    DeliveryError,
    HeaderError,
    Received,
    Series,
)
from gridroom.dso.readings.tables import (
    BETWEEN,
    NAIVE,
    NAN,
    NO_TIME,
    SECOND,
    UNREAD,
    Column,
    Faults,
    Moments,
    Progress,
    Source,
    ampere,
    coded,
    numbers,
    of_csv,
    of_parquet,
    times,
)
from gridroom.dso.readings.wall_times import Kind
from gridroom.storage.columns import Ints
from gridroom.timegrid import EPOCH

TIME, CABLE, SECONDS = "time", "cable", "seconds"
PHASES = ("L1", "L2", "L3")
WIDE = re.compile(r".+\.L[123]", re.DOTALL)
POWER = re.compile(r"(?<![a-z])(?:[km]?(?:wh?|var?h?)|p|power|energy)(?![a-z])", re.IGNORECASE)
UNIT = re.compile(r"[\s_]*(?:\[A\]|\(A\)|(?<=[\s_])A)$", re.IGNORECASE)
"""What a name may say of units: power or energy, and ampere."""
PARQUET = b"PAR1"
HOUR_S = 3600

MANY = 24
"""Rows from which on the distance between them tells even of long ones how long they last."""


def zone_named(name: str | None) -> ZoneInfo | None:
    """A time zone by its name.

    Raises:
        DeliveryError: There is none.
    """
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise DeliveryError(f"{name!r} is no time zone, such as Europe/Amsterdam") from error


def read_file(path: Path, block: timedelta, zone: ZoneInfo | None = None, progress: Progress | None = None) -> Delivery:
    """Readings of a file.

    Args:
        path: Parquet by its first bytes, else CSV.
        block: Length of a block.
        zone: Whose clock times without a zone were read from; None refuses them.
        progress: Is told how far it is.

    Raises:
        DeliveryError: It is no such file; the text says what is expected. A HeaderError where it may be of another
            kind.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        try:
            if file.read(len(PARQUET)) == PARQUET:
                return _read(of_parquet(path, progress), block, zone)
            file.seek(0)
            return read_csv(file, block, zone, progress, path.stat().st_size)
        except DeliveryError as error:
            raise type(error)(f"{path}: {error}") from error


def read_csv(
    data: BinaryIO, block: timedelta, zone: ZoneInfo | None = None, progress: Progress | None = None, size: int = 0
) -> Delivery:
    r"""Readings of CSV.

    A long row without `seconds` covers one block, or more where all rows of its cable are further apart; a wide row the
    time to the next one, as most rows of the file do.

    Args:
        data: Its bytes, UTF-8.
        block: Length of a block.
        zone: Whose clock times without a zone were read from; None refuses them.
        progress: Is told how far it is.
        size: Number of bytes.

    Raises:
        DeliveryError: The header is not as said, or it is no text.

    >>> import io
    >>> text = b"time,cable,L1,L2,L3\n2026-01-05T00:00:00Z,c1,10,11.5,x\n"
    >>> str(read_csv(io.BytesIO(text), timedelta(minutes=15)).received.findings[0])
    "row 2: L3: 'x' is no number"
    """
    try:
        return _read(of_csv(data, (TIME, CABLE), progress, size), block, zone)
    except UnicodeDecodeError as error:
        raise DeliveryError(f"is no UTF-8 text: {error}") from error


# -- long and wide ---------------------------------------------------------------------------------------------------


def _read(source: Source, block: timedelta, zone: ZoneInfo | None) -> Delivery:
    names, received = source.names, Received()
    (most, times_there), *_ = Counter(names).most_common(1) or [("", 0)]
    if times_there > 1:
        raise DeliveryError(f"row 1: the column {most!r} stands there twice")
    if {TIME, CABLE, *PHASES} <= set(names) <= {TIME, CABLE, *PHASES, SECONDS}:
        series = _long(source, block, zone)
    elif TIME in names and len(names) > 1 and all(WIDE.fullmatch(name) for name in names if name != TIME):
        series = _wide(source, block, zone)
    else:
        shown = ",".join(names[:8]) + (",..." if len(names) > 8 else "")
        raise HeaderError(
            f"row 1: {_hint(names) or f'{shown} are no columns of measurements'}; the columns must be "
            "time,cable,L1,L2,L3 [A] and optionally seconds, or time and one per cable and phase such as cable-1.L1 [A]"
        )
    source.faults.tell(received)
    return Delivery({one.cable: one for one in series if len(one)}, received)


def _hint(names: list[str]) -> str:
    """What may be wrong with columns that are none of ours."""
    first = names[0] if names else ""
    if not any(names):
        return "the file is empty"
    if first.startswith(("[", "{")):
        return "readings in JSON come over HTTPS or MQTT only"
    if len(names) == 1 and re.search(r"[;\t]", first):
        return COMMAS
    right = {one.lower(): one for one in (TIME, CABLE, *PHASES, SECONDS)}
    known = {one: right.get(one.lower(), one) for one in names}
    strange = [one for one in names if one.lower() not in right and not WIDE.fullmatch(one)]
    if power := [one for one in strange if POWER.search(one)]:
        return f"{power[0]!r} is no current: currents in ampere are needed, not power or energy"
    for one in strange:
        bare = UNIT.sub("", one)
        known[one] = right.get(bare.lower(), bare if WIDE.fullmatch(bare) else one)
    if cases := [f"{name} for {one}" for one, name in known.items() if name != one]:
        return f"write {', '.join(cases[:8])}{', ...' if len(cases) > 8 else ''}"
    if {TIME, CABLE, *PHASES} <= set(names):
        return f"leave out {', '.join(strange)}"
    return ""


def _long(source: Source, block: timedelta, zone: ZoneInfo | None) -> list[Series]:
    moments, faults, codes = Moments(), source.faults, dict[str, int]()
    parts, empty = list[tuple[Ints, ...]](), np.empty(0, dtype=np.int64)
    for rows, batch in source.batches:
        columns = dict(zip(source.names, batch, strict=True))
        shown, kinds = times(columns[TIME], moments)
        kept = _good_times(shown, kinds, rows, columns[TIME], zone, faults)
        cables, which = coded(columns[CABLE])
        named = [cable.strip() if len(cable.strip()) <= LONGEST_ID else "" for cable in cables]
        code = np.array([codes.setdefault(cable, len(codes)) for cable in named], dtype=np.int64)[which]
        kept = faults.drop(kept, code != codes.get("", -1), rows, lambda _: NO_CABLE)
        lengths, kept = _lengths(columns.get(SECONDS), rows, kept, block, faults)
        current = np.array([ampere(name, columns[name], rows, faults) for name in PHASES])
        kept &= _said(current)
        parts.append(tuple(one[kept] for one in (rows, shown, kinds, lengths, code, *current)))
    rows, shown, kinds, lengths, code, *phases = map(np.concatenate, zip(*parts, strict=True)) if parts else [empty] * 8
    order = np.argsort(code, kind="stable")
    series = []
    for cable, which in zip(codes, np.split(order, np.cumsum(np.bincount(code, minlength=len(codes)))), strict=False):
        utc, sure = _moments_of(shown[which], kinds[which], zone)
        grid = _on_grid(utc, sure, rows[which], shown[which], block, faults)
        at, count = which[grid], lengths[which[grid]] // _unit(block)
        apart = np.diff(np.unique(utc[grid]))
        if SECONDS not in source.names and len(apart) >= MANY:
            count = np.maximum(count, min(int(apart.min()), LONGEST_S) // _unit(block))
        series.append(_series(cable, block, rows[at], utc[grid], count, sure[grid], np.array(phases)[:, at]))
    return series


def _wide(source: Source, block: timedelta, zone: ZoneInfo | None) -> list[Series]:
    moments, faults = Moments(), source.faults
    parts, currents = list[tuple[Ints, ...]](), dict[str, list[NDArray[np.int32]]]()
    for rows, batch in source.batches:
        columns = dict(zip(source.names, batch, strict=True))
        time = columns.pop(TIME)
        shown, kinds = times(time, moments)
        kept = _good_times(shown, kinds, rows, time, zone, faults)
        parts.append((rows[kept], shown[kept], kinds[kept]))
        for name, column in columns.items():
            currents.setdefault(name, []).append(ampere(name, column, rows, faults)[kept])
    if not parts:
        return []
    rows, shown, kinds = map(np.concatenate, zip(*parts, strict=True))
    utc, sure = _moments_of(shown, kinds, zone)
    grid = _on_grid(utc, sure, rows, shown, block, faults)
    rows, utc, sure = rows[grid], utc[grid], sure[grid]
    count = np.full(len(rows), _step(utc, block) // _unit(block))
    series, nothing = [], np.full(len(rows), NOT_MEASURED, dtype=np.int32)
    for cable in dict.fromkeys(name.rpartition(".")[0] for name in currents):
        found = [currents.pop(f"{cable}.{phase}", None) for phase in PHASES]
        current = np.array([nothing if one is None else np.concatenate(one)[grid] for one in found])
        kept = _said(current)
        series.append(_series(cable, block, rows[kept], utc[kept], count[kept], sure[kept], current[:, kept]))
    return series


def _said(current: NDArray[np.int32]) -> Bools:
    """Rows that say something of a cable, and nothing that cannot be read."""
    said: Bools = ~(current == UNREAD).any(axis=0) & ~(current == NOT_MEASURED).all(axis=0)
    return said


def _series(
    cable: str, block: timedelta, rows: Ints, utc: Ints, count: Ints, sure: Ints, current: NDArray[Any]
) -> Series:
    odd = (current == NAN) | ((np.abs(current) > LARGEST_CA) & (current > UNREAD))
    cut = np.where(current == NAN, 0, np.clip(current, -LARGEST_CA, LARGEST_CA))
    possible = np.where(current == NOT_MEASURED, NOT_MEASURED, cut).astype(np.int64)
    first = utc // _unit(block)
    return Series(cable, block, first, count, possible, odd.any(axis=0), sure == Kind.GUESSED, rows)


# -- time ------------------------------------------------------------------------------------------------------------


def _good_times(shown: Ints, kinds: Ints, rows: Ints, column: Column, zone: ZoneInfo | None, faults: Faults) -> Bools:
    """Rows whose time can be read."""
    first, last = ((moment - EPOCH) // SECOND for moment in (EARLIEST, LATEST))
    tests = [
        (kinds != NO_TIME, "is no time in ISO 8601, such as 2026-01-05T17:15:00Z"),
        (kinds != BETWEEN, "does not lie on a whole second"),
        ((shown >= first) & (shown < last), "is no time of our century"),
    ]
    kept = np.ones(len(rows), dtype=bool)
    for good, text in tests:
        kept = faults.drop(kept, good, rows, lambda i, text=text: f"time: {str(column[i])!r} {text}")  # type: ignore[misc]
    return faults.drop_naive(kept, (kinds != NAIVE) | (zone is not None), rows, column)


def _moments_of(shown: Ints, kinds: Ints, zone: ZoneInfo | None) -> tuple[Ints, Ints]:
    """Seconds since 1970 in UTC, and how sure they are."""
    utc, sure = shown.copy(), np.zeros(len(shown), dtype=np.int64)
    naive = kinds == NAIVE
    if zone is not None and naive.any():
        utc[naive], sure[naive] = wall_times.to_utc(shown[naive], zone)
    return utc, sure


def _on_grid(utc: Ints, sure: Ints, rows: Ints, shown: Ints, block: timedelta, faults: Faults) -> Bools:
    """Rows whose time exists and begins a slice."""
    unit, kept = _unit(block), np.ones(len(rows), dtype=bool)
    for good, text in (
        (sure != Kind.MISSING, "is skipped by the clocks on that day"),
        (utc % unit == 0, f"does not lie on a multiple of {unit} s"),
    ):
        kept = faults.drop(kept, good, rows, lambda i, text=text: f"time: {_shown(int(shown[i]))} {text}")  # type: ignore[misc]
    return kept


def _shown(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()


def _lengths(column: Column | None, rows: Ints, kept: Bools, block: timedelta, faults: Faults) -> tuple[Ints, Bools]:
    """How long each row lasts [s], one block where it does not say, and which rows are kept."""
    whole, unit = np.full(len(rows), block // SECOND), _unit(block)
    if column is None:
        return whole, kept
    values, missing, other = numbers(column)
    seconds = np.where(np.isfinite(values) & (np.abs(values) <= LONGEST_S) & ~other, values, 0)
    fits = missing | ((seconds > 0) & (seconds % unit == 0))
    text = f"is no multiple of {unit} up to a day"
    kept = faults.drop(kept, fits, rows, lambda i: f"seconds: {str(column[i])!r} {text}")
    return np.where(missing, whole, seconds).astype(np.int64), kept


def _step(utc: Ints, block: timedelta) -> int:
    """How long a wide row lasts: as far as most rows are apart, up to an hour, or a day if they are many; else a block.

    [s]
    """
    apart = np.diff(np.unique(utc))
    apart = apart[apart <= (HOUR_S if len(apart) < MANY else LONGEST_S)]
    return int(np.bincount(apart).argmax()) if len(apart) else block // SECOND


def _unit(block: timedelta) -> int:
    """Length of a slice. [s]"""
    return block // SLICES // SECOND
