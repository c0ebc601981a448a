"""What the DSO remembers. Histories, forecasts and allotments are one array per cable and day, never a row per value.

A `Store` lives as long as one transaction. Spans of blocks are read and written across days; what was never written
reads as the sheet's blank.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import sqlalchemy as sa

from gridroom.dso.forecast import Reals, State
from gridroom.dso.measurements import NOT_MEASURED
from gridroom.oscp.v10.blocks import UNKNOWN
from gridroom.oscp.v10.peer import CLOCK_AHEAD
from gridroom.storage.columns import Cells, Ints, UtcTime
from gridroom.storage.columns import Reals as RealsColumn
from gridroom.timegrid import days, midnight

DAY = timedelta(days=1)
MILLISECOND = timedelta(milliseconds=1)
METADATA = sa.MetaData()
NOTHING = NOT_MEASURED
"""Blank of scores and energies."""


@dataclass(frozen=True)
class Sheet:
    """A table with one row of arrays per key and day.

    Attributes:
        table: Its columns: keys, day, arrays.
        keys: Names of the key columns.
        blanks: Name of each array column, and what an unwritten cell reads as.
    """

    table: sa.Table
    keys: tuple[str, ...]
    blanks: Mapping[str, int]

    @cached_property
    def span(self) -> sa.Select[Any]:
        """Rows of one key over days, with parameters named as the key columns, `first` and `last`."""
        same = [self.table.c[key] == sa.bindparam(key) for key in self.keys]
        between = self.table.c.day.between(sa.bindparam("first"), sa.bindparam("last"))
        return sa.select(self.table).where(*same, between)

    def rows(self, name: str) -> int:
        """Rows of an array column."""
        kind = self.table.c[name].type
        return kind.rows if isinstance(kind, Cells) else 0


def _sheet(name: str, keys: tuple[str, ...], blanks: Mapping[str, int], rows: Mapping[str, int] | None = None) -> Sheet:
    table = sa.Table(
        name,
        METADATA,
        *(sa.Column(key, sa.String(255), primary_key=True) for key in keys),
        sa.Column("day", sa.Date, primary_key=True),
        *(sa.Column(cells, Cells((rows or {}).get(cells, 3)), nullable=False) for cells in blanks),
    )
    return Sheet(table, keys, blanks)


LOADS = _sheet("loads", ("cable",), {"sums": 0, "scores": NOTHING, "masks": 0}, {"masks": 1})
"""Measured current: sum over slices and a bit per slice; and how wrong the forecast in force was, in thousandths."""

USAGES = _sheet("usages", ("cable", "party", "emsp"), {"used": UNKNOWN, "current": UNKNOWN, "energy": NOTHING})
"""Reported use: what may be subtracted and current as stated [0.01 A], and energy [Wh]."""

PLANS = _sheet("plans", ("cable",), {"forecast": 0, "margin": 0, "available": UNKNOWN, "reserve": 0, "pool": 0})
"""What was issued last for each block [0.01 A]; of a past block, what was in force."""

ALLOTMENTS = _sheet("allotments", ("cable", "party"), {"allotment": 0, "adjusted": 0, "entitled": 0, "denied": 0})
"""Per CSO [0.01 A]: allotment; grants less give-backs; most it was entitled to; asked for and not granted."""

CABLES = sa.Table(
    "cables",
    METADATA,
    sa.Column("cable", sa.String(255), primary_key=True),
    sa.Column("learner", RealsColumn),
    sa.Column("learned_until", UtcTime),
    sa.Column("issued", UtcTime),
    sa.Column("latest_end", UtcTime),
    sa.Column("latest", sa.JSON),
    sa.Column("watched", UtcTime),
    sa.Column("braked_at", UtcTime),
    sa.Column("brake", sa.JSON),
)
"""Where each cable stands: what was learned, the last issue, the newest reading, a brake after an overload."""

SENT = sa.Table(
    "sent",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("message_id", sa.String(255), nullable=False),
    sa.Column("cable", sa.String(255), nullable=False),
    sa.Column("party", sa.String(255), nullable=False),
    sa.Column("date_time", UtcTime, nullable=False),
    sa.Column("start", UtcTime, nullable=False),
    sa.Column("ends", UtcTime, nullable=False),
    sa.Column("limits", Cells, nullable=False),
    sa.Column("acknowledged", sa.Boolean, nullable=False),
    sa.UniqueConstraint("message_id", "cable"),
    sa.Index("sent_cable", "cable", "party"),
)
"""Forecasts that a CSO may hold: the last one acknowledged, and later ones whose fate is not known."""

JOURNAL = sa.Table(
    "journal",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("party", sa.String(255), nullable=False),
    sa.Column("cable", sa.String(255), nullable=False),
    sa.Column("record", sa.JSON, nullable=False),
    sa.Index("journal_at", "at"),
)
"""Why: an explanation of every division, grant and brake, and every usage report as it came."""

FACTORS = sa.Table(
    "factors",
    METADATA,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("factor", sa.Float, nullable=False),
    sa.Column("scores", sa.Integer, nullable=False),
)
"""The margin's factor of each day, and from how many scores it comes."""

