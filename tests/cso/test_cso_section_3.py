"""The CSO, sentence by sentence: "Beyond a single element" of docs/deviations.md, where no other file proves it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest

import databases
from gridroom.cso import oscp10, planning, service
from gridroom.cso.app import MIGRATIONS
from gridroom.cso.settings import CableEntry, CsoConfig, DsoEntry, market
from gridroom.cso.stations import CableKey, Register
from gridroom.cso.store import Store
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.letters import Letter, Peer, letter
from gridroom.oscp.v10.messages import (
    Adjustment,
    CapacityBlock,
    Detail,
    Deviation,
    Envelope,
    Forecast,
    ForecastedBlock,
    GetCapacityForecastResponse,
    Header,
    HeartbeatRequest,
    Level,
    Refusal,
    Request,
    RequestAdjustedCapacityResponse,
    Result,
    ResultType,
    UpdateCableCapacityForecastRequest,
    UpdateCableCapacityForecastResponse,
    ValueType,
)
from gridroom.oscp.v10.profile import GRIDROOM
from gridroom.storage import database, inbox
from gridroom.storage.outbox import Outbox
from gridroom.timegrid import QUARTER

pytestmark = pytest.mark.usefixtures("database_kind")

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TO_CSO = Peer("cso", frozenset({"cso"}), "cso", "dso", frozenset({"dso"}), "https://cso", GRIDROOM)
KEY = CableKey("dso", "c1")
YES, NO = Result.success(), Result(ResultType.FAILED, (Detail("NO_CAPACITY", "None."),))


class Office:
    """The CSO's use cases over a database in memory, with two cables of one DSO and one of another."""

    def __init__(self) -> None:
        entries = tuple(
            DsoEntry(name, name, f"https://{name}", cables=tuple(CableEntry(c) for c in cables))
            for name, cables in (("dso", ("c1", "c2")), ("other", ("c1",)))
        )
        self.market = market(CsoConfig(party="cso", id="cso", dso=entries), Register({}))
        self.db = database.open(databases.fresh(MIGRATIONS), MIGRATIONS)
        self.numbers = count(1)
        self.now = NOON

    def ids(self) -> str:
        return f"00000000-0000-4000-8000-{next(self.numbers):012d}"

    def hears(self, body: Request, party: str = "dso", *, now: datetime | None = None) -> Result:
        sender = replace(TO_CSO, own_id=party, own_ids=frozenset({party}))
        made = letter(sender, body, now=self.now if now is None else now, message_id=self.ids())
        reply = oscp10.receive(self.db, self.market, party, made.data, self.now, self.ids)
        answer = soap.read_reply(reply.data)
        assert isinstance(answer, Envelope)
        assert isinstance(answer.body, UpdateCableCapacityForecastResponse)
        return answer.body.result

    def limits(self, key: CableKey = KEY) -> list[int]:
        with self.db.transact() as tx:
            found: list[int] = Store(tx).book(key).limits(self.now, NOON, 3)[0].tolist()
        return found

    def gives_back(self, ampere: int) -> Letter:
        block = CapacityBlock(NOON, NOON + QUARTER, (ValueType(Decimal(-ampere)),))
        with self.db.transact() as tx:
            store = Store(tx)
            change, book = Adjustment("c1", (block,)), store.book(KEY)
            store.save_book(KEY, planning.owe(store, self.market, KEY, book, change, self.now, self.ids))
            return Outbox(tx).waiting()[-1]

    def settles(self, sent: Letter, answer: Envelope | None) -> None:
        with self.db.transact() as tx:
            service.settle(Store(tx), self.market, sent, answer, self.now)


@pytest.fixture
def office() -> Iterator[Office]:
    one = Office()
    yield one
    one.db.close()


def forecast(ampere: int, *cables: str, start: datetime = NOON) -> UpdateCableCapacityForecastRequest:
    values, nothing = (ValueType(Decimal(ampere)),), (ValueType(Decimal(0)),)
    blocks = tuple(ForecastedBlock(start + k * QUARTER, start + (k + 1) * QUARTER, values, nothing) for k in range(96))
    return UpdateCableCapacityForecastRequest(tuple(Forecast(cable, blocks) for cable in cables or ("c1",)))


def answer_to(sent: Letter, body: object, *, made: datetime | None, notes: tuple[Deviation, ...] = ()) -> Envelope:
    header = Header("a", "dso", "cso", made, 1, relates_to=sent.message_id)
    return Envelope(header, body, notes)  # type: ignore[arg-type]


# -- a cable is the pair of DSO and CableId; each stands alone --------------------------------------------------------


