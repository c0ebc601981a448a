"""A DSO whose PostgreSQL goes away and comes back."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pytest

from dso_office import CABLE, MONDAY, QUARTER, World, ask, request
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import Envelope, Fault
from gridroom.storage.database import DatabaseError
from postgres_server import Server


@pytest.fixture
def own() -> Iterator[Server]:
    server = Server()
    yield server
    server.remove()


def test_an_office_goes_on_where_it_was_when_its_server_was_away(own: Server) -> None:
    world = World(own.url())
    world.history(9)
    asyncio.run(world.dso.publish(world.clock.time))
    before = world.dso.view(CABLE, MONDAY, 96)

    own.stop()
    world.clock.time += timedelta(minutes=1)
    for duty in (world.dso.publish, world.dso.watch, world.dso.post):
        with pytest.raises(DatabaseError, match="no server answers there"):
            asyncio.run(duty(world.clock.time))
    asked = request(ask(1, MONDAY + QUARTER))
    refused = soap.read_reply(world.say_raw("north", asked, "asked").data)
    assert isinstance(refused, Fault)
    assert not refused.sender

    own.start()
    answer = world.say_raw("north", asked, "asked").data
    assert isinstance(soap.read_reply(answer), Envelope)
    assert world.say_raw("north", asked, "asked").data == answer
    after = world.dso.view(CABLE, MONDAY, 96)
    assert np.array_equal(after.available, before.available)
    assert (after.allotments["north"] - before.allotments["north"]).sum() == 3 * 100  # once
    world.clock.time = MONDAY + QUARTER
    asyncio.run(world.dso.publish(world.clock.time))
    assert len(world.csos["north"].forecasts()) == 2
    world.close()