FACTS = sa.Table(
    "facts",
    METADATA,
    sa.Column("name", sa.String(300), primary_key=True),
    sa.Column("moment", UtcTime, nullable=False),
)
"""Moments to remember, such as the last publish that succeeded."""


@dataclass(frozen=True)
class Standing:
    """Where a cable stands; all moments UTC, currents 0.01 A."""

    learner: Reals | None = None
    learned_until: datetime | None = None
    issued: datetime | None = None
    latest_end: datetime | None = None
    latest: tuple[int, int, int] | None = None
    watched: datetime | None = None
    braked_at: datetime | None = None
    brake: tuple[int, int, int] | None = None


class Store:
    """The DSO's memory within one transaction."""

    def __init__(self, tx: sa.Connection, block: timedelta) -> None:
        self.tx = tx
        self.block = block
        self.per_day = DAY // block

    # -- sheets ------------------------------------------------------------------------------------------------------

    def read(self, sheet: Sheet, key: tuple[str, ...], start: datetime, n: int) -> dict[str, Ints]:
        """The arrays of a sheet over a span.

        Args:
            sheet: Which table.
            key: Values of its key columns.
            start: Start of the first block. [UTC]
            n: Number of blocks.

        Returns:
            Array column to array, shape (rows, n).
        """
        found = self._days(sheet, key, start, n)
        result = {}
        for name, blank in sheet.blanks.items():
            cells = np.full((sheet.rows(name), n), blank, dtype=np.int64)
            for day, here, there in self._pieces(start, n):
                if day in found:
                    cells[:, here] = getattr(found[day], name)[:, there]
            result[name] = cells
        return result

    def write(self, sheet: Sheet, key: tuple[str, ...], start: datetime, values: Mapping[str, Ints]) -> None:
        """Write arrays over a span; other columns and blocks stay as they are."""
        n = next(iter(values.values())).shape[1]
        known = self._days(sheet, key, start, n)
        same = [sheet.table.c[name] == value for name, value in zip(sheet.keys, key, strict=True)]
        for day, here, there in self._pieces(start, n):
            old, new = known.get(day), dict[str, Any]()
            for name in values if old is not None else sheet.blanks:
                blank = np.full((sheet.rows(name), self.per_day), sheet.blanks[name], dtype=np.int64)
                cells = blank if old is None else getattr(old, name).copy()
                if name in values:
                    cells[:, there] = values[name][:, here]
                new[name] = cells
            if old is None:
                self.tx.execute(sheet.table.insert().values(**dict(zip(sheet.keys, key, strict=True)), day=day, **new))
            else:
                self.tx.execute(sheet.table.update().where(*same, sheet.table.c.day == day).values(**new))

    def _days(self, sheet: Sheet, key: tuple[str, ...], start: datetime, n: int) -> dict[date, sa.Row[Any]]:
        touched = days(start, start + max(n, 1) * self.block)
        which = dict(zip(sheet.keys, key, strict=True)) | {"first": touched[0], "last": touched[-1]}
        return {row.day: row for row in self.tx.execute(sheet.span, which)}

    def _pieces(self, start: datetime, n: int) -> Iterator[tuple[date, slice, slice]]:
        """Per day: its place in the span and the span's place in it."""
        for day in days(start, start + n * self.block):
            first = (midnight(day) - start) // self.block
            a, b = max(0, first), min(n, first + self.per_day)
            yield day, slice(a, b), slice(a - first, b - first)

    # -- cables ------------------------------------------------------------------------------------------------------

    def standing(self, cable: str) -> Standing:
        """Where a cable stands."""
        row = self.tx.execute(sa.select(CABLES).where(CABLES.c.cable == cable)).first()
        if row is None:
            return Standing()
        latest, brake = row.latest and tuple(row.latest), row.brake and tuple(row.brake)
        return Standing(
            row.learner, row.learned_until, row.issued, row.latest_end, latest, row.watched, row.braked_at, brake
        )

    def stand(self, cable: str, **values: object) -> None:
        """Change where a cable stands; names as in `Standing`."""
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
        if self.tx.execute(CABLES.update().where(CABLES.c.cable == cable).values(**values)).rowcount == 0:
            self.tx.execute(CABLES.insert().values(cable=cable, **values))

    def learner(self, standing: Standing) -> State:
        """What was learned of a cable."""
        return State.empty(self.per_day) if standing.learner is None else State.unpack(standing.learner, self.per_day)

    def first_measured(self, cable: str) -> datetime | None:
        """Start of the first day with measurements. [UTC]"""
        day = self.tx.scalar(sa.select(sa.func.min(LOADS.table.c.day)).where(LOADS.table.c.cable == cable))
        return None if day is None else midnight(day)

    def reporters(self, cable: str, party: str) -> list[str]:
        """EMSPs for which a CSO ever reported use of a cable."""
        column = USAGES.table.c.emsp
        query = sa.select(column).where(USAGES.table.c.cable == cable, USAGES.table.c.party == party).distinct()
        return list(self.tx.scalars(query.order_by(column)))

    # -- what CSOs may hold ------------------------------------------------------------------------------------------

    def after(self, party: str, now: datetime) -> datetime:
        """DateTime for the next message to a CSO: now, or just after what was dated before, in whole milliseconds.

        A CSO tells by DateTime which forecast is the newer one, and whether it was made after an answer. So no two are
        of one moment, and a clock that was set back a little changes nothing; one set back by more is believed.
        """
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        last = self.moment(f"dated {party}")
        return last + MILLISECOND if last is not None and now <= last < now + CLOCK_AHEAD else now

    def dated(self, party: str, moment: datetime) -> None:
        """A message to a CSO bears this DateTime."""
        self.remember(f"dated {party}", moment)

    def sent(self, message_id: str, party: str, cable: str, date_time: datetime, start: datetime, limits: Ints) -> None:
        """A forecast is on its way."""
        self.tx.execute(
            SENT.insert().values(
                message_id=message_id,
                cable=cable,
                party=party,
                date_time=date_time,
                start=start,
                ends=start + limits.shape[1] * self.block,
                limits=limits,
                acknowledged=False,
            )
        )

    def never_sent(self, message_ids: list[str]) -> None:
        """These forecasts were taken back before anyone saw them."""
        if message_ids:
            self.tx.execute(SENT.delete().where(SENT.c.message_id.in_(message_ids)))

    def newest(self, party: str) -> set[str]:
        """Messages to a CSO that hold the newest forecast of a cable; all others are replaced."""
        last = sa.select(sa.func.max(SENT.c.number)).where(SENT.c.party == party).group_by(SENT.c.cable)
        return set(self.tx.scalars(sa.select(SENT.c.message_id).where(SENT.c.number.in_(last))))

    def cables_in(self, message_id: str) -> list[str]:
        """The cables of a forecast message."""
        return list(self.tx.scalars(sa.select(SENT.c.cable).where(SENT.c.message_id == message_id)))

    def acknowledged(self, message_id: str, cable: str) -> None:
        """A forecast was taken: what was sent before it to that CSO counts no more."""
        this = (SENT.c.message_id == message_id) & (SENT.c.cable == cable)
        for row in self.tx.execute(sa.select(SENT).where(this)).all():
            same = (SENT.c.cable == row.cable) & (SENT.c.party == row.party)
            older = (SENT.c.number < row.number) & (SENT.c.date_time < row.date_time)
            self.tx.execute(SENT.delete().where(same, older))
        self.tx.execute(SENT.update().where(this).values(acknowledged=True))

    def held(self, cable: str, party: str, start: datetime, n: int) -> tuple[Ints, bool, Ints]:
        """The most that a CSO may hold, whether that is in doubt, and the last forecast on its way to it.

        Returns:
            Limits that it may hold, shape (3, n) [0.01 A], 0 where it has none; whether a forecast is without answer;
            the newest forecast sent, shape (3, n), `UNKNOWN` where none.
        """
        query = sa.select(SENT).where(SENT.c.cable == cable, SENT.c.party == party).order_by(SENT.c.number)
        most, newest = np.zeros((3, n), dtype=np.int64), np.full((3, n), UNKNOWN, dtype=np.int64)
        doubt = False
        for row in self.tx.execute(query):
            first = (row.start - start) // self.block
            a, b = max(0, first), min(n, first + row.limits.shape[1])
            newest[:] = UNKNOWN
            doubt = doubt or not row.acknowledged
            if a < b:
                newest[:, a:b] = row.limits[:, a - first : b - first]
                most = np.maximum(most, newest)
        return most, doubt, newest

    def adjust_held(self, cable: str, party: str, start: datetime, change: Ints) -> None:
        """Grants and give-backs change whatever forecast the CSO holds."""
        for row in self.tx.execute(sa.select(SENT).where(SENT.c.cable == cable, SENT.c.party == party)).all():
            first = (row.start - start) // self.block
            a, b = max(0, first), min(change.shape[1], first + row.limits.shape[1])
            if a < b:
                limits = row.limits
                there = slice(a - first, b - first)
                limits[:, there] = np.maximum(limits[:, there] + change[:, a:b], 0)
                mine = (SENT.c.message_id == row.message_id) & (SENT.c.cable == cable)
                self.tx.execute(SENT.update().where(mine).values(limits=limits))

    # -- records -----------------------------------------------------------------------------------------------------

    def note(self, at: datetime, kind: str, party: str, cable: str, record: Mapping[str, object]) -> None:
        """Write down why."""
        self.tx.execute(JOURNAL.insert().values(at=at, kind=kind, party=party, cable=cable, record=dict(record)))

    def notes(self, kind: str, cable: str, limit: int = 100) -> list[tuple[datetime, str, dict[str, object]]]:
        """The last records of a kind, newest first: when, which party, what."""
        query = (
            sa.select(JOURNAL)
            .where(JOURNAL.c.kind == kind, JOURNAL.c.cable == cable)
            .order_by(JOURNAL.c.number.desc())
            .limit(limit)
        )
        return [(row.at, row.party, row.record) for row in self.tx.execute(query)]

    def factor(self, day: date) -> float | None:
        """The margin's factor of a day, if it was estimated."""
        return self.tx.scalar(sa.select(FACTORS.c.factor).where(FACTORS.c.day == day))

    def keep_factor(self, day: date, factor: float, scores: int) -> None:
        """Keep the margin's factor of a day."""
        self.tx.execute(FACTORS.delete().where(FACTORS.c.day == day))
        self.tx.execute(FACTORS.insert().values(day=day, factor=factor, scores=scores))

    def scores(self, first: date, last: date) -> Reals:
        """Scores of all cables over whole days, both included."""
        query = sa.select(LOADS.table.c.scores).where(LOADS.table.c.day.between(first, last))
        cells = [cells.ravel() for cells in self.tx.scalars(query)]
        pooled = np.concatenate(cells) if cells else np.empty(0, dtype=np.int64)
        found: Reals = pooled[pooled != NOTHING] / 1000.0
        return found

    def moment(self, name: str) -> datetime | None:
        """A moment remembered."""
        return self.tx.scalar(sa.select(FACTS.c.moment).where(FACTS.c.name == name))

    def remember(self, name: str, moment: datetime) -> None:
        """Remember a moment."""
        if self.tx.execute(FACTS.update().where(FACTS.c.name == name).values(moment=moment)).rowcount == 0:
            self.tx.execute(FACTS.insert().values(name=name, moment=moment))

    def prune(self, now: datetime, history: timedelta, records: timedelta) -> None:
        """Forget what is older than it may be kept.

        Args:
            now: The present moment. [UTC]
            history: How long measurements, reports, forecasts and allotments are kept.
            records: How long explanations are kept.
        """
        for sheet in (LOADS, USAGES, PLANS, ALLOTMENTS):
            self.tx.execute(sheet.table.delete().where(sheet.table.c.day < (now - history).date()))
        self.tx.execute(FACTORS.delete().where(FACTORS.c.day < (now - history).date()))
        self.tx.execute(JOURNAL.delete().where(JOURNAL.c.at < now - records))
        self.tx.execute(SENT.delete().where(SENT.c.ends < now))
