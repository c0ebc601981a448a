"""OCPP-J over real TLS on loopback, and over a pair in memory."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import InvalidStatus

from gridroom.ocpp.errors import BrokenAnswerError, CallRefusedError, NoAnswerError, NotConnectedError, PayloadError
from gridroom.ocpp.io import OCPP16, Csms, Line, dial_tls
from gridroom.ocpp.link import StationLink
from gridroom.ocpp.messages import (
    Authorize,
    BootNotification,
    ClearChargingProfile,
    Heartbeat,
    MeterValues,
    SetChargingProfile,
    StartTransaction,
    Status,
    StatusNotification,
    StopTransaction,
)
from gridroom.ocpp.metering import MeterReading, reading
from gridroom.ocpp.profiles import Kind, Period, Profile, Purpose, Schedule
from gridroom.ocpp.wire import ClosedError, Counts, Transport, pair

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
PLAN = SetChargingProfile(1, Profile(1, 0, Purpose.TX, Kind.ABSOLUTE, Schedule((Period(0, 1600),), NOW)))


class Heard:
    """A CSO that writes down what it hears."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.fail: Exception | None = None

    async def connected(self, identity: str) -> None:
        self.events.append(("connected", identity))

    async def disconnected(self, identity: str) -> None:
        self.events.append(("disconnected", identity))

    async def boot(self, identity: str, boot: BootNotification) -> bool:
        self.events.append(("boot", identity, boot.model))
        return boot.model != "unknown"

    async def status(self, identity: str, connector: int, status: Status, at: datetime) -> None:
        self.events.append(("status", connector, status, at))

    async def start_transaction(
        self, identity: str, connector: int, id_tag: str, meter_start_wh: int, at: datetime
    ) -> int:
        self.events.append(("start", connector, id_tag, meter_start_wh, at))
        return 41

    async def stop_transaction(
        self, identity: str, transaction_id: int, meter_stop_wh: int, at: datetime, reason: str
    ) -> None:
        if self.fail:
            raise self.fail
        self.events.append(("stop", transaction_id, meter_stop_wh, at, reason))

    async def meter_values(
        self, identity: str, connector: int, transaction_id: int | None, readings: tuple[MeterReading, ...]
    ) -> None:
        self.events.append(("meter", connector, transaction_id, readings))


async def accept(request: SetChargingProfile | ClearChargingProfile) -> str:
    return "Accepted"


@pytest.fixture
async def heard() -> Heard:
    return Heard()


@pytest.fixture
async def csms(heard: Heard) -> AsyncIterator[Csms]:
    made = Csms(lambda: NOW)
    made.handler = heard
    yield made
    await made.stop()


@pytest.fixture
async def door(csms: Csms, server_tls: ssl.SSLContext) -> str:
    await csms.serve("127.0.0.1", 0, server_tls, lambda identity, password: password == f"secret-{identity}")
    return f"wss://localhost:{csms.port}/ocpp"


Linker = Callable[..., Awaitable[StationLink]]


@pytest.fixture
async def link(csms: Csms) -> AsyncIterator[Linker]:
    links: list[StationLink] = []

    async def make(dial: Any = None, answer: Any = accept, identity: str = "s1") -> StationLink:
        links.append(StationLink(identity, dial or csms.dial(identity), answer, Counts()))
        await links[-1].connect()
        return links[-1]

    yield make
    for one in links:
        await one.close()


