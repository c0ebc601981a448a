"""Row 11: a time without zone is UTC, and a forecast of such times has to prove it."""

from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest

from gridroom.oscp.errors import LocalError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import (
    Envelope,
    Forecast,
    ForecastedBlock,
    HeartbeatResponse,
    RequestAdjustedCapacityRequest,
    Result,
    UpdateCableCapacityForecastRequest,
)
from oscp_samples import (
    AMOUNT,
    FORECAST,
    HEADER,
    LEFT,
    QUARTER,
    REQUEST,
    START,
    USAGE,
    at,
    only_second_cable,
    read,
    refusals,
    rows,
    written,
)

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize("body", [FORECAST, REQUEST, USAGE])
def test_no_zone_is_utc_with_a_deviation(body: UpdateCableCapacityForecastRequest) -> None:
    envelope = read(body, ("2026-01-01T10:00:00Z", "2026-01-01T10:00:00"))
    assert envelope.body == body
    assert rows(envelope) == {11}


@pytest.mark.parametrize(
    "text", ["2026-01-01T11:00:00+01:00", "2026-01-01T00:00:00-10:00", "2026-01-01T10:00:00+00:00"]
)
def test_other_offsets_are_converted_with_a_deviation(text: str) -> None:
    envelope = read(REQUEST, ("2026-01-01T10:00:00Z", text))
    assert isinstance(envelope.body, RequestAdjustedCapacityRequest)
    assert envelope.body.adjustments[0].blocks[0].start == START
    assert rows(envelope) == {11}


def test_a_converted_offset_needs_no_proof() -> None:
    day_later = ("2026-01-02T11:00:00+01:00", "2026-01-02T11:15:00+01:00")
    envelope = read(FORECAST, ("2026-01-01T10:00:00Z", day_later[0]), ("2026-01-01T10:14:59Z", day_later[1]))
    assert refusals(envelope) == ()


def zoneless(made: datetime, *edges: datetime) -> Envelope:
    """A forecast of blocks between these times, all written without zone."""
    blocks = tuple(ForecastedBlock(a, b, AMOUNT, LEFT) for a, b in pairwise(edges))
    text = written(UpdateCableCapacityForecastRequest((Forecast("C1", blocks),)))
    for moment in edges:
        text = text.replace(f"{moment:%Y-%m-%dT%H:%M:%S}Z", f"{moment:%Y-%m-%dT%H:%M:%S}")
        inclusive = moment - timedelta(seconds=1)
        text = text.replace(f"{inclusive:%Y-%m-%dT%H:%M:%S}Z", f"{inclusive:%Y-%m-%dT%H:%M:%S}")
    return soap.read(text.replace(f"{START:%Y-%m-%dT%H:%M:%S}.000Z", f"{made:%Y-%m-%dT%H:%M:%S}.000Z").encode())


def test_a_first_block_with_a_zone_proves_nothing_for_the_others() -> None:
    blocks = tuple(ForecastedBlock(START + n * QUARTER, START + (n + 1) * QUARTER, AMOUNT, LEFT) for n in range(3))
    text = written(UpdateCableCapacityForecastRequest((Forecast("C1", blocks),)))
    (refusal,) = refusals(soap.read(text.replace("10:30:00Z", "10:30:00").encode()))
    assert refusal.code == "INVALID_TIME"
    assert refusal.path.endswith("ForecastedBlock[1]/StartTime")


class TestAForecastWithoutZones:
    """Its first block must start within one block of the header's DateTime."""

    @pytest.mark.parametrize("length", [5, 10, 15, 30])
    @pytest.mark.parametrize("sign", [1, -1])
    def test_within_one_block_it_is_taken(self, length: int, sign: int) -> None:
        edges = [START + n * length * MINUTE for n in range(4)]
        envelope = zoneless(START + sign * length * MINUTE, *edges)
        assert refusals(envelope) == ()
        assert rows(envelope) == {11}

    @pytest.mark.parametrize("length", [5, 10, 15, 30])
    @pytest.mark.parametrize("sign", [1, -1])
    def test_further_away_it_is_refused(self, length: int, sign: int) -> None:
        edges = [START + n * length * MINUTE for n in range(4)]
        (refusal,) = refusals(zoneless(START + sign * (length * MINUTE + timedelta(seconds=1)), *edges))
        assert refusal.code == "INVALID_TIME"

    def test_the_shortest_block_counts_and_the_one_that_starts_first(self) -> None:
        assert refusals(zoneless(START + 20 * MINUTE, at(0), at(8), at(9)))
        assert not refusals(zoneless(START + 10 * MINUTE, at(0), at(8), at(9)))

    @pytest.mark.parametrize("length", [60, 24 * 60])
    def test_long_blocks_prove_no_more_than_half_an_hour(self, length: int) -> None:
        """Else a forecast in the local time of Central Europe would pass."""
        assert refusals(zoneless(START - 31 * MINUTE, START, START + length * MINUTE))
        assert not refusals(zoneless(START - 30 * MINUTE, START, START + length * MINUTE))

    def test_one_time_without_zone_is_enough_to_need_the_proof(self) -> None:
        far = read(FORECAST, ("T10:00:00Z", "T11:00:00"), ("T10:14:59Z", "T11:14:59Z"))
        assert only_second_cable(far).code == "INVALID_TIME"

    def test_a_date_time_without_zone_proves_nothing(self) -> None:
        envelope = read(FORECAST, ("T10:00:00Z", "T10:00:00"), ("T10:00:00.000Z", "T10:00:00.000"))
        assert only_second_cable(envelope).code == "INVALID_TIME"

    def test_each_cable_is_judged_by_itself(self) -> None:
        text = written(FORECAST).replace("T10:00:00Z", "T13:00:00", 1).replace("T10:14:59Z", "T13:14:59", 1)
        assert only_second_cable(soap.read(text.encode())).code == "INVALID_TIME"

    @pytest.mark.parametrize("cell", [QUARTER, 4 * QUARTER])
    @pytest.mark.parametrize("hours", [1, 2, -5])
    def test_a_forecast_in_local_time_is_seen_summer_and_winter(self, hours: int, cell: timedelta) -> None:
        local = [START + timedelta(hours=hours) + n * cell for n in range(24)]
        assert refusals(zoneless(START, *local))


def test_we_write_z_and_no_time_without_zone() -> None:
    assert "2026-01-01T10:00:00Z" in written(REQUEST)
    assert "T10:00:00.000Z</DateTime>" in written(REQUEST)
    naive = START.replace(tzinfo=None)
    block = ForecastedBlock(naive, naive + QUARTER, AMOUNT, LEFT)
    with pytest.raises(LocalError):
        soap.write(HEADER, UpdateCableCapacityForecastRequest((Forecast("C1", (block,)),)))


def test_our_own_times_may_have_any_zone_and_are_written_in_utc() -> None:
    amsterdam = timezone(timedelta(hours=1))
    start = START.astimezone(amsterdam)
    block = ForecastedBlock(start, start + QUARTER, AMOUNT, LEFT)
    assert "<StartTime>2026-01-01T10:00:00Z" in written(UpdateCableCapacityForecastRequest((Forecast("C1", (block,)),)))


def test_the_clock_in_a_heartbeats_answer() -> None:
    body = HeartbeatResponse(START, Result.success())
    for text, noted in (("10:00:00.000", {11}), ("11:00:00.000+01:00", {11}), ("10:00:00Z", set())):
        envelope = read(body, ("<CurrentTime>2026-01-01T10:00:00.000Z", f"<CurrentTime>2026-01-01T{text}"))
        assert envelope.body == body
        assert rows(envelope) == noted
