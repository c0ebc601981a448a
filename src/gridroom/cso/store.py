"""What the CSO remembers, in its database: named statements, all within the caller's transaction."""

import base64
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import msgspec
import numpy as np
import sqlalchemy as sa

from gridroom.cso.book import Book
from gridroom.cso.ledger import Held
from gridroom.cso.sessions import Session, Wish
from gridroom.cso.stations import CableKey
from gridroom.cso.steps import Ints
from gridroom.cso.usage import EMPTY, Readings
from gridroom.oscp.v10.blocks import UNKNOWN
from gridroom.oscp.v10.watch import HeartbeatWatch
from gridroom.storage.columns import Cells, Reals
from gridroom.timegrid import QUARTER, days, midnight

T = TypeVar("T")

METADATA = sa.MetaData()


def _documents(name: str, *keys: str) -> sa.Table:
    columns = [sa.Column(key, sa.String(255), primary_key=True) for key in keys]
    return sa.Table(name, METADATA, *columns, sa.Column("document", sa.LargeBinary, nullable=False))


BOOKS = _documents("books", "dso", "cable")
SESSIONS = _documents("sessions", "station")
HELD = _documents("held", "station")
WISHES = _documents("wishes", "station")
WATCHES = _documents("watches", "dso")
FACTS = _documents("facts", "name")
READINGS = sa.Table(
    "readings",
    METADATA,
    sa.Column("station", sa.String(255), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("cells", Reals((-1, 5)), nullable=False),
)
REPORTED = sa.Table(
    "reported",
    METADATA,
    sa.Column("dso", sa.String(255), primary_key=True),
    sa.Column("cable", sa.String(255), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("cells", Cells(3), nullable=False),
)


class Store:
    """The CSO's memory within one transaction."""

    def __init__(self, tx: sa.Connection) -> None:
        self.tx = tx

    def book(self, key: CableKey) -> Book:
        """The capacity book of a cable; an empty one before the first forecast."""
        return self._get(BOOKS, Book, dso=key.dso, cable=key.cable) or Book()

    def save_book(self, key: CableKey, book: Book) -> None:
        """Keep a book."""
        self._put(BOOKS, book, dso=key.dso, cable=key.cable)

    def session(self, station: str) -> Session | None:
        """The running session of a station."""
        return self._get(SESSIONS, Session, station=station)

    def sessions(self) -> dict[str, Session]:
        """All running sessions by station."""
        return self._all(SESSIONS, Session)

    def save_session(self, session: Session) -> None:
        """Keep a session."""
        self._put(SESSIONS, session, station=session.station)

    def drop_session(self, station: str) -> None:
        """Forget the session of a station."""
        self.tx.execute(SESSIONS.delete().where(SESSIONS.c.station == station))

    def held(self, station: str) -> Held:
        """The profiles that a station holds."""
        return self._get(HELD, Held, station=station) or Held()

    def all_held(self) -> dict[str, Held]:
        """The profiles of all stations that were ever sent one."""
        return self._all(HELD, Held)

    def save_held(self, station: str, held: Held) -> None:
        """Keep what a station holds."""
        self._put(HELD, held, station=station)

    def wish(self, station: str) -> Wish | None:
        """The last wish of a driver at a station."""
        return self._get(WISHES, Wish, station=station)

    def save_wish(self, station: str, wish: Wish) -> None:
        """Keep a wish."""
        self._put(WISHES, wish, station=station)

    def drop_wish(self, station: str) -> None:
        """Forget the wish at a station."""
        self.tx.execute(WISHES.delete().where(WISHES.c.station == station))

    def watch(self, party: str) -> HeartbeatWatch | None:
        """When a DSO was heard last."""
        return self._get(WATCHES, HeartbeatWatch, dso=party)

    def save_watch(self, party: str, watch: HeartbeatWatch) -> None:
        """Keep when a DSO was heard."""
        self._put(WATCHES, watch, dso=party)

    def fact(self, name: str, kind: type[T]) -> T | None:
        """A single value by name."""
        return self._get(FACTS, kind, name=name)

    def save_fact(self, name: str, value: object) -> None:
        """Keep a single value."""
        self._put(FACTS, value, name=name)

    def readings(self, station: str, start: datetime, end: datetime) -> Readings:
        """A station's readings of the days that a span touches, the day before included."""
        first, last = (start - timedelta(days=1)).date(), end.date()
        rows = self.tx.scalars(
            sa.select(READINGS.c.cells)
            .where(READINGS.c.station == station, READINGS.c.day.between(first, last))
            .order_by(READINGS.c.day)
        )
        found = list(rows)
        return np.concatenate(found) if found else EMPTY

    def day_readings(self, station: str, day: date) -> Readings:
        """A station's readings of one UTC day."""
        query = sa.select(READINGS.c.cells).where(READINGS.c.station == station, READINGS.c.day == day)
        found: Readings | None = self.tx.scalar(query)
        return EMPTY if found is None else found

    def save_day_readings(self, station: str, day: date, readings: Readings) -> None:
        """Keep a station's readings of one UTC day."""
        self._write(READINGS, {"station": station, "day": day}, {"cells": readings})

    def reported(self, key: CableKey, start: datetime, n: int, block: timedelta = QUARTER) -> Ints:
        """What was reported, shape (3, n), `UNKNOWN` where never. [0.01 Wh]"""
        result = np.full((3, n), UNKNOWN, dtype=np.int64)
        for day, offset, part in _slices(start, n, block):
            cells = self._reported_day(key, day)
            if cells is not None:
                result[:, offset : offset + (part.stop - part.start)] = cells[:, part]
        return result

    def save_reported(self, key: CableKey, start: datetime, cells: Ints, block: timedelta = QUARTER) -> None:
        """Keep what was reported; `UNKNOWN` cells leave what was there."""
        n = cells.shape[1]
        for day, offset, part in _slices(start, n, block):
            known = self._reported_day(key, day)
            whole = known if known is not None else np.full((3, timedelta(days=1) // block), UNKNOWN, dtype=np.int64)
            new = cells[:, offset : offset + (part.stop - part.start)]
            whole[:, part] = np.where(new == UNKNOWN, whole[:, part], new)
            self._write(REPORTED, {"dso": key.dso, "cable": key.cable, "day": day}, {"cells": whole})

    def forget_reported(self, key: CableKey, start: datetime, block: timedelta = QUARTER) -> None:
        """One block was not reported after all."""
        known = self._reported_day(key, day_of(start))
        if known is not None:
            known[:, (start - midnight(day_of(start))) // block] = UNKNOWN
            self._write(REPORTED, {"dso": key.dso, "cable": key.cable, "day": day_of(start)}, {"cells": known})

    def prune(self, before: date) -> None:
        """Forget readings and reports of days before."""
        self.tx.execute(READINGS.delete().where(READINGS.c.day < before))
        self.tx.execute(REPORTED.delete().where(REPORTED.c.day < before))

    def _reported_day(self, key: CableKey, day: date) -> Ints | None:
        found: Ints | None = self.tx.scalar(
            sa.select(REPORTED.c.cells).where(
                REPORTED.c.dso == key.dso, REPORTED.c.cable == key.cable, REPORTED.c.day == day
            )
        )
        return found

    def _get(self, table: sa.Table, kind: type[T], **keys: str) -> T | None:
        found = self.tx.scalar(sa.select(table.c.document).where(*_where(table, keys)))
        return None if found is None else decode(found, kind)

    def _all(self, table: sa.Table, kind: type[T]) -> dict[str, T]:
        return {row.station: decode(row.document, kind) for row in self.tx.execute(sa.select(table))}

    def _put(self, table: sa.Table, value: object, **keys: str) -> None:
        self._write(table, keys, {"document": encode(value)})

    def _write(self, table: sa.Table, keys: dict[str, Any], values: dict[str, Any]) -> None:
        done = self.tx.execute(table.update().where(*_where(table, keys)).values(values))
        if done.rowcount == 0:
            self.tx.execute(table.insert().values(keys | values))


def encode(value: object) -> bytes:
    """A value as JSON; arrays of whole numbers as base64 of little-endian int64."""
    return msgspec.json.encode(value, enc_hook=_pack)


def decode(data: bytes, kind: type[T]) -> T:
    """The value in a document."""
    return msgspec.json.decode(data, type=kind, dec_hook=_unpack)


def day_of(at: datetime) -> date:
    """The UTC day of a moment."""
    return at.astimezone(UTC).date()


def _where(table: sa.Table, keys: dict[str, Any]) -> list[sa.ColumnElement[bool]]:
    return [table.c[name] == value for name, value in keys.items()]


def _slices(start: datetime, n: int, block: timedelta) -> Iterable[tuple[date, int, slice]]:
    """Each day of a span: the day, the offset of its first cell in the span, its cells within the day."""
    end = start + n * block
    for day in days(start, end):
        begin = max(start, midnight(day))
        stop = min(end, midnight(day) + timedelta(days=1))
        first = (begin - midnight(day)) // block
        yield day, (begin - start) // block, slice(first, first + (stop - begin) // block)


def _pack(value: object) -> object:
    if isinstance(value, np.ndarray):
        return [list(value.shape), base64.b64encode(value.astype("<i8").tobytes()).decode()]
    raise NotImplementedError(type(value).__name__)


def _unpack(_kind: type, value: Any) -> Ints:
    shape, data = value
    return np.frombuffer(base64.b64decode(data), dtype="<i8").reshape(shape).astype(np.int64)
