"""From JSON to a message: the way back of `render`, for people and for `gridroom encode`.

The form is the one that `gridroom decode` prints: the specification's names, amounts as text, times in UTC, an EndTime
as the first moment after its block. It is read strictly; what cannot be written is refused with its place.

Source: OSCP 1.0 sections 3.2.1 to 3.2.8; what is written where they leave a choice stands in docs/deviations.md.
"""

import re
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from gridroom.oscp.errors import LocalError, RemoteError
from gridroom.oscp.v10 import _form, soap
from gridroom.oscp.v10.letters import DEFAULT_PRIORITY
from gridroom.oscp.v10.messages import Envelope, Fault, Header
from gridroom.oscp.v10.names import operation_in
from gridroom.oscp.v10.profile import DEFAULT, PeerProfile

T = TypeVar("T")
_PLACE = re.compile(r" - at `\$\.?([^`]*)`$")


def encode(document: bytes, *, message_id: str, now: datetime, profile: PeerProfile = DEFAULT) -> bytes:
    """A message or Fault that stands as JSON, as the bytes that go over the wire.

    Args:
        document: JSON as `gridroom decode` prints it, in UTF-8.
        message_id: MessageID where the document names none; a fresh uuid.
        now: DateTime where the document names none. [UTC]
        profile: How the peer reads. Amounts and blocks are written as the document states them; what would have to be
            rounded is refused.

    Raises:
        LocalError: It is not such JSON, or says what the protocol cannot say; names the place.

    Source: OSCP 1.0 chapter 6 for the form on the wire.
    """
    said = from_json(document, message_id=message_id, now=now)
    if isinstance(said, Envelope):
        return soap.write(said.header, said.body, profile)
    return _write_fault(said, profile)


def from_json(document: bytes, *, message_id: str, now: datetime) -> Envelope | Fault:
    """The message, or Fault, that a JSON document tells.

    How it was read (`deviations`) is not needed and not looked at. An `Action` is not needed either; one that does not
    name the operation is refused.

    Args:
        document: JSON as `gridroom decode` prints it, in UTF-8.
        message_id: MessageID where the document names none.
        now: DateTime where the document names none. [UTC]

    Raises:
        LocalError: It is something else; names the place, such as `body.Forecast[2].Cable`.

    Source: OSCP 1.0 sections 3.2.1 to 3.2.8.
    """
    said = _read(document, _form.Document, "")
    if said.message.value == _form.FAULT:
        origin, fault = _fault_header(said.header), _read(said.body, _form.Fault, "body")
        relates_to = origin.relates_to.value if origin.relates_to else ""
        return Fault(fault.code.value == "Sender", fault.reason.value, fault.subcode or "", relates_to)
    header = _read(said.header, _form.Header, "header")
    _check(header, said.message.value)
    body: Any = _read(said.body, _form.BODIES[said.message.value], "body")
    return Envelope(_header(header, said.message.value, message_id, now), body.value())


def _fault_header(data: msgspec.Raw) -> _form.FaultHeader:
    given = _read(data, dict[str, Any], "header")
    more = [name for name in _form.HEADER if name in given and name != "RelatesTo"]
    if more:
        raise LocalError(f"header: that of a Fault holds RelatesTo only; leave out {', '.join(more)}")
    return _read(data, _form.FaultHeader, "header")


def _check(header: _form.Header, message: str) -> None:
    """Refuse a header that belongs to another message."""
    answer = message.endswith("Response")
    operation = message.removesuffix("Response").removesuffix("Request")
    if header.action and operation_in(header.action) != operation:
        name = f"/{operation}Response" if answer else f"/{operation}"
        raise LocalError(f"header.Action: does not name this operation; write {name}, or leave it out")
    if answer and header.relates_to is None:
        raise LocalError('header.RelatesTo: an answer names the request here; add "RelatesTo": "…" with its MessageID')
    if header.relates_to is not None and not answer:
        raise LocalError("header.RelatesTo: only an answer relates to another message; leave it out")


def _header(said: _form.Header, message: str, message_id: str, now: datetime) -> Header:
    usual = DEFAULT_PRIORITY.get(message.removesuffix("Request"), 0)
    return Header(
        message_id=said.message_id.value if said.message_id else message_id,
        sender_id=said.parties.sender.value,
        receiver_id=said.parties.receiver.value,
        date_time=said.date_time.value if said.date_time else now,
        priority=usual if said.priority is None else said.priority,
        to=said.to.value if said.to else "",
        relates_to=said.relates_to.value if said.relates_to else "",
    )


def _write_fault(fault: Fault, profile: PeerProfile) -> bytes:
    """A Fault, if it reads back as what was meant: codes come in fixed pairs, and a reason has its longest."""
    error = RemoteError(fault.reason, subcode=fault.subcode, sender=fault.sender)
    data = soap.write_fault(error, relates_to=fault.relates_to, profile=profile)
    heard = soap.read_any(data, soap11=True)
    if heard != fault:
        raise LocalError(f"body: this Fault cannot be said; it would be read as {heard}")
    return data


def _read(data: bytes | msgspec.Raw, kind: type[T], place: str) -> T:
    try:
        return msgspec.json.decode(data, type=kind, dec_hook=_value)
    except msgspec.ValidationError as error:
        text = str(error)
        found = _PLACE.search(text)
        at = ".".join(filter(None, (place, found[1] if found else "")))
        raise LocalError(f"{at or 'the document'}: {text[: found.start()] if found else text}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LocalError(f"{place}: {error}" if place else f"not JSON: {error}") from error
    except RecursionError:
        raise LocalError(f"{place or 'the document'}: too deeply nested") from None


def _value(kind: Any, given: object) -> object:
    try:
        return kind.of(given)
    except LocalError as error:  # msgspec tells the place of a ValueError
        raise ValueError(str(error)) from error
