"""Row 31: when a message was made, by the clock of who made it."""

from datetime import UTC, datetime, timedelta

import pytest

from gridroom.oscp.errors import AnswerError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.judge import Delivered, judge
from gridroom.oscp.v10.letters import Peer, letter
from gridroom.oscp.v10.messages import CSP_NAMESPACE, DSO_NAMESPACE, Request
from gridroom.oscp.v10.receiving import (
    HeaderError,
    Incoming,
    read_request,
)
from gridroom.oscp.v10.replying import (
    write_fault,
)
from oscp_messages import ASK, HEARTBEAT, OK
from oscp_samples import START, changed, fault, read, rows, written

PEER = Peer("dso", frozenset({"dso", "cso"}), "dso", "cso", frozenset({"cso", "dso"}), "https://dso.example/")
STAMP = f'<DateTime xmlns="{CSP_NAMESPACE}">2026-01-01T10:00:00.000Z</DateTime>'
ANSWER_STAMP = STAMP.replace("CSP", "DSO")


def received(late: timedelta) -> Incoming:
    """A message that comes so long after its DateTime."""
    return read_request(PEER, CSP_NAMESPACE, written(HEARTBEAT).encode(), START + late)


class TestRequests:
    @pytest.mark.parametrize("late", [timedelta(0), timedelta(seconds=-1), timedelta(hours=24)])
    def test_from_a_day_ago_to_now_is_taken(self, late: timedelta) -> None:
        assert received(late).envelope.deviations == ()

    @pytest.mark.parametrize("ahead", [timedelta(seconds=2), timedelta(minutes=5)])
    def test_up_to_5_minutes_ahead_is_tolerated_measured_and_shown(self, ahead: timedelta) -> None:
        (told,) = received(-ahead).envelope.deviations
        assert (told.row, told.path) == (31, "Envelope/Header/DateTime")
        assert f"{ahead.total_seconds():.0f} s ahead" in told.text

    @pytest.mark.parametrize("late", [timedelta(minutes=-5, microseconds=-1), timedelta(hours=24, microseconds=1)])
    def test_further_ahead_or_older_is_the_senders_fault(self, late: timedelta) -> None:
        with pytest.raises(HeaderError) as caught:
            received(late)
        assert caught.value.path == "Envelope/Header/DateTime"
        assert write_fault(caught.value, PEER, now=START + late).status == 400

    @pytest.mark.parametrize("new", ["", STAMP.replace("2026-01-01T10:00:00.000Z", ""), STAMP.replace("T10", " 10")])
    def test_missing_or_broken_is_the_senders_fault(self, new: str) -> None:
        assert fault(HEARTBEAT, (STAMP, new)).path == "Envelope/Header/DateTime"

    @pytest.mark.parametrize("text", ["2026-01-01T11:00:00+01:00", "2026-01-01T10:00:00"])
    def test_another_zone_or_none_is_a_deviation_of_row_11(self, text: str) -> None:
        envelope = read(HEARTBEAT, ("2026-01-01T10:00:00.000Z", text))
        assert envelope.header.date_time == START
        assert rows(envelope) == {11}


class TestAnswers:
    def verdict(self, *swap: tuple[str, str], now: datetime = START) -> Delivered:
        one = letter(PEER, ASK, now=START, message_id="id-1")
        verdict = judge(one, PEER, 200, changed(OK, *swap), now, 0.5)
        assert isinstance(verdict, Delivered)
        return verdict

    @pytest.mark.parametrize("years", ["2024", "2028"])
    def test_old_or_ahead_is_a_deviation(self, years: str) -> None:
        assert rows(self.verdict((">2026-01", f">{years}-01")).envelope) == {31}

    def test_absent_is_a_deviation(self) -> None:
        envelope = self.verdict((ANSWER_STAMP, "")).envelope
        assert (envelope.header.date_time, rows(envelope)) == (None, {31})

    def test_seconds_before_the_question_as_in_the_examples_are_none(self) -> None:
        assert self.verdict(now=START + timedelta(seconds=9)).envelope.deviations == ()

    def test_nonsense_makes_it_no_answer(self) -> None:
        with pytest.raises(AnswerError):
            soap.read_reply(changed(OK, ("2026-01-01T10:00:00.000Z", "now")))


class TestWriting:
    def test_our_clock_in_whole_milliseconds_unchanged_on_a_retry(self) -> None:
        now = datetime(2026, 1, 1, 10, 0, 0, 123999, tzinfo=UTC)
        one = letter(PEER, HEARTBEAT, now=now, message_id="m")
        assert b">2026-01-01T10:00:00.123Z</DateTime>" in one.data
        assert soap.read(one.data).header.date_time == one.date_time

    @pytest.mark.parametrize(("service", "body"), [(CSP_NAMESPACE, HEARTBEAT), (DSO_NAMESPACE, ASK)])
    def test_a_fault_carries_it_in_the_namespace_of_the_service(self, service: str, body: Request) -> None:
        with pytest.raises(HeaderError) as caught:
            read_request(PEER, service, written(body).encode(), START.replace(year=2030))
        reply = write_fault(caught.value, PEER, now=START)
        assert f'<DateTime xmlns="{service}">' in reply.data.decode()

    def test_where_the_service_is_not_known_it_carries_none(self) -> None:
        error = fault(HEARTBEAT, (">300<", ">0<"))
        assert b"DateTime" not in write_fault(error, PEER, now=START).data
