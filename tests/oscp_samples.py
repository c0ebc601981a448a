"""Messages of OSCP 1.0 to be changed and read, and blocks to be understood: shared by the tests of its rows."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from gridroom.oscp.errors import RemoteError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.blocks import Amounts, CableTerms, Span, forecast_spans
from gridroom.oscp.v10.messages import (
    Adjustment,
    CableUsage,
    CapacityBlock,
    Deviation,
    Envelope,
    Forecast,
    ForecastedBlock,
    Header,
    Message,
    Refusal,
    RequestAdjustedCapacityRequest,
    RequestAdjustedCapacityResponse,
    Result,
    UpdateAggregatedUsageRequest,
    UpdateCableCapacityForecastRequest,
    UsageBlock,
    ValueType,
)
from gridroom.oscp.v10.profile import DEFAULT, PeerProfile

START = datetime(2026, 1, 1, 10, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
SECOND = timedelta(seconds=1)
HEADER = Header("id-1", "dso", "cso", START, to="https://cso.example/oscp", relates_to="")
ANSWER = Header("id-2", "cso", "dso", START, relates_to="id-1")
AMOUNT = (ValueType(Decimal("24.00")),)
LEFT = (ValueType(Decimal("1.00")),)
TERMS = CableTerms(voltage_v=Decimal(230), phases=3)
NIL = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"'

FORECAST = UpdateCableCapacityForecastRequest(
    tuple(Forecast(cable, (ForecastedBlock(START, START + QUARTER, AMOUNT, LEFT),)) for cable in ("C1", "C2"))
)
REQUEST = RequestAdjustedCapacityRequest((Adjustment("C1", (CapacityBlock(START, START + QUARTER, AMOUNT),)),))
GRANT = RequestAdjustedCapacityResponse(
    (Adjustment("C1", (CapacityBlock(START, START + QUARTER, AMOUNT, LEFT),)),), Result.success()
)
USAGE = UpdateAggregatedUsageRequest(
    (CableUsage("C1", (UsageBlock(START, START + QUARTER, (ValueType(Decimal("24.00"), "Wh", 1),)),)),)
)


# -- as bytes --------------------------------------------------------------------------------------------------------


def written(body: Message, profile: PeerProfile = DEFAULT) -> str:
    """A message as our writer has it."""
    answer = type(body).__name__.endswith("Response")
    return soap.write(ANSWER if answer else HEADER, body, profile).decode()


def changed(body: Message, *swaps: tuple[str, str]) -> bytes:
    """A written message with the first place of each text changed."""
    text = written(body)
    for old, new in swaps:
        assert old in text
        text = text.replace(old, new, 1)
    return text.encode()


def read(body: Message, *swaps: tuple[str, str]) -> Envelope:
    return soap.read(changed(body, *swaps))


def rows(envelope: Envelope) -> set[int]:
    return {deviation.row for deviation in envelope.deviations}


def refusals(envelope: Envelope) -> Sequence[Refusal]:
    refused: Sequence[Refusal] = envelope.body.refused  # type: ignore[union-attr]
    return refused


def fault(body: Message, *swaps: tuple[str, str]) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        read(body, *swaps)
    assert caught.value.sender
    return caught.value


def only_second_cable(envelope: Envelope) -> Refusal:
    """The first cable of FORECAST is refused, the second stands."""
    assert isinstance(envelope.body, UpdateCableCapacityForecastRequest)
    assert [forecast.cable_id for forecast in envelope.body.forecasts] == ["C2"]
    (refusal,) = envelope.body.refused
    assert refusal.cable_id == "C1"
    assert len(refusal.code) <= 15
    assert refusal.path.startswith("Envelope/Body/UpdateCableCapacityForecastRequest/Forecast[1]")
    return refusal


# -- as values -------------------------------------------------------------------------------------------------------


def at(quarters: float) -> datetime:
    """So many quarters of an hour after START."""
    return START + quarters * QUARTER


def value(number: str, phase: int | None = None, unit: str = "A") -> ValueType:
    return ValueType(Decimal(number), unit, phase)


def values(stated: Iterable[str | ValueType]) -> tuple[ValueType, ...]:
    return tuple(one if isinstance(one, ValueType) else value(one) for one in stated)


def block(
    first: float, last: float, *capacity: str | ValueType, left: Sequence[str | ValueType] = ()
) -> ForecastedBlock:
    """A block of a forecast, from and to quarters after START."""
    return ForecastedBlock(at(first), at(last), values(capacity), values(left))


def ask(first: float, last: float, *capacity: str | ValueType) -> CapacityBlock:
    """A block of a request or its answer."""
    return CapacityBlock(at(first), at(last), values(capacity))


def used(first: float, last: float, *usage: ValueType) -> UsageBlock:
    return UsageBlock(at(first), at(last), usage)


def limits(*blocks: ForecastedBlock, terms: CableTerms = TERMS) -> list[Span]:
    """What a forecast of these blocks allows."""
    return forecast_spans(Forecast("A", blocks), terms)[0]


def amounts(*stated: str | ValueType, terms: CableTerms = TERMS) -> Amounts:
    """What one block with these capacities allows. [0.01 A]"""
    return limits(block(0, 1, *stated), terms=terms)[0].amounts


def noted(notes: Iterable[Deviation]) -> list[int]:
    return [note.row for note in notes]


def level(spans: Sequence[Span], moment: datetime) -> Amounts:
    """What spans state for a moment; nothing outside of them."""
    found = [span.amounts for span in spans if span.start <= moment < span.end]
    assert len(found) <= 1
    return found[0] if found else (None, None, None)
