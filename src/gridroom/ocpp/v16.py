"""OCPP 1.6: our values to and from the payloads on the wire.

`write` gives the action and payload of a request, `read` takes them apart; both keep OCPP's names, written out one
by one. Charging profiles and meter values pass through what they state (`v16_charging.py`, `v16_metering.py`); the
other messages are here. Source: OCPP 1.6 (edition 2) chapters 6 and 7.
"""

from collections.abc import Callable

from gridroom.ocpp import fields, times, understood, v16_charging, v16_metering
from gridroom.ocpp.fields import Body, Payload, maybe, present
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
from gridroom.ocpp.profiles import Purpose
from gridroom.ocpp.stated import RateUnit


def write(request: Request, *, rate_unit: str = "A") -> tuple[str, Payload]:
    """Action and payload of a request.

    Args:
        request: What to say.
        rate_unit: A, or W for a station that knows power only: the power at 207 V. Limits are rounded down.
    """
    match request:
        case SetChargingProfile():
            return "SetChargingProfile", v16_charging.write_charging(understood.state(request, RateUnit(rate_unit)), [])
        case ClearChargingProfile():
            return "ClearChargingProfile", present(
                id=request.id,
                connectorId=request.connector,
                chargingProfilePurpose=request.purpose,
                stackLevel=request.stack_level,
            )
        case MeterValues():
            return "MeterValues", v16_metering.write_readings(understood.state_readings(request), [])
        case StartTransaction():
            return "StartTransaction", {
                "connectorId": request.connector,
                "idTag": request.id_tag,
                "meterStart": request.meter_start_wh,
                "timestamp": times.write(request.at),
            }
        case StopTransaction():
            return "StopTransaction", {
                "transactionId": request.transaction_id,
                "meterStop": request.meter_stop_wh,
                "timestamp": times.write(request.at),
                "reason": request.reason,
            }
        case StatusNotification():
            return "StatusNotification", present(
                connectorId=request.connector,
                errorCode=request.error,
                status=request.status,
                timestamp=None if request.at is None else times.write(request.at),
            )
        case BootNotification():
            return "BootNotification", present(
                chargePointVendor=request.vendor,
                chargePointModel=request.model,
                chargePointSerialNumber=request.serial or None,
                firmwareVersion=request.firmware or None,
            )
        case Authorize():
            return "Authorize", {"idTag": request.id_tag}
        case _:
            return "Heartbeat", {}


def read(action: str, payload: Body) -> Request:
    """The request that a payload holds.

    Args:
        action: One of `ACTIONS`.
        payload: Its payload.

    Raises:
        PayloadError: The payload breaks a rule; the error names the field.
    """
    return _READERS[action](payload)


def acknowledged(action: str, answer: Body) -> bool:
    """Whether an answer says yes: Accepted, or anything at all to a message that cannot be refused."""
    if action in ("StartTransaction", "Authorize"):
        return bool(fields.object_(answer, "idTagInfo").get("status") == "Accepted")
    return bool(answer.get("status", "Accepted") == "Accepted")


def transaction_id(answer: Body) -> int:
    """The number that the CSO gave a transaction, out of StartTransaction.conf."""
    return fields.any_whole(answer, "transactionId")


def _read_clear_charging_profile(payload: Body) -> ClearChargingProfile:
    return ClearChargingProfile(
        id=maybe(payload, "id", fields.any_whole),
        connector=maybe(payload, "connectorId", fields.whole),
        purpose=maybe(payload, "chargingProfilePurpose", fields.one_of(Purpose)),
        stack_level=maybe(payload, "stackLevel", fields.whole),
    )


def _read_start_transaction(payload: Body) -> StartTransaction:
    return StartTransaction(
        connector=fields.whole_between(1, fields.MOST)(payload, "connectorId"),
        id_tag=fields.text(payload, "idTag"),
        meter_start_wh=fields.any_whole(payload, "meterStart"),
        at=fields.time(payload, "timestamp"),
    )


def _read_stop_transaction(payload: Body) -> StopTransaction:
    return StopTransaction(
        transaction_id=fields.any_whole(payload, "transactionId"),
        meter_stop_wh=fields.any_whole(payload, "meterStop"),
        at=fields.time(payload, "timestamp"),
        reason=maybe(payload, "reason", fields.text) or "Local",
    )


def _read_status_notification(payload: Body) -> StatusNotification:
    return StatusNotification(
        connector=fields.whole(payload, "connectorId"),
        status=fields.one_of(Status)(payload, "status"),
        at=maybe(payload, "timestamp", fields.time),
        error=fields.text(payload, "errorCode"),
    )


def _read_boot_notification(payload: Body) -> BootNotification:
    return BootNotification(
        vendor=fields.text(payload, "chargePointVendor"),
        model=fields.text(payload, "chargePointModel"),
        serial=maybe(payload, "chargePointSerialNumber", fields.text) or "",
        firmware=maybe(payload, "firmwareVersion", fields.text) or "",
    )


_READERS: dict[str, Callable[[Body], Request]] = {
    "BootNotification": _read_boot_notification,
    "Authorize": lambda payload: Authorize(fields.text(payload, "idTag")),
    "Heartbeat": lambda _: Heartbeat(),
    "StatusNotification": _read_status_notification,
    "StartTransaction": _read_start_transaction,
    "StopTransaction": _read_stop_transaction,
    "MeterValues": lambda payload: understood.readings(v16_metering.read_readings(payload)),
    "SetChargingProfile": lambda payload: understood.charging(v16_charging.read_charging(payload)),
    "ClearChargingProfile": _read_clear_charging_profile,
}
ACTIONS = frozenset(_READERS)
"""Names of the requests that are read."""
