"""OCPP 1.6: meter values between payload and what they state. Source: OCPP 1.6 (edition 2) chapters 6 and 7."""

from gridroom.ocpp import fields, times
from gridroom.ocpp.errors import PayloadError
from gridroom.ocpp.fields import Body, Payload, choice_of, maybe, plain, present
from gridroom.ocpp.losses import Loss, Lost
from gridroom.ocpp.stated import (
    CONTEXTS,
    DEFAULT_CONTEXT,
    DEFAULT_LOCATION,
    DEFAULT_MEASURAND,
    LOCATIONS,
    PHASES,
    StatedReading,
    StatedReadings,
    StatedSample,
)
from gridroom.ocpp.v16_charging import numbered

MEASURANDS = frozenset(
    {
        *("Energy.Active.Export.Register", "Energy.Active.Import.Register"),
        *("Energy.Reactive.Export.Register", "Energy.Reactive.Import.Register"),
        *("Energy.Active.Export.Interval", "Energy.Active.Import.Interval"),
        *("Energy.Reactive.Export.Interval", "Energy.Reactive.Import.Interval"),
        *("Power.Active.Export", "Power.Active.Import", "Power.Offered", "Power.Factor"),
        *("Power.Reactive.Export", "Power.Reactive.Import"),
        *("Current.Import", "Current.Export", "Current.Offered"),
        *("Voltage", "Frequency", "Temperature", "SoC", "RPM"),
    }
)
"""What a sample may measure. Source: OCPP 1.6 chapter 7."""

UNITS = frozenset(
    {
        *("Wh", "kWh", "varh", "kvarh", "W", "kW", "VA", "kVA", "var", "kvar", "A", "V", "K"),
        *("Celcius", "Celsius", "Fahrenheit", "Percent", "Hertz"),
    }
)
"""The schema has both spellings of Celsius."""

FORMATS = frozenset({"Raw", "SignedData"})
"""How a value may be stated."""


def read_readings(payload: Body) -> StatedReadings:
    """What a MeterValues states.

    Raises:
        PayloadError: A field is missing, unknown or not what it should be.
    """
    fields.only(payload, "connectorId", "transactionId", "meterValue")
    number = maybe(payload, "transactionId", fields.any_whole)
    readings = tuple(_read_reading(value) for value in fields.objects(payload, "meterValue"))
    name = None if number is None else str(number)
    return StatedReadings(fields.whole(payload, "connectorId"), name, readings)


def _read_reading(body: Body) -> StatedReading:
    fields.only(body, "timestamp", "sampledValue")
    samples = tuple(_read_sample(sample) for sample in fields.objects(body, "sampledValue"))
    return StatedReading(fields.time(body, "timestamp"), samples)


def _read_sample(body: Body) -> StatedSample:
    fields.only(body, "value", "context", "format", "measurand", "phase", "location", "unit")
    signed = maybe(body, "format", choice_of(FORMATS)) == "SignedData"
    return StatedSample(
        value=fields.text(body, "value") if signed else plain(fields.number(body, "value")),
        measurand=maybe(body, "measurand", choice_of(MEASURANDS)) or DEFAULT_MEASURAND,
        unit=maybe(body, "unit", choice_of(UNITS)) or "",
        context=maybe(body, "context", choice_of(CONTEXTS)) or DEFAULT_CONTEXT,
        location=maybe(body, "location", choice_of(LOCATIONS)) or DEFAULT_LOCATION,
        phase=maybe(body, "phase", choice_of(PHASES)) or "",
        signed=signed,
    )


def write_readings(stated: StatedReadings, lost: list[Loss]) -> Payload:
    """The payload of a MeterValues.

    Raises:
        PayloadError: Nothing is left that OCPP 1.6 can say.
    """
    kept: list[Payload] = []
    for n, reading in enumerate(stated.readings):
        samples = [_write_sample(one) for m, one in enumerate(reading.samples) if _sayable(one, f"{n}.{m}", lost)]
        if samples:
            kept.append({"timestamp": times.write(reading.timestamp), "sampledValue": samples})
    if not kept:
        raise PayloadError("meterValue", "no value is left that OCPP 1.6 can say")
    return present(
        connectorId=stated.evse,
        transactionId=numbered(stated.transaction_id, lost),
        meterValue=kept,
    )


def _sayable(sample: StatedSample, place: str, lost: list[Loss]) -> bool:
    if sample.measurand not in MEASURANDS:
        lost.append(Loss(Lost.MEASURAND, f"meterValue[{place}]", f"OCPP 1.6 has no {sample.measurand}, left out"))
        return False
    if sample.unit and sample.unit not in UNITS:
        text = f"OCPP 1.6 has no unit {sample.unit}, the {sample.measurand} is left out"
        lost.append(Loss(Lost.UNIT, f"meterValue[{place}]", text))
        return False
    return True


def _write_sample(sample: StatedSample) -> Payload:
    return present(
        value=sample.value,
        context=sample.context,
        format="SignedData" if sample.signed else None,
        measurand=sample.measurand,
        phase=sample.phase or None,
        location=None if sample.location == DEFAULT_LOCATION else sample.location,
        unit=sample.unit or None,
    )
