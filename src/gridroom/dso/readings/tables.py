"""A file as columns, batch by batch, and its cells as times and currents. What cannot be read is told with its row."""

import csv
import io
import re
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from gridroom.dso.cables import Finding
from gridroom.dso.readings.measurements import (
    FEW,
    LARGEST_CA,
    NOT_MEASURED,
    SHOWN,
    Bools,
    DeliveryError,
    Reason,
    Received,
    no_number,
    not_as_many,
)
from gridroom.storage.columns import Ints
from gridroom.timegrid import EPOCH

Progress = Callable[[int, int], None]
"""Is told how much was read, and how much there is."""

Column: TypeAlias = Sequence[str] | Any
"""Texts, or an array of Arrow."""

Words = Callable[[int], str]
"""What is wrong with the row of an index."""

Batches = Iterator[tuple[Ints, Sequence[Column]]]
"""Numbers of rows, shape (m,), and their columns."""

BATCH = 200_000
"""Cells that are read at a time."""

QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"[^\"]*\"|\d+")
"""What a text quotes of a row, and numbers."""

SECOND = timedelta(seconds=1)
NAN, UNREAD = NOT_MEASURED + 1, NOT_MEASURED + 2
"""Beside `NOT_MEASURED`: not a number, and what was told as a finding already. [0.01 A]"""

ZONED, NAIVE, NO_TIME, BETWEEN = range(4)
"""A time with zone; without; none at all; between two seconds."""


@dataclass
class Faults:
    """Rows that cannot be read, by what is wrong with them.

    Attributes:
        kinds: Of each kind of fault the first rows, with what is said of them, and how many have it.
        naive: How many have a time without a zone; if any, nearly all rows of a file do.
        first_naive: Row and time of the first of them.
    """

    kinds: dict[str, tuple[list[tuple[int, str]], int]] = field(default_factory=dict)
    naive: int = 0
    first_naive: tuple[int, str] = (0, "")

    def add(self, row: int, text: str) -> None:
        """One row."""
        self._count(text, [(row, text)], 1)

    def drop(self, kept: Bools, good: Bools, rows: Ints, words: Words) -> Bools:
        """Those that are kept and good; the other ones that were kept are told."""
        where = np.flatnonzero(kept & ~good)
        for i in where[:SHOWN]:
            self.add(int(rows[i]), words(int(i)))
        if len(where) > SHOWN:
            self._count(words(int(where[SHOWN])), [], len(where) - SHOWN)
        return kept & good

    def _count(self, text: str, told: list[tuple[int, str]], number: int) -> None:
        """Rows of one kind: texts that differ in what they quote, and in numbers, say the same."""
        first, known = self.kinds.setdefault(QUOTED.sub("", text), ([], 0))
        self.kinds[QUOTED.sub("", text)] = [*first, *told][:FEW], known + number

    def drop_naive(self, kept: Bools, good: Bools, rows: Ints, column: Column) -> Bools:
        """The same where a zone is missing: told once for all of them."""
        where = np.flatnonzero(kept & ~good)
        if len(where) and not self.naive:
            self.first_naive = int(rows[where[0]]), str(column[int(where[0])])
        self.naive += len(where)
        return kept & good

    def tell(self, received: Received) -> None:
        """Into what is told of the delivery, in the order of the rows."""
        if self.naive:
            row, time = self.first_naive
            others = f" and those of {self.naive - 1} more rows have" if self.naive > 1 else " has"
            text = f"time: {time!r}{others} no zone; write UTC with Z, or import them with --zone Europe/Amsterdam"
            received.refuse_as_one(Reason.UNREADABLE, Finding(f"row {row}", text), self.naive)
        for told, number in sorted(self.kinds.values()):
            found = (Finding(f"row {row}", text) for row, text in told)
            received.refuse(Reason.UNREADABLE, found, number, alike=True)


@dataclass(frozen=True)
class Source:
    """A file as batches: the numbers of rows, and a column for each name."""

    names: list[str]
    batches: Batches
    faults: Faults


def of_csv(data: BinaryIO, texts: Container[str], progress: Progress | None, size: int) -> Source:
    """CSV as batches: all at once by Arrow when each cell is as it should be, else row by row, to tell what is wrong.

    Args:
        data: Its bytes, from the beginning.
        texts: Columns that hold no numbers.
        progress: Is told how far it is.
        size: Number of bytes.

    Raises:
        DeliveryError: The header is broken.
    """
    lines = _text(data)
    try:
        names = [name.strip() for name in next(csv.reader(lines), [])]
    except csv.Error as error:
        raise DeliveryError(f"row 1: {error}") from error
    finally:
        lines.detach()
    faults = Faults()
    quick = _quick(data, names, texts)
    if quick is not None:
        return Source(names, quick, faults)
    return Source(names, _row_by_row(data, len(names), faults, progress, size), faults)


def _text(data: BinaryIO) -> io.TextIOWrapper:
    """Bytes from their beginning as lines of text; to be detached, so that the bytes stay open."""
    data.seek(0)
    return io.TextIOWrapper(data, encoding="utf-8-sig", newline="")


def _quick(data: BinaryIO, names: list[str], texts: Container[str]) -> Batches | None:
    if len(set(names)) < len(names):
        return None
    data.seek(0)
    try:
        found = pa.csv.read_csv(
            data,
            pa.csv.ReadOptions(column_names=names, skip_rows=1),
            pa.csv.ParseOptions(ignore_empty_lines=False),
            pa.csv.ConvertOptions(
                column_types={name: pa.string() if name in texts else pa.float64() for name in names}, null_values=[""]
            ),
        )
    except pa.ArrowException:
        return None

    def batches() -> Batches:
        row = 2
        for batch in found.to_batches():
            yield np.arange(row, row + batch.num_rows), batch.columns
            row += batch.num_rows

    return batches()