async def test_a_station_speaks_over_tls_and_obeys(
    csms: Csms, heard: Heard, door: str, link: Linker, client_tls: ssl.SSLContext
) -> None:
    got: list[Any] = []

    async def obey(request: SetChargingProfile | ClearChargingProfile) -> str:
        got.append(request)
        return "Accepted" if request == PLAN else "Unknown"

    station = await link(dial_tls(door, "s1", "secret-s1", client_tls), obey)
    assert await station.call(BootNotification("Gridroom", "Simulated")) == {
        "status": "Accepted",
        "currentTime": "2026-01-05T12:00:00.000Z",
        "interval": 300,
    }
    assert await station.call(Heartbeat()) == {"currentTime": "2026-01-05T12:00:00.000Z"}
    assert await station.call(Authorize("car")) == {"idTagInfo": {"status": "Accepted"}}
    await station.call(StatusNotification(1, Status.CHARGING))
    assert (await station.call(StartTransaction(1, "car", 5, NOW)))["transactionId"] == 41
    values = reading(NOW, (1600, 0, 0), 9)
    await station.call(MeterValues(1, 41, (values,)))
    await station.call(StopTransaction(41, 9, NOW, "EVDisconnected"))
    assert heard.events == [
        ("connected", "s1"),
        ("boot", "s1", "Simulated"),
        ("status", 1, Status.CHARGING, NOW),
        ("start", 1, "car", 5, NOW),
        ("meter", 1, 41, (values,)),
        ("stop", 41, 9, NOW, "EVDisconnected"),
    ]
    assert csms.connected("s1")
    assert await csms.send("s1", PLAN) == "Accepted"
    assert await csms.send("s1", ClearChargingProfile(1)) == "Unknown"
    assert got == [PLAN, ClearChargingProfile(1)]
    assert csms.counts.as_dict()["SetChargingProfile"] == {
        "sent": 1,
        "acknowledged": 1,
        "refused": 0,
        "received": 0,
    }
    assert csms.counts.as_dict()["ClearChargingProfile"]["refused"] == 1
    await station.close()
    await asyncio.sleep(0.05)
    assert heard.events[-1] == ("disconnected", "s1")
    with pytest.raises(NotConnectedError, match="s1: there is no line"):
        await csms.send("s1", PLAN)


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Basic " + base64.b64encode(b"s1:wrong").decode(),
        "Basic " + base64.b64encode(b"s2:secret-s2").decode(),
        "Basic !!!",
        "Basic " + base64.b64encode(b"\xff\xff").decode(),
        "Bearer " + base64.b64encode(b"s1:secret-s1").decode(),
    ],
)
async def test_without_the_stations_own_password_the_door_stays_shut(
    heard: Heard, door: str, client_tls: ssl.SSLContext, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    with pytest.raises(InvalidStatus) as refused:
        await connect(
            f"{door}/s1",
            ssl=client_tls,
            subprotocols=[OCPP16],
            additional_headers=headers,
            proxy=None,
        )
    assert refused.value.response.status_code == 401
    assert "Basic" in refused.value.response.headers["WWW-Authenticate"]
    assert heard.events == []


async def test_a_wrong_password_tells_the_station_what_to_check(
    door: str, link: Linker, client_tls: ssl.SSLContext
) -> None:
    with pytest.raises(NotConnectedError, match="answers 401: check its identity and password"):
        await link(dial_tls(door, "s1", "nonsense", client_tls))


async def test_another_protocol_is_refused(door: str, heard: Heard, client_tls: ssl.SSLContext) -> None:
    headers = {"Authorization": "Basic " + base64.b64encode(b"s1:secret-s1").decode()}
    for protocols in (["ocpp2.0.1"], None):
        with pytest.raises(InvalidStatus):
            await connect(f"{door}/s1", ssl=client_tls, subprotocols=protocols, additional_headers=headers, proxy=None)  # type: ignore[arg-type]
    assert heard.events == []


async def test_a_station_never_speaks_without_tls(client_tls: ssl.SSLContext) -> None:
    with pytest.raises(ValueError, match="starts with wss://"):
        dial_tls("ws://localhost:1/ocpp", "s1", "p", client_tls)


async def test_a_station_that_does_not_trust_the_certificate_says_so(door: str, link: Linker) -> None:
    with pytest.raises(NotConnectedError, match="certificate verify failed"):
        await link(dial_tls(door, "s1", "secret-s1", ssl.create_default_context()))


async def test_the_second_connection_displaces_the_first_only_with_the_password(
    csms: Csms, heard: Heard, door: str, link: Linker, client_tls: ssl.SSLContext
) -> None:
    first = await link(dial_tls(door, "s1", "secret-s1", client_tls))
    with pytest.raises(NotConnectedError):
        await link(dial_tls(door, "s1", "guess", client_tls))
    assert first.connected
    await first.call(Heartbeat())
    second = await link(dial_tls(door, "s1", "secret-s1", client_tls))
    await second.call(Heartbeat())
    assert not first.connected
    assert csms.connected("s1")
    assert heard.events == [("connected", "s1"), ("connected", "s1")]


async def test_a_call_fails_at_once_when_the_line_is_lost(csms: Csms, link: Linker) -> None:
    stuck = asyncio.Event()

    async def never(request: object) -> str:
        stuck.set()
        await asyncio.Event().wait()
        return "Accepted"

    station = await link(answer=never)
    await station.call(Heartbeat())
    waiting = asyncio.create_task(csms.send("s1", PLAN, timeout_s=60))
    behind = asyncio.create_task(csms.send("s1", PLAN, timeout_s=60))
    await stuck.wait()
    await station.cut()
    with pytest.raises(NotConnectedError, match="lost"):
        await asyncio.wait_for(waiting, 1)
    with pytest.raises(NotConnectedError):
        await asyncio.wait_for(behind, 1)
    with pytest.raises(NotConnectedError, match="no line"):
        await station.call(Heartbeat())
    with pytest.raises(NotConnectedError, match="is cut"):
        await station.connect()
    station.mend()
    await station.connect()
    await station.call(Heartbeat())


async def test_a_slow_station_is_given_up(csms: Csms, link: Linker) -> None:
    async def slow(request: object) -> str:
        await asyncio.sleep(0.2)
        return "Accepted"

    station = await link(answer=slow)
    await station.call(Heartbeat())
    with pytest.raises(NoAnswerError, match=r"no answer to SetChargingProfile within 0\.05 s"):
        await csms.send("s1", PLAN, timeout_s=0.05)
    await asyncio.sleep(0.2)
    assert await csms.send("s1", PLAN) == "Accepted"


@pytest.mark.parametrize(
    ("error", "code"),
    [(KeyError("secret"), "InternalError"), (PayloadError("transactionId", "unknown"), "PropertyConstraintViolation")],
)
async def test_a_failure_of_ours_is_told_and_the_talk_goes_on(
    heard: Heard, link: Linker, error: Exception, code: str
) -> None:
    station = await link()
    heard.fail = error
    with pytest.raises(CallRefusedError) as refused:
        await station.call(StopTransaction(1, 1, NOW))
    assert refused.value.code == code
    assert "secret" not in refused.value.description
    await station.call(Heartbeat())


async def test_a_boot_that_the_cso_does_not_want_is_rejected(link: Linker) -> None:
    station = await link()
    assert (await station.call(BootNotification("V", "unknown")))["status"] == "Rejected"


async def raw(csms: Csms) -> Transport:
    """A line to the CSMS on which a test says what it likes."""
    return await csms.dial("s1")()


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('[2,"1","DataTransfer",{"vendorId":"x"}]', "NotImplemented"),
        ('[2,"1","../../v16/schemas/Heartbeat",{}]', "NotImplemented"),
        ('[2,"1",["Heartbeat"],{}]', "NotImplemented"),
        ('[2,"1","SetChargingProfile",{}]', "ProtocolError"),
        ('[2,"1","Heartbeat",{"more":1}]', "FormatViolation"),
        ('[2,"1","Heartbeat",[]]', "TypeConstraintViolation"),
        (
            '[2,"1","StartTransaction",{"connectorId":1,"idTag":"x","meterStart":1,"timestamp":"soon"}]',
            "PropertyConstraintViolation",
        ),
    ],
)
async def test_a_call_that_we_cannot_take_gets_an_error(csms: Csms, message: str, code: str) -> None:
    line = await raw(csms)
    await line.send(message)
    assert f'[4,"1","{code}"' in str(await asyncio.wait_for(line.recv(), 1))


