"""One planning round of one cable: who charges, what each station is told, and what is asked of the DSO."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np

from gridroom.cso import adjustment, profiles
from gridroom.cso.book import Book
from gridroom.cso.ledger import Given, Held
from gridroom.cso.priority import best
from gridroom.cso.profiles import Change, Place
from gridroom.cso.schedule import CONTENT, FULL, MISSING, Car, Plan, demand
from gridroom.cso.sessions import Session
from gridroom.cso.settings import Market
from gridroom.cso.stations import CableKey
from gridroom.cso.steps import Ints
from gridroom.cso.store import Store
from gridroom.ocpp.profiles import SetChargingProfile
from gridroom.oscp.v10.blocks import request_spans
from gridroom.oscp.v10.letters import Letter, letter
from gridroom.oscp.v10.messages import Adjustment, RequestAdjustedCapacityRequest
from gridroom.storage.outbox import Outbox
from gridroom.timegrid import floor

MOST_STEPS = 8
NewId = Callable[[], str]


@dataclass
class Round:
    """A planning round under way; `next_batch` and `heard` alternate until nothing is left.

    Attributes:
        key: The cable.
        start: Start of the running block. [UTC]
        limits_ca: What the book allows, shape (3, n). [0.01 A]
        plan: Who charges when.
        pending: Changes not yet sent.
        steps: Batches sent.
    """

    key: CableKey
    start: datetime
    limits_ca: Ints
    plan: Plan
    pending: list[Change] = field(default_factory=list)
    steps: int = 0


def prepare(
    store: Store, market: Market, key: CableKey, connected: Callable[[str], bool], now: datetime, new_id: NewId
) -> Round:
    """Plan a cable; what is to be asked of the DSO is put in the outbox at once, what is given back is booked.

    Args:
        store: The memory.
        market: The world as configured.
        key: The cable.
        connected: Whether a station can be reached.
        now: The present moment. [UTC]
        new_id: Gives a fresh MessageID.
    """
    start, n, block = floor(now, market.block), market.blocks_a_day, market.block
    book = store.book(key).tidy(now)
    sessions = store.sessions()
    places = _places(store, market, key, connected, sessions, now)
    limits = book.limits(now, start, n, block)
    fixed = [p for p in places.values() if not p.connected or p.unruly_ca]
    kept = _total(fixed, start, n, block)
    cars = [_car(p, sessions[i], market, now) for i, p in places.items() if p.phases and p not in fixed]
    plan = best(cars, limits - kept, start, now, block)
    asked = _adjust(store, market, key, book, limits, kept, plan, places, start, now, new_id)
    if asked is not None:
        book = asked
        limits = np.minimum(limits, book.limits(now, start, n, block))
    store.save_book(key, book)
    pending = _changes(places, plan, limits, kept, book, now, start, block)
    return Round(key, start, limits, plan, pending)


def next_batch(
    round_: Round, store: Store, market: Market, connected: Callable[[str], bool], now: datetime
) -> list[tuple[Change, SetChargingProfile]]:
    """What to send next, all at once; noted as possibly in force before it leaves. Empty when the round is over."""
    if round_.steps >= MOST_STEPS or not round_.pending:
        return []
    sessions = store.sessions()
    places = _places(store, market, round_.key, connected, sessions, now)
    round_.pending = [c for c in round_.pending if _still_true(c, places)]
    n = round_.limits_ca.shape[1]
    by_now = store.book(round_.key).limits(now, round_.start, n, market.block)  # a forecast may have come meanwhile
    limits = np.minimum(round_.limits_ca, by_now)
    batch = profiles.sendable(round_.pending, places, limits, round_.start, market.block)
    if batch:
        round_.pending = [c for c in round_.pending if c not in batch]
    else:
        batch = profiles.lowered(round_.pending, places, limits, round_.start, market.block)
    round_.steps += 1
    return [_offer(store, change, now) for change in batch]


def heard(store: Store, change: Change, *, accepted: bool | None) -> None:
    """What a station answered to a change: took it, refused it, or nothing certain (None)."""
    held = store.held(change.identity)
    if accepted is True:
        store.save_held(change.identity, held.accepted(change.given))
    elif accepted is False:
        store.save_held(change.identity, held.refused(change.given))


def _offer(store: Store, change: Change, now: datetime) -> tuple[Change, SetChargingProfile]:
    held = store.held(change.identity)
    numbered = Change(change.identity, _numbered(change, held.number + 1))
    store.save_held(change.identity, held.offer(numbered.given, now))
    return numbered, profiles.to_ocpp(numbered.given, now)


def _numbered(change: Change, number: int) -> Given:
    given = change.given
    return Given(number, given.periods, given.end, given.transaction)


def _still_true(change: Change, places: dict[str, Place]) -> bool:
    place = places[change.identity]
    return place.connected and (change.is_fallback or place.transaction == change.given.transaction)


def _places(
    store: Store,
    market: Market,
    key: CableKey,
    connected: Callable[[str], bool],
    sessions: dict[str, Session],
    now: datetime,
) -> dict[str, Place]:
    known = store.all_held()
    found: dict[str, Place] = {}
    for station in market.register.on(key):
        identity = station.identity
        held = known[identity].tidy(now) if identity in known else Held()
        session = sessions.get(identity)
        found[identity] = Place(
            station,
            held,
            connected(identity),
            session.transaction if session else None,
            session.phases if session else None,
            max(station.max_ca, *session.draw_ca) if session and session.unruly else 0,
        )
    return found


def _car(place: Place, session: Session, market: Market, now: datetime) -> Car:
    most = place.station.max_ca if session.cap_ca is None else min(place.station.max_ca, session.cap_ca)
    need = session.need_wh()
    rank = FULL if session.full else CONTENT if need == 0 else MISSING
    declared = session.wish is not None and session.wish.departure is not None
    deadline = session.deadline(now, market.assumed_stay)
    on_cable = place.station.on_cable(session.phases)
    return Car(
        session.station,
        on_cable,
        most,
        deadline,
        need,
        rank,
        declared,
        got_wh=session.delivered_wh,
        since=session.started,
        unseen=not session.known,
    )


def _total(places: list[Place], start: datetime, n: int, block: timedelta) -> Ints:
    total = np.zeros((3, n), dtype=np.int64)
    for place in places:
        total += place.reserved(start, n, block)
    return total


def _changes(
    places: dict[str, Place],
    plan: Plan,
    limits: Ints,
    kept: Ints,
    book: Book,
    now: datetime,
    start: datetime,
    block: timedelta,
) -> list[Change]:
    """What to tell each reachable station, as far as it does not know it."""
    near = slice(0, profiles.PLAN_BLOCKS)
    planned = {
        car.station: plan.rates_ca[i, near] * car.phases[:, None].astype(np.int64) for i, car in enumerate(plan.cars)
    }
    until = floor(book.stated.end or now, block)
    reachable = [p for p in places.values() if p.connected]
    spare = (limits - kept)[:, near] - plan.used()[:, near]
    total = _fallback_total(book, places, limits, until, now, start, block)
    chosen = profiles.choose_fallbacks(reachable, planned, spare, total)
    changes: list[Change | None] = [
        profiles.fallback_change(p, chosen[p.station.identity], now, start, until) for p in reachable
    ]
    rates = {car.station: plan.rates_ca[i] for i, car in enumerate(plan.cars)}
    changes += [
        profiles.plan_change(places[station], rate, start, block)
        for station, rate in rates.items()
        if places[station].connected
    ]
    return [c for c in changes if c is not None]


def _fallback_total(
    book: Book,
    places: dict[str, Place],
    limits: Ints,
    until: datetime,
    now: datetime,
    start: datetime,
    block: timedelta,
) -> list[int]:
    """What the fallbacks of reachable stations together may take, per phase: at no time above book or offline value."""
    cells = max(0, min(limits.shape[1], (until - start) // block))
    if cells == 0:
        return [0, 0, 0]
    away = [replace(p, phases=None) for p in places.values() if not p.connected]
    kept = _total(away, start, cells, block).max(axis=1)
    lowest = limits[:, :cells].min(axis=1)
    return [min(int(low), off) - int(k) for low, off, k in zip(lowest, book.offline(now), kept, strict=True)]


def _adjust(
    store: Store,
    market: Market,
    key: CableKey,
    book: Book,
    limits: Ints,
    kept: Ints,
    plan: Plan,
    places: dict[str, Place],
    start: datetime,
    now: datetime,
    new_id: NewId,
) -> Book | None:
    """The book after asking for more or giving back; None when there is nothing to ask."""
    if book.made_at is None or book.pending(now):
        return None
    if not Outbox(store.tx).offered(key.dso, "RequestAdjustedCapacity"):
        return None
    block, n = market.block, limits.shape[1]
    wanted = demand(plan.cars, n, start, now, block)
    remaining = book.remaining_at(start, n, block)
    deltas = adjustment.more(limits, kept, wanted, remaining)
    calm = f"asked-more:{key.dso}:{key.cable}"
    if deltas.any():
        store.save_fact(calm, now)
    else:
        last = store.fact(calm, datetime)
        if last is not None and timedelta(0) <= now - last < adjustment.CALM:
            return None
        in_force = np.maximum(_total(list(places.values()), start, n, block), plan.used() + kept)
        policy = adjustment.Policy(market.reserve_ca, market.give_back_least_ca)
        deltas = -adjustment.less(limits, in_force, wanted, policy)
    peer = market.peers[key.dso]
    if peer.profile.phases == "smallest":
        deltas = adjustment.alike(deltas, remaining)
    change = adjustment.adjustment(key.cable, deltas, start, peer.profile, now, block)
    return None if change is None else owe(store, market, key, book, change, now, new_id)


def owe(
    store: Store, market: Market, key: CableKey, book: Book, change: Adjustment, now: datetime, new_id: NewId
) -> Book:
    """Owe the DSO a request, in the store's transaction; gives the book, in which what is given back counts already."""
    body = RequestAdjustedCapacityRequest((change,))
    sent: Letter = letter(market.peers[key.dso], body, now=now, message_id=new_id())
    Outbox(store.tx).put(sent)
    return book.ask(sent.message_id, request_spans(change, market.terms[key])[0], now)
