"""Envelope bytes to messages and back: the door to OSCP 1.0 on the wire.

Strict writer, tolerant reader: what had to be tolerated is a `Deviation` of the envelope, a cable whose values break a
rule is a `Refusal` in the message, and what breaks the schema is a `RemoteError`, which `write_fault` makes a Fault.
"""

import contextlib
from typing import NoReturn, cast

from gridroom import xml
from gridroom.oscp.errors import AnswerError, LocalError, RemoteError
from gridroom.oscp.v10.bodies import read_body
from gridroom.oscp.v10.faults import read_fault, write_fault
from gridroom.oscp.v10.headers import message_id_of, read_header
from gridroom.oscp.v10.messages import OPERATIONS, Envelope, Fault
from gridroom.oscp.v10.names import BODIES, SOAP11, SOAP12, WSA, body_name, content_type
from gridroom.oscp.v10.references import References, resolve
from gridroom.oscp.v10.tree import NAMES, Tree, fail
from gridroom.oscp.v10.writing import write

__all__ = ["content_type", "read", "read_any", "read_reply", "soap_action", "write", "write_fault"]

AMOUNTS = frozenset({"capacity", "remainingcapacity", "usage"})
"""Lower case names of what holds a number."""

LEVELS = 5
"""How deep the blocks stand: Envelope, Body, message, container, block."""


def read(data: bytes, *, soap11: bool = False) -> Envelope:
    """A request or an answer; the same bytes always read the same, since no clock is looked at.

    Args:
        data: The envelope.
        soap11: Whether this peer may speak SOAP 1.1.

    Raises:
        RemoteError: The bytes are no message of OSCP 1.0; names the element, and becomes a Fault.
    """
    return cast("Envelope", _read(data, soap11=soap11, faults=False))


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

    Args:
        data: The envelope.
        soap11: Whether messages may be in SOAP 1.1; a Fault always may.

    Raises:
        RemoteError: It is none of them.
    """
    return _read(data, soap11=soap11, faults=True)


def soap_action(data: bytes) -> str:
    """What a request in SOAP 1.1 says in the HTTP header SOAPAction, quotes included: the Action of its header.

    >>> soap_action(b"<nonsense/>")
    '""'

    Source: SOAP 1.1 section 6.1.1.
    """
    with contextlib.suppress(xml.XmlError):
        for action in xml.parse(data).iter(f"{{{WSA}}}Action"):
            return f'"{(action.text or "").strip(xml.SPACE)}"'
    return '""'


def _read(data: bytes, *, soap11: bool, faults: bool) -> Envelope | Fault:
    if not isinstance(data, bytes):
        raise LocalError(f"an envelope is bytes, not {type(data).__name__}")
    header: xml.Element | None = None
    version = ""
    try:
        root = xml.parse(data)
        header = next(root.iterchildren(f"{{{xml.split(root.tag)[0]}}}Header"), None)
        version = _version(root)
        if version == SOAP11 and not soap11 and not faults:
            _refuse_version()
        references = resolve(root, data)
        body = _body(root, version, references)
        if faults and body.tag in (f"{{{SOAP12}}}Fault", f"{{{SOAP11}}}Fault"):
            return read_fault(header, body)
        if version == SOAP11 and not soap11:
            _refuse_version()
        return _message(root, header, body, references, version == SOAP11)
    except xml.XmlError as error:
        raise _about(RemoteError(error.reason, path=error.path), header, version) from error
    except RemoteError as error:
        _about(error, header, version)
        raise


def _about(error: RemoteError, header: xml.Element | None, version: str) -> RemoteError:
    """The error, with what its Fault needs: which message it is about, and in which version to answer."""
    error.relates_to = message_id_of(header)
    error.soap = {SOAP11: "1.1", SOAP12: "1.2"}.get(version, "")
    return error


def _version(root: xml.Element) -> str:
    """Namespace of the envelope."""
    version, local = xml.split(root.tag)
    if local != "Envelope":
        raise RemoteError("a SOAP 1.2 Envelope was expected", path=xml.path_of(root))
    if version not in (SOAP11, SOAP12):
        _refuse_version()
    return version


def _refuse_version() -> NoReturn:
    raise RemoteError("only SOAP 1.2 is spoken here", path="Envelope", subcode="VersionMismatch")


def _body(root: xml.Element, soap: str, references: References) -> xml.Element:
    """The one element in the Body; behind it only what references pointed at may stand."""
    parts = list(root)
    tags = [part.tag for part in parts]
    body, header = f"{{{soap}}}Body", f"{{{soap}}}Header"
    if tags.count(body) != 1 or tags.count(header) != len(tags) - 1 or len(tags) > 2:
        raise RemoteError("an Envelope holds at most one Header and exactly one Body", path="Envelope")
    inside = [child for child in parts[tags.index(body)] if child not in references.targets]
    if len(inside) != 1:
        raise RemoteError("the Body must hold exactly one element", path="Envelope/Body")
    return inside[0]


def _message(
    root: xml.Element, header: xml.Element | None, body: xml.Element, references: References, soap11: bool
) -> Envelope:
    namespace, local = xml.split(body.tag)
    if local.lower() not in BODIES:
        fail(body, f"{local[:64]} is no operation of OSCP 1.0", subcode="ActionNotSupported")
    operation, answer = BODIES[local.lower()]
    service = OPERATIONS[operation][0]
    if namespace != service:
        fail(body, f"{operation} must stand in the namespace {service}")
    _refuse_stray_text(root)
    tree = Tree(service)
    exact = operation + ("Response" if answer else "Request")
    if local != exact:
        tree.note(1, body, f"{local} read as {exact}")
    if references.first:
        tree.note(33, references.first, "references followed")
    head, made = read_header(tree, header, operation, answer=answer)
    message = read_body(tree, operation, answer, body, made)
    return Envelope(head, message, tree.deviations(), soap11)


def _refuse_stray_text(root: xml.Element) -> None:
    """Text between elements may be a number that lost its tags. On an amount it fails the cable only. Decision 1."""
    for element in xml.mixed(root, LEVELS):
        local = xml.split(element.tag)[1].lower()
        amount = local in AMOUNTS and not any(len(child) for child in element)
        if not amount and (local in NAMES or local in BODIES or xml.split(element.tag)[0] in (SOAP11, SOAP12)):
            fail(element, "text stands between its elements")
