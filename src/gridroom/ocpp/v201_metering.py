"""OCPP 2.0.1: meter values between payload and what they state. Source: OCPP 2.0.1 part 2 and its JSON schemas."""

from decimal import Decimal

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
from gridroom.ocpp.v201_charging import known, read_transaction

MEASURANDS = frozenset(
    {
        *("Current.Export", "Current.Import", "Current.Offered"),
        *("Energy.Active.Export.Register", "Energy.Active.Import.Register"),
        *("Energy.Reactive.Export.Register", "Energy.Reactive.Import.Register"),
        *("Energy.Active.Export.Interval", "Energy.Active.Import.Interval", "Energy.Active.Net"),
        *("Energy.Reactive.Export.Interval", "Energy.Reactive.Import.Interval", "Energy.Reactive.Net"),
        *("Energy.Apparent.Net", "Energy.Apparent.Import", "Energy.Apparent.Export"),
        *("Power.Active.Export", "Power.Active.Import", "Power.Factor", "Power.Offered"),
        *("Power.Reactive.Export", "Power.Reactive.Import", "Frequency", "SoC", "Voltage"),
    }
)
"""What a sample may measure in OCPP 2.0.1."""

EVENT = ("eventType", "timestamp", "triggerReason", "seqNo", "offline", "numberOfPhasesUsed", "cableMaxCurrent")
"""Fields of a TransactionEvent that a meter reading does not need."""

BESIDE = ("reservationId", "idToken")
"""What a TransactionEvent tells beside EVSE, transaction and meter values."""

MOST_POWER = 12
"""Largest exponent of a multiplier that is read, either way."""


def read_readings(payload: Body, lost: list[Loss]) -> StatedReadings:
    """What a MeterValues states.

    Raises:
        PayloadError: A field is missing, unknown or not what it should be.
    """
    known(payload, lost, "evseId", "meterValue")
    return StatedReadings(fields.whole(payload, "evseId"), None, _read_values(payload, lost))


def read_event(payload: Body, lost: list[Loss]) -> StatedReadings:
    """The meter values of a TransactionEvent.

    Raises:
        PayloadError: It has no meter values, names no EVSE, or a field is not what it should be.
    """
    known(payload, lost, *EVENT, *BESIDE, "meterValue", "transactionInfo", "evse")
    told = ", ".join(name for name in (*EVENT, *BESIDE) if name in payload)
    lost.append(Loss(Lost.EVENT, "TransactionEvent", f"of the event only the meter values are kept, not {told}"))
    evse = fields.whole(fields.object_(payload, "evse"), "id")
    name = read_transaction(fields.object_(payload, "transactionInfo"), "transactionId")
    return StatedReadings(evse, name, _read_values(payload, lost))


def _read_values(payload: Body, lost: list[Loss]) -> tuple[StatedReading, ...]:
    return tuple(_read_reading(value, lost) for value in fields.objects(payload, "meterValue"))


def _read_reading(body: Body, lost: list[Loss]) -> StatedReading:
    known(body, lost, "timestamp", "sampledValue")
    samples = tuple(_read_sample(sample, lost) for sample in fields.objects(body, "sampledValue"))
    return StatedReading(fields.time(body, "timestamp"), samples)


def _read_sample(body: Body, lost: list[Loss]) -> StatedSample:
    known(body, lost, "value", "context", "measurand", "phase", "location", "signedMeterValue", "unitOfMeasure")
    if "signedMeterValue" in body:
        lost.append(Loss(Lost.SIGNED, "signedMeterValue", "is left out, its number is kept"))
    unit, power = _read_unit(maybe(body, "unitOfMeasure", fields.object_) or {}, lost)
    return StatedSample(
        value=plain(fields.number(body, "value").scaleb(power)),
        measurand=maybe(body, "measurand", choice_of(MEASURANDS)) or DEFAULT_MEASURAND,
        unit=unit,
        context=maybe(body, "context", choice_of(CONTEXTS)) or DEFAULT_CONTEXT,
        location=maybe(body, "location", choice_of(LOCATIONS)) or DEFAULT_LOCATION,
        phase=maybe(body, "phase", choice_of(PHASES)) or "",
    )


def _read_unit(body: Body, lost: list[Loss]) -> tuple[str, int]:
    """A unit, and the power of ten that the value is multiplied by."""
    known(body, lost, "unit", "multiplier")
    power = maybe(body, "multiplier", fields.whole_between(-MOST_POWER, MOST_POWER))
    return maybe(body, "unit", fields.text_up_to(20)) or "", power or 0


def write_readings(stated: StatedReadings, lost: list[Loss]) -> Payload:
    """The payload of a MeterValues, which names no transaction.

    Raises:
        PayloadError: Nothing is left that OCPP 2.0.1 can say.
    """
    if stated.transaction_id is not None:
        text = f"{stated.transaction_id!r} is left out: in OCPP 2.0.1 a TransactionEvent would name it"
        lost.append(Loss(Lost.TRANSACTION, "transactionId", text))
    kept: list[Payload] = []
    for n, reading in enumerate(stated.readings):
        samples = [_write_sample(one, lost) for m, one in enumerate(reading.samples) if _sayable(one, f"{n}.{m}", lost)]
        if samples:
            kept.append({"timestamp": times.write(reading.timestamp), "sampledValue": samples})
    if not kept:
        raise PayloadError("meterValue", "no value is left that OCPP 2.0.1 can say")
    return {"evseId": stated.evse, "meterValue": kept}


def _sayable(sample: StatedSample, place: str, lost: list[Loss]) -> bool:
    if sample.signed:
        text = "OCPP 2.0.1 wants the number, the method and the key beside a signed record, it is left out"
        lost.append(Loss(Lost.SIGNED, f"meterValue[{place}]", text))
        return False
    if sample.measurand not in MEASURANDS:
        lost.append(Loss(Lost.MEASURAND, f"meterValue[{place}]", f"OCPP 2.0.1 has no {sample.measurand}, left out"))
        return False
    return True


def _write_sample(sample: StatedSample, lost: list[Loss]) -> Payload:
    exact = Decimal(sample.value)
    value: int | float = int(exact) if exact == exact.to_integral_value() else float(exact)
    if Decimal(repr(value)) != exact:
        lost.append(Loss(Lost.VALUE, "sampledValue.value", f"{sample.value} becomes {value!r}, a JSON number"))
    return present(
        value=value,
        context=sample.context,
        measurand=sample.measurand,
        phase=sample.phase or None,
        location=None if sample.location == DEFAULT_LOCATION else sample.location,
        unitOfMeasure={"unit": sample.unit} if sample.unit else None,
    )
