"""How the DSO fares, read from its database: nothing is changed, and a running DSO is not held up for long."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from itertools import islice

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from gridroom.dso import loads
from gridroom.dso.cables import Cable, Finding, Node
from gridroom.dso.loads import PHASES
from gridroom.dso.readings.measurements import means
from gridroom.dso.rules import DAY, Office, RiskClass
from gridroom.dso.screens import risk
from gridroom.dso.screens.risk import DAYS, Judged, RealisedRisk, realised
from gridroom.dso.screens.status import Brake, Post, Status
from gridroom.dso.store import Store
from gridroom.dso.tables import ALLOTMENTS, CABLES, JOURNAL, LOADS, PLANS, READING_COUNTS, USAGES
from gridroom.oscp.v10.blocks import UNKNOWN
from gridroom.storage.database import Database
from gridroom.storage.letters import OUTBOX
from gridroom.storage.outbox import DELIVERED, GIVEN_UP, Outbox
from gridroom.timegrid import floor

HOUR = timedelta(hours=1)

AT_ONCE = 20
"""Cables that are looked at in one transaction."""

Line = tuple[str, str, datetime]
"""About a letter: operation, what was said, when."""

NONE = "none"
"""Quality of a forecast of which nothing is known."""

WEEK_DAYS, SOMETHING, NEARLY_ALL = 7, 0.05, 0.9
"""Over how long reports are held against measurements, from what share of the limit on, and what share is too much."""

ABOVE = "transformers and substations"
"""Under which name the realised risk of what is above the cables is told."""

REPLACED = "replaced by a newer one"
"""Why a letter was given up when a newer one took its place."""


def look(
    db: Database,
    office: Office,
    party: str,
    parties: Iterable[str],
    now: datetime,
    findings: Iterable[Finding] = (),
    missed_after: timedelta = HOUR,
) -> Status:
    """How the DSO fares.

    Args:
        db: The DSO's database.
        office: Cables and rules.
        party: The DSO.
        parties: The CSOs.
        now: The present moment. [UTC]
        findings: What does not fit in the register.
        missed_after: Age from which on the newest reading of a cable is too old.
    """
    with db.transact() as tx:
        status = _status(Store(tx, office.rules.block), office, party, parties, now, missed_after)
    judged, cables = defaultdict[RiskClass, Judged](Judged), iter(office.register.values())
    unreported, overclaimed = defaultdict[str, list[str]](list), list[str]()
    while some := list(islice(cables, AT_ONCE)):
        with db.transact() as tx:
            store = Store(tx, office.rules.block)
            for cable in some:
                judged[office.rules.risk_of(cable)] += _judged(store, office, cable, now)
                overclaimed += [cable.id] if _is_overclaimed(store, office, cable, now) else []
            for silent, cable_id in _unreported(store, office.rules.block, some, now):
                unreported[silent].append(cable_id)
    for node in office.register.nodes.values():
        with db.transact() as tx:
            judged[replace(office.rules.classes[0], name=ABOVE)] += _judged(
                Store(tx, office.rules.block), office, node, now
            )
    return replace(
        status,
        overclaimed=tuple(overclaimed),
        unreported={one: tuple(ids) for one, ids in sorted(unreported.items())},
        risks=_risks(judged, office),
        findings=tuple(str(one) for one in findings),
    )


@dataclass(frozen=True)
class CableLine:
    """A cable in a list.

    Attributes:
        cable: As registered.
        quality: Of its forecast; `NONE` where nothing is in force.
        latest_end: End of its newest reading. [UTC]
        offered_a: What is offered to all CSOs together in the block in force, per phase; None where nothing is in
            force. [A]
    """

    cable: Cable
    quality: str
    latest_end: datetime | None
    offered_a: tuple[float, ...] | None


def lines(store: Store, office: Office, now: datetime) -> list[CableLine]:
    """All cables, as they stand.

    Args:
        store: The memory.
        office: Cables and rules.
        now: The present moment. [UTC]
    """
    rules, start = office.rules, floor(now, office.rules.block)
    of = qualities(store, office, store.moment("published"))
    stands = {row.cable: row for row in store.tx.execute(sa.select(CABLES))}
    found = []
    for cable in office.register.values():
        stand, offered = stands.get(cable.id), None
        if stand is not None and stand.issued is not None and now - stand.issued <= rules.good_for:
            available = store.read(PLANS, (cable.id,), start, 1)["available"][:, 0]
            offered = tuple(int(value) / 100 for value in available) if (available != UNKNOWN).all() else None
        quality = NONE if offered is None else of[cable.id]
        found.append(CableLine(cable, quality, stand.latest_end if stand is not None else None, offered))
    return found


def qualities(store: Store, office: Office, published: datetime | None) -> dict[str, str]:
    """Quality of each cable's forecast, as of the last publish; `NONE` where there was none.

    Args:
        store: The memory.
        office: Cables and rules.
        published: When that was. [UTC]
    """
    made = divisions(store, office, published)
    return {one: str(made[one].get("quality", NONE)) if one in made else NONE for one in office.register}


def divisions(store: Store, office: Office, published: datetime | None) -> dict[str, dict[str, object]]:
    """What each cable's plan rests on, as of the last publish: the records of the divisions; arguments as above."""
    found = dict[str, dict[str, object]]()
    if published is not None:
        since = published - office.rules.good_for
        query = sa.select(JOURNAL.c.cable, JOURNAL.c.record).where(JOURNAL.c.at >= since, JOURNAL.c.kind == "division")
        for row in store.tx.execute(query.order_by(JOURNAL.c.number)):
            if row.cable in office.register:
                found[row.cable] = row.record
    return found


