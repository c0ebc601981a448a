"""What CSOs may hold: every forecast that is on its way or taken, until a newer one is known to have replaced it."""

from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa

from gridroom.dso.store import FEW, Store
from gridroom.dso.tables import SENT
from gridroom.oscp.v10.blocks import UNKNOWN
from gridroom.oscp.v10.peer import CLOCK_AHEAD
from gridroom.storage.columns import Ints

MILLISECOND = timedelta(milliseconds=1)


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


def after(store: Store, party: str, now: datetime) -> datetime:
    """DateTime for the next message to a CSO: now, or just after what was dated before, in whole milliseconds.

    A CSO tells by DateTime which forecast is the newer one, and whether it was made after an answer. So no two are
    of one moment, and a clock that was set back a little changes nothing; one set back by more is believed.
    """
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    last = store.moment(f"dated {party}")
    return last + MILLISECOND if last is not None and now <= last < now + CLOCK_AHEAD else now


def dated(store: Store, party: str, moment: datetime) -> None:
    """A message to a CSO bears this DateTime."""
    store.remember(f"dated {party}", moment)


def sent(
    store: Store, message_id: str, party: str, date_time: datetime, forecasts: Iterable[tuple[str, datetime, Ints]]
) -> None:
    """Forecasts are on their way in one message: of which cable, from when on, what may be used."""
    same = {"message_id": message_id, "party": party, "date_time": date_time, "acknowledged": False}
    rows = [
        same | {"cable": cable, "start": start, "ends": start + limits.shape[1] * store.block, "limits": limits}
        for cable, start, limits in forecasts
    ]
    if rows:
        store.tx.execute(SENT.insert(), rows)


def never_sent(store: Store, message_ids: list[str]) -> None:
    """These forecasts were taken back before anyone saw them."""
    if message_ids:
        store.tx.execute(SENT.delete().where(SENT.c.message_id.in_(message_ids)))


def newest(store: Store, party: str) -> set[str]:
    """Messages to a CSO that hold the newest forecast of a cable; all others are replaced."""
    last = sa.select(sa.func.max(SENT.c.number)).where(SENT.c.party == party).group_by(SENT.c.cable)
    return set(store.tx.scalars(sa.select(SENT.c.message_id).where(SENT.c.number.in_(last))))


def cables_in(store: Store, message_id: str) -> list[str]:
    """The cables of a forecast message."""
    return list(store.tx.scalars(sa.select(SENT.c.cable).where(SENT.c.message_id == message_id)))


def acknowledged(store: Store, message_id: str, *cables: str) -> None:
    """Forecasts of a message were taken: what was sent before them to that CSO counts no more."""
    this, old = SENT.alias("this"), SENT.alias("old")
    same = (old.c.cable == this.c.cable) & (old.c.party == this.c.party)
    older = (old.c.number < this.c.number) & (old.c.date_time < this.c.date_time)
    replaced = sa.select(old.c.number).join_from(this, old, same & older).where(this.c.message_id == message_id)
    for some in (cables[i : i + FEW] for i in range(0, len(cables), FEW)):
        store.tx.execute(SENT.delete().where(SENT.c.number.in_(replaced.where(this.c.cable.in_(some)))))
        mine = (SENT.c.message_id == message_id) & SENT.c.cable.in_(some)
        store.tx.execute(SENT.update().where(mine).values(acknowledged=True))


def holdings(store: Store, cables: Collection[str], start: datetime, n: int) -> defaultdict[tuple[str, str], Holding]:
    """What CSOs may hold of some cables over `n` blocks, by cable and party."""
    query = sa.select(SENT).order_by(SENT.c.number)
    if len(cables) <= FEW:
        query = query.where(SENT.c.cable.in_(cables))
    sent = defaultdict[tuple[str, str], list[sa.Row[Any]]](list)
    for row in store.tx.execute(query):
        sent[row.cable, row.party].append(row)
    result = defaultdict[tuple[str, str], Holding](lambda: _holding([], start, n, store.block))
    result.update({key: _holding(rows, start, n, store.block) for key, rows in sent.items()})
    return result


def _holding(sent: Iterable[sa.Row[Any]], start: datetime, n: int, block: timedelta) -> Holding:
    most, newest = np.zeros((3, n), dtype=np.int64), np.full((3, n), UNKNOWN, dtype=np.int64)
    doubt = False
    for row in sent:
        first = (row.start - start) // block
        a, b = max(0, first), min(n, first + row.limits.shape[1])
        newest[:] = UNKNOWN
        doubt = doubt or not row.acknowledged
        if a < b:
            newest[:, a:b] = row.limits[:, a - first : b - first]
            most = np.maximum(most, newest)
    return Holding(most, doubt, newest)


def holders(tx: sa.Connection, known: Container[tuple[str, str]], now: datetime) -> list[tuple[str, str]]:
    """Cables and CSOs, other than those known, where the CSO may hold a forecast above zero from now on."""
    sent = sa.select(SENT.c.cable, SENT.c.party).where(SENT.c.ends > now).distinct()
    others = [(row.cable, row.party) for row in tx.execute(sent) if (row.cable, row.party) not in known]
    return sorted(one for one in others if _holds(tx, *one, now))


def _holds(tx: sa.Connection, cable: str, party: str, now: datetime) -> bool:
    limits = sa.select(SENT.c.limits).where(SENT.c.cable == cable, SENT.c.party == party, SENT.c.ends > now)
    return any(cells.any() for cells in tx.scalars(limits))


def adjust_held(store: Store, party: str, start: datetime, changes: Mapping[str, Ints]) -> None:
    """Grants and give-backs change whatever forecasts the CSO holds: by how much, by cable."""
    ids, news = [*changes], list[dict[str, Any]]()
    for some in (ids[i : i + FEW] for i in range(0, len(ids), FEW)):
        query = sa.select(SENT).where(SENT.c.party == party, SENT.c.cable.in_(some))
        for row in store.tx.execute(query):
            first, change = (row.start - start) // store.block, changes[row.cable]
            a, b = max(0, first), min(change.shape[1], first + row.limits.shape[1])
            if a < b:
                limits = row.limits
                there = slice(a - first, b - first)
                limits[:, there] = np.maximum(limits[:, there] + change[:, a:b], 0)
                news.append({"the_number": row.number, "limits": limits})
    if news:
        one = SENT.update().where(SENT.c.number == sa.bindparam("the_number"))
        store.tx.execute(one.values(limits=sa.bindparam("limits")), news)


def prune(store: Store, now: datetime) -> None:
    """Forget what is over."""
    store.tx.execute(SENT.delete().where(SENT.c.ends < now))
