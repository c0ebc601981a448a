"""OCPP 2.0.1: charging profiles between payload and what they state. Source: OCPP 2.0.1 part 2 and its JSON schemas."""

from datetime import datetime

from gridroom.ocpp import fields, times
from gridroom.ocpp.fields import Body, Payload, maybe, present
from gridroom.ocpp.losses import Loss, Lost
from gridroom.ocpp.narrowing import only_schedule, tenths
from gridroom.ocpp.profiles import Kind, Purpose, Recurrency
from gridroom.ocpp.stated import (
    LONGEST_S,
    RateUnit,
    StatedCharging,
    StatedPeriod,
    StatedProfile,
    StatedSchedule,
    Tariff,
    TariffEntry,
)

PURPOSES = {
    "ChargingStationExternalConstraints": Purpose.EXTERNAL_CONSTRAINTS,
    "ChargingStationMaxProfile": Purpose.CHARGE_POINT_MAX,
    "TxDefaultProfile": Purpose.TX_DEFAULT,
    "TxProfile": Purpose.TX,
}
"""OCPP 2.0.1's names of purposes to ours."""

NAMES = {purpose: name for name, purpose in PURPOSES.items()}
"""The same the other way round."""

LONGEST_TEXT = 32
"""Most characters of salesTariffDescription."""

LONGEST_NAME = 36
"""Most characters of a transactionId."""


def known(body: Body, lost: list[Loss], *names: str) -> None:
    """Refuse unknown fields; customData may be anything and is left out."""
    fields.only(body, *names, "customData")
    if "customData" in body:
        lost.append(Loss(Lost.CUSTOM_DATA, "customData", "is left out"))


def read_charging(payload: Body, lost: list[Loss]) -> StatedCharging:
    """What a SetChargingProfile states.

    Raises:
        PayloadError: A field is missing, unknown or not what it should be.
    """
    known(payload, lost, "evseId", "chargingProfile")
    body = fields.object_(payload, "chargingProfile")
    known(
        *(body, lost, "id", "stackLevel", "chargingProfilePurpose", "chargingProfileKind", "recurrencyKind"),
        *("validFrom", "validTo", "chargingSchedule", "transactionId"),
    )
    profile = StatedProfile(
        id=fields.any_whole(body, "id"),
        stack_level=fields.whole(body, "stackLevel"),
        purpose=PURPOSES[fields.choice_of(frozenset(PURPOSES))(body, "chargingProfilePurpose")],
        kind=fields.one_of(Kind)(body, "chargingProfileKind"),
        schedules=tuple(_read_schedule(one, lost) for one in fields.objects(body, "chargingSchedule", most=3)),
        transaction_id=maybe(body, "transactionId", read_transaction),
        valid_from=maybe(body, "validFrom", fields.time),
        valid_to=maybe(body, "validTo", fields.time),
        recurrency=maybe(body, "recurrencyKind", fields.one_of(Recurrency)),
    )
    return StatedCharging(fields.whole(payload, "evseId"), profile)


read_transaction = fields.text_up_to(LONGEST_NAME)
"""The name of a transaction."""


def _read_schedule(body: Body, lost: list[Loss]) -> StatedSchedule:
    known(
        *(body, lost, "id", "startSchedule", "duration", "chargingRateUnit", "chargingSchedulePeriod"),
        *("minChargingRate", "salesTariff"),
    )
    tariff = maybe(body, "salesTariff", fields.object_)
    return StatedSchedule(
        unit=fields.one_of(RateUnit)(body, "chargingRateUnit"),
        periods=tuple(_read_period(one, lost) for one in fields.objects(body, "chargingSchedulePeriod", most=1024)),
        id=fields.any_whole(body, "id"),
        start=maybe(body, "startSchedule", fields.time),
        duration_s=maybe(body, "duration", fields.whole_between(0, LONGEST_S)),
        least=maybe(body, "minChargingRate", fields.number),
        tariff=None if tariff is None else _read_tariff(tariff, lost),
    )


def _read_period(body: Body, lost: list[Loss]) -> StatedPeriod:
    known(body, lost, "startPeriod", "limit", "numberPhases", "phaseToUse")
    return StatedPeriod(
        start_s=fields.whole_between(0, LONGEST_S)(body, "startPeriod"),
        limit=fields.number(body, "limit"),
        phases=maybe(body, "numberPhases", fields.whole_between(1, 3)),
        phase=maybe(body, "phaseToUse", fields.whole_between(1, 3)),
    )


