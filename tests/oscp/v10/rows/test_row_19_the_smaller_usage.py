"""Row 19: 0 Wh beside 16 A. What is subtracted from a measured load becomes capacity, so the smaller is."""

from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gridroom.dso.readings.measurements import NOT_MEASURED
from gridroom.dso.usage import non_controllable, to_cells
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import CableUsage, UpdateAggregatedUsageRequest, UsageBlock, ValueType
from gridroom.oscp.v10.usage import UsageSpan, usage_spans, usage_values
from oscp_samples import QUARTER, START, TERMS, at, used, value

GOLDEN = Path(__file__).parents[1] / "golden"


def usage(*stated: ValueType, length: timedelta = QUARTER) -> UsageSpan:
    report = CableUsage("A", (UsageBlock(START, START + length, stated),))
    return usage_spans(report, TERMS)[0][0]


class TestReading:
    def test_both_are_kept(self) -> None:
        span = usage(value("16", 1), value("0", 1, "Wh"))
        assert span.current_ca == (1600, None, None)
        assert span.energy_wh == (Decimal(0), None, None)

    def test_the_smaller_is_subtracted(self) -> None:
        assert usage(value("16", 1), value("0", 1, "Wh")).subtractable_ca == (0, 0, 0)
        assert usage(value("10", 1), value("920", 1, "Wh")).subtractable_ca == (1000, 0, 0)
        assert usage(value("20", 1), value("920", 1, "Wh")).subtractable_ca == (1600, 0, 0)

    def test_where_one_is_stated_that_one(self) -> None:
        span = usage(value("10", 1), value("920", 2, "Wh"), value("3680", 3, "W"))
        assert span.subtractable_ca == (1000, 1600, 1600)
        assert not span.flagged

    def test_of_energy_in_two_units_the_smaller(self) -> None:
        span = usage(value("920", 1, "Wh"), value("0.5", 1, "kWh"), value("3", 1, "kW"))
        assert span.energy_wh[0] == 500
        assert span.subtractable_ca[0] == 869
        assert span.flagged

    @pytest.mark.parametrize(
        ("current", "energy", "flagged"),
        [
            ("16", "920", False),
            ("16", "736", False),
            ("16", "735.99", True),
            ("12.8", "920", False),
            ("12.79", "920", True),
            ("0", "0", False),
            ("16", "0", True),
            ("-16", "-920", False),
            ("-16", "-735", True),
            ("-16", "920", True),
        ],
    )
    def test_more_than_20_percent_apart_is_flagged(self, current: str, energy: str, flagged: bool) -> None:
        assert usage(value(current, 1), value(energy, 1, "Wh")).flagged is flagged

    def test_negative_is_back_feed_kept_and_subtracts_nothing(self) -> None:
        span = usage(value("-4.009", 1), value("-200", 1, "Wh"), value("-1", 2, "kW"))
        assert span.current_ca == (-400, None, None)
        assert span.energy_wh == (Decimal(-200), Decimal(-250), None)
        assert span.subtractable_ca == (0, 0, 0)
        assert not span.flagged

    def test_6_3_reports_0_wh_beside_16_a_without_phase(self) -> None:
        body = soap.read((GOLDEN / "6.3.xml").read_bytes()).body
        assert isinstance(body, UpdateAggregatedUsageRequest)
        (span,), _ = usage_spans(body.usages[1], TERMS)
        assert (span.total_ca, span.total_wh) == (1600, Decimal(0))
        assert span.subtractable_ca == (0, 0, 0)
        assert span.flagged

    NUMBERS = st.decimals(-(10**5), 10**5, places=4, allow_nan=False)

    @given(
        st.lists(st.tuples(NUMBERS, st.sampled_from(["A", "W", "kW", "Wh", "kWh"])), min_size=1, max_size=5),
        st.integers(1, 10**5),
    )
    def test_never_more_than_any_of_the_values_means(self, stated: list[tuple[Decimal, str]], seconds: int) -> None:
        one_each = {unit: number for number, unit in stated}
        span = usage(
            *(value(format(n, "f"), 1, unit) for unit, n in one_each.items()), length=timedelta(seconds=seconds)
        )
        hours = Fraction(seconds, 3600)
        ampere = {"A": Fraction(1), "W": Fraction(1, 230), "kW": Fraction(1000, 230)}
        ampere |= {"Wh": 1 / hours / 230, "kWh": 1000 / hours / 230}
        means = [Fraction(n) * ampere[unit] * 100 for unit, n in one_each.items()]
        least = max(Fraction(0), min(Fraction(10**11), *means))
        assert least - 1 < span.subtractable_ca[0] <= least
        assert span.subtractable_ca[1:] == (0, 0)

    def test_numbers_without_end_are_no_trouble(self) -> None:
        span = usage(value("9" * 99, 1), value("1" + "0" * 98, 2, "kWh"), value("0." + "9" * 98, 3))
        assert span.subtractable_ca[:2] == (10**11, 10**11)
        assert span.subtractable_ca[2] == 99


class TestTheDso:
    """Never more than was measured on that phase, nor than was allotted and granted."""

    def load(self, measured: int, reported: list[int], entitled: list[int]) -> int:
        def each(amounts: list[int]) -> NDArray[np.int64]:
            return np.array([[[one]] * 3 for one in amounts], dtype=np.int64)

        expected = np.zeros((len(reported), 1), dtype=np.int64)
        load, _ = non_controllable(np.full((3, 1), measured), each(reported), each(entitled), expected)
        assert (load == load[0, 0]).all()
        return int(load[0, 0])

    def test_what_is_reported_is_taken_off_the_measured_load(self) -> None:
        assert self.load(5000, [1000, 600], [2000, 2000]) == 3400

    def test_no_more_than_the_cso_was_allotted_and_granted(self) -> None:
        assert self.load(5000, [3000, 600], [1000, 2000]) == 3400

    def test_no_more_than_was_measured(self) -> None:
        assert self.load(700, [1000, 600], [2000, 2000]) == 0
        assert self.load(-300, [1000, 600], [2000, 2000]) == -300
        assert self.load(NOT_MEASURED, [1000, 600], [2000, 2000]) == NOT_MEASURED

    def test_a_cell_counts_only_where_the_report_covers_all_of_it(self) -> None:
        spans, _ = usage_spans(CableUsage("A", (used(0, 1, value("5", 1)), used(1, 1.5, value("6", 1)))), TERMS)
        cells = to_cells(spans, START, 3, QUARTER)
        assert cells[0].tolist() == [500, -1, -1]
        assert at(1) == spans[0].end


class TestWriting:
    def test_watthours_and_mean_ampere_per_phase(self) -> None:
        stated = usage_values((1600, 0, 5), (Decimal(920), Decimal(0), Decimal("2.885")))
        assert [f"{one.value} {one.unit} {one.phase}" for one in stated] == [
            *("920.00 Wh 1", "0.00 Wh 2", "2.88 Wh 3", "16.00 A 1", "0.00 A 2", "0.05 A 3")
        ]

    @given(st.tuples(*[st.integers(0, 6400)] * 3))
    def test_what_we_write_is_read_back_consistent(self, current: tuple[int, int, int]) -> None:
        energy = [(Decimal(c) / 100 * 230 / 4).quantize(Decimal("0.01"), ROUND_HALF_EVEN) for c in current]
        span = usage(*usage_values(current, energy))
        assert span.current_ca == current
        assert not span.flagged
        assert all(c - 1 <= s <= c for c, s in zip(current, span.subtractable_ca, strict=True))
