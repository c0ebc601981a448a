"""OCPP 1.6: our values to and from the payloads on the wire.

`write` gives the action and payload of a request, `read` takes them apart; both keep OCPP's names, written out one
by one. Source: OCPP 1.6 (edition 2) chapters 6 and 7.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar

from gridroom.ocpp.errors import PayloadError
from gridroom.ocpp.messages import (
    Authorize,
    BootNotification,
    ClearChargingProfile,
    Heartbeat,
    MeterValues,
    Request,
    SetChargingProfile,
    StartTransaction,
    Status,
    StatusNotification,
    StopTransaction,
)
from gridroom.ocpp.metering import MeterReading, Sample
from gridroom.ocpp.profiles import Kind, Period, Profile, Purpose, Recurrency, Schedule

Payload = dict[str, Any]
VOLTAGE_V = 230
LONGEST_S = 366 * 86_400
LARGEST_CA = 1_000_000
T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


def write(request: Request, *, rate_unit: str = "A") -> tuple[str, Payload]:
    """Action and payload of a request.

    Args:
        request: What to say.
        rate_unit: A, or W for a station that knows power only; limits are rounded down.
    """
    match request:
        case SetChargingProfile():
            return "SetChargingProfile", {
                "connectorId": request.connector,
                "csChargingProfiles": _write_profile(request.profile, rate_unit),
            }
        case ClearChargingProfile():
            return "ClearChargingProfile", _present(
                id=request.id,
                connectorId=request.connector,
                chargingProfilePurpose=request.purpose,
                stackLevel=request.stack_level,
            )
        case MeterValues():
            return "MeterValues", _present(
                connectorId=request.connector,
                transactionId=request.transaction_id,
                meterValue=[_write_reading(reading) for reading in request.readings],
            )
        case StartTransaction():
            return "StartTransaction", {
                "connectorId": request.connector,
                "idTag": request.id_tag,
                "meterStart": request.meter_start_wh,
                "timestamp": write_time(request.at),
            }
        case StopTransaction():
            return "StopTransaction", {
                "transactionId": request.transaction_id,
                "meterStop": request.meter_stop_wh,
                "timestamp": write_time(request.at),
                "reason": request.reason,
            }
        case StatusNotification():
            return "StatusNotification", _present(
                connectorId=request.connector,
                errorCode=request.error,
                status=request.status,
                timestamp=None if request.at is None else write_time(request.at),
            )
        case BootNotification():
            return "BootNotification", _present(
                chargePointVendor=request.vendor,
                chargePointModel=request.model,
                chargePointSerialNumber=request.serial or None,
                firmwareVersion=request.firmware or None,
            )
        case Authorize():
            return "Authorize", {"idTag": request.id_tag}
        case Heartbeat():
            return "Heartbeat", {}


def read(action: str, payload: Mapping[str, Any]) -> Request:
    """The request that a payload holds.

    Args:
        action: One of `ACTIONS`.
        payload: Its payload.

    Raises:
        PayloadError: The payload breaks a rule; the error names the field.
    """
    return _READERS[action](payload)


def acknowledged(action: str, answer: Mapping[str, Any]) -> bool:
    """Whether an answer says yes: Accepted, or anything at all to a message that cannot be refused."""
    if action in ("StartTransaction", "Authorize"):
        return bool(_object(answer, "idTagInfo").get("status") == "Accepted")
    return bool(answer.get("status", "Accepted") == "Accepted")


def transaction_id(answer: Mapping[str, Any]) -> int:
    """The number that the CSO gave a transaction, out of StartTransaction.conf."""
    return _whole(answer, "transactionId", least=None)


def write_time(at: datetime) -> str:
    """A moment as OCPP writes it, in UTC to the millisecond.

    >>> write_time(datetime(2026, 1, 1, 12, tzinfo=UTC))
    '2026-01-01T12:00:00.000Z'
    """
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_time(payload: Mapping[str, Any], key: str) -> datetime:
    """A moment out of a payload; without a zone it is UTC (section 3.4 asks for UTC)."""
    text = _text(payload, key)
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise PayloadError(key, f"{text!r} is not a time") from None


def _write_profile(profile: Profile, rate_unit: str) -> Payload:
    schedule = _present(
        duration=profile.schedule.duration_s,
        startSchedule=None if profile.schedule.start is None else write_time(profile.schedule.start),
        chargingRateUnit=rate_unit,
        chargingSchedulePeriod=[_write_period(period, rate_unit) for period in profile.schedule.periods],
    )
    return _present(
        chargingProfileId=profile.id,
        transactionId=profile.transaction_id,
        stackLevel=profile.stack_level,
        chargingProfilePurpose=profile.purpose,
        chargingProfileKind=profile.kind,
        recurrencyKind=profile.recurrency,
        validFrom=None if profile.valid_from is None else write_time(profile.valid_from),
        validTo=None if profile.valid_to is None else write_time(profile.valid_to),
        chargingSchedule=schedule,
    )


def _write_period(period: Period, rate_unit: str) -> Payload:
    """A period with its limit in tenths, rounded down; in W it is that of the phases together."""
    if rate_unit == "A":
        limit = Decimal(period.limit_ca // 10).scaleb(-1)
    else:
        limit = Decimal(period.limit_ca * VOLTAGE_V * period.phases // 100)
    return {"startPeriod": period.start_s, "limit": float(limit), "numberPhases": period.phases}


def _read_set_charging_profile(payload: Mapping[str, Any]) -> SetChargingProfile:
    body = _object(payload, "csChargingProfiles")
    profile = Profile(
        id=_whole(body, "chargingProfileId", least=None),
        stack_level=_whole(body, "stackLevel"),
        purpose=_one_of(body, "chargingProfilePurpose", Purpose),
        kind=_one_of(body, "chargingProfileKind", Kind),
        schedule=_read_schedule(_object(body, "chargingSchedule")),
        transaction_id=_maybe(body, "transactionId", lambda b, k: _whole(b, k, least=None)),
        valid_from=_maybe(body, "validFrom", read_time),
        valid_to=_maybe(body, "validTo", read_time),
        recurrency=_maybe(body, "recurrencyKind", lambda b, k: _one_of(b, k, Recurrency)),
    )
    return SetChargingProfile(_whole(payload, "connectorId"), profile)


def _read_schedule(body: Mapping[str, Any]) -> Schedule:
    unit = _text(body, "chargingRateUnit")
    if unit not in ("A", "W"):
        raise PayloadError("chargingRateUnit", f"{unit!r} is neither A nor W")
    periods = body.get("chargingSchedulePeriod")
    if not isinstance(periods, list):
        raise PayloadError("chargingSchedulePeriod", "is not a list")
    return Schedule(
        periods=tuple(_read_period(period, unit) for period in periods),
        start=_maybe(body, "startSchedule", read_time),
        duration_s=_maybe(body, "duration", lambda b, k: _whole(b, k, most=LONGEST_S)),
    )


def _read_period(body: object, unit: str) -> Period:
    if not isinstance(body, Mapping):
        raise PayloadError("chargingSchedulePeriod", "an entry is not an object")
    named = _maybe(body, "numberPhases", lambda b, k: _whole(b, k, least=1, most=3))
    phases = 3 if named is None else named
    limit = _number(body, "limit")
    per_phase = limit if unit == "A" else limit / (VOLTAGE_V * phases)
    if not 0 <= per_phase * 100 <= LARGEST_CA:
        raise PayloadError("limit", f"{limit} {unit} is out of range")
    limit_ca = int((per_phase * 100).to_integral_value(ROUND_FLOOR))
    return Period(_whole(body, "startPeriod", most=LONGEST_S), limit_ca, phases)


def _read_clear_charging_profile(payload: Mapping[str, Any]) -> ClearChargingProfile:
    return ClearChargingProfile(
        id=_maybe(payload, "id", lambda b, k: _whole(b, k, least=None)),
        connector=_maybe(payload, "connectorId", _whole),
        purpose=_maybe(payload, "chargingProfilePurpose", lambda b, k: _one_of(b, k, Purpose)),
        stack_level=_maybe(payload, "stackLevel", _whole),
    )


def _write_reading(reading: MeterReading) -> Payload:
    return {
        "timestamp": write_time(reading.timestamp),
        "sampledValue": [
            _present(
                value=str(sample.value),
                context=sample.context,
                measurand=sample.measurand,
                phase=sample.phase or None,
                unit=sample.unit or None,
            )
            for sample in reading.samples
        ],
    }


def _read_meter_values(payload: Mapping[str, Any]) -> MeterValues:
    values = payload.get("meterValue")
    if not isinstance(values, list):
        raise PayloadError("meterValue", "is not a list")
    readings = tuple(_read_reading(value) for value in values)
    for reading in readings:
        reading.currents_ca()
        reading.register_wh()
    number = _maybe(payload, "transactionId", lambda b, k: _whole(b, k, least=None))
    return MeterValues(_whole(payload, "connectorId"), number, readings)


def _read_reading(body: object) -> MeterReading:
    if not isinstance(body, Mapping) or not isinstance(body.get("sampledValue"), list):
        raise PayloadError("meterValue", "an entry has no list of sampled values")
    # A signed value is not a number: it stays out until its signature can be verified.
    raw = [sample for sample in body["sampledValue"] if not _is_signed(sample)]
    return MeterReading(read_time(body, "timestamp"), tuple(_read_sample(sample) for sample in raw))


def _is_signed(body: object) -> bool:
    return isinstance(body, Mapping) and body.get("format") == "SignedData"


def _read_sample(body: object) -> Sample:
    if not isinstance(body, Mapping):
        raise PayloadError("sampledValue", "an entry is not an object")
    return Sample(
        measurand=_maybe(body, "measurand", _text) or "Energy.Active.Import.Register",
        value=_number(body, "value"),
        unit=_maybe(body, "unit", _text) or "",
        phase=_maybe(body, "phase", _text) or "",
        context=_maybe(body, "context", _text) or "Sample.Periodic",
    )


def _read_start_transaction(payload: Mapping[str, Any]) -> StartTransaction:
    return StartTransaction(
        connector=_whole(payload, "connectorId", least=1),
        id_tag=_text(payload, "idTag"),
        meter_start_wh=_whole(payload, "meterStart", least=None),
        at=read_time(payload, "timestamp"),
    )


def _read_stop_transaction(payload: Mapping[str, Any]) -> StopTransaction:
    return StopTransaction(
        transaction_id=_whole(payload, "transactionId", least=None),
        meter_stop_wh=_whole(payload, "meterStop", least=None),
        at=read_time(payload, "timestamp"),
        reason=_maybe(payload, "reason", _text) or "Local",
    )


def _read_status_notification(payload: Mapping[str, Any]) -> StatusNotification:
    return StatusNotification(
        connector=_whole(payload, "connectorId"),
        status=_one_of(payload, "status", Status),
        at=_maybe(payload, "timestamp", read_time),
        error=_text(payload, "errorCode"),
    )


def _read_boot_notification(payload: Mapping[str, Any]) -> BootNotification:
    return BootNotification(
        vendor=_text(payload, "chargePointVendor"),
        model=_text(payload, "chargePointModel"),
        serial=_maybe(payload, "chargePointSerialNumber", _text) or "",
        firmware=_maybe(payload, "firmwareVersion", _text) or "",
    )


_READERS: dict[str, Callable[[Mapping[str, Any]], Request]] = {
    "BootNotification": _read_boot_notification,
    "Authorize": lambda payload: Authorize(_text(payload, "idTag")),
    "Heartbeat": lambda _: Heartbeat(),
    "StatusNotification": _read_status_notification,
    "StartTransaction": _read_start_transaction,
    "StopTransaction": _read_stop_transaction,
    "MeterValues": _read_meter_values,
    "SetChargingProfile": _read_set_charging_profile,
    "ClearChargingProfile": _read_clear_charging_profile,
}
ACTIONS = frozenset(_READERS)


def _present(**fields: object) -> Payload:
    """The fields that are given."""
    return {name: value for name, value in fields.items() if value is not None}


def _maybe(body: Mapping[str, Any], key: str, reader: Callable[[Mapping[str, Any], str], T]) -> T | None:
    return None if body.get(key) is None else reader(body, key)


def _object(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = body.get(key)
    if not isinstance(value, Mapping):
        raise PayloadError(key, "is missing" if value is None else "is not an object")
    return value


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str):
        raise PayloadError(key, "is missing" if value is None else "is not a text")
    return value


def _whole(body: Mapping[str, Any], key: str, least: int | None = 0, most: int = 2**53) -> int:
    value = body.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise PayloadError(key, "is missing" if value is None else f"{value!r} is not a whole number")
    if not (-most if least is None else least) <= value <= most:
        raise PayloadError(key, f"{value} is out of range")
    return value


def _number(body: Mapping[str, Any], key: str) -> Decimal:
    value = body.get(key)
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise PayloadError(key, f"{value!r} is not a number") from None
    if not number.is_finite() or abs(number) > 10**12:
        raise PayloadError(key, f"{value!r} is out of range")
    return number


def _one_of(body: Mapping[str, Any], key: str, choices: type[E]) -> E:
    text = _text(body, key)
    try:
        return choices(text)
    except ValueError:
        raise PayloadError(key, f"{text!r} is none of {', '.join(choices)}") from None
