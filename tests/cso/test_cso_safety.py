"""When in doubt the cable wins: what a station may draw is never counted too low."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

import databases
from gridroom.cso.app import MIGRATIONS
from gridroom.cso.book import Book
from gridroom.cso.csms import Stations
from gridroom.cso.ledger import Given, Held
from gridroom.cso.profiles import Place
from gridroom.cso.settings import CableEntry, CsoConfig, DsoEntry, market
from gridroom.cso.stations import CableKey, Register, Station
from gridroom.cso.store import Store
from gridroom.ocpp.errors import NoAnswerError, PayloadError
from gridroom.ocpp.messages import BootNotification
from gridroom.ocpp.metering import reading
from gridroom.ocpp.profiles import SetChargingProfile
from gridroom.oscp.v10.blocks import Span
from gridroom.storage import database

pytestmark = pytest.mark.usefixtures("database_kind")

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)
HOUR = timedelta(hours=1)
KEY = CableKey("dso", "c1")
BOOT = BootNotification("Maker", "Model")


def stated(amps: float, *, made: datetime = NOON) -> Book:
    spans = [Span(NOON + k * QUARTER, NOON + (k + 1) * QUARTER, (int(amps * 100),) * 3) for k in range(96)]
    return Book().accept(made, spans, (), made)[0]


class Lines:
    """Stations that take every profile; something may happen between a question and its answer."""

    def __init__(self) -> None:
        self.on: set[str] = set()
        self.told: list[tuple[str, SetChargingProfile]] = []
        self.answer: Callable[[str, SetChargingProfile], str] = lambda *_: "Accepted"

    def connected(self, identity: str) -> bool:
        return identity in self.on

    async def send(self, identity: str, request: SetChargingProfile, timeout_s: float) -> str:
        self.told.append((identity, request))
        return self.answer(identity, request)


class Office:
    """The CSO's OCPP edge over a database in memory."""

    def __init__(self, *names: str) -> None:
        self.now = NOON
        self.lines = Lines()
        self.register = Register({n: Station(n, KEY, max_ca=1600) for n in names})
        config = CsoConfig(party="cso", id="cso", dso=(DsoEntry("dso", "dso", "-", cables=(CableEntry("c1"),)),))
        self.db = database.open(databases.fresh(MIGRATIONS), MIGRATIONS)
        self.stations = Stations(
            self.db,
            market(config, self.register),
            self.lines,  # type: ignore[arg-type]
            lambda: self.now,
            lambda: "m",
            lambda: None,
        )

    def book(self, book: Book) -> None:
        with self.db.transact() as tx:
            Store(tx).save_book(KEY, book)

    def reserved(self, name: str) -> list[int]:
        """What is kept for a station now, per phase."""
        with self.db.transact() as tx:
            store = Store(tx)
            session = store.session(name)
            held = store.held(name)
        place = Place(self.register.stations[name], held, True, phases=session.phases if session else None)
        return [int(v) for v in place.reserved(NOON, 1)[:, 0]]

    async def plan(self) -> int:
        return await self.stations.plan(KEY, self.now)


@pytest.fixture
def office() -> Iterator[Office]:
    one = Office("s1", "s2")
    yield one
    one.db.close()


async def test_a_station_that_never_was_on_the_line_is_not_in_service(office: Office) -> None:
    assert office.reserved("s1") == [0, 0, 0]


async def test_a_station_without_an_acknowledged_fallback_counts_at_its_maximum_even_without_a_session(
    office: Office,
) -> None:
    office.lines.on = {"s1"}
    office.lines.answer = lambda *_: "Rejected"
    office.book(stated(40))
    await office.stations.boot("s1", BOOT)
    await office.plan()
    assert office.reserved("s1") == [1600, 1600, 1600]
    assert office.stations.odd() == {"unruly": [], "refusing": ["s1"]}


async def test_after_a_restart_a_station_may_have_lost_its_profiles(office: Office) -> None:
    office.lines.on = {"s1"}
    office.book(stated(40))
    await office.stations.boot("s1", BOOT)
    await office.plan()
    assert office.reserved("s1") == [600, 600, 600]
    office.lines.told.clear()
    await office.stations.boot("s1", BOOT)
    assert office.reserved("s1") == [1600, 1600, 1600]
    await office.plan()
    assert [name for name, _ in office.lines.told] == ["s1"]
    assert office.reserved("s1") == [600, 600, 600]


