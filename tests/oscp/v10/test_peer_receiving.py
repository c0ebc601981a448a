"""Requests that come in: rows 23 to 31 of docs/deviations.md."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridroom.oscp.errors import RemoteError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import (
    CSP_NAMESPACE,
    DSO_NAMESPACE,
    CableUsage,
    GetCapacityForecastRequest,
    GetCapacityForecastResponse,
    Header,
    HeartbeatRequest,
    Message,
    Refusal,
    Result,
    ResultType,
    UpdateAggregatedUsageRequest,
    UpdateAggregatedUsageResponse,
    UsageBlock,
    ValueType,
)
from gridroom.oscp.v10.peer import (
    HeaderError,
    Peer,
    check_replay,
    digest_of,
    fault_status,
    is_remembered,
    read_request,
    readdress,
    write_answer,
    write_fault,
)
from gridroom.oscp.v10.profile import PeerProfile

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CSO = Peer("cso", frozenset({"c1", "c2"}), "c1", "d1", frozenset({"d1", "d2"}), "https://cso.example/oscp")
UUID = "6f1b1e3c-0d5a-4c9b-9d5e-0a4f3c0b7a11"


def usage(value: str = "24.00") -> UpdateAggregatedUsageRequest:
    block = UsageBlock(NOON - timedelta(minutes=15), NOON, (ValueType(Decimal(value), "Wh", 1),))
    return UpdateAggregatedUsageRequest((CableUsage("K1", (block,)),))


def request(body: Message | None = None, /, **changes: object) -> bytes:
    header = Header("m1", "c1", "d1", NOON, priority=3, to="https://dso.example/oscp")
    return soap.write(replace(header, **changes), body or usage())  # type: ignore[arg-type]


def test_a_good_request_is_read() -> None:
    incoming = read_request(CSO, DSO_NAMESPACE, request(), NOON)
    assert (incoming.message_id, incoming.operation, incoming.peer) == ("m1", "UpdateAggregatedUsage", CSO)
    assert incoming.envelope.body == usage()


def test_each_of_a_partys_ids_is_its_own() -> None:
    read_request(CSO, DSO_NAMESPACE, request(sender_id="c2", receiver_id="d2"), NOON)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"sender_id": "d1"}, "senderID"),
        ({"receiver_id": "c1"}, "receiverID"),
        ({"date_time": NOON + timedelta(minutes=5, seconds=1)}, "DateTime"),
        ({"date_time": NOON - timedelta(hours=24, seconds=1)}, "DateTime"),
    ],
)
def test_a_bad_header_is_the_senders_fault_and_names_the_place(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(HeaderError, match=place) as caught:
        read_request(CSO, DSO_NAMESPACE, request(**changes), NOON)
    assert caught.value.sender
    assert caught.value.path.endswith(place)
    reply = write_fault(caught.value, CSO, now=NOON, service=DSO_NAMESPACE)
    fault = soap.read_reply(reply.data)
    assert reply.status == 400
    assert fault.relates_to == "m1"  # type: ignore[union-attr]


@pytest.mark.parametrize("age", [-timedelta(minutes=5), timedelta(hours=24)])
def test_the_bounds_of_date_time_themselves_are_allowed(age: timedelta) -> None:
    read_request(CSO, DSO_NAMESPACE, request(date_time=NOON - age), NOON)


def test_a_body_of_the_other_service_is_refused() -> None:
    with pytest.raises(HeaderError, match="belongs to the service") as caught:
        read_request(CSO, CSP_NAMESPACE, request(), NOON)
    assert caught.value.subcode == "ActionNotSupported"


def test_an_answer_is_no_request() -> None:
    answer = request(UpdateAggregatedUsageResponse(Result.success()), relates_to="m0")
    with pytest.raises(RemoteError):
        read_request(CSO, DSO_NAMESPACE, answer, NOON)


def test_nonsense_is_the_other_sides_fault() -> None:
    with pytest.raises(RemoteError) as caught:
        read_request(CSO, DSO_NAMESPACE, b"<nonsense", NOON)
    assert caught.value.sender


def test_an_answer_swaps_the_ids_relates_and_echoes_the_priority() -> None:
    incoming = read_request(CSO, DSO_NAMESPACE, request(sender_id="c2", receiver_id="d2"), NOON)
    answer = UpdateAggregatedUsageResponse(Result.success())
    header = soap.read(write_answer(incoming, answer, now=NOON, message_id="a1")).header
    assert (header.sender_id, header.receiver_id) == ("d2", "c2")
    assert (header.relates_to, header.priority, header.message_id, header.to) == ("m1", 3, "a1", "")


class TestSameMessage:
    """The rule of idempotency: what counts as the same body."""

    def test_layout_priority_and_date_do_not_count(self) -> None:
        first = read_request(CSO, DSO_NAMESPACE, request(), NOON)
        spaced = request(priority=9, date_time=NOON - timedelta(hours=1)).replace(b"><", b">\n  <")
        again = read_request(CSO, DSO_NAMESPACE, spaced, NOON)
        check_replay(again, first.digest, first.wording)

    def test_another_body_under_the_same_id_is_the_senders_fault(self) -> None:
        first = read_request(CSO, DSO_NAMESPACE, request(), NOON)
        other = read_request(CSO, DSO_NAMESPACE, request(usage("24.01")), NOON)
        with pytest.raises(HeaderError, match="used before for a message with another body") as caught:
            check_replay(other, first.digest, first.wording)
        assert caught.value.sender

    def test_trailing_zeros_do_not_count(self) -> None:
        assert digest_of(usage("24.00")) == digest_of(usage("24")) == digest_of(usage("24.0"))
        assert digest_of(usage("0.50")) == digest_of(usage("0.5"))
        assert len({digest_of(usage(text)) for text in ("2", "20", "200", "0.2", "0.02", "-2", "2.02", "0")}) == 8

    @given(st.decimals(allow_nan=False, allow_infinity=False, places=3), st.decimals(allow_nan=False, places=2))
    def test_equal_numbers_and_only_those_have_equal_digests(self, one: Decimal, two: Decimal) -> None:
        if one.is_finite() and two.is_finite() and not one.is_zero() and not two.is_zero():
            same = digest_of(usage(f"{one:f}")) == digest_of(usage(f"{two:f}"))
            assert same == (one == two)

    def test_the_place_of_a_refusal_does_not_count_its_words_do(self) -> None:
        bodies = [
            UpdateAggregatedUsageRequest((), (Refusal("K1", "BAD", text, path),))
            for text, path in [("a", "x"), ("a", "y"), ("b", "x")]
        ]
        one, two, other = (digest_of(body) for body in bodies)
        assert one == two != other

    def test_operations_with_equal_content_differ(self) -> None:
        assert digest_of(HeartbeatRequest(1, 1)) != digest_of(GetCapacityForecastRequest(()))

    def test_ids_of_one_uuid_are_a_family(self) -> None:
        incoming = read_request(CSO, DSO_NAMESPACE, request(message_id=f"{UUID.upper()}:2"), NOON)
        assert incoming.family == UUID
        assert read_request(CSO, DSO_NAMESPACE, request(message_id=UUID), NOON).family == UUID
        assert read_request(CSO, DSO_NAMESPACE, request(message_id="call:2"), NOON).family is None

    def test_messages_that_are_all_alike_have_no_family(self) -> None:
        body = GetCapacityForecastRequest()
        assert read_request(CSO, DSO_NAMESPACE, request(body, message_id=f"{UUID}:2"), NOON).family is None

    def test_the_first_answer_is_readdressed_to_the_retry(self) -> None:
        first = read_request(CSO, DSO_NAMESPACE, request(message_id=f"{UUID}:1"), NOON)
        retry = read_request(CSO, DSO_NAMESPACE, request(message_id=f"{UUID}:2"), NOON)
        body = UpdateAggregatedUsageResponse(Result.success())
        answer = write_answer(first, body, now=NOON, message_id="a1")
        again = soap.read(readdress(answer, retry, now=NOON, message_id="a2"))
        assert (again.body, again.header.relates_to, again.header.message_id) == (body, f"{UUID}:2", "a2")

    def test_so_is_a_fault(self) -> None:
        retry = read_request(CSO, DSO_NAMESPACE, request(message_id=f"{UUID}:2"), NOON)
        first = soap.write_fault(RemoteError("no", subcode="MustUnderstand"), relates_to=f"{UUID}:1")
        again = soap.read_reply(readdress(first, retry, now=NOON, message_id="a2"))
        assert again.relates_to == f"{UUID}:2"  # type: ignore[union-attr]
        assert again.reason == "no"  # type: ignore[union-attr]

    def test_it_is_remembered_as_long_as_a_retry_can_come(self) -> None:
        early = read_request(CSO, DSO_NAMESPACE, request(date_time=NOON - timedelta(hours=3)), NOON)
        assert early.remember_until(NOON) == NOON + timedelta(hours=21, minutes=5)

    def test_a_date_in_the_far_future_is_not_remembered_for_ever(self) -> None:
        with pytest.raises(HeaderError) as caught:
            read_request(CSO, DSO_NAMESPACE, request(date_time=datetime(9999, 1, 1, tzinfo=UTC)), NOON)
        assert caught.value.incoming.remember_until(NOON) == NOON + timedelta(hours=24, minutes=10)


def test_error_is_not_remembered() -> None:
    assert is_remembered(GetCapacityForecastResponse(Result(ResultType.FAILED)))
    assert not is_remembered(GetCapacityForecastResponse(Result(ResultType.ERROR)))


def test_a_fault_has_the_status_of_its_blame_and_profile() -> None:
    assert fault_status(RemoteError("no")) == 400
    assert fault_status(RemoteError("no"), PeerProfile(sender_fault_status=500)) == 500
    assert fault_status(RemoteError("no", sender=False)) == 500
