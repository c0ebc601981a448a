"""The CSO between a small DSO and simulated stations, in memory: the flow of OSCP 1.0 chapter 2, steps 2 to 9."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from structlog.testing import capture_logs

import databases
from gridroom.clock import Duty
from gridroom.cso.app import MIGRATIONS, Cso, CsoConfig
from gridroom.cso.charging import WishError
from gridroom.cso.ledger import reserved
from gridroom.cso.settings import CableEntry, DsoEntry
from gridroom.cso.stations import CableKey, Register, Station
from gridroom.cso.store import Store
from gridroom.ocpp.io import Csms
from gridroom.ocpp.wire import Dial, Transport
from gridroom.oscp.v10 import blocks, soap
from gridroom.oscp.v10.letters import Peer, letter
from gridroom.oscp.v10.messages import (
    DSO_NAMESPACE,
    Adjustment,
    Detail,
    Forecast,
    GetCapacityForecastRequest,
    GetCapacityForecastResponse,
    HeartbeatRequest,
    HeartbeatResponse,
    Message,
    RequestAdjustedCapacityRequest,
    RequestAdjustedCapacityResponse,
    Result,
    ResultType,
    UpdateAggregatedUsageRequest,
    UpdateAggregatedUsageResponse,
    UpdateCableCapacityForecastRequest,
    UpdateCableCapacityForecastResponse,
)
from gridroom.oscp.v10.peer import read_request, write_answer
from gridroom.oscp.v10.profile import GRIDROOM
from gridroom.station.app import Stations
from gridroom.station.config import Arrival, StationConfig, StationsConfig
from gridroom.storage import database

pytestmark = pytest.mark.usefixtures("database_kind")

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
STEP = timedelta(minutes=5)
KEY = CableKey("dso", "c1")
SEEN_BY_DSO = Peer("cso", frozenset({"cso"}), "cso", "dso", frozenset({"dso"}), "https://cso", GRIDROOM)
NAMES = ("s1", "s2", "s3")


class Hands:
    """A clock whose hands the test moves."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    async def run(self, duties: Mapping[str, Duty]) -> None:
        raise NotImplementedError


