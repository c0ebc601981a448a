"""What the answer to a letter means: delivered, try again, or give up. Source: OSCP 1.0 section 5.3.

Certificate refusals come as status `CERTIFICATE_REFUSED`; any other failure of the network as None.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gridroom.oscp.errors import AnswerError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.letters import LIFETIME, Letter, Peer
from gridroom.oscp.v10.messages import (
    OPERATIONS,
    Deviation,
    Envelope,
    Fault,
    GetCapacityForecastResponse,
    Header,
    Result,
    ResultType,
)
from gridroom.oscp.v10.receiving import (
    CLOCK_AHEAD,
    OLDEST,
)
from gridroom.oscp.v10.replying import (
    result_of,
)
from gridroom.oscp.v10.results import not_offered

MAX_TRIES = 8
"""Tries of a letter in all; adjustments are bounded by their `expires` alone."""

BACKOFF = timedelta(seconds=2)
"""Longest pause after the first try; doubles with each further one."""

BACKOFF_CAP = timedelta(minutes=5)
"""Longest pause of all."""

RETRIED_STATUSES = frozenset({408, 425, 429})
"""4xx that say "later": timed out, too early, too many."""

CERTIFICATE_REFUSED = 495
"""Stands for a handshake that failed for a certificate, theirs or ours: trying again does not help."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The other side answered with a Result that is final: any but ERROR, and ERROR where it does not offer this."""

    envelope: Envelope


