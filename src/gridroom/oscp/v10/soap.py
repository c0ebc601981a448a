"""Envelope bytes to messages and back: the door to OSCP 1.0 on the wire.

Strict writer, tolerant reader: what had to be tolerated is a `Deviation` of the envelope, a cable whose values break a
rule is a `Refusal` in the message, and what breaks the schema is a `RemoteError`, which `write_fault` makes a Fault.
"""

from datetime import datetime
from typing import NamedTuple

from gridroom import xml
from gridroom.oscp.errors import AnswerError, RemoteError
from gridroom.oscp.v10.bodies import read_body
from gridroom.oscp.v10.faults import read_fault, write_fault
from gridroom.oscp.v10.headers import read_header
from gridroom.oscp.v10.messages import OPERATIONS, Envelope, Fault
from gridroom.oscp.v10.names import BODIES, SOAP11, SOAP12, body_name, content_type
from gridroom.oscp.v10.references import resolve
from gridroom.oscp.v10.tree import Tree, fail
from gridroom.oscp.v10.writing import write

__all__ = ["content_type", "read", "read_any", "read_reply", "write", "write_fault"]


class _Parts(NamedTuple):
    header: xml.Element | None
    body: xml.Element
    soap11: bool


def read(
    data: bytes,
    *,
    now: datetime | None = None,  # noqa: ARG001 - the reading itself depends on no clock; `peer` judges the DateTime
    soap11: bool = False,
) -> Envelope:
    """A request or an answer.

    Args:
        data: The envelope.
        now: Not used: the same bytes always read the same.
        soap11: Whether this peer may speak SOAP 1.1.

    Raises:
        RemoteError: The bytes are no message of OSCP 1.0; names the element, and becomes a Fault.
    """
    try:
        return _message(_open(data, soap11))
    except xml.XmlError as error:
        raise RemoteError(error.reason, path=error.path) from error


def read_reply(data: bytes, *, soap11: bool = False) -> Envelope | Fault:
    """What came back for a request: its answer, or a Fault of SOAP 1.2 or 1.1.

    Args:
        data: The envelope.
        soap11: Whether this peer may answer in SOAP 1.1.

    Raises:
        AnswerError: It is neither.
    """
    try:
        reply = read_any(data, soap11=soap11)
    except AnswerError:
        raise
    except RemoteError as error:
        raise AnswerError(error.reason, path=error.path, subcode=error.subcode, sender=error.sender) from error
    if isinstance(reply, Envelope) and not body_name(reply.body).endswith("Response"):
        raise AnswerError(f"{body_name(reply.body)} is a request, an answer was expected", path="Envelope/Body")
    return reply


def read_any(data: bytes, *, soap11: bool = False) -> Envelope | Fault:
    """Whatever it is: a request, an answer or a Fault.

    Raises:
        RemoteError: It is none of them.
    """
    try:
        parts = _open(data, soap11=True)
        if parts.body.tag in (f"{{{SOAP12}}}Fault", f"{{{SOAP11}}}Fault"):
            return read_fault(parts.header, parts.body)
        if parts.soap11 and not soap11:
            _refuse_version()
        return _message(parts)
    except xml.XmlError as error:
        raise RemoteError(error.reason, path=error.path) from error


def _refuse_version() -> None:
    raise RemoteError("SOAP 1.1 is not spoken here, only SOAP 1.2", path="Envelope", subcode="VersionMismatch")


def _open(data: bytes, soap11: bool) -> _Parts:
    """Header and the one element in the body."""
    root = xml.parse(data)
    soap, local = xml.split(root.tag)
    if local != "Envelope" or soap not in (SOAP11, SOAP12):
        subcode = "VersionMismatch" if local == "Envelope" else ""
        raise RemoteError("a SOAP 1.2 Envelope was expected", path=xml.path_of(root), subcode=subcode)
    if soap == SOAP11 and not soap11:
        _refuse_version()
    resolve(root, data)
    parts = {tag: [child for child in root if child.tag == f"{{{soap}}}{tag}"] for tag in ("Header", "Body")}
    if len(parts["Header"]) > 1 or len(parts["Body"]) != 1 or len(root) != sum(map(len, parts.values())):
        raise RemoteError("an Envelope holds at most one Header and exactly one Body", path="Envelope")
    bodies = list(parts["Body"][0])
    if len(bodies) != 1:
        raise RemoteError("the Body must hold exactly one element", path="Envelope/Body")
    return _Parts(parts["Header"][0] if parts["Header"] else None, bodies[0], soap == SOAP11)


def _message(parts: _Parts) -> Envelope:
    body = parts.body
    namespace, local = xml.split(body.tag)
    if local.lower() not in BODIES:
        fail(body, f"{local[:64]} is no operation of OSCP 1.0", subcode="ActionNotSupported")
    operation, answer = BODIES[local.lower()]
    service = OPERATIONS[operation][0]
    if namespace != service:
        fail(body, f"{operation} must stand in the namespace {service}")
    tree = Tree(service)
    exact = operation + ("Response" if answer else "Request")
    if local != exact:
        tree.note(1, body, f"{local} read as {exact}")
    header, made = read_header(tree, parts.header, operation, answer=answer)
    message = read_body(tree, operation, answer, body, made)
    return Envelope(header, message, tree.deviations())
