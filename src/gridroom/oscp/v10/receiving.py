"""Requests that come in: who speaks, to whom, when, and whether it was said before. Rows 23 to 31 of the deviations."""

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from gridroom.oscp.errors import RemoteError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.letters import Peer
from gridroom.oscp.v10.messages import (
    OPERATIONS,
    Deviation,
    Envelope,
    GetCapacityForecastRequest,
    HeartbeatRequest,
    Message,
    Refusal,
    operation_of,
)
from gridroom.oscp.v10.profile import PeerProfile

CLOCK_AHEAD = timedelta(minutes=5)
"""How far a DateTime may lie ahead of our clock."""

CLOCK_NOISE = timedelta(seconds=1)
"""By how much any two clocks may differ without a word."""

OLDEST = timedelta(hours=24)
"""How old a DateTime may be."""

_NUMBERED = re.compile(
    r"((?:urn:uuid:)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(?::[0-9]+)?", re.IGNORECASE
)
_ODD_NUMBER = re.compile(rb'(?<="value":")(?:-?[0-9][0-9.]*E[+-]?[0-9]+|-0(?:\.0+)?)(?=")')
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
class Trace:
    """How a request is known again.

    Attributes:
        message_id: Its MessageID; empty where it could not be read.
        family: See `Incoming`; None where another number is another message.
        digest: Digest of its body; its wording where the body could not be read.
        wording: SHA-256 of the envelope as it came.
        until: Its answer is kept until then. [UTC]
    """

    message_id: str
    family: str | None
    digest: bytes
    wording: bytes
    until: datetime


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
        """The uuid of its MessageID, with or without a number; another number, same body, is a retry (row 26).

        None for other ids, and for messages whose bodies are all alike.
        """
        if isinstance(self.envelope.body, HeartbeatRequest | GetCapacityForecastRequest):
            return None
        return family_of(self.message_id)

    def trace(self, now: datetime) -> Trace:
        """How it is known again."""
        return Trace(self.message_id, self.family, self.digest, self.wording, self.remember_until(now))

    def remember_until(self, now: datetime) -> datetime:
        """How long its answer is kept: until no retry can be accepted any more. [UTC]"""
        made = self.envelope.header.date_time or now
        return min(made, now + CLOCK_AHEAD) + OLDEST + CLOCK_AHEAD


def family_of(message_id: str) -> str | None:
    """The uuid that an id is, or that stands before its final `:number`, in lower case; None for any other id.

    >>> family_of("6F1B1E3C-0d5a-4c9b-9d5e-0a4f3c0b7a11:2")
    '6f1b1e3c-0d5a-4c9b-9d5e-0a4f3c0b7a11'
    >>> family_of("6f1b1e3c-0d5a-4c9b-9d5e-0a4f3c0b7a11"), family_of("call:1")
    ('6f1b1e3c-0d5a-4c9b-9d5e-0a4f3c0b7a11', None)
    """
    found = _NUMBERED.fullmatch(message_id)
    return found[1].lower() if found else None


def digest_of(body: Message) -> bytes:
    """SHA-256 over what a body says; a number's trailing zeros say nothing, nor does the sign of nothing.

    >>> one = digest_of(HeartbeatRequest(300, 900))
    >>> one == digest_of(HeartbeatRequest(300, 900)), one == digest_of(HeartbeatRequest(300, 60))
    (True, False)
    """
    refused: tuple[Refusal, ...] = getattr(body, "refused", ())
    if refused:
        body = replace(body, refused=tuple(replace(refusal, path="") for refusal in refused))  # type: ignore[arg-type]
    said = msgspec.json.encode([type(body).__name__, body])
    plain = _ODD_NUMBER.sub(_plain, said)
    return hashlib.sha256(_TRAILING_ZEROS.sub(rb'\1\2"', plain)).digest()


def _plain(number: re.Match[bytes]) -> bytes:
    """A number without exponent, 0 without sign: Decimal writes few digits far behind the point as 1E-7."""
    value = Decimal(number[0].decode())
    return f"{value:f}".encode() if value else b"0"


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


def trace_of(error: RemoteError, data: bytes, now: datetime) -> Trace:
    """How a request that `read_request` refused is known again, so that its Fault is the same the next time.

    It is of no family: another number of its uuid is not the same message once more, since this one had no Result.

    Args:
        error: Why; it knows the MessageID, where that could be read.
        data: The envelope.
        now: The present moment. [UTC]
    """
    if isinstance(error, HeaderError):
        return replace(error.incoming.trace(now), family=None)
    wording = hashlib.sha256(data).digest()
    return Trace(error.relates_to, None, wording, wording, now + OLDEST + CLOCK_AHEAD)


def check_replay(incoming: Incoming, digest: bytes, wording: bytes) -> None:
    """See that a message with a known id says what it said the first time.

    Args:
        incoming: The message.
        digest: Digest remembered with the id.
        wording: Wording remembered with it; the same bytes say the same, also where they could not be read then.

    Raises:
        RemoteError: It says something else.
    """
    if incoming.digest != digest and incoming.wording != wording:
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