def test_a_dso_changes_only_its_own_cable_of_that_name(office: Office) -> None:
    office.hears(forecast(10))
    office.hears(forecast(20), "other")
    assert (office.limits(), office.limits(CableKey("other", "c1"))) == ([1000] * 3, [2000] * 3)


def test_what_is_not_on_our_list_is_unknown_whoever_has_it(office: Office) -> None:
    messages = []
    for cable in ("c2", "c3"):  # the first is a cable of ours with another DSO
        result = office.hears(forecast(5, cable), "other")
        assert [d.code for d in result.details] == ["UNKNOWN_CABLE", "APPLIED"]
        messages.append(result.details[0].message.replace(cable, "?"))
    assert messages[0] == messages[1]


def test_good_cables_are_applied_and_the_result_counts_them(office: Office) -> None:
    office.hears(forecast(10, "c1", "c2"))
    office.now += MINUTE
    result = office.hears(forecast(20, "c1", "c3", "c2", "c4"))
    assert result.type is ResultType.FAILED
    assert [(d.code, d.level, d.message[:2]) for d in result.details] == [
        ("UNKNOWN_CABLE", Level.ERROR, "c3"),
        ("UNKNOWN_CABLE", Level.ERROR, "c4"),
        ("APPLIED", Level.INFO, "2 "),
    ]
    assert office.limits() == office.limits(CableKey("dso", "c2")) == [2000] * 3


def test_a_cable_refused_in_several_places_is_named_once(office: Office) -> None:
    bad = tuple(Refusal("c1", "INVALID_VALUE", text, "Envelope/Body") for text in ("first", "second"))
    with office.db.transact() as tx:
        body = UpdateCableCapacityForecastRequest((), bad)
        result, _ = service.receive_forecast(Store(tx), office.market, "dso", NOON, body, NOON)
    assert [(d.code, d.message) for d in result.details][:-1] == [("INVALID_VALUE", "c1: first (Envelope/Body)")]


# -- order of forecasts -----------------------------------------------------------------------------------------------


def test_an_old_forecast_is_answered_with_success_and_superseded(office: Office) -> None:
    office.hears(forecast(10))
    result = office.hears(forecast(3), now=NOON - 6 * MINUTE)
    assert (result.type, [d.level for d in result.details]) == (ResultType.SUCCESS, [Level.INFO, Level.INFO])
    assert "SUPERSEDED" in [d.code for d in result.details]
    assert office.limits() == [1000] * 3


@pytest.mark.parametrize(("made", "start"), [(0, 0), (-5, 0), (1, -1)])
def test_what_is_not_clearly_newer_lowers_and_is_counted_as_a_deviation(office: Office, made: int, start: int) -> None:
    office.hears(forecast(10))
    for ampere, expected in ((20, 1000), (4, 400)):
        assert office.hears(forecast(ampere, start=NOON + start * QUARTER), now=NOON + made * MINUTE).type == YES.type
        assert office.limits() == [expected] * 3
    office.now += 2 * MINUTE
    office.hears(forecast(30))
    assert office.limits() == [3000] * 3
    with office.db.transact() as tx:
        assert inbox.deviations(tx)["dso"][14] == 2


def test_a_clock_that_ran_ahead_and_was_set_back_finds_the_older_forecast_again(office: Office) -> None:
    """Unknown time is the smaller of older forecast and offline value, whatever our clock did."""
    office.hears(forecast(5))
    office.now = NOON + 40 * MINUTE
    body = forecast(30, start=NOON + 3 * QUARTER)
    office.hears(body, now=NOON + 40 * MINUTE)
    office.now = NOON
    assert office.limits() == [500] * 3


# -- adjustments ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [None, NOON - 20 * MINUTE])
def test_an_answer_that_does_not_tell_when_it_was_made_frees_no_give_back_too_early(
    office: Office, made: datetime | None
) -> None:
    """The DSO's clock may be five minutes ahead of ours."""
    office.hears(forecast(10))
    sent = office.gives_back(4)
    office.settles(sent, answer_to(sent, RequestAdjustedCapacityResponse((), YES), made=made))
    office.now += MINUTE
    office.hears(forecast(10), now=office.now + 4 * MINUTE)
    assert office.limits()[0] == 600
    office.now += 9 * MINUTE
    office.hears(forecast(10))
    assert office.limits()[0] == 1000


@pytest.mark.parametrize("result", [YES, NO, Result(ResultType.NOT_ALLOWED), None])
def test_no_answer_undoes_a_give_back_nor_does_giving_up(office: Office, result: Result | None) -> None:
    office.hears(forecast(10))
    sent = office.gives_back(4)
    body = None if result is None else RequestAdjustedCapacityResponse((), result)
    office.settles(sent, None if body is None else answer_to(sent, body, made=NOON))
    assert office.limits() == [600, 1000, 1000]


