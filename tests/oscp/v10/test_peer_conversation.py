"""Two peers back to back, without sockets: section 5.3 and the rule of idempotency."""

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from gridroom.oscp.errors import RemoteError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import (
    CSP_NAMESPACE,
    DSO_NAMESPACE,
    CableUsage,
    Fault,
    GetCapacityForecastRequest,
    GetCapacityForecastResponse,
    HeartbeatRequest,
    HeartbeatResponse,
    Response,
    Result,
    ResultType,
    UpdateAggregatedUsageRequest,
    UpdateAggregatedUsageResponse,
    UsageBlock,
    ValueType,
)
from gridroom.oscp.v10.peer import Again, Conversation, Delivered, GivenUp, Incoming, Letter, Peer
from gridroom.oscp.v10.profile import PeerProfile

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
UUID = "6f1b1e3c-0d5a-4c9b-9d5e-0a4f3c0b7a11"


def ids(prefix: str) -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"{prefix}{next(numbers)}"


@dataclass
class Pair:
    """A CSO and a DSO."""

    acted: list[str] = field(default_factory=list)
    result: Result = field(default_factory=Result.success)
    refuse: RemoteError | None = None

    def __post_init__(self) -> None:
        dso = Peer("dso", frozenset({"d"}), "d", "c", frozenset({"c"}), "https://dso.example/")
        cso = Peer("cso", frozenset({"c"}), "c", "d", frozenset({"d"}), "https://cso.example/")
        self.cso = Conversation(dso, CSP_NAMESPACE, self.act, ids("cso-"))
        self.dso = Conversation(cso, DSO_NAMESPACE, self.act, ids("dso-"))

    def act(self, incoming: Incoming) -> Response:
        if self.refuse is not None:
            raise self.refuse
        self.acted.append(incoming.message_id)
        match incoming.envelope.body:
            case HeartbeatRequest():
                return HeartbeatResponse(NOON, self.result)
            case GetCapacityForecastRequest():
                return GetCapacityForecastResponse(self.result)
            case _:
                return UpdateAggregatedUsageResponse(self.result)


@pytest.fixture
def pair() -> Pair:
    return Pair()


def usage(value: int = 24) -> UpdateAggregatedUsageRequest:
    block = UsageBlock(NOON - timedelta(minutes=15), NOON, (ValueType(Decimal(value), "Wh", 1),))
    return UpdateAggregatedUsageRequest((CableUsage("K1", (block,)),))


def test_a_question_is_answered(pair: Pair) -> None:
    one = pair.cso.send(usage(), now=NOON)
    reply = pair.dso.receive(one.data, now=NOON)
    verdict = pair.cso.settle(one, reply.status, reply.data, now=NOON, jitter=0)
    assert isinstance(verdict, Delivered)
    assert verdict.envelope.body == UpdateAggregatedUsageResponse(Result.success())
    assert verdict.envelope.deviations == ()
    assert reply.content_type.startswith("application/soap+xml")
    assert not pair.cso.waiting


def test_both_sides_ask_each_other(pair: Pair) -> None:
    beat = pair.dso.send(HeartbeatRequest(300, 900), now=NOON)
    reply = pair.cso.receive(beat.data, now=NOON)
    assert isinstance(pair.dso.settle(beat, reply.status, reply.data, now=NOON, jitter=0), Delivered)


def test_letters_leave_in_order_of_priority(pair: Pair) -> None:
    for priority in (0, -1, 2):
        pair.cso.send(GetCapacityForecastRequest(), now=NOON, priority=priority)
    assert [one.priority for one in pair.cso.due(NOON)] == [2, 0, -1]


def test_a_lost_answer_is_asked_for_again_and_nothing_happens_twice(pair: Pair) -> None:
    one = pair.cso.send(usage(), now=NOON)
    lost = pair.dso.receive(one.data, now=NOON)
    assert isinstance(pair.cso.settle(one, None, b"", now=NOON, jitter=0.5), Again)
    assert pair.cso.due(NOON) == []
    later = NOON + timedelta(minutes=1)
    [again] = pair.cso.due(later)
    assert again.data == one.data
    found = pair.dso.receive(again.data, now=later)
    assert found == lost
    assert pair.acted == [one.message_id]
    assert isinstance(pair.cso.settle(again, found.status, found.data, now=later, jitter=0), Delivered)


