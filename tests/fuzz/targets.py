"""What is fuzzed: functions that take any bytes and raise nothing, unless a law is broken.

The laws: nothing but our own errors, one answer to each request, one effect of each message, nothing that costs more
than its size (`costs.py`). Shared by the brief tests beside this file and by `make fuzz`.
"""

import asyncio
import contextlib
import gzip
import json
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from itertools import count
from typing import Any

from dso_office import World
from fuzz.http import fuzz_http
from fuzz.talk import fuzz_talk
from gridroom import xml
from gridroom.ocpp import convert, v16
from gridroom.ocpp.draft20 import endpoint
from gridroom.ocpp.draft20.enums import GenericStatus
from gridroom.ocpp.errors import OcppError, PayloadError
from gridroom.ocpp.io import Line
from gridroom.ocpp.wire import Counts, pair
from gridroom.oscp.errors import AnswerError, LocalError, RemoteError
from gridroom.oscp.v10 import compose, render, soap
from gridroom.oscp.v10.messages import Fault
from safety.letters import ID, NOW
from safety.roads import Cso, Modules, fresh_cso

TIMES = count(1)


def fuzz_xml(data: bytes) -> None:
    """The door for bytes: a tree within limits, or an XmlError."""
    for read in (xml.parse, xml.inflate):
        with contextlib.suppress(xml.XmlError):
            read(data)
    with contextlib.suppress(xml.XmlError):
        xml.parse(xml.inflate(gzip.compress(data, 1)))


def fuzz_soap(data: bytes) -> None:
    """The reader: an envelope that can be shown and read again, or a RemoteError that becomes a Fault."""
    for read, soap11 in ((soap.read, False), (soap.read_reply, False), (soap.read_any, True)):
        refusal: RemoteError | None = None
        try:
            envelope = read(data, soap11=soap11)
        except RemoteError as error:
            refusal = error
        if refusal is not None:
            assert read is not soap.read_reply or isinstance(refusal, AnswerError)
            assert refusal.reason, data
            assert isinstance(soap.read_reply(soap.write_fault(refusal)), Fault)
            continue
        shown = json.dumps(render.as_json(envelope)).encode()
        with contextlib.suppress(LocalError):
            soap.read_any(compose.encode(shown, message_id="1", now=NOW))


def fuzz_json(data: bytes) -> None:
    """`gridroom encode`: an envelope, or a LocalError."""
    with contextlib.suppress(LocalError):
        soap.read_any(compose.encode(data, message_id="1", now=NOW))


def fuzz_cso(data: bytes) -> None:
    """A CSO's edge: always a Result, or a Fault that blames the sender."""
    with _offices()[1](None) as cso:
        _check_reply(cso.modules.edge.receive(cso.page, cso.market, "dso", _renamed(data), NOW, lambda: "new"))
        cso.limits("C1", [NOW, NOW + timedelta(hours=3)])


def fuzz_dso(data: bytes) -> None:
    """A DSO's edge: likewise."""
    world, _ = _offices()
    for ours, theirs in ((b"cso<", b"north<"), (b"C1<", b"cable-1<")):
        data = data.replace(ours, theirs)
    _check_reply(world.dso.handle_oscp("north", _renamed(data)))


def fuzz_frames(data: bytes) -> None:
    """A line to a station: whatever comes, it stays alive and answers the next call."""
    _loop().run_until_complete(_frames(data))


def fuzz_payloads(data: bytes) -> None:
    """What OCPP messages say, and their conversion from one version to the other: PayloadError or a message."""
    for to in convert.Version:
        with contextlib.suppress(OcppError):
            convert.convert(data, to, "station")
    with contextlib.suppress(ValueError, RecursionError):
        message = json.loads(data)
        if isinstance(message, list) and len(message) > 3 and isinstance(message[3], dict):
            for action in sorted(v16.ACTIONS):
                with contextlib.suppress(PayloadError):
                    v16.read(action, message[3])


def fuzz_controllers(data: bytes) -> None:
    """Chapter 4's endpoints: an envelope comes back, whatever was posted."""
    for status, reply in (
        endpoint.answer_cp(data, "station", lambda request: GenericStatus.ACCEPTED),
        endpoint.answer_cs(data, "station", lambda request: None),
    ):
        assert status in (200, 400, 500), status
        xml.parse(reply)


def _check_reply(reply: Any) -> None:
    said = soap.read_reply(reply.data)
    assert isinstance(said, Fault) == (reply.status != 200), reply
    assert not isinstance(said, Fault) or said.sender, reply


def _renamed(data: bytes) -> bytes:
    """The message under a fresh id, so that it is no replay of the one before."""
    return data.replace(ID.encode(), f"{ID[:-8]}{next(TIMES) % 10**8:08d}".encode())


@cache
def _offices() -> tuple[World, Callable[[int | None], contextlib.AbstractContextManager[Cso]]]:
    world = World(now=NOW)
    world.history(2)
    asyncio.run(world.dso.publish(NOW))
    modules = Modules()
    return world, lambda maximum_ca: fresh_cso(modules, maximum_ca, NOW)


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


async def _frames(data: bytes) -> None:
    ours, theirs = pair()

    async def answer(request: object) -> dict[str, Any]:
        return {"status": "Accepted"}

    line = Line("station", ours, answer, Counts())
    running = asyncio.create_task(line.run())
    frames = [frame.decode(errors="replace") for frame in data.split(b"\n")[:50]]
    for frame in frames:
        await theirs.send(frame)
    await theirs.send('[2,"the end","ClearChargingProfile",{}]')
    while True:
        reply = json.loads(await theirs.recv())
        assert reply[0] in (3, 4), reply
        if reply[1] == "the end" and reply[0] == 3:
            break
    await line.close()
    await running


TARGETS: dict[str, Callable[[bytes], None]] = {
    "xml": fuzz_xml,
    "soap": fuzz_soap,
    "json": fuzz_json,
    "cso": fuzz_cso,
    "dso": fuzz_dso,
    "frames": fuzz_frames,
    "payloads": fuzz_payloads,
    "controllers": fuzz_controllers,
    "talk": fuzz_talk,
    "http": fuzz_http,
}
