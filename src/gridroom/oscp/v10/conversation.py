"""A whole peer in memory, for users of the library and for tests: letters out and in, without disk or sockets.

Actors keep their letters in a database instead, with the same rules.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gridroom.oscp.errors import RemoteError
from gridroom.oscp.v10.judge import Again, GivenUp, Verdict, judge
from gridroom.oscp.v10.letters import Letter, Peer, in_order, letter
from gridroom.oscp.v10.messages import Request, Response
from gridroom.oscp.v10.receiving import (
    HeaderError,
    Incoming,
    Trace,
    check_replay,
    read_request,
    replay_deviation,
    trace_of,
)
from gridroom.oscp.v10.replying import (
    Reply,
    answer_type,
    is_remembered,
    readdress,
    write_answer,
    write_fault,
)

PRUNED_EVERY = timedelta(minutes=5)
"""How often a conversation forgets what no retry can ask for any more."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """The first answer to a message.

    Attributes:
        trace: How the message is known again; its answer is forgotten after `until`.
        reply: What was answered.
    """

    trace: Trace
    reply: Reply


class Memory:
    """First answers by party and MessageID, so that a retry has no second effect."""

    def __init__(self) -> None:
        self._by_id: dict[tuple[str, str], Remembered] = {}
        self._by_family: dict[tuple[str, str, bytes], Remembered] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def find(self, party: str, trace: Trace) -> Remembered | None:
        """What was answered to this message before, under its id or another number of the same uuid (row 26)."""
        found = self._by_id.get((party, trace.message_id))
        if found is None and trace.family is not None:
            found = self._by_family.get((party, trace.family, trace.digest))
        return found

    def keep(self, party: str, trace: Trace, reply: Reply) -> None:
        """Remember the answer to a message."""
        one = Remembered(trace, reply)
        self._by_id[party, trace.message_id] = one
        if trace.family is not None:
            self._by_family.setdefault((party, trace.family, trace.digest), one)

    def prolong(self, party: str, trace: Trace) -> None:
        """A message was repeated, perhaps with a later DateTime: it may come once more for as long as that allows."""
        known = self._by_id[party, trace.message_id]
        until = max(known.trace.until, trace.until)
        self._by_id[party, trace.message_id] = replace(known, trace=replace(known.trace, until=until))

    def prune(self, now: datetime) -> None:
        """Forget what no retry can ask for any more."""
        self._by_id = {key: one for key, one in self._by_id.items() if one.trace.until > now}
        self._by_family = {key: one for key, one in self._by_family.items() if one.trace.until > now}


class Conversation:
    """One side of a conversation with one peer.

    Carry the bytes yourself: post the `data` of each of `due(now)` to the other side, hand what comes back to `settle`;
    hand what the other side posts to `receive`, and send its reply back.

    Attributes:
        peer: The other side.
        memory: First answers.
        waiting: Letters that have no final answer, by MessageID.
        deviations: How often its requests had to be read with tolerance, per row of docs/deviations.md.
    """

    def __init__(
        self,
        peer: Peer,
        service_namespace: str,
        handle: Callable[[Incoming], Response],
        new_id: Callable[[], str],
    ) -> None:
        """Begin a conversation.

        Args:
            peer: The other side.
            service_namespace: The service that we host.
            handle: Acts on a request and gives the answer; may raise RemoteError for a Fault.
            new_id: A fresh uuid.
        """
        self.peer = peer
        self.memory = Memory()
        self.waiting: dict[str, Letter] = {}
        self.deviations = Counter[int]()
        self._service_namespace = service_namespace
        self._handle = handle
        self._new_id = new_id
        self._pruned: datetime | None = None

    def send(
        self,
        body: Request,
        *,
        now: datetime,
        priority: int | None = None,
        subject: str = "",
        expires: datetime | None = None,
    ) -> Letter:
        """Put a request on its way; it replaces what waits about the same subject.

        A letter that was tried is not tried again, but may have arrived: who reckons with it keeps doing so.
        """
        new = letter(
            self.peer, body, now=now, message_id=self._new_id(), priority=priority, subject=subject, expires=expires
        )
        if subject:
            replaced = [one.message_id for one in self.waiting.values() if one.subject == subject]
            for message_id in replaced:
                del self.waiting[message_id]
        self.waiting[new.message_id] = new
        return new

    def due(self, now: datetime) -> list[Letter]:
        """What should be posted now, in this order."""
        return in_order(one for one in self.waiting.values() if one.not_before <= now)

    def settle(
        self,
        sent: Letter,
        status: int | None,
        data: bytes,
        *,
        now: datetime,
        jitter: float,
        retry_after: float | None = None,
    ) -> Verdict:
        """Take the outcome of a try; arguments as of `judge`. A letter to try again stays in `waiting`."""
        verdict = judge(sent, self.peer, status, data, now, jitter, retry_after)
        if isinstance(verdict, Again) and sent.message_id not in self.waiting:
            return GivenUp(f"replaced by a newer one, the last: {verdict.reason}", possibly_applied=True)
        if isinstance(verdict, Again):
            later = replace(sent, attempts=sent.attempts + 1, not_before=verdict.not_before)
            self.waiting[sent.message_id] = later
        else:
            self.waiting.pop(sent.message_id, None)
        return verdict

    def receive(self, data: bytes, *, now: datetime) -> Reply:
        """Answer a request: acted on once, however often it comes."""
        if self._pruned is None or abs(now - self._pruned) >= PRUNED_EVERY:
            self.memory.prune(now)
            self._pruned = now
        try:
            incoming = read_request(self.peer, self._service_namespace, data, now)
        except RemoteError as error:
            return self._refuse(error, data, now)
        known = self.memory.find(self.peer.party, incoming.trace(now))
        return self._act(incoming, now) if known is None else self._replay(incoming, known, now)

    def _refuse(self, error: RemoteError, data: bytes, now: datetime) -> Reply:
        """The Fault for what breaks a rule of the header or the schema: the same bytes get the same answer."""
        trace = trace_of(error, data, now)
        known = self.memory.find(self.peer.party, trace)
        if known is not None and known.trace.wording == trace.wording:
            return known.reply
        service = "" if isinstance(error, HeaderError) else self._service_namespace
        reply = write_fault(error, self.peer, now=now, service=service)
        if known is None and error.sender and trace.message_id:
            self.memory.keep(self.peer.party, trace, reply)
        return reply

    def _replay(self, incoming: Incoming, known: Remembered, now: datetime) -> Reply:
        first, party = known.trace, self.peer.party
        try:
            check_replay(incoming, first.digest, first.wording)
        except RemoteError as error:
            return write_fault(error, self.peer, now=now)
        odd = replay_deviation(incoming, first.message_id, first.wording)
        self.deviations.update([odd.row] if odd else [])
        if first.message_id == incoming.message_id:
            self.memory.prolong(party, incoming.trace(now))
            return known.reply
        data = readdress(known.reply.data, incoming, now=now, message_id=self._new_id())
        reply = replace(known.reply, data=data)
        self.memory.keep(party, incoming.trace(now), reply)
        return reply

    def _act(self, incoming: Incoming, now: datetime) -> Reply:
        self.deviations.update(one.row for one in incoming.envelope.deviations)
        try:
            body = self._handle(incoming)
        except RemoteError as error:
            reply = write_fault(error, self.peer, now=now, incoming=incoming)
            if error.sender:
                self.memory.keep(self.peer.party, incoming.trace(now), reply)
            return reply
        data = write_answer(incoming, body, now=now, message_id=self._new_id())
        reply = Reply(200, data, answer_type(incoming))
        if is_remembered(body):
            self.memory.keep(self.peer.party, incoming.trace(now), reply)
        return reply
