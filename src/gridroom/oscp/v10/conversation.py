"""A whole peer in memory, for users of the library and for tests: letters out and in, without disk or sockets.

Actors keep their letters in a database instead, with the same rules.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from gridroom.oscp.errors import RemoteError
from gridroom.oscp.v10.judge import Again, Verdict, judge
from gridroom.oscp.v10.letters import Letter, Peer, in_order, letter
from gridroom.oscp.v10.messages import Request, Response
from gridroom.oscp.v10.receiving import (
    HeaderError,
    Incoming,
    check_replay,
    read_request,
    replay_deviation,
)
from gridroom.oscp.v10.replying import (
    Reply,
    answer_type,
    is_remembered,
    readdress,
    write_answer,
    write_fault,
)


@dataclass(frozen=True, slots=True)
class Remembered:
    """The first answer to a message.

    Attributes:
        message_id: The message.
        digest: Digest of its body.
        wording: Digest of its bytes.
        reply: What was answered.
        until: Forgotten after this moment. [UTC]
    """

    message_id: str
    digest: bytes
    wording: bytes
    reply: Reply
    until: datetime


class Memory:
    """First answers by party and MessageID, so that a retry has no second effect."""

    def __init__(self) -> None:
        self._by_id: dict[tuple[str, str], Remembered] = {}
        self._by_family: dict[tuple[str, str, bytes], Remembered] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def find(self, incoming: Incoming) -> Remembered | None:
        """What was answered to this message before, under its id or another number of the same uuid (row 26)."""
        party = incoming.peer.party
        found = self._by_id.get((party, incoming.message_id))
        if found is None and incoming.family is not None:
            found = self._by_family.get((party, incoming.family, incoming.digest))
        return found

    def keep(self, incoming: Incoming, reply: Reply, now: datetime) -> None:
        """Remember the answer to a message."""
        until = incoming.remember_until(now)
        one = Remembered(incoming.message_id, incoming.digest, incoming.wording, reply, until)
        self._by_id[incoming.peer.party, incoming.message_id] = one
        if incoming.family is not None:
            self._by_family.setdefault((incoming.peer.party, incoming.family, incoming.digest), one)

    def prolong(self, incoming: Incoming, now: datetime) -> None:
        """A message was repeated, perhaps with a later DateTime: it may come once more for as long as that allows."""
        key = (incoming.peer.party, incoming.message_id)
        known = self._by_id[key]
        self._by_id[key] = replace(known, until=max(known.until, incoming.remember_until(now)))

    def prune(self, now: datetime) -> None:
        """Forget what no retry can ask for any more."""
        self._by_id = {key: one for key, one in self._by_id.items() if one.until > now}
        self._by_family = {key: one for key, one in self._by_family.items() if one.until > now}


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

    def send(
        self,
        body: Request,
        *,
        now: datetime,
        priority: int | None = None,
        subject: str = "",
        expires: datetime | None = None,
    ) -> Letter:
        """Put a request on its way; it replaces letters about the same subject that were never tried."""
        new = letter(
            self.peer, body, now=now, message_id=self._new_id(), priority=priority, subject=subject, expires=expires
        )
        if subject:
            replaced = [one.message_id for one in self.waiting.values() if one.subject == subject and not one.attempts]
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
        if isinstance(verdict, Again):
            later = replace(sent, attempts=sent.attempts + 1, not_before=verdict.not_before)
            self.waiting[sent.message_id] = later
        else:
            self.waiting.pop(sent.message_id, None)
        return verdict

    def receive(self, data: bytes, *, now: datetime) -> Reply:
        """Answer a request: acted on once, however often it comes."""
        refusal: HeaderError | None = None
        try:
            incoming = read_request(self.peer, self._service_namespace, data, now)
        except HeaderError as error:
            incoming, refusal = error.incoming, error
        except RemoteError as error:
            return write_fault(error, self.peer, now=now, service=self._service_namespace)
        known = self.memory.find(incoming)
        if known is not None:
            return self._replay(incoming, known, now)
        if refusal is not None:
            reply = write_fault(refusal, self.peer, now=now)
            self.memory.keep(incoming, reply, now)
            return reply
        return self._act(incoming, now)

    def _replay(self, incoming: Incoming, known: Remembered, now: datetime) -> Reply:
        try:
            check_replay(incoming, known.digest)
        except RemoteError as error:
            return write_fault(error, self.peer, now=now)
        odd = replay_deviation(incoming, known.message_id, known.wording)
        self.deviations.update([odd.row] if odd else [])
        if known.message_id == incoming.message_id:
            self.memory.prolong(incoming, now)
            return known.reply
        data = readdress(known.reply.data, incoming, now=now, message_id=self._new_id())
        reply = replace(known.reply, data=data)
        self.memory.keep(incoming, reply, now)
        return reply

    def _act(self, incoming: Incoming, now: datetime) -> Reply:
        self.deviations.update(one.row for one in incoming.envelope.deviations)
        try:
            body = self._handle(incoming)
        except RemoteError as error:
            reply = write_fault(error, self.peer, now=now, incoming=incoming)
            if error.sender:
                self.memory.keep(incoming, reply, now)
            return reply
        data = write_answer(incoming, body, now=now, message_id=self._new_id())
        reply = Reply(200, data, answer_type(incoming))
        if is_remembered(body):
            self.memory.keep(incoming, reply, now)
        return reply
