"""Peer profiles: what is sent at all, and how much at once. Our DSO against CSOs that need it otherwise."""

from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dso_office import World, cable
from gridroom.oscp.errors import RemoteError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import (
    CSP_NAMESPACE,
    Detail,
    Envelope,
    HeartbeatRequest,
    Level,
    Result,
    ResultType,
    UpdateCableCapacityForecastRequest,
    UpdateCableCapacityForecastResponse,
)
from gridroom.oscp.v10.peer import read_request, write_answer, write_fault
from gridroom.oscp.v10.profile import PeerProfile

CABLES = [cable(f"cable-{n}", north=100) for n in range(1, 6)]


class Strict(World):
    """A DSO, and one CSO that is particular."""

    def __init__(self, **profile: Any) -> None:
        north = {"party": "north", "ids": ["north"], "url": "https://north", "profile": profile}
        super().__init__(peer=[north], cables=CABLES)
        self.taken: list[tuple[str, ...]] = []
        self.beats = self.unknown = 0

    async def post(self, url: str, data: bytes, kind: str) -> tuple[int | None, bytes, float | None]:
        peer, now = self.csos["north"].peer, self.clock.now()
        incoming = read_request(peer, CSP_NAMESPACE, data, now)
        body = incoming.envelope.body
        if not isinstance(body, UpdateCableCapacityForecastRequest):
            reply = write_fault(self.on_heartbeat(body), peer, now=now, incoming=incoming)
            return reply.status, reply.data, None
        answer = UpdateCableCapacityForecastResponse(self.on_forecast(tuple(one.cable_id for one in body.forecasts)))
        return 200, write_answer(incoming, answer, now=now, message_id=self.ids()), None

    def on_heartbeat(self, body: object) -> RemoteError:
        """It was built before section 3.2.7 was written: it knows no such operation."""
        assert isinstance(body, HeartbeatRequest)
        self.unknown += 1
        return RemoteError("no such operation", subcode="ActionNotSupported")

    def on_forecast(self, cables: tuple[str, ...]) -> Result:
        """It takes two cables in a message at most."""
        if len(cables) > 2:
            return Result(ResultType.FAILED, (Detail("TOO_MANY", "At most two cables.", Level.ERROR),))
        self.taken.append(cables)
        return Result.success()


async def published(**profile: Any) -> Strict:
    world = Strict(**profile)
    try:
        await world.dso.publish(world.clock.time)
        await world.dso.post(world.clock.time)
    finally:
        world.close()
    return world


async def test_a_peer_that_takes_two_cables_at_once_gets_nothing_by_default() -> None:
    assert (await published()).taken == []


async def test_and_all_of_them_two_by_two() -> None:
    taken = (await published(max_cables_per_message=2)).taken
    assert [len(cables) for cables in taken] == [2, 2, 1]
    assert sorted(cable for cables in taken for cable in cables) == [one.id for one in CABLES]


@pytest.mark.parametrize(("wanted", "sent"), [(True, True), (False, False)])
async def test_a_peer_that_knows_no_heartbeat_is_left_alone_only_when_told(wanted: bool, sent: bool) -> None:
    world = Strict(heartbeat=wanted, max_cables_per_message=2)
    try:
        for _ in range(4):
            await world.dso.publish(world.clock.time)
            await world.dso.watch(world.clock.time)
            world.clock.time += timedelta(minutes=5)
    finally:
        world.close()
    assert (world.unknown > 0) is sent
    assert world.taken


def test_no_switch_is_without_its_peer() -> None:
    told = "".join(path.read_text() for path in Path(__file__).parent.glob("test_profile_*.py"))
    for switch in fields(PeerProfile):
        assert f"{switch.name}=" in told


def test_a_fault_of_such_a_peer_is_one_that_is_not_tried_again() -> None:
    fault = soap.read_reply(soap.write_fault(RemoteError("no such operation", subcode="ActionNotSupported")))
    assert not isinstance(fault, Envelope)
    assert fault.sender
