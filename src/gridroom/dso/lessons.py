"""What was learned, as it is kept: of each cable, transformer and substation, and what all of them share."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from gridroom.dso.forecasting.layout import Layout, Reals
from gridroom.dso.forecasting.pool import Pool, Sums
from gridroom.dso.store import FEW, Store
from gridroom.dso.tables import BELOW, LEARNERS, POOLS, STANDINGS
from gridroom.storage.columns import Ints

POOLED = timedelta(days=60)
"""How long scores of a day are kept, counted from the newest: also while nothing is learned."""


@dataclass(frozen=True)
class Learner:
    """What was learned of a cable or transformer, shape (rows, 3), and up to when. [UTC]"""

    until: datetime
    state: Reals


def learners(store: Store, places: Iterable[str]) -> dict[str, "Learner"]:
    """How far some cables and transformers were learned, and what."""
    wanted = set(places)
    query = sa.select(STANDINGS.c.cable, STANDINGS.c.learned_until, LEARNERS.c.state).join_from(
        STANDINGS, LEARNERS, STANDINGS.c.cable == LEARNERS.c.cable
    )
    if len(wanted) <= FEW:
        query = query.where(STANDINGS.c.cable.in_(wanted))
    rows = (row for row in store.tx.execute(query) if row.cable in wanted and row.learned_until is not None)
    return {row.cable: Learner(row.learned_until, row.state) for row in rows}


def keep_learners(store: Store, learned: Iterable[tuple[str, datetime, Reals]]) -> None:
    """Keep what was learned of cables and transformers, and up to when."""
    rows = list(learned)
    store.put(STANDINGS, {place: {"learned_until": until} for place, until, _ in rows})
    store.put(LEARNERS, {place: {"state": state} for place, _, state in rows})


def below(store: Store, nodes: Collection[str]) -> dict[str, dict[str, datetime | None]]:
    """The cables that hung below nodes when they were learned last, and since when, if they came later.

    Returns:
        By node, and by cable; left out are nodes that were never learned.
    """
    found: dict[str, dict[str, datetime | None]] = {}
    for row in store.tx.execute(sa.select(BELOW)) if nodes else ():
        cables = found.setdefault(row.node, {})
        if row.cable:
            cables[row.cable] = row.since
    return {node: found[node] for node in nodes if node in found}


def keep_below(store: Store, node: str, cables: Mapping[str, datetime | None]) -> None:
    """Keep them for a node."""
    store.tx.execute(BELOW.delete().where(BELOW.c.node == node))
    rows = [{"node": node, "cable": cable, "since": since} for cable, since in cables.items()]
    store.tx.execute(BELOW.insert(), [{"node": node, "cable": "", "since": None}, *rows])


def unlearn(store: Store) -> None:
    """Forget all that was learned; the history stays."""
    store.tx.execute(LEARNERS.delete())
    store.tx.execute(POOLS.delete())
    store.tx.execute(STANDINGS.update().values(learned_until=None))


def pool(store: Store, day: date | None = None) -> tuple[date, Pool] | None:
    """What all series share on a day, as far as it is kept; on the day that is open when none is given."""
    query = sa.select(POOLS).order_by(POOLS.c.day.desc()).limit(1)
    row = store.tx.execute(query if day is None else query.where(POOLS.c.day == day)).first()
    if row is None:
        return None
    total, today = (Sums.unpack(one, Layout(store.block)) for one in (row.total, row.today))
    return row.day, Pool(total, today, row.counts, row.scored, row.pace)


def keep_pool(store: Store, day: date, pool: Pool) -> None:
    """Keep what all series share, on a day."""
    values = {
        "total": pool.total.pack(), "today": pool.today.pack(),
        "counts": pool.counts, "scored": pool.scored, "pace": pool.pace,
    }  # fmt: skip
    if store.tx.execute(POOLS.update().where(POOLS.c.day == day).values(**values)).rowcount == 0:
        store.tx.execute(POOLS.insert().values(day=day, **values))


def scored(store: Store, day: date) -> Ints | None:
    """Scores of a day, shape (3, 6, BINS); None when it was not kept."""
    found: Ints | None = store.tx.scalar(sa.select(POOLS.c.scored).where(POOLS.c.day == day))
    return found


def prune(store: Store, before: datetime) -> None:
    """Forget what stands still since a moment, and scores that lie far behind the newest."""
    newest = store.tx.scalar(sa.select(sa.func.max(POOLS.c.day)))
    if newest is not None:
        store.tx.execute(POOLS.delete().where(POOLS.c.day < max(newest - POOLED, before.date())))
    gone = sa.select(STANDINGS.c.cable).where(STANDINGS.c.learned_until < before)
    store.tx.execute(LEARNERS.delete().where(LEARNERS.c.cable.in_(gone)))
    store.tx.execute(STANDINGS.update().where(STANDINGS.c.learned_until < before).values(learned_until=None))