def flagged(store: Store, now: datetime) -> dict[str, dict[str, int]]:
    """What was odd about readings of the last `DAYS`: how many, by reason and cable."""
    since, table = (now - DAYS * DAY).date(), READING_COUNTS.c
    query = sa.select(table.reason, table.cable, sa.func.sum(table.count)).where(table.day >= since)
    found = defaultdict[str, dict[str, int]](dict)
    for reason, cable, count in store.tx.execute(query.group_by(table.reason, table.cable).order_by(table.cable)):
        found[reason][cable] = int(count)
    return dict(found)


def _status(
    store: Store, office: Office, party: str, parties: Iterable[str], now: datetime, missed_after: timedelta
) -> Status:
    rules, published = office.rules, store.moment("published")
    by_quality = defaultdict[str, list[str]](list)
    for cable, quality in qualities(store, office, published).items():
        by_quality[quality].append(cable)
    stands = {row.cable: row for row in store.tx.execute(sa.select(CABLES))}
    ends = {one: stands[one].latest_end if one in stands else None for one in office.register}
    ends |= {one: stands[one].latest_end for one in office.register.nodes if one in stands}  # if ever measured
    late = 2 * rules.publish_every
    return Status(
        party,
        now,
        late,
        published,
        {quality: tuple(ids) for quality, ids in by_quality.items()},
        max((end for end in ends.values() if end is not None), default=None),
        tuple(one for one, end in ends.items() if end is None or now - end > missed_after),
        flagged(store, now),
        _posts(store.tx, parties, now, late),
        {operation: asdict(tally) for operation, tally in sorted(Outbox(store.tx).counts().items())},
        {cable: brake for cable, row in stands.items() if (brake := _brake(row, rules.brake_hold, now)) is not None},
        missed_after=missed_after,
        learned_until=max(
            (row.learned_until for row in stands.values() if row.learned_until is not None), default=None
        ),
    )


