"""Stations with their lines: in memory, and over TLS from a folder on the wall clock."""

import asyncio
import csv
import hashlib
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gridroom.clock import WallClock
from gridroom.config import ConfigError
from gridroom.ocpp.io import Csms, dial_tls
from gridroom.ocpp.messages import BootNotification, Status
from gridroom.ocpp.metering import MeterReading
from gridroom.ocpp.profiles import Kind, Period, Profile, Purpose, Schedule, SetChargingProfile
from gridroom.security import pki, tls
from gridroom.sim.faults import Link
from gridroom.station.app import Stations, run
from gridroom.station.config import Arrival, StationConfig, StationsConfig
from gridroom.station.setup import init

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
MIN = timedelta(minutes=1)


class Hands:
    """A clock whose hands a test moves."""

    def __init__(self) -> None:
        self.moment = NOON

    def now(self) -> datetime:
        return self.moment

    async def run(self, duties: object) -> None:
        await asyncio.Event().wait()


class Cso:
    """A CSO that numbers transactions and writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []
        self.accepts = True
        self.started = asyncio.Event()

    async def connected(self, identity: str) -> None:
        self.heard.append(("connected", identity))

    async def disconnected(self, identity: str) -> None:
        self.heard.append(("disconnected", identity))

    async def boot(self, identity: str, boot: BootNotification) -> bool:
        self.heard.append(("boot", identity))
        return self.accepts

    async def status(self, identity: str, connector: int, status: Status, at: datetime) -> None:
        self.heard.append(("status", identity, str(status)))

    async def start_transaction(
        self, identity: str, connector: int, id_tag: str, meter_start_wh: int, at: datetime
    ) -> int:
        self.heard.append(("start", identity, meter_start_wh, at))
        self.started.set()
        starts = [event for event in self.of("start") if event[1] == identity]
        return 100 * int(identity[-1]) + len(starts)

    async def stop_transaction(
        self, identity: str, transaction_id: int, meter_stop_wh: int, at: datetime, reason: str
    ) -> None:
        self.heard.append(("stop", identity, transaction_id, meter_stop_wh, at, reason))

    async def meter_values(
        self, identity: str, connector: int, transaction_id: int | None, readings: tuple[MeterReading, ...]
    ) -> None:
        self.heard.append(("meter", identity, transaction_id, readings[0].timestamp, readings[0].currents_ca()))

    def of(self, *kinds: str) -> list[tuple[Any, ...]]:
        return [event for event in self.heard if event[0] in kinds]


def car(station: str, start_min: int, end_min: int, phases: int = 3) -> Arrival:
    return Arrival(
        station=station,
        plug_in=NOON + start_min * MIN,
        plug_out=NOON + end_min * MIN,
        energy_wh=20_000,
        phases=phases,
    )


def station(identity: str, rotation: str = "123") -> StationConfig:
    return StationConfig(identity=identity, password="0123456789abcdef", rotation=rotation)


def config(*arrivals: Arrival) -> StationsConfig:
    return StationsConfig(url="wss://cso/ocpp", station=(station("s1"), station("s2", "231")), arrival=arrivals)


def profile(
    purpose: Purpose, limit_ca: int, number: int | None = None, duration_s: int | None = None
) -> SetChargingProfile:
    schedule = Schedule((Period(0, limit_ca),), NOON - MIN, duration_s)
    return SetChargingProfile(1, Profile(int(purpose is Purpose.TX), 0, purpose, Kind.ABSOLUTE, schedule, number))


class Street:
    """Stations and their CSO in memory."""

    def __init__(self, *arrivals: Arrival, remember: Path | None = None) -> None:
        self.clock = Hands()
        self.cso = Cso()
        self.csms = Csms(self.clock.now)
        self.csms.handler = self.cso
        self.stations = Stations(config(*arrivals), self.clock, lambda one: self.csms.dial(one.identity), remember)

    async def step(self, minute: int) -> Any:
        self.clock.moment = NOON + minute * MIN
        told = await self.stations.advance(self.clock.moment)
        await self.stations.meter(self.clock.moment)
        return told["stations"]


@pytest.fixture
async def streets() -> AsyncIterator[list[Street]]:
    made: list[Street] = []
    yield made
    for street in made:
        await street.stations.stop()
        await street.csms.stop()


async def opened(streets: list[Street], *arrivals: Arrival, remember: Path | None = None) -> Street:
    street = Street(*arrivals, remember=remember)
    streets.append(street)
    await street.stations.start(keep=False)
    return street


async def test_a_car_comes_is_steered_and_leaves(streets: list[Street]) -> None:
    street = await opened(streets, car("s1", 1, 12), car("s2", 0, 60, phases=1))
    first = await street.step(5)
    assert first["s1"] == {"currents_a": pytest.approx([4.8] * 3), "plugged": True, "connected": True}
    assert first["s2"]["currents_a"] == pytest.approx([0, 6, 0])
    assert await street.csms.send("s1", profile(Purpose.TX, 1600, 101)) == "Accepted"
    assert await street.csms.send("s2", profile(Purpose.TX, 0, 201)) == "Accepted"
    second = await street.step(10)
    assert second["s1"]["currents_a"] == pytest.approx([16] * 3)
    assert second["s2"]["currents_a"] == [0, 0, 0]
    await street.step(15)
    assert [event[2] for event in street.cso.of("status") if event[1] == "s1"] == [
        "Available",
        "Preparing",
        "Charging",
        "Finishing",
        "Available",
    ]
    assert ("meter", "s1", 101, NOON + 5 * MIN, (600, 600, 600)) in street.cso.heard
    assert ("meter", "s1", 101, NOON + 10 * MIN, (1600, 1600, 1600)) in street.cso.heard
    assert street.cso.of("stop") == [("stop", "s1", 101, 276 + 1288, NOON + 12 * MIN, "EVDisconnected")]
    told: Any = await street.stations.duties()["statistics"].call(street.clock.moment)
    messages: Any = told["messages"]
    assert messages["MeterValues"] == {"sent": 6, "acknowledged": 6, "refused": 0, "received": 0}
    assert messages["SetChargingProfile"]["received"] == 2
    sessions: Any = told["sessions"]
    assert sessions[0]["delivered_wh"] == pytest.approx(276 + 1288)
    assert sessions[0]["plug_out"] == "2026-01-05T12:12:00+00:00"


async def test_on_a_dead_line_the_default_holds_and_everything_is_told_later(streets: list[Street]) -> None:
    street = await opened(streets, car("s1", 2, 40), car("s1", 42, 80))
    await street.step(5)
    await street.csms.send("s1", profile(Purpose.TX_DEFAULT, 800))
    await street.csms.send("s1", profile(Purpose.TX, 1600, 101, duration_s=60 + 15 * 60))
    await street.stations.cut(["s1"])
    for minute in (10, 15):
        assert (await street.step(minute))["s1"] == {
            "currents_a": pytest.approx([16] * 3),
            "plugged": True,
            "connected": False,
        }
    for minute in range(20, 50, 5):
        await street.step(minute)
    assert not street.csms.connected("s1")
    heard_before = len(street.cso.heard)
    street.stations.mend(["s1"])
    assert (await street.step(50))["s1"]["connected"]
    assert (await street.step(55))["s1"]["currents_a"] == pytest.approx([8] * 3)
    later = street.cso.heard[heard_before:]
    assert [event[0] for event in later[:3]] == ["connected", "boot", "status"]
    assert later[2] == ("status", "s1", "Charging")
    meters = [event for event in later if event[0] == "meter" and event[2] == 101]
    assert [event[3] for event in meters] == [NOON + minute * MIN for minute in range(10, 45, 5)]
    assert [event[4][0] for event in meters] == [1600, 1600, 800, 800, 800, 800, 800]
    order = [event[0] for event in later if event[0] in ("start", "stop")]
    assert order == ["stop", "start"]
    assert later[[e[0] for e in later].index("start")][:2] == ("start", "s1")


async def test_a_station_that_the_cso_rejects_says_nothing_more(streets: list[Street]) -> None:
    street = Street(car("s1", 1, 30))
    streets.append(street)
    street.cso.accepts = False
    await street.stations.start(keep=False)
    await street.step(5)
    assert street.cso.of("start", "meter", "status") == []
    street.cso.accepts = True
    await street.step(10)
    assert street.cso.of("start") == [("start", "s1", 0, NOON + MIN)]


async def test_a_dead_cso_stops_nothing(streets: list[Street]) -> None:
    street = await opened(streets, car("s1", 1, 30))
    await street.csms.drop("s1")
    assert (await street.step(5))["s1"]["currents_a"] == pytest.approx([4.8] * 3)
    assert street.cso.of("start") == [("start", "s1", 0, NOON + MIN)]


async def test_profiles_and_unsaid_messages_survive_a_restart(streets: list[Street], tmp_path: Path) -> None:
    remember = tmp_path / "stations.json"
    street = await opened(streets, car("s1", 1, 90), remember=remember)
    await street.csms.send("s1", profile(Purpose.TX_DEFAULT, 900))
    await street.step(5)
    await street.stations.cut(["s1"])
    await street.step(10)
    await street.stations.stop()
    again = Street(remember=remember)
    streets.append(again)
    await again.stations.start(keep=False)
    await again.step(15)
    assert again.cso.of("meter") == [("meter", "s1", 101, NOON + 10 * MIN, (900, 900, 900))]
    stop = again.cso.of("stop")
    assert [(event[2], event[4], event[5]) for event in stop] == [(101, NOON + 10 * MIN, "PowerLoss")]
    again.stations.plug_in(car("s1", 20, 90))
    assert (await again.step(25))["s1"]["currents_a"] == pytest.approx([9 / 2] * 3)


async def test_a_default_profile_is_written_down_before_it_is_accepted(streets: list[Street], tmp_path: Path) -> None:
    """A station that dies right after its answer must not come up with the higher limit of before."""
    remember = tmp_path / "stations.json"
    street = await opened(streets, remember=remember)
    await street.csms.send("s1", profile(Purpose.TX_DEFAULT, 900))
    await street.step(5)
    await street.csms.send("s1", profile(Purpose.TX_DEFAULT, 0))
    copy = tmp_path / "as-it-was.json"
    shutil.copyfile(remember, copy)
    again = Stations(config(), street.clock, lambda one: street.csms.dial(one.identity), copy)
    assert [entry.profile.schedule.periods[0].limit_ca for entry in again.stations()[0].controller.stack] == [0]


async def test_a_broken_memory_is_named(tmp_path: Path) -> None:
    remember = tmp_path / "stations.json"
    remember.write_text('{"s1": {}}')
    with pytest.raises(ConfigError, match=r"stations\.json: cannot be read .* remove it"):
        Street(remember=remember)


async def test_a_line_that_is_reset_comes_back_by_itself_or_at_the_next_step(tmp_path: Path) -> None:
    pki.init(tmp_path)
    cert, key = pki.issue(tmp_path, "cso")
    ca = tmp_path / "ca.pem"
    street = Street(car("s1", 1, 60))
    await street.csms.serve(
        "127.0.0.1", 0, tls.server_context(cert, key, ca, require_client=False), lambda identity, password: True
    )
    line = Link(street.csms.port)
    url = f"wss://localhost:{await line.start()}/ocpp"
    context = tls.client_context(None, None, ca)
    stations = Stations(
        config(car("s1", 1, 60)), street.clock, lambda one: dial_tls(url, one.identity, one.password, context)
    )
    street.stations = stations
    await stations.start(keep=False)
    assert (await street.step(5))["s1"]["connected"]
    line.cut()
    await asyncio.sleep(0.05)
    assert not (await street.step(10))["s1"]["connected"]
    line.heal()
    assert (await street.step(15))["s1"]["connected"]
    assert [event[3] for event in street.cso.of("meter")] == [NOON + minute * MIN for minute in (5, 10, 15)]
    await stations.start(keep=True)
    line.cut()
    await asyncio.sleep(0.1)
    line.heal()
    async with asyncio.timeout(10):
        while not street.csms.connected("s1"):
            await asyncio.sleep(0.05)
    await stations.stop()
    await line.stop()
    await street.csms.stop()


async def test_stations_run_from_a_folder_over_tls(tmp_path: Path) -> None:
    authority = tmp_path / "pki"
    pki.init(authority)
    cert, key = pki.issue(authority, "cso")
    cso = Cso()
    csms = Csms(WallClock().now)
    csms.handler = cso
    hashes: dict[str, str] = {}

    def fits(identity: str, password: str) -> bool:
        return hashes.get(identity) == hashlib.sha256(password.encode()).hexdigest()

    await csms.serve("127.0.0.1", 0, tls.server_context(cert, key, authority / "ca.pem", require_client=False), fits)
    folder = tmp_path / "stations"
    register = init(folder, authority, url=f"wss://localhost:{csms.port}/ocpp", count=2)
    rows = list(csv.DictReader(register.read_text().splitlines()))
    assert [(row["identity"], row["rotation"], row["max_a"]) for row in rows] == [
        ("station-1", "123", "16"),
        ("station-2", "231", "16"),
    ]
    hashes.update((row["identity"], row["password_sha256"]) for row in rows)
    toml = folder / "stations.toml"
    assert toml.stat().st_mode & 0o077 == 0
    text = toml.read_text().replace("after_s = 10", "after_s = 0").replace("meter_every_s = 60", "meter_every_s = 1")
    toml.write_text("advance_every_s = 1\n" + text)
    running = asyncio.create_task(run(folder, WallClock()))
    await asyncio.wait_for(cso.started.wait(), 10)
    while not cso.of("meter"):
        await asyncio.sleep(0.05)
    assert await csms.send("station-1", profile(Purpose.TX, 1000)) == "Accepted"
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await csms.stop()
    assert (folder / "stations.json").exists()
    assert cso.of("boot")


@pytest.mark.parametrize(
    ("wrong", "right", "message"),
    [
        ("max_current_a = 16\n#", "max_curent_a = 16\n#", "max_curent_a"),
        ("identity =", "identit =", "identit"),
        ('rotation = "123"', 'rotation = "124"', "rotation '124'"),
        ("safe_current_a = 6", "safe_current_a = 3", "safe_current_a 3 is neither 0 nor"),
        ("max_current_a = 16\n#", 'max_current_a = "16"\n#', "max_current_a"),
        ('url = "wss', 'url = "ws', "does not start with wss://"),
        ('station = "station-1"', 'station = "station-9"', "station 'station-9' of a car is not in this file"),
        ("stay_s = 14400", "stay_s = 0", "stay_s"),
        ("meter_every_s = 60", "meter_every_s = = 60", "not valid TOML"),
        ('ca = "ca.pem"', 'ca = "other.pem"', "other.pem cannot be read"),
    ],
)
async def test_a_typo_is_named_with_its_place(tmp_path: Path, wrong: str, right: str, message: str) -> None:
    pki.init(tmp_path / "pki")
    init(tmp_path / "s", tmp_path / "pki", count=1)
    path = tmp_path / "s" / "stations.toml"
    text = path.read_text().replace("max_current_a = 16\n# What", "max_current_a = 16\n#\n# What")
    assert wrong in text
    path.write_text(text.replace(wrong, right, 1))
    with pytest.raises(ConfigError) as error:
        await run(tmp_path / "s", WallClock())
    assert message in str(error.value)
    assert "\n" not in str(error.value)


async def test_two_cars_at_one_station_at_a_time_are_refused() -> None:
    with pytest.raises(ValueError, match="station s1 has two cars at 2026-01-05T12:05"):
        config(car("s1", 0, 10), car("s1", 5, 20))
    with pytest.raises(ValueError, match="s1 stands there twice"):
        StationsConfig(url="wss://c", station=(station("s1"), station("s1")))


def test_a_folder_is_never_overwritten(tmp_path: Path) -> None:
    pki.init(tmp_path / "pki")
    init(tmp_path / "s", tmp_path / "pki")
    with pytest.raises(ConfigError, match="is there already"):
        init(tmp_path / "s", tmp_path / "pki")
    shutil.rmtree(tmp_path / "pki")
    with pytest.raises(ConfigError, match="make an authority"):
        init(tmp_path / "t", tmp_path / "pki")
