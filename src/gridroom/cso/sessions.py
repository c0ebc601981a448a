"""Charging sessions: what a car uses, wants and takes, as far as its meter and its driver tell."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gridroom.cso.stations import Mask

ALL: Mask = (True, True, True)
MINIMUM_CA = 600
"""A car that charges takes at least 6 A. Source: IEC 61851-1."""

DRAWS_CA = 100
"""Below 1 A a phase counts as unused."""

CLEAR_CA = 300
"""From 3 A on L1 a sample shows which phases a car uses."""

SLACK_CA = 150
"""A car that stays this far below its limit takes less by itself."""

ROOM_CA = 100
"""What a tailing car gets above what it takes."""

STEP_CA = 400
"""How much a tailing car that takes all gets more, to see whether it wants it."""

SURE = 2
"""Samples in a row that make a finding sure."""

IDLE = 3
"""Samples in a row without current after which a car counts as full."""


@dataclass(frozen=True)
class Wish:
    """What a driver declared.

    Attributes:
        at: When. [UTC]
        departure: When the driver leaves; None when not said. [UTC]
        energy_wh: Energy wanted in the whole session; None when not said. [Wh]
    """

    at: datetime
    departure: datetime | None = None
    energy_wh: int | None = None


@dataclass(frozen=True)
class Session:
    """A transaction at a station.

    Attributes:
        station: Identity of the station.
        transaction: Its number.
        started: When it began. [UTC]
        meter_start_wh: Register at its start. [Wh]
        wish: What the driver declared, if anything.
        phases: Phases of the station that the car uses; all three until two samples show otherwise.
        sampled_at: Last sample. [UTC]
        register_wh: Register then. [Wh]
        draw_ca: Current of L1, L2, L3 then. [0.01 A]
        cap_ca: What the car takes at most, found in its tail; None while not known. [0.01 A]
        full: Whether it takes nothing though it may.
        unruly: Whether it takes more than it may.
        known: Whether two samples showed its phases.
        seen: Phases that the last clear sample showed, to be confirmed by the next.
        low: Samples in a row well below the limit.
        idle: Samples in a row without current.
        at_cap: Samples in a row at the cap.
        over: Samples in a row above the limit.
    """

    station: str
    transaction: int
    started: datetime
    meter_start_wh: int
    wish: Wish | None = None
    phases: Mask = ALL
    sampled_at: datetime | None = None
    register_wh: int | None = None
    draw_ca: tuple[int, int, int] = (0, 0, 0)
    cap_ca: int | None = None
    full: bool = False
    unruly: bool = False
    known: bool = False
    seen: Mask | None = None
    low: int = 0
    idle: int = 0
    at_cap: int = 0
    over: int = 0

    @property
    def delivered_wh(self) -> int:
        """Energy since its start. [Wh]"""
        return 0 if self.register_wh is None else max(0, self.register_wh - self.meter_start_wh)

    def need_wh(self) -> int | None:
        """Energy that the driver still misses; None when nothing was said. [Wh]"""
        if self.wish is None or self.wish.energy_wh is None:
            return None
        return max(0, self.wish.energy_wh - self.delivered_wh)

    def deadline(self, now: datetime, assumed: timedelta) -> datetime:
        """When the car leaves: as declared, else so long after it came, and at least an hour from now. [UTC]"""
        if self.wish is not None and self.wish.departure is not None and self.wish.departure > now:
            return self.wish.departure
        return max(self.started + assumed, now + timedelta(hours=1))


def measured(
    session: Session,
    at: datetime,
    current_ca: Sequence[int | None],
    register_wh: int | None,
    allowed_ca: int | None,
    most_ca: int,
) -> Session:
    """The session after a sample.

    Args:
        session: Before it.
        at: When it was taken; one older than the last changes nothing. [UTC]
        current_ca: Mean current of L1, L2, L3 since the last sample, None where not measured. [0.01 A]
        register_wh: Energy register. [Wh]
        allowed_ca: The least that was allowed since the last sample; None when that changed or is not known. [0.01 A]
        most_ca: The most that may have been allowed since then. [0.01 A]
    """
    if session.sampled_at is not None and at <= session.sampled_at:
        return session
    session = replace(session, sampled_at=at)
    if register_wh is not None:
        session = replace(session, register_wh=register_wh)
    if all(c is None for c in current_ca):
        return session
    draw = (current_ca[0] or 0, current_ca[1] or 0, current_ca[2] or 0)
    session = replace(session, draw_ca=draw)
    if not any(c is None for c in current_ca):
        session = _phases(session)
    session = _obedience(session, most_ca)
    return session if allowed_ca is None else _tail(session, allowed_ca)


def _phases(session: Session) -> Session:
    draw = session.draw_ca
    used: Mask = (draw[0] >= DRAWS_CA, draw[1] >= DRAWS_CA, draw[2] >= DRAWS_CA)
    if any(u and not p for u, p in zip(used, session.phases, strict=True)):
        return replace(session, phases=ALL, seen=None, known=False)
    if draw[0] < CLEAR_CA:
        return session
    if used == session.seen:
        return replace(session, phases=used, known=True)
    return replace(session, seen=used)


def _obedience(session: Session, most_ca: int) -> Session:
    over = session.over + 1 if max(session.draw_ca) > most_ca * 1.05 + DRAWS_CA else 0
    return replace(session, over=over, unruly=over >= SURE or (session.unruly and over > 0))


def _tail(session: Session, allowed_ca: int) -> Session:
    draw = max(session.draw_ca)
    if allowed_ca < MINIMUM_CA:
        return replace(session, low=0, idle=0, at_cap=0)
    if draw < DRAWS_CA / 2:
        idle = session.idle + 1
        return replace(session, idle=idle, full=session.full or idle >= IDLE, low=0, at_cap=0)
    session = replace(session, idle=0, full=session.full and draw < DRAWS_CA)
    if draw < allowed_ca - SLACK_CA:
        low = session.low + 1
        cap = max(MINIMUM_CA, draw + ROOM_CA) if low >= SURE else session.cap_ca
        return replace(session, low=low, cap_ca=cap, at_cap=0)
    if session.cap_ca is not None and draw >= session.cap_ca - ROOM_CA // 2:
        at_cap = session.at_cap + 1
        if at_cap >= SURE:
            return replace(session, cap_ca=session.cap_ca + STEP_CA, at_cap=0, low=0)
        return replace(session, at_cap=at_cap, low=0)
    return replace(session, low=0, at_cap=0)