def test_a_request_lives_until_its_last_block_ended_or_for_23_hours(office: Office) -> None:
    office.hears(forecast(10))
    assert office.gives_back(4).expires == NOON + QUARTER


def test_what_had_to_be_tolerated_in_an_answer_is_counted(office: Office) -> None:
    office.hears(forecast(10))
    sent = office.gives_back(4)
    block = CapacityBlock(NOON + QUARTER, NOON + 2 * QUARTER, (ValueType(Decimal(9)),))
    body = RequestAdjustedCapacityResponse((Adjustment("c1", (block,)),), YES)
    office.settles(sent, answer_to(sent, body, made=NOON, notes=(Deviation(12, "Envelope", "odd"),)))
    with office.db.transact() as tx:
        assert {12, 16} <= inbox.deviations(tx)["dso"].keys()


# -- heartbeat, silence, NOT IMPLEMENTED ------------------------------------------------------------------------------


def beats(office: Office, interval: int = 300, age: timedelta = timedelta()) -> None:
    with office.db.transact() as tx:
        service.receive_heartbeat(
            Store(tx), office.market, "dso", office.now - age, HeartbeatRequest(interval, 900), office.now
        )


def asks(office: Office) -> list[str]:
    """Whom we ask for a forecast now, as sent and answered."""
    with office.db.transact() as tx:
        store, outbox = Store(tx), Outbox(tx)
        found = service.ask_again(store, office.market, office.now, office.ids)
        for one in found:
            outbox.put(one)
            outbox.delivered(one, answer_to(one, GetCapacityForecastResponse(YES), made=office.now), office.now)
    return [one.party for one in found]


def test_a_heartbeat_that_comes_late_proves_only_what_was_when_it_was_made(office: Office) -> None:
    office.hears(forecast(10, "c1", "c2"))
    beats(office)
    office.now = NOON + 23 * 60 * MINUTE
    beats(office, age=22 * 60 * MINUTE + 59 * MINUTE)
    assert "dso" in asks(office)
    beats(office, age=5 * MINUTE)
    with office.db.transact() as tx:
        assert Store(tx).watch("dso").last == office.now  # type: ignore[union-attr]
    beats(office, age=-5 * MINUTE)
    with office.db.transact() as tx:
        assert Store(tx).watch("dso").last == office.now  # type: ignore[union-attr]


@pytest.mark.parametrize(("interval", "silent_after"), [(300, 10), (60, 2), (86_400, 30)])
def test_a_dso_is_silent_after_two_intervals_capped_by_our_own_configuration(
    office: Office, interval: int, silent_after: int
) -> None:
    office.hears(forecast(10, "c1", "c2"))
    beats(office, interval)
    office.now = NOON + silent_after * MINUTE
    assert "dso" not in asks(office)
    office.now += MINUTE
    assert "dso" in asks(office)


def test_a_heartbeat_prolongs_no_forecast(office: Office) -> None:
    office.hears(forecast(10))
    office.now = NOON + 96 * QUARTER
    beats(office)
    with office.db.transact() as tx:
        assert Store(tx).book(KEY).limits(office.now, office.now, 4).max() == 0


def test_a_clock_set_back_does_not_make_us_deaf_for_silence(office: Office) -> None:
    office.hears(forecast(10, "c1", "c2"))
    office.now = NOON + timedelta(hours=3)
    beats(office)
    asks(office)
    office.now = NOON + MINUTE
    beats(office)
    office.now = NOON + 12 * MINUTE
    assert "dso" in asks(office)
    assert "dso" not in asks(office)


def test_a_dso_that_offers_no_forecasts_is_not_asked_until_the_operator_says_so(office: Office) -> None:
    office.now += timedelta(hours=1)
    asks(office)
    office.now += timedelta(hours=1)
    with office.db.transact() as tx:
        Outbox(tx).stop("dso", "GetCapacityForecast", "no", NOON)
    assert asks(office) == ["other"]
    with office.db.transact() as tx:
        Outbox(tx).resume("dso")
    office.now += timedelta(hours=1)
    assert asks(office) == ["dso", "other"]


def test_a_dso_that_wants_no_reports_gets_none(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    with office.db.transact() as tx:
        store = Store(tx)
        store.save_fact("since", NOON - timedelta(hours=2))
        Outbox(tx).stop("dso", "UpdateAggregatedUsage", "no", NOON)
        letters = service.report(store, office.market, office.now, office.ids)
    assert {one.party for one in letters} <= {"other"}
