"""Chapter 6: the example messages, verbatim."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import (
    Envelope,
    ForecastedBlock,
    GetCapacityForecastRequest,
    HeartbeatRequest,
    HeartbeatResponse,
    Message,
    RequestAdjustedCapacityRequest,
    ResultType,
    UpdateAggregatedUsageRequest,
    UpdateCableCapacityForecastRequest,
    UpdateCableCapacityForecastResponse,
    ValueType,
)

GOLDEN = Path(__file__).parent / "golden"


def golden(section: str) -> Envelope:
    return soap.read((GOLDEN / f"{section}.xml").read_bytes())


def rows(envelope: Envelope) -> set[int]:
    return {deviation.row for deviation in envelope.deviations}


def at(hour: int, minute: int, second: int = 0, microsecond: int = 0) -> datetime:
    return datetime(2015, 4, 9, hour, minute, second, microsecond, tzinfo=UTC)


def test_6_1_1_a_forecast() -> None:
    envelope = golden("6.1.1")
    assert isinstance(envelope.body, UpdateCableCapacityForecastRequest)
    header = envelope.header
    assert header.message_id == "f474139b-357a-4a8a-9d7f-c1e9940914b7:1"
    assert (header.sender_id, header.receiver_id, header.priority) == ("8712423014022", "8712423222120", 2)
    assert header.to.endswith("/Services/OSCP/ChargeServiceProviderServiceV10.svc")
    assert header.date_time == at(0, 0, 4, 609_000)
    (forecast,) = envelope.body.forecasts
    assert (forecast.cable_id, forecast.connections) == ("Amsterdam", ("991188227733664455",))
    assert len(forecast.blocks) == 9
    amount = ValueType(Decimal("24.00"), "A", None)
    assert forecast.blocks[0] == ForecastedBlock(at(0, 0), at(0, 15), (amount,), (ValueType(Decimal("0.00")),))
    assert (forecast.blocks[-1].start, forecast.blocks[-1].end) == (at(2, 0), at(23, 45))
    assert envelope.body.refused == ()
    assert envelope.deviations == ()


def test_6_1_2_the_answer_to_a_forecast() -> None:
    envelope = golden("6.1.2")
    assert isinstance(envelope.body, UpdateCableCapacityForecastResponse)
    assert envelope.body.result.type is ResultType.SUCCESS
    assert envelope.body.result.details[0].code == "MESSAGE_PROCESSED"
    assert envelope.header.relates_to == ""
    assert rows(envelope) == {10, 25}


def test_6_2_a_request_for_more() -> None:
    envelope = golden("6.2")
    assert isinstance(envelope.body, RequestAdjustedCapacityRequest)
    (adjustment,) = envelope.body.adjustments
    assert adjustment.cable_id == "SP2"
    assert len(adjustment.blocks) == 15
    assert len(set(adjustment.blocks)) == 5
    assert adjustment.blocks[0].start == at(8, 15)
    assert rows(envelope) == {11}


def test_6_3_usage() -> None:
    envelope = golden("6.3")
    assert isinstance(envelope.body, UpdateAggregatedUsageRequest)
    assert [usage.cable_id for usage in envelope.body.usages] == [f"SP{n}" for n in range(1, 16)]
    (block,) = envelope.body.usages[1].blocks
    assert block.usage == (ValueType(Decimal(0), "Wh"), ValueType(Decimal("16.00"), "A"))
    assert (block.start, block.end) == (at(7, 45), at(8, 0))
    assert rows(envelope) == {11}


def test_6_4_asking_for_the_forecast() -> None:
    envelope = golden("6.4")
    assert envelope.body == GetCapacityForecastRequest()
    assert envelope.header.receiver_id == "8716874000009"
    assert envelope.deviations == ()


def test_6_5_a_heartbeat_and_its_answer() -> None:
    assert golden("6.5.1").body == HeartbeatRequest(300, 900)
    answer = golden("6.5.2")
    assert isinstance(answer.body, HeartbeatResponse)
    assert answer.body.current_time == at(0, 4, 51, 906_271)
    assert answer.header.date_time == answer.body.current_time


def once(body: Message) -> Message:
    """Blocks that 6.2 repeats are written once (row 15)."""
    if not isinstance(body, RequestAdjustedCapacityRequest):
        return body
    return replace(body, adjustments=tuple(replace(a, blocks=tuple(dict.fromkeys(a.blocks))) for a in body.adjustments))


@pytest.mark.parametrize("section", ["6.1.1", "6.2", "6.3", "6.4", "6.5.1"])
def test_a_request_written_again_says_the_same(section: str) -> None:
    envelope = golden(section)
    again = soap.read(soap.write(envelope.header, envelope.body))
    assert again.body == once(envelope.body)
    assert again.deviations == ()
