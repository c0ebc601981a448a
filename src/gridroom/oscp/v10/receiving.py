"""Requests that come in: who speaks, to whom, when, and whether it was said before. Rows 23 to 31 of the deviations."""

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from gridroom.oscp.errors import RemoteError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.faults import OF_SOAP, fault_profile
from gridroom.oscp.v10.letters import Peer
from gridroom.oscp.v10.messages import (
    OPERATIONS,
    Deviation,
    Envelope,
    GetCapacityForecastRequest,
    Header,
    HeartbeatRequest,
    Message,
    Refusal,
    Response,
    Result,
    ResultType,
    operation_of,
)
from gridroom.oscp.v10.profile import DEFAULT, PeerProfile

CLOCK_AHEAD = timedelta(minutes=5)
"""How far a DateTime may lie ahead of our clock."""

CLOCK_NOISE = timedelta(seconds=1)
"""By how much any two clocks may differ without a word."""

OLDEST = timedelta(hours=24)
"""How old a DateTime may be."""

_NUMBERED = re.compile(
    r"((?:urn:uuid:)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}):[0-9]+", re.IGNORECASE
)
_TRAILING_ZEROS = re.compile(rb'("value":"-?[0-9]+)(?:\.0+|(\.[0-9]*[1-9])0+)"')


class HeaderError(RemoteError):
    """A request whose header breaks a rule, in an envelope that could be read.

    Attributes:
        incoming: The request, so that its id can be named in the fault and remembered.
    """

    def __init__(self, reason: str, *, incoming: "Incoming", path: str, subcode: str = "") -> None:
        super().__init__(reason, path=path, subcode=subcode)
        self.incoming = incoming


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back over HTTP.

    Attributes:
        status: HTTP status.
        data: The envelope (or a text for people).
        content_type: Its media type.
    """

    status: int
    data: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as read.

    Attributes:
        peer: Who sent it.
        envelope: What it says.
        digest: SHA-256 of the decoded body: prefixes, layout, DateTime and Priority do not count.
        wording: SHA-256 of the envelope as it came: all of them count.
    """

    peer: Peer
    envelope: Envelope
    digest: bytes
    wording: bytes

    @property
    def message_id(self) -> str:
        """Its MessageID."""
        return self.envelope.header.message_id

    @property
    def profile(self) -> PeerProfile:
        """How to write the answer: as the peer wants it, in the SOAP version of its question."""
        return replace(self.peer.profile, soap="1.1" if self.envelope.soap11 else "1.2")

    @property
    def operation(self) -> str:
        """Name of its operation."""
        return operation_of(self.envelope.body)

    @property
    def family(self) -> str | None:
        """The uuid that a number stands behind in its MessageID; another number, same body, is a retry (row 26).

        None for other ids, and for messages whose bodies are all alike.
        """
        if isinstance(self.envelope.body, HeartbeatRequest | GetCapacityForecastRequest):
            return None
        return family_of(self.message_id)

    def remember_until(self, now: datetime) -> datetime:
        """How long its answer is kept: until no retry can be accepted any more. [UTC]"""
        made = self.envelope.header.date_time or now
        return min(made, now + CLOCK_AHEAD) + OLDEST + CLOCK_AHEAD


def family_of(message_id: str) -> str | None:
    """The uuid before a final `:number`, in lower case.

    >>> family_of("6F1B1E3C-0d5a-4c9b-9d5e-0a4f3c0b7a11:2")
    '6f1b1e3c-0d5a-4c9b-9d5e-0a4f3c0b7a11'
    >>> family_of("6f1b1e3c-0d5a-4c9b-9d5e-0a4f3c0b7a11") is None
    True
    """
    found = _NUMBERED.fullmatch(message_id)
    return found[1].lower() if found else None


def digest_of(body: Message) -> bytes:
    """SHA-256 over what a body says; a number's trailing zeros say nothing.

    >>> one = digest_of(HeartbeatRequest(300, 900))
    >>> one == digest_of(HeartbeatRequest(300, 900)), one == digest_of(HeartbeatRequest(300, 60))
    (True, False)
    """
    refused: tuple[Refusal, ...] = getattr(body, "refused", ())
    if refused:
        body = replace(body, refused=tuple(replace(refusal, path="") for refusal in refused))  # type: ignore[arg-type]
    said = msgspec.json.encode([type(body).__name__, body])
    return hashlib.sha256(_TRAILING_ZEROS.sub(rb'\1\2"', said)).digest()