def _row_by_row(data: BinaryIO, width: int, faults: Faults, progress: Progress | None, size: int) -> Batches:
    lines = _text(data)
    table, rows, cells = csv.reader(lines), list[int](), list[list[str]]()
    next(table, None)
    try:
        for line, row in _lines(table, faults):
            if len(row) != width:
                if row:
                    faults.add(line, not_as_many(len(row), width))
                continue
            rows.append(line)
            cells.append(row)
            if len(rows) * width >= BATCH:
                yield np.array(rows), list(zip(*cells, strict=True))
                rows, cells = [], []
                if progress:
                    progress(data.tell(), size)
        if rows:
            yield np.array(rows), list(zip(*cells, strict=True))
    finally:
        lines.detach()


def _lines(table: Any, faults: Faults) -> Iterator[tuple[int, list[str]]]:
    """The rows that can be read at all, with the number of their last line."""
    while True:
        try:
            for row in table:
                yield table.line_num, row
            return
        except csv.Error as error:
            faults.add(table.line_num, str(error))


def of_parquet(path: Path, progress: Progress | None) -> Source:
    """Parquet as batches.

    Raises:
        DeliveryError: It is no Parquet.
    """
    try:
        file = pa.parquet.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise DeliveryError(f"is no Parquet file: {error}") from error
    names = list(file.schema_arrow.names)

    def batches() -> Batches:
        row = 1
        try:
            for batch in file.iter_batches(batch_size=max(1, BATCH // len(names))):
                yield np.arange(row, row + batch.num_rows), batch.columns
                row += batch.num_rows
                if progress:
                    progress(row - 1, file.metadata.num_rows)
        except (pa.ArrowException, OSError) as error:
            raise DeliveryError(f"after row {row - 1}: {error}") from error

    return Source(names, batches(), Faults())


# -- cells -----------------------------------------------------------------------------------------------------------


class Moments(dict[str, tuple[int, int]]):
    """Texts read as times: seconds since 1970, with or without zone."""

    def __missing__(self, text: str) -> tuple[int, int]:
        if len(self) > BATCH:
            self.clear()
        self[text] = found = _moment(text)
        return found


def _moment(text: str) -> tuple[int, int]:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return 0, NO_TIME
    kind = ZONED if moment.tzinfo else NAIVE
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH
    return since // SECOND, BETWEEN if since % SECOND else kind


def times(column: Column, moments: Moments) -> tuple[Ints, Ints]:
    """Seconds since 1970 and what kind of time each is, shape (m,) each."""
    if isinstance(column, pa.Array) and pa.types.is_timestamp(column.type):
        return _timestamps(column)
    different, which = coded(column)
    found = np.array([moments[text] for text in different], dtype=np.int64).reshape(-1, 2)[which]
    return found[:, 0], found[:, 1]


def _timestamps(column: pa.Array) -> tuple[Ints, Ints]:
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[column.type.unit]
    ticks = column.view(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    kinds = np.where(ticks % per_second != 0, BETWEEN, NAIVE if column.type.tz is None else ZONED)
    kinds[column.is_null().to_numpy(zero_copy_only=False)] = NO_TIME
    return ticks // per_second, kinds


def texts(column: Column) -> Sequence[str]:
    """Cells as texts, empty where there is none."""
    return ["" if one is None else str(one) for one in column.to_pylist()] if isinstance(column, pa.Array) else column


def coded(column: Column) -> tuple[Sequence[str], Ints]:
    """The different texts of a column, and which of them each cell is, shape (m,)."""
    if isinstance(column, pa.Array) and pa.types.is_string(column.type):
        encoded = column.fill_null("").dictionary_encode()
        return texts(encoded.dictionary), encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    codes = dict[str, int]()
    which = [codes.setdefault(text, len(codes)) for text in texts(column)]
    return list(codes), np.array(which, dtype=np.int64)


def numbers(column: Column) -> tuple[NDArray[np.float64], Bools, Bools]:
    """Numbers, where there is none, and where there is something else; shape (m,) each."""
    if not isinstance(column, pa.Array):
        return _floats(column)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    missing = column.is_null().to_numpy(zero_copy_only=False)
    try:
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            values = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
            return values, missing, np.zeros(len(missing), dtype=bool)
    except pa.ArrowException:
        pass
    return _floats(texts(column))


def _floats(cells: Sequence[str]) -> tuple[NDArray[np.float64], Bools, Bools]:
    missing, other = np.zeros(len(cells), dtype=bool), np.zeros(len(cells), dtype=bool)
    try:
        return np.fromiter(map(float, cells), np.float64, len(cells)), missing, other
    except ValueError:
        values = np.zeros(len(cells))
        for i, text in enumerate(cells):
            try:
                values[i] = float(text)
            except ValueError:
                missing[i], other[i] = not text.strip(), bool(text.strip())
        return values, missing, other


def ampere(name: str, column: Column, rows: Ints, faults: Faults) -> NDArray[np.int32]:
    """Currents rounded up, shape (m,) [0.01 A]; beyond `LARGEST_CA` by one where they are larger."""
    values, missing, other = numbers(column)
    with np.errstate(invalid="ignore", over="ignore"):
        exact = np.ceil(np.round(values * 100, 6))  # beyond a millionth of 0.01 A it is the noise of binary floats
        found = np.clip(np.where(np.isnan(values), NAN, exact), NAN, LARGEST_CA + 1)
    found[(found < -LARGEST_CA) & ~np.isnan(values)] = -LARGEST_CA - 1
    found[missing], found[other] = NOT_MEASURED, UNREAD
    faults.drop(other, ~other, rows, lambda i: f"{name}: {no_number(str(column[i]))}")
    return found.astype(np.int32)
