"""Letters out: written in the transaction that causes them, delivered afterwards, in order of priority.

A letter waits until it is delivered (any Result that is final) or given up. Before the network is touched, the
attempt is written down: after a crash a letter that may have arrived counts as tried.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import Envelope, ResultType
from gridroom.oscp.v10.peer import CERTIFICATE_REFUSED, Again, Delivered, GivenUp, Letter, Peer, judge, result_of
from gridroom.oscp.v10.results import not_offered
from gridroom.storage.database import Database
from gridroom.storage.letters import OUTBOX, STOPPED, TALLIES

log = structlog.get_logger()

Post = Callable[[str, bytes, str], Awaitable[tuple[int | None, bytes, float | None]]]
"""Posts (url, data, content type); gives (HTTP status or None when the network failed, body, Retry-After [s]), as
`gridroom.oscp.io.client` does."""

OnAnswer = Callable[[sa.Connection, Letter, Envelope | None], None]
"""Called in the transaction that settles a letter: with the answer, or None when it was given up."""

WAITING, DELIVERED, GIVEN_UP = "waiting", "delivered", "given up"
REPLACED = "replaced by a newer one"
"""Why a letter was given up when a newer one took its place."""


@dataclass(frozen=True)
class Tally:
    """How letters of one operation fared: acknowledged is SUCCESS, refused any other Result or a Fault."""

    sent: int = 0
    acknowledged: int = 0
    refused: int = 0


class Outbox:
    """The letters an actor owes, within one transaction."""

    def __init__(self, tx: sa.Connection) -> None:
        self._tx = tx

    def put(self, letter: Letter) -> None:
        """Owe a letter from now on."""
        self._tx.execute(
            OUTBOX.insert().values(
                message_id=letter.message_id,
                party=letter.party,
                operation=letter.operation,
                priority=letter.priority,
                date_time=letter.date_time,
                subject=letter.subject,
                expires=letter.expires,
                not_before=letter.not_before,
                attempts=letter.attempts,
                data=letter.data,
                state=WAITING,
                note="",
            )
        )

    def drop(self, party: str, subject: str, now: datetime) -> list[str]:
        """Take back what a newer letter on the same subject replaces; see `withdraw`."""
        mine = (OUTBOX.c.party == party) & (OUTBOX.c.state == WAITING) & (OUTBOX.c.subject == subject)
        return self.withdraw(self._tx.scalars(sa.select(OUTBOX.c.message_id).where(mine)), now)

    def withdraw(self, message_ids: Iterable[str], now: datetime) -> list[str]:
        """Take back letters that newer ones replace.

        A letter never tried disappears; one that was tried may have arrived: it is given up, not forgotten.

        Returns:
            Message ids of the letters that certainly never left.
        """
        replaced = (OUTBOX.c.state == WAITING) & OUTBOX.c.message_id.in_(list(message_ids))
        unsent = replaced & (OUTBOX.c.attempts == 0)
        ids = list(self._tx.scalars(sa.select(OUTBOX.c.message_id).where(unsent)))
        if ids:
            self._tx.execute(OUTBOX.delete().where(unsent))
        self._tx.execute(OUTBOX.update().where(replaced).values(state=GIVEN_UP, note=REPLACED, settled=now, data=b""))
        return ids

    def parties(self, now: datetime) -> list[str]:
        """Parties for which a letter is due."""
        return list(self._tx.scalars(sa.select(OUTBOX.c.party).where(_due(now)).distinct().order_by(OUTBOX.c.party)))

    def due(self, now: datetime, limit: int = 100, party: str | None = None) -> list[Letter]:
        """Letters to be sent now: highest priority first, then the oldest."""
        query = sa.select(OUTBOX).where(_due(now))
        if party is not None:
            query = query.where(OUTBOX.c.party == party)
        query = query.order_by(OUTBOX.c.priority.desc(), OUTBOX.c.date_time, OUTBOX.c.number).limit(limit)
        return [_letter(row) for row in self._tx.execute(query)]

    def waiting(self, party: str | None = None) -> list[Letter]:
        """All letters that are not settled, due or not."""
        query = sa.select(OUTBOX).where(OUTBOX.c.state == WAITING).order_by(OUTBOX.c.number)
        if party is not None:
            query = query.where(OUTBOX.c.party == party)
        return [_letter(row) for row in self._tx.execute(query)]

    def trying(self, letter: Letter) -> None:
        """Write down that the letter is about to be sent."""
        self._set(letter, attempts=OUTBOX.c.attempts + 1)
        if letter.attempts == 0:
            self._count(letter.operation, "sent")

    def delivered(self, letter: Letter, answer: Envelope, now: datetime) -> None:
        """The letter has its final answer."""
        good = result_of(answer.body).type is ResultType.SUCCESS  # type: ignore[arg-type]
        self._set(letter, state=DELIVERED, settled=now, data=b"")
        self._count(letter.operation, "acknowledged" if good else "refused")

    def again(self, letter: Letter, not_before: datetime, reason: str) -> None:
        """The letter is to be sent once more."""
        self._set(letter, not_before=not_before, note=reason)

    def given_up(self, letter: Letter, reason: str, now: datetime, *, refused: bool = False) -> None:
        """The letter is sent no more; `refused` when the other side said so with a Fault."""
        self._set(letter, state=GIVEN_UP, note=reason, settled=now, data=b"")
        if refused:
            self._count(letter.operation, "refused")

    def abandoned(self, limit: int = 100) -> list[tuple[str, str, str, datetime]]:
        """What was given up, newest first: party, operation, reason, when; for the operator."""
        query = (
            sa.select(OUTBOX.c.party, OUTBOX.c.operation, OUTBOX.c.note, OUTBOX.c.settled)
            .where(OUTBOX.c.state == GIVEN_UP)
            .order_by(OUTBOX.c.settled.desc(), OUTBOX.c.number.desc())
            .limit(limit)
        )
        return [(row.party, row.operation, row.note, row.settled) for row in self._tx.execute(query)]

    def lost(self, since: datetime) -> list[tuple[str, str, str, datetime]]:
        """Those of them since a moment with no newer one in their place and none of their operation answered since."""
        later = OUTBOX.alias("later")
        same = (later.c.party == OUTBOX.c.party) & (later.c.operation == OUTBOX.c.operation)
        answered = sa.exists().where(same, later.c.state == DELIVERED, later.c.settled > OUTBOX.c.settled)
        mine = (OUTBOX.c.state == GIVEN_UP) & (OUTBOX.c.note != REPLACED) & (OUTBOX.c.settled >= since)
        query = sa.select(OUTBOX.c.party, OUTBOX.c.operation, OUTBOX.c.note, OUTBOX.c.settled)
        found = self._tx.execute(query.where(mine, ~answered).order_by(OUTBOX.c.settled.desc(), OUTBOX.c.number.desc()))
        return [(row.party, row.operation, row.note, row.settled) for row in found]

    def silent_since(self, party: str) -> datetime | None:
        """Date of the first letter that was tried after the last answer of a party, and is without one itself.

        A forecast that nobody answers is soon replaced by a newer one, so no single letter would ever be late.
        """
        mine = (OUTBOX.c.party == party) & (OUTBOX.c.attempts > 0)
        answered = self._tx.scalar(sa.select(sa.func.max(OUTBOX.c.settled)).where(mine, OUTBOX.c.state == DELIVERED))
        since = mine & (OUTBOX.c.state != DELIVERED)
        if answered is not None:
            since &= OUTBOX.c.date_time > answered
        first: datetime | None = self._tx.scalar(sa.select(sa.func.min(OUTBOX.c.date_time)).where(since))
        return first

    def offered(self, party: str, operation: str) -> bool:
        """Whether a peer may be sent an operation; not after NOT IMPLEMENTED, until the operator says so."""
        return self._tx.execute(sa.select(STOPPED).where(*_stop(party, operation))).first() is None

    def stop(self, party: str, operation: str, note: str, now: datetime) -> None:
        """A peer does not offer an operation: send it no more."""
        if self.offered(party, operation):
            self._tx.execute(STOPPED.insert().values(party=party, operation=operation, since=now, note=note))

    def stopped(self) -> list[tuple[str, str, str, datetime]]:
        """What peers do not offer: party, operation, what they said, since when; for the operator."""
        query = sa.select(STOPPED).order_by(STOPPED.c.party, STOPPED.c.operation)
        return [(row.party, row.operation, row.note, row.since) for row in self._tx.execute(query)]

    def resume(self, party: str) -> list[str]:
        """The operator says that a peer offers everything now; gives the operations that were stopped."""
        mine = STOPPED.c.party == party
        names = list(self._tx.scalars(sa.select(STOPPED.c.operation).where(mine).order_by(STOPPED.c.operation)))
        self._tx.execute(STOPPED.delete().where(mine))
        return names

    def counts(self) -> dict[str, Tally]:
        """How letters fared, per operation."""
        return {
            row.operation: Tally(row.sent, row.acknowledged, row.refused)
            for row in self._tx.execute(sa.select(TALLIES))
        }

    def urgent(self, operation: str) -> int:
        """Letters of an operation with a priority above 0 that were tried."""
        which = (OUTBOX.c.operation == operation) & (OUTBOX.c.priority > 0) & (OUTBOX.c.attempts > 0)
        return self._tx.scalar(sa.select(sa.func.count()).select_from(OUTBOX).where(which)) or 0

    def prune(self, before: datetime) -> int:
        """Remove letters settled before a moment; gives how many."""
        return self._tx.execute(OUTBOX.delete().where(OUTBOX.c.state != WAITING, OUTBOX.c.settled < before)).rowcount

    def _set(self, letter: Letter, **values: object) -> None:
        self._tx.execute(
            OUTBOX.update().where(OUTBOX.c.message_id == letter.message_id, OUTBOX.c.state == WAITING).values(**values)
        )

    def _count(self, operation: str, column: str) -> None:
        bump = TALLIES.update().where(TALLIES.c.operation == operation).values({column: TALLIES.c[column] + 1})
        if self._tx.execute(bump).rowcount == 0:
            first = {"operation": operation, "sent": 0, "acknowledged": 0, "refused": 0} | {column: 1}
            self._tx.execute(TALLIES.insert().values(first))


def _stop(party: str, operation: str) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return STOPPED.c.party == party, STOPPED.c.operation == operation


def _due(now: datetime) -> sa.ColumnElement[bool]:
    return (OUTBOX.c.state == WAITING) & (OUTBOX.c.not_before <= now)


def _letter(row: sa.Row[tuple[object, ...]]) -> Letter:
    return Letter(
        message_id=row.message_id,
        party=row.party,
        operation=row.operation,
        priority=row.priority,
        date_time=row.date_time,
        data=row.data,
        subject=row.subject,
        expires=row.expires,
        attempts=row.attempts,
        not_before=row.not_before,
    )


def _refusal(party: str, said: str) -> str:
    """Whose certificate was refused, and by whom: who refuses has failed to verify it, the other one gets an alert."""
    whose = f"that of {party}, by us" if "VERIFY_FAILED" in said.upper() else f"ours, by {party}"
    return f"certificate refused: {whose} ({said})"


class Courier:
    """Brings letters to their parties: one after the other to each, to several parties at once."""

    def __init__(
        self,
        db: Database,
        peers: Mapping[str, Peer],
        post: Post,
        on_answer: OnAnswer,
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """Make ready to carry letters.

        Args:
            db: Where the letters wait.
            peers: Who may get letters.
            post: Posts them.
            on_answer: Called with each answer.
            jitter: Random numbers in [0, 1), spread the retries.
            clock: Tells the time between two letters of a flush, which may last; without it the time stands still.
        """
        self._db = db
        self._clock = clock
        self._peers = peers
        self._post = post
        self._on_answer = on_answer
        self._jitter = jitter
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def flush(self, now: datetime) -> int:
        """Send what is due; gives the number of attempts.

        A party that cannot be reached gets no further letter in this flush.
        """
        with self._db.transact() as tx:
            parties = Outbox(tx).parties(now)
        return sum(await asyncio.gather(*(self._serve(party, now) for party in parties)))

    async def _serve(self, party: str, now: datetime) -> int:
        attempts = 0
        async with self._locks[party]:
            while (letter := self._next(party, self._time(now))) is not None:
                attempts += 1
                if not await self._deliver(letter, self._peers[party], now):
                    break
        return attempts

    def _time(self, since: datetime) -> datetime:
        """The present moment in a flush that began at a moment: other letters took their time. [UTC]"""
        return since if self._clock is None else max(since, self._clock())

    def _next(self, party: str, now: datetime) -> Letter | None:
        with self._db.transact() as tx:
            outbox = Outbox(tx)
            for letter in outbox.due(now, limit=1000 if party not in self._peers else 100, party=party):
                why = self._hopeless(outbox, letter, now)
                if not why:
                    outbox.trying(letter)
                    return letter
                facts = {"party": party, "operation": letter.operation, "message_id": letter.message_id}
                log.error("letter given up", **facts, reason=why)
                outbox.given_up(letter, why, now)
                self._on_answer(tx, letter, None)
        return None

    def _hopeless(self, outbox: Outbox, letter: Letter, now: datetime) -> str:
        """Why a letter is not sent any more; empty when it is."""
        if letter.expires <= now:
            return "it has expired"
        if letter.party not in self._peers:
            return "no such peer"
        return "" if outbox.offered(letter.party, letter.operation) else "the peer does not offer this"

    async def _deliver(self, letter: Letter, peer: Peer, since: datetime) -> bool:
        kind = soap.content_type(letter.operation, peer.profile)
        status, data, retry_after = await self._post(peer.url, letter.data, kind)
        now = self._time(since)
        verdict = judge(letter, peer, status, data, now, self._jitter(), retry_after)
        if status == CERTIFICATE_REFUSED and isinstance(verdict, GivenUp):
            verdict = replace(verdict, reason=_refusal(letter.party, data.decode(errors="replace")))
        with self._db.transact() as tx:
            return self._settle(tx, letter, verdict, now, answered=status not in (None, CERTIFICATE_REFUSED))

    def _settle(
        self, tx: sa.Connection, letter: Letter, verdict: Delivered | Again | GivenUp, now: datetime, *, answered: bool
    ) -> bool:
        outbox = Outbox(tx)
        facts = {"party": letter.party, "operation": letter.operation, "message_id": letter.message_id}
        match verdict:
            case Delivered(envelope):
                outbox.delivered(letter, envelope, now)
                result = result_of(envelope.body)  # type: ignore[arg-type]
                if not_offered(result):
                    words = "; ".join(f"{one.code} {one.message}" for one in result.details)
                    log.error("a peer does not offer this, it is sent no more until resumed", **facts, reason=words)
                    outbox.stop(letter.party, letter.operation, words, now)
                self._on_answer(tx, letter, envelope)
                return True
            case Again(not_before, reason):
                log.warning("letter will be sent again", **facts, reason=reason, not_before=not_before.isoformat())
                outbox.again(letter, max(not_before, now + timedelta(seconds=1)), reason)
                return False
            case GivenUp(reason):
                log.error("letter given up", **facts, reason=reason)
                outbox.given_up(letter, reason, now, refused=answered)
                self._on_answer(tx, letter, None)
                return True