def read_request(peer: Peer, service_namespace: str, data: bytes, now: datetime) -> Incoming:
    """A request read and its header checked.

    Args:
        peer: The party that the certificate proves.
        service_namespace: Namespace of the service that was called.
        data: The envelope.
        now: The present moment. [UTC]

    Raises:
        HeaderError: The header breaks a rule; it holds the request.
        RemoteError: The bytes are no request of OSCP 1.0.
    """
    envelope = soap.read(data, soap11=peer.profile.soap == "1.1")
    incoming = Incoming(peer, _timed(envelope, now), digest_of(envelope.body), hashlib.sha256(data).digest())
    _check_service(incoming, service_namespace)
    _check_parties(incoming)
    _check_date(incoming, now)
    return incoming


def write_answer(incoming: Incoming, body: Response, *, now: datetime, message_id: str) -> bytes:
    """The answer to a request: RelatesTo names it, the parties are swapped, its priority is echoed."""
    asked = incoming.envelope.header
    header = Header(
        message_id=message_id,
        sender_id=asked.receiver_id,
        receiver_id=asked.sender_id,
        date_time=now,
        priority=asked.priority,
        action=f"/{incoming.operation}Response",
        relates_to=asked.message_id,
    )
    return soap.write(header, body, incoming.profile)


def check_replay(incoming: Incoming, digest: bytes) -> None:
    """See that a message with a known id says what it said the first time.

    Args:
        incoming: The message.
        digest: Digest remembered with the id.

    Raises:
        RemoteError: It says something else.
    """
    if incoming.digest != digest:
        raise HeaderError(
            f"{incoming.message_id} was used before for a message with another body; give each message its own id",
            incoming=incoming,
            path="Envelope/Header/MessageID",
            subcode="InvalidAddressingHeader",
        )


def replay_deviation(incoming: Incoming, message_id: str, wording: bytes) -> Deviation | None:
    """What is odd about a replay, if anything: another number of the same uuid, or not the same bytes (row 26).

    Args:
        incoming: The replay.
        message_id: Id under which the message was answered first.
        wording: Wording remembered with it.
    """
    if incoming.message_id != message_id:
        text = f"{incoming.message_id} repeats {message_id}"
    elif incoming.wording != wording:
        text = f"{message_id} was repeated with another DateTime, Priority or layout"
    else:
        return None
    return Deviation(26, "Envelope/Header/MessageID", text)


def readdress(answer: bytes, incoming: Incoming, *, now: datetime, message_id: str) -> bytes:
    """The first answer once more for a retry under another number of the same uuid (row 26).

    Args:
        answer: The answer as remembered.
        incoming: The retry; RelatesTo names it.
        now: The present moment. [UTC]
        message_id: A fresh uuid for the answer.
    """
    first = soap.read_reply(answer, soap11=incoming.peer.profile.soap == "1.1")
    if isinstance(first, Envelope):
        return write_answer(incoming, first.body, now=now, message_id=message_id)  # type: ignore[arg-type]
    error = RemoteError(first.reason, subcode=first.subcode, sender=first.sender)
    return soap.write_fault(error, relates_to=incoming.message_id, profile=incoming.profile)


def is_remembered(body: Response) -> bool:
    """Whether a retry gets this answer again; after ERROR a retry may succeed. Source: deviations, Idempotency."""
    return result_of(body).type is not ResultType.ERROR


def result_of(body: Response) -> Result:
    """The Result of an answer."""
    return body.result


def fault_status(error: RemoteError, profile: PeerProfile = DEFAULT) -> int:
    """HTTP status of a Fault (row 32): 400 for `env:Sender` (500 where the profile says so), 500 for all others.

    Source: SOAP 1.2 part 2 section 7.5.2.2; SOAP 1.1 section 6.2, where every Fault comes with 500.
    """
    of_sender = error.sender and error.subcode not in OF_SOAP and fault_profile(error, profile).soap == "1.2"
    return profile.sender_fault_status if of_sender else 500


