"""Who we talk with, and what is on its way to them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from gridroom.oscp.errors import LocalError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import (
    Header,
    HeartbeatRequest,
    Request,
    RequestAdjustedCapacityRequest,
    UpdateCableCapacityForecastRequest,
    operation_of,
)
from gridroom.oscp.v10.profile import DEFAULT, PeerProfile

DEFAULT_PRIORITY = {
    "UpdateCableCapacityForecast": 0,
    "Heartbeat": 0,
    "GetCapacityForecast": 1,
    "RequestAdjustedCapacity": 1,
    "UpdateAggregatedUsage": 1,
}
"""Priority unless told otherwise. Source: OSCP 1.0 section 3.2.1 and the examples of chapter 6 (deviations, row 30)."""

LIFETIME = timedelta(hours=23)
"""How long a letter is tried at most; receivers refuse a DateTime older than 24 h."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The other side of a conversation.

    Attributes:
        party: Name of the party that its certificate proves.
        ids: All senderIDs that it may use.
        id: The receiverID that we write.
        own_id: The senderID that we write.
        own_ids: All receiverIDs by which it may address us.
        url: Where its service listens.
        profile: How it wants to be written to.
        ean: Whether its ids are EAN-13 codes, so that their check digits must fit (row 29).

    Raises:
        LocalError: The check digit of an id does not fit.
    """

    party: str
    ids: frozenset[str]
    id: str
    own_id: str
    own_ids: frozenset[str]
    url: str = ""
    profile: PeerProfile = DEFAULT
    ean: bool = False

    def __post_init__(self) -> None:
        for one in sorted(self.ids | {self.id}) if self.ean else ():
            if not is_ean(one):
                raise LocalError(f"{one!r} is no EAN-13 code, its check digit does not fit")


def is_ean(text: str) -> bool:
    """Whether a text is 13 digits of which the last is the check digit. Source: GS1 General Specifications 7.9.1.

    >>> is_ean("8712423014022"), is_ean("8712423014023")
    (True, False)
    """
    if len(text) != 13 or not (text.isascii() and text.isdigit()):
        return False
    return sum(int(digit) * weight for digit, weight in zip(text, [1, 3] * 6 + [1], strict=True)) % 10 == 0


@dataclass(frozen=True, slots=True)
class Letter:
    """A request on its way, the same id and bytes on every try.

    Attributes:
        message_id: Its MessageID.
        party: Who gets it.
        operation: Name of the operation.
        priority: 0 normal, above urgent, below less critical.
        date_time: When it was made, as written in its header. [UTC]
        data: The envelope.
        subject: What it is about (a cable, for example); a newer letter to the same party about the same subject
            replaces it, tried or not. Empty when it must not be replaced, as an adjustment must not.
        expires: No try at or after this moment. [UTC]
        attempts: Tries made so far.
        not_before: Earliest moment of the next try. [UTC]
    """

    message_id: str
    party: str
    operation: str
    priority: int
    date_time: datetime
    data: bytes
    subject: str
    expires: datetime
    not_before: datetime
    attempts: int = 0


def letter(
    peer: Peer,
    body: Request,
    *,
    now: datetime,
    message_id: str,
    priority: int | None = None,
    subject: str = "",
    expires: datetime | None = None,
) -> Letter:
    """A request to a peer, written and ready to be sent.

    Args:
        peer: Who gets it.
        body: What it says.
        now: The present moment, becomes its DateTime in whole milliseconds. [UTC]
        message_id: A fresh uuid.
        priority: Other than `DEFAULT_PRIORITY`.
        subject: See `Letter`.
        expires: Last moment to try; without it the end of what the message is about, at most `LIFETIME`. [UTC]

    Raises:
        LocalError: It expires before it could be sent, or cannot be written.
    """
    operation = operation_of(body)
    made = now.replace(microsecond=now.microsecond // 1000 * 1000)
    until = made + LIFETIME if expires is None else min(expires, made + LIFETIME)
    if expires is None:
        until = min(until, _matters_until(body, made))
    if until <= made:
        raise LocalError(f"{operation} {message_id} has expired before it was sent: all its blocks are over")
    header = Header(
        message_id=message_id,
        sender_id=peer.own_id,
        receiver_id=peer.id,
        date_time=made,
        priority=DEFAULT_PRIORITY[operation] if priority is None else priority,
        to=peer.url,
        action=f"/{operation}",
    )
    data = soap.write(header, body, peer.profile)
    return Letter(message_id, peer.party, operation, header.priority, made, data, subject, until, made)


def in_order(letters: Iterable[Letter]) -> list[Letter]:
    """Letters in the order of sending: urgent before normal before less critical, older before younger.

    Source: OSCP 1.0 section 3.2.1 (Priority).
    """
    return sorted(letters, key=lambda one: (-one.priority, one.date_time))


def _matters_until(body: Request, made: datetime) -> datetime:
    """End of the last block it speaks of; a heartbeat is stale when the next one is due."""
    match body:
        case UpdateCableCapacityForecastRequest(forecasts=forecasts):
            ends = [block.end for forecast in forecasts for block in forecast.blocks]
        case RequestAdjustedCapacityRequest(adjustments=adjustments):
            ends = [block.end for adjustment in adjustments for block in adjustment.blocks]
        case HeartbeatRequest(heartbeat_interval_s=interval):
            ends = [made + timedelta(seconds=interval)]
        case _:
            ends = []
    return max(ends, default=made + LIFETIME)
