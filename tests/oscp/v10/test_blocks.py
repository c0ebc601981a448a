"""Laws of blocks (OSCP 1.0 sections 3.2.3 and 3.2.5), whatever they hold; the decisions one by one are in `rows/`."""

import random
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.blocks import (
    CableRefused,
    Span,
    amounts,
    answer_spans,
    forecast_blocks,
    forecast_spans,
    gather,
    request_spans,
)
from gridroom.oscp.v10.messages import (
    Adjustment,
    Forecast,
    UpdateCableCapacityForecastRequest,
    ValueType,
)
from gridroom.oscp.v10.profile import PeerProfile
from gridroom.oscp.v10.spans import closed_spans
from oscp_samples import HEADER, QUARTER, START, TERMS, ask, at, block, level, limits, value

CELLS = 12
PROFILES = st.builds(
    PeerProfile,
    phases=st.sampled_from(["smallest", "per-phase"]),
    shape=st.sampled_from(["full", "merged", "tail"]),
    ends=st.sampled_from(["inclusive", "exclusive"]),
)


class TestWhatWeWrite:
    @settings(max_examples=60)
    @given(st.lists(st.tuples(*[st.integers(0, 300)] * 3), min_size=CELLS, max_size=CELLS), PROFILES)
    def test_is_read_as_no_more_than_we_meant_at_any_moment_on_any_phase(
        self, cells: list[tuple[int, int, int]], profile: PeerProfile
    ) -> None:
        grid = np.array(cells, dtype=np.int64).T
        left = grid[:, ::-1]
        body = UpdateCableCapacityForecastRequest(
            (Forecast("A", forecast_blocks(START, QUARTER, grid, left, profile)),)
        )
        again = soap.read(soap.write(HEADER, body, profile)).body
        assert isinstance(again, UpdateCableCapacityForecastRequest)
        spans, spare, notes = forecast_spans(again.forecasts[0], TERMS)
        assert notes == []
        for cell in range(CELLS):
            for moment in (at(cell), at(cell + 0.5), at(cell + 1) - timedelta(microseconds=1)):
                for stated, meant in ((level(spans, moment), grid[:, cell]), (level(spare, moment), left[:, cell])):
                    assert all(one is not None and one <= most for one, most in zip(stated, meant, strict=True))
                    if profile.phases == "per-phase" and profile.shape != "tail":
                        assert stated == tuple(meant)
        assert level(spans, at(CELLS)) == (None, None, None)

    @given(st.tuples(*[st.integers(-(10**6), 10**6)] * 3), PROFILES)
    def test_is_as_one_amount_or_three_never_more_than_meant(
        self, meant: tuple[int, int, int], profile: PeerProfile
    ) -> None:
        stated = amounts(meant, profile)
        back = request_spans(Adjustment("A", (ask(0, 1, *stated),)), TERMS)[0][0].amounts
        assert all(one is not None and one <= most for one, most in zip(back, meant, strict=True))
        assert back == (meant if profile.phases == "per-phase" else (min(meant),) * 3)


SECONDS = st.tuples(st.integers(1, 40), st.sampled_from([-3, -2, -1, -1, 0, 0, 0, 1, 1, 2, 5]))
PHASE = st.one_of(st.none(), st.integers(0, 9))


