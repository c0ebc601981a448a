"""Envelope bytes to messages of chapter 4 and back: SOAP 1.2, document/literal, one header of its own.

Written strictly, read tolerantly: any letter case of names and values, any order, WS-Addressing or none, times with or
without zone. Source: OSCP 1.0 sections 4.2.1.1 and 5.1.
"""

from dataclasses import dataclass

from gridroom import xml
from gridroom.ocpp.draft20 import rules
from gridroom.ocpp.draft20.faults import NOT_SUPPORTED, is_fault, read_fault
from gridroom.ocpp.draft20.names import ANONYMOUS, BODIES, IDENTITY, SOAP, SOAP11, TAGS, WSA, action_of
from gridroom.ocpp.draft20.reading import read_body
from gridroom.ocpp.draft20.values import Message, Response
from gridroom.ocpp.draft20.writing import escape, write_body
from gridroom.ocpp.errors import BrokenAnswerError, PayloadError

LIMITS = xml.Limits(max_bytes=1 << 20, max_depth=32, max_elements=50_000, max_attributes=100_000)
"""What a message may cost; a charge point's are a few kilobytes."""

LONGEST_ID = 255
"""Longest MessageID that is read. [characters]"""

_BY_NAME = {name.lower(): name for name in BODIES}


@dataclass(frozen=True)
class Letter:
    """A message in its envelope.

    Attributes:
        message: What it says.
        identity: chargePointIdentity: the charge point that a request comes from or is meant for; empty in answers.
        message_id: WS-Addressing's MessageID; empty without.
        to: Where a request goes; empty without.
        relates_to: In an answer, the MessageID of the request.
    """

    message: Message
    identity: str = ""
    message_id: str = ""
    to: str = ""
    relates_to: str = ""


def write(letter: Letter) -> bytes:
    """An envelope.

    Raises:
        RulesError: The message breaks a rule of chapter 4.
        PayloadError: A text cannot be carried, or a request has no identity.
    """
    if not letter.identity and not isinstance(letter.message, Response):
        raise PayloadError(IDENTITY, "must stand in each request")
    return enclose(letter)


def enclose(letter: Letter) -> bytes:
    """An envelope as in `write`; without identity it is one to be filled in, which every receiver refuses.

    Raises:
        RulesError: The message breaks a rule of chapter 4.
        PayloadError: A text cannot be carried.
    """
    name, namespace = TAGS[type(letter.message)]
    answer = isinstance(letter.message, Response)
    identity = ""
    if letter.identity and not answer:
        identity = f'<{IDENTITY} xmlns="{namespace}">{escape(IDENTITY, letter.identity)}</{IDENTITY}>'
    to = ANONYMOUS if answer else letter.to
    addressing = (
        ("Action", action_of(name)),
        ("MessageID", letter.message_id),
        ("RelatesTo", letter.relates_to),
        ("To", to),
    )
    blocks = "".join(f'<{key} xmlns="{WSA}">{escape(key, text)}</{key}>' for key, text in addressing if text)
    return envelope(identity + blocks, write_body(letter.message))


def envelope(header: str, body: str) -> bytes:
    """Envelope bytes around written header blocks and body."""
    return (
        f'<soap:Envelope xmlns:soap="{SOAP}"><soap:Header>{header}</soap:Header>'
        f"<soap:Body>{body}</soap:Body></soap:Envelope>"
    ).encode()


def read(data: bytes) -> Letter:
    """A request or an answer that keeps all rules.

    Raises:
        RulesError: It can be read, and breaks rules; all of them are named.
        PayloadError: It cannot be read; names the element, `code` is the subcode of the Fault.
    """
    try:
        header, body = split(data)
        found = header_texts(header)
        message = read_message(body)
    except xml.XmlError as error:
        raise PayloadError(error.path, error.reason) from None
    return Letter(
        message,
        identity=found.get(IDENTITY, ""),
        message_id=found.get("MessageID", ""),
        to=found.get("To", ""),
        relates_to=found.get("RelatesTo", ""),
    )


def read_answer(data: bytes) -> Response:
    """The answer to a request.

    Raises:
        CallRefusedError: A Fault; carries its innermost code, such as IdentityMismatch.
        BrokenAnswerError: It cannot be read.
    """
    try:
        header, body = split(data, soap11=True)
        if is_fault(body):
            raise read_fault(body)
        header_texts(header)
        message = read_message(body)
    except (xml.XmlError, PayloadError) as error:
        raise BrokenAnswerError(f"the answer cannot be read: {error}") from None
    if not isinstance(message, Response):
        raise BrokenAnswerError("a request came where an answer was expected")
    return message


def split(data: bytes, *, soap11: bool = False) -> tuple[xml.Element | None, xml.Element]:
    """The header, and the one element in the body.

    Raises:
        XmlError: The bytes are not the XML that we read.
        PayloadError: They are no envelope.
    """
    root = xml.parse(data, LIMITS)
    for element in xml.mixed(root):
        raise PayloadError(xml.path_of(element), "holds a text beside elements")
    soap, local = xml.split(root.tag)
    if local != "Envelope" or soap not in ((SOAP, SOAP11) if soap11 else (SOAP,)):
        code = "VersionMismatch" if local == "Envelope" else ""
        raise PayloadError(xml.path_of(root), "a SOAP 1.2 Envelope was expected", code)
    headers, bodies = ([one for one in root if one.tag == f"{{{soap}}}{tag}"] for tag in ("Header", "Body"))
    if len(headers) > 1 or len(bodies) != 1 or len(bodies[0]) != 1:
        raise PayloadError("Envelope", "at most one Header and one Body with one element must stand")
    return (headers[0] if headers else None), bodies[0][0]


def read_message(body: xml.Element) -> Message:
    """The message that the element in the body is; it keeps all rules.

    Raises:
        XmlError: An element holds elements where a text was expected.
        RulesError: It breaks rules.
        PayloadError: It is none, or cannot be read.
    """
    namespace, local = xml.split(body.tag)
    name = _BY_NAME.get(local.lower(), "")
    if not name or namespace != BODIES[name][0]:
        raise PayloadError(xml.path_of(body), "is no message of OSCP 1.0 chapter 4", NOT_SUPPORTED)
    message = read_body(BODIES[name][1], body)
    rules.check(message)
    return message


def header_texts(header: xml.Element | None) -> dict[str, str]:
    """The headers that we use, by name; that of the identity in any letter case and namespace.

    Raises:
        XmlError: One holds elements.
        PayloadError: One stands twice, or one that must be understood is not.
    """
    found: dict[str, str] = {}
    for block in header if header is not None else ():
        namespace, local = xml.split(block.tag)
        if local.lower() == IDENTITY.lower():
            name = IDENTITY
        elif namespace == WSA and local in ("MessageID", "To", "RelatesTo"):
            name = local
        elif namespace != WSA and _must_be_understood(block):
            raise PayloadError(
                xml.path_of(block), "a header that must be understood is not known here", "MustUnderstand"
            )
        else:
            continue
        if name in found:
            raise PayloadError(xml.path_of(block), f"{name} stands twice")
        found[name] = xml.text_of(block)
        if len(found[name]) > LONGEST_ID:
            raise PayloadError(xml.path_of(block), f"is longer than {LONGEST_ID} characters")
    return found


def _must_be_understood(block: xml.Element) -> bool:
    told = dict(xml.attributes(block)).get(f"{{{SOAP}}}mustUnderstand", "")
    return told.strip(xml.SPACE) in ("1", "true")
