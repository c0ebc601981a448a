"""Charging profiles: the plan as short-lived TxProfile, the divided fallback as TxDefaultProfile, and their order.

Lower limits go before raises; a raise goes only when all that may be in force, and it, stay within the book.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from gridroom.cso.ledger import Given, Held, reserved
from gridroom.cso.sessions import MINIMUM_CA
from gridroom.cso.stations import Mask, Station
from gridroom.cso.steps import Ints
from gridroom.ocpp.profiles import Kind, Period, Profile, Purpose, Schedule, SetChargingProfile
from gridroom.timegrid import QUARTER

BACK = timedelta(seconds=60)
"""A schedule that starts a moment ahead of a station's clock is accepted and not obeyed; so it starts in the past."""

DAY = timedelta(days=1)
PLAN_BLOCKS = 3
RENEW_BLOCKS = 2
MOST_PERIODS = 24
CONNECTOR = 1
FALLBACK_ID, PLAN_ID = 1, 2
LITTLE_CA = 50
"""A raise smaller than this is not worth a message."""

FALLBACK_MARGIN_CA = 200
FALLBACK_RENEW = timedelta(hours=12)


@dataclass(frozen=True)
class Place:
    """A station in the round of one cable.

    Attributes:
        station: Which.
        held: What it may draw.
        connected: Whether it can be told something now.
        transaction: Of the running session, None without one.
        phases: Phases of the station that its car uses, None without a session.
        unruly_ca: What a station counts with whose car takes more than it may; 0 when it obeys. [0.01 A]
    """

    station: Station
    held: Held
    connected: bool
    transaction: int | None = None
    phases: Mask | None = None
    unruly_ca: int = 0

    def reserved(self, start: datetime, n: int, block: timedelta = QUARTER) -> Ints:
        """What must be kept for it, shape (3, n). [0.01 A]"""
        kept = reserved(self.station, self.held, self.phases, start, n, block)
        if self.phases is not None:
            kept = np.maximum(kept, self.station.on_cable(self.phases)[:, None] * self.unruly_ca)
        return kept

    def with_only(self, given: Given) -> "Place":
        """The place if it held this profile instead of what it holds for the same purpose."""
        if given.transaction is None:
            held = replace(self.held, fallbacks=(given,), fallback_taken=given.number)
        else:
            held = replace(self.held, plans=(given,), plan_taken=given.number)
        return replace(self, held=held)


@dataclass(frozen=True)
class Change:
    """A profile to be sent to a station."""

    identity: str
    given: Given

    @property
    def is_fallback(self) -> bool:
        """Whether it is a TxDefaultProfile."""
        return self.given.transaction is None


def plan_change(place: Place, rates: Ints, start: datetime, block: timedelta = QUARTER) -> Change | None:
    """The plan of a session as a profile; None when what the station holds says the same for long enough.

    Args:
        place: The station.
        rates: Shape (n,), only the first blocks are used. [0.01 A]
        start: Start of the running block. [UTC]
        block: Length of a block.
    """
    wanted = [int(r) for r in rates[:PLAN_BLOCKS]]
    n = len(wanted)
    held = place.held
    if held.settled():
        now_held = held.plan(start, n, held.fallback(start, n, 0, block), block)
        covered = n if not held.plans else int(held.plans[0].cells(start, n, block)[1].sum())
        rise = np.array(wanted[:covered]) - now_held[:covered]
        if covered >= min(RENEW_BLOCKS, n) and (rise >= 0).all() and (rise < LITTLE_CA).all():
            return None
    periods = tuple((start + k * block, limit) for k, limit in enumerate(wanted))
    return Change(place.station.identity, Given(held.number + 1, periods, start + n * block, place.transaction or 0))


def fallback_change(place: Place, limit_ca: int, now: datetime, start: datetime, until: datetime) -> Change | None:
    """The fallback of a station as a profile; None when what it holds says the same for long enough.

    Args:
        place: The station.
        limit_ca: What it may draw without a plan. [0.01 A]
        now: The present moment. [UTC]
        start: Start of the running block. [UTC]
        until: End of what the DSO has stated; 0 from then on. [UTC]
    """
    held = place.held
    if held.fallback_taken and len(held.fallbacks) == 1 and held.fallbacks[0].number == held.fallback_taken:
        known = held.fallbacks[0]
        ends = known.periods[-1][0] if known.periods[-1][1] == 0 and len(known.periods) > 1 else None
        if limit_ca == 0 and (known.at(now) == 0):
            return None
        fits = ends is not None and ends <= until and ends - now >= min(FALLBACK_RENEW, (until - now) / 2)
        if limit_ca > 0 and known.at(now) == limit_ca and fits:
            return None
    periods = ((start, limit_ca), (until, 0)) if limit_ca else ((start, 0),)
    return Change(place.station.identity, Given(held.number + 1, periods))


def choose_fallbacks(
    places: Sequence[Place], planned: Mapping[str, Ints], spare_ca: Ints, total_ca: Sequence[int]
) -> dict[str, int]:
    """Who gets 6 A as its fallback: as many as fit, those with a planned car first, who has it keeps it.

    Args:
        places: Reachable stations.
        planned: Plan per station on the cable's phases, shape (3, k), for those with a car. [0.01 A]
        spare_ca: What plans and unreachable stations leave in the nearest blocks, shape (3, k). [0.01 A]
        total_ca: What all fallbacks of reachable stations together may take, on each phase. [0.01 A]

    Returns:
        Limit per station, 0 or 6 A: their sum, all on three phases, stays within `total_ca`, and with the plans
        within the book.
    """
    spare = spare_ca.copy()
    left = min(int(t) for t in total_ca)
    result: dict[str, int] = {}

    def order(place: Place) -> tuple[bool, bool, str]:
        plan = planned.get(place.station.identity)
        charges = plan is not None and bool(plan.max(axis=0).all())
        return (not charges, not _has_fallback(place), place.station.identity)

    for place in sorted(places, key=order):
        identity = place.station.identity
        plan = planned.get(identity, np.zeros_like(spare))
        extra = np.maximum(MINIMUM_CA - plan, 0)
        margin = 0 if _has_fallback(place) else FALLBACK_MARGIN_CA
        fits = left >= MINIMUM_CA + margin and bool((spare >= extra).all())
        result[identity] = MINIMUM_CA if fits else 0
        if fits:
            left -= MINIMUM_CA
            spare -= extra
    return result


