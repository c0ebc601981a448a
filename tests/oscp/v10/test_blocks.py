"""What blocks mean (OSCP 1.0 sections 3.2.3 and 3.2.5): every choice rounds towards less capacity."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridroom.oscp.v10.blocks import (
    UNKNOWN,
    CableRefused,
    CableTerms,
    Span,
    answer_spans,
    forecast_blocks,
    forecast_spans,
    gather,
    request_spans,
    to_grid,
)
from gridroom.oscp.v10.messages import Adjustment, CapacityBlock, Forecast, ForecastedBlock, ValueType
from gridroom.oscp.v10.profile import PeerProfile

T0 = datetime(2026, 1, 5, 10, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
TERMS = CableTerms()


def at(quarters: float) -> datetime:
    return T0 + quarters * QUARTER


def block(first: float, last: float, *values: str | ValueType, remaining: str = "0") -> ForecastedBlock:
    amounts = tuple(v if isinstance(v, ValueType) else ValueType(Decimal(v)) for v in values)
    return ForecastedBlock(at(first), at(last), amounts, (ValueType(Decimal(remaining)),))


def read(*blocks: ForecastedBlock, terms: CableTerms = TERMS) -> list[Span]:
    return forecast_spans(Forecast("A", blocks), terms)[0]


def phase(value: str, number: int, unit: str = "A") -> ValueType:
    return ValueType(Decimal(value), unit, number)


class TestAmounts:
    def test_one_value_without_phase_holds_for_each(self) -> None:
        assert read(block(0, 1, "24.009"))[0].amounts == (2400, 2400, 2400)

    def test_several_without_phase_the_smallest_holds(self) -> None:
        spans, _, notes = forecast_spans(Forecast("A", (block(0, 1, "24", "16", "20"),)), TERMS)
        assert spans[0].amounts == (1600, 1600, 1600)
        assert [n.row for n in notes] == [5]

    def test_phases_not_stated_are_unknown(self) -> None:
        assert read(block(0, 1, phase("7", 1), phase("5", 3)))[0].amounts == (700, None, 500)

    def test_negative_is_nothing_and_above_the_maximum_is_the_maximum(self) -> None:
        terms = CableTerms(maximum_ca=1000)
        assert read(block(0, 1, phase("-3", 1), phase("11", 2), phase("9", 3)), terms=terms)[0].amounts == (
            0,
            1000,
            900,
        )

    def test_power_without_phase_is_the_sum_and_converts_at_a_tenth_above_the_voltage(self) -> None:
        assert read(block(0, 1, ValueType(Decimal("7.59"), "kW")))[0].amounts == (1000, 1000, 1000)

    def test_power_needs_a_voltage(self) -> None:
        with pytest.raises(CableRefused, match="unit W"):
            read(block(0, 1, ValueType(Decimal(100), "W")), terms=CableTerms(voltage_v=None))

    @pytest.mark.parametrize("values", [(phase("1", 1), phase("2", 1)), (phase("1", 1), ValueType(Decimal(1)))])
    def test_contradictions_refuse_the_cable(self, values: tuple[ValueType, ...]) -> None:
        with pytest.raises(CableRefused):
            read(block(0, 1, *values))


class TestTimes:
    def test_unsorted_is_sorted_and_told(self) -> None:
        spans, _, notes = forecast_spans(Forecast("A", (block(1, 2, "2"), block(0, 1, "1"))), TERMS)
        assert [s.start for s in spans] == [at(0), at(1)]
        assert [n.row for n in notes] == [14]

    def test_a_real_overlap_refuses(self) -> None:
        with pytest.raises(CableRefused, match="overlap"):
            read(block(0, 2, "1"), block(1, 3, "2"))

    def test_an_end_before_the_start_refuses(self) -> None:
        with pytest.raises(CableRefused, match="ends before"):
            read(block(1, 1, "1"))

    def test_a_seam_of_a_second_takes_the_smaller_neighbour(self) -> None:
        second = 1 / 900
        for seam in (-second, second):
            grid = to_grid(read(block(0, 1, "5"), block(1 + seam, 2, "9")), T0, 2, QUARTER)
            assert grid[0, 0] == 500
            assert grid[0, 1] in (500, 900)
            assert UNKNOWN not in grid

    def test_equal_repeats_are_one_and_disjoint_phases_join(self) -> None:
        joined = read(block(0, 1, phase("1", 1)), block(0, 1, phase("2", 2)), block(0, 1, phase("2", 2)))
        assert [s.amounts for s in joined] == [(100, 200, None)]

    def test_repeated_cables_follow_the_rules_of_repeated_blocks(self) -> None:
        one = Forecast("A", (block(0, 1, "5"),))
        assert len(read(*gather([one, one])[0].blocks)) == 1
        with pytest.raises(CableRefused, match="same time"):
            read(*gather([one, Forecast("A", (block(0, 1, "6"),))])[0].blocks)


class TestGrid:
    def test_open_cells_are_unknown(self) -> None:
        grid = to_grid(read(block(1, 2.5, "5")), T0, 4, QUARTER)
        assert grid[0].tolist() == [UNKNOWN, 500, UNKNOWN, UNKNOWN]

    @given(
        st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 1000), st.integers(0, 4000)), min_size=1, max_size=12),
        st.integers(-4000, 4000),
    )
    def test_no_cell_is_above_any_value_that_touches_it(self, parts: list[tuple[int, int, int]], shift: int) -> None:
        spans, moment = [], T0 + timedelta(seconds=shift)
        for length, gap, value in parts:
            end = moment + timedelta(seconds=length)
            spans.append(Span(moment, end, (value, value + 1, None)))
            moment = end + timedelta(seconds=gap)
        grid = to_grid(spans, T0, 16, QUARTER)
        for cell in range(16):
            a, b = at(cell), at(cell + 1)
            touching = [s for s in spans if s.start < b and s.end > a]
            covered = sum(((min(s.end, b) - max(s.start, a)) for s in touching), timedelta(0))
            expected = min(s.amounts[0] or 0 for s in touching) if touching and covered == QUARTER else UNKNOWN
            assert grid[0, cell] == expected
            assert grid[2, cell] == UNKNOWN


class TestWriting:
    @given(
        st.lists(st.tuples(*[st.integers(0, 9999)] * 3), min_size=96, max_size=96),
        st.sampled_from(["full", "merged", "tail"]),
        st.sampled_from(["smallest", "per-phase"]),
    )
    def test_what_a_peer_reads_is_never_above_what_we_meant(
        self, limits: list[tuple[int, int, int]], shape: str, phases: str
    ) -> None:
        profile = PeerProfile(shape=shape, phases=phases)  # type: ignore[arg-type]
        grid = np.array(limits, dtype=np.int64).T
        blocks = forecast_blocks(T0, QUARTER, grid, np.zeros_like(grid), profile)
        back = to_grid(forecast_spans(Forecast("A", blocks), TERMS)[0], T0, 96, QUARTER)
        assert (back >= 0).all()
        assert (back <= grid).all()
        if (shape, phases) != ("tail", "per-phase") and phases == "per-phase":
            assert (back == grid).all()

    def test_equal_neighbours_join(self) -> None:
        grid = np.full((3, 96), 1600, dtype=np.int64)
        assert len(forecast_blocks(T0, QUARTER, grid, grid, PeerProfile(shape="merged"))) == 1
        assert len(forecast_blocks(T0, QUARTER, grid, grid, PeerProfile(shape="tail"))) == 8 + 11


def ask(first: float, last: float, *values: str | ValueType) -> CapacityBlock:
    amounts = tuple(v if isinstance(v, ValueType) else ValueType(Decimal(v)) for v in values)
    return CapacityBlock(at(first), at(last), amounts)


class TestAdjustments:
    def test_equal_repeats_are_one_never_a_sum(self) -> None:
        spans, notes = request_spans(Adjustment("A", (ask(0, 1, "12"),) * 5), TERMS)
        assert [s.amounts for s in spans] == [(1200, 1200, 1200)]
        assert {n.row for n in notes} == {15}

    def test_different_values_for_one_time_refuse(self) -> None:
        with pytest.raises(CableRefused, match="overlapping"):
            request_spans(Adjustment("A", (ask(0, 1, "12"), ask(0, 1, "11"))), TERMS)

    @pytest.mark.parametrize(
        ("values", "read_as"), [(("-5", "-3"), -300), (("-5", "3"), 0), (("5", "3"), 300), (("-1.009",), -100)]
    )
    def test_several_without_phase_never_move_more_than_stated(self, values: tuple[str, ...], read_as: int) -> None:
        spans, _ = request_spans(Adjustment("A", (ask(0, 1, *values),)), TERMS)
        assert spans[0].amounts == (read_as,) * 3

    @given(st.integers(-500, 500), st.integers(-500, 500), st.booleans())
    def test_never_more_granted_than_asked(self, asked: int, given_ca: int, granted: bool) -> None:
        question = [Span(at(0), at(1), (asked, asked, None))]
        answer = Adjustment("A", (ask(0, 1, str(Decimal(given_ca) / 100)), ask(3, 4, "50")))
        spans, _ = answer_spans(question, answer, TERMS, granted=granted)
        expected = max(0, min(asked, given_ca)) if granted else 0
        assert [s.amounts for s in spans] == [(expected, expected, 0)]

    def test_no_phase_is_asked_for_twice_however_the_blocks_are_cut(self) -> None:
        twice = (ask(0, 1, phase("5", 1), phase("4", 2)), ask(0, 1, phase("5", 1)), ask(0, 1, phase("3", 3)))
        spans, notes = request_spans(Adjustment("A", twice), TERMS)
        assert [s.amounts for s in spans] == [(500, 400, 300)]
        assert {n.row for n in notes} == {5}

    @pytest.mark.parametrize("blocks", [(ask(0, 2, "5"), ask(1, 3, "5")), (ask(0, 9, "5"), ask(3, 4, "5"))])
    def test_equal_values_for_times_that_overlap_in_part_refuse(self, blocks: tuple[CapacityBlock, ...]) -> None:
        with pytest.raises(CableRefused, match="overlap"):
            request_spans(Adjustment("A", blocks), TERMS)

    def test_an_answer_cut_by_phases_counts_for_each_phase(self) -> None:
        question = [Span(at(0), at(1), (500, 500, 500))]
        answer = Adjustment("A", (ask(0, 1, phase("5", 1)), ask(0, 1, phase("4", 2)), ask(0, 1, phase("9", 3))))
        spans, _ = answer_spans(question, answer, TERMS, granted=True)
        assert [s.amounts for s in spans] == [(500, 400, 500)]


class TestCost:
    """One long message must not stall anyone: the work grows with its length, not with the square."""

    MANY = 20_000

    def test_a_request_of_many_blocks(self) -> None:
        blocks = tuple(ask(i, i + 1, "1") for i in range(self.MANY))
        assert len(request_spans(Adjustment("A", blocks + blocks[:100]), TERMS)[0]) == self.MANY

    def test_a_forecast_of_many_blocks(self) -> None:
        blocks = tuple(block(i, i + 1, "1") for i in range(self.MANY))
        assert len(read(*blocks, *blocks[:100])) == self.MANY

    def test_many_containers_of_one_cable(self) -> None:
        forecasts = [Forecast("A", (block(i, i + 1, "1"),)) for i in range(2 * self.MANY)]
        assert len(gather(forecasts)[0].blocks) == 2 * self.MANY
