"""Bodies of chapter 4 to messages. Source: OSCP 1.0 sections 4.2.1 and 4.2.2; layout of OCPP 1.5's XML."""

from gridroom import xml
from gridroom.ocpp.draft20 import tree
from gridroom.ocpp.draft20.enums import (
    ConnectorType,
    GenericStatus,
    Location,
    Measurand,
    ReadingContext,
    UnitOfMeasure,
    ValueFormat,
)
from gridroom.ocpp.draft20.tree import Children
from gridroom.ocpp.draft20.values import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
    Evse,
    MeasuredValue,
    Message,
    MeterValue,
    MeterValuesRequest,
    MeterValuesResponse,
    SalesTariffTable,
    SetChargingProfileRequest,
    SetChargingProfileResponse,
    TariffPeriod,
)
from gridroom.ocpp.profiles import Kind, Purpose, Recurrency

AMPERE = {"amp": "A", "amps": "A"}
"""OCPP 1.5's spelling of a unit, and the default in OSCP 1.0's text."""


def read_body(message: type[Message], body: xml.Element) -> Message:
    """The message that the element in the body is.

    Raises:
        PayloadError: An element is missing, unknown or not what it should be. Rules are not checked.
    """
    if message is SetChargingProfileRequest:
        return _charging(body)
    if message is SetChargingProfileResponse:
        return SetChargingProfileResponse(Children(body, "status").one("status", tree.choice_of(GenericStatus)))
    if message is MeterValuesRequest:
        return _metering(body)
    Children(body)
    return MeterValuesResponse()


def _charging(body: xml.Element) -> SetChargingProfileRequest:
    children = Children(body, "evse", "csChargingProfiles")
    return SetChargingProfileRequest(children.one("evse", _evse), children.each("csChargingProfiles", _profile))


def _evse(element: xml.Element) -> Evse:
    children = Children(element, "id", "connectorType")
    return Evse(
        children.one("id", tree.integer),
        children.maybe("connectorType", tree.choice_of(ConnectorType)),
    )


def _metered_evse(element: xml.Element) -> Evse:
    """That of meter values, whose connectorType says nothing (section 4.2.2.1): one we do not know is left out."""
    children = Children(element, "id", "connectorType")
    word = children.maybe("connectorType", tree.text)
    known = next((one for one in ConnectorType if one.lower() == (word or "").lower()), None)
    return Evse(children.one("id", tree.integer), known)


def _profile(element: xml.Element) -> ChargingProfile:
    children = Children(
        element,
        *("chargingProfileId", "primary", "stackLevel", "chargingProfilePurpose", "chargingProfileKind"),
        *("recurrencyKind", "validFrom", "validTo", "chargingSchedule", "salesTariff"),
    )
    return ChargingProfile(
        id=children.one("chargingProfileId", tree.integer),
        primary=children.maybe("primary", tree.boolean),
        stack_level=children.one("stackLevel", tree.integer),
        purpose=children.one("chargingProfilePurpose", tree.choice_of(Purpose)),
        kind=children.one("chargingProfileKind", tree.choice_of(Kind)),
        recurrency=children.maybe("recurrencyKind", tree.choice_of(Recurrency)),
        valid_from=children.maybe("validFrom", tree.moment),
        valid_to=children.maybe("validTo", tree.moment),
        schedule=children.one("chargingSchedule", _schedule),
        sales_tariff=children.maybe("salesTariff", _tariff),
    )


def _schedule(element: xml.Element) -> ChargingSchedule:
    children = Children(element, "chargingScheduleId", "duration", "startSchedule", "chargingSchedulePeriod")
    return ChargingSchedule(
        id=children.one("chargingScheduleId", tree.integer),
        duration_s=children.maybe("duration", tree.integer),
        start_schedule=children.maybe("startSchedule", tree.moment),
        periods=children.each("chargingSchedulePeriod", _period),
    )


def _period(element: xml.Element) -> ChargingSchedulePeriod:
    """A period; the text says NumberPhase where the table says numberPhases."""
    children = Children(element, "startPeriod", "maxPower", "maxCurrent", "numberPhases", "numberPhase")
    phases, phase = (children.maybe(name, tree.integer) for name in ("numberPhases", "numberPhase"))
    if phases is not None and phase is not None:
        tree.fail(element, "numberPhases stands in two spellings")
    return ChargingSchedulePeriod(
        start_period_s=children.one("startPeriod", tree.integer),
        max_power_kw=children.maybe("maxPower", tree.integer),
        max_current_a=children.maybe("maxCurrent", tree.decimal),
        number_phases=phase if phases is None else phases,
    )


def _tariff(element: xml.Element) -> SalesTariffTable:
    children = Children(element, "salesTariffId", "tariffDescription", "maxEPriceLevel", "tariffPeriods")
    return SalesTariffTable(
        id=children.one("salesTariffId", tree.integer),
        description=children.maybe("tariffDescription", tree.text) or "",
        max_e_price_level=children.one("maxEPriceLevel", tree.integer),
        periods=children.each("tariffPeriods", _tariff_period),
    )


def _tariff_period(element: xml.Element) -> TariffPeriod:
    children = Children(element, "startPeriod", "periodDescription", "ePriceLevel")
    return TariffPeriod(
        start_period_s=children.one("startPeriod", tree.integer),
        description=children.maybe("periodDescription", tree.text) or "",
        e_price_level=children.one("ePriceLevel", tree.integer),
    )


def _metering(body: xml.Element) -> MeterValuesRequest:
    children = Children(body, "evse", "transactionId", "values")
    return MeterValuesRequest(
        evse=children.one("evse", _metered_evse),
        transaction_id=children.maybe("transactionId", tree.text),
        values=children.each("values", _meter_value),
    )


def _meter_value(element: xml.Element) -> MeterValue:
    children = Children(element, "timestamp", "value")
    return MeterValue(children.one("timestamp", tree.moment), children.each("value", _value))


def _value(element: xml.Element) -> MeasuredValue:
    found = tree.attributes(element, "context", "format", "measurand", "location", "unit")
    unit = found.get("unit")
    return MeasuredValue(
        text=xml.text_of(element),
        context=tree.choice(element, found.get("context", ReadingContext.SAMPLE_PERIODIC), ReadingContext),
        format=tree.choice(element, found.get("format", ValueFormat.RAW), ValueFormat),
        measurand=tree.choice(element, found.get("measurand", Measurand.ENERGY_ACTIVE_IMPORT_REGISTER), Measurand),
        location=tree.choice(element, found.get("location", Location.OUTLET), Location),
        unit=None if unit is None else tree.choice(element, AMPERE.get(unit.lower(), unit), UnitOfMeasure),
    )