class Dso:
    """The other side: sends forecasts, notes what comes, answers."""

    def __init__(self, clock: Hands) -> None:
        self.clock = clock
        self.got: list[Message] = []
        self.grant = False
        self.reachable = True

    def forecast(self, amps: float, *, remaining: float = 0, n: int = 96, cable: str = "c1") -> bytes:
        limits = np.full((3, n), int(amps * 100), dtype=np.int64)
        left = np.full((3, n), int(remaining * 100), dtype=np.int64)
        start = self.clock.at.replace(minute=self.clock.at.minute // 15 * 15)
        shape = blocks.forecast_blocks(start, QUARTER, limits, left, GRIDROOM)
        body = UpdateCableCapacityForecastRequest((Forecast(cable, shape),))
        return letter(SEEN_BY_DSO, body, now=self.clock.at, message_id=str(uuid4())).data

    def heartbeat(self) -> bytes:
        return letter(SEEN_BY_DSO, HeartbeatRequest(300, 900), now=self.clock.at, message_id=str(uuid4())).data

    async def post(self, url: str, data: bytes, content_type: str) -> tuple[int | None, bytes, float | None]:
        if not self.reachable:
            return None, b"unreachable", None
        incoming = read_request(SEEN_BY_DSO, DSO_NAMESPACE, data, self.clock.at)
        body = incoming.envelope.body
        self.got.append(body)
        match body:
            case GetCapacityForecastRequest():
                answer: Message = GetCapacityForecastResponse(Result.success())
            case UpdateAggregatedUsageRequest():
                answer = UpdateAggregatedUsageResponse(Result.success())
            case RequestAdjustedCapacityRequest(adjustments=asked) if self.grant:
                answer = RequestAdjustedCapacityResponse(asked, Result.success())
            case RequestAdjustedCapacityRequest():
                no = Result(ResultType.FAILED, (Detail("NO_CAPACITY", "None."),))
                answer = RequestAdjustedCapacityResponse((), no)
            case _:
                raise AssertionError(body)
        return 200, write_answer(incoming, answer, now=self.clock.at, message_id=str(uuid4())), None  # type: ignore[arg-type]

    def asked(self) -> list[Adjustment]:
        return [a for m in self.got if isinstance(m, RequestAdjustedCapacityRequest) for a in m.adjustments]


class Bench:
    """A CSO, its DSO and its stations, moved in steps of five minutes."""

    def __init__(self, arrivals: tuple[Arrival, ...], names: tuple[str, ...] = NAMES) -> None:
        self.clock = Hands(NOON)
        self.dso = Dso(self.clock)
        self.register = Register({name: Station(name, KEY, (1, 2, 3), 1600) for name in names})
        self.config = CsoConfig(
            party="cso",
            id="cso",
            dso=(DsoEntry("dso", "dso", "https://dso", cables=(CableEntry("c1"),), profile={"phases": "per-phase"}),),
        )
        self.url = databases.lasting(MIGRATIONS)
        self.cso = self.open()
        config = StationsConfig(
            station=tuple(StationConfig(identity=n, password="x" * 16, url="wss://cso") for n in names),
            arrival=arrivals,
        )
        self.stations = Stations(config, self.clock, lambda one: self.dial(one.identity))
        self.highest = 0.0

    def open(self) -> Cso:
        self.db = database.open(self.url, MIGRATIONS)
        self.csms = Csms(self.clock.now)
        return Cso(self.config, self.db, self.dso.post, lambda: str(uuid4()), self.clock, self.csms, self.register)

    def dial(self, identity: str) -> Dial:
        async def now() -> Transport:
            return await self.csms.dial(identity)()

        return now

    async def step(self, amps: float | None = None, *, remaining: float = 0) -> np.ndarray:
        """Five minutes later; gives the currents drawn meanwhile on the cable, shape (3,). [A]"""
        self.clock.at += STEP
        told = await self.stations.advance(self.clock.at)
        self.told: dict[str, dict[str, list[float]]] = told["stations"]  # type: ignore[assignment]
        drawn = sum(np.array(s["currents_a"]) for s in self.told.values())
        await self.stations.meter(self.clock.at)
        if self.clock.at.minute % 15 == 0:
            await self.cso.report(self.clock.at)
        if amps is not None:
            self.cso.handle_oscp("dso", self.dso.heartbeat())
            self.cso.handle_oscp("dso", self.dso.forecast(amps, remaining=remaining))
        await self.cso.plan(self.clock.at)
        await self.cso.post(self.clock.at)
        return drawn  # type: ignore[return-value]

    def in_force(self) -> np.ndarray:
        """Sum of what all stations may draw by their profiles, shape (3, 8). [0.01 A]"""
        with self.db.transact() as tx:
            store = Store(tx)
            sessions = store.sessions()
            total = np.zeros((3, 8), dtype=np.int64)
            for station in self.register:
                session = sessions.get(station.identity)
                phases = session.phases if session else None
                start = self.clock.at.replace(minute=self.clock.at.minute // 15 * 15)
                total += reserved(station, store.held(station.identity), phases, start, 8)
            return total


def arrival(station: str, minutes: int, hours: float = 6, wh: int = 30_000, phases: int = 3) -> Arrival:
    begin = NOON + timedelta(minutes=minutes)
    return Arrival(station=station, plug_in=begin, plug_out=begin + timedelta(hours=hours), energy_wh=wh, phases=phases)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(*arrivals: Arrival, names: tuple[str, ...] = NAMES) -> Bench:
        made.append(Bench(arrivals, names))
        return made[-1]

    yield make
    for one in made:
        await one.stations.stop()
        await one.cso.stop()
        one.db.close()


async def test_cars_charge_within_the_forecast_and_not_before_it(bench: Callable[..., Bench]) -> None:
    street = bench(*(arrival(name, 1) for name in NAMES))
    for _ in range(2):
        drawn = await street.step()
    assert drawn.max() == 0
    for number in range(12):
        drawn = await street.step(20)
        assert drawn.max() <= 20.001
        assert street.in_force().max() <= 2000
        if number > 1:
            assert drawn.min() > 19
    assert street.csms.counts.refused["SetChargingProfile"] == 0


async def test_an_urgent_lower_forecast_lowers_at_once(bench: Callable[..., Bench]) -> None:
    street = bench(*(arrival(name, 1) for name in NAMES))
    for _ in range(4):
        await street.step(40)
    assert (await street.step(12)).min() > 39
    drawn = await street.step(12)
    assert drawn.max() <= 12
    assert street.in_force().max() <= 1200


async def test_a_refused_forecast_only_lowers(bench: Callable[..., Bench]) -> None:
    street = bench(arrival("s1", 1))
    await street.step(20)
    await street.step(20)
    broken = street.dso.forecast(40).replace(b"40.00</", b"1e9</")
    reply = street.cso.handle_oscp("dso", broken)
    answer = soap.read_reply(reply.data).body  # type: ignore[union-attr]
    assert isinstance(answer, UpdateCableCapacityForecastResponse)
    assert answer.result.type is ResultType.FAILED
    await street.step()
    assert 0 < street.in_force().max() <= 2000


async def test_an_unknown_cable_is_refused_and_named(bench: Callable[..., Bench]) -> None:
    street = bench()
    reply = street.cso.handle_oscp("dso", street.dso.forecast(20, cable="c9"))
    body = soap.read_reply(reply.data).body  # type: ignore[union-attr]
    assert isinstance(body, UpdateCableCapacityForecastResponse)
    assert [d.code for d in body.result.details] == ["UNKNOWN_CABLE", "APPLIED"]
    assert body.result.details[0].message.startswith("c9")


async def test_a_stranger_gets_a_fault(bench: Callable[..., Bench]) -> None:
    street = bench()
    assert street.cso.handle_oscp("mallory", street.dso.forecast(20)).status == 400


async def test_a_heartbeat_is_answered_with_our_time(bench: Callable[..., Bench]) -> None:
    street = bench()
    body = soap.read_reply(street.cso.handle_oscp("dso", street.dso.heartbeat()).data).body  # type: ignore[union-attr]
    assert isinstance(body, HeartbeatResponse)
    assert body.current_time == NOON


async def test_usage_is_reported_per_closed_block_and_phase(bench: Callable[..., Bench]) -> None:
    street = bench(arrival("s1", 1, phases=1), arrival("s2", 1))
    for _ in range(9):
        await street.step(63)
    reports = [m for m in street.dso.got if isinstance(m, UpdateAggregatedUsageRequest)]
    last = reports[-1].usages[0].blocks[-1]
    assert last.start == NOON + 2 * QUARTER
    values = {(v.unit, v.phase): v.value for v in last.usage}
    assert values["A", 1] > Decimal(31)
    assert abs(values["A", 2] - 16) < Decimal("0.5")
    assert abs(values["Wh", 1] - values["A", 1] * 230 / 4) < 1


async def test_late_readings_correct_an_earlier_report(bench: Callable[..., Bench]) -> None:
    street = bench(arrival("s1", 1))
    for _ in range(5):
        await street.step(63)
    await street.stations.cut(["s1"])
    for _ in range(4):
        await street.step(63)
    street.stations.mend(["s1"])
    before = len([m for m in street.dso.got if isinstance(m, UpdateAggregatedUsageRequest)])
    for _ in range(3):
        await street.step(63)
    reports = [m for m in street.dso.got if isinstance(m, UpdateAggregatedUsageRequest)]
    starts = [b.start for r in reports[before:] for b in r.usages[0].blocks]
    assert NOON + QUARTER in starts
    assert len(reports) > before


async def test_an_unreachable_station_keeps_its_share_reserved(bench: Callable[..., Bench]) -> None:
    street = bench(*(arrival(name, 1) for name in NAMES))
    for _ in range(4):
        await street.step(30)
    await street.stations.cut(["s1"])
    for _ in range(12):
        drawn = await street.step(30)
        assert drawn.max() <= 30.001
        assert street.in_force().max() <= 3000
    assert drawn.min() > 21


async def test_more_is_asked_when_short_and_used_when_granted(bench: Callable[..., Bench]) -> None:
    street = bench(*(arrival(name, 1) for name in NAMES))
    street.dso.grant = True
    await street.step(16, remaining=20)
    await street.step()
    asked = street.dso.asked()
    assert asked
    assert all(0 < v.value <= 20 for b in asked[0].blocks for v in b.capacity)
    drawn = await street.step()
    assert 33 < drawn.max() <= 36.001


async def test_what_is_refused_is_not_used(bench: Callable[..., Bench]) -> None:
    street = bench(*(arrival(name, 1) for name in NAMES))
    for _ in range(5):
        drawn = await street.step(16, remaining=20)
        assert drawn.max() <= 16.001
    assert street.dso.asked()


async def test_what_is_not_needed_is_given_back_but_not_the_reserve(bench: Callable[..., Bench]) -> None:
    street = bench()
    for _ in range(3):
        await street.step(80)
    given = street.dso.asked()
    assert given
    assert min(v.value for b in given[0].blocks for v in b.capacity) >= -(80 - 16)
    assert all(v.value < 0 for b in given[0].blocks for v in b.capacity)
    with street.db.transact() as tx:
        book = Store(tx).book(KEY)
    fallbacks = street.in_force()[0, 0]
    assert fallbacks == 3 * 600
    assert book.limits(street.clock.at, NOON + QUARTER, 1).max() == 1600 + fallbacks


async def test_a_report_that_the_network_lost_is_made_again(bench: Callable[..., Bench]) -> None:
    street = bench(arrival("s1", 1))
    for _ in range(5):
        await street.step(63)
    street.dso.reachable = False
    for _ in range(30):
        await street.step()
    street.dso.reachable = True
    for _ in range(6):
        await street.step(63)
    reports = [m for m in street.dso.got if isinstance(m, UpdateAggregatedUsageRequest)]
    starts = {b.start for r in reports for b in r.usages[0].blocks}
    assert starts >= {NOON + k * QUARTER for k in range(12)}


async def test_silence_leads_to_get_capacity_forecast(bench: Callable[..., Bench]) -> None:
    street = bench()
    await street.step(20)
    for _ in range(4):
        await street.step()
    assert any(isinstance(m, GetCapacityForecastRequest) for m in street.dso.got)


async def test_the_state_survives_a_restart(bench: Callable[..., Bench]) -> None:
    street = bench(*(arrival(name, 1) for name in NAMES))
    for _ in range(5):
        await street.step(30)
    before = street.in_force()
    await street.stations.cut(NAMES)
    await street.cso.stop()
    street.db.close()
    street.cso = street.open()
    assert (street.in_force() == before).all()
    street.stations.mend(NAMES)
    for _ in range(4):
        drawn = await street.step(30)
        assert drawn.max() <= 30.001
    assert drawn.min() > 28


async def test_a_wish_puts_a_car_first(bench: Callable[..., Bench]) -> None:
    street = bench(*(arrival(name, 1) for name in NAMES))
    await street.step(12)
    street.cso.take_wish("s3", street.clock.at + timedelta(hours=1), 8000)
    await street.step(12)
    await street.step(12)
    assert max(street.told["s3"]["currents_a"]) > 11
    with pytest.raises(WishError, match=r"^departure: "):
        street.cso.take_wish("s3", street.clock.at - STEP, 8000)
    with pytest.raises(WishError, match=r"^station: "):
        street.cso.take_wish("nobody", None, 8000)


async def test_whoever_looks_at_the_log_sees_life(bench: Callable[..., Bench]) -> None:
    street = bench(arrival("s1", 1, hours=0.5))
    with capture_logs() as told:
        await street.step(20)
        street.cso.take_wish("s1", street.clock.at + timedelta(hours=1), 8000)
        for _ in range(7):
            await street.step(20)
    info = {line["event"]: line for line in told if line["log_level"] == "info"}
    assert info["forecast came"] == {
        "event": "forecast came",
        "log_level": "info",
        "cable": "c1",
        "result": "SUCCESS",
        "next_blocks_a": "20/20/20 20/20/20 20/20/20",
    }
    assert (info["session started"]["station"], info["session ended"]["station"]) == ("s1", "s1")
    assert info["session ended"]["kwh"] > 4
    assert info["wish taken"]["kwh"] == 8


async def test_messages_are_counted(bench: Callable[..., Bench]) -> None:
    street = bench(arrival("s1", 1))
    for _ in range(4):
        await street.step(30)
    await asyncio.sleep(0)
    messages = street.cso.statistics()["messages"]
    assert messages["UpdateAggregatedUsage"]["acknowledged"] >= 1  # type: ignore[index]
    assert messages["SetChargingProfile"]["acknowledged"] > 0  # type: ignore[index]
