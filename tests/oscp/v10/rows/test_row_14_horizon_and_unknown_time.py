"""Row 14: any blocks are read, off our grid too; what a forecast leaves open is no permission."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dso_office import MONDAY, World
from gridroom.cso.book import Book
from gridroom.oscp.v10.blocks import CableRefused, Span, forecast_blocks, forecast_spans
from gridroom.oscp.v10.messages import CableUsage, Forecast, UpdateCableCapacityForecastRequest
from gridroom.oscp.v10.profile import PeerProfile
from gridroom.oscp.v10.usage import usage_spans
from oscp_samples import QUARTER, SECOND, START, TERMS, at, block, level, limits, noted, used, value

MINUTE = timedelta(minutes=1)
ONE = 1 / 900


def book(*forecasts: Sequence[Span]) -> Book:
    """A CSO's book after these forecasts, made a minute apart."""
    known = Book()
    for number, spans in enumerate(forecasts):
        made = START + number * MINUTE
        known, _ = known.accept(made, spans, (), made)
    return known


def allowed(known: Book, n: int, now: datetime = START, cell: timedelta = QUARTER) -> list[int]:
    """Limits of phase 1 in the cells from START on. [A]"""
    return [int(v) // 100 for v in known.limits(now, START, n, cell)[0]]


class TestBlocks:
    @pytest.mark.parametrize("seconds", [1, 2, 90, 900, 3600, 78_300, 10**7])
    def test_any_length_of_a_second_or_more(self, seconds: int) -> None:
        (span,) = limits(block(0, seconds * ONE, "5"))
        assert span.end - span.start == seconds * SECOND

    def test_shorter_than_a_second_refuses_the_cable(self) -> None:
        with pytest.raises(CableRefused, match="second"):
            limits(block(0, 0.999 * ONE, "5"))
        with pytest.raises(CableRefused, match="second"):
            usage_spans(CableUsage("A", (used(0, 0.999 * ONE, value("1", 1)),)), TERMS)

    def test_unsorted_is_sorted_with_a_deviation(self) -> None:
        spans, _, notes = forecast_spans(Forecast("A", (block(1, 2, "2"), block(0, 1, "1"))), TERMS)
        assert [span.start for span in spans] == [at(0), at(1)]
        assert noted(notes) == [14]

    @pytest.mark.parametrize("later", ["1", "2"])
    def test_a_real_overlap_refuses_the_cable_even_with_equal_values(self, later: str) -> None:
        with pytest.raises(CableRefused, match="overlap"):
            limits(block(0, 2, "1"), block(1, 3, later))
        with pytest.raises(CableRefused, match="overlap"):
            limits(block(0, 9, "1"), block(3, 4, later))


class TestThePlanningGrid:
    def test_each_cell_takes_the_smallest_value_that_touches_it(self) -> None:
        known = book(limits(block(0, 0.5, "9"), block(0.5, 2.1, "20"), block(2.1, 4, "7")))
        assert allowed(known, 4) == [9, 20, 7, 7]
        assert allowed(known, 2, cell=2 * QUARTER) == [9, 7]

    @settings(max_examples=60)
    @given(
        st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 1000), st.integers(0, 40)), min_size=1, max_size=12),
        st.integers(-4000, 4000),
    )
    def test_no_cell_is_above_any_value_that_touches_it_nor_open_where_a_part_is(
        self, parts: list[tuple[int, int, int]], shift: int
    ) -> None:
        spans, moment = list[Span](), START + shift * SECOND
        for length, gap, amps in parts:
            end = moment + length * SECOND
            spans.append(Span(moment, end, (100 * amps, 100 * amps, None)))
            moment = end + gap * SECOND
        known = book(spans)
        offline = known.offline_ca[0] // 100
        grid = known.limits(START - 9999 * SECOND, START, 16)
        for cell in range(16):
            a, b = at(cell), at(cell + 1)
            touching = [span for span in spans if span.start < b and span.end > a]
            covered = sum((min(s.end, b) - max(s.start, a) for s in touching), timedelta(0))
            least = min((s.amounts[0] or 0 for s in touching), default=0) // 100
            inside = offline if b <= spans[-1].end else 0
            expected = least if covered == QUARTER else min(least, inside) if touching else inside
            assert grid[0, cell] == 100 * expected
            assert grid[2, cell] == 0


class TestUnknownTime:
    """The smaller of the older forecast, if one covers it, and the offline value; 0 past the last block."""

    LATER = (block(10, 20, "6"),)

    def test_a_gap(self) -> None:
        new = limits(block(0, 1, "9"), block(2, 10, "9"), *self.LATER)
        assert allowed(book(new), 3) == [9, 6, 9]
        assert allowed(book(limits(block(0, 8, "3")), new), 3) == [9, 3, 9]
        assert allowed(book(limits(block(0, 8, "8")), new), 3) == [9, 6, 9]

    def test_before_the_first_block(self) -> None:
        new = limits(block(1, 10, "9"), *self.LATER)
        assert allowed(book(new), 2) == [6, 9]
        assert allowed(book(limits(block(0, 8, "3")), new), 2) == [3, 9]

    def test_after_the_last_block_nothing(self) -> None:
        new = limits(block(0, 10, "9"), *self.LATER)
        assert allowed(book(limits(block(0, 30, "8")), new), 21)[19:] == [6, 0]

    def test_a_missing_phase(self) -> None:
        new = limits(block(0, 1, value("9", 2)), block(1, 10, "9"), *self.LATER)
        known = book(limits(block(0, 8, "3")), new)
        assert known.limits(START + MINUTE, START, 2).tolist() == [[300, 900], [900, 900], [300, 900]]

    def test_a_forecast_that_was_refused(self) -> None:
        known, _ = book(limits(block(0, 1, "5"), block(1, 10, "9"), *self.LATER)).refuse(at(0.1), at(0.1))
        assert allowed(known, 3) == [5, 6, 6]
        never, _ = Book().refuse(START, START)
        assert allowed(never, 2) == [0, 0]