def _unreported(store: Store, block: timedelta, cables: Iterable[Cable], now: datetime) -> Iterator[tuple[str, str]]:
    """CSOs and cables of which a report of use is missing that was due in the last day and more than an hour ago."""
    some = [one for one in cables if any(each.contracted_ca for each in one.contracts)]
    start, end = floor(now - DAY, block), floor(now - HOUR, block)
    n = (end - start) // block
    known = defaultdict[tuple[str, str], NDArray[np.bool_]](lambda: np.zeros((PHASES, n), dtype=bool))
    for (cable, party, _emsp), cells in store.read_all(USAGES, [one.id for one in some], start, n).items() if n else ():
        known[cable, party] = known[cable, party] | (cells["used"] != UNKNOWN)
    for one in some:
        for contract in one.contracts:
            first = 0 if contract.since is None else max(0, -((start - contract.since) // block))
            if contract.contracted_ca and not known[one.id, contract.party][:, first:].all():
                yield contract.party, one.id


def _posts(tx: sa.Connection, parties: Iterable[str], now: datetime, late: timedelta) -> dict[str, Post]:
    outbox, waiting, overdue = Outbox(tx), Counter[str](), Counter[str]()
    for letter in outbox.waiting():
        waiting[letter.party] += 1
        overdue[letter.party] += now - letter.date_time >= late
    gone, stopped = defaultdict[str, list[Line]](list), defaultdict[str, list[Line]](list)
    for row in tx.execute(_given_up_since(now - DAY)):
        gone[row.party].append((row.operation, row.note, row.settled))
    for party, operation, said, since in outbox.stopped():
        stopped[party].append((operation, said, since))
    return {
        one: Post(waiting[one], overdue[one], _silent_since(tx, one), tuple(gone[one]), tuple(stopped[one]))
        for one in parties
    }


def _given_up_since(when: datetime) -> sa.Select[tuple[str, str, str, datetime]]:
    """Letters given up, newest first, with no newer one in their place and none of their operation answered since."""
    later = OUTBOX.alias("later")
    same = (later.c.party == OUTBOX.c.party) & (later.c.operation == OUTBOX.c.operation)
    answered = sa.exists().where(same, later.c.state == DELIVERED, later.c.settled > OUTBOX.c.settled)
    mine = (OUTBOX.c.state == GIVEN_UP) & (OUTBOX.c.note != REPLACED) & (OUTBOX.c.settled >= when)
    query = sa.select(OUTBOX.c.party, OUTBOX.c.operation, OUTBOX.c.note, OUTBOX.c.settled)
    return query.where(mine, ~answered).order_by(OUTBOX.c.settled.desc())


def _silent_since(tx: sa.Connection, party: str) -> datetime | None:
    """Date of the first letter that was tried after the last answer of a party, and is without one itself.

    A forecast that nobody answers is soon replaced by a newer one, so no single letter would ever be late.
    """
    mine = (OUTBOX.c.party == party) & (OUTBOX.c.attempts > 0)
    answered = tx.scalar(sa.select(sa.func.max(OUTBOX.c.settled)).where(mine, OUTBOX.c.state == DELIVERED))
    since = mine & (OUTBOX.c.state != DELIVERED)
    if answered is not None:
        since &= OUTBOX.c.date_time > answered
    first: datetime | None = tx.scalar(sa.select(sa.func.min(OUTBOX.c.date_time)).where(since))
    return first


def _brake(row: sa.Row[tuple[object, ...]], hold: timedelta, now: datetime) -> Brake | None:
    if row.brake is None or row.braked_at is None or now - row.braked_at >= hold:
        return None
    return Brake(row.braked_at, row.braked_at + hold, tuple(value / 100 for value in row.brake))


def _judged(store: Store, office: Office, place: Cable | Node, now: datetime) -> Judged:
    """Blocks in the last `DAYS` of which the load is sure and for which something was issued.

    What was available by the newest plan counts, and at least what the CSOs were entitled to or may have held: a brake
    in a block does not undo what was promised of it.

    Of a transformer or substation that is measured, all that was offered on the cables below counts together.
    """
    rules, limit = office.rules, place.limit_ca
    n, end = DAYS * store.per_day, floor(now, rules.block)
    start = end - n * rules.block
    if limit is None or (isinstance(place, Node) and store.standing(place.id).latest_end is None):
        return Judged()
    below = (place,) if isinstance(place, Cable) else office.register.below(place.id)
    found = loads.load_of(store, office, place.id, start, n)
    offered, known = np.zeros((3, n), dtype=np.int64), found.learnable
    for cable in below:
        available = store.read(PLANS, (cable.id,), start, n)["available"]
        held = sum((store.read(ALLOTMENTS, (cable.id, party), start, n)["entitled"] for party in cable.parties), 0)
        offered, known = offered + np.maximum(available, held), known & (available != UNKNOWN).all(axis=0)
    criterion = rules.risk_of(place).criterion if isinstance(place, Cable) else rules.criterion
    return risk.judge(limit, offered, found.load, known, criterion, max(1, HOUR // rules.block), store.per_day)


def _is_overclaimed(store: Store, office: Office, cable: Cable, now: datetime) -> bool:
    """Whether reports explain nearly all that a cable carried in most blocks of a week: as if its homes used nothing.

    A report that is too high makes the load that is learned too low, and nothing in OSCP 1.0 proves one.
    """
    n = WEEK_DAYS * store.per_day
    start = floor(now, office.rules.block) - n * office.rules.block
    cells = store.read(LOADS, (cable.id,), start, n)
    measured, found = means(cells["sums"], cells["masks"]), loads.load_of(store, office, cable.id, start, n)
    carried = found.learnable & (measured >= np.array(cable.limit_ca)[:, None] * SOMETHING) & (measured > 0)
    explained = carried & (found.load <= (1 - NEARLY_ALL) * measured)
    return bool(carried.sum() >= store.per_day and explained.sum() > carried.sum() / 2)


def _risks(judged: Mapping[RiskClass, Judged], office: Office) -> dict[str, RealisedRisk]:
    hour = max(1, HOUR // office.rules.block)
    return {
        one.name or "default": realised(
            one.risk, found.exceeded, found.blocks, found.days, 1 if one.criterion == "15min" else hour
        )
        for one, found in sorted(judged.items(), key=lambda item: item[0].name)
        if found.blocks or one.name != ABOVE
    }
