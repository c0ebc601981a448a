"""What a message of chapter 4, OCPP 1.6 or 2.0.1 allows at a moment, reckoned from the documents and exactly.

For the tests of conversions: shares no code with what it judges. A limit is the current of each phase, where a power
is what it is at 253 V: the least that it can be.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from gridroom.ocpp.draft20.values import ChargingSchedulePeriod, SetChargingProfileRequest

V = 253
CYCLES = {"Daily": timedelta(days=1), "Weekly": timedelta(days=7)}


class Limit(NamedTuple):
    """Ampere in each phase, and how many phases."""

    ampere: Fraction
    phases: int


def _part(ampere: Decimal | None, watt: Decimal | None, phases: int | None) -> Limit:
    number = 3 if phases is None else phases
    limits = [] if ampere is None else [Fraction(ampere)]
    if watt is not None:
        limits.append(Fraction(watt) / (V * number))
    return Limit(min(limits), number)


def _held(
    at: datetime, origin: datetime | None, duration_s: int | None, parts: list[tuple[int, Limit]]
) -> Limit | None:
    if origin is None or at < origin or (duration_s is not None and at >= origin + timedelta(seconds=duration_s)):
        return None
    return [limit for start_s, limit in parts if origin + timedelta(seconds=start_s) <= at][-1]


def _origin(
    kind: str, cycle: str | None, start: datetime | None, at: datetime, charging_since: datetime
) -> datetime | None:
    if kind == "Recurring" and cycle is not None and start is not None and at >= start:
        while start + CYCLES[cycle] <= at:
            start += CYCLES[cycle]
        return start
    return charging_since if kind == "Relative" or start is None else start


def draft(message: SetChargingProfileRequest, at: datetime, charging_since: datetime) -> Limit | None:
    """What the primary profile of a message of chapter 4 allows; None where it does not bound."""
    (profile,) = [one for one in message.profiles if one.primary] or message.profiles
    if (profile.valid_from and at < profile.valid_from) or (profile.valid_to and at >= profile.valid_to):
        return None
    start = profile.schedule.start_schedule
    if start is None and profile.recurrency is not None:  # since always, from midnight or Monday's midnight
        start = datetime(2014, 8, 4, tzinfo=UTC)
    origin = _origin(profile.kind, profile.recurrency, start, at, charging_since)
    return _held(at, origin, profile.schedule.duration_s, [_draft_part(one) for one in profile.schedule.periods])


def _draft_part(one: ChargingSchedulePeriod) -> tuple[int, Limit]:
    watt = None if one.max_power_kw is None else Decimal(one.max_power_kw) * 1000
    return one.start_period_s, _part(one.max_current_a, watt, one.number_phases)


def _moment(body: Mapping[str, Any], key: str) -> datetime | None:
    return datetime.fromisoformat(body[key]) if key in body else None


def payload(text: str, at: datetime, charging_since: datetime) -> Limit | None:
    """What a SetChargingProfile in JSON allows, the lowest of its schedules; None where one does not bound."""
    body = json.loads(text, parse_float=Decimal, parse_int=int)
    profile = body.get("csChargingProfiles") or body["chargingProfile"]
    valid_from, valid_to = _moment(profile, "validFrom"), _moment(profile, "validTo")
    if (valid_from and at < valid_from) or (valid_to and at >= valid_to):
        return None
    schedules = profile["chargingSchedule"]
    found = [
        _schedule(profile, one, at, charging_since)
        for one in (schedules if isinstance(schedules, list) else [schedules])
    ]
    limits = [one for one in found if one is not None]
    if len(limits) < len(found):
        return None
    return Limit(min(one.ampere for one in limits), min(one.phases for one in limits))


def _schedule(
    profile: Mapping[str, Any], schedule: Mapping[str, Any], at: datetime, charging_since: datetime
) -> Limit | None:
    start = _moment(schedule, "startSchedule")
    origin = _origin(profile["chargingProfileKind"], profile.get("recurrencyKind"), start, at, charging_since)
    current = schedule["chargingRateUnit"] == "A"
    parts = [
        (
            one["startPeriod"],
            _part(one["limit"] if current else None, None if current else one["limit"], one.get("numberPhases")),
        )
        for one in schedule["chargingSchedulePeriod"]
    ]
    return _held(at, origin, schedule.get("duration"), parts)