def test_after_eight_tries_it_is_given_up(pair: Pair) -> None:
    now = NOON
    pair.cso.send(usage(), now=now)
    verdicts = []
    while pair.cso.waiting:
        now += timedelta(minutes=10)
        [one] = pair.cso.due(now)
        verdicts.append(pair.cso.settle(one, None, b"refused", now=now, jitter=0.9))
    assert len(verdicts) == 8
    assert isinstance(verdicts[-1], GivenUp)


def test_a_newer_letter_replaces_one_that_never_left_and_ends_the_tries_of_another(pair: Pair) -> None:
    first = pair.cso.send(usage(1), now=NOON, subject="K1")
    second = pair.cso.send(usage(2), now=NOON, subject="K1")
    other = pair.cso.send(usage(3), now=NOON, subject="K2")
    assert set(pair.cso.waiting) == {second.message_id, other.message_id}
    pair.cso.settle(second, None, b"", now=NOON, jitter=0)
    third = pair.cso.send(usage(4), now=NOON, subject="K1")
    assert set(pair.cso.waiting) == {other.message_id, third.message_id}
    assert first.message_id not in pair.cso.waiting


def test_what_was_replaced_while_it_was_on_its_way_is_not_tried_again(pair: Pair) -> None:
    first = pair.cso.send(usage(1), now=NOON, subject="K1")
    second = pair.cso.send(usage(2), now=NOON, subject="K1")
    verdict = pair.cso.settle(first, None, b"reset", now=NOON, jitter=0)
    assert isinstance(verdict, GivenUp)
    assert verdict.possibly_applied
    assert verdict.reason == "replaced by a newer one, the last: reset"
    assert set(pair.cso.waiting) == {second.message_id}


def reworded(one: Letter, old: str, new: str) -> bytes:
    return one.data.replace(old.encode(), new.encode())


def test_an_id_used_again_for_another_body_is_the_senders_fault(pair: Pair) -> None:
    one = pair.cso.send(usage(24), now=NOON)
    first = pair.dso.receive(one.data, now=NOON)
    reply = pair.dso.receive(reworded(one, ">24.00<", ">25.00<"), now=NOON)
    assert reply.status == 400
    assert len(pair.acted) == 1
    assert pair.dso.receive(one.data, now=NOON) == first


def test_another_number_of_the_same_uuid_is_the_same_message(pair: Pair) -> None:
    one = pair.cso.send(usage(), now=NOON)
    pair.dso.receive(reworded(one, one.message_id, f"{UUID}:1"), now=NOON)
    retry = reworded(one, one.message_id, f"{UUID}:2")
    reply = pair.dso.receive(retry, now=NOON)
    answer = soap.read(reply.data)
    assert answer.header.relates_to == f"{UUID}:2"
    assert pair.acted == [f"{UUID}:1"]
    assert pair.dso.receive(retry, now=NOON) == reply


def test_another_number_with_another_body_is_another_message(pair: Pair) -> None:
    for number, value in ((1, 24), (2, 25)):
        one = pair.cso.send(usage(value), now=NOON)
        pair.dso.receive(reworded(one, one.message_id, f"{UUID}:{number}"), now=NOON)
    assert len(pair.acted) == 2


def test_after_error_or_a_receiver_fault_a_retry_can_succeed(pair: Pair) -> None:
    one = pair.cso.send(usage(), now=NOON)
    pair.result = Result(ResultType.ERROR)
    reply = pair.dso.receive(one.data, now=NOON)
    assert isinstance(pair.cso.settle(one, reply.status, reply.data, now=NOON, jitter=0), Again)
    pair.refuse = RemoteError("disk full", sender=False)
    reply = pair.dso.receive(one.data, now=NOON)
    assert reply.status == 500
    assert isinstance(pair.cso.settle(one, reply.status, reply.data, now=NOON, jitter=0), Again)
    pair.refuse, pair.result = None, Result.success()
    reply = pair.dso.receive(one.data, now=NOON)
    assert isinstance(pair.cso.settle(one, reply.status, reply.data, now=NOON, jitter=0), Delivered)


