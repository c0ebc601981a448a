"""Section 5.1: our client talks with services that node soap and PHP ext-soap host from our WSDLs, over mutual TLS."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest

from foreign.servers import Host, node_soap, php_soap
from gridroom.oscp.io.client import OscpClient
from gridroom.oscp.v10.messages import (
    CSP_NAMESPACE,
    OPERATIONS,
    Adjustment,
    CableUsage,
    CapacityBlock,
    Envelope,
    GetCapacityForecastRequest,
    HeartbeatRequest,
    HeartbeatResponse,
    Request,
    RequestAdjustedCapacityRequest,
    RequestAdjustedCapacityResponse,
    ResultType,
    UpdateAggregatedUsageRequest,
    UpdateCableCapacityForecastRequest,
    UsageBlock,
    ValueType,
    operation_of,
)
from gridroom.oscp.v10.peer import Again, Delivered, GivenUp, Peer, judge, letter, result_of
from gridroom.oscp.v10.soap import content_type
from gridroom.security import pki, tls
from gridroom.timegrid import QUARTER, floor
from offices_online import CABLE, flat


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "pki"
    pki.init(folder)
    for name in ("dso", "cso"):
        pki.issue(folder, name)
    return folder


class Line:
    """Our client towards both services of one host; what it makes of each answer."""

    def __init__(self, client: OscpClient, port: int) -> None:
        self.client, self.port = client, port
        self.odd: set[int] = set()

    async def __call__(self, body: Request) -> Delivered | Again | GivenUp:
        operation = operation_of(body)
        path = "csp" if OPERATIONS[operation][0] == CSP_NAMESPACE else "dso"
        us, them = ("dso", "cso") if path == "csp" else ("cso", "dso")
        url = f"https://localhost:{self.port}/{path}"
        peer = Peer(them, frozenset({them}), them, us, frozenset({us}), url)
        sent = letter(peer, body, now=datetime.now(UTC), message_id=str(uuid4()))
        answer = await self.client.post(url, sent.data, content_type(operation))
        return judge(sent, peer, answer.status, answer.data, datetime.now(UTC), 0.5)

    async def answer(self, body: Request) -> Envelope:
        """The answer to a request that must have been read on both sides."""
        verdict = await self(body)
        assert isinstance(verdict, Delivered), verdict
        self.odd |= {one.row for one in verdict.envelope.deviations}
        return verdict.envelope

    async def told(self, body: Request) -> str:
        """What the host understood: it repeats it in its SUCCESS."""
        result = result_of((await self.answer(body)).body)  # type: ignore[arg-type]
        assert result.type is ResultType.SUCCESS
        return result.details[0].message


ODD: dict[Host, set[int]] = {node_soap: {7, 8, 25, 30}, php_soap: {11, 25, 26}}
"""Rows by which their answers differ: words of a Result, no To, no Priority; times without zone, no MessageID."""


@pytest.fixture(params=[pytest.param(node_soap, id="soap"), pytest.param(php_soap, id="php")])
def host(request: pytest.FixtureRequest) -> Host:
    found: Host = request.param
    return found


@pytest.fixture
async def line(host: Host, keys: Path) -> AsyncIterator[Line]:
    context = tls.client_context(keys / "cso.pem", keys / "cso.key", keys / "ca.pem")
    async with host(keys, "dso") as port, OscpClient(context) as client:
        yield Line(client, port)


async def test_a_foreign_server_reads_us_and_we_read_its_answers(line: Line, host: Host) -> None:
    now = datetime.now(UTC)
    start, phases = floor(now, QUARTER) + 4 * QUARTER, (1, 2, 3)

    beat = await line.answer(HeartbeatRequest(300, 900))
    assert isinstance(beat.body, HeartbeatResponse)
    assert abs(beat.body.current_time - now) < timedelta(minutes=1)
    assert beat.body.result.details[0].message == "every 300 s"

    told = await line.told(UpdateCableCapacityForecastRequest((flat(now, 16.5),)))
    cable, count, first, value, unit = told.split()
    assert (cable, count, Decimal(value), unit) == (CABLE, "96", Decimal("16.5"), "A")
    assert datetime.fromisoformat(first) == floor(now, QUARTER)

    assert await line.told(GetCapacityForecastRequest((CABLE, "cable-2"))) == f"{CABLE} cable-2"

    used = tuple(ValueType(Decimal(460), "Wh", phase) for phase in phases)
    told = await line.told(
        UpdateAggregatedUsageRequest((CableUsage(CABLE, (UsageBlock(start, start + QUARTER, used),)),))
    )
    assert [(Decimal(one.split()[0]), one.split()[1:]) for one in told.split(", ")] == [
        (Decimal(460), ["Wh", str(phase)]) for phase in phases
    ]

    asked = CapacityBlock(start, start + QUARTER, (ValueType(Decimal("10.25")),))
    answer = (await line.answer(RequestAdjustedCapacityRequest((Adjustment(CABLE, (asked,)),)))).body
    assert isinstance(answer, RequestAdjustedCapacityResponse)
    assert (answer.result.type, answer.result.details[0].code) == (ResultType.FAILED, "NO_CAPACITY")
    granted = CapacityBlock(start, start + QUARTER, (ValueType(Decimal("5.125")),), (ValueType(Decimal(0)),))
    assert answer.adjustments == (Adjustment(CABLE, (granted,)),)
    assert line.odd == ODD[host]


async def test_a_fault_of_a_foreign_server_is_read_as_what_it_is(line: Line) -> None:
    ours = await line(GetCapacityForecastRequest(("bad",)))
    assert ours == GivenUp("Fault: no such thing", possibly_applied=False)
    theirs = await line(GetCapacityForecastRequest(("broken",)))
    assert isinstance(theirs, Again)
    assert theirs.reason in ("Fault: out of order", "Fault: Error: out of order")


async def test_a_foreign_server_that_wants_certificates_gets_no_call_without(line: Line, keys: Path) -> None:
    async with OscpClient(tls.client_context(None, None, keys / "ca.pem")) as stranger:
        verdict = await Line(stranger, line.port)(HeartbeatRequest(300, 900))
    assert not isinstance(verdict, Delivered)
