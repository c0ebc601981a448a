"""Replies to requests: answers and Faults, with HTTP status and media type. Rows 25, 26 and 32 of the deviations."""

from dataclasses import dataclass
from datetime import datetime

from gridroom.oscp.errors import RemoteError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.faults import OF_SOAP, fault_profile
from gridroom.oscp.v10.letters import Peer
from gridroom.oscp.v10.messages import OPERATIONS, Envelope, Header, Response, Result, ResultType
from gridroom.oscp.v10.profile import DEFAULT, PeerProfile
from gridroom.oscp.v10.receiving import HeaderError, Incoming


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