@pytest.mark.parametrize(
    "noise",
    [
        "",
        "{}",
        "[]",
        "[2]",
        "[9,1]",
        '[3,"1"]',
        "nonsense",
        "[" * 100_000,
        '[2,7,"Heartbeat",{}]',
        '[3,"?",{}]',
        "[[2]]",
    ],
)
async def test_noise_is_ignored_and_the_talk_goes_on(csms: Csms, noise: str) -> None:
    line = await raw(csms)
    await line.send(noise)
    await line.send('[2,"1","Heartbeat",{}]')
    assert "currentTime" in str(await asyncio.wait_for(line.recv(), 1))


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ('[3,"{id}",{{"status":"Perhaps"}}]', BrokenAnswerError),
        ('[3,"{id}",{{}}]', BrokenAnswerError),
        ('[3,"{id}",7]', BrokenAnswerError),
        ('[4,"{id}","NotImplemented","",{{}}]', CallRefusedError),
        ('[4,"{id}","NeverHeardOf","what",{{}}]', CallRefusedError),
    ],
)
async def test_broken_replies_are_survived(csms: Csms, reply: str, error: type[Exception]) -> None:
    line = await raw(csms)
    asked = asyncio.create_task(_send_when_connected(csms))
    unique = str(await asyncio.wait_for(line.recv(), 1)).split('"')[1]
    await line.send(reply.format(id=unique))
    with pytest.raises(error):
        await asked


