"""Outbox, courier and inbox: nothing lost, nothing doubled, urgent first."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from gridroom.oscp.errors import RemoteError
from gridroom.oscp.v10.messages import (
    CSP_NAMESPACE,
    DSO_NAMESPACE,
    Detail,
    Envelope,
    Forecast,
    ForecastedBlock,
    GetCapacityForecastRequest,
    GetCapacityForecastResponse,
    HeartbeatRequest,
    HeartbeatResponse,
    Response,
    Result,
    ResultType,
    UpdateCableCapacityForecastRequest,
    UpdateCableCapacityForecastResponse,
    ValueType,
)
from gridroom.oscp.v10.peer import CERTIFICATE_REFUSED, Incoming, Letter, Peer, Reply, letter
from gridroom.storage import database, inbox
from gridroom.storage.database import Database, DatabaseError
from gridroom.storage.outbox import Courier, Outbox, Tally

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
TO_CSO = Peer("cso", frozenset({"C1"}), "C1", "D1", frozenset({"D1"}), "https://cso")
TO_DSO = Peer("dso", frozenset({"D1"}), "D1", "C1", frozenset({"C1"}), "https://dso")
GOOD = Result.success()
MIGRATIONS = "gridroom.dso.migrations"


@pytest.fixture
def ids() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"00000000-0000-4000-8000-{next(numbers):012d}"


@pytest.fixture
def db(new_database: Callable[[str], str]) -> Iterator[Database]:
    db = database.open(new_database(MIGRATIONS), MIGRATIONS)
    yield db
    db.close()


@pytest.fixture
def far(new_database: Callable[[str], str]) -> Iterator[Database]:
    db = database.open(new_database(MIGRATIONS), MIGRATIONS)
    yield db
    db.close()


def beat(ids: Callable[[], str], now: datetime = NOW, priority: int = 0, subject: str = "") -> Letter:
    return letter(TO_CSO, HeartbeatRequest(300, 900), now=now, message_id=ids(), priority=priority, subject=subject)


class Far:
    """The other side: an inbox with its own database, and a line that can fail."""

    def __init__(self, db: Database, ids: Callable[[], str], result: Result = GOOD) -> None:
        self.db, self.ids, self.result = db, ids, result
        self.heard: list[Incoming] = []
        self.line: list[str] = []

    def handle(self, tx: sa.Connection, incoming: Incoming) -> Response:
        self.heard.append(incoming)
        if isinstance(incoming.envelope.body, UpdateCableCapacityForecastRequest):
            return UpdateCableCapacityForecastResponse(self.result)
        return HeartbeatResponse(NOW, self.result)

    async def post(self, url: str, data: bytes, kind: str) -> tuple[int | None, bytes, float | None]:
        assert kind.startswith("application/soap+xml")
        fate = self.line.pop(0) if self.line else "good"
        if fate == "dead":
            return None, b"refused", None
        reply = inbox.receive(self.db, TO_DSO, CSP_NAMESPACE, data, NOW, self.handle, self.ids)
        return (None, b"reset", None) if fate == "answer lost" else (reply.status, reply.data, None)


def courier(db: Database, far: Far, seen: list[tuple[str, bool]]) -> Courier:
    def on_answer(tx: sa.Connection, sent: Letter, answer: Envelope | None) -> None:
        seen.append((sent.message_id, answer is not None))

    return Courier(db, {"cso": TO_CSO}, far.post, on_answer, lambda: 0.5)


def put(db: Database, *letters: Letter) -> None:
    with db.transact() as tx:
        for one in letters:
            Outbox(tx).put(one)


def counts(db: Database) -> dict[str, Tally]:
    with db.transact() as tx:
        return Outbox(tx).counts()


def test_a_letter_is_due_only_if_its_transaction_was_committed(db: Database, ids: Callable[[], str]) -> None:

    def fail() -> None:
        with db.transact() as tx:
            Outbox(tx).put(beat(ids))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with db.transact() as tx:
        assert Outbox(tx).due(NOW) == []


def test_urgent_letters_go_first_then_older_ones(db: Database, far: Database, ids: Callable[[], str]) -> None:
    other = Far(far, ids)
    late, early, urgent, idle = beat(ids, NOW + MINUTE), beat(ids), beat(ids, NOW + MINUTE, 2), beat(ids, NOW, -1)
    put(db, late, early, urgent, idle)
    seen: list[tuple[str, bool]] = []
    assert asyncio.run(courier(db, other, seen).flush(NOW + MINUTE)) == 4
    assert [one.message_id for one in other.heard] == [one.message_id for one in (urgent, early, late, idle)]
    assert counts(db) == {"Heartbeat": Tally(4, 4, 0)}


def test_a_lost_answer_leads_to_one_effect_and_one_acknowledgement(
    db: Database, far: Database, ids: Callable[[], str]
) -> None:
    other, seen = Far(far, ids), list[tuple[str, bool]]()
    other.line = ["answer lost", "dead"]
    one = beat(ids)
    put(db, one)
    carrier = courier(db, other, seen)
    for minute in range(4):
        asyncio.run(carrier.flush(NOW + minute * MINUTE))
    assert len(other.heard) == 1
    assert seen == [(one.message_id, True)]
    assert counts(db) == {"Heartbeat": Tally(1, 1, 0)}


def test_a_dead_line_is_tried_once_a_flush_and_letters_survive_a_restart(
    db: Database, far: Database, ids: Callable[[], str]
) -> None:
    other, seen = Far(far, ids), list[tuple[str, bool]]()
    other.line = ["dead"]
    put(db, beat(ids), beat(ids))
    assert asyncio.run(courier(db, other, seen).flush(NOW)) == 1
    again = database.open(db.url, MIGRATIONS)
    assert asyncio.run(courier(again, other, seen).flush(NOW + MINUTE)) == 2
    assert len(other.heard) == 2
    again.close()


def test_an_expired_letter_is_given_up_untried(db: Database, far: Database, ids: Callable[[], str]) -> None:
    other, seen = Far(far, ids), list[tuple[str, bool]]()
    one = beat(ids)
    put(db, one)
    assert asyncio.run(courier(db, other, seen).flush(NOW + timedelta(hours=1))) == 0
    assert seen == [(one.message_id, False)]
    with db.transact() as tx:
        assert [(party, why) for party, _, why, _ in Outbox(tx).abandoned()] == [("cso", "it has expired")]


def test_nothing_is_sent_past_its_end_however_long_the_letters_before_it_took(
    db: Database, far: Database, ids: Callable[[], str]
) -> None:
    time, posted = [NOW], list[datetime]()

    async def slow(_url: str, _data: bytes, _kind: str) -> tuple[int | None, bytes, float | None]:
        posted.append(time[0])
        time[0] += 25 * SECOND
        return 400, b"", None

    minute = [letter(TO_CSO, HeartbeatRequest(60, 900), now=NOW, message_id=ids()) for _ in range(5)]
    put(db, *minute)
    asyncio.run(Courier(db, {"cso": TO_CSO}, slow, lambda *_: None, clock=lambda: time[0]).flush(NOW))
    assert posted == [NOW, NOW + 25 * SECOND, NOW + 50 * SECOND]
    with db.transact() as tx:
        assert [why for _, _, why, _ in Outbox(tx).abandoned()].count("it has expired") == 2


def test_the_pause_after_a_try_begins_when_it_failed(db: Database, ids: Callable[[], str]) -> None:
    time = [NOW]

    async def slow(_url: str, _data: bytes, _kind: str) -> tuple[int | None, bytes, float | None]:
        time[0] += 30 * SECOND
        return 503, b"", 60.0

    put(db, beat(ids))
    asyncio.run(Courier(db, {"cso": TO_CSO}, slow, lambda *_: None, clock=lambda: time[0]).flush(NOW))
    with db.transact() as tx:
        assert [one.not_before for one in Outbox(tx).waiting()] == [NOW + 90 * SECOND]


@pytest.mark.parametrize(
    ("said", "whose"),
    [
        ("ConnectError [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed", "that of cso, by us"),
        ("ReadError [SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca", "ours, by cso"),
        ("ReadError [SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required", "ours, by cso"),
    ],
)
def test_of_a_refused_certificate_it_is_told_whose_and_by_whom(
    db: Database, ids: Callable[[], str], said: str, whose: str
) -> None:
    async def refused(_url: str, _data: bytes, _kind: str) -> tuple[int | None, bytes, float | None]:
        return CERTIFICATE_REFUSED, said.encode(), None

    put(db, beat(ids))
    with capture_logs() as logs:
        asyncio.run(Courier(db, {"cso": TO_CSO}, refused, lambda *_: None).flush(NOW))
    told = f"certificate refused: {whose} ({said})"
    assert [(line["event"], line["reason"]) for line in logs] == [("letter given up", told)]
    with db.transact() as tx:
        assert [why for _, _, why, _ in Outbox(tx).abandoned()] == [told]


@pytest.mark.parametrize(
    ("error", "told"),
    [(DatabaseError("the disk is full: make room"), "the disk is full: make room"), (KeyError("oops"), None)],
)
def test_what_hinders_the_database_is_told_in_a_line_and_the_sender_asked_to_come_again(
    db: Database, ids: Callable[[], str], error: Exception, told: str | None
) -> None:
    def handle(tx: sa.Connection, incoming: Incoming) -> Response:
        raise error

    with capture_logs() as logs:
        reply = inbox.receive(db, TO_DSO, CSP_NAMESPACE, beat(ids).data, NOW, handle, ids)
    assert b"send it again later" in reply.data
    ours = logs[0]
    assert (ours["event"], ours.get("reason"), "exc_info" in ours) == (
        "a letter could not be handled",
        told,
        told is None,
    )


def test_a_failed_result_counts_as_refused_and_is_not_sent_again(
    db: Database, far: Database, ids: Callable[[], str]
) -> None:
    other = Far(far, ids, Result(ResultType.FAILED, (Detail("NO", "no"),)))
    put(db, beat(ids))
    carrier = courier(db, other, [])
    asyncio.run(carrier.flush(NOW))
    assert asyncio.run(carrier.flush(NOW + MINUTE)) == 0
    assert counts(db) == {"Heartbeat": Tally(1, 0, 1)}


def test_a_letter_of_a_party_that_is_no_peer_any_more_is_given_up(
    db: Database, far: Database, ids: Callable[[], str]
) -> None:
    put(db, beat(ids))
    seen: list[tuple[str, bool]] = []
    carrier = Courier(db, {}, Far(far, ids).post, lambda tx, sent, answer: seen.append((sent.party, answer is None)))
    assert asyncio.run(carrier.flush(NOW)) == 0
    assert seen == [("cso", True)]


def test_a_newer_letter_replaces_what_never_left_and_ends_what_was_tried(
    db: Database, far: Database, ids: Callable[[], str]
) -> None:
    tried, untried, other_subject = beat(ids, subject="a"), beat(ids, subject="a"), beat(ids, subject="b")
    other = Far(far, ids)
    other.line = ["dead"]
    put(db, tried)
    asyncio.run(courier(db, other, []).flush(NOW))
    put(db, untried, other_subject)
    with db.transact() as tx:
        outbox = Outbox(tx)
        assert outbox.drop("cso", "a", NOW) == [untried.message_id]
        assert [one.message_id for one in outbox.waiting()] == [other_subject.message_id]
        assert [why for _, _, why, _ in outbox.abandoned()] == ["replaced by a newer one"]


def test_settled_letters_are_pruned_waiting_ones_stay(db: Database, far: Database, ids: Callable[[], str]) -> None:
    put(db, beat(ids))
    asyncio.run(courier(db, Far(far, ids), []).flush(NOW))
    put(db, beat(ids))
    with db.transact() as tx:
        assert Outbox(tx).prune(NOW) == 0
        assert Outbox(tx).prune(NOW + MINUTE) == 1
        assert len(Outbox(tx).waiting()) == 1


# -- inbox -----------------------------------------------------------------------------------------------------------


def receive(db: Database, far: Far, one: Letter, now: datetime = NOW) -> Reply:
    return inbox.receive(db, TO_DSO, CSP_NAMESPACE, one.data, now, far.handle, far.ids)


def test_a_replay_is_answered_byte_for_byte_without_a_second_effect_also_after_a_restart(
    far: Database, ids: Callable[[], str]
) -> None:
    other, one = Far(far, ids), beat(ids)
    first = receive(far, other, one)
    again = database.open(far.url, MIGRATIONS)
    assert receive(again, other, one, NOW + MINUTE) == first
    assert len(other.heard) == 1
    again.close()


def test_an_effect_that_raises_leaves_nothing_and_may_be_tried_again(far: Database, ids: Callable[[], str]) -> None:
    calls = []

    def handle(tx: sa.Connection, incoming: Incoming) -> Response:
        calls.append(incoming)
        Outbox(tx).put(beat(ids))
        if len(calls) == 1:
            raise ZeroDivisionError
        return HeartbeatResponse(NOW, GOOD)

    one = beat(ids)
    broken = inbox.receive(far, TO_DSO, CSP_NAMESPACE, one.data, NOW, handle, ids)
    assert broken.status == 500
    with far.transact() as tx:
        assert Outbox(tx).waiting() == []
    assert inbox.receive(far, TO_DSO, CSP_NAMESPACE, one.data, NOW, handle, ids).status == 200
    assert len(calls) == 2


def test_a_fault_of_the_sender_is_remembered(far: Database, ids: Callable[[], str]) -> None:
    calls = []

    def handle(tx: sa.Connection, incoming: Incoming) -> Response:
        calls.append(1)
        raise RemoteError("not so", path="Envelope/Body")

    one = beat(ids)
    first = inbox.receive(far, TO_DSO, CSP_NAMESPACE, one.data, NOW, handle, ids)
    assert first.status == 400
    assert b"not so" in first.data
    assert inbox.receive(far, TO_DSO, CSP_NAMESPACE, one.data, NOW, handle, ids) == first
    assert calls == [1]


def test_an_error_result_is_not_remembered(far: Database, ids: Callable[[], str]) -> None:
    other, one = Far(far, ids, Result(ResultType.ERROR)), beat(ids)
    receive(far, other, one)
    receive(far, other, one)
    assert len(other.heard) == 2


def test_the_same_id_with_another_body_is_the_senders_fault_and_the_first_answer_stays(
    far: Database, ids: Callable[[], str]
) -> None:
    other, one = Far(far, ids), beat(ids)
    first = receive(far, other, one)
    forged = letter(TO_CSO, HeartbeatRequest(300, 60), now=NOW, message_id=one.message_id)
    assert receive(far, other, forged).status == 400
    assert receive(far, other, one) == first
    assert len(other.heard) == 1


def test_another_number_after_the_same_uuid_is_a_replay_with_its_own_relates_to(
    far: Database, ids: Callable[[], str]
) -> None:
    other, root = Far(far, ids), ids()
    block = ForecastedBlock(NOW, NOW + 15 * MINUTE, (ValueType(Decimal(5)),), (ValueType(Decimal(0)),))
    body = UpdateCableCapacityForecastRequest((Forecast("c", (block,)),))
    one, two = (letter(TO_CSO, body, now=NOW, message_id=f"{root}:{n}") for n in (1, 2))
    receive(far, other, one)
    answer = receive(far, other, two)
    assert answer.status == 200
    assert f"{root}:2".encode() in answer.data
    assert len(other.heard) == 1
    with far.transact() as tx:
        assert inbox.deviations(tx)["dso"][26] == 1


def test_answers_are_forgotten_when_no_retry_can_ask_any_more(far: Database, ids: Callable[[], str]) -> None:
    other, one = Far(far, ids), beat(ids)
    receive(far, other, one)
    with far.transact() as tx:
        assert inbox.prune(tx, NOW + timedelta(hours=24)) == 0
        assert inbox.prune(tx, NOW + timedelta(hours=24, minutes=6)) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (">/Heartbeat<", ">/UpdateCableCapacityForecast<"),
        (">300<", ">0<"),
        ("senderID>", "sender>"),
        ("addressing/anonymous", "elsewhere"),
        ("<soap:Header>", '<soap:Header><x:y xmlns:x="urn:x" soap:mustUnderstand="1"/>'),
    ],
)
def test_the_fault_for_what_cannot_be_read_is_remembered_also_after_a_restart(
    far: Database, ids: Callable[[], str], old: str, new: str
) -> None:
    other, one = Far(far, ids), beat(ids)
    bad = one.data.replace(old.encode(), new.encode())
    assert bad != one.data

    def say(db: Database, data: bytes, now: datetime) -> Reply:
        return inbox.receive(db, TO_DSO, CSP_NAMESPACE, data, now, other.handle, ids)

    first = say(far, bad, NOW)
    assert first.status in (400, 500)
    assert one.message_id.encode() in first.data
    again = database.open(far.url, MIGRATIONS)
    assert say(again, bad, NOW + MINUTE) == first
    again.close()
    assert b"used before" in say(far, one.data, NOW).data
    assert say(far, bad + b"\n", NOW + MINUTE).status == first.status
    assert say(far, bad, NOW + MINUTE) == first
    assert other.heard == []
    with far.transact() as tx:
        assert inbox.prune(tx, NOW + timedelta(hours=24, minutes=5)) == 1


def test_a_wrong_sender_is_refused_also_as_another_number_of_a_good_message(
    far: Database, ids: Callable[[], str]
) -> None:
    other, root = Far(far, ids), ids()
    block = ForecastedBlock(NOW, NOW + 15 * MINUTE, (ValueType(Decimal(5)),), (ValueType(Decimal(0)),))
    body = UpdateCableCapacityForecastRequest((Forecast("c", (block,)),))
    stranger = Peer("cso", frozenset({"C1"}), "C1", "evil", frozenset({"evil"}), "https://cso")
    statuses = []
    for name, sender in ((f"{root}:1", stranger), (f"{root}:2", TO_CSO), (f"{root}:3", stranger), (root, TO_CSO)):
        statuses.append(receive(far, other, letter(sender, body, now=NOW, message_id=name)).status)
    assert statuses == [400, 200, 400, 200]
    assert [one.message_id for one in other.heard] == [f"{root}:2"]


def test_bytes_that_are_no_letter_get_a_fault(far: Database, ids: Callable[[], str]) -> None:
    reply = inbox.receive(far, TO_DSO, CSP_NAMESPACE, b"<what/>", NOW, Far(far, ids).handle, ids)
    assert reply.status == 400
    assert b"Fault" in reply.data


def test_a_letter_for_the_other_service_is_refused(far: Database, ids: Callable[[], str]) -> None:
    back = letter(TO_DSO, GetCapacityForecastRequest(), now=NOW, message_id=ids())

    def handle(tx: sa.Connection, incoming: Incoming) -> Response:
        return GetCapacityForecastResponse(GOOD)

    assert inbox.receive(far, TO_CSO, CSP_NAMESPACE, back.data, NOW, handle, ids).status == 400
    assert inbox.receive(far, TO_CSO, DSO_NAMESPACE, back.data, NOW, handle, ids).status == 400  # remembered


def test_a_replay_in_other_words_gets_the_first_answer_and_is_noted(far: Database, ids: Callable[[], str]) -> None:
    other, one = Far(far, ids), beat(ids)
    first = receive(far, other, one)
    assert receive(far, other, one) == first
    with far.transact() as tx:
        assert 26 not in inbox.deviations(tx).get("dso", {})
    later = letter(TO_CSO, HeartbeatRequest(300, 900), now=NOW - MINUTE, message_id=one.message_id, priority=7)
    assert receive(far, other, later) == first
    assert len(other.heard) == 1
    with far.transact() as tx:
        assert inbox.deviations(tx)["dso"][26] == 1


def test_many_deviations_of_one_message_are_counted_with_one_statement_per_row(far: Database) -> None:
    with far.transact() as tx:
        inbox.note_deviations(tx, "dso", [(15, str(n)) for n in range(50_000)])
        inbox.note_deviations(tx, "dso", [(15, "again"), (5, "phase")])
        assert inbox.deviations(tx)["dso"] == {15: 50_001, 5: 1}


# -- the letter of section 3 -----------------------------------------------------------------------------------------


def test_the_memory_lasts_for_a_retry_that_came_with_a_later_datetime(far: Database, ids: Callable[[], str]) -> None:
    """Kept until DateTime + 24 h + 5 min, of the last time it came: it may come once more with that DateTime."""
    other, one = Far(far, ids), beat(ids)
    first = receive(far, other, one)
    later = NOW + timedelta(hours=20)
    fresh = letter(TO_CSO, HeartbeatRequest(300, 900), now=later, message_id=one.message_id)
    assert receive(far, other, fresh, later) == first
    with far.transact() as tx:
        assert inbox.prune(tx, NOW + timedelta(hours=30)) == 0
    assert receive(far, other, fresh, NOW + timedelta(hours=43)) == first
    assert len(other.heard) == 1
    with far.transact() as tx:
        assert inbox.prune(tx, later + timedelta(hours=24, minutes=5)) == 1


def test_a_receiver_fault_is_not_remembered(far: Database, ids: Callable[[], str]) -> None:
    calls: list[int] = []

    def handle(tx: sa.Connection, incoming: Incoming) -> Response:
        calls.append(1)
        if len(calls) == 1:
            raise RemoteError("busy", sender=False)
        return HeartbeatResponse(NOW, GOOD)

    one = beat(ids)
    assert inbox.receive(far, TO_DSO, CSP_NAMESPACE, one.data, NOW, handle, ids).status == 500
    assert inbox.receive(far, TO_DSO, CSP_NAMESPACE, one.data, NOW, handle, ids).status == 200


@pytest.mark.parametrize("result", [ResultType.NOT_IMPLEMENTED, ResultType.FAILED, ResultType.ERROR])
def test_not_implemented_is_not_sent_again_until_the_operator_says_so(
    db: Database, far: Database, ids: Callable[[], str], result: ResultType
) -> None:
    other = Far(far, ids, Result(result, (Detail("NOT_IMPLEMENTED", "no heartbeats here"),)))
    put(db, beat(ids), beat(ids))
    seen: list[tuple[str, bool]] = []
    with capture_logs() as told:
        asyncio.run(courier(db, other, seen).flush(NOW))
    assert len(other.heard) == 1
    assert [answered for _, answered in seen] == [True, False]
    assert [line["event"] for line in told if line["log_level"] == "error"] == [
        "a peer does not offer this, it is sent no more until resumed",
        "letter given up",
    ]
    with db.transact() as tx:
        outbox = Outbox(tx)
        assert not outbox.offered("cso", "Heartbeat")
        assert outbox.offered("cso", "UpdateCableCapacityForecast")
        assert outbox.offered("another", "Heartbeat")
        assert [(party, operation) for party, operation, _, _ in outbox.stopped()] == [("cso", "Heartbeat")]
        assert outbox.resume("cso") == ["Heartbeat"]
        assert outbox.resume("cso") == []
    other.result = GOOD
    put(db, beat(ids))
    asyncio.run(courier(db, other, seen).flush(NOW))
    assert len(other.heard) == 2


def test_not_allowed_is_not_repeated_but_a_later_one_may_be_sent(
    db: Database, far: Database, ids: Callable[[], str]
) -> None:
    other = Far(far, ids, Result(ResultType.NOT_ALLOWED))
    put(db, beat(ids))
    carrier = courier(db, other, [])
    asyncio.run(carrier.flush(NOW))
    assert asyncio.run(carrier.flush(NOW + MINUTE)) == 0
    put(db, beat(ids))
    assert asyncio.run(carrier.flush(NOW + MINUTE)) == 1


def test_error_is_tried_again_and_bounded(db: Database, far: Database, ids: Callable[[], str]) -> None:
    other = Far(far, ids, Result(ResultType.ERROR))
    body = UpdateCableCapacityForecastRequest(
        (Forecast("c", (ForecastedBlock(NOW, NOW + timedelta(hours=9), (ValueType(Decimal(5)),), ()),)),)
    )
    put(db, letter(TO_CSO, body, now=NOW, message_id=ids()))
    carrier = courier(db, other, [])
    with capture_logs() as told:
        tries = sum(asyncio.run(carrier.flush(NOW + minute * 6 * MINUTE)) for minute in range(20))
    assert tries == 8
    assert [line["event"] for line in told if line["log_level"] == "error"] == ["letter given up"]
    with db.transact() as tx:
        assert [operation for _, operation, _, _ in Outbox(tx).abandoned()] == ["UpdateCableCapacityForecast"]


def test_how_far_a_peers_clock_is_from_ours_is_shown(far: Database, ids: Callable[[], str]) -> None:
    other = Far(far, ids)
    receive(far, other, beat(ids, NOW + 4 * MINUTE))
    with far.transact() as tx:
        assert inbox.clocks(tx) == {"dso": 240.0}
        with capture_logs() as told:
            inbox.note_clock(tx, "dso", NOW - 2 * MINUTE, NOW)
        assert inbox.clocks(tx) == {"dso": -120.0}
    assert [(line["log_level"], line["ahead_s"]) for line in told] == [("warning", -120.0)]


def test_a_letter_that_expired_is_told_when_given_up(db: Database, far: Database, ids: Callable[[], str]) -> None:
    put(db, beat(ids))
    with capture_logs() as told:
        asyncio.run(courier(db, Far(far, ids), []).flush(NOW + timedelta(hours=1)))
    assert [(line["event"], line["reason"]) for line in told] == [("letter given up", "it has expired")]