def _read_tariff(body: Body, lost: list[Loss]) -> Tariff:
    known(body, lost, "id", "salesTariffDescription", "numEPriceLevels", "salesTariffEntry")
    entries = tuple(_read_entry(one, lost) for one in fields.objects(body, "salesTariffEntry", most=1024))
    levels = maybe(body, "numEPriceLevels", fields.whole)
    return Tariff(
        id=fields.any_whole(body, "id"),
        levels=len({one.level for one in entries} - {0}) if levels is None else levels,
        entries=entries,
        text=maybe(body, "salesTariffDescription", fields.text_up_to(LONGEST_TEXT)) or "",
    )


def _read_entry(body: Body, lost: list[Loss]) -> TariffEntry:
    """An entry; one without a level cannot be compared, which chapter 4 calls level 0."""
    known(body, lost, "relativeTimeInterval", "ePriceLevel", "consumptionCost")
    interval = fields.object_(body, "relativeTimeInterval")
    known(interval, lost, "start", "duration")
    for name, holder in (("consumptionCost", body), ("duration", interval)):
        if name in holder:
            lost.append(Loss(Lost.SALES_TARIFF, f"salesTariffEntry.{name}", "is left out"))
    start_s = fields.whole_between(0, LONGEST_S)(interval, "start")
    return TariffEntry(start_s, maybe(body, "ePriceLevel", fields.whole) or 0)


def write_charging(stated: StatedCharging, lost: list[Loss]) -> Payload:
    """The payload of a SetChargingProfile; limits in tenths, rounded down.

    Raises:
        PayloadError: The schedules cannot be compared.
    """
    profile = stated.profile
    if profile.purpose is Purpose.TX and profile.transaction_id is None:
        lost.append(Loss(Lost.TRANSACTION, "transactionId", "OCPP 2.0.1 wants it in a TxProfile: fill it in"))
    return {
        "evseId": stated.evse,
        "chargingProfile": present(
            id=profile.id,
            stackLevel=profile.stack_level,
            chargingProfilePurpose=NAMES[profile.purpose],
            chargingProfileKind=profile.kind,
            recurrencyKind=profile.recurrency,
            validFrom=None if profile.valid_from is None else times.write(profile.valid_from),
            validTo=None if profile.valid_to is None else times.write(profile.valid_to),
            chargingSchedule=[_write_schedule(only_schedule(profile, lost), profile.id, lost)],
            transactionId=profile.transaction_id,
        ),
    }


def _write_schedule(schedule: StatedSchedule, profile_id: int, lost: list[Loss]) -> Payload:
    """A schedule; where it has no id, that of the profile is as good."""
    return present(
        id=profile_id if schedule.id is None else schedule.id,
        startSchedule=None if schedule.start is None else times.write(schedule.start),
        duration=schedule.duration_s,
        chargingRateUnit=schedule.unit,
        chargingSchedulePeriod=[
            present(
                startPeriod=period.start_s,
                limit=tenths(period.limit, f"chargingSchedulePeriod[{n}].limit", lost),
                numberPhases=period.phases,
                phaseToUse=period.phase,
            )
            for n, period in enumerate(schedule.periods)
        ],
        minChargingRate=None
        if schedule.least is None
        else tenths(schedule.least, "chargingSchedule.minChargingRate", lost),
        salesTariff=None if schedule.tariff is None else _write_tariff(schedule.tariff, schedule.start, lost),
    )


def _write_tariff(tariff: Tariff, start: datetime | None, lost: list[Loss]) -> Payload:
    if tariff.from_start and start is not None:
        text = "OCPP 2.0.1 counts prices from now, not from startSchedule"
        lost.append(Loss(Lost.SALES_TARIFF, "salesTariffEntry.relativeTimeInterval.start", text))
    if len(tariff.text) > LONGEST_TEXT:
        text = f"is cut to {LONGEST_TEXT} characters"
        lost.append(Loss(Lost.SALES_TARIFF, "salesTariffDescription", text))
    return present(
        id=tariff.id,
        salesTariffDescription=tariff.text[:LONGEST_TEXT] or None,
        numEPriceLevels=tariff.levels,
        salesTariffEntry=[
            {"relativeTimeInterval": {"start": one.start_s}, "ePriceLevel": one.level} for one in tariff.entries
        ],
    )