async def _send_when_connected(csms: Csms) -> str:
    while not csms.connected("s1"):
        await asyncio.sleep(0)
    return await csms.send("s1", PLAN)


async def test_a_kept_line_comes_back(csms: Csms, heard: Heard, link: Linker) -> None:
    station = await link()
    came: list[int] = []

    async def back() -> None:
        came.append(1)

    keeping = asyncio.create_task(station.keep(back, 0.01))
    await asyncio.sleep(0.05)
    await csms.drop("s1")
    await asyncio.sleep(0.1)
    assert station.connected
    assert len(came) == 2
    keeping.cancel()


async def test_a_kept_line_is_tried_again_while_the_cso_is_away_and_given_up_for_no_failure(
    csms: Csms, heard: Heard, door: str, client_tls: ssl.SSLContext
) -> None:
    station = StationLink("s1", dial_tls(door, "s1", "wrong", client_tls), accept, Counts())
    tries: list[int] = []

    async def back() -> None:
        tries.append(1)

    keeping = asyncio.create_task(station.keep(back, 0.01))
    await asyncio.sleep(0.1)
    assert (tries, station.connected) == ([], False)
    station._dial = dial_tls(door, "s1", "secret-s1", client_tls)
    async with asyncio.timeout(10):
        while not tries:  # the wait between two tries grows, to one second at most here
            await asyncio.sleep(0.01)
    assert station.connected
    keeping.cancel()
    await station.close()


async def test_a_line_that_is_hung_up_in_the_first_moment_is_dialled_again(csms: Csms, heard: Heard) -> None:
    station = StationLink("s1", csms.dial("s1"), accept, Counts())
    came: list[int] = []

    async def back() -> None:
        came.append(1)
        await station.close()

    keeping = asyncio.create_task(station.keep(back, 0.001))
    async with asyncio.timeout(10):
        while len(came) < 2:
            await asyncio.sleep(0.001)
    keeping.cancel()
    await station.close()


async def test_a_station_obeys_only_what_is_meant_for_stations(csms: Csms, link: Linker) -> None:
    await (await link()).call(Heartbeat())
    line = csms._lines["s1"]
    with pytest.raises(CallRefusedError) as refused:
        await line.call("Heartbeat", {})
    assert (refused.value.code, refused.value.description) == ("NotImplemented", "a station does not take this")


async def test_a_cso_takes_no_profile_from_a_station(csms: Csms, link: Linker) -> None:
    station = await link()
    with pytest.raises(CallRefusedError) as refused:
        await station.call(PLAN)
    assert refused.value.code == "NotImplemented"


async def test_the_door_opens_only_for_somebody_who_listens() -> None:
    with pytest.raises(RuntimeError, match=r"set Csms\.handler"):
        await Csms(lambda: NOW).accept("s1", pair()[0])


