"""Mistakes of who uses the library: each is a LocalError that names its place, and nothing wrong is written."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from gridroom.oscp.errors import LocalError, OscpError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import (
    Adjustment,
    CableUsage,
    CapacityBlock,
    Forecast,
    ForecastedBlock,
    RequestAdjustedCapacityRequest,
    UpdateAggregatedUsageRequest,
    UpdateCableCapacityForecastRequest,
    UsageBlock,
    ValueType,
)
from gridroom.oscp.v10.profile import PeerProfile
from gridroom.oscp.v10.spans import CableRefused
from oscp_samples import AMOUNT, FORECAST, HEADER, LEFT, QUARTER, SECOND, START, USAGE

SIX = ValueType(Decimal(6))


def phases(*named: int | None, unit: str = "A") -> tuple[ValueType, ...]:
    return tuple(ValueType(Decimal(6), unit, phase) for phase in named)


def forecast(*blocks: ForecastedBlock) -> UpdateCableCapacityForecastRequest:
    return UpdateCableCapacityForecastRequest((FORECAST.forecasts[0], Forecast("C2", blocks)))


def limit(capacity: Any, n: int = 0) -> ForecastedBlock:
    return ForecastedBlock(START + n * QUARTER, START + (n + 1) * QUARTER, capacity, LEFT)


def late(block: ForecastedBlock) -> ForecastedBlock:
    return replace(block, start=block.start + SECOND, end=block.end + SECOND)


MISTAKES: dict[str, tuple[Callable[[], Any], str]] = {
    "a number": (lambda: forecast(limit((ValueType(6),))), "must be a Decimal, not int"),  # type: ignore[arg-type]
    "a text": (lambda: forecast(limit((ValueType("6"),))), "must be a Decimal, not str"),  # type: ignore[arg-type]
    "no tuple": (lambda: forecast(limit(SIX)), "is a tuple of ValueType, not ValueType"),
    "one phase twice": (lambda: forecast(limit(phases(1, 1))), r"each Phase once, not \[1, 1\]"),
    "a mix": (lambda: forecast(limit(phases(None, 2))), r"each Phase once, not \[None, 2\]"),
    "a unit": (lambda: forecast(limit(phases(None, unit="MW"))), "cannot be stated in 'MW', only in A, W, kW"),
    "another value for the same time": (lambda: forecast(limit(AMOUNT), limit((SIX,))), "differ"),
    "one block over another": (lambda: forecast(limit(AMOUNT), late(limit(AMOUNT))), "before the one before it ends"),
    "no block": (lambda: forecast(), "at least one block"),
    "a usage without Phase beside one with": (
        lambda: UpdateAggregatedUsageRequest(
            (USAGE.usages[0], CableUsage("C2", (UsageBlock(START, START + QUARTER, phases(None, 1, unit="Wh")),)))
        ),
        "each Phase once",
    ),
    "a request over another": (
        lambda: RequestAdjustedCapacityRequest(
            (
                Adjustment("C1", (CapacityBlock(START, START + QUARTER, AMOUNT),)),
                Adjustment("C2", tuple(CapacityBlock(START, START + n * QUARTER, AMOUNT) for n in (1, 2))),
            )
        ),
        "before the one before it ends",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_we_would_refuse_to_read_is_not_written_and_its_place_is_named(mistake: str) -> None:
    body, words = MISTAKES[mistake]
    with pytest.raises(LocalError, match=words) as caught:
        soap.write(HEADER, body())
    assert "[2]" in str(caught.value).partition(":")[0]


def test_a_block_that_is_repeated_is_written_once() -> None:
    written = soap.write(HEADER, forecast(limit(AMOUNT), limit(AMOUNT), limit(AMOUNT, 1)))
    assert soap.read(written).body == forecast(limit(AMOUNT), limit(AMOUNT, 1))


def test_what_is_no_message_is_not_written() -> None:
    with pytest.raises(LocalError, match="NoneType is no message"):
        soap.write(HEADER, None)  # type: ignore[arg-type]


@pytest.mark.parametrize("reader", [soap.read, soap.read_any, soap.read_reply])
def test_an_envelope_is_bytes(reader: Callable[[Any], object]) -> None:
    with pytest.raises(LocalError, match="is bytes, not str"):
        reader("<Envelope/>")


@pytest.mark.parametrize(
    ("switches", "words"),
    [
        ({"ends": "exclusiv"}, "ends 'exclusiv' is none of inclusive, exclusive"),
        ({"soap": "1.3"}, "soap '1.3' is none of 1.2, 1.1"),
        ({"sender_fault_status": 404}, "404 is none of 400, 500"),
        ({"heartbeat": "no"}, "'no' is no bool"),
        ({"max_cables_per_message": 0}, "at least 1"),
    ],
)
def test_a_profile_has_only_the_values_that_there_are(switches: dict[str, Any], words: str) -> None:
    with pytest.raises(LocalError, match=words):
        PeerProfile(**switches)


def test_every_error_is_one_of_ours() -> None:
    assert issubclass(CableRefused, OscpError)