def sendable(
    changes: Sequence[Change],
    places: Mapping[str, Place],
    limits_ca: Ints,
    start: datetime,
    block: timedelta = QUARTER,
) -> list[Change]:
    """The changes that may be sent now, at most one per station.

    A lower always may. What raises, or may raise because it is not certain what the station holds, may if in each such
    cell the sum of all that may be in force at the others, and of itself, stays within the book.
    """
    n = limits_ca.shape[1]
    before = {i: p.reserved(start, n, block) for i, p in places.items()}
    total = np.sum(list(before.values()), axis=0) if before else np.zeros_like(limits_ca)
    chosen: dict[str, Change] = {}
    for change in sorted(changes, key=lambda c: not c.is_fallback):
        if change.identity in chosen:
            continue
        place, old = places[change.identity], before[change.identity]
        after = place.with_only(change.given).reserved(start, n, block)
        lowers = after <= old if place.held.settled() else after == 0
        if (lowers | (total - old + after <= limits_ca)).all():
            chosen[change.identity] = change
            total = total + np.maximum(after - old, 0)
    return list(chosen.values())


def lowered(
    changes: Sequence[Change],
    places: Mapping[str, Place],
    limits_ca: Ints,
    start: datetime,
    block: timedelta = QUARTER,
) -> list[Change]:
    """What of changes that do not fit yet lowers for certain, to make room; at most one per station."""
    n = limits_ca.shape[1]
    before = {i: p.reserved(start, n, block) for i, p in places.items()}
    total = np.sum(list(before.values()), axis=0) if before else np.zeros_like(limits_ca)
    chosen: dict[str, Change] = {}
    for change in sorted(changes, key=lambda c: not c.is_fallback):
        if change.identity not in chosen:
            place = places[change.identity]
            room = (limits_ca - total + before[change.identity]).min(axis=0)
            part = (
                _lower_fallback(change, place) if change.is_fallback else _lower_plan(change, place, room, start, block)
            )
            if part is not None:
                chosen[change.identity] = part
    return list(chosen.values())


def _lower_fallback(change: Change, place: Place) -> Change | None:
    """Nothing at all, where it is not certain what the station holds."""
    periods = change.given.periods
    if place.held.settled() or all(limit == 0 for _, limit in periods):
        return None
    return replace(change, given=replace(change.given, periods=((periods[0][0], 0),)))


def _lower_plan(change: Change, place: Place, room: Ints, start: datetime, block: timedelta) -> Change | None:
    """At most what it holds; where that is not certain, what the others leave."""
    n = len(change.given.periods)
    held = place.held
    wanted = np.array([limit for _, limit in change.given.periods], dtype=np.int64)
    known = held.plan(start, n, held.fallback(start, n, place.station.max_ca, block), block)
    limits = np.minimum(wanted, known if held.settled() else np.maximum(room[:n], 0))
    limits[limits < MINIMUM_CA] = 0
    if not (limits < known).any():
        return None
    periods = tuple((at, int(limit)) for (at, _), limit in zip(change.given.periods, limits, strict=True))
    return replace(change, given=replace(change.given, periods=periods))


def to_ocpp(given: Given, now: datetime, most: int = MOST_PERIODS) -> SetChargingProfile:
    """A profile as a station gets it: from a minute ago, at most `most` periods.

    A fallback allows nothing for a day before that: by a clock that is behind ours no fallback at all would hold.
    """
    plan = given.transaction is not None
    begin = (now - BACK).replace(microsecond=0)
    start = begin if plan else begin - DAY
    current = given.at(now)
    later = [(at, limit) for at, limit in given.periods if at > now]
    now_and_later = [(begin, given.periods[0][1] if current is None else current), *later]
    all_steps = now_and_later if plan else [(start, 0), *now_and_later]
    steps = [(int((at - start).total_seconds()), limit) for at, limit in all_steps]
    periods = tuple(Period(second, limit) for second, limit in compress(steps, most))
    duration = None if given.end is None else int((given.end - start).total_seconds())
    profile = Profile(
        PLAN_ID if plan else FALLBACK_ID,
        1 if plan else 0,
        Purpose.TX if plan else Purpose.TX_DEFAULT,
        Kind.ABSOLUTE,
        Schedule(periods, start, duration),
        transaction_id=given.transaction,
    )
    return SetChargingProfile(CONNECTOR, profile)


def compress(steps: Sequence[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """At most so many steps: equal neighbours joined, then the latest merged by their minimum.

    >>> compress([(0, 9), (900, 9), (1800, 7), (2700, 8), (3600, 6)], 2)
    [(0, 9), (1800, 6)]
    """
    joined = [steps[0]]
    for earlier, step in itertools.pairwise(steps):
        if step[1] != earlier[1]:
            joined.append(step)
    if len(joined) <= most:
        return joined
    tail = joined[most - 1 :]
    return [*joined[: most - 1], (tail[0][0], min(limit for _, limit in tail))]


def _has_fallback(place: Place) -> bool:
    return any(limit > 0 for given in place.held.fallbacks for _, limit in given.periods)
