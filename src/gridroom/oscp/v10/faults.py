"""Faults, written and read. Source: OSCP 1.0 section 5.3, SOAP 1.2 part 1 section 5.4; decision 32."""

from dataclasses import replace
from datetime import datetime

from gridroom import xml
from gridroom.oscp.errors import AnswerError, RemoteError
from gridroom.oscp.v10 import values
from gridroom.oscp.v10.headers import relates_to_of, sort_blocks
from gridroom.oscp.v10.messages import CSP_NAMESPACE, Fault
from gridroom.oscp.v10.names import ANONYMOUS, FAULT_ACTION, SOAP12, WSA
from gridroom.oscp.v10.profile import DEFAULT, PeerProfile
from gridroom.oscp.v10.tree import Tree
from gridroom.oscp.v10.writing import addressing, wrap

INVALID = "InvalidAddressingHeader"
"""Subcode above those of a wrong addressing header."""

BENEATH_INVALID = frozenset(
    {
        *("InvalidAddress", "InvalidEPR", "InvalidCardinality", "MissingAddressInEPR", "DuplicateMessageID"),
        *("ActionMismatch", "OnlyAnonymousAddressSupported", "OnlyNonAnonymousAddressSupported"),
    }
)
"""Subcodes that stand beneath InvalidAddressingHeader. Source: WS-Addressing 1.0 SOAP Binding section 6.4.1."""

OF_ADDRESSING = BENEATH_INVALID | {
    *(INVALID, "MessageAddressingHeaderRequired", "DestinationUnreachable", "ActionNotSupported"),
    "EndpointUnavailable",
}
"""All subcodes of WS-Addressing 1.0. Source: its SOAP Binding section 6.4."""

OF_SOAP = frozenset({"VersionMismatch", "MustUnderstand"})
"""Subcodes that are codes of SOAP itself."""

UPGRADE = (
    f'<soap12:Upgrade xmlns:soap12="{SOAP12}"><soap12:SupportedEnvelope qname="soap12:Envelope"/></soap12:Upgrade>'
)
"""Tells which versions are spoken. Source: SOAP 1.2 part 1 section 5.4.7 and appendix A."""

LONGEST_REASON = 1000
"""Longest Reason that is read or written. [characters]"""


def write_fault(
    error: RemoteError,
    *,
    relates_to: str = "",
    message_id: str = "",
    now: datetime | None = None,
    service: str = CSP_NAMESPACE,
    profile: PeerProfile = DEFAULT,
) -> bytes:
    """The Fault that tells a peer what was wrong.

    Args:
        error: Its path and reason become the text, its subcode the Subcode. It is told in the SOAP version of the
            message that it is about, whatever the profile says, since who sent that may read no other.
        relates_to: MessageID of the request; by default the error's own.
        message_id: Id of the fault itself; left out when empty.
        now: When it was made, as DateTime; left out without it. [UTC]
        service: Namespace of the service that answers.
        profile: How this peer reads.
    """
    relates_to = relates_to or error.relates_to
    profile = fault_profile(error, profile)
    blocks = [addressing("Action", FAULT_ACTION), addressing("To", ANONYMOUS)]
    for name, text in (("MessageID", message_id), ("RelatesTo", relates_to)):
        if text:
            blocks.append(addressing(name, xml.sayable(text).strip(xml.SPACE)))
    if now is not None:
        blocks.append(f'<DateTime xmlns="{service}">{values.write_instant(now)}</DateTime>')
    if error.subcode == "VersionMismatch":
        blocks.append(UPGRADE)
    body = _fault11(error) if profile.soap == "1.1" else _fault12(error)
    return wrap("".join(blocks), body, profile)


def fault_profile(error: RemoteError, profile: PeerProfile) -> PeerProfile:
    """How a peer is told of an error: in the SOAP version that it used. Source: SOAP 1.2 part 1 appendix A."""
    return replace(profile, soap="1.1" if error.soap == "1.1" else "1.2") if error.soap else profile


def _reason(error: RemoteError) -> str:
    return xml.escape(xml.sayable(str(error))[:LONGEST_REASON])


def _fault12(error: RemoteError) -> str:
    if error.subcode in OF_SOAP:
        code = f"<soap:Value>soap:{error.subcode}</soap:Value>"
    else:
        code = f"<soap:Value>soap:{'Sender' if error.sender else 'Receiver'}</soap:Value>{_subcode(error.subcode)}"
    return (
        f"<soap:Fault><soap:Code>{code}</soap:Code>"
        f'<soap:Reason><soap:Text xml:lang="en">{_reason(error)}</soap:Text></soap:Reason></soap:Fault>'
    )


def _subcode(name: str) -> str:
    if not name or not name.isidentifier():
        return ""
    if name in BENEATH_INVALID:
        outer = f'<soap:Value xmlns:wsa="{WSA}">wsa:{INVALID}</soap:Value>'
        return f"<soap:Subcode>{outer}{_value(name, WSA)}</soap:Subcode>"
    return _value(name, WSA if name in OF_ADDRESSING else CSP_NAMESPACE)


def _value(name: str, namespace: str) -> str:
    return f'<soap:Subcode><soap:Value xmlns:c="{namespace}">c:{name}</soap:Value></soap:Subcode>'


def _fault11(error: RemoteError) -> str:
    if error.subcode in OF_SOAP:
        code = f"<faultcode>soap:{error.subcode}</faultcode>"
    elif error.subcode in OF_ADDRESSING:
        code = f'<faultcode xmlns:wsa="{WSA}">wsa:{error.subcode}</faultcode>'
    else:
        code = f"<faultcode>soap:{'Client' if error.sender else 'Server'}</faultcode>"
    return f'<soap:Fault>{code}<faultstring xml:lang="en">{_reason(error)}</faultstring></soap:Fault>'


def read_fault(header: xml.Element | None, fault: xml.Element) -> Fault:
    """A Fault of SOAP 1.2 or 1.1; one whose code says neither is the receiver's, so that it may be tried again.

    Raises:
        AnswerError: It names no code.
    """
    modern = xml.split(fault.tag)[0] == SOAP12
    codes = _codes12(fault) if modern else _codes11(fault)
    if not codes:
        raise AnswerError("a Fault without code", path=xml.path_of(fault))
    reason = next((xml.clean(element) for element in fault.iter() if _local(element) in ("Text", "faultstring")), "")
    return Fault(
        sender=_blames_sender(codes[0]),
        reason=reason[:LONGEST_REASON],
        subcode="" if codes[-1] in ("Sender", "Receiver", "Client", "Server") else codes[-1][:64],
        relates_to=_relates_to(header),
    )


def _blames_sender(code: str) -> bool:
    known = {"Sender", "Client", "VersionMismatch", "MustUnderstand", "DataEncodingUnknown"}
    return code in known or code.startswith("Client.") or code in OF_ADDRESSING - {"EndpointUnavailable"}


def _codes12(fault: xml.Element) -> list[str]:
    return [xml.clean(element).rpartition(":")[2] for element in fault.iter(f"{{{SOAP12}}}Value") if xml.clean(element)]


def _codes11(fault: xml.Element) -> list[str]:
    return [xml.clean(e).rpartition(":")[2] for e in fault if _local(e).lower() == "faultcode" and xml.clean(e)]


def _local(element: xml.Element) -> str:
    return xml.split(element.tag)[1]


def _relates_to(header: xml.Element | None) -> str:
    try:
        return relates_to_of(sort_blocks(Tree(), header)[0])
    except (RemoteError, xml.XmlError):
        return ""
