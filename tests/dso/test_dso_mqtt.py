"""Readings over MQTT, through a real Mosquitto with TLS, client certificates and an access list."""

import asyncio
import re
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode
from structlog.testing import capture_logs

from dso_office import CABLE, MONDAY, QUARTER, World, cable
from gridroom.config import ConfigError
from gridroom.dso import config, mqtt
from gridroom.dso.app import Dso
from gridroom.dso.config import Mqtt, Tls
from gridroom.dso.folder import load
from gridroom.dso.mqtt import Listener
from gridroom.dso.reading_counts import counted
from gridroom.dso.readings.measurements import Delivery, Reason, Received, means
from gridroom.dso.setup import init
from gridroom.dso.store import Store
from gridroom.dso.tables import LOADS
from gridroom.security import pki, tls
from ports import free_ports

SETTINGS = """
listener {port} 127.0.0.1
cafile {pki}/ca.pem
certfile {pki}/broker.pem
keyfile {pki}/broker.key
require_certificate true
use_identity_as_username true
allow_anonymous false
acl_file {folder}/acl
persistence true
persistence_location {folder}/
autosave_interval 1
{user}
"""

ACCESS = """
user dso
topic read gridroom/meters/+/readings
pattern write gridroom/meters/%u/readings
"""


class Broker:
    """A Mosquitto of our own; it may be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
        assert program, "these tests need the MQTT broker Mosquitto: apt-get install mosquitto"
        self.folder, self.pki, self._program = folder, folder / "pki", program
        (self.port,) = free_ports(1)
        pki.init(self.pki)
        for party, kind in (("broker", "party"), ("dso", "party"), ("meter-1", "meter"), ("meter-2", "meter")):
            pki.issue(self.pki, party, kind=kind)  # type: ignore[arg-type]
        user = "user root" if Path("/proc/self").stat().st_uid == 0 else ""
        (folder / "acl").write_text(ACCESS)
        (folder / "mosquitto.conf").write_text(SETTINGS.format(port=self.port, pki=self.pki, folder=folder, user=user))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "mosquitto.log").open("ab") as log:
            command = [self._program, "-c", str(self.folder / "mosquitto.conf")]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        for _ in range(400):
            with socket.socket() as line:
                if line.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self._process.poll() is None, (self.folder / "mosquitto.log").read_text()
            time.sleep(0.05)
        pytest.fail((self.folder / "mosquitto.log").read_text())

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def settings(self, **changes: Any) -> Mqtt:
        return Mqtt(host="localhost", port=self.port, **changes)

    def client(self, name: str, **options: Any) -> aiomqtt.Client:
        return aiomqtt.Client("localhost", self.port, tls_context=self.context(name), **options)

    def context(self, name: str) -> Any:
        return tls.client_context(self.pki / f"{name}.pem", self.pki / f"{name}.key", self.pki / "ca.pem")

    async def say(self, meter: str, *payloads: bytes, topic: str = "", retain: bool = False) -> None:
        """A meter publishes, and waits until the broker has it."""
        async with self.client(meter) as client:
            for payload in payloads:
                await client.publish(topic or f"gridroom/meters/{meter}/readings", payload, qos=1, retain=retain)


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    monkeypatch.setattr(mqtt, "WAIT_S", 0.1)
    one = Broker(tmp_path)
    one.start()
    yield one
    one.stop()


@pytest.fixture
def world() -> Iterator[World]:
    world = World(meter=[{"party": "meter-1"}, {"party": "meter-2", "cables": ["elsewhere"]}])
    yield world
    world.close()


@asynccontextmanager
async def listening(broker: Broker, world: World, record: Any = None, **changes: Any) -> AsyncIterator[Listener]:
    settings = broker.settings(**changes)
    meters = frozenset({"meter-1", "meter-2"})
    listener = Listener(settings, "dso", broker.context("dso"), record or world.dso.record_delivery, meters, QUARTER)
    task = asyncio.create_task(listener.run())
    try:
        await until(lambda: listener.heard.connections)
        yield listener
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(what: Any, seconds: float = 20.0) -> None:
    for _ in range(int(seconds / 0.02)):
        if what():
            return
        await asyncio.sleep(0.02)
    pytest.fail("it did not happen")


def message(block: int, ampere: float, cable: str = CABLE) -> bytes:
    """The block that many quarters before now."""
    start = (MONDAY - block * QUARTER).isoformat()
    row = {"cable": cable, "time": start, "l1": ampere, "l2": ampere, "l3": ampere}
    return msgspec.json.encode({"readings": [row]})


def lost(told: Sequence[Mapping[str, Any]]) -> list[float]:
    """The waits after each time that the broker was not reached. [s]"""
    return [line["wait_s"] for line in told if line["event"].startswith("no line to the broker")]


def load_of(world: World, n: int) -> list[int]:
    with world.db.transact() as tx:
        cells = Store(tx, QUARTER).read(LOADS, (CABLE,), MONDAY - n * QUARTER, n)
    found: list[int] = means(cells["sums"], cells["masks"])[0].tolist()
    return found


# -- what comes in ---------------------------------------------------------------------------------------------------


async def test_a_meter_is_heard_and_nonsense_does_no_harm(broker: Broker, world: World) -> None:
    async with listening(broker, world) as listener:
        huge = message(3, 10).replace(b"10", b'"1E+1000000"')
        await broker.say("meter-1", message(3, 10), huge, b"{", b"\xff" * 9, b"", message(2, 11), message(2, 11))
        await broker.say("meter-1", message(1, 12))
        await until(lambda: listener.heard.taken == 8)
        assert listener.heard.broken == 3
    assert load_of(world, 3) == [1000, 1100, 1200]
    with world.db.transact() as tx:
        found = counted(Store(tx, QUARTER), MONDAY.date() - timedelta(days=1))
    assert found == {Reason.REPEATED: {CABLE: 1}, Reason.IMPOSSIBLE: {CABLE: 1}, Reason.UNREADABLE: {"": 3}}


async def test_a_retained_message_that_comes_with_each_connection_counts_once(broker: Broker, world: World) -> None:
    await broker.say("meter-1", message(1, 12), retain=True)
    for _ in range(2):
        async with listening(broker, world) as listener:
            heard = listener.heard
            await until(lambda heard=heard: heard.taken)
        assert load_of(world, 1) == [1200]
    with world.db.transact() as tx:
        found = counted(Store(tx, QUARTER), MONDAY.date() - timedelta(days=1))
    assert found == {Reason.REPEATED: {CABLE: 1}}


async def test_a_meter_speaks_for_itself_and_for_its_cables_only(broker: Broker, world: World) -> None:
    """The access list keeps it from the topic of another; the DSO keeps it from other cables, and strangers out."""
    topic = "gridroom/meters/meter-1/readings"
    async with listening(broker, world) as listener:
        await broker.say("meter-2", message(1, 99), topic=topic)
        await broker.say("meter-2", message(1, 99))
        pki.issue(broker.pki, "meter-9", kind="meter")
        await broker.say("meter-9", message(1, 99))
        await until(lambda: listener.heard.strange == 1)
        await broker.say("meter-1", message(2, 1))
        await until(lambda: listener.heard.taken == 2)
    assert load_of(world, 2)[0] == 100
    assert load_of(world, 1)[0] < 0  # not measured


async def test_without_a_certificate_of_the_authority_nobody_is_heard(broker: Broker, tmp_path: Path) -> None:
    pki.init(tmp_path / "other")
    pki.issue(tmp_path / "other", "meter-1", kind="meter")
    own = tmp_path / "other"
    for context in (
        tls.client_context(own / "meter-1.pem", own / "meter-1.key", broker.pki / "ca.pem"),
        tls.client_context(None, None, broker.pki / "ca.pem"),
    ):
        with pytest.raises(aiomqtt.MqttError):
            async with aiomqtt.Client("localhost", broker.port, tls_context=context, timeout=1):
                pytest.fail("the broker let in a stranger")


# -- lines that break ------------------------------------------------------------------------------------------------


async def test_what_is_said_while_the_dso_is_away_is_heard_when_it_is_back(broker: Broker, world: World) -> None:
    async with listening(broker, world):
        pass
    await broker.say("meter-1", *(message(block, block) for block in range(30, 0, -1)))
    async with listening(broker, world) as listener:
        await until(lambda: listener.heard.taken == 30)
    assert load_of(world, 30) == [100 * block for block in range(30, 0, -1)]


async def test_a_broker_that_comes_back_is_heard_again(broker: Broker, world: World) -> None:
    with capture_logs() as told:
        async with listening(broker, world) as listener:
            await broker.say("meter-1", message(2, 5))
            await until(lambda: listener.heard.taken == 1)
            broker.stop()
            await until(lambda: len(lost(told)) > 1)
            broker.start()
            await until(lambda: listener.heard.connections == 2)
            await broker.say("meter-1", message(1, 6))
            await until(lambda: listener.heard.taken == 2)
    assert load_of(world, 2) == [500, 600]
    assert lost(told)[:2] == [0.1, 0.2]


async def test_what_could_not_be_stored_comes_again(broker: Broker, world: World) -> None:
    """A message is acknowledged after its readings are stored: were it before, it would be lost here."""
    failures = iter([True, True, False])

    def record(delivery: Delivery, meter: str) -> Received:
        if next(failures, False):
            raise OSError("the disk is full")
        return world.dso.record_delivery(delivery, meter)

    async with listening(broker, world, record) as listener:
        await broker.say("meter-1", message(2, 5), message(1, 6))
        await until(lambda: load_of(world, 2) == [500, 600])
        assert listener.heard.connections == 3


async def test_a_message_that_we_fail_on_keeps_nobody_from_being_heard(broker: Broker, world: World) -> None:
    faults = iter([True])

    def record(delivery: Delivery, meter: str) -> Received:
        if next(faults, False):
            raise ZeroDivisionError
        return world.dso.record_delivery(delivery, meter)

    async with listening(broker, world, record) as listener:
        await broker.say("meter-2", message(3, 5))
        await broker.say("meter-1", message(2, 5), message(1, 6))
        await until(lambda: listener.heard.taken == 3)
        assert (listener.heard.connections, listener.heard.broken) == (1, 1)
    assert load_of(world, 2) == [500, 600]


async def test_a_subscription_that_is_refused_is_told(
    broker: Broker, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mosquitto never refuses one, other brokers do."""

    async def refuse(*_: object, **__: object) -> list[ReasonCode]:
        return [ReasonCode(PacketTypes.SUBACK, identifier=128)]

    monkeypatch.setattr(aiomqtt.Client, "subscribe", refuse)
    settings = broker.settings()
    listener = Listener(settings, "dso", broker.context("dso"), world.dso.record_delivery, frozenset(), QUARTER)
    with capture_logs() as told:
        task = asyncio.create_task(listener.run())
        await until(lambda: told)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert told[0]["error"] == "the broker refuses gridroom/meters/+/readings; see its access list"


