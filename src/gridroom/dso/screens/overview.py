"""How the DSO fares, read from its database: nothing is changed, and a running DSO is not held up for long."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from gridroom.dso import allocation, loads, reading_counts
from gridroom.dso.cables import Cable, Finding, Phases
from gridroom.dso.loads import PHASES, Load
from gridroom.dso.rules import Criterion, Office, RiskClass, Rules
from gridroom.dso.screens import risk
from gridroom.dso.screens.risk import DAYS, Judged, RealisedRisk, realised
from gridroom.dso.screens.status import Brake, Post, Status
from gridroom.dso.store import Standing, Store
from gridroom.dso.tables import ALLOTMENTS, PLANS, USAGES
from gridroom.oscp.v10.blocks import UNKNOWN
from gridroom.storage.columns import Ints
from gridroom.storage.database import Database
from gridroom.storage.outbox import Outbox
from gridroom.timegrid import DAY, HOUR, floor

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
    rules = office.rules
    with db.transact() as tx:
        status = _status(Store(tx, rules.block), office, party, parties, now, missed_after)
    start, n = floor(now, rules.block) - DAYS * DAY, DAYS * DAY // rules.block
    judged, cables = defaultdict[RiskClass, Judged](Judged), iter(office.register.values())
    unreported, overclaimed = defaultdict[str, list[str]](list), list[str]()
    while some := list(islice(cables, AT_ONCE)):
        with db.transact() as tx:
            store = Store(tx, rules.block)
            for cable in some:
                load, risk_class = loads.load_of(store, office, cable.id, start, n), rules.risk_of(cable)
                judged[risk_class] += _judged(store, rules, cable.limit_ca, risk_class.criterion, [cable], load, start)
                overclaimed += [cable.id] if _is_overclaimed(cable, load, store.per_day) else []
            for silent, cable_id in _unreported(store, rules.block, some, now):
                unreported[silent].append(cable_id)
    for node in office.register.nodes.values():
        with db.transact() as tx:
            store = Store(tx, rules.block)
            if node.limit_ca is not None and store.standing(node.id).latest_end is not None:
                load, below = loads.load_of(store, office, node.id, start, n), office.register.below(node.id)
                judged[replace(rules.classes[0], name=ABOVE)] += _judged(
                    store, rules, node.limit_ca, rules.criterion, below, load, start
                )
    return replace(
        status,
        overclaimed=tuple(overclaimed),
        unreported={one: tuple(ids) for one, ids in sorted(unreported.items())},
        risks=_risks(judged, rules),
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
            force, or nobody has a contract. [A]
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
    standings, plans = store.standings(office.register), store.read_all(PLANS, office.register, start, 1)
    found = []
    for cable in office.register.values():
        standing, available = standings.get(cable.id, Standing()), plans[cable.id,]["available"][:, 0]
        fresh = standing.issued is not None and now - standing.issued <= rules.good_for
        in_force = fresh and bool((available != UNKNOWN).all())
        to_somebody = in_force and any(one.contracted_ca for one in cable.contracts)
        offered = tuple(int(value) / 100 for value in available) if to_somebody else None
        found.append(CableLine(cable, of[cable.id] if in_force else NONE, standing.latest_end, offered))
    return found


def adjusted(store: Store, cable: Cable, start: datetime, n: int) -> dict[str, Ints]:
    """By how much the allotment of each CSO differs from its share: granted above 0, given back below.

    A past block that was divided by other contracts than those of today has none.

    Args:
        store: The memory.
        cable: The cable.
        start: Start of the first block. [UTC]
        n: Number of blocks.

    Returns:
        By CSO, shape (3, n), `UNKNOWN` where there is none. [0.01 A]
    """
    plan, sheets = store.read(PLANS, (cable.id,), start, n), store.read_all(ALLOTMENTS, (cable.id,), start, n)
    mine = [sheets[cable.id, party] for party in cable.parties]
    changes = np.array([one["adjusted"] for one in mine], dtype=np.int64).reshape(-1, PHASES, n)
    weights = [contract.contracted_ca for contract in cable.contracts]
    division = allocation.divide(plan["available"], weights, changes, plan["reserve"])
    same = np.array([one["allotment"] for one in mine]).reshape(-1, PHASES, n) == division.allotment
    known = same.all(axis=0) & (plan["available"] != UNKNOWN)
    found = np.where(known, division.allotment - division.base, UNKNOWN)
    return dict(zip(cable.parties, found, strict=True))


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
        for row in store.notes("division", published - office.rules.good_for):
            if row.cable in office.register:
                found[row.cable] = row.record
    return found


def _status(
    store: Store, office: Office, party: str, parties: Iterable[str], now: datetime, missed_after: timedelta
) -> Status:
    rules, published = office.rules, store.moment("published")
    by_quality = defaultdict[str, list[str]](list)
    for cable, quality in qualities(store, office, published).items():
        by_quality[quality].append(cable)
    standings = store.standings([*office.register, *office.register.nodes])
    ends = {one: standings[one].latest_end if one in standings else None for one in office.register}
    ends |= {one: standings[one].latest_end for one in office.register.nodes if one in standings}  # if ever measured
    late = 2 * rules.publish_every
    limited = {*office.register, *(one.id for one in office.register.nodes.values() if one.limit_ca is not None)}
    return Status(
        party,
        now,
        late,
        published,
        {quality: tuple(ids) for quality, ids in by_quality.items()},
        max((end for end in ends.values() if end is not None), default=None),
        tuple(one for one, end in ends.items() if end is None or now - end > missed_after),
        reading_counts.counted(store, (now - DAYS * DAY).date()),
        _posts(Outbox(store.tx), parties, now, late),
        {operation: asdict(tally) for operation, tally in sorted(Outbox(store.tx).counts().items())},
        {one: brake for one, standing in standings.items() if (brake := _brake(standing, rules.brake_hold, now))},
        missed_after=missed_after,
        block=rules.block,
        unbraked=tuple(
            one for one in ends if one in limited and _too_late(standings.get(one), rules.block, missed_after, now)
        ),
        learned_until=max((one.learned_until for one in standings.values() if one.learned_until), default=None),
    )


def _too_late(standing: Standing | None, block: timedelta, missed_after: timedelta, now: datetime) -> bool:
    """Whether the newest reading was not looked at and is too old for it by now, see `braking`; not if it is missed."""
    if standing is None or standing.latest_end is None:
        return False
    return standing.latest_end != standing.watched and block < now - standing.latest_end <= missed_after


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


def _posts(outbox: Outbox, parties: Iterable[str], now: datetime, late: timedelta) -> dict[str, Post]:
    waiting, overdue = Counter[str](), Counter[str]()
    for letter in outbox.waiting():
        waiting[letter.party] += 1
        overdue[letter.party] += now - letter.date_time >= late
    gone, stopped = defaultdict[str, list[Line]](list), defaultdict[str, list[Line]](list)
    for party, operation, why, at in outbox.lost(now - DAY):
        gone[party].append((operation, why, at))
    for party, operation, said, since in outbox.stopped():
        stopped[party].append((operation, said, since))
    return {
        one: Post(waiting[one], overdue[one], outbox.silent_since(one), tuple(gone[one]), tuple(stopped[one]))
        for one in parties
    }


def _brake(standing: Standing, hold: timedelta, now: datetime) -> Brake | None:
    since, low = standing.braked_at, standing.brake
    if low is None or since is None or now - since >= hold:
        return None
    return Brake(since, since + hold, tuple(value / 100 for value in low))


def _judged(
    store: Store, rules: Rules, limit: Phases, criterion: Criterion, below: Iterable[Cable], load: Load, start: datetime
) -> Judged:
    """Blocks of a load of which it is sure and for which something was issued on the cables below, all together.

    What was available by the newest plan counts, and at least what the CSOs were entitled to or may have held: a brake
    in a block does not undo what was promised of it.
    """
    n = load.load.shape[1]
    offered, known = np.zeros((PHASES, n), dtype=np.int64), load.learnable
    for cable in below:
        available = store.read(PLANS, (cable.id,), start, n)["available"]
        held = sum((store.read(ALLOTMENTS, (cable.id, party), start, n)["entitled"] for party in cable.parties), 0)
        offered, known = offered + np.maximum(available, held), known & (available != UNKNOWN).all(axis=0)
    return risk.judge(limit, offered, load.load, known, criterion, _hour(rules), store.per_day)


def _is_overclaimed(cable: Cable, load: Load, per_day: int) -> bool:
    """Whether reports explain nearly all that a cable carried in most blocks of a week: as if its homes used nothing.

    A report that is too high makes the load that is learned too low, and nothing in OSCP 1.0 proves one.
    """
    week = slice(-WEEK_DAYS * per_day, None)
    measured = load.measured[:, week]
    carried = load.learnable[week] & (measured >= np.array(cable.limit_ca)[:, None] * SOMETHING) & (measured > 0)
    explained = carried & (load.load[:, week] <= (1 - NEARLY_ALL) * measured)
    return bool(carried.sum() >= per_day and explained.sum() > carried.sum() / 2)


def _hour(rules: Rules) -> int:
    """Blocks of an hour."""
    return max(1, HOUR // rules.block)


def _risks(judged: Mapping[RiskClass, Judged], rules: Rules) -> dict[str, RealisedRisk]:
    hour = _hour(rules)
    return {
        one.name or "default": realised(
            one.risk, found.exceeded, found.blocks, found.days, 1 if one.criterion == "15min" else hour
        )
        for one, found in sorted(judged.items(), key=lambda item: item[0].name)
        if found.blocks or one.name != ABOVE
    }
