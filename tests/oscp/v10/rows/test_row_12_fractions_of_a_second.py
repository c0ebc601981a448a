"""Row 12: times with none, three, six or seven digits after the second, and one midnight written as 24:00."""

from datetime import datetime, timedelta

import pytest

from gridroom.oscp.errors import LocalError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.blocks import CableRefused, request_spans
from gridroom.oscp.v10.messages import (
    Adjustment,
    Forecast,
    ForecastedBlock,
    HeartbeatRequest,
    RequestAdjustedCapacityRequest,
    UpdateCableCapacityForecastRequest,
)
from gridroom.oscp.v10.values import write_instant
from oscp_samples import (
    AMOUNT,
    FORECAST,
    HEADER,
    LEFT,
    QUARTER,
    REQUEST,
    START,
    TERMS,
    ask,
    only_second_cable,
    read,
    written,
)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-01-01T10:00:00Z", START),
        ("2026-01-01T10:00:00.0Z", START),
        ("2026-01-01T10:00:00.123Z", START + timedelta(microseconds=123_000)),
        ("2026-01-01T10:00:00.123456Z", START + timedelta(microseconds=123_456)),
        ("2026-01-01T10:00:00.1234567Z", START + timedelta(microseconds=123_456)),
        ("2026-01-01T10:00:00.9999999Z", START + timedelta(microseconds=999_999)),
        ("2026-01-01T10:00:00.000000000000000000000000001Z", START),
        (" 2026-01-01T10:00:00Z\n", START),
        ("2025-12-31T24:00:00Z", START - timedelta(hours=10)),
        ("2025-12-31T24:00:00.000Z", START - timedelta(hours=10)),
    ],
)
def test_any_number_of_digits_is_read_and_cut_to_the_microsecond(text: str, meant: datetime) -> None:
    envelope = read(REQUEST, ("2026-01-01T10:00:00Z", text))
    assert isinstance(envelope.body, RequestAdjustedCapacityRequest)
    assert envelope.body.adjustments[0].blocks[0].start == meant
    assert envelope.deviations == ()


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "2026-01-01", "2026-1-1T10:00:00Z", "2026-02-30T10:00:00Z", "2026-01-01T10:00Z"),
        *("2026-01-01T25:00:00Z", "2026-01-01T24:00:01Z", "2026-01-01T24:00:00.1Z", "2026-01-01T10:00:60Z"),
        *("2026-01-01T10:00:00z", "2026-01-01T10:00:00+15:00", "2026-01-01T10:00:00+01", "0000-01-01T10:00:00Z"),
        *("9999-12-31T24:00:00Z", "0001-01-01T00:00:00+10:00", "2026-01-01T10:00:00.Z", "२०२६-01-01T10:00:00Z"),
        *("2026-01-01 10:00:00Z", "2026-01-01T10:00:00+05:60", "-2026-01-01T10:00:00Z", "20260101T100000Z"),
    ],
)
def test_what_is_no_time_refuses_its_cable(text: str) -> None:
    assert only_second_cable(read(FORECAST, ("2026-01-01T10:00:00Z", text))).code == "INVALID_TIME"


def test_a_header_is_written_in_milliseconds() -> None:
    made = START + timedelta(microseconds=4_609)
    text = soap.write(HEADER.__class__("id", "a", "b", made, to="https://x"), HeartbeatRequest(1, 1)).decode()
    assert "2026-01-01T10:00:00.004Z</DateTime>" in text
    assert write_instant(START) == "2026-01-01T10:00:00.000Z"


def test_a_block_is_written_in_whole_seconds_and_nothing_finer() -> None:
    assert "<StartTime>2026-01-01T10:00:00Z</StartTime>" in written(FORECAST)
    fine = START + timedelta(microseconds=1)
    body = UpdateCableCapacityForecastRequest((Forecast("C1", (ForecastedBlock(fine, fine + QUARTER, AMOUNT, LEFT),)),))
    with pytest.raises(LocalError):
        written(body)


def test_a_request_within_a_second_is_refused_since_its_answer_could_not_repeat_the_times() -> None:
    tenth = 1 / 9000
    for fine in (ask(tenth, 1, "5"), ask(0, 1 + tenth, "5")):
        with pytest.raises(CableRefused, match="whole seconds"):
            request_spans(Adjustment("A", (ask(2, 3, "1"), fine)), TERMS)
    assert len(request_spans(Adjustment("A", (ask(0, 1, "5"),)), TERMS)[0]) == 1