async def test_a_lower_forecast_that_comes_during_a_round_stops_its_raises(office: Office) -> None:
    office.lines.on = {"s1", "s2"}
    office.book(stated(32))
    for name in ("s1", "s2"):
        await office.stations.boot(name, BOOT)
    await office.plan()
    for name in ("s1", "s2"):
        await office.stations.start_transaction(name, 1, "tag", 0, NOON)

    def lowers(name: str, _request: SetChargingProfile) -> str:
        office.book(stated(14, made=NOON + MINUTE))
        return "Accepted"

    office.lines.told.clear()
    office.lines.answer = lowers
    with office.db.transact() as tx:
        store = Store(tx)
        store.save_held("s1", replace(store.held("s1"), fallback_taken=0))  # it gets two messages, one after the other
    await office.plan()
    assert max(p.limit_ca for name, r in office.lines.told if name == "s1" for p in r.profile.schedule.periods) <= 800


async def test_a_clock_that_ran_ahead_and_came_back_does_not_forget_what_was_given_back() -> None:
    book = stated(50).ask("m", [Span(NOON, NOON + QUARTER, (-2000,) * 3)], NOON)
    book = book.tidy(NOON + 3 * HOUR)
    assert book.limits(NOON, NOON, 1).max() == 3000
    assert not book.tidy(NOON + 25 * HOUR).asked


async def test_an_answer_that_never_came_does_not_keep_us_from_asking_later() -> None:
    book = stated(50).ask("m", [Span(NOON, NOON + QUARTER, (2000,) * 3)], NOON)
    assert book.pending(NOON)
    assert not book.pending(NOON + QUARTER)


async def test_a_second_connector_is_refused(office: Office) -> None:
    with pytest.raises(PayloadError, match="connectorId"):
        await office.stations.start_transaction("s1", 2, "tag", 0, NOON)
    await office.stations.meter_values("s1", 0, None, (reading(NOON, [0, 0, 0], 9_000_000),))
    with office.db.transact() as tx:
        assert Store(tx).day_readings("s1", NOON.date()).size == 0


async def test_a_station_that_takes_more_than_it_is_rated_counts_with_what_it_takes() -> None:
    fallback = Given(1, ((NOON, 0),))
    held = Held().offer(fallback, NOON).accepted(fallback)
    one = Place(Station("s", KEY, max_ca=1600), held, True, 7, (True, False, False), unruly_ca=2500)
    assert one.reserved(NOON, 1)[:, 0].tolist() == [2500, 0, 0]


async def test_a_profile_without_an_answer_counts_though_the_next_is_refused(office: Office) -> None:
    office.lines.on = {"s1"}
    office.book(stated(40))
    await office.stations.boot("s1", BOOT)
    await office.plan()
    await office.stations.start_transaction("s1", 1, "tag", 0, NOON)

    def lost(*_: object) -> str:
        raise NoAnswerError("lost")

    office.lines.answer = lost
    await office.plan()
    assert office.reserved("s1") == [1600, 1600, 1600]
    office.lines.answer = lambda *_: "Rejected"
    await office.plan()
    assert office.reserved("s1") == [1600, 1600, 1600]


async def test_what_a_station_drew_between_two_samples_is_judged_by_the_most_that_it_may_have_been_allowed(
    office: Office,
) -> None:
    """A plan that changes every five minutes does not hide a station that obeys none."""
    office.lines.on = {"s1"}
    office.book(stated(40))
    await office.stations.boot("s1", BOOT)
    await office.plan()
    number = await office.stations.start_transaction("s1", 1, "tag", 0, NOON)
    with capture_logs() as told:
        for step in range(1, 5):
            office.now = NOON + step * 5 * MINUTE
            office.book(stated(8 + step % 2, made=office.now))
            await office.plan()
            office.now += 4 * MINUTE
            drawn = reading(office.now, [1600, 0, 0], 1000 * step)
            await office.stations.meter_values("s1", 1, number, (drawn,))
    assert [line["station"] for line in told if line["log_level"] == "warning"] == ["s1"]
    with office.db.transact() as tx:
        session = Store(tx).session("s1")
    assert session is not None
    assert session.unruly
    assert office.stations.odd() == {"unruly": ["s1"], "refusing": []}
