"""Letters in: each has its effect once, and its answer is remembered in the transaction of that effect.

Who asks again with the same MessageID gets the first answer, byte for byte, also after a restart. What is remembered
and what is a replay is decided in `gridroom.oscp.v10.peer`; here it is kept in a database.
Source: OSCP 1.0 section 5.3; decision 26 and the rule of idempotency in docs/deviations.md.
"""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog

from gridroom.oscp.errors import RemoteError
from gridroom.oscp.v10.messages import Response
from gridroom.oscp.v10.peer import (
    HeaderError,
    Incoming,
    Peer,
    Reply,
    Trace,
    answer_type,
    check_replay,
    is_remembered,
    read_request,
    readdress,
    replay_deviation,
    trace_of,
    write_answer,
    write_fault,
)
from gridroom.storage.database import Database, DatabaseError
from gridroom.storage.letters import CLOCKS, DEVIATIONS, INBOX

log = structlog.get_logger()

NewId = Callable[[], str]
"""Gives a fresh uuid."""

Handle = Callable[[sa.Connection, Incoming], Response]
"""The effect of a message, in the transaction given; gives the answer's body."""

Date = Callable[[sa.Connection], datetime]
"""Gives the DateTime of an answer, in the transaction of the effect."""

CLOCK_APART = timedelta(minutes=1)
"""A peer's clock that is off by more is worth a warning."""


def receive(
    db: Database,
    peer: Peer,
    service_namespace: str,
    data: bytes,
    now: datetime,
    handle: Handle,
    new_id: NewId,
    date: Date | None = None,
) -> Reply:
    """Take a request in: read it, look whether it was answered before, else handle it and remember the answer.

    Args:
        db: The actor's database.
        peer: Who speaks, known from the certificate.
        service_namespace: Namespace of the service addressed.
        data: The decoded HTTP body.
        now: The present moment. [UTC]
        handle: The effect; may raise RemoteError for a Fault. Anything else it raises becomes a Receiver fault, and
            nothing of the effect stays.
        new_id: Gives a fresh MessageID for the answer.
        date: Gives the answer's DateTime; `now` without it.
    """
    try:
        incoming = read_request(peer, service_namespace, data, now)
    except RemoteError as error:
        reply = write_fault(error, peer, now=now, service="" if isinstance(error, HeaderError) else service_namespace)
        return _refuse(db, peer, error, trace_of(error, data, now), reply)
    try:
        with db.transact() as tx:
            return _replay(tx, incoming, now, new_id) or _act(tx, incoming, handle, now, new_id, date)
    except RemoteError as error:
        refusal = error
    except Exception as error:
        told = {"reason": str(error)} if isinstance(error, DatabaseError) else {"exc_info": True}
        log.error("a letter could not be handled", party=peer.party, message_id=incoming.message_id, **told)
        refusal = RemoteError("internal error, send it again later", sender=False)
    return _refuse(db, peer, refusal, incoming.trace(now), write_fault(refusal, peer, now=now, incoming=incoming))


def prune(tx: sa.Connection, now: datetime) -> int:
    """Forget answers that no retry can ask for any more; gives how many."""
    return tx.execute(INBOX.delete().where(INBOX.c.until <= now)).rowcount


def note_deviations(tx: sa.Connection, party: str, rows: list[tuple[int, str]]) -> None:
    """Count readings of a peer's messages that had to be tolerated.

    Args:
        tx: The transaction.
        party: Whose messages.
        rows: Number of the decision, and what was read.
    """
    latest, counts = dict(rows), Counter(row for row, _ in rows)
    for row, text in latest.items():
        key = (DEVIATIONS.c.party == party) & (DEVIATIONS.c.row == row)
        bump = DEVIATIONS.update().where(key).values(count=DEVIATIONS.c.count + counts[row], latest=text)
        if tx.execute(bump).rowcount == 0:
            tx.execute(DEVIATIONS.insert().values(party=party, row=row, count=counts[row], latest=text))


def deviations(tx: sa.Connection) -> dict[str, dict[int, int]]:
    """How often each peer's messages had to be read with tolerance: party to decision number to count."""
    found: dict[str, dict[int, int]] = {}
    for party, row, count in tx.execute(sa.select(DEVIATIONS.c.party, DEVIATIONS.c.row, DEVIATIONS.c.count)):
        found.setdefault(party, {})[row] = count
    return found


