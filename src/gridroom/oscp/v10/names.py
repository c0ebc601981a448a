"""Wire names: namespaces, media types, and what a body or an Action may be called. Decisions 1 and 24."""

import re

from gridroom.oscp.v10.messages import OPERATIONS, Message, operation_of
from gridroom.oscp.v10.profile import DEFAULT, PeerProfile

SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
"""Namespace of a SOAP 1.2 envelope."""

SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
"""Namespace of a SOAP 1.1 envelope."""

WSA = "http://www.w3.org/2005/08/addressing"
"""Namespace of WS-Addressing 1.0."""

ANONYMOUS = f"{WSA}/anonymous"
"""Address of whoever holds the other end of the connection."""

NONE = f"{WSA}/none"
"""Address of nobody."""

FAULT_ACTION = f"{WSA}/fault"
"""Action of a Fault. Source: WS-Addressing 1.0 SOAP Binding section 6."""

BODIES: dict[str, tuple[str, bool]] = {
    f"{operation}{ending}".lower(): (operation, ending.startswith("Response"))
    for operation in OPERATIONS
    for ending in ("", "Request", "Message", "RequestMessage", "Response", "ResponseMessage")
}
"""Lower case name of a body to its operation and whether it is the answer. Source: decision 1."""

_ENDING = re.compile(r"(request|response|message)+$")


def body_name(message: Message) -> str:
    """Name of a message's body element, as in chapter 6."""
    return type(message).__name__


def action_of(message: Message) -> str:
    """The wsa:Action that we write: `/Op` or `/OpResponse`."""
    operation = operation_of(message)
    return f"/{operation}Response" if body_name(message).endswith("Response") else f"/{operation}"


def operation_in(action: str) -> str:
    """The operation of ours that an Action names with its last segment, or empty.

    >>> operation_in("http://OSCP/CSP/2013/06/HeartbeatRequest"), operation_in("urn:other")
    ('Heartbeat', '')
    """
    segment = _ENDING.sub("", re.split("[/:#]", action)[-1].strip().lower())
    return next((operation for operation in OPERATIONS if operation.lower() == segment), "")


def content_type(operation: str, profile: PeerProfile = DEFAULT) -> str:
    """Media type of a message.

    Args:
        operation: `Op` for a request, `OpResponse` for its answer, `Fault` for a Fault.
        profile: SOAP 1.1 has a type of its own (its Action travels in the header SOAPAction, `soap.soap_action`).

    >>> content_type("Heartbeat")
    'application/soap+xml; charset=utf-8; action="/Heartbeat"'
    """
    if profile.soap == "1.1":
        return "text/xml; charset=utf-8"
    action = FAULT_ACTION if operation == "Fault" else f"/{operation}"
    return f'application/soap+xml; charset=utf-8; action="{action}"'
