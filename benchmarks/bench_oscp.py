"""How fast messages are read and written: ours, a bare lxml loop, zeep and xsdata in one run, outputs checked equal.

The bare loop (`oscp_bare.py`) makes the very same values and bytes, but knows one spelling and checks nothing. Ratios
count; milliseconds are this machine's.

    make bench
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import oscp_bare
from lxml import etree
from oscp_bare import Body
from oscp_toolkits import Xsdata, Zeep

from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import (
    Adjustment,
    CableUsage,
    CapacityBlock,
    Forecast,
    ForecastedBlock,
    Header,
    HeartbeatRequest,
    RequestAdjustedCapacityRequest,
    UpdateAggregatedUsageRequest,
    UpdateCableCapacityForecastRequest,
    UsageBlock,
    ValueType,
)

START = datetime(2026, 1, 5, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
HEADER = Header("6f1b1e3c-0d5a-4c9b-9d5e-0a4f3c0b7a11", "dso", "cso", START, to="https://localhost/")
ROUNDS = 15
ENOUGH_S = 0.01
"""Least time of a round; small messages are repeated within it. [s]"""
GOAL = 2.0
"""Most times of the bare loop that reading or writing may take."""


@dataclass(frozen=True)
class Figures:
    """One row of the table: seconds per message."""

    name: str
    size: int
    bare: float
    ours: float
    zeep: float | None = None
    xsdata: float | None = None


def amounts(n: int, unit: str = "A") -> tuple[ValueType, ...]:
    """Three phases that differ from block to block."""
    return tuple(ValueType(Decimal(1000 + 37 * n % 991 + p).scaleb(-2), unit, p) for p in (1, 2, 3))


def times(n: int) -> tuple[datetime, datetime]:
    """Start and end of a quarter of an hour."""
    return START + n * QUARTER, START + (n + 1) * QUARTER


def samples() -> dict[str, Body]:
    """Messages of a normal day."""
    days = [
        tuple(ForecastedBlock(*times(n), amounts(n + 7 * cable), amounts(n + 50)) for n in range(96))
        for cable in range(20)
    ]
    hours = tuple(CapacityBlock(*times(n), amounts(n)) for n in range(8))
    used = tuple(UsageBlock(*times(n), amounts(n, "Wh") + amounts(n)) for n in range(4))
    return {
        "forecast, 1 cable": UpdateCableCapacityForecastRequest((Forecast("cable-0", days[0]),)),
        "forecast, 20 cables": UpdateCableCapacityForecastRequest(
            tuple(Forecast(f"cable-{n}", day) for n, day in enumerate(days))
        ),
        "request, 8 blocks": RequestAdjustedCapacityRequest((Adjustment("cable-0", hours),)),
        "usage, 4 blocks": UpdateAggregatedUsageRequest((CableUsage("cable-0", used),)),
        "heartbeat": HeartbeatRequest(300, 900),
    }


def best(work: Callable[[], object]) -> float:
    """Least time of one call among some rounds. [s]"""
    begin = time.perf_counter()
    work()
    repeats = max(1, round(ENOUGH_S / (time.perf_counter() - begin)))
    found = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for _ in range(repeats):
            work()
        found.append((time.perf_counter() - begin) / repeats)
    return min(found)


def agree(name: str, said: object, expected: object) -> None:
    """End when somebody read or wrote something else."""
    if said != expected:
        raise SystemExit(f"{name}: not the same outcome, so there is nothing to compare")


def with_header(envelope: bytes) -> Body:
    """A toolkit's envelope as we read it, a header put in."""
    root = etree.fromstring(envelope)
    for old in root.findall("{*}Header"):
        root.remove(old)
    head = etree.fromstring(soap.write(HEADER, HeartbeatRequest(1, 1)))[0]
    root.insert(0, head)
    head[0].text = "/UpdateCableCapacityForecast"
    return soap.read(etree.tostring(root)).body  # type: ignore[return-value]


def measure(name: str, body: Body, zeep: Zeep, xsdata: Xsdata) -> tuple[Figures, Figures]:
    """Reading and writing of one message."""
    data = soap.write(HEADER, body)
    envelope = soap.read(data)
    agree(f"{name}, bare read", oscp_bare.read(data)[1], envelope.body)
    agree(f"{name}, bare header", oscp_bare.read(data)[0], envelope.header)
    agree(f"{name}, bare write", oscp_bare.write(HEADER, body), data)
    read = Figures(name, len(data), best(lambda: oscp_bare.read(data)), best(lambda: soap.read(data)))
    write = Figures(
        name, len(data), best(lambda: oscp_bare.write(HEADER, body)), best(lambda: soap.write(HEADER, body))
    )
    if not isinstance(body, UpdateCableCapacityForecastRequest) or len(body.forecasts) > 1:
        return read, write
    for toolkit, peer in (("zeep", zeep), ("xsdata", xsdata)):
        agree(f"{name}, {toolkit} read", peer.read(data), body)
        agree(f"{name}, {toolkit} write", with_header(peer.write(body)), body)
    return (
        Figures(name, len(data), read.bare, read.ours, best(lambda: zeep.read(data)), best(lambda: xsdata.read(data))),
        Figures(
            name, len(data), write.bare, write.ours, best(lambda: zeep.write(body)), best(lambda: xsdata.write(body))
        ),
    )


def show(title: str, rows: list[Figures]) -> None:
    """One table: the bare loop's time, then how many times of it the others take."""
    print(f"{title:22}{'bytes':>9}{'bare [ms]':>11}{'gridroom':>10}{'zeep':>8}{'xsdata':>8}")
    for row in rows:
        others = "".join(
            "".rjust(8) if other is None else f"{other / row.bare:8.1f}" for other in (row.zeep, row.xsdata)
        )
        print(f"{row.name:22}{row.size:9}{row.bare * 1e3:11.3f}{row.ours / row.bare:10.2f}{others}")


def main() -> None:
    """Measure and print; ends with 1 when the goal is missed."""
    zeep, xsdata = Zeep(), Xsdata()
    pairs = [measure(name, body, zeep, xsdata) for name, body in samples().items()]
    show("read", [read for read, _ in pairs])
    print()
    show("write", [write for _, write in pairs])
    slow = [row.name for pair in pairs for row in pair if row.ours > GOAL * row.bare]
    if slow:
        sys.exit(f"more than {GOAL} times the bare loop: {', '.join(slow)}")


if __name__ == "__main__":
    main()