def note_clock(tx: sa.Connection, party: str, theirs: datetime, now: datetime) -> None:
    """Remember how far a peer's clock is from ours.

    Args:
        tx: The transaction.
        party: Whose clock.
        theirs: What it showed. [UTC]
        now: What ours shows. [UTC]

    Source: OSCP 1.0 section 3.2.7.2 (CurrentTime); row 31.
    """
    ahead = theirs - now
    if abs(ahead) > CLOCK_APART:
        log.warning("a peer's clock is far from ours", party=party, ahead_s=round(ahead.total_seconds(), 1))
    values = {"ahead_ms": ahead // timedelta(milliseconds=1), "at": now}
    if tx.execute(CLOCKS.update().where(CLOCKS.c.party == party).values(values)).rowcount == 0:
        tx.execute(CLOCKS.insert().values(party=party, **values))


def clocks(tx: sa.Connection) -> dict[str, float]:
    """How far each peer's clock was ahead of ours when it was seen last. [s]"""
    return {party: ms / 1000 for party, ms in tx.execute(sa.select(CLOCKS.c.party, CLOCKS.c.ahead_ms))}


def _replay(tx: sa.Connection, incoming: Incoming, now: datetime, new_id: NewId) -> Reply | None:
    """The answer given before, under this id or another number of the same uuid."""
    own = (INBOX.c.party == incoming.peer.party) & (INBOX.c.message_id == incoming.message_id)
    row = tx.execute(sa.select(INBOX).where(own)).first()
    if row is not None:
        check_replay(incoming, row.digest, row.wording)
        _note_replay(tx, incoming, row)
        if incoming.remember_until(now) > row.until:  # repeated with a later DateTime: it may come once more
            tx.execute(INBOX.update().where(own).values(until=incoming.remember_until(now)))
        return Reply(row.status, row.answer, row.content_type)
    if incoming.family is None:
        return None
    kin = (
        (INBOX.c.party == incoming.peer.party)
        & (INBOX.c.family == incoming.family)
        & (INBOX.c.digest == incoming.digest)
    )
    row = tx.execute(sa.select(INBOX).where(kin)).first()
    if row is None:
        return None
    answer = readdress(row.answer, incoming, now=now, message_id=new_id())
    _note_replay(tx, incoming, row)
    return _remember(tx, incoming.peer.party, incoming.trace(now), Reply(row.status, answer, row.content_type))


def _note_replay(tx: sa.Connection, incoming: Incoming, first: sa.Row[Any]) -> None:
    odd = replay_deviation(incoming, first.message_id, first.wording)
    if odd is not None:
        note_deviations(tx, incoming.peer.party, [(odd.row, odd.text)])


def _act(
    tx: sa.Connection, incoming: Incoming, handle: Handle, now: datetime, new_id: NewId, date: Date | None
) -> Reply:
    note_deviations(tx, incoming.peer.party, [(one.row, one.text) for one in incoming.envelope.deviations])
    made = incoming.envelope.header.date_time
    if made is not None and made > now:  # made after our present: their clock is ahead, by this much at least
        note_clock(tx, incoming.peer.party, made, now)
    dated = now if date is None else date(tx)
    body = handle(tx, incoming)
    data = write_answer(incoming, body, now=dated, message_id=new_id())
    reply = Reply(200, data, answer_type(incoming))
    return _remember(tx, incoming.peer.party, incoming.trace(now), reply) if is_remembered(body) else reply


def _refuse(db: Database, peer: Peer, error: RemoteError, trace: Trace, reply: Reply) -> Reply:
    """A Fault: the first one again for the same bytes; the sender's are remembered unless the id has an answer."""
    log.warning("a letter was refused", party=peer.party, message_id=trace.message_id, reason=str(error))
    if not error.sender or not trace.message_id:
        return reply
    with db.transact() as tx:
        own = (INBOX.c.party == peer.party) & (INBOX.c.message_id == trace.message_id)
        row = tx.execute(sa.select(INBOX).where(own)).first()
        if row is None:
            return _remember(tx, peer.party, trace, reply)
        return Reply(row.status, row.answer, row.content_type) if row.wording == trace.wording else reply


def _remember(tx: sa.Connection, party: str, trace: Trace, reply: Reply) -> Reply:
    tx.execute(
        INBOX.insert().values(
            party=party,
            message_id=trace.message_id,
            family=trace.family,
            digest=trace.digest,
            wording=trace.wording,
            status=reply.status,
            answer=reply.data,
            content_type=reply.content_type,
            until=trace.until,
        )
    )
    return reply
