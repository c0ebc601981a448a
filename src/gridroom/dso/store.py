"""What the DSO remembers.

A `Store` lives as long as one transaction. Spans of blocks are read and written across days; what was never written
reads as the sheet's blank.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa

from gridroom.dso.forecasting.layout import Layout, Reals
from gridroom.dso.forecasting.pool import Pool, Sums
from gridroom.dso.tables import (
    ALLOTMENTS,
    BELOW,
    FACTS,
    JOURNAL,
    LEARNERS,
    LOADS,
    PLANS,
    POOLS,
    READING_COUNTS,
    SENT,
    STANDINGS,
    USAGES,
    Sheet,
)
from gridroom.oscp.v10.blocks import UNKNOWN
from gridroom.oscp.v10.peer import CLOCK_AHEAD
from gridroom.storage.columns import Ints
from gridroom.timegrid import DAY, days, midnight

MILLISECOND = timedelta(milliseconds=1)
POOLED = timedelta(days=60)
"""How long scores of a day are kept, counted from the newest: also while nothing is learned."""

FEW = 500
"""Ids that a statement may name."""


@dataclass(frozen=True)
class Learner:
    """What was learned of a cable or transformer, shape (rows, 3), and up to when. [UTC]"""

    until: datetime
    state: Reals


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


class Holding(NamedTuple):
    """What a CSO may hold of a cable.

    Attributes:
        most: The most that it may hold, shape (3, n), 0 where it has nothing. [0.01 A]
        doubtful: Whether a forecast is without answer.
        newest: The forecast sent last, shape (3, n), `UNKNOWN` where none. [0.01 A]
    """

    most: Ints
    doubtful: bool
    newest: Ints


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
        self._put(STANDINGS, {cable: {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}})

    def issued(self, cables: Iterable[str], at: datetime) -> None:
        """A plan was made for some cables."""
        self._put(STANDINGS, {cable: {"issued": at} for cable in cables})

    def watched(self, ends: Mapping[str, datetime | None]) -> None:
        """The newest readings of some cables, which end then, were looked at."""
        self._put(STANDINGS, {cable: {"watched": end} for cable, end in ends.items()})

    def learners(self, places: Iterable[str]) -> dict[str, "Learner"]:
        """How far some cables and transformers were learned, and what."""
        wanted = set(places)
        query = sa.select(STANDINGS.c.cable, STANDINGS.c.learned_until, LEARNERS.c.state).join_from(
            STANDINGS, LEARNERS, STANDINGS.c.cable == LEARNERS.c.cable
        )
        if len(wanted) <= FEW:
            query = query.where(STANDINGS.c.cable.in_(wanted))
        rows = (row for row in self.tx.execute(query) if row.cable in wanted and row.learned_until is not None)
        return {row.cable: Learner(row.learned_until, row.state) for row in rows}

    def keep_learners(self, learned: Iterable[tuple[str, datetime, Reals]]) -> None:
        """Keep what was learned of cables and transformers, and up to when."""
        rows = list(learned)
        self._put(STANDINGS, {place: {"learned_until": until} for place, until, _ in rows})
        self._put(LEARNERS, {place: {"state": state} for place, _, state in rows})

    def _put(self, table: sa.Table, rows: Mapping[str, Mapping[str, object]]) -> None:
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

    def below(self, nodes: Collection[str]) -> dict[str, dict[str, datetime | None]]:
        """The cables that hung below nodes when they were learned last, and since when, if they came later.

        Returns:
            By node, and by cable; left out are nodes that were never learned.
        """
        found: dict[str, dict[str, datetime | None]] = {}
        for row in self.tx.execute(sa.select(BELOW)) if nodes else ():
            cables = found.setdefault(row.node, {})
            if row.cable:
                cables[row.cable] = row.since
        return {node: found[node] for node in nodes if node in found}

    def keep_below(self, node: str, cables: Mapping[str, datetime | None]) -> None:
        """Keep them for a node."""
        self.tx.execute(BELOW.delete().where(BELOW.c.node == node))
        rows = [{"node": node, "cable": cable, "since": since} for cable, since in cables.items()]
        self.tx.execute(BELOW.insert(), [{"node": node, "cable": "", "since": None}, *rows])

    def unlearn(self) -> None:
        """Forget all that was learned; the history stays."""
        self.tx.execute(LEARNERS.delete())
        self.tx.execute(POOLS.delete())
        self.tx.execute(STANDINGS.update().values(learned_until=None))

    def pool(self, day: date | None = None) -> tuple[date, Pool] | None:
        """What all series share on a day, as far as it is kept; on the day that is open when none is given."""
        query = sa.select(POOLS).order_by(POOLS.c.day.desc()).limit(1)
        row = self.tx.execute(query if day is None else query.where(POOLS.c.day == day)).first()
        if row is None:
            return None
        total, today = (Sums.unpack(one, Layout(self.block)) for one in (row.total, row.today))
        return row.day, Pool(total, today, row.counts, row.scored, row.pace)

    def keep_pool(self, day: date, pool: Pool) -> None:
        """Keep what all series share, on a day."""
        values = {
            "total": pool.total.pack(), "today": pool.today.pack(),
            "counts": pool.counts, "scored": pool.scored, "pace": pool.pace,
        }  # fmt: skip
        if self.tx.execute(POOLS.update().where(POOLS.c.day == day).values(**values)).rowcount == 0:
            self.tx.execute(POOLS.insert().values(day=day, **values))

    def scored(self, day: date) -> Ints | None:
        """Scores of a day, shape (3, 6, BINS); None when it was not kept."""
        found: Ints | None = self.tx.scalar(sa.select(POOLS.c.scored).where(POOLS.c.day == day))
        return found

    def first_measured(self, cable: str) -> datetime | None:
        """Start of the first day with measurements. [UTC]"""
        return self.first_days((cable,)).get(cable)

    def first_days(self, places: Collection[str]) -> dict[str, datetime]:
        """Starts of the first days with measurements of those cables and transformers that have any. [UTC]"""
        query = sa.select(LOADS.table.c.cable, sa.func.min(LOADS.table.c.day)).group_by(LOADS.table.c.cable)
        if len(places) <= FEW:
            query = query.where(LOADS.table.c.cable.in_(places))
        return {cable: midnight(day) for cable, day in self.tx.execute(query) if cable in places}

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

    def sent(
        self, message_id: str, party: str, date_time: datetime, forecasts: Iterable[tuple[str, datetime, Ints]]
    ) -> None:
        """Forecasts are on their way in one message: of which cable, from when on, what may be used."""
        same = {"message_id": message_id, "party": party, "date_time": date_time, "acknowledged": False}
        rows = [
            same | {"cable": cable, "start": start, "ends": start + limits.shape[1] * self.block, "limits": limits}
            for cable, start, limits in forecasts
        ]
        if rows:
            self.tx.execute(SENT.insert(), rows)

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

    def acknowledged(self, message_id: str, *cables: str) -> None:
        """Forecasts of a message were taken: what was sent before them to that CSO counts no more."""
        this, old = SENT.alias("this"), SENT.alias("old")
        same = (old.c.cable == this.c.cable) & (old.c.party == this.c.party)
        older = (old.c.number < this.c.number) & (old.c.date_time < this.c.date_time)
        replaced = sa.select(old.c.number).join_from(this, old, same & older).where(this.c.message_id == message_id)
        for some in (cables[i : i + FEW] for i in range(0, len(cables), FEW)):
            self.tx.execute(SENT.delete().where(SENT.c.number.in_(replaced.where(this.c.cable.in_(some)))))
            mine = (SENT.c.message_id == message_id) & SENT.c.cable.in_(some)
            self.tx.execute(SENT.update().where(mine).values(acknowledged=True))

    def holdings(self, cables: Collection[str], start: datetime, n: int) -> defaultdict[tuple[str, str], Holding]:
        """What CSOs may hold of some cables over `n` blocks, by cable and party."""
        query = sa.select(SENT).order_by(SENT.c.number)
        if len(cables) <= FEW:
            query = query.where(SENT.c.cable.in_(cables))
        sent = defaultdict[tuple[str, str], list[sa.Row[Any]]](list)
        for row in self.tx.execute(query):
            sent[row.cable, row.party].append(row)
        result = defaultdict[tuple[str, str], Holding](lambda: self._holding([], start, n))
        result.update({key: self._holding(rows, start, n) for key, rows in sent.items()})
        return result

    def _holding(self, sent: Iterable[sa.Row[Any]], start: datetime, n: int) -> Holding:
        most, newest = np.zeros((3, n), dtype=np.int64), np.full((3, n), UNKNOWN, dtype=np.int64)
        doubt = False
        for row in sent:
            first = (row.start - start) // self.block
            a, b = max(0, first), min(n, first + row.limits.shape[1])
            newest[:] = UNKNOWN
            doubt = doubt or not row.acknowledged
            if a < b:
                newest[:, a:b] = row.limits[:, a - first : b - first]
                most = np.maximum(most, newest)
        return Holding(most, doubt, newest)

    def adjust_held(self, party: str, start: datetime, changes: Mapping[str, Ints]) -> None:
        """Grants and give-backs change whatever forecasts the CSO holds: by how much, by cable."""
        ids, news = [*changes], list[dict[str, Any]]()
        for some in (ids[i : i + FEW] for i in range(0, len(ids), FEW)):
            query = sa.select(SENT).where(SENT.c.party == party, SENT.c.cable.in_(some))
            for row in self.tx.execute(query):
                first, change = (row.start - start) // self.block, changes[row.cable]
                a, b = max(0, first), min(change.shape[1], first + row.limits.shape[1])
                if a < b:
                    limits = row.limits
                    there = slice(a - first, b - first)
                    limits[:, there] = np.maximum(limits[:, there] + change[:, a:b], 0)
                    news.append({"the_number": row.number, "limits": limits})
        if news:
            one = SENT.update().where(SENT.c.number == sa.bindparam("the_number"))
            self.tx.execute(one.values(limits=sa.bindparam("limits")), news)

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
            history: How long measurements and what was odd of them, reports, forecasts and allotments are kept; and
                what was learned, counted from where that stands.
            records: How long explanations are kept.
        """
        for sheet in (LOADS, USAGES, PLANS, ALLOTMENTS):
            self.tx.execute(sheet.table.delete().where(sheet.table.c.day < (now - history).date()))
        self.tx.execute(READING_COUNTS.delete().where(READING_COUNTS.c.day < (now - history).date()))
        self._prune_learned(now - history)
        self.tx.execute(JOURNAL.delete().where(JOURNAL.c.at < now - records))
        self.tx.execute(SENT.delete().where(SENT.c.ends < now))

    def _prune_learned(self, before: datetime) -> None:
        """Forget what stands still since a moment, and scores that lie far behind the newest."""
        newest = self.tx.scalar(sa.select(sa.func.max(POOLS.c.day)))
        if newest is not None:
            self.tx.execute(POOLS.delete().where(POOLS.c.day < max(newest - POOLED, before.date())))
        gone = sa.select(STANDINGS.c.cable).where(STANDINGS.c.learned_until < before)
        self.tx.execute(LEARNERS.delete().where(LEARNERS.c.cable.in_(gone)))
        self.tx.execute(STANDINGS.update().where(STANDINGS.c.learned_until < before).values(learned_until=None))