# -- a whole DSO -----------------------------------------------------------------------------------------------------


async def test_a_dso_listens_to_the_broker_of_its_configuration(broker: Broker) -> None:
    folder = broker.folder / "dso"
    world = World(peer=[{"party": "cso", "ids": ["cso"], "url": "https://cso"}], cables=(cable(cso=100),))
    init(folder, broker.pki, port=0)
    file = folder / config.FILE
    file.write_text(file.read_text() + f'\n[mqtt]\nhost = "localhost"\nport = {broker.port}\n')
    dso = Dso(load(folder), world.db, world.post, world.ids, world.clock)
    await dso.start()
    try:
        await broker.say("meter-1", message(1, 7), retain=True)  # it is heard whoever comes first
        await until(lambda: load_of(world, 1) == [700])
    finally:
        await dso.stop()
        world.close()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('topic = "gridroom/readings"', "`mqtt.topic`: needs one level `+`"),
        ('topic = "+/+"', "`mqtt.topic`: needs one level `+`"),
        ('topic = "a/+/#"', "`mqtt.topic`: needs one level `+`"),
        ('certificate = "dso.pem"', "`mqtt`: certificate and key belong together"),
        ("prot = 8883", "unknown field `prot`"),
    ],
)
def test_a_mistake_in_the_configuration_is_named(tmp_path: Path, line: str, told: str) -> None:
    pki.init(tmp_path / "pki")
    file = init(tmp_path / "dso", tmp_path / "pki")
    file.write_text(file.read_text() + f'\n[mqtt]\nhost = "localhost"\n{line}\n')
    with pytest.raises(ConfigError, match=re.escape(told)):
        load(tmp_path / "dso")


def test_certificates_are_those_of_the_dso_unless_others_are_named(tmp_path: Path) -> None:
    own = Tls(certificate="own.pem", key="own.key", ca="ca.pem")
    assert Mqtt(host="h").within(tmp_path).tls(own) == own
    other = Mqtt(host="h", certificate="a.pem", key="a.key").within(tmp_path).tls(own)
    assert other == Tls(certificate=str(tmp_path / "a.pem"), key=str(tmp_path / "a.key"), ca="ca.pem")
