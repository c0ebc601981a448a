"""A DSO in 40 lines: it offers a cable for two days, grants up to 4 A more, and hears what was used.

python examples/tiny_dso.py PKI PORT URL-OF-THE-CSO
"""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from gridroom.oscp import v10
from gridroom.oscp.io import talking
from gridroom.oscp.v10.answers import Ask, Assigned, adjusted
from gridroom.oscp.v10.blocks import forecast_blocks
from gridroom.security import tls
from gridroom.timegrid import QUARTER, floor, index

PKI, PORT, CSO_URL = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
CSO = v10.Peer("cso", frozenset({"cso"}), "cso", "dso", frozenset({"dso"}), CSO_URL, v10.GRIDROOM)
START = floor(datetime.now(UTC))
limits = np.array([1600, 1600, 900])[:, None].repeat(192, axis=1)  # on L1, L2, L3, by quarter of an hour [0.01 A]
spare = np.full((3, 192), 400)  # what is left for whoever asks
wanted = asyncio.Event()


def assign(cable: str, asked: Sequence[Ask]) -> Iterator[Assigned]:
    for span in (one.span for one in asked):
        a, b = index(span.start, START), -index(START, span.end)
        most = int(spare[:, a:b].min()) if 0 <= a < b <= 192 else 0
        given = [min(wish or 0, most) for wish in span.amounts]  # what is given back is below zero, and always taken
        if 0 <= a < b <= 192:
            limits[:, a:b] = (limits[:, a:b] + np.array(given)[:, None]).clip(0)
            spare[:, a:b] -= max(0, *given)
        yield given, [most - max(0, *given)] * 3


def handle(incoming: v10.Incoming) -> v10.Response:
    print(body := incoming.envelope.body, flush=True)
    if isinstance(body, v10.RequestAdjustedCapacityRequest):
        return adjusted(body, {"cable-1": v10.CableTerms()}, assign, CSO.profile)[0]
    if isinstance(body, v10.UpdateAggregatedUsageRequest):
        return v10.UpdateAggregatedUsageResponse(v10.Result.success())
    wanted.set()  # after GetCapacityForecast the forecast follows as a message of its own
    return v10.GetCapacityForecastResponse(v10.Result.success())


async def main() -> None:
    mine = PKI / "dso.pem", PKI / "dso.key", PKI / "ca.pem"
    contexts = tls.server_context(*mine), tls.client_context(*mine)
    async with talking(CSO, v10.DSO_NAMESPACE, handle, *contexts, port=PORT) as ask:
        while True:
            n = index(datetime.now(UTC), START)
            ahead = forecast_blocks(START + n * QUARTER, QUARTER, limits[:, n:], spare[:, n:], CSO.profile)
            forecast = v10.UpdateCableCapacityForecastRequest((v10.Forecast("cable-1", ahead),))
            print(await ask(forecast), flush=True)
            await wanted.wait()
            wanted.clear()


asyncio.run(main())
