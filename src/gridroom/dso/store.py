"""What the DSO remembers: histories, where each cable stands, why, and moments.

A `Store` lives as long as one transaction. Spans of blocks are read and written across days; what was never written
reads as the sheet's blank.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa

from gridroom.dso.tables import (
    ALLOTMENTS,
    FACTS,
    JOURNAL,
    LOADS,
    PLANS,
    READING_COUNTS,
    STANDINGS,
    USAGES,
    Sheet,
)
from gridroom.storage.columns import Ints
from gridroom.timegrid import DAY, days, midnight

FEW = 500
"""Ids that a statement may name."""


@dataclass(frozen=True)
class Standing:
    """Where a cable stands; all moments UTC, currents 0.01 A."""

    learned_until: datetime | None = None
    issued: datetime | None = None
    latest_end: datetime | None = None
    latest: tuple[int, int, int] | None = None
    watched: datetime | None = None
    braked_at: datetime | None = None
    brake: tuple[int, int, int] | None = None


class Spans(dict[tuple[str, ...], dict[str, Ints]]):
    """The arrays of a sheet over a span, by key; of a key that was never written, blanks."""

    def __init__(self, sheet: Sheet, n: int) -> None:
        super().__init__()
        self._blanks = {name: (sheet.rows(name), n, blank) for name, blank in sheet.blanks.items()}

    def blank(self) -> dict[str, Ints]:
        """Arrays in which nothing is written, shape (rows, n)."""
        return {name: np.full((rows, n), value, dtype=np.int64) for name, (rows, n, value) in self._blanks.items()}

    def __missing__(self, key: tuple[str, ...]) -> dict[str, Ints]:
        return self.blank()


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
        result, found = Spans(sheet, n).blank(), self._days(sheet, key, start, n)
        for day, here, there in self._pieces(start, n):
            for name in sheet.blanks if day in found else ():
                result[name][:, here] = getattr(found[day], name)[:, there]
        return result

    def read_all(self, sheet: Sheet, cables: Collection[str], start: datetime, n: int) -> Spans:
        """The arrays of a sheet over a span, of all keys that begin with one of some cables.

        Args:
            sheet: Which table.
            cables: Ids.
            start: Start of the first block. [UTC]
            n: Number of blocks.
        """
        result, where = Spans(sheet, n), {day: (here, there) for day, here, there in self._pieces(start, n)}
        for key, day, row in self._rows(sheet, cables, list(where)):
            cells, (here, there) = result.setdefault(key, result[key]), where[day]
            for name in sheet.blanks:
                cells[name][:, here] = getattr(row, name)[:, there]
        return result

    def write(self, sheet: Sheet, key: tuple[str, ...], start: datetime, values: Mapping[str, Ints]) -> None:
        """Write arrays over a span; other columns and blocks stay as they are."""
        self.write_all(sheet, start, {key: values})

    def write_all(self, sheet: Sheet, start: datetime, values: Mapping[tuple[str, ...], Mapping[str, Ints]]) -> None:
        """Write arrays over a span, by key; the same columns and as many blocks for each."""
        if not values:
            return
        first = next(iter(values.values()))
        pieces = list(self._pieces(start, next(iter(first.values())).shape[1]))
        found = self._rows(sheet, {key[0] for key in values}, [day for day, _, _ in pieces])
        known = {(key, day): row for key, day, row in found if key in values}
        inserts, updates = list[dict[str, Any]](), list[dict[str, Any]]()
        for key, news in values.items():
            names = dict(zip(sheet.keys, key, strict=True))
            for day, here, there in pieces:
                old, new = known.get((key, day)), dict[str, Any]()
                for name in first if old is not None else sheet.blanks:
                    blank = np.full((sheet.rows(name), self.per_day), sheet.blanks[name], dtype=np.int64)
                    new[name] = blank if old is None else getattr(old, name).copy()
                    if name in news:
                        new[name][:, there] = news[name][:, here]
                if old is None:
                    inserts.append(names | {"day": day} | new)
                else:
                    updates.append({f"the_{name}": value for name, value in names.items()} | {"the_day": day} | new)
        if inserts:
            self.tx.execute(sheet.table.insert(), inserts)
        if updates:
            same = (sheet.table.c[name] == sa.bindparam(f"the_{name}") for name in (*sheet.keys, "day"))
            one = sheet.table.update().where(*same)
            self.tx.execute(one.values({name: sa.bindparam(name) for name in first}), updates)

    def _rows(
        self, sheet: Sheet, cables: Collection[str], touched: list[date]
    ) -> Iterator[tuple[tuple[str, ...], date, sa.Row[Any]]]:
        """Key, day and row of all that is kept of some cables on some days."""
        ids, keys = sorted(cables), len(sheet.keys)
        for some in (ids[i : i + FEW] for i in range(0, len(ids) if touched else 0, FEW)):
            which = {"cables": some, "first": touched[0], "last": touched[-1]}
            for row in self.tx.execute(sheet.all, which):
                yield tuple(row[:keys]), row.day, row

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
        return self.standings((cable,)).get(cable, Standing())

    def standings(self, cables: Collection[str]) -> dict[str, Standing]:
        """Where those of some cables stand of which anything is known."""
        query, wanted = sa.select(STANDINGS), set(cables)
        if len(wanted) <= FEW:
            query = query.where(STANDINGS.c.cable.in_(wanted))
        result = {}
        for row in (row for row in self.tx.execute(query) if row.cable in wanted):
            latest, brake = row.latest and tuple(row.latest), row.brake and tuple(row.brake)
            moments = row.learned_until, row.issued, row.latest_end
            result[row.cable] = Standing(*moments, latest, row.watched, row.braked_at, brake)
        return result

    def stand(self, cable: str, **values: object) -> None:
        """Change where a cable stands; names as in `Standing`."""
        self.put(STANDINGS, {cable: {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}})

    def issued(self, cables: Iterable[str], at: datetime) -> None:
        """A plan was made for some cables."""
        self.put(STANDINGS, {cable: {"issued": at} for cable in cables})

    def watched(self, ends: Mapping[str, datetime | None]) -> None:
        """The newest readings of some cables, which end then, were looked at."""
        self.put(STANDINGS, {cable: {"watched": end} for cable, end in ends.items()})

    def put(self, table: sa.Table, rows: Mapping[str, Mapping[str, object]]) -> None:
        """Write the same columns of a table by cable."""
        if not rows:
            return
        names = next(iter(rows.values()))
        query = sa.select(table.c.cable)
        known = set(self.tx.scalars(query.where(table.c.cable.in_(rows)) if len(rows) <= FEW else query))
        news = [{"cable": cable} | dict(row) for cable, row in rows.items() if cable not in known]
        olds = [{"the_cable": cable} | dict(row) for cable, row in rows.items() if cable in known]
        if news:
            self.tx.execute(table.insert(), news)
        if olds:
            same = table.update().where(table.c.cable == sa.bindparam("the_cable"))
            self.tx.execute(same.values({name: sa.bindparam(name) for name in names}), olds)

    def first_measured(self, cable: str) -> datetime | None:
        """Start of the first day with measurements. [UTC]"""
        return self.first_days((cable,)).get(cable)

    def first_days(self, places: Collection[str]) -> dict[str, datetime]:
        """Starts of the first days with measurements of those cables and transformers that have any. [UTC]"""
        query = sa.select(LOADS.table.c.cable, sa.func.min(LOADS.table.c.day)).group_by(LOADS.table.c.cable)
        if len(places) <= FEW:
            query = query.where(LOADS.table.c.cable.in_(places))
        return {cable: midnight(day) for cable, day in self.tx.execute(query) if cable in places}

    # -- records -----------------------------------------------------------------------------------------------------

    def note(self, at: datetime, kind: str, party: str, cable: str, record: Mapping[str, object]) -> None:
        """Write down why."""
        self.note_all(at, kind, party, {cable: record})

    def note_all(self, at: datetime, kind: str, party: str, records: Mapping[str, Mapping[str, object]]) -> None:
        """Write down why, by cable."""
        rows = ({"cable": cable, "record": dict(record)} for cable, record in records.items())
        if records:
            self.tx.execute(JOURNAL.insert(), [{"at": at, "kind": kind, "party": party} | row for row in rows])

    def notes(self, kind: str, since: datetime) -> Iterable[sa.Row[Any]]:
        """What was written down of a kind since a moment, oldest first: `at`, `party`, `cable`, `record`."""
        query = sa.select(JOURNAL).where(JOURNAL.c.at >= since, JOURNAL.c.kind == kind)
        return self.tx.execute(query.order_by(JOURNAL.c.number))

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
            history: How long measurements and what was odd of them, reports, forecasts and allotments are kept.
            records: How long explanations are kept.
        """
        for sheet in (LOADS, USAGES, PLANS, ALLOTMENTS):
            self.tx.execute(sheet.table.delete().where(sheet.table.c.day < (now - history).date()))
        self.tx.execute(READING_COUNTS.delete().where(READING_COUNTS.c.day < (now - history).date()))
        self.tx.execute(JOURNAL.delete().where(JOURNAL.c.at < now - records))
