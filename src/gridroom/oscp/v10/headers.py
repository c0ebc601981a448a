"""Reading the header of an envelope. Source: OSCP 1.0 section 3.2.1, WS-Addressing 1.0; decisions 23 to 31 and 35."""

import re
from datetime import datetime

from gridroom import xml
from gridroom.oscp.errors import RemoteError
from gridroom.oscp.v10 import values
from gridroom.oscp.v10.messages import Header
from gridroom.oscp.v10.names import ANONYMOUS, NONE, SOAP11, SOAP12, WSA, operation_in
from gridroom.oscp.v10.tree import NAMESPACES, Tree, fail, one, text

LONGEST_ID = 64
"""Longest senderID or receiverID. [characters]"""

LONGEST_MESSAGE_ID = 255
"""Longest MessageID. [characters]"""

LONGEST_ADDRESS = 2000
"""Longest To or Action. [characters]"""

LONGEST_PRIORITY = 64
"""Longest Priority that is told from a longer one. [digits]"""

_INTEGER = re.compile(r"([+-]?)([0-9]+)")

REPLY = f"{WSA}/reply"
"""Relationship of an answer to its request."""

PATH = "Envelope/Header"
"""Where header blocks stand."""

_ADDRESSING = frozenset({"To", "From", "ReplyTo", "FaultTo", "Action", "MessageID", "RelatesTo"})
_OSCP = frozenset({"parties", "priority", "datetime"})
_OUR_ROLES = frozenset(
    {
        "",
        f"{SOAP12}/role/next",
        f"{SOAP12}/role/ultimateReceiver",
        "http://schemas.xmlsoap.org/soap/actor/next",
    }
)

Blocks = dict[str, list[xml.Element]]
"""Header blocks by name."""


def read_header(
    tree: Tree, header: xml.Element | None, operation: str, *, answer: bool
) -> tuple[Header, datetime | None]:
    """The header, and its DateTime once more if it names a zone.

    Args:
        tree: Names and deviations of the envelope.
        header: The Header element.
        operation: What the body is.
        answer: Whether it is the response: then DateTime, MessageID, To and RelatesTo may be absent.

    Raises:
        RemoteError: Something is missing, stands twice, or asks what we don't do; the subcode names the Fault.
    """
    addressing, oscp = sort_blocks(tree, header)
    _check_replies(tree, addressing, answer)
    action = _word(addressing, "Action", LONGEST_ADDRESS)
    _check_action(tree, addressing, action, operation, answer)
    message_id = _word(addressing, "MessageID", LONGEST_MESSAGE_ID)
    if not message_id:
        if not answer:
            raise RemoteError(
                "MessageID is missing", path=f"{PATH}/MessageID", subcode="MessageAddressingHeaderRequired"
            )
        tree.note(26, f"{PATH}/MessageID", "an answer without MessageID")
    to = _word(addressing, "To", LONGEST_ADDRESS)
    if not to:
        tree.note(25, f"{PATH}/To", "To is absent or empty")
    relates_to = relates_to_of(addressing)
    if answer and not relates_to:
        tree.note(25, f"{PATH}/RelatesTo", "an answer without RelatesTo")
    sender_id, receiver_id = _parties(tree, oscp)
    date_time, zoned = _date_time(tree, oscp, answer)
    return (
        Header(
            message_id=message_id,
            sender_id=sender_id,
            receiver_id=receiver_id,
            date_time=date_time,
            priority=_priority(tree, oscp),
            to="" if answer and to == ANONYMOUS else to,
            action=action,
            relates_to=relates_to,
        ),
        date_time if zoned else None,
    )


def sort_blocks(tree: Tree, header: xml.Element | None) -> tuple[Blocks, Blocks]:
    """Header blocks of WS-Addressing and of OSCP by name; others are ignored, noted where they look like ours.

    Raises:
        RemoteError: A block that must be understood is not.
    """
    addressing: Blocks = {}
    oscp: Blocks = {}
    for block in header if header is not None else ():
        namespace, local = xml.split(block.tag)
        marked = bool(block.keys())
        if marked and not _is_ours(block):
            continue
        if namespace == WSA and local in _ADDRESSING:
            addressing.setdefault(local, []).append(block)
        elif namespace in NAMESPACES and local.lower() in _OSCP:
            oscp.setdefault(tree.name(block), []).append(block)
        elif marked and _must_understand(block):
            fail(block, f"header {local[:64]} must be understood and is not known here", subcode="MustUnderstand")
        elif namespace == WSA or namespace in NAMESPACES:
            tree.note(35, block, f"unknown header {local[:64]} ignored")
    return addressing, oscp


def message_id_of(header: xml.Element | None) -> str:
    """The MessageID of a message whose header may be broken, for the RelatesTo of its Fault; empty where in doubt."""
    found = [xml.clean(block) for block in header.iterchildren(f"{{{WSA}}}MessageID")] if header is not None else []
    return found[0] if len(found) == 1 and len(found[0]) <= LONGEST_MESSAGE_ID else ""