def answer_type(incoming: Incoming) -> str:
    """Media type of the answer."""
    return soap.content_type(f"{incoming.operation}Response", incoming.profile)


def fault_type(profile: PeerProfile = DEFAULT) -> str:
    """Media type of a Fault."""
    return "text/xml; charset=utf-8" if profile.soap == "1.1" else "application/soap+xml; charset=utf-8"


def write_fault(
    error: RemoteError, peer: Peer, *, now: datetime, incoming: Incoming | None = None, service: str = ""
) -> Reply:
    """The Fault for an error, in the SOAP version of the question.

    Args:
        error: A HeaderError knows its request.
        peer: Who asked.
        now: The present moment. [UTC]
        incoming: The request, where it could be read.
        service: Namespace of the service that was called, where the request could not be read; without it the Fault
            carries no DateTime.
    """
    incoming = error.incoming if isinstance(error, HeaderError) else incoming
    if incoming is not None:
        error.relates_to, error.soap = incoming.message_id, incoming.profile.soap
        service = service or OPERATIONS[incoming.operation][0]
    profile = fault_profile(error, peer.profile)
    data = soap.write_fault(error, now=now if service else None, service=service, profile=profile)
    return Reply(fault_status(error, peer.profile), data, fault_type(profile))


def refuse_stranger(party: str, data: bytes, *, now: datetime, service: str) -> Reply:
    """The Sender fault for a party that is known from its certificate, but is no peer of ours (row 29).

    Args:
        party: The party.
        data: What it sent, to name its MessageID and to answer in its SOAP version.
        now: The present moment. [UTC]
        service: Namespace of the service that was called.
    """
    error = RemoteError(f"{party} is no party that we work with", path="Envelope/Header/Parties/senderID")
    try:
        read = soap.read(data, soap11=True)
        error.relates_to, error.soap = read.header.message_id, "1.1" if read.soap11 else "1.2"
    except RemoteError as unread:
        error.relates_to, error.soap = unread.relates_to, unread.soap
    return write_fault(error, Peer(party, frozenset(), "", "", frozenset()), now=now, service=service)


def _timed(envelope: Envelope, now: datetime) -> Envelope:
    """A clock that is ahead of ours is tolerated, and said. Decision 31."""
    made = envelope.header.date_time
    if made is None or made <= now + CLOCK_NOISE:
        return envelope
    text = f"DateTime is {round((made - now).total_seconds())} s ahead of our clock"
    deviation = Deviation(31, "Envelope/Header/DateTime", text)
    return replace(envelope, deviations=(*envelope.deviations, deviation))


def _check_service(incoming: Incoming, service_namespace: str) -> None:
    namespace, request, _ = OPERATIONS[incoming.operation]
    if not isinstance(incoming.envelope.body, request):
        reason = f"{incoming.operation}Response is an answer, send it as one"
    elif namespace != service_namespace:
        reason = f"{incoming.operation} belongs to the service {namespace}, not to this one"
    else:
        return
    raise HeaderError(reason, incoming=incoming, path="Envelope/Body", subcode="ActionNotSupported")


def _check_parties(incoming: Incoming) -> None:
    header, peer = incoming.envelope.header, incoming.peer
    if header.sender_id not in peer.ids:
        reason = f"senderID {header.sender_id!r} is not an id of {peer.party}, whose certificate this is"
        raise HeaderError(reason, incoming=incoming, path="Envelope/Header/Parties/senderID")
    if header.receiver_id not in peer.own_ids:
        reason = f"receiverID {header.receiver_id!r} is not an id of ours"
        raise HeaderError(reason, incoming=incoming, path="Envelope/Header/Parties/receiverID")


def _check_date(incoming: Incoming, now: datetime) -> None:
    made = incoming.envelope.header.date_time or now  # a request without it was refused by the reader
    if made > now + CLOCK_AHEAD:
        reason = f"DateTime {made.isoformat()} is more than 5 minutes ahead of our clock ({now.isoformat()})"
    elif made < now - OLDEST:
        reason = f"DateTime {made.isoformat()} is older than 24 hours; send the message anew"
    else:
        return
    raise HeaderError(reason, incoming=incoming, path="Envelope/Header/DateTime")