def test_a_sender_fault_is_given_again(pair: Pair) -> None:
    one = pair.cso.send(usage(), now=NOON)
    pair.refuse = RemoteError("not so")
    first = pair.dso.receive(one.data, now=NOON)
    pair.refuse = None
    assert pair.dso.receive(one.data, now=NOON) == first
    assert isinstance(pair.cso.settle(one, first.status, first.data, now=NOON, jitter=0), GivenUp)


def test_a_header_fault_is_given_again_even_when_the_clock_has_moved_on(pair: Pair) -> None:
    one = pair.cso.send(usage(), now=NOON + timedelta(minutes=6))
    first = pair.dso.receive(one.data, now=NOON)
    assert first.status == 400
    assert pair.dso.receive(one.data, now=NOON + timedelta(minutes=6)) == first
    assert pair.acted == []


BROKEN = {
    "ActionMismatch": (">/UpdateAggregatedUsage<", ">/GetCapacityForecast<"),
    "OnlyAnonymous": ("http://www.w3.org/2005/08/addressing/anonymous", "https://elsewhere.example/"),
    "InvalidCardinality": ("<To ", '<To xmlns="http://www.w3.org/2005/08/addressing"/><To '),
    "MustUnderstand": ("<soap:Header>", '<soap:Header><x:y xmlns:x="urn:x" soap:mustUnderstand="true"/>'),
    "no Parties": ("Parties", "Nobody"),
    "no DateTime": ("DateTime", "Never"),
    "schema": ("EndTime", "Enddtime"),
}


def broken(one: Letter, name: str) -> bytes:
    bad = reworded(one, *BROKEN[name])
    assert bad != one.data
    return bad


@pytest.mark.parametrize("name", BROKEN)
def test_the_fault_for_what_cannot_be_read_is_given_again_and_its_id_is_used_up(pair: Pair, name: str) -> None:
    one = pair.cso.send(usage(), now=NOON)
    bad, later = broken(one, name), NOON + timedelta(minutes=1)
    first = pair.dso.receive(bad, now=NOON)
    told = soap.read_reply(first.data)
    assert isinstance(told, Fault)
    assert (told.sender, told.relates_to) == (True, one.message_id)
    assert pair.dso.receive(bad, now=later) == first
    assert "used before" in soap.read_reply(pair.dso.receive(one.data, now=later).data).reason  # type: ignore[union-attr]
    other = soap.read_reply(pair.dso.receive(bad.replace(b">24.00<", b">25.00<"), now=later).data)
    assert isinstance(other, Fault)
    assert other.sender
    assert pair.dso.receive(bad, now=later) == first
    assert pair.acted == []
    assert len(pair.dso.memory) == 1
    pair.dso.memory.prune(NOON + timedelta(hours=24, minutes=5))
    assert len(pair.dso.memory) == 0


def test_what_cannot_be_read_does_not_push_out_the_answer_to_what_could(pair: Pair) -> None:
    one = pair.cso.send(usage(), now=NOON)
    first = pair.dso.receive(one.data, now=NOON)
    assert pair.dso.receive(broken(one, "schema"), now=NOON).status == 400
    assert pair.dso.receive(one.data, now=NOON) == first


def test_a_refusal_comes_before_a_replay_and_makes_no_family(pair: Pair) -> None:
    """Another number of a uuid is the same message once more only if its header is right; a refused one counts not."""
    numbered = [reworded(pair.cso.send(usage(), now=NOON), f"cso-{n}", f"{UUID}:{n}") for n in (1, 2, 3, 4)]
    stranger = [data.replace(b"<senderID>c<", b"<senderID>evil<") for data in numbered]
    assert pair.dso.receive(stranger[0], now=NOON).status == 400
    assert pair.dso.receive(numbered[1], now=NOON).status == 200
    refused = pair.dso.receive(stranger[2], now=NOON)
    assert refused.status == 400
    assert pair.dso.receive(stranger[2], now=NOON + timedelta(minutes=1)) == refused
    assert pair.dso.receive(numbered[3], now=NOON).status == 200
    assert pair.dso.receive(stranger[3], now=NOON).status == 400
    assert pair.acted == [f"{UUID}:2"]