def _is_ours(block: xml.Element) -> bool:
    role = block.get(f"{{{SOAP12}}}role") or block.get(f"{{{SOAP11}}}actor") or ""
    return role.strip(xml.SPACE) in _OUR_ROLES


def _must_understand(block: xml.Element) -> bool:
    marks = (block.get(f"{{{soap}}}mustUnderstand", "false").strip(xml.SPACE) for soap in (SOAP12, SOAP11))
    return any(mark not in ("false", "0") for mark in marks)


def relates_to_of(addressing: Blocks) -> str:
    """MessageID of the request that this answers, or empty.

    Raises:
        RemoteError: It names two.
    """
    found = [
        block for block in addressing.get("RelatesTo", []) if block.get("RelationshipType", REPLY).strip() == REPLY
    ]
    if len(found) > 1:
        fail(found[1], "RelatesTo names two requests", subcode="InvalidCardinality")
    return text(found[0], LONGEST_MESSAGE_ID) if found and xml.text_of(found[0]) else ""


def _word(addressing: Blocks, name: str, longest: int) -> str:
    block = _single(addressing, name)
    found = "" if block is None else xml.text_of(block)
    if block is not None and len(found) > longest:
        fail(block, f"must not be longer than {longest} characters")
    return found


def _single(blocks: Blocks, name: str, subcode: str = "InvalidCardinality") -> xml.Element | None:
    found = blocks.get(name)
    if not found:
        return None
    if len(found) > 1:
        fail(found[1], f"header {name} appears {len(found)} times, one may stand", subcode=subcode)
    return found[0]


def _check_replies(tree: Tree, addressing: Blocks, answer: bool) -> None:
    _single(addressing, "From")
    for name in ("ReplyTo", "FaultTo"):
        block = _single(addressing, name)
        if block is None:
            continue
        address = next((child for child in block if child.tag == f"{{{WSA}}}Address"), None)
        if answer:
            if address is None or xml.text_of(address) not in (ANONYMOUS, NONE):
                tree.note(28, block, f"{name} in an answer ignored")
        elif address is None:
            fail(block, "Address is missing", child="Address", subcode="MissingAddressInEPR")
        elif xml.text_of(address) not in (ANONYMOUS, NONE):
            fail(address, "answers go back on the same connection only", subcode="OnlyAnonymousAddressSupported")


def _check_action(tree: Tree, addressing: Blocks, action: str, operation: str, answer: bool) -> None:
    if action == (f"/{operation}Response" if answer else f"/{operation}"):
        return
    named = operation_in(action)
    if named and named != operation:
        fail(addressing["Action"][0], f"Action names {named}, the body is {operation}", subcode="ActionMismatch")
    if action:
        tree.note(24, addressing["Action"][0], f"Action {action[:64]} read as /{operation}")
    else:
        tree.note(24, f"{PATH}/Action", "Action is absent")


def _parties(tree: Tree, oscp: Blocks) -> tuple[str, str]:
    parties = _single(oscp, "Parties", "")
    if parties is None:
        raise RemoteError("Parties is missing", path=f"{PATH}/Parties")
    children = tree.children(parties)
    sender_id, receiver_id = (text(one(children, name, parties), LONGEST_ID) for name in ("senderID", "receiverID"))
    return sender_id, receiver_id


def _date_time(tree: Tree, oscp: Blocks, answer: bool) -> tuple[datetime | None, bool]:
    block = _single(oscp, "DateTime", "")
    if block is None:
        if not answer:
            raise RemoteError("DateTime is missing", path=f"{PATH}/DateTime")
        tree.note(31, f"{PATH}/DateTime", "an answer without DateTime")
        return None, False
    try:
        moment, zone = values.read_time(xml.text_of(block))
    except ValueError as error:
        fail(block, str(error))
    if zone is not values.Zone.UTC:
        how = "without zone read as" if zone is values.Zone.NONE else "with an offset converted to"
        tree.note(11, block, f"DateTime {how} UTC")
    return moment, zone is not values.Zone.NONE


def _priority(tree: Tree, oscp: Blocks) -> int:
    block = _single(oscp, "Priority", "")
    if block is None:
        tree.note(30, f"{PATH}/Priority", "Priority is absent, read as 0")
        return 0
    found = _INTEGER.fullmatch(xml.text_of(block))
    if found is None:
        fail(block, "an integer was expected")
    digits = found[2].lstrip("0") or "0"
    if len(digits) <= LONGEST_PRIORITY:
        return int(found[1] + digits)
    tree.note(30, block, f"a Priority of more than {LONGEST_PRIORITY} digits, cut to them")
    return int(f"{found[1]}{'9' * LONGEST_PRIORITY}")
