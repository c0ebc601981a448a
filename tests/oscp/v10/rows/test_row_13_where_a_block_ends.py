"""Row 13: 00:14:59 is a quarter past, and a second between two blocks is nobody's freedom."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from gridroom.oscp.errors import LocalError
from gridroom.oscp.v10.blocks import CableRefused, Span, forecast_spans
from gridroom.oscp.v10.messages import (
    CableUsage,
    Forecast,
    ForecastedBlock,
    RequestAdjustedCapacityRequest,
    UpdateCableCapacityForecastRequest,
)
from gridroom.oscp.v10.profile import DEFAULT, PeerProfile
from gridroom.oscp.v10.usage import UsageSpan, usage_spans
from gridroom.oscp.v10.values import read_end
from oscp_samples import (
    AMOUNT,
    FORECAST,
    LEFT,
    QUARTER,
    REQUEST,
    SECOND,
    START,
    TERMS,
    USAGE,
    at,
    block,
    level,
    limits,
    only_second_cable,
    read,
    refusals,
    used,
    value,
    written,
)

ONE = 1 / 900
"""A second, in quarters of an hour."""


class TestReading:
    @pytest.mark.parametrize(
        ("text", "meant"),
        [
            ("10:14:59Z", START + QUARTER),
            ("10:14:59.001Z", START + QUARTER),
            ("10:14:59.9999999Z", START + QUARTER),
            ("10:15:00Z", START + QUARTER),
            ("10:14:58Z", START + QUARTER - 2 * SECOND),
            ("10:14:29Z", START + QUARTER - 31 * SECOND),
            ("10:15:00.5Z", START + QUARTER + timedelta(seconds=0.5)),
            ("10:00:59Z", START + timedelta(minutes=1)),
        ],
    )
    def test_an_end_in_the_last_second_of_a_minute_is_the_next_full_minute_any_other_is_exclusive(
        self, text: str, meant: datetime
    ) -> None:
        envelope = read(REQUEST, ("10:14:59Z", text))
        assert isinstance(envelope.body, RequestAdjustedCapacityRequest)
        assert envelope.body.adjustments[0].blocks[0].end == meant
        assert envelope.deviations == ()

    def test_the_last_second_of_all_has_no_minute_after_it(self) -> None:
        with pytest.raises(ValueError, match="9999"):
            read_end(datetime.fromisoformat("9999-12-31T23:59:59Z"))
        refusal = only_second_cable(read(FORECAST, ("2026-01-01T10:14:59Z", "9999-12-31T23:59:59Z")))
        assert refusal.code == "INVALID_TIME"

    @pytest.mark.parametrize(
        "end", ["2026-01-01T10:00:00Z", "2026-01-01T09:59:59Z", "2025-01-01T10:00:00Z", "2026-01-01T11:00:00+01:00"]
    )
    def test_an_end_that_is_not_after_its_start_refuses_the_cable(self, end: str) -> None:
        assert only_second_cable(read(FORECAST, ("2026-01-01T10:14:59Z", end))).code == "INVALID_TIME"
        for body in (REQUEST, USAGE):
            assert [one.code for one in refusals(read(body, ("2026-01-01T10:14:59Z", end)))] == ["INVALID_TIME"]

    def test_also_in_values_that_we_were_handed(self) -> None:
        with pytest.raises(CableRefused, match="ends before"):
            limits(block(1, 1, "1"))
        with pytest.raises(CableRefused, match="ends before"):
            usage_spans(CableUsage("A", (used(1, 0, value("1", 1)),)), TERMS)


def halves(spans: list[Span], moments: list[float]) -> list[int | None]:
    return [level(spans, at(moment))[0] for moment in moments]


class TestSeams:
    @pytest.mark.parametrize(("before", "after"), [("5", "9"), ("9", "5")])
    @pytest.mark.parametrize("seam", [ONE, ONE / 2, -ONE, -ONE / 2])
    def test_up_to_a_second_it_has_the_smaller_neighbours_amount(self, seam: float, before: str, after: str) -> None:
        spans = limits(block(0, 1, before), block(1 + seam, 2, after))
        middle = 1 + seam / 2
        assert halves(spans, [0, 0.9, middle, 1.1, 1.99]) == [
            100 * int(before),
            100 * int(before),
            500,
            100 * int(after),
            100 * int(after),
        ]
        assert all(a.end == b.start for a, b in pairwise(spans))

    def test_a_longer_gap_stays_open_and_a_longer_overlap_refuses(self) -> None:
        spans = limits(block(0, 1, "5"), block(1 + 1.001 * ONE, 2, "9"))
        assert halves(spans, [1 + ONE / 2]) == [None]
        with pytest.raises(CableRefused, match="overlap"):
            limits(block(0, 1, "5"), block(1 - 1.001 * ONE, 2, "9"))

    def test_beside_an_unknown_phase_it_is_unknown(self) -> None:
        spans = limits(block(0, 1, value("5", 1)), block(1 + ONE, 2, "9"))
        assert level(spans, at(1 + ONE / 2)) == (500, None, None)

    def test_remaining_capacity_too(self) -> None:
        parts = (block(0, 1, "5", left=("4",)), block(1 + ONE, 2, "9", left=("3",)))
        left = forecast_spans(Forecast("A", parts), TERMS)[1]
        assert level(left, at(1 + ONE / 2)) == (300, 300, 300)

    def test_a_repeated_block_beside_a_seam_is_one(self) -> None:
        later = block(1 - ONE, 2, "9")
        spans = limits(block(0, 1, "5"), later, later)
        assert halves(spans, [1 - ONE / 2, 1.5]) == [500, 900]

    def test_blocks_of_a_second_that_touch_on_both_sides(self) -> None:
        spans = limits(block(0, ONE, "5"), block(0, 1, "9"))
        assert halves(spans, [ONE / 2, 0.5]) == [500, 900]
        spans = limits(block(0, 1, "9"), block(1 - ONE, 1, "5"), block(1, 2, "7"))
        assert halves(spans, [0.5, 1 - ONE / 2, 1.5]) == [900, 500, 700]

    def test_three_blocks_in_one_second_refuse(self) -> None:
        with pytest.raises(CableRefused, match="overlap"):
            limits(block(0, ONE, "5"), block(0.5 * ONE, 1.5 * ONE, "6"), block(0.6 * ONE, 1.6 * ONE, "7"))

    def test_usage_closes_with_the_smaller_too(self) -> None:
        def subtracted(seam: float) -> list[UsageSpan]:
            blocks = (used(0, 1, value("5", 1)), used(1 + seam, 2, value("9", 1)))
            return usage_spans(CableUsage("A", blocks), TERMS)[0]

        for seam in (ONE, -ONE):
            spans = subtracted(seam)
            assert [span.subtractable_ca[0] for span in spans] == [500, 500, 900]
            assert [span.current_ca[0] for span in spans] == [500, None, 900]
            assert spans[0].end == spans[1].start
            assert spans[1].end == spans[2].start
        with pytest.raises(CableRefused, match="overlap"):
            subtracted(-2 * ONE)


class TestWriting:
    def test_the_last_second_or_the_full_minute_by_profile(self) -> None:
        assert "<EndTime>2026-01-01T10:14:59Z</EndTime>" in written(FORECAST)
        assert "<EndTime>2026-01-01T10:15:00Z</EndTime>" in written(FORECAST, PeerProfile(ends="exclusive"))
        assert PeerProfile().ends == "inclusive"

    def ending(self, end: datetime) -> UpdateCableCapacityForecastRequest:
        return UpdateCableCapacityForecastRequest((Forecast("C1", (ForecastedBlock(START, end, AMOUNT, LEFT),)),))

    @pytest.mark.parametrize("profile", [DEFAULT, PeerProfile(ends="exclusive")])
    def test_an_end_off_the_minute_is_exclusive(self, profile: PeerProfile) -> None:
        assert "T10:01:30Z</EndTime>" in written(self.ending(START + 90 * SECOND), profile)

    @pytest.mark.parametrize("profile", [DEFAULT, PeerProfile(ends="exclusive")])
    def test_an_end_that_would_be_read_otherwise_is_not_written(self, profile: PeerProfile) -> None:
        with pytest.raises(LocalError):
            written(self.ending(START + 59 * SECOND), profile)