@pytest.mark.parametrize(
    ("first", "again"),
    [("0.0000000", "0"), ("0.00000010", "0.0000001"), ("-0.00", "0"), ("-0.00000010", "-.0000001"), ("00", "0.0")],
)
def test_one_number_in_other_digits_is_the_same_message(pair: Pair, first: str, again: str) -> None:
    one = pair.cso.send(usage(24), now=NOON)
    replies = [pair.dso.receive(reworded(one, ">24.00<", f">{text}<"), now=NOON) for text in (first, again)]
    assert replies[0] == replies[1]
    assert (replies[0].status, len(pair.acted)) == (200, 1)
    assert pair.dso.receive(reworded(one, ">24.00<", ">0.00000011<"), now=NOON).status == 400


def test_a_stranger_gets_a_fault_and_nothing_happens(pair: Pair) -> None:
    one = pair.cso.send(usage(), now=NOON)
    pair.dso.peer = replace(pair.dso.peer, ids=frozenset({"someone else"}))
    assert pair.dso.receive(one.data, now=NOON).status == 400
    assert pair.acted == []


def test_nonsense_gets_a_fault(pair: Pair) -> None:
    reply = pair.dso.receive(b"<nonsense", now=NOON)
    assert reply.status == 400
    assert soap.read_reply(reply.data).sender  # type: ignore[union-attr]


def test_answers_are_forgotten_when_no_retry_can_come(pair: Pair) -> None:
    one = pair.cso.send(usage(), now=NOON)
    pair.dso.receive(reworded(one, one.message_id, f"{UUID}:1"), now=NOON)
    pair.dso.memory.prune(NOON + timedelta(hours=24))
    assert len(pair.dso.memory) == 1
    late = NOON + timedelta(hours=24, minutes=5)
    pair.dso.memory.prune(late)
    assert len(pair.dso.memory) == 0
    assert pair.dso.receive(one.data, now=late).status == 400


def test_a_conversation_forgets_by_itself(pair: Pair) -> None:
    for hour in range(60):
        now = NOON + timedelta(hours=hour)
        one = pair.cso.send(usage(), now=now)
        pair.dso.receive(broken(one, "schema") if hour % 2 else one.data, now=now)
    assert len(pair.dso.memory) == 25


def test_a_replay_in_other_words_gets_the_first_answer_and_is_counted(pair: Pair) -> None:
    one = pair.cso.send(usage(), now=NOON)
    first = pair.dso.receive(one.data, now=NOON)
    assert pair.dso.receive(one.data, now=NOON) == first
    assert pair.dso.deviations[26] == 0
    later = one.data.replace(b"2026-03-01T12:00:00.000Z", b"2026-03-01T12:00:01.000Z")
    assert later != one.data
    assert pair.dso.receive(later, now=NOON) == first
    assert pair.dso.deviations[26] == 1
    assert len(pair.acted) == 1


@pytest.mark.parametrize("theirs", ["1.1", "1.2"])
def test_a_peer_that_speaks_soap_1_1_is_read_answered_and_answered_again_only_where_the_profile_says_so(
    theirs: str,
) -> None:
    profile = PeerProfile(soap=theirs)  # type: ignore[arg-type]
    dso = Peer("dso", frozenset({"d"}), "d", "c", frozenset({"c"}), "https://dso.example/", PeerProfile(soap="1.1"))
    cso = Peer("cso", frozenset({"c"}), "c", "d", frozenset({"d"}), "https://cso.example/", profile)
    sender = Conversation(dso, CSP_NAMESPACE, lambda _: HeartbeatResponse(NOON, Result.success()), ids("cso-"))
    receiver = Conversation(cso, DSO_NAMESPACE, lambda _: UpdateAggregatedUsageResponse(Result.success()), ids("dso-"))
    for number in (1, 2):
        one = replace(sender.send(usage(), now=NOON), message_id=f"{UUID}:{number}")
        named = replace(one, data=re.sub(rb">cso-\d+<", f">{UUID}:{number}<".encode(), one.data))
        reply = receiver.receive(named.data, now=NOON)
        if theirs == "1.2":
            assert b"VersionMismatch" in reply.data
        else:
            assert isinstance(sender.settle(named, reply.status, reply.data, now=NOON, jitter=0), Delivered)
            assert reply.content_type.startswith("text/xml")
