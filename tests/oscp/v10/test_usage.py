"""What a usage report means (OSCP 1.0 section 3.2.6): what is not clearly stated subtracts nothing."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridroom.oscp.v10.blocks import CableRefused, CableTerms
from gridroom.oscp.v10.messages import CableUsage, UsageBlock, ValueType
from gridroom.oscp.v10.usage import UsageSpan, usage_spans, usage_values

T0 = datetime(2026, 1, 5, 10, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


def read(*values: ValueType) -> UsageSpan:
    return usage_spans(CableUsage("A", (UsageBlock(T0, T0 + QUARTER, values),)), CableTerms())[0][0]


def test_the_smaller_of_current_and_energy_is_subtracted() -> None:
    span = read(ValueType(Decimal(16), "A", 1), ValueType(Decimal(0), "Wh", 1), ValueType(Decimal(10), "A", 2))
    assert span.subtractable_ca == (0, 1000, 0)
    assert span.flagged


def test_usage_without_phase_is_kept_but_subtracts_nothing() -> None:
    span = read(ValueType(Decimal(2), "kWh"), ValueType(Decimal(10), "A"))
    assert span.total_wh == 2000
    assert span.subtractable_ca == (0, 0, 0)
    assert span.flagged


def test_back_feed_is_kept_and_subtracts_nothing() -> None:
    span = read(ValueType(Decimal(-4), "A", 1))
    assert span.current_ca[0] == -400
    assert span.subtractable_ca[0] == 0


def test_a_phase_twice_with_different_values_refuses() -> None:
    with pytest.raises(CableRefused):
        read(ValueType(Decimal(1), "A", 1), ValueType(Decimal(2), "A", 1))


def test_overlapping_blocks_refuse() -> None:
    value = (ValueType(Decimal(1), "A", 1),)
    blocks = (UsageBlock(T0, T0 + QUARTER, value), UsageBlock(T0 + QUARTER / 2, T0 + 2 * QUARTER, value))
    with pytest.raises(CableRefused):
        usage_spans(CableUsage("A", blocks), CableTerms())


@given(st.tuples(*[st.integers(0, 6400)] * 3))
def test_what_we_write_is_read_back_consistent(current: tuple[int, int, int]) -> None:
    energy = [Decimal(c) / 100 * 230 / 4 for c in current]
    span = read(*usage_values(current, energy))
    assert span.current_ca == current
    assert not span.flagged
    assert all(c - 1 <= s <= c for c, s in zip(current, span.subtractable_ca, strict=True))


def test_a_report_of_many_blocks_costs_no_more_than_its_length() -> None:
    value = (ValueType(Decimal(1), "A", 1),)
    blocks = tuple(UsageBlock(T0 + i * QUARTER, T0 + (i + 1) * QUARTER, value) for i in range(20_000))
    spans, notes = usage_spans(CableUsage("A", blocks + blocks[:10]), CableTerms())
    assert (len(spans), len(notes)) == (20_000, 10)
