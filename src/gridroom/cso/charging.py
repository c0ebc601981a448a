"""What a CSO does with its stations and drivers: cars come and go, are measured, and have wishes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gridroom.cso import usage
from gridroom.cso.ledger import Held
from gridroom.cso.sessions import MINIMUM_CA, Session, Wish, measured
from gridroom.cso.settings import Market
from gridroom.cso.stations import Station
from gridroom.cso.store import Store, day_of
from gridroom.ocpp.metering import MeterReading

FRESH_WISH = timedelta(minutes=30)
"""A wish made at most so long before the car was plugged in belongs to it."""


class WishError(Exception):
    """A driver's wish that cannot be taken; `field` names what is wrong."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def station_up(store: Store, station: Station, now: datetime) -> None:
    """A station came up, or came back: it may have lost its profiles."""
    store.save_held(station.identity, store.held(station.identity).restarted(now))


def start_session(store: Store, station: Station, meter_start_wh: int, at: datetime, now: datetime) -> int:
    """A car began to charge; gives the transaction's number, the same one when the message comes again."""
    known = store.session(station.identity)
    if known is not None and (known.started, known.meter_start_wh) == (at, meter_start_wh):
        return known.transaction
    number = (store.fact("transactions", int) or 0) + 1
    store.save_fact("transactions", number)
    _keep_reading(store, station, at, meter_start_wh, (0, 0, 0))
    wish = store.wish(station.identity)
    fresh = wish is not None and at - wish.at <= FRESH_WISH and (wish.departure is None or wish.departure > at)
    store.save_session(
        Session(station.identity, number, at, meter_start_wh, wish if fresh else None, register_wh=meter_start_wh)
    )
    store.save_held(station.identity, store.held(station.identity).ended(now))
    return number


def stop_session(
    store: Store, station: Station, transaction: int, meter_stop_wh: int, at: datetime, now: datetime
) -> Session | None:
    """A car is gone; the profiles of its transaction with it. Gives the session that ended, if it ran."""
    _keep_reading(store, station, at, meter_stop_wh, (0, 0, 0))
    known = store.session(station.identity)
    if known is None or known.transaction != transaction:
        return None
    store.drop_session(station.identity)
    store.drop_wish(station.identity)
    store.save_held(station.identity, store.held(station.identity).ended(now))
    return known


def take_readings(
    store: Store, station: Station, transaction: int | None, readings: Sequence[MeterReading]
) -> Session | None:
    """MeterValues: energy into the station's day, and what they show about the running session, which is returned."""
    session = store.session(station.identity)
    held = store.held(station.identity)
    for reading in sorted(readings, key=lambda r: r.timestamp):
        register, current = reading.register_wh(), reading.currents_ca()
        if register is not None:
            _keep_reading(store, station, reading.timestamp, register, current)
        if session is not None and transaction in (None, session.transaction) and reading.timestamp >= session.started:
            since = session.sampled_at or session.started
            at = reading.timestamp
            session = measured(session, at, current, register, _allowed(held, since, at), held.most(since, at))
            held = held.sampled(at)
    if session is not None:
        store.save_session(session)
        store.save_held(station.identity, held)
    return session


def suspend(store: Store, station: str, now: datetime, *, full: bool) -> None:
    """The station says that the car takes nothing, which counts only while it may, or that it takes again."""
    session = store.session(station)
    if full and (store.held(station).now(now) or 0) < MINIMUM_CA:
        return
    if session is not None and session.full != full:
        store.save_session(replace(session, full=full, idle=0))


def take_wish(
    store: Store, market: Market, station: str, departure: datetime | None, energy_wh: int | None, now: datetime
) -> None:
    """A driver declares departure and energy for the car at a station, plugged in or about to be.

    Raises:
        WishError: The station is not ours, or a value cannot be meant.
    """
    if market.register.get(station) is None:
        raise WishError("station", "no such charge station")
    if departure is None and energy_wh is None:
        raise WishError("departure", "give departure, energy_kwh, or both")
    if departure is not None and not now < departure <= now + timedelta(days=14):
        raise WishError("departure", "must lie ahead, by two weeks at most")
    if energy_wh is not None and not 0 < energy_wh <= 1_000_000:
        raise WishError("energy_kwh", "must be above 0 and at most 1000")
    wish = Wish(now, departure, energy_wh)
    store.save_wish(station, wish)
    session = store.session(station)
    if session is not None:
        store.save_session(replace(session, wish=wish))


def _allowed(held: Held, since: datetime, until: datetime) -> int | None:
    return held.allowed(since, until) if since < until else None


def _keep_reading(
    store: Store, station: Station, at: datetime, register_wh: int, current_ca: Sequence[int | None]
) -> None:
    day = day_of(at.astimezone(UTC))
    known = store.day_readings(station.identity, day)
    store.save_day_readings(station.identity, day, usage.add(known, at, register_wh, current_ca))
