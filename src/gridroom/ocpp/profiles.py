"""Charging profiles: what a CSO tells a station it may draw, and what a stack of them amounts to.

Source: OCPP 1.6 (edition 2) section 3.13, Smart Charging. Currents are per phase, in hundredths of an ampere.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from gridroom.ocpp.errors import PayloadError


class Purpose(StrEnum):
    """What a profile is for (section 3.13.2). External constraints: OSCP 1.0 section 4.2.1.2, OCPP 2.0.1; not 1.6."""

    EXTERNAL_CONSTRAINTS = "ChargePointExternalConstraints"
    CHARGE_POINT_MAX = "ChargePointMaxProfile"
    TX_DEFAULT = "TxDefaultProfile"
    TX = "TxProfile"


OF_THE_STATION = (Purpose.CHARGE_POINT_MAX, Purpose.EXTERNAL_CONSTRAINTS)
"""Purposes that bound the whole station, whatever else it holds."""


class Kind(StrEnum):
    """What a schedule's times count from (section 3.13.4)."""

    ABSOLUTE = "Absolute"
    RECURRING = "Recurring"
    RELATIVE = "Relative"


class Recurrency(StrEnum):
    """How often a recurring schedule starts anew."""

    DAILY = "Daily"
    WEEKLY = "Weekly"


CYCLE = {Recurrency.DAILY: timedelta(days=1), Recurrency.WEEKLY: timedelta(days=7)}
"""After how long a recurring profile begins anew."""


@dataclass(frozen=True)
class Period:
    """A part of a schedule; it lasts until the next one starts.

    Attributes:
        start_s: Seconds after the start of the schedule. [s]
        limit_ca: The most that each phase may carry. [0.01 A]
        phases: How many phases may be used.
    """

    start_s: int
    limit_ca: int
    phases: int = 3

    def __post_init__(self) -> None:
        if self.start_s < 0:
            raise PayloadError("startPeriod", f"{self.start_s} is negative")
        if self.limit_ca < 0:
            raise PayloadError("limit", f"{self.limit_ca / 100} A is negative")
        if self.phases not in (1, 2, 3):
            raise PayloadError("numberPhases", f"{self.phases} is not 1, 2 or 3")


@dataclass(frozen=True)
class Schedule:
    """Limits over time.

    Attributes:
        periods: At least one, the first at 0 s, in rising order.
        start: Moment that the periods count from; None counts from the start of charging. [UTC]
        duration_s: After it the schedule constrains nothing; None lasts for ever. [s]
    """

    periods: tuple[Period, ...]
    start: datetime | None = None
    duration_s: int | None = None

    def __post_init__(self) -> None:
        starts = [period.start_s for period in self.periods]
        if not starts or starts[0] != 0:
            raise PayloadError("chargingSchedulePeriod", "the first period does not start at 0 s")
        if any(b <= a for a, b in pairwise(starts)):
            raise PayloadError("chargingSchedulePeriod", "the periods do not start one after the other")
        if self.duration_s is not None and self.duration_s <= 0:
            raise PayloadError("duration", f"{self.duration_s} s is not longer than nothing")


@dataclass(frozen=True)
class Profile:
    """A charging profile.

    Attributes:
        id: The CSO's number for it; a profile with the same number replaces it.
        stack_level: The highest valid one of a purpose holds.
        purpose: What it bounds.
        kind: What its times count from.
        schedule: The limits.
        transaction_id: For a TxProfile: the only transaction that it holds for; None holds for the running one.
        valid_from: Not valid before. [UTC]
        valid_to: Not valid from then on. [UTC]
        recurrency: For a recurring one: how often.
    """

    id: int
    stack_level: int
    purpose: Purpose
    kind: Kind
    schedule: Schedule
    transaction_id: int | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    recurrency: Recurrency | None = None

    def __post_init__(self) -> None:
        if self.stack_level < 0:
            raise PayloadError("stackLevel", f"{self.stack_level} is negative")
        if self.transaction_id is not None and self.purpose is not Purpose.TX:
            raise PayloadError("transactionId", f"a {self.purpose} belongs to no transaction")
        if self.kind is Kind.RECURRING and (self.recurrency is None or self.schedule.start is None):
            raise PayloadError("chargingProfileKind", "a Recurring profile needs recurrencyKind and startSchedule")


@dataclass(frozen=True)
class SetChargingProfile:
    """SetChargingProfile.req: a profile for a connector; 0 is the whole station. Also an entry of a station's stack."""

    connector: int
    profile: Profile

    def __post_init__(self) -> None:
        purpose = self.profile.purpose
        if self.connector < 0:
            raise PayloadError("connectorId", f"{self.connector} is negative")
        if purpose in OF_THE_STATION and self.connector != 0:
            raise PayloadError("connectorId", f"a {purpose} belongs to connector 0")
        if purpose is Purpose.TX and self.connector == 0:
            raise PayloadError("connectorId", "a TxProfile belongs to a connector, not to connector 0")


@dataclass(frozen=True)
class ClearChargingProfile:
    """ClearChargingProfile.req: forget the profiles that fit everything that is given; nothing given = all."""

    id: int | None = None
    connector: int | None = None
    purpose: Purpose | None = None
    stack_level: int | None = None


Stack = tuple[SetChargingProfile, ...]
"""The profiles that a station holds."""


