"""A message of chapter 4, OCPP 1.6 or OCPP 2.0.1 said in one of the others, with what is lost named.

Bytes in, text out; no network. JSON may be a bare payload or a call `[2, "id", "Action", {...}]`; of a call the answer
is a call too. Source: OSCP 1.0 section 4.2; OCPP-J 1.6 section 4.2.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple, NoReturn

from gridroom.ocpp import understood
from gridroom.ocpp.draft20 import mapping, soap
from gridroom.ocpp.draft20.names import IDENTITY
from gridroom.ocpp.draft20.values import Response, SetChargingProfileResponse
from gridroom.ocpp.errors import PayloadError
from gridroom.ocpp.fields import Payload
from gridroom.ocpp.losses import Loss, Lost
from gridroom.ocpp.stated import Stated
from gridroom.ocpp.versions import Version as Version
from gridroom.ocpp.versions import read, write

CALL = 2
"""Message type of a request in OCPP-J. Source: OCPP-J 1.6 chapter 4."""

LARGEST = soap.LIMITS.max_bytes
"""Longest text that is converted. [bytes]"""


@dataclass(frozen=True)
class Converted:
    """A message in another version: its text, and what is lost in it."""

    text: str
    losses: tuple[Loss, ...]


class _Call(NamedTuple):
    """A JSON request; `unique_id` is None where it came without a frame."""

    version: Version
    action: str
    payload: Payload
    unique_id: str | None


def convert(data: bytes, to: Version, identity: str = "") -> Converted:
    """A message said in another version.

    Args:
        data: XML of chapter 4 or JSON of OCPP.
        to: The version; the message's own one gives it back as we would write it.
        identity: The charge point, for a message of chapter 4 that is made from JSON, which does not name it.

    Raises:
        PayloadError: It cannot be read, breaks a rule, or cannot be said safely.
    """
    if len(data) > LARGEST:
        raise PayloadError("", f"the message is larger than {LARGEST} bytes")
    return _from_xml(data, to) if data.lstrip()[:1] == b"<" else _from_json(data, to, identity)


def _from_xml(data: bytes, to: Version) -> Converted:
    letter = soap.read(data)
    if to is Version.DRAFT20:
        return Converted(soap.write(letter).decode(), ())
    if isinstance(letter.message, Response):
        status = letter.message.status if isinstance(letter.message, SetChargingProfileResponse) else None
        return Converted(_json({} if status is None else {"status": status}), ())
    lost = [Loss(Lost.IDENTITY, IDENTITY, f"{letter.identity!r} belongs into the address of the connection")]
    stated = mapping.to_stated(letter.message, lost)
    _note_connector(stated, Version.DRAFT20, to, lost)
    _, payload = write(stated, to, lost)
    return Converted(_json(payload), tuple(lost))


def _from_json(data: bytes, to: Version, identity: str) -> Converted:
    call, lost = _call(data), list[Loss]()
    stated = read(call.version, call.action, call.payload, lost)
    understood.check(stated)
    _note_connector(stated, call.version, to, lost)
    if to is Version.DRAFT20:
        letter = soap.Letter(mapping.from_stated(stated, lost), identity, call.unique_id or "")
        if not identity:
            text = "stands in the connection's address, not in JSON: give --identity, or fill it in"
            lost.append(Loss(Lost.IDENTITY, IDENTITY, text))
        return Converted(soap.enclose(letter).decode(), tuple(lost))
    action, payload = write(stated, to, lost)
    frame = payload if call.unique_id is None else [CALL, call.unique_id, action, payload]
    return Converted(_json(frame), tuple(lost))


def _note_connector(stated: Stated, version: Version, to: Version, lost: list[Loss]) -> None:
    """Connectors of 1.6 and EVSEs have the same numbers only where each EVSE has one connector; 0 is the station."""
    if stated.evse and (version is Version.OCPP16) != (to is Version.OCPP16):
        text = f"connector {stated.evse} is taken as EVSE {stated.evse}, or back: true where each EVSE has one"
        lost.append(Loss(Lost.EVSE, "connectorId", text))


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _call(data: bytes) -> _Call:
    """What a JSON text asks for, and in which version."""
    value = _parse(data)
    action, unique_id = "", None
    if isinstance(value, list):
        if len(value) != 4 or value[0] != CALL or not all(isinstance(one, str) for one in value[1:3]):
            raise PayloadError("", 'only a call [2, "id", "Action", {...}] is read: an answer does not name its action')
        _, unique_id, action, value = value
    if not isinstance(value, dict):
        raise PayloadError("", "neither XML, nor a JSON object, nor a call in JSON")
    if "connectorId" in value:
        version = Version.OCPP16
    elif {"evseId", "eventType"} & value.keys():
        version = Version.OCPP201
    else:
        raise PayloadError("", "has neither connectorId (OCPP 1.6) nor evseId or eventType (OCPP 2.0.1)")
    return _Call(version, action or _action(value), value, unique_id)


def _action(payload: Payload) -> str:
    """What a payload without a frame is, by the fields that only it has."""
    if "eventType" in payload:
        return "TransactionEvent"
    return "MeterValues" if "meterValue" in payload else "SetChargingProfile"


def _parse(data: bytes) -> Any:
    """JSON with exact numbers; a key that stands twice is refused, since only one of the two would count."""
    try:
        return json.loads(
            data.decode("utf-8-sig"),
            parse_float=Decimal,
            parse_constant=_no_number,
            object_pairs_hook=_once,
        )
    except (ValueError, RecursionError, InvalidOperation) as error:
        reason = " ".join(str(error).split())[:200]
        raise PayloadError("", f"neither XML nor JSON: {reason}") from None


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _once(pairs: Sequence[tuple[str, Any]]) -> Payload:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in an object")
    return found
