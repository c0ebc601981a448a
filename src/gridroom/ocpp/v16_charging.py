"""OCPP 1.6: charging profiles between payload and what they state. Source: OCPP 1.6 (edition 2) chapters 6 and 7."""

from gridroom.ocpp import fields, times
from gridroom.ocpp.errors import PayloadError
from gridroom.ocpp.fields import Body, Payload, maybe, plain_number, present
from gridroom.ocpp.losses import Loss, Lost
from gridroom.ocpp.narrowing import only_schedule, phase_left_out, tenths
from gridroom.ocpp.profiles import Kind, Purpose, Recurrency
from gridroom.ocpp.stated import (
    LONGEST_S,
    RateUnit,
    StatedCharging,
    StatedPeriod,
    StatedProfile,
    StatedSchedule,
)


def read_charging(payload: Body) -> StatedCharging:
    """What a SetChargingProfile states.

    Raises:
        PayloadError: A field is missing, unknown or not what it should be.
    """
    fields.only(payload, "connectorId", "csChargingProfiles")
    body = fields.object_(payload, "csChargingProfiles")
    fields.only(
        body,
        *("chargingProfileId", "transactionId", "stackLevel", "chargingProfilePurpose", "chargingProfileKind"),
        *("recurrencyKind", "validFrom", "validTo", "chargingSchedule"),
    )
    purpose = fields.one_of(Purpose)(body, "chargingProfilePurpose")
    if purpose is Purpose.EXTERNAL_CONSTRAINTS:
        raise PayloadError("chargingProfilePurpose", f"OCPP 1.6 has no {purpose}")
    transaction_id = maybe(body, "transactionId", fields.any_whole)
    profile = StatedProfile(
        id=fields.any_whole(body, "chargingProfileId"),
        stack_level=fields.whole(body, "stackLevel"),
        purpose=purpose,
        kind=fields.one_of(Kind)(body, "chargingProfileKind"),
        schedules=(_read_schedule(fields.object_(body, "chargingSchedule")),),
        transaction_id=None if transaction_id is None else str(transaction_id),
        valid_from=maybe(body, "validFrom", fields.time),
        valid_to=maybe(body, "validTo", fields.time),
        recurrency=maybe(body, "recurrencyKind", fields.one_of(Recurrency)),
    )
    return StatedCharging(fields.whole(payload, "connectorId"), profile)


def _read_schedule(body: Body) -> StatedSchedule:
    fields.only(body, "duration", "startSchedule", "chargingRateUnit", "chargingSchedulePeriod", "minChargingRate")
    return StatedSchedule(
        unit=fields.one_of(RateUnit)(body, "chargingRateUnit"),
        periods=tuple(_read_period(period) for period in fields.objects(body, "chargingSchedulePeriod")),
        start=maybe(body, "startSchedule", fields.time),
        duration_s=maybe(body, "duration", fields.whole_between(0, LONGEST_S)),
        least=maybe(body, "minChargingRate", fields.number),
    )


def _read_period(body: Body) -> StatedPeriod:
    fields.only(body, "startPeriod", "limit", "numberPhases")
    return StatedPeriod(
        start_s=fields.whole_between(0, LONGEST_S)(body, "startPeriod"),
        limit=fields.number(body, "limit"),
        phases=maybe(body, "numberPhases", fields.whole_between(1, 3)),
    )


def write_charging(stated: StatedCharging, lost: list[Loss]) -> Payload:
    """The payload of a SetChargingProfile; limits in tenths, rounded down.

    Raises:
        PayloadError: OCPP 1.6 cannot say it, and nothing near it is safe.
    """
    profile = stated.profile
    if profile.purpose is Purpose.EXTERNAL_CONSTRAINTS:
        reason = "OCPP 1.6 has no ChargePointExternalConstraints, and a ChargePointMaxProfile would replace the maximum"
        raise PayloadError("chargingProfilePurpose", reason)
    schedule = only_schedule(profile, lost)
    if schedule.id is not None and schedule.id != profile.id:
        lost.append(Loss(Lost.SCHEDULE_ID, "chargingScheduleId", f"{schedule.id} is left out"))
    if schedule.tariff is not None:
        lost.append(Loss(Lost.SALES_TARIFF, "salesTariff", "prices are left out"))
    return {
        "connectorId": stated.evse,
        "csChargingProfiles": present(
            chargingProfileId=profile.id,
            transactionId=numbered(profile.transaction_id, lost),
            stackLevel=profile.stack_level,
            chargingProfilePurpose=profile.purpose,
            chargingProfileKind=profile.kind,
            recurrencyKind=profile.recurrency,
            validFrom=None if profile.valid_from is None else times.write(profile.valid_from),
            validTo=None if profile.valid_to is None else times.write(profile.valid_to),
            chargingSchedule=present(
                duration=schedule.duration_s,
                startSchedule=None if schedule.start is None else times.write(schedule.start),
                chargingRateUnit=schedule.unit,
                chargingSchedulePeriod=[_write_period(period, n, lost) for n, period in enumerate(schedule.periods)],
                minChargingRate=None
                if schedule.least is None
                else tenths(schedule.least, "chargingSchedule.minChargingRate", lost),
            ),
        ),
    }


def numbered(name: str | None, lost: list[Loss]) -> int | None:
    """The number of a transaction; one that has only a name is left out."""
    number = plain_number(name)
    if number is None and name is not None:
        text = f"{name!r} is no number and is left out: send it only while that transaction runs"
        lost.append(Loss(Lost.TRANSACTION, "transactionId", text))
    return number


def _write_period(period: StatedPeriod, n: int, lost: list[Loss]) -> Payload:
    path = f"chargingSchedulePeriod[{n}]"
    if period.phase is not None:
        lost.append(phase_left_out(period.phase, path))
    limit = tenths(period.limit, f"{path}.limit", lost)
    return present(startPeriod=period.start_s, limit=limit, numberPhases=period.phases)
