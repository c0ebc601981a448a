"""Column types that SQLite and PostgreSQL share: moments, and whole arrays in one cell."""

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


class Reals(sa.TypeDecorator[NDArray[np.float64]]):
    """A float64 array as one cell, for state that is estimated, never for limits."""

    impl = sa.LargeBinary
    cache_ok = True

    def __init__(self, shape: tuple[int, ...] = (-1,)) -> None:
        super().__init__()
        self.shape = shape

    def process_bind_param(self, value: Any, _dialect: sa.Dialect) -> bytes | None:
        """Array to bytes."""
        return None if value is None else np.asarray(value, dtype="<f8").tobytes()

    def process_result_value(self, value: bytes | None, _dialect: sa.Dialect) -> NDArray[np.float64] | None:
        """Bytes to array."""
        return None if value is None else np.frombuffer(value, dtype="<f8").reshape(self.shape).copy()
