"""Column types that SQLite and PostgreSQL share: moments, and whole arrays in one cell."""

import zlib
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from gridroom.timegrid import EPOCH

Ints = NDArray[np.int64]


class UtcTime(sa.TypeDecorator[datetime]):
    """An aware moment as whole microseconds since 1970, exact and in order on every database. [UTC]"""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: sa.Dialect) -> int | None:
        """Moment to microseconds."""
        return None if value is None else (value - EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: int | None, _dialect: sa.Dialect) -> datetime | None:
        """Microseconds to moment."""
        return None if value is None else EPOCH + timedelta(microseconds=value)


class Cells(sa.TypeDecorator[Ints]):
    """A two-dimensional array of whole numbers as one cell: little-endian int32, row after row.

    Shape (rows, n) with the number of rows fixed per column; so a day of one cable is one cell of 96 × 3 × 4 bytes.
    Values must lie within int32 (a hundredth of an ampere goes to 21 MA).
    """

    impl = sa.LargeBinary
    cache_ok = True

    def __init__(self, rows: int = 3) -> None:
        super().__init__()
        self.rows = rows

    def process_bind_param(self, value: Any, _dialect: sa.Dialect) -> bytes | None:
        """Array to bytes."""
        if value is None:
            return None
        cells = np.asarray(value)
        if cells.ndim != 2 or cells.shape[0] != self.rows:
            raise ValueError(f"this column holds arrays of shape ({self.rows}, n), not {cells.shape}")
        small = cells.astype("<i4")
        if not np.array_equal(small, cells):
            raise ValueError("a value does not fit int32")
        return small.tobytes()

    def process_result_value(self, value: bytes | None, _dialect: sa.Dialect) -> Ints | None:
        """Bytes to array."""
        if value is None:
            return None
        return np.frombuffer(value, dtype="<i4").reshape(self.rows, -1).astype(np.int64)


class Reals(sa.TypeDecorator[NDArray[np.floating]]):
    """An array of floating-point numbers as one cell, for what is estimated, never for limits.

    Args:
        shape: What it is read as; one size may be left open with -1.
        kind: How each number is stored, `<f8` or `<f4`.
    """

    impl = sa.LargeBinary
    cache_ok = True

    def __init__(self, shape: tuple[int, ...] = (-1,), kind: str = "<f8") -> None:
        super().__init__()
        self.shape, self.kind = shape, kind

    def process_bind_param(self, value: Any, _dialect: sa.Dialect) -> bytes | None:
        """Array to bytes."""
        return None if value is None else np.asarray(value, dtype=self.kind).tobytes()

    def process_result_value(self, value: bytes | None, _dialect: sa.Dialect) -> NDArray[np.floating] | None:
        """Bytes to array."""
        return None if value is None else np.frombuffer(value, dtype=self.kind).reshape(self.shape).copy()


class Counts(sa.TypeDecorator[Ints]):
    """An array of counts, most of them 0, as one compressed cell: little-endian int32.

    Args:
        shape: What it is read as.
    """

    impl = sa.LargeBinary
    cache_ok = True

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def process_bind_param(self, value: Any, _dialect: sa.Dialect) -> bytes | None:
        """Array to bytes."""
        return None if value is None else zlib.compress(np.asarray(value, dtype="<i4").tobytes(), 1)

    def process_result_value(self, value: bytes | None, _dialect: sa.Dialect) -> Ints | None:
        """Bytes to array."""
        if value is None:
            return None
        return np.frombuffer(zlib.decompress(value), dtype="<i4").reshape(self.shape).astype(np.int64)
