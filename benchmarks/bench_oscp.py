"""How fast a forecast is read and written: ours beside a bare lxml loop and zeep, in one run, outputs checked equal.

One cable, 96 blocks, three phases with remaining capacity. Ratios count; seconds are this machine's.

    make bench
"""

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import zeep
from lxml import etree

from gridroom.oscp.v10 import soap, wsdl
from gridroom.oscp.v10.messages import (
    CSP_NAMESPACE,
    Forecast,
    ForecastedBlock,
    Header,
    UpdateCableCapacityForecastRequest,
    ValueType,
)

START = datetime(2026, 1, 5, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
OSCP = f"{{{CSP_NAMESPACE}}}"
ROUNDS = 20


def message() -> UpdateCableCapacityForecastRequest:
    """A day ahead in quarters of an hour."""

    def amounts(n: int) -> tuple[ValueType, ...]:
        return tuple(ValueType(Decimal(1000 + 37 * n % 991 + p).scaleb(-2), "A", p) for p in (1, 2, 3))

    blocks = (
        ForecastedBlock(START + n * QUARTER, START + (n + 1) * QUARTER, amounts(n), amounts(n + 50)) for n in range(96)
    )
    return UpdateCableCapacityForecastRequest((Forecast("cable-1", tuple(blocks)),))


def bare(data: bytes) -> list[tuple[str, str, list[str]]]:
    """The least work that finds times and amounts: parse and walk."""
    root = etree.fromstring(data)
    return [
        (
            block.findtext(f"{OSCP}StartTime"),
            block.findtext(f"{OSCP}EndTime"),
            [value.text for value in block.iterfind(f"{OSCP}Capacity")],
        )
        for block in root.iter(f"{OSCP}ForecastedBlock")
    ]


def by_zeep(data: bytes, client: zeep.Client) -> list[list[Decimal]]:
    """What zeep makes of the body."""
    body = next(iter(etree.fromstring(data).iter(f"{OSCP}UpdateCableCapacityForecastRequest")))
    element = client.get_element(f"{OSCP}UpdateCableCapacityForecastRequest")
    read = element.parse(body, client.wsdl.types)
    return [[Decimal(v["_value_1"]) for v in block["Capacity"]] for block in read["Forecast"][0]["ForecastedBlock"]]


def best(work: Callable[[], object]) -> float:
    """Least time of some rounds. [s]"""
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return min(times)


def main() -> None:
    """Measure and print."""
    body = message()
    header = Header("m-1", "dso", "cso", START, to="https://localhost/")
    data = soap.write(header, body)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "csp.wsdl")
        file.write_bytes(wsdl.load(CSP_NAMESPACE, "https://localhost/"))
        client = zeep.Client(str(file))
    ours = [[v.value for v in b.capacity] for b in soap.read(data).body.forecasts[0].blocks]  # type: ignore[union-attr]
    if not ours == [[Decimal(v) for v in values] for *_, values in bare(data)] == by_zeep(data, client):
        raise SystemExit("the readers do not agree")
    lean, mine, theirs = best(lambda: bare(data)), best(lambda: soap.read(data)), best(lambda: by_zeep(data, client))
    write = best(lambda: soap.write(header, body))
    print(f"{len(data)} bytes, 96 blocks, three phases; best of {ROUNDS}")
    print(f"read : bare lxml 1.0   gridroom {mine / lean:.1f} ({1 / mine:.0f}/s)   zeep {theirs / lean:.1f}")
    print(f"write: gridroom {write / lean:.1f} times the bare read ({1 / write:.0f}/s)")


if __name__ == "__main__":
    main()
