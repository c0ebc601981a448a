"""Messages of chapter 4 to bodies: names and order of the tables. Source: OSCP 1.0 sections 4.2.1 and 4.2.2."""

from decimal import Decimal

from gridroom import xml
from gridroom.ocpp import times
from gridroom.ocpp.draft20 import rules
from gridroom.ocpp.draft20.names import TAGS
from gridroom.ocpp.draft20.values import (
    ChargingProfile,
    ChargingSchedulePeriod,
    Evse,
    MeasuredValue,
    Message,
    MeterValuesRequest,
    SalesTariffTable,
    SetChargingProfileRequest,
    SetChargingProfileResponse,
)
from gridroom.ocpp.errors import PayloadError
from gridroom.ocpp.fields import LONGEST_NUMBER, plain


def write_body(message: Message) -> str:
    """The element in the body.

    Raises:
        RulesError: The message breaks a rule.
        PayloadError: A text has a character that XML cannot carry, or a number has more digits than are read.
    """
    rules.check(message)
    name, namespace = TAGS[type(message)]
    return f'<{name} xmlns="{namespace}">{_inside(message)}</{name}>'


def _inside(message: Message) -> str:
    if isinstance(message, SetChargingProfileRequest):
        return _evse(message.evse) + "".join(_element("csChargingProfiles", _profile(one)) for one in message.profiles)
    if isinstance(message, SetChargingProfileResponse):
        return _element("status", message.status)
    if isinstance(message, MeterValuesRequest):
        values = (
            _element("values", _element("timestamp", times.write(one.timestamp)) + "".join(map(_value, one.values)))
            for one in message.values
        )
        return _evse(message.evse) + _text("transactionId", message.transaction_id) + "".join(values)
    return ""


def _element(name: str, inside: object) -> str:
    """An element around written XML, a number or a name of ours; nothing without it."""
    return "" if inside is None else f"<{name}>{inside}</{name}>"


def _text(name: str, text: str | None) -> str:
    return _element(name, escape(name, text)) if text else ""


def escape(name: str, text: str) -> str:
    """A text as it stands between tags.

    Raises:
        PayloadError: It would not come back as it is.
    """
    if text != text.strip(xml.SPACE):
        raise PayloadError(name, f"{text[:40]!r}: outer white space would be lost")
    try:
        return xml.escape(text)
    except ValueError as error:
        raise PayloadError(name, str(error)) from None


def _evse(evse: Evse) -> str:
    return _element("evse", _element("id", evse.id) + _element("connectorType", evse.connector_type))


def _profile(profile: ChargingProfile) -> str:
    schedule = profile.schedule
    return "".join(
        (
            _element("chargingProfileId", profile.id),
            _element("primary", None if profile.primary is None else str(profile.primary).lower()),
            _element("stackLevel", profile.stack_level),
            _element("chargingProfilePurpose", profile.purpose),
            _element("chargingProfileKind", profile.kind),
            _element("recurrencyKind", profile.recurrency),
            _element("validFrom", None if profile.valid_from is None else times.write(profile.valid_from)),
            _element("validTo", None if profile.valid_to is None else times.write(profile.valid_to)),
            "<chargingSchedule>",
            _element("chargingScheduleId", schedule.id),
            _element("duration", schedule.duration_s),
            _element(
                "startSchedule", None if schedule.start_schedule is None else times.write(schedule.start_schedule)
            ),
            *(_element("chargingSchedulePeriod", _period(period)) for period in schedule.periods),
            "</chargingSchedule>",
            "" if profile.sales_tariff is None else _element("salesTariff", _tariff(profile.sales_tariff)),
        )
    )


def _period(period: ChargingSchedulePeriod) -> str:
    current = period.max_current_a
    return "".join(
        (
            _element("startPeriod", period.start_period_s),
            _element("maxPower", period.max_power_kw),
            _element("maxCurrent", None if current is None else _decimal(current)),
            _element("numberPhases", period.number_phases),
        )
    )


def _decimal(current: Decimal) -> str:
    text = plain(current)
    if len(text) > LONGEST_NUMBER:
        raise PayloadError("maxCurrent", f"{text[:40]} has more digits than are read")
    return text


def _tariff(tariff: SalesTariffTable) -> str:
    periods = (
        _element("startPeriod", one.start_period_s)
        + _text("periodDescription", one.description)
        + _element("ePriceLevel", one.e_price_level)
        for one in tariff.periods
    )
    return "".join(
        (
            _element("salesTariffId", tariff.id),
            _text("tariffDescription", tariff.description),
            _element("maxEPriceLevel", tariff.max_e_price_level),
            *(_element("tariffPeriods", one) for one in periods),
        )
    )


def _value(value: MeasuredValue) -> str:
    """A value with all its attributes, so that no reader needs our defaults."""
    unit = value.unit_meant()
    told = "" if unit is None else f' unit="{unit}"'
    return (
        f'<value context="{value.context}" format="{value.format}" measurand="{value.measurand}"'
        f' location="{value.location}"{told}>{value.text}</value>'
    )
