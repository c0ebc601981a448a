"""Readings in: rows, repeats, means; and load from measurements and reports."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gridroom.dso.measurements import (
    NOT_MEASURED,
    DeliveryError,
    Reading,
    accumulate,
    means,
    read_csv,
    read_json,
)
from gridroom.dso.usage import energy_cells, non_controllable, to_cells
from gridroom.oscp.v10.blocks import UNKNOWN
from gridroom.oscp.v10.usage import UsageSpan
from gridroom.storage.columns import Ints

START = datetime(2026, 1, 5, tzinfo=UTC)
BLOCK = timedelta(minutes=15)


def test_a_broken_row_is_named_with_its_line_and_the_good_ones_are_read() -> None:
    text = (
        "time,cable,L1,L2,L3\n"
        "2026-01-05T00:00:00Z,c,1,2,3\n"
        "2026-01-05 00:15,c,1,2,3\n"
        "2026-01-05T00:30:00Z,c,1,,3\n"
        "2026-01-05T00:45:00Z,c,1,2\n"
        "yesterday,c,1,2,3\n"
        "2026-01-05T01:00:30Z,c,1,2,3\n"
        "2026-01-05T01:00:00Z,,1,2,3\n"
        "2026-01-05T01:00:00Z,c,1e9,2,3\n"
        "2026-01-05T01:00:00Z,c,NaN,2,3\n"
        "\n"
        "2026-01-05T01:15:00+01:00,c,-1.005,2,3\n"
    )
    readings, findings = read_csv(text, BLOCK)
    assert [one.start.isoformat() for one in readings] == ["2026-01-05T00:00:00+00:00", "2026-01-05T00:15:00+00:00"]
    assert readings[1].current_ca == (-100, 200, 300)  # towards more load
    assert [str(one).split(":")[0] for one in findings] == [f"row {n}" for n in (3, 4, 5, 6, 7, 8, 9, 10)]
    assert "no zone" in findings[0].text
    assert "L2" in findings[1].text


def test_a_file_with_another_header_is_refused_whole() -> None:
    with pytest.raises(DeliveryError, match="row 1: the columns must be time,cable,L1,L2,L3"):
        read_csv("time;cable;L1\n", BLOCK)


def test_rows_may_be_shorter_than_a_block() -> None:
    readings, findings = read_csv("time,cable,L1,L2,L3,seconds\n2026-01-05T00:05:00Z,c,1,2,3,300\n", BLOCK)
    assert not findings
    assert readings == [Reading("c", START + timedelta(minutes=5), 300, (100, 200, 300))]


def test_a_message_of_a_meter_is_read_row_by_row() -> None:
    data = (
        b'{"readings":[{"cable":"c","time":"2026-01-05T00:00:00Z","seconds":300,"l1":1.5,"l2":0,"l3":-2},'
        b'{"cable":"c","time":"2026-01-05T00:05:00Z","seconds":301,"l1":1,"l2":0,"l3":2},'
        b'{"cable":"c","tiem":"2026-01-05T00:05:00Z","l1":1,"l2":0,"l3":2}]}'
    )
    readings, findings = read_json(data, BLOCK)
    assert readings == [Reading("c", START, 300, (150, 0, -200))]
    assert [one.where for one in findings] == ["readings[1]", "readings[2]"]
    with pytest.raises(DeliveryError, match="not a delivery of readings"):
        read_json(b"[1, 2", BLOCK)


def empty(n: int) -> tuple[Ints, Ints]:
    return np.zeros((3, n), dtype=np.int64), np.zeros((1, n), dtype=np.int64)


def test_three_readings_of_five_minutes_make_the_mean_of_a_block() -> None:
    sums, masks = empty(1)
    parts = [Reading("c", START + timedelta(minutes=5 * i), 300, (100 * i, 0, -10)) for i in range(3)]
    assert accumulate(parts, START, BLOCK, sums, masks).stored == 3
    assert means(sums, masks).tolist() == [[100], [0], [-10]]


def test_a_repeated_reading_counts_once() -> None:
    sums, masks = empty(1)
    one = Reading("c", START, 900, (100, 200, 300))
    received = accumulate([one, one], START, BLOCK, sums, masks)
    assert (received.stored, received.repeated) == (1, 1)
    assert means(sums, masks).tolist() == [[100], [200], [300]]


def test_less_than_two_thirds_of_a_block_is_no_mean() -> None:
    sums, masks = empty(2)
    accumulate(
        [Reading("c", START, 540, (100, 0, 0)), Reading("c", START + BLOCK, 600, (1, 1, 1))], START, BLOCK, sums, masks
    )
    assert means(sums, masks).tolist() == [[NOT_MEASURED, 1]] * 3


@given(st.lists(st.tuples(st.integers(0, 89), st.integers(1, 40), st.integers(-500, 500)), max_size=20))
def test_readings_in_any_order_and_number_never_count_a_slice_twice(parts: list[tuple[int, int, int]]) -> None:
    sums, masks = empty(9)
    minute = timedelta(minutes=1)
    seen: dict[int, int] = {}
    for first, length, value in parts:
        accumulate(
            [Reading("c", START + first * minute, length * 60, (value, value, value))], START, BLOCK, sums, masks
        )
        if not any(slot in seen for slot in range(first, first + length)):
            seen |= dict.fromkeys(range(first, first + length), value)
    assert int(np.bitwise_count(masks).sum()) == len(seen)
    assert sums[0].sum() == sum(seen.values())


# -- what CSOs report ------------------------------------------------------------------------------------------------


def used(start: datetime, end: datetime, ca: tuple[int, int, int]) -> UsageSpan:
    return UsageSpan(start, end, ca, (Decimal(10), None, None), None, None, ca, False)


def test_a_report_fills_only_the_cells_it_covers() -> None:
    half = timedelta(minutes=7, seconds=30)
    spans = [used(START, START + BLOCK + half, (100, 200, 300))]
    assert to_cells(spans, START, 3, BLOCK).tolist() == [
        [100, UNKNOWN, UNKNOWN],
        [200, UNKNOWN, UNKNOWN],
        [300, UNKNOWN, UNKNOWN],
    ]
    assert energy_cells(spans, START, 3, BLOCK)[0].tolist() == [6, 3, NOT_MEASURED]


loads = arrays(np.int64, (3, 5), elements=st.integers(-30_000, 60_000) | st.just(NOT_MEASURED))
reports = arrays(np.int64, (2, 3, 5), elements=st.integers(0, 60_000) | st.just(UNKNOWN))
rights = arrays(np.int64, (2, 3, 5), elements=st.integers(0, 30_000))
dues = arrays(np.int64, (2, 5), elements=st.integers(0, 1))


@given(loads, reports, rights, dues)
def test_reports_never_lower_the_load_below_zero_nor_by_more_than_was_allowed(
    measured: Ints, reported: Ints, entitled: Ints, expected: Ints
) -> None:
    load, learnable = non_controllable(measured, reported, entitled, expected)
    known = measured != NOT_MEASURED
    assert (load[known] <= measured[known]).all()
    assert (load[known] >= np.minimum(measured, 0)[known]).all()
    assert ((measured - load)[known] <= entitled.sum(axis=0)[known]).all()
    assert (load[~known] == NOT_MEASURED).all()
    missing = ((reported == UNKNOWN).any(axis=1) & (expected > 0)).any(axis=0)
    assert not (learnable.astype(bool) & (missing | ~known.all(axis=0))).any()


@given(loads, reports, rights, dues, st.integers(0, 10_000))
def test_reporting_more_never_raises_the_load_and_reporting_beyond_the_right_gains_nothing(
    measured: Ints, reported: Ints, entitled: Ints, expected: Ints, more: int
) -> None:
    honest, _ = non_controllable(measured, np.minimum(reported, entitled), entitled, expected)
    boast, _ = non_controllable(measured, np.where(reported == UNKNOWN, UNKNOWN, reported + more), entitled, expected)
    fair = (reported >= entitled).all(axis=0)
    assert (boast[fair] >= honest[fair]).all()


@pytest.mark.parametrize(
    "row",
    [
        f"2026-01-05T00:00:00Z,{'c' * 200_000},1,1,1,900",
        f"2026-01-05T00:00:00Z,c,1,1,1,{'9' * 30}",
        "0001-01-01T00:00:00+10:00,c,1,1,1,900",
        "9999-12-31T23:59:00Z,c,1,1,1,900",
        "2026-01-05T00:00:00Z,c,1e999999999999,1,1,900",
    ],
)
def test_whatever_stands_in_a_row_it_is_a_finding_and_the_next_row_is_read(row: str) -> None:
    text = f"time,cable,L1,L2,L3,seconds\n{row}\n2026-01-05T00:00:00Z,c,1,1,1,900\n"
    readings, findings = read_csv(text, timedelta(minutes=15))
    assert len(readings) == 1
    assert findings[0].where == "row 2"
