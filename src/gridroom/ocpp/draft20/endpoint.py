"""Either service of chapter 4 for anyone who hosts it: bytes in, HTTP status and bytes out, no network.

Source: OSCP 1.0 sections 4.2.1.1 and 5.3.

>>> from gridroom.ocpp.draft20.values import MeterValuesRequest, Evse
>>> from gridroom.ocpp.draft20.soap import Letter, write
>>> data = write(Letter(MeterValuesRequest(Evse(1)), "CB1234"))
>>> answer_cs(data, "CB1234", lambda request: None)[0], answer_cs(data, "CB9999", lambda request: None)[0]
(200, 400)
"""

from collections.abc import Callable
from typing import TypeVar

from gridroom import xml
from gridroom.ocpp.draft20 import soap
from gridroom.ocpp.draft20.enums import GenericStatus
from gridroom.ocpp.draft20.faults import IDENTITY_MISMATCH, NOT_SUPPORTED, OF_SOAP, write_fault
from gridroom.ocpp.draft20.names import ANONYMOUS, CP, CS, IDENTITY, TAGS, WSA
from gridroom.ocpp.draft20.values import (
    MeterValuesRequest,
    MeterValuesResponse,
    Response,
    SetChargingProfileRequest,
    SetChargingProfileResponse,
)
from gridroom.ocpp.errors import PayloadError

OK = 200
"""HTTP status of an answer."""

SENDER_FAULT = 400
"""HTTP status of a Fault that blames the sender."""

OTHER_FAULT = 500
"""HTTP status of a Fault with one of SOAP's own codes, such as VersionMismatch."""

FAULT_ACTION = f"{WSA}/fault"
"""Action of a Fault. Source: WS-Addressing 1.0 SOAP Binding section 6."""

R = TypeVar("R", SetChargingProfileRequest, MeterValuesRequest)


def answer_cp(
    data: bytes, identity: str, handle: Callable[[SetChargingProfileRequest], GenericStatus]
) -> tuple[int, bytes]:
    """A local controller's answer: the HTTP status and the envelope.

    Args:
        data: What was posted.
        identity: The charge point's own identity; a request for another one gets the Fault IdentityMismatch.
        handle: Takes a request that keeps all rules. It may raise PayloadError, which becomes a Fault; any other
            exception passes through.
    """
    return _answer(data, identity, CP, SetChargingProfileRequest, lambda one: SetChargingProfileResponse(handle(one)))


def answer_cs(data: bytes, identity: str, handle: Callable[[MeterValuesRequest], None]) -> tuple[int, bytes]:
    """A CSO's answer to a charge point: the HTTP status and the envelope.

    Args:
        data: What was posted.
        identity: The charge point that the connection proves, by its certificate or password; a request in the name of
            another one gets the Fault IdentityMismatch.
        handle: As in `answer_cp`.
    """

    def taken(request: MeterValuesRequest) -> MeterValuesResponse:
        handle(request)
        return MeterValuesResponse()

    return _answer(data, identity, CS, MeterValuesRequest, taken)


def _answer(
    data: bytes, identity: str, namespace: str, request: type[R], handle: Callable[[R], Response]
) -> tuple[int, bytes]:
    """Who is meant comes first: a stranger's message is not judged further."""
    relates_to = ""
    try:
        header, body = soap.split(data)
        found = soap.header_texts(header)
        relates_to = found.get("MessageID", "")
        _check_identity(found.get(IDENTITY, ""), identity)
        message = soap.read_message(body)
        if not isinstance(message, request):
            raise PayloadError("Envelope/Body", f"{TAGS[type(message)][0]} is not taken here", NOT_SUPPORTED)
        return OK, soap.write(soap.Letter(handle(message), relates_to=relates_to))
    except xml.XmlError as error:
        return _fault(PayloadError(error.path, error.reason), namespace, relates_to)
    except PayloadError as error:
        return _fault(error, namespace, relates_to)


def _check_identity(given: str, expected: str) -> None:
    if not given:
        raise PayloadError(f"Envelope/Header/{IDENTITY}", "must stand in each request")
    if given != expected:
        reason = f"{given[:64]!r} is not the charge point of this connection"
        raise PayloadError(f"Envelope/Header/{IDENTITY}", reason, IDENTITY_MISMATCH)


def _fault(error: PayloadError, namespace: str, relates_to: str) -> tuple[int, bytes]:
    blocks = [("Action", FAULT_ACTION), ("RelatesTo", relates_to), ("To", ANONYMOUS)]
    header = "".join(f'<{name} xmlns="{WSA}">{xml.escape(text)}</{name}>' for name, text in blocks if text)
    status = OTHER_FAULT if error.code in OF_SOAP else SENDER_FAULT
    return status, soap.envelope(header, write_fault(error, namespace))