async def test_dropping_a_station_that_is_not_there_changes_nothing(csms: Csms, heard: Heard) -> None:
    await csms.drop("s9")
    assert heard.events == []


async def test_a_server_that_speaks_no_ocpp_is_told_apart(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async def silent(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with serve(silent, "127.0.0.1", 0, ssl=server_tls) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        with pytest.raises(NotConnectedError, match=r"does not speak OCPP 1\.6"):
            await dial_tls(f"wss://localhost:{port}/ocpp", "s1", "p", client_tls)()


async def test_an_answer_that_comes_after_the_line_was_lost_goes_nowhere(csms: Csms, heard: Heard) -> None:
    station = await raw(csms)
    started = asyncio.Event()

    async def slow(identity: str, boot: BootNotification) -> bool:
        started.set()
        await asyncio.sleep(0.05)
        return True

    heard.boot = slow  # type: ignore[method-assign]
    await station.send('[2,"1","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]')
    await started.wait()
    await csms._lines["s1"]._transport.close()
    await asyncio.sleep(0.1)
    assert heard.events == [("connected", "s1"), ("disconnected", "s1")]
    with pytest.raises(ClosedError):
        await station.recv()


class Broken:
    """A connection that gives what it was told to give, and takes nothing any more, or once."""

    def __init__(self, *texts: str, takes: int = 0) -> None:
        self.texts, self.takes, self.sent = list(texts), takes, asyncio.Event()
        self.id = ""

    async def send(self, message: str) -> None:
        self.sent.set()
        if not self.takes:
            raise ClosedError
        self.id = message.split('"')[1]

    async def recv(self) -> str:
        if not self.texts:
            raise ClosedError
        if self.takes:
            await self.sent.wait()
        text = self.texts.pop(0)
        if not text:
            await asyncio.Event().wait()
        return text.replace("ID", self.id)

    async def close(self) -> None:
        self.texts = []


async def test_an_answer_that_cannot_be_sent_ends_the_work_and_nothing_else() -> None:
    counts, transport = Counts(), Broken('[2,"1","Heartbeat",{}]', "")

    async def answer(request: object) -> dict[str, Any]:
        return {"currentTime": "2026-01-05T12:00:00Z"}

    running = asyncio.create_task(Line("left", transport, answer, counts).run())
    await asyncio.wait_for(transport.sent.wait(), 1)
    assert counts.received["Heartbeat"] == 1
    assert not running.done()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_an_answer_in_the_last_moment_of_a_line_still_counts() -> None:
    transport = Broken('[3,"ID",{"currentTime":"2026-01-05T12:00:00Z"}]', takes=1)

    async def answer(request: object) -> dict[str, Any]:
        return {}

    line = Line("left", transport, answer, Counts())
    running = asyncio.create_task(line.run())
    assert await asyncio.wait_for(line.call("Heartbeat", {}), 1) == {"currentTime": "2026-01-05T12:00:00Z"}
    await running


async def test_a_closed_end_of_a_pair_neither_sends_nor_receives() -> None:
    one, other = pair()
    await one.close()
    for action in (one.send("x"), one.recv(), other.recv()):
        with pytest.raises(ClosedError):
            await action


async def test_a_call_on_a_closed_pair_is_a_lost_line() -> None:
    near, _ = pair()

    async def answer(request: object) -> dict[str, Any]:
        return {}

    line = Line("left", near, answer, Counts())
    await near.close()
    with pytest.raises(NotConnectedError, match="the line was lost"):
        await line.call("Heartbeat", {})


async def test_a_pair_passes_texts_both_ways_until_one_end_closes() -> None:
    one, other = pair()
    counts = Counts()

    async def answer(request: object) -> dict[str, Any]:
        return {"currentTime": "2026-01-05T12:00:00Z"}

    left, right = Line("left", one, answer, counts), Line("right", other, answer, counts)
    tasks = [asyncio.create_task(left.run()), asyncio.create_task(right.run())]
    assert await left.call("Heartbeat", {}) == await right.call("Heartbeat", {})
    await left.close()
    await asyncio.gather(*tasks)
    assert right.gone.is_set()
