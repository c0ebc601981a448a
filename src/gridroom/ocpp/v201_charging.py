"""OCPP 2.0.1: charging profiles between payload and what they state. Source: OCPP 2.0.1 part 2 and its JSON schemas."""

from gridroom.ocpp import fields, times
from gridroom.ocpp.fields import Body, Payload, maybe, present
from gridroom.ocpp.losses import Loss, Lost
from gridroom.ocpp.profiles import Kind, Purpose, Recurrency
from gridroom.ocpp.stated import (
    LONGEST_S,
    TENTH,
    RateUnit,
    StatedCharging,
    StatedPeriod,
    StatedProfile,
    StatedSchedule,
    Tariff,
    TariffEntry,
    floor,
    only_schedule,
    tenths,
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
        purpose=PURPOSES[fields.choice(body, "chargingProfilePurpose", frozenset(PURPOSES))],
        kind=fields.one_of(body, "chargingProfileKind", Kind),
        schedules=tuple(_read_schedule(one, lost) for one in fields.objects(body, "chargingSchedule", most=3)),
        transaction_id=maybe(body, "transactionId", read_transaction),
        valid_from=maybe(body, "validFrom", fields.time),
        valid_to=maybe(body, "validTo", fields.time),
        recurrency=maybe(body, "recurrencyKind", lambda b, k: fields.one_of(b, k, Recurrency)),
    )
    return StatedCharging(fields.whole(payload, "evseId"), profile)


def read_transaction(body: Body, key: str) -> str:
    """The name of a transaction."""
    return fields.text(body, key, most=LONGEST_NAME)


def _read_schedule(body: Body, lost: list[Loss]) -> StatedSchedule:
    known(
        *(body, lost, "id", "startSchedule", "duration", "chargingRateUnit", "chargingSchedulePeriod"),
        *("minChargingRate", "salesTariff"),
    )
    return StatedSchedule(
        unit=fields.one_of(body, "chargingRateUnit", RateUnit),
        periods=tuple(_read_period(one, lost) for one in fields.objects(body, "chargingSchedulePeriod", most=1024)),
        id=fields.any_whole(body, "id"),
        start=maybe(body, "startSchedule", fields.time),
        duration_s=maybe(body, "duration", lambda b, k: fields.whole(b, k, most=LONGEST_S)),
        least=maybe(body, "minChargingRate", fields.number),
        tariff=maybe(body, "salesTariff", lambda b, k: _read_tariff(fields.object_(b, k), lost)),
    )


def _read_period(body: Body, lost: list[Loss]) -> StatedPeriod:
    known(body, lost, "startPeriod", "limit", "numberPhases", "phaseToUse")
    return StatedPeriod(
        start_s=fields.whole(body, "startPeriod", most=LONGEST_S),
        limit=fields.number(body, "limit"),
        phases=maybe(body, "numberPhases", lambda b, k: fields.whole(b, k, least=1, most=3)),
        phase=maybe(body, "phaseToUse", lambda b, k: fields.whole(b, k, least=1, most=3)),
    )


def _read_tariff(body: Body, lost: list[Loss]) -> Tariff:
    known(body, lost, "id", "salesTariffDescription", "numEPriceLevels", "salesTariffEntry")
    entries = tuple(_read_entry(one, lost) for one in fields.objects(body, "salesTariffEntry", most=1024))
    levels = maybe(body, "numEPriceLevels", fields.whole)
    return Tariff(
        id=fields.any_whole(body, "id"),
        levels=len({one.level for one in entries} - {0}) if levels is None else levels,
        entries=entries,
        text=maybe(body, "salesTariffDescription", lambda b, k: fields.text(b, k, most=LONGEST_TEXT)) or "",
    )


def _read_entry(body: Body, lost: list[Loss]) -> TariffEntry:
    """An entry; one without a level cannot be compared, which chapter 4 calls level 0."""
    known(body, lost, "relativeTimeInterval", "ePriceLevel", "consumptionCost")
    interval = fields.object_(body, "relativeTimeInterval")
    known(interval, lost, "start", "duration")
    for name, holder in (("consumptionCost", body), ("duration", interval)):
        if name in holder:
            lost.append(Loss(Lost.SALES_TARIFF, f"salesTariffEntry.{name}", "is left out"))
    return TariffEntry(fields.whole(interval, "start", most=LONGEST_S), maybe(body, "ePriceLevel", fields.whole) or 0)


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
                limit=tenths(period.limit, n, lost),
                numberPhases=period.phases,
                phaseToUse=period.phase,
            )
            for n, period in enumerate(schedule.periods)
        ],
        minChargingRate=None if schedule.least is None else float(floor(schedule.least, TENTH)),
        salesTariff=None if schedule.tariff is None else _write_tariff(schedule.tariff, schedule.start is None, lost),
    )


def _write_tariff(tariff: Tariff, relative: bool, lost: list[Loss]) -> Payload:
    if not relative:
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
