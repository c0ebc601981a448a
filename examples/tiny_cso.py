"""A CSO in 40 lines: it takes forecasts of a cable, asks for 6 A more, and reports what it used.

python examples/tiny_cso.py PKI PORT URL-OF-THE-DSO
"""

import asyncio
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from gridroom.oscp import v10
from gridroom.oscp.io import talking
from gridroom.oscp.v10.answers import outcome
from gridroom.security import tls
from gridroom.timegrid import QUARTER, floor

PKI, PORT, DSO_URL = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
DSO = v10.Peer("dso", frozenset({"dso"}), "dso", "cso", frozenset({"cso"}), DSO_URL, v10.GRIDROOM)
TERMS = {"cable-1": v10.CableTerms(maximum_ca=6300)}  # the cable has no more, whatever a forecast says [0.01 A]
book: list[tuple[datetime, list[v10.Span]]] = []  # the newest forecast, and those that came later but are not newer
arrived = asyncio.Event()


def limits_ca(moment: datetime) -> list[int]:
    """On each phase the least that the book states for a moment; where it states none, nothing. [0.01 A]"""
    found = [next((one.amounts for one in spans if one.start <= moment < one.end), (0, 0, 0)) for _, spans in book]
    return [min((amounts[phase] or 0 for amounts in found), default=0) for phase in range(3)]


def handle(incoming: v10.Incoming) -> v10.Response:
    body, made = incoming.envelope.body, incoming.envelope.header.date_time or datetime.min.replace(tzinfo=UTC)
    if not isinstance(body, v10.UpdateCableCapacityForecastRequest):
        return v10.HeartbeatResponse(datetime.now(UTC), v10.Result.success())
    ours = [one for one in v10.gather(body.forecasts) if one.cable_id in TERMS]
    try:
        spans = [span for one in ours for span in v10.forecast_spans(one, TERMS[one.cable_id])[0]]
    except v10.CableRefused as error:
        return v10.UpdateCableCapacityForecastResponse(outcome([*body.refused, error.refusal], 0))
    if all(made > other for other, _ in book):
        book.clear()
    book.append((made, spans))
    arrived.set()
    return v10.UpdateCableCapacityForecastResponse(outcome(body.refused, len(ours)))


async def main() -> None:
    mine = PKI / "cso.pem", PKI / "cso.key", PKI / "ca.pem"
    contexts = tls.server_context(*mine), tls.client_context(*mine)
    async with talking(DSO, v10.CSP_NAMESPACE, handle, *contexts, port=PORT) as ask:
        await ask(v10.GetCapacityForecastRequest())
        await arrived.wait()
        now = floor(datetime.now(UTC))
        print("limits:", limits_ca(now), flush=True)
        more = v10.CapacityBlock(now + QUARTER, now + 2 * QUARTER, (v10.ValueType(Decimal(6)),))
        match await ask(v10.RequestAdjustedCapacityRequest((v10.Adjustment("cable-1", (more,)),))):
            case v10.Delivered(v10.Envelope(body=v10.RequestAdjustedCapacityResponse() as said)):
                asked = {"cable-1": [v10.Span(more.start, more.end, (600, 600, 600))]}
                spans = v10.granted_spans(asked, said, TERMS)[0]["cable-1"]
                print("granted:", [span.amounts for span in spans], flush=True)
        used = (v10.ValueType(Decimal(4), "A", 1), v10.ValueType(Decimal(230), "Wh", 1))
        report = v10.CableUsage("cable-1", (v10.UsageBlock(now - QUARTER, now, used),))
        print("reported:", await ask(v10.UpdateAggregatedUsageRequest((report,))), flush=True)


asyncio.run(main())
