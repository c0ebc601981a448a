"""MeterValues of chapter 4 to and from what OCPP 1.6 and 2.0.1 state. Source: OSCP 1.0 section 4.2.2."""

from gridroom.ocpp.draft20.enums import Location, Measurand, ReadingContext, UnitOfMeasure, ValueFormat, units_of
from gridroom.ocpp.draft20.rules import HEX, LONGEST_VALUE
from gridroom.ocpp.draft20.values import Evse, MeasuredValue, MeterValue, MeterValuesRequest
from gridroom.ocpp.losses import Loss, Lost
from gridroom.ocpp.stated import StatedReading, StatedReadings, StatedSample

UNITS = {"C": "Celsius", "F": "Fahrenheit"}
"""OCPP 1.6's names of temperature units to chapter 4's."""

UNITS_BACK = {"Celsius": "C", "Celcius": "C", "Fahrenheit": "F"}
"""Units with other names in OCPP 1.6 and 2.0.1; 1.6's schema has a second spelling."""


def metering_to(message: MeterValuesRequest) -> StatedReadings:
    """What a MeterValues of chapter 4 states."""
    readings = tuple(StatedReading(one.timestamp, tuple(map(_sample, one.values))) for one in message.values)
    return StatedReadings(message.evse.id, message.transaction_id, readings)


def _sample(value: MeasuredValue) -> StatedSample:
    unit = value.unit_meant()
    return StatedSample(
        value=value.text,
        measurand=value.measurand,
        unit="" if unit is None else UNITS.get(unit, unit),
        context=value.context,
        location=value.location,
        signed=value.format is ValueFormat.SIGNED_DATA,
    )


def metering_from(stated: StatedReadings, lost: list[Loss]) -> MeterValuesRequest:
    """The MeterValues of chapter 4 that says it; values that it cannot say are left out."""
    kept: list[MeterValue] = []
    for n, reading in enumerate(stated.readings):
        found = [_value_back(one, f"meterValue[{n}.{m}]", lost) for m, one in enumerate(reading.samples)]
        values = tuple(value for value in found if value is not None)
        if values:
            kept.append(MeterValue(reading.timestamp, values))
    return MeterValuesRequest(Evse(stated.evse), tuple(kept), stated.transaction_id)


def _value_back(sample: StatedSample, path: str, lost: list[Loss]) -> MeasuredValue | None:
    """A value as chapter 4 can say it; None where any way to say it would be wrong, with the loss noted."""
    unit = UNITS_BACK.get(sample.unit, sample.unit)
    wrong = _unsayable(sample, unit)
    if wrong is not None:
        what, reason = wrong
        lost.append(Loss(what, path, f"{reason}, the {sample.measurand} is left out"))
        return None
    context = sample.context
    if context not in set(ReadingContext):
        context = ReadingContext.SAMPLE_PERIODIC
        lost.append(Loss(Lost.CONTEXT, path, f"{sample.context} becomes {context}"))
    return MeasuredValue(
        text=sample.value,
        context=ReadingContext(context),
        format=ValueFormat.SIGNED_DATA if sample.signed else ValueFormat.RAW,
        measurand=Measurand(sample.measurand),
        location=Location(sample.location),
        unit=UnitOfMeasure(unit) if unit else None,
    )


def _unsayable(sample: StatedSample, unit: str) -> tuple[Lost, str] | None:
    """Why chapter 4 cannot say a value: what is lost, and in words."""
    if sample.phase:
        return Lost.PHASE, f"chapter 4 has no phase, and {sample.phase} alone is not the whole"
    if sample.measurand not in set(Measurand):
        return Lost.MEASURAND, "chapter 4 has no such measurand"
    if sample.location not in set(Location):
        return Lost.LOCATION, f"chapter 4 has no location {sample.location}"
    if sample.signed and (len(sample.value) > LONGEST_VALUE or not HEX.fullmatch(sample.value)):
        return Lost.SIGNED, f"chapter 4 has room for {LONGEST_VALUE} hexadecimal digits of a signed record"
    allowed = units_of(Measurand(sample.measurand))
    by_default = not unit and (sample.signed or sample.measurand.startswith("Energy.Active."))
    if unit not in allowed and not by_default:
        return Lost.UNIT, f"it has {unit or 'no unit'}, {' or '.join(allowed)} is needed"
    return None