@dataclass(frozen=True)
class Transaction:
    """The running transaction of a connector: when it began, and its number once the CSO gave one."""

    start: datetime
    id: int | None = None


def install(stack: Stack, request: SetChargingProfile) -> Stack:
    """A stack with one more profile; one with the same id, or the same place, gives way (OCPP 1.6 section 5.16)."""
    new = request.profile

    def gives_way(old: SetChargingProfile) -> bool:
        same_place = (old.connector, old.profile.purpose, old.profile.stack_level) == (
            request.connector,
            new.purpose,
            new.stack_level,
        )
        return old.profile.id == new.id or same_place

    return (*(old for old in stack if not gives_way(old)), request)


def clear(stack: Stack, request: ClearChargingProfile) -> Stack:
    """A stack without the profiles that the request names (section 5.3)."""

    def named(entry: SetChargingProfile) -> bool:
        profile = entry.profile
        if request.id is not None:
            return profile.id == request.id
        return (
            request.connector in (None, entry.connector)
            and request.purpose in (None, profile.purpose)
            and request.stack_level in (None, profile.stack_level)
        )

    return tuple(entry for entry in stack if not named(entry))


def end_transaction(stack: Stack, connector: int) -> Stack:
    """A stack without the connector's TxProfiles: they end with the transaction (section 3.13.2)."""
    return tuple(e for e in stack if e.profile.purpose is not Purpose.TX or e.connector != connector)


def _schedule_start(profile: Profile, at: datetime, transaction: Transaction | None) -> datetime | None:
    """The moment that a profile's periods count from, for the run of the schedule that `at` may lie in."""
    start = profile.schedule.start
    if profile.kind is Kind.RELATIVE or start is None:
        return transaction.start if transaction else None
    if profile.kind is Kind.RECURRING and profile.recurrency is not None and at >= start:
        return at - (at - start) % CYCLE[profile.recurrency]
    return start


def in_force(profile: Profile, at: datetime, transaction: Transaction | None = None) -> Period | None:
    """The period of a profile that holds at a moment; None when it constrains nothing then."""
    if profile.valid_from is not None and at < profile.valid_from:
        return None
    if profile.valid_to is not None and at >= profile.valid_to:
        return None
    if profile.purpose is Purpose.TX and not _runs(profile, transaction):
        return None
    start = _schedule_start(profile, at, transaction)
    if start is None or at < start:
        return None
    seconds = (at - start).total_seconds()
    duration_s = profile.schedule.duration_s
    if duration_s is not None and seconds >= duration_s:
        return None
    return next(period for period in reversed(profile.schedule.periods) if period.start_s <= seconds)


def _runs(profile: Profile, transaction: Transaction | None) -> bool:
    return transaction is not None and profile.transaction_id in (None, transaction.id)


def _holding(stack: Stack, purpose: Purpose, connector: int, at: datetime, tx: Transaction | None) -> Period | None:
    """The period of the highest stack level in force; a connector's own goes before the station's."""
    for place in (connector, 0) if connector else (0,):
        entries = [e.profile for e in stack if e.connector == place and e.profile.purpose is purpose]
        for profile in sorted(entries, key=lambda p: p.stack_level, reverse=True):
            period = in_force(profile, at, tx)
            if period is not None:
                return period
    return None


def limit_at(stack: Stack, connector: int, at: datetime, transaction: Transaction | None, otherwise: Period) -> Period:
    """What a connector may draw at one moment: TxProfile before TxDefaultProfile, never above what bounds the station.

    Args:
        stack: The profiles that the station holds.
        connector: Its number, from 1.
        at: The moment. [UTC]
        transaction: The connector's running transaction, if any.
        otherwise: What holds where neither a TxProfile nor a TxDefaultProfile does.

    Returns:
        A period whose `start_s` is 0.
    """
    held = (
        _holding(stack, Purpose.TX, connector, at, transaction)
        or _holding(stack, Purpose.TX_DEFAULT, connector, at, transaction)
        or otherwise
    )
    found = [held, *(_holding(stack, purpose, 0, at, transaction) for purpose in OF_THE_STATION)]
    holding = [period for period in found if period is not None]
    return Period(0, min(period.limit_ca for period in holding), min(period.phases for period in holding))


def boundaries(
    profiles: Iterable[Profile], start: datetime, end: datetime, transaction: Transaction | None
) -> list[datetime]:
    """The moments in [start, end) at which a limit may change, `start` first, in order."""
    found = {start}
    for profile in profiles:
        found.update(m for m in (profile.valid_from, profile.valid_to) if m is not None)
        for origin in _origins(profile, start, end, transaction):
            found.update(origin + timedelta(seconds=period.start_s) for period in profile.schedule.periods)
            if profile.schedule.duration_s is not None:
                found.add(origin + timedelta(seconds=profile.schedule.duration_s))
    return sorted(moment for moment in found if start <= moment < end)


def _origins(profile: Profile, start: datetime, end: datetime, transaction: Transaction | None) -> list[datetime]:
    """Each moment that a run of the profile's schedule begins at and that may matter in [start, end)."""
    first = _schedule_start(profile, start, transaction)
    if first is None:
        return []
    if profile.kind is not Kind.RECURRING or profile.recurrency is None:
        return [first]
    cycle = CYCLE[profile.recurrency]
    return [first + n * cycle for n in range(max(0, (end - first) // cycle) + 1)]
