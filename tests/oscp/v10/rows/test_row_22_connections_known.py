"""Row 22, the CSO: a reference that is none of ours is counted and changes nothing."""

from dataclasses import replace

import pytest

from gridroom.cso import oscp10
from gridroom.cso.settings import CableEntry, CsoConfig, DsoEntry, market
from gridroom.cso.stations import Register
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import UpdateCableCapacityForecastRequest
from gridroom.storage import database, inbox
from oscp_samples import FORECAST, HEADER, START


@pytest.mark.parametrize(
    ("ours", "stated", "strange"),
    [((), ("R1", "R9"), 0), (("R1", "R2"), ("R1",), 0), (("R1",), ("R1", "R9"), 1), (("R1",), (), 0)],
)
def test_a_strange_reference_is_a_deviation(ours: tuple[str, ...], stated: tuple[str, ...], strange: int) -> None:
    entry = DsoEntry(
        "dso", "dso", "https://dso.example/", cables=(CableEntry("C1", connections=ours), CableEntry("C2"))
    )
    world = market(CsoConfig(party="cso", id="cso", dso=(entry,)), Register({}))
    db = database.open("sqlite://", "gridroom.cso.migrations")
    first, second = FORECAST.forecasts
    body = UpdateCableCapacityForecastRequest((replace(first, connections=stated), second))
    reply = oscp10.receive(db, world, "dso", soap.write(HEADER, body), START, lambda: "answer-1")
    with db.transact() as tx:
        odd = inbox.deviations(tx)
    db.close()
    assert b"<Type>SUCCESS</Type>" in reply.data
    assert odd.get("dso", {}).get(22, 0) == strange