class TestTheOfflineValue:
    """The least that the last accepted forecast states for later than 2 h after its first block."""

    def test_the_least_of_all_that_is_stated_later_than_two_hours(self) -> None:
        known = book(limits(block(0, 1, "1"), block(1, 8, "9"), block(8, 9, "7"), block(9, 12, "8")))
        assert known.offline(START) == (700, 700, 700)

    def test_a_block_that_reaches_beyond_the_two_hours_counts(self) -> None:
        assert book(limits(block(0, 8.5, "4"), block(8.5, 12, "8"))).offline(START) == (400, 400, 400)
        assert book(limits(block(0, 8, "4"), block(8, 12, "8"))).offline(START) == (800, 800, 800)

    def test_it_is_counted_from_the_first_block_not_from_now(self) -> None:
        known, _ = Book().accept(at(4), limits(block(0, 8, "4"), block(8, 16, "8")), (), at(4))
        assert known.offline(at(4)) == (800, 800, 800)

    def test_0_where_none_is_stated_phase_by_phase(self) -> None:
        assert book(limits(block(0, 8, "4"))).offline(START) == (0, 0, 0)
        later = block(8, 12, value("8", 1), value("7", 3))
        assert book(limits(block(0, 8, "4"), later)).offline(START) == (800, 0, 700)

    def test_0_past_the_last_block(self) -> None:
        known = book(limits(block(0, 12, "4")))
        assert known.offline(at(12) - SECOND) == (400, 400, 400)
        assert known.offline(at(12)) == (0, 0, 0)


class TestWriting:
    def grid(self, *amps: int, n: int = 96) -> NDArray[np.int64]:
        cells = np.full((3, n), 100 * amps[-1], dtype=np.int64)
        cells[:, : len(amps)] = 100 * np.array(amps)
        return cells

    def test_full_writes_every_block(self) -> None:
        blocks = forecast_blocks(START, QUARTER, self.grid(5), self.grid(1), PeerProfile(shape="full"))
        assert [(one.start, one.end) for one in blocks] == [(at(k), at(k + 1)) for k in range(96)]

    def test_merged_joins_equal_neighbours_also_by_what_remains(self) -> None:
        profile = PeerProfile(shape="merged")
        joined = forecast_blocks(START, QUARTER, self.grid(5, 5, 7), self.grid(1), profile)
        assert [(one.start, one.end) for one in joined] == [(at(0), at(2)), (at(2), at(96))]
        assert len(forecast_blocks(START, QUARTER, self.grid(5), self.grid(1, 2), profile)) == 2

    def test_tail_writes_two_fine_hours_and_then_the_minimum_of_coarser_blocks(self) -> None:
        cells = self.grid(5)
        cells[:, 9] = 300
        blocks = forecast_blocks(START, QUARTER, cells, cells, PeerProfile(shape="tail"))
        assert [one.end - one.start for one in blocks] == [QUARTER] * 8 + [8 * QUARTER] * 11
        assert str(blocks[8].capacity[0].value) == "3.00"
        assert str(blocks[8].remaining[0].value) == "3.00"

    @pytest.mark.parametrize("shape", ["full", "merged", "tail"])
    @pytest.mark.parametrize(("n", "cell"), [(1, QUARTER), (3, QUARTER), (8, QUARTER), (9, QUARTER), (8, 12 * QUARTER)])
    def test_any_horizon_and_block_length_without_gaps(self, shape: str, n: int, cell: timedelta) -> None:
        profile = PeerProfile(shape=shape)  # type: ignore[arg-type]
        blocks = forecast_blocks(START, cell, self.grid(5, n=n), self.grid(1, n=n), profile)
        assert blocks[0].start == START
        assert blocks[-1].end == START + n * cell
        assert all(a.end == b.start for a, b in pairwise(blocks))

    @pytest.mark.parametrize("shape", ["full", "merged", "tail"])
    def test_our_dso_states_24_hours_from_the_first_block_without_gaps(self, shape: str) -> None:
        peers = [{"party": n, "ids": [n], "url": f"https://{n}", "kind": "gridroom"} for n in ("north", "south")]
        world = World(peer=[{**peers[0], "profile": {"shape": shape}}, peers[1]])
        world.history(3)
        world.clock.time = MONDAY + 7 * MINUTE
        asyncio.run(world.dso.publish(world.clock.time))
        body = world.csos["north"].forecasts()[-1].body
        assert isinstance(body, UpdateCableCapacityForecastRequest)
        blocks = body.forecasts[0].blocks
        assert blocks[0].start <= MONDAY + 7 * MINUTE < blocks[0].end
        assert blocks[-1].end - blocks[0].start >= timedelta(hours=24)
        assert all(a.end == b.start for a, b in pairwise(blocks))
        world.close()


def test_the_day_of_6_1_1_with_its_last_block_of_21_hours() -> None:
    day = limits(*(block(k, k + 1, "24") for k in range(8)), block(8, 95, "24"))
    assert level(day, at(94.99)) == (2400, 2400, 2400)
    assert level(day, at(95)) == (None, None, None)