@dataclass(frozen=True, slots=True)
class Again:
    """No answer that counts: the same bytes once more, not before a moment. [UTC]"""

    not_before: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Not sent again.

    Attributes:
        reason: Why, for people.
        possibly_applied: Whether the other side may have acted on it all the same.
    """

    reason: str
    possibly_applied: bool


Verdict = Delivered | Again | GivenUp
"""What to do after a try."""


def judge(
    letter: Letter,
    peer: Peer,
    status: int | None,
    data: bytes,
    now: datetime,
    jitter: float,
    retry_after: float | None = None,
) -> Verdict:
    """What to do after a try.

    Args:
        letter: What was sent; `attempts` counts the tries before this one.
        peer: To whom.
        status: HTTP status; None when the network failed; `CERTIFICATE_REFUSED`.
        data: Body of the answer; without an answer a text for people.
        now: The present moment. [UTC]
        jitter: Random number in [0, 1), spreads the retries of many senders.
        retry_after: What the other side asked to wait. [s]
    """
    if status is None:
        return _again(letter, now, jitter, None, data.decode(errors="replace") or "no connection")
    if 200 <= status < 300 and not data.strip() and letter.operation == "GetCapacityForecast":
        return Delivered(_silent_success(letter, peer))
    try:
        reply = _read(letter, peer, status, data)
    except AnswerError as error:
        return _by_status(letter, status, now, jitter, retry_after, str(error))
    if isinstance(reply, Fault):
        reason = f"Fault: {reply.reason}"
        if reply.sender:
            return GivenUp(reason, possibly_applied=letter.attempts > 0)
        return _again(letter, now, jitter, retry_after, reason)
    result = result_of(reply.body)  # type: ignore[arg-type]  # read_reply gives no requests
    if result.type is ResultType.ERROR and not not_offered(result):
        return _again(letter, now, jitter, retry_after, f"ERROR: {_words(result)}")
    return Delivered(_dated(reply, now))


def _read(letter: Letter, peer: Peer, status: int, data: bytes) -> Envelope | Fault:
    """The answer, if it can be read and is ours."""
    reply = soap.read_reply(data, soap11=peer.profile.soap == "1.1")
    relates_to = reply.relates_to if isinstance(reply, Fault) else reply.header.relates_to
    if relates_to and relates_to != letter.message_id:
        raise AnswerError(f"answers {relates_to}, not our {letter.message_id}", path="Envelope/Header/RelatesTo")
    if isinstance(reply, Envelope):
        if not 200 <= status < 300:
            raise AnswerError(f"an answer with HTTP status {status}", path="Envelope")
        _check_answer(letter, peer, reply)
    return reply


def _check_answer(letter: Letter, peer: Peer, answer: Envelope) -> None:
    if not isinstance(answer.body, OPERATIONS[letter.operation][2]):
        raise AnswerError(f"not an answer to {letter.operation}", path="Envelope/Body")
    if answer.header.sender_id not in peer.ids:
        reason = f"senderID {answer.header.sender_id!r} is not an id of {peer.party}"
        raise AnswerError(reason, path="Envelope/Header/Parties/senderID")
    if answer.header.receiver_id not in peer.own_ids:
        reason = f"receiverID {answer.header.receiver_id!r} is not an id of ours"
        raise AnswerError(reason, path="Envelope/Header/Parties/receiverID")


def _by_status(
    letter: Letter, status: int, now: datetime, jitter: float, retry_after: float | None, reason: str
) -> Again | GivenUp:
    """The HTTP status decides where no Fault can be read (row 32); an unusable 2xx is as no answer at all."""
    if status == CERTIFICATE_REFUSED:
        return GivenUp("certificate refused", possibly_applied=letter.attempts > 0)
    if 400 <= status < 500 and status not in RETRIED_STATUSES:
        return GivenUp(f"HTTP status {status}", possibly_applied=letter.attempts > 0)
    if 300 <= status < 400:
        words = f"HTTP status {status}: the service is elsewhere, which is not followed; set its url"
        return GivenUp(words, possibly_applied=letter.attempts > 0)
    words = f"answer refused: {reason}" if 200 <= status < 300 else f"HTTP status {status}"
    return _again(letter, now, jitter, retry_after, words)


def _again(letter: Letter, now: datetime, jitter: float, retry_after: float | None, reason: str) -> Again | GivenUp:
    """Exponential back-off with full jitter, bounded in number (adjustments: in time)."""
    tries = letter.attempts + 1
    if tries >= MAX_TRIES and letter.operation != "RequestAdjustedCapacity":
        return GivenUp(f"{tries} tries, the last: {reason}", possibly_applied=True)
    pause = jitter * min(BACKOFF_CAP, BACKOFF * 2 ** min(letter.attempts, 30))
    left, asked_s = letter.expires - now, max(0.0, retry_after or 0.0)
    if asked_s >= left.total_seconds() > 0:
        why = f"Retry-After {asked_s:.0f} s reaches past its end after {tries} tries, the last: {reason}"
        return GivenUp(why, possibly_applied=True)
    not_before = now + max(pause, timedelta(seconds=min(asked_s, LIFETIME.total_seconds())))
    if not_before >= letter.expires:
        return GivenUp(f"expired after {tries} tries, the last: {reason}", possibly_applied=True)
    return Again(not_before, reason)


def _silent_success(letter: Letter, peer: Peer) -> Envelope:
    """A 2xx without body to GetCapacityForecast (row 7)."""
    header = Header("", peer.id, peer.own_id, None, letter.priority, relates_to=letter.message_id)
    deviation = Deviation(7, "Envelope", "an empty answer, read as SUCCESS")
    return Envelope(header, GetCapacityForecastResponse(Result(ResultType.SUCCESS)), (deviation,))


def _dated(answer: Envelope, now: datetime) -> Envelope:
    """A missing or strange DateTime in an answer is a deviation only (row 31)."""
    made = answer.header.date_time
    if any(one.row == 31 for one in answer.deviations) or (
        made is not None and now - OLDEST <= made <= now + CLOCK_AHEAD
    ):
        return answer
    text = "DateTime is missing" if made is None else f"DateTime {made.isoformat()} is far from our clock"
    deviation = Deviation(31, "Envelope/Header/DateTime", text)
    return replace(answer, deviations=(*answer.deviations, deviation))


def _words(result: Result) -> str:
    return "; ".join(f"{one.code} {one.message}".strip() for one in result.details) or "no details"
