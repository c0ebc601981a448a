"""What a station says later when the line was dead."""

from datetime import UTC, datetime

from gridroom.ocpp.messages import MeterValues, StartTransaction, Status, StatusNotification, StopTransaction
from gridroom.station import offline
from gridroom.station.offline import Backlog

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
START = StartTransaction(1, "driver", 0, NOON)
VALUES = MeterValues(1, None, ())
STOP = StopTransaction(0, 9, NOON)
ANSWER = {"transactionId": 41, "idTagInfo": {"status": "Accepted"}}


def test_messages_of_a_transaction_leave_in_order_with_its_number() -> None:
    backlog = Backlog()
    for said in (START, VALUES, STOP):
        backlog.put(1, said)
    assert backlog.next() == START
    backlog.delivered(ANSWER)
    assert backlog.next() == MeterValues(1, 41, ())
    backlog.delivered({})
    assert backlog.next() == StopTransaction(41, 9, NOON)
    backlog.delivered({})
    assert backlog.next() is None
    assert backlog.numbers == {}


def test_what_was_not_answered_stays_first() -> None:
    backlog = Backlog()
    backlog.put(1, START)
    assert backlog.next() == backlog.next() == START


def test_a_refused_message_is_given_up_after_three_attempts_and_its_followers_with_it() -> None:
    backlog = Backlog()
    for said in (START, VALUES, STOP):
        backlog.put(1, said)
    assert [backlog.refused() for _ in range(3)] == [False, False, True]
    assert backlog.next() is None
    assert len(backlog) == 0


def test_states_are_forgotten_and_transactions_kept_when_the_line_dies() -> None:
    backlog = Backlog()
    backlog.put(0, StatusNotification(1, Status.PREPARING, NOON))
    backlog.put(1, START)
    backlog.forget_states()
    assert [report.said for report in backlog] == [START]


def test_too_long_a_backlog_loses_meter_values_only(monkeypatch: object) -> None:
    longest, offline.LONGEST = offline.LONGEST, 3
    try:
        backlog = Backlog()
        for said in (START, VALUES, VALUES, VALUES, STOP):
            backlog.put(1, said)
        assert [type(report.said) for report in backlog] == [StartTransaction, MeterValues, StopTransaction]
    finally:
        offline.LONGEST = longest