class TestClosing:
    @settings(max_examples=200)
    @given(st.lists(st.tuples(SECONDS, st.tuples(PHASE, PHASE, PHASE)), min_size=1, max_size=8))
    def test_nothing_is_above_what_is_stated_for_a_moment_and_nothing_is_lost(
        self, parts: list[tuple[tuple[int, int], tuple[int | None, ...]]]
    ) -> None:
        """Spans of half seconds: some touch, some leave gaps, some overlap."""
        half, spans, moment = timedelta(seconds=0.5), list[Span](), START
        for (length, gap), stated in parts:
            end = moment + (length + 1) * half
            spans.append(Span(moment, end, (stated[0], stated[1], stated[2])))
            moment = end + gap * half
        if len({(s.start, s.end) for s in spans}) < len(spans):
            return
        ordered = sorted(spans, key=lambda s: (s.start, s.end))
        try:
            result = closed_spans(spans)
        except ValueError:
            long = (a.end - b.start > 2 * half for k, a in enumerate(ordered) for b in ordered[k + 1 :])
            assert any(long) or sum(b.start < a.end for a, b in pairwise(ordered)) > 1  # or three in one second
            return
        assert all(a.start < a.end <= b.start for a, b in pairwise(result))
        for k in range(int((ordered[-1].end - START) / half) + 20):
            t = START + (k - 10) * half
            stating = [s for s in spans if s.start <= t < s.end]
            for phase, got in enumerate(level(result, t)):
                named = [s.amounts[phase] for s in stating if s.amounts[phase] is not None]
                if named:
                    assert got == min(one for one in named if one is not None)
                elif stating:
                    assert got is None
                else:
                    before = [s for s in spans if s.end <= t]
                    after = [s for s in spans if s.start > t]
                    near = [s.amounts[phase] for s in before if s.end == max(one.end for one in before)]
                    near += [s.amounts[phase] for s in after if s.start == min(one.start for one in after)]
                    assert got is None or got <= min((one for one in near if one is not None), default=-1)


class TestRequests:
    VALUES = st.tuples(*[st.one_of(st.none(), st.integers(-50, 50))] * 3)

    @given(st.lists(VALUES, min_size=1, max_size=4), st.randoms(use_true_random=False))
    def test_however_they_are_cut_and_repeated_no_phase_changes_by_more_than_stated(
        self, wishes: list[tuple[int | None, ...]], chance: random.Random
    ) -> None:
        blocks = []
        for k, wish in enumerate(wishes):
            stated = [value(str(one), phase) for phase, one in enumerate(wish, 1) if one is not None]
            cuts: list[tuple[ValueType, ...]] = [(one,) for one in stated]
            blocks += [ask(k, k + 1, *cut) for cut in cuts] * 2
            blocks += [ask(k, k + 1, *stated)] if stated else []
        chance.shuffle(blocks)
        spans, _ = request_spans(Adjustment("A", tuple(blocks)), TERMS)
        for k, wish in enumerate(wishes):
            found = [span.amounts for span in spans if span.start == at(k)]
            meant = tuple(None if one is None else 100 * one for one in wish)
            assert found == ([meant] if any(one is not None for one in wish) else [])
        assert all(s.amounts == (0, 0, 0) for s in answer_spans(spans, None, TERMS, granted=True)[0])


class TestCost:
    """One long message must not stall anyone: the work grows with its length, not with the square."""

    MANY = 20_000

    def test_a_request_of_many_blocks(self) -> None:
        blocks = tuple(ask(i, i + 1, "1") for i in range(self.MANY))
        assert len(request_spans(Adjustment("A", blocks + blocks[:100]), TERMS)[0]) == self.MANY

    def test_a_forecast_of_many_blocks(self) -> None:
        blocks = tuple(block(i, i + 1, "1") for i in range(self.MANY))
        assert len(limits(*blocks, *blocks[:100])) == self.MANY

    def test_many_containers_of_one_cable(self) -> None:
        forecasts = [Forecast("A", (block(i, i + 1, "1"),)) for i in range(2 * self.MANY)]
        assert len(gather(forecasts)[0].blocks) == 2 * self.MANY


def test_a_refusal_names_the_block_among_many_and_what_is_wrong() -> None:
    with pytest.raises(CableRefused) as caught:
        limits(block(0, 1, "1"), block(1, 2, value("1", unit="V")))
    refusal = caught.value.refusal
    assert refusal.path == "Envelope/Body/UpdateCableCapacityForecastRequest/Forecast/ForecastedBlock[2]/Capacity"
    assert (refusal.cable_id, refusal.code) == ("A", "INVALID_UNIT")
    assert "V cannot be read as ampere" in str(caught.value)
