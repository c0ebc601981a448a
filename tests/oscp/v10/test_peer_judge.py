"""What an answer means: sections 3.2.8 and 5.3, and the retry rule of docs/deviations.md."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridroom.oscp.errors import RemoteError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import (
    Adjustment,
    CapacityBlock,
    Detail,
    GetCapacityForecastRequest,
    GetCapacityForecastResponse,
    Header,
    HeartbeatResponse,
    Level,
    RequestAdjustedCapacityRequest,
    Response,
    Result,
    ResultType,
    ValueType,
)
from gridroom.oscp.v10.peer import (
    BACKOFF_CAP,
    CERTIFICATE_REFUSED,
    MAX_TRIES,
    Again,
    Delivered,
    GivenUp,
    Letter,
    Peer,
    Verdict,
    judge,
    letter,
    result_of,
)
from gridroom.oscp.v10.results import not_offered

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DSO = Peer("dso", frozenset({"d1", "d2"}), "d1", "c1", frozenset({"c1", "c2"}), "https://dso.example/oscp")
ASKED = letter(DSO, GetCapacityForecastRequest(), now=NOON, message_id="m1")
SUCCESS = GetCapacityForecastResponse(Result.success())


def adjustment() -> Letter:
    block = CapacityBlock(NOON, NOON + timedelta(hours=24), (ValueType(Decimal(5)),))
    body = RequestAdjustedCapacityRequest((Adjustment("K1", (block,)),))
    return letter(DSO, body, now=NOON, message_id="m1")


def answer(body: Response = SUCCESS, **changes: object) -> bytes:
    header = Header("a1", "d1", "c1", NOON, priority=1, relates_to="m1")
    return soap.write(replace(header, **changes), body)  # type: ignore[arg-type]


def fault(*, sender: bool, relates_to: str = "m1") -> bytes:
    return soap.write_fault(RemoteError("no", sender=sender), relates_to=relates_to)


def outcome(
    status: int | None, data: bytes = b"", one: Letter = ASKED, *, jitter: float = 0.5, wait: float | None = None
) -> Verdict:
    return judge(one, DSO, status, data, NOON, jitter, wait)


def test_success_is_delivered() -> None:
    verdict = outcome(200, answer())
    assert isinstance(verdict, Delivered)
    assert verdict.envelope.body == SUCCESS


@pytest.mark.parametrize("kind", [ResultType.FAILED, ResultType.NOT_ALLOWED, ResultType.NOT_IMPLEMENTED])
def test_a_business_refusal_is_delivered_and_not_sent_again(kind: ResultType) -> None:
    detail = Detail("NO", "No.", Level.ERROR)
    assert isinstance(outcome(200, answer(GetCapacityForecastResponse(Result(kind, (detail,))))), Delivered)


@pytest.mark.parametrize("word", ["ERROR", "MAYBE"])
def test_what_is_not_offered_is_not_tried_again_whatever_the_type_says(word: str) -> None:
    """Row 9: NOT IMPLEMENTED as the code of a Detail, also beside ERROR and beside a Type that nobody knows."""
    result = Result(ResultType.ERROR, (Detail("NOT_IMPLEMENTED", "Not here.", Level.ERROR),))
    data = answer(GetCapacityForecastResponse(result)).replace(b">ERROR</Type>", f">{word}</Type>".encode())
    assert word.encode() in data
    verdict = outcome(200, data)
    assert isinstance(verdict, Delivered)
    assert not_offered(result_of(verdict.envelope.body))  # type: ignore[arg-type]


def test_error_is_tried_again() -> None:
    result = Result(ResultType.ERROR, (Detail("DISK", "Full.", Level.ERROR),))
    verdict = outcome(200, answer(GetCapacityForecastResponse(result)))
    assert isinstance(verdict, Again)
    assert "DISK Full." in verdict.reason


def test_a_receiver_fault_is_tried_again_and_a_sender_fault_never() -> None:
    assert isinstance(outcome(500, fault(sender=False)), Again)
    assert outcome(400, fault(sender=True)) == GivenUp("Fault: no", possibly_applied=False)


def test_the_faults_code_decides_not_the_status() -> None:
    assert isinstance(outcome(500, fault(sender=True)), GivenUp)
    assert isinstance(outcome(400, fault(sender=False)), Again)
    assert isinstance(outcome(200, fault(sender=True)), GivenUp)


def test_a_fault_without_relates_to_is_believed_one_for_another_is_not() -> None:
    assert isinstance(outcome(500, fault(sender=True, relates_to="")), GivenUp)
    assert isinstance(outcome(500, fault(sender=True, relates_to="m2")), Again)


@pytest.mark.parametrize("status", [None, 500, 502, 503, 504, 408, 425, 429])
def test_without_a_fault_these_are_tried_again(status: int | None) -> None:
    assert isinstance(outcome(status, b"<html>busy</html>"), Again)


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 403, 404, 405, 413, 415, CERTIFICATE_REFUSED])
def test_without_a_fault_these_are_given_up(status: int) -> None:
    verdict = outcome(status, b"no")
    assert isinstance(verdict, GivenUp)
    assert not verdict.possibly_applied


def test_a_letter_tried_before_may_have_been_applied() -> None:
    verdict = outcome(404, b"", replace(ASKED, attempts=1))
    assert isinstance(verdict, GivenUp)
    assert verdict.possibly_applied


@pytest.mark.parametrize(
    "data",
    [
        answer(relates_to="m2"),
        answer(sender_id="stranger"),
        answer(receiver_id="stranger"),
        answer(HeartbeatResponse(NOON, Result.success())),
        ASKED.data,
        b"<html>welcome</html>",
    ],
)
def test_an_answer_that_is_not_ours_is_as_none(data: bytes) -> None:
    verdict = outcome(200, data)
    assert isinstance(verdict, Again)
    assert "answer refused" in verdict.reason


def test_the_other_sides_second_id_is_its_own() -> None:
    assert isinstance(outcome(200, answer(sender_id="d2", receiver_id="c2")), Delivered)


def test_an_answer_without_relates_to_is_believed() -> None:
    assert isinstance(outcome(200, re.sub(rb"<[^<]*RelatesTo>[^<]*</[^<]*RelatesTo>", b"", answer())), Delivered)


def test_an_answer_from_another_day_is_a_deviation() -> None:
    verdict = outcome(200, answer(date_time=NOON - timedelta(days=3)))
    assert isinstance(verdict, Delivered)
    assert [one.row for one in verdict.envelope.deviations] == [31]


def test_a_2xx_without_body_is_success_for_get_capacity_forecast_only() -> None:
    verdict = outcome(202, b" \n")
    assert isinstance(verdict, Delivered)
    assert verdict.envelope.body == GetCapacityForecastResponse(Result(ResultType.SUCCESS))
    assert [one.row for one in verdict.envelope.deviations] == [7]
    assert isinstance(outcome(200, b"", adjustment()), Again)


def test_the_pauses_double_up_to_a_cap() -> None:
    tries = [outcome(None, one=replace(adjustment(), attempts=n), jitter=0.5) for n in range(12)]
    pauses = [verdict.not_before - NOON for verdict in tries if isinstance(verdict, Again)]
    assert [pause.total_seconds() for pause in pauses[:4]] == [1, 2, 4, 8]
    assert pauses[-1] == BACKOFF_CAP / 2


@given(attempts=st.integers(0, 10_000), jitter=st.floats(0, 1, exclude_max=True), wait=st.none() | st.floats())
def test_a_next_try_is_never_past_its_end(attempts: int, jitter: float, wait: float | None) -> None:
    one = replace(adjustment(), attempts=attempts, expires=NOON + timedelta(minutes=2))
    verdict = outcome(503, one=one, jitter=jitter, wait=wait)
    if isinstance(verdict, Again):
        assert NOON <= verdict.not_before < one.expires
    else:
        assert isinstance(verdict, GivenUp)
        assert verdict.possibly_applied


def test_retry_after_is_honoured() -> None:
    assert outcome(503, wait=120) == Again(NOON + timedelta(minutes=2), "HTTP status 503")
    assert outcome(429, wait=7200) == Again(NOON + timedelta(hours=2), "HTTP status 429")


@pytest.mark.parametrize("wait", [23 * 3600, 10**12, float("inf")])
def test_a_wait_past_its_end_is_not_cut_short_but_named(wait: float) -> None:
    verdict = outcome(429, wait=wait)
    assert isinstance(verdict, GivenUp)
    assert verdict.reason.startswith("Retry-After")
    assert verdict.possibly_applied


def test_a_service_that_is_elsewhere_is_not_followed_and_its_status_named() -> None:
    verdict = outcome(301, b"<html>moved</html>")
    assert isinstance(verdict, GivenUp)
    assert "301" in verdict.reason


def test_tries_are_bounded_in_number() -> None:
    assert isinstance(outcome(None, one=replace(ASKED, attempts=MAX_TRIES - 2)), Again)
    verdict = outcome(None, b"refused", replace(ASKED, attempts=MAX_TRIES - 1))
    assert verdict == GivenUp("8 tries, the last: refused", possibly_applied=True)


def test_an_adjustment_is_bounded_in_time_only() -> None:
    assert isinstance(outcome(None, one=replace(adjustment(), attempts=500)), Again)
    late = replace(adjustment(), attempts=500, expires=NOON)
    assert isinstance(outcome(None, one=late), GivenUp)
