"""A conversion never raises a limit: chapter 4, OCPP 1.6 and 2.0.1, each to each, at every moment."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import ocpp_limits
import ocpp_samples as samples
from gridroom.ocpp import understood, versions
from gridroom.ocpp.convert import Converted, Version, convert
from gridroom.ocpp.draft20 import soap
from gridroom.ocpp.draft20.soap import Letter
from gridroom.ocpp.draft20.values import MeterValuesRequest, SetChargingProfileRequest
from gridroom.ocpp.errors import PayloadError
from gridroom.ocpp.losses import Lost
from gridroom.ocpp.profiles import Kind, Purpose, Transaction, in_force
from gridroom.ocpp.stated import StatedCharging

SINCE = samples.NOON - timedelta(minutes=7)
"""When the charging began that relative schedules count from."""

JSON = st.sampled_from((Version.OCPP16, Version.OCPP201))
moments = st.integers(-200_000, 200_000).map(lambda s: samples.NOON + timedelta(seconds=s, milliseconds=s % 1000))


def changes(message: SetChargingProfileRequest) -> list[datetime]:
    """Moments at which its limit may change, and the microseconds before."""
    profile = message.primary()
    starts = [one for one in (profile.schedule.start_schedule, SINCE, samples.MONDAY) if one is not None]
    offsets = [0, profile.schedule.duration_s or 0, *(one.start_period_s for one in profile.schedule.periods)]
    found = [start + timedelta(seconds=offset) for start in starts for offset in offsets]
    found += [one for one in (profile.valid_from, profile.valid_to) if one is not None]
    return [one - timedelta(microseconds=n) for one in found for n in (0, 1)]


def never_above(after: ocpp_limits.Limit | None, before: ocpp_limits.Limit | None) -> None:
    """Bounds at the same moments, and nowhere more."""
    if before is None or after is None:
        assert before == after
    else:
        assert after.ampere <= before.ampere
        assert after.phases <= before.phases


def carried(message: SetChargingProfileRequest, to: Version) -> Converted | None:
    """A message of chapter 4 in JSON; None where that has to be refused."""
    data = soap.write(Letter(message, "CB"))
    if to is Version.OCPP16 and message.primary().purpose is Purpose.EXTERNAL_CONSTRAINTS:
        return None
    return convert(data, to)


@given(samples.charging(), JSON, st.lists(moments, max_size=4))
def test_from_chapter_4_no_limit_is_raised_at_any_moment(
    message: SetChargingProfileRequest, to: Version, more: list[datetime]
) -> None:
    found = carried(message, to)
    if found is None:
        return
    for at in (*changes(message), *more):
        never_above(ocpp_limits.payload(found.text, at, SINCE), ocpp_limits.draft(message, at, SINCE))


@st.composite
def payloads(draw: st.DrawFn) -> tuple[Version, dict[str, Any]]:
    """A SetChargingProfile in JSON of either version; in 2.0.1 now and then with several schedules."""
    version = draw(JSON)
    kind = draw(st.sampled_from(("Absolute", "Recurring", "Relative")))
    purpose = draw(st.sampled_from(("TxDefaultProfile", "TxProfile")))
    start = {}
    if kind != "Relative":
        day = samples.MONDAY + timedelta(days=7 * draw(st.integers(-2, 0)))
        at = day if kind == "Recurring" else draw(moments)
        start = {"startSchedule": at.isoformat(timespec="milliseconds").replace("+00:00", "Z")}
    duration = draw(st.none() | st.integers(1, 5000))
    unit = draw(st.sampled_from("AW"))
    most = 64 if unit == "A" else 30_000

    def schedule(number: int) -> dict[str, Any]:
        starts = [0, *sorted(draw(st.sets(st.integers(1, 4000), max_size=3)))]
        parts = []
        for one in starts:
            limit = draw(st.decimals(0, most, places=1))
            phases = draw(st.sampled_from((None, 1, 2, 3)))
            named = {} if phases is None else {"numberPhases": phases}
            parts.append({"startPeriod": one, "limit": float(limit), **named})
        told = start | ({} if duration is None else {"duration": duration})
        return {"id": number, **told, "chargingRateUnit": unit, "chargingSchedulePeriod": parts}

    body = {"stackLevel": 1, "chargingProfilePurpose": purpose, "chargingProfileKind": kind}
    if kind == "Recurring":
        body["recurrencyKind"] = draw(st.sampled_from(("Daily", "Weekly")))
    if version is Version.OCPP16:
        one = schedule(1)
        del one["id"]
        return version, {
            "connectorId": 1,
            "csChargingProfiles": {"chargingProfileId": 5, **body, "chargingSchedule": one},
        }
    several = [schedule(number) for number in range(draw(st.integers(1, 3)))]
    return version, {"evseId": 1, "chargingProfile": {"id": 5, **body, "chargingSchedule": several}}


@given(payloads(), st.sampled_from(Version), st.lists(moments, min_size=3, max_size=6))
def test_from_json_no_limit_is_raised_at_any_moment(
    said: tuple[Version, dict[str, Any]], to: Version, more: list[datetime]
) -> None:
    text = json.dumps(said[1])
    found = convert(text.encode(), to, "CB")
    if to is Version.DRAFT20:
        message = soap.read(found.text.encode()).message
        assert isinstance(message, SetChargingProfileRequest)
        for at in (*changes(message), *more):
            never_above(ocpp_limits.draft(message, at, SINCE), ocpp_limits.payload(text, at, SINCE))
    else:
        for at in more:
            never_above(ocpp_limits.payload(found.text, at, SINCE), ocpp_limits.payload(text, at, SINCE))


@given(payloads(), st.lists(moments, min_size=3, max_size=6))
def test_what_our_stations_understand_is_never_above_what_is_stated(
    said: tuple[Version, dict[str, Any]], more: list[datetime]
) -> None:
    stated = versions.read(said[0], "SetChargingProfile", said[1], [])
    assert isinstance(stated, StatedCharging)
    profile = understood.charging(stated).profile
    for at in more:
        held = in_force(profile, at, Transaction(SINCE))
        limit = None if held is None else ocpp_limits.Limit(Fraction(held.limit_ca, 100), held.phases)
        never_above(limit, ocpp_limits.payload(json.dumps(said[1]), at, SINCE))


NOT_IN_THE_LIMIT = {Lost.IDENTITY, Lost.EVSE}
"""Losses of a message whose content comes back whole."""


@given(samples.charging(), JSON)
def test_where_nothing_is_lost_a_round_trip_gives_the_message_back(
    message: SetChargingProfileRequest, to: Version
) -> None:
    found = carried(message, to)
    if found is None or {loss.what for loss in found.losses} - NOT_IN_THE_LIMIT - {Lost.TRANSACTION}:
        return
    back = convert(found.text.encode(), Version.DRAFT20, "CB")
    assert {loss.what for loss in back.losses} <= NOT_IN_THE_LIMIT
    expected = replace(message, profiles=(replace(message.primary(), primary=True),))
    assert soap.read(back.text.encode()).message == expected


@given(samples.readings, JSON)
def test_where_nothing_is_lost_readings_come_back(message: MeterValuesRequest, to: Version) -> None:
    try:
        found = convert(soap.write(Letter(message, "CB")), to)
    except PayloadError as error:
        assert "no value is left" in error.reason  # noqa: PT017
        return
    if {loss.what for loss in found.losses} - NOT_IN_THE_LIMIT:
        return
    back = soap.read(convert(found.text.encode(), Version.DRAFT20, "CB").text.encode()).message
    assert isinstance(back, MeterValuesRequest)
    assert (back.evse, back.transaction_id) == (message.evse, message.transaction_id)
    for before, after in zip(message.values, back.values, strict=True):
        assert before.timestamp == after.timestamp
        for one, other in zip(before.values, after.values, strict=True):
            assert replace(one, text="") == replace(other, text="")
            assert one.text == other.text or Decimal(one.text) == Decimal(other.text)


def test_the_round_trips_lose_nothing_often_enough() -> None:
    """The laws above are about something: an absolute schedule by current or by power comes back."""
    for periods in ({"max_power_kw": 11}, {"max_current_a": Decimal("16.1")}):
        profile = samples.OFFLINE.profiles[0]
        part = replace(profile.schedule.periods[0], max_current_a=None)
        schedule = replace(profile.schedule, id=profile.id, periods=(replace(part, **periods),))
        message = replace(samples.OFFLINE, profiles=(replace(profile, schedule=schedule, primary=True),))
        for to in (Version.OCPP16, Version.OCPP201):
            found = convert(soap.write(Letter(message, "CB")), to)
            assert [loss.what for loss in found.losses] == [Lost.IDENTITY]
            assert soap.read(convert(found.text.encode(), Version.DRAFT20, "CB").text.encode()).message == message
    assert message.primary().kind is Kind.RECURRING
