"""Requests on their way: sections 3.2.1 and 5.3; rows 25 to 31 of the deviations."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from gridroom.oscp.errors import LocalError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import (
    Adjustment,
    CapacityBlock,
    GetCapacityForecastRequest,
    HeartbeatRequest,
    Request,
    RequestAdjustedCapacityRequest,
    ValueType,
)
from gridroom.oscp.v10.peer import HeartbeatWatch, Peer, in_order, letter
from gridroom.oscp.v10.profile import PeerProfile

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
ASK = GetCapacityForecastRequest()
PEER = Peer("dso", frozenset({"d1", "d2"}), "d1", "c1", frozenset({"c1"}), "https://dso.example/oscp")


def more(hours: int) -> RequestAdjustedCapacityRequest:
    start = datetime(2026, 3, 1, 12, 15, tzinfo=UTC)
    block = CapacityBlock(start, start + timedelta(hours=hours), (ValueType(Decimal(5)),))
    return RequestAdjustedCapacityRequest((Adjustment("K1", (block,)),))


def test_a_letter_says_who_to_whom_where_and_when() -> None:
    one = letter(PEER, ASK, now=NOON, message_id="m1")
    header = soap.read(one.data).header
    assert (header.sender_id, header.receiver_id, header.message_id) == ("c1", "d1", "m1")
    assert header.to == "https://dso.example/oscp"
    assert header.action == "/GetCapacityForecast"
    assert header.date_time == one.date_time == NOON.replace(microsecond=123000)
    assert (one.party, one.operation, one.attempts, one.not_before) == ("dso", "GetCapacityForecast", 0, one.date_time)


def test_the_profiles_url_goes_into_to() -> None:
    peer = Peer("dso", PEER.ids, "d1", "c1", PEER.own_ids, PEER.url, PeerProfile(to_url="urn:dso"))
    assert soap.read(letter(peer, HeartbeatRequest(300, 900), now=NOON, message_id="m").data).header.to == "urn:dso"


@pytest.mark.parametrize(("body", "priority"), [(HeartbeatRequest(300, 900), 0), (ASK, 1), (more(1), 1)])
def test_priorities_are_those_of_the_examples(body: Request, priority: int) -> None:
    one = letter(PEER, body, now=NOON, message_id="m1")
    assert one.priority == soap.read(one.data).header.priority == priority


def test_a_priority_can_be_given() -> None:
    one = letter(PEER, ASK, now=NOON, message_id="m1", priority=7)
    assert one.priority == soap.read(one.data).header.priority == 7


def test_an_adjustment_is_tried_until_its_last_block_is_over() -> None:
    assert letter(PEER, more(2), now=NOON, message_id="m").expires == datetime(2026, 3, 1, 14, 15, tzinfo=UTC)


def test_nothing_is_tried_for_longer_than_23_hours() -> None:
    made = NOON.replace(microsecond=123000)
    for body in (more(30), ASK):
        assert letter(PEER, body, now=NOON, message_id="m").expires == made + timedelta(hours=23)
    far = NOON + timedelta(days=9)
    assert letter(PEER, more(30), now=NOON, message_id="m", expires=far).expires == made + timedelta(hours=23)


def test_a_heartbeat_is_stale_when_the_next_is_due() -> None:
    one = letter(PEER, HeartbeatRequest(300, 900), now=NOON, message_id="m")
    assert one.expires == one.date_time + timedelta(minutes=5)


def test_a_letter_about_the_past_is_never_written() -> None:
    with pytest.raises(LocalError, match="all its blocks are over"):
        letter(PEER, more(1), now=NOON + timedelta(days=1), message_id="m")


def test_urgent_letters_go_first_and_older_before_younger() -> None:
    made = [
        letter(PEER, ASK, now=NOON + timedelta(seconds=age), message_id=name, priority=priority)
        for name, priority, age in [("low", -1, 0), ("young", 0, 5), ("old", 0, 1), ("urgent", 9, 9)]
    ]
    assert [one.message_id for one in in_order(made)] == ["urgent", "old", "young", "low"]


class TestHeartbeatWatch:
    """Section 3.2.7."""

    WATCH = HeartbeatWatch(NOON, interval_s=300, cap_s=1800)

    def test_silence_begins_after_two_intervals(self) -> None:
        assert not self.WATCH.silent(NOON + timedelta(seconds=600))
        assert self.WATCH.silent(NOON + timedelta(seconds=601))

    def test_a_huge_interval_is_capped_by_ours(self) -> None:
        watch = self.WATCH.heard(NOON, 10**9)
        assert not watch.silent(NOON + timedelta(seconds=1800))
        assert watch.silent(NOON + timedelta(seconds=1801))

    def test_a_heartbeat_ends_the_silence_and_sets_the_interval(self) -> None:
        later = NOON + timedelta(hours=1)
        watch = self.WATCH.heard(later, 60)
        assert not watch.silent(later + timedelta(seconds=120))
        assert watch.silent(later + timedelta(seconds=121))

    def test_a_heartbeat_out_of_order_changes_nothing(self) -> None:
        assert self.WATCH.heard(NOON - timedelta(seconds=1), 60) is self.WATCH
