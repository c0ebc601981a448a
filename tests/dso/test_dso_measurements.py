"""Readings in: messages, repeats, sums and means, and what of them may be believed."""

import re
import subprocess
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gridroom.dso.readings import quality
from gridroom.dso.readings.measurements import (
    NOT_MEASURED,
    SHOWN,
    DeliveryError,
    Flag,
    Reading,
    Reason,
    Received,
    means,
    series_of,
)
from gridroom.dso.readings.merging import Verdict, merge
from gridroom.dso.readings.messages import read_json
from gridroom.storage.columns import Ints
from gridroom.timegrid import EPOCH

QUARTER = timedelta(minutes=15)
START = datetime(2026, 1, 5, tzinfo=UTC)
BLOCK = timedelta(minutes=15)
MINUTE = timedelta(minutes=1)
FIRST = (START - EPOCH) // BLOCK


# -- messages of meters ----------------------------------------------------------------------------------------------


def test_a_message_of_a_meter_is_read_row_by_row() -> None:
    data = (
        b'{"readings":[{"cable":"c","time":"2026-01-05T00:00:00Z","seconds":300,"l1":1.5,"l2":0,"l3":-2},'
        b'{"cable":"c","time":"2026-01-05T00:05:00Z","seconds":301,"l1":1,"l2":0,"l3":2},'
        b'{"cable":"c","tiem":"2026-01-05T00:05:00Z","l1":1,"l2":0,"l3":2}]}'
    )
    delivery = read_json(data, BLOCK)
    assert delivery.series["c"].current_ca.tolist() == [[150], [0], [-200]]
    assert delivery.series["c"].where(0) == "readings[0]: c 2026-01-05T00:00:00+00:00"
    assert [one.where for one in delivery.received.findings] == ["readings[1]", "readings[2]"]
    assert delivery.received.counts == {Reason.UNREADABLE: 2}


@pytest.mark.parametrize(
    "data", [b"[1, 2", b"", b"\xff", b'{"readings": 1}', b'{"readings":' + b"[" * 100_000, b'{"reading": []}', b"null"]
)
def test_what_is_no_message_is_refused_whole(data: bytes) -> None:
    with pytest.raises(DeliveryError, match="not a delivery of readings"):
        read_json(data, BLOCK)


@pytest.mark.parametrize(
    ("value", "current", "odd"),
    [
        ('"NaN"', 0, True),
        ('"-Infinity"', -10_000_000, True),
        ("1e300", 10_000_000, True),
        ('"1e999999"', 10_000_000, True),
        ('"-1e1000000"', -10_000_000, True),
        ("1.001", 101, False),
        ('"-1.005"', -100, False),
    ],
)
def test_an_impossible_current_is_cut_and_told_apart(value: str, current: int, odd: bool) -> None:
    row = '{"cable":"c","time":"2026-01-05T00:00:00Z","l1":1,"l3":2,"l2":' + value + "}"
    series = read_json(b'{"readings":[' + row.encode() + b"]}", BLOCK).series["c"]
    assert (series.current_ca[1, 0], series.odd.tolist()) == (current, [odd])


NUMBERS = st.from_regex(r"\A-?[0-9]{1,3}(\.[0-9]{1,3})?[eE][+-]?[0-9]{1,19}\Z")


@given(st.binary(max_size=200) | (st.text(max_size=200) | NUMBERS).map(str.encode))
def test_whatever_a_meter_sends_nothing_else_is_raised(data: bytes) -> None:
    row = b'{"readings":[{"cable":"c","time":"2026-01-05T00:00:00Z","l1":1,"l2":2,"l3":"' + data + b'"}]}'
    time = b'{"readings":[{"cable":"c","l1":1,"l2":2,"l3":3,"time":"' + data + b'"}]}'
    for message in (data, b'{"readings":[' + data + b"]}", time, row):
        with suppress(DeliveryError):
            read_json(message, BLOCK)


def test_a_hundred_findings_are_told_and_all_are_counted() -> None:
    delivery = read_json(b'{"readings":[' + b",".join([b"1"] * 500) + b"]}", BLOCK)
    both = Received()
    both.add(delivery.received)
    both.add(delivery.received)
    assert (len(both.findings), both.refused, both.counts[Reason.UNREADABLE]) == (SHOWN, 1000, 1000)
    assert both.summary() == "0 readings stored, 1000 refused; unreadable: 1000"


def test_the_operator_is_told_why_coarse_readings_are_of_no_use() -> None:
    line, why = Received(720, counts=Counter({Reason.COARSE: 720})).summary().splitlines()
    assert line == "720 readings stored, 0 refused; coarse: 720"
    assert "longer than a block" in why
    assert "`publish.block_s`" in why


# -- sums ------------------------------------------------------------------------------------------------------------


def empty(n: int) -> tuple[Ints, Ints]:
    return np.zeros((3, n), dtype=np.int64), np.zeros((1, n), dtype=np.int64)


def added(readings: list[Reading], sums: Ints, masks: Ints, closed: int = 0) -> list[Verdict]:
    return [Verdict(int(one)) for one in merge(series_of(readings, BLOCK)["c"], FIRST, sums, masks, closed)]


def reading(minute: int, minutes: int, value: int) -> Reading:
    return Reading("c", START + minute * MINUTE, minutes * 60, (value, 2 * value, -value))


def test_three_readings_of_five_minutes_make_the_mean_of_a_block() -> None:
    sums, masks = empty(1)
    assert added([reading(5 * i, 5, 100 * i) for i in range(3)], sums, masks) == [Verdict.STORED] * 3
    assert means(sums, masks).tolist() == [[100], [200], [-100]]


def test_a_repeated_reading_counts_once() -> None:
    sums, masks = empty(1)
    assert added([reading(0, 15, 100)] * 2, sums, masks) == [Verdict.STORED, Verdict.REPEATED]
    assert added([reading(0, 15, 100)] * 2, sums, masks) == [Verdict.REPEATED] * 2
    assert means(sums, masks).tolist() == [[100], [200], [-100]]


def test_the_first_of_two_values_stays() -> None:
    sums, masks = empty(2)
    assert added([reading(0, 15, 100), reading(0, 15, 101)], sums, masks) == [Verdict.STORED, Verdict.CONTRADICTED]
    assert added([reading(0, 15, 103)], sums, masks) == [Verdict.CONTRADICTED]
    assert added([reading(0, 5, 100)], sums, masks) == [Verdict.REPEATED]  # as far as can be told
    assert added([reading(10, 10, 100)], sums, masks) == [Verdict.OVERLAPPING]
    assert means(sums, masks)[0].tolist() == [100, NOT_MEASURED]


def test_less_than_two_thirds_of_a_block_is_no_mean() -> None:
    sums, masks = empty(2)
    added([reading(0, 9, 100), reading(15, 10, 1)], sums, masks)
    assert means(sums, masks).tolist() == [[NOT_MEASURED, 1], [NOT_MEASURED, 2], [NOT_MEASURED, -1]]


def test_to_a_closed_block_that_counts_nothing_is_added_and_one_that_does_not_is_filled() -> None:
    sums, masks = empty(2)
    added([reading(0, 10, 100), reading(15, 5, 7)], sums, masks)
    assert added([reading(10, 5, 4000), reading(20, 10, 7)], sums, masks, 2) == [Verdict.LATE, Verdict.STORED]
    assert means(sums, masks)[0].tolist() == [100, 7]


parts = st.lists(st.tuples(st.integers(0, 89), st.integers(1, 40), st.integers(-500, 500)), min_size=1, max_size=20)


@given(parts)
def test_readings_in_any_order_and_number_never_count_a_slice_twice(parts: list[tuple[int, int, int]]) -> None:
    sums, masks = empty(9)
    seen: dict[int, int] = {}
    for first, length, value in parts:
        added([reading(first, length, value)], sums, masks)
        if not any(slot in seen for slot in range(first, first + length)):
            seen |= dict.fromkeys(range(first, first + length), value)
    assert int(np.bitwise_count(masks).sum()) == len(seen)
    assert sums[0].sum() == sum(seen.values())


@given(parts, parts, st.integers(0, 9))
def test_a_delivery_does_what_its_readings_do_one_by_one(
    before: list[tuple[int, int, int]], parts: list[tuple[int, int, int]], closed: int
) -> None:
    sums, masks = empty(9)
    added([reading(*one) for one in before], sums, masks)
    one_sums, one_masks = sums.copy(), masks.copy()
    together = added([reading(*one) for one in parts], sums, masks, closed)
    single = [added([reading(*one)], one_sums, one_masks, closed)[0] for one in parts]
    assert (sums == one_sums).all()
    assert (masks == one_masks).all()
    for here, there in zip(together, single, strict=True):
        assert here is there or {here, there} == {Verdict.REPEATED, Verdict.CONTRADICTED}  # together more can be told
        assert (here is Verdict.STORED) == (there is Verdict.STORED)


@pytest.mark.parametrize(("page", "command"), [("tutorial", "--json"), ("measurements", "-m")])
def test_the_readings_that_the_pages_post_by_hand_are_taken_at_any_second(page: str, command: str) -> None:
    text = (Path(__file__).parents[2] / "docs" / f"{page}.md").read_text()
    found = re.search(rf'{command} ("{{\\"readings\\".*?}}]}}")', text, re.DOTALL)
    assert found
    words = found[1].replace("'-5 minutes'", "2026-01-05T17:15:42Z")
    said = subprocess.run(["bash", "-c", f"printf %s {words}"], capture_output=True, check=True, timeout=10).stdout
    delivery = read_json(said, QUARTER)
    assert delivery.received.findings == []
    assert delivery.series["cable-1"].moment(int(delivery.series["cable-1"].first[0])).isoformat() == (
        "2026-01-05T17:15:00+00:00"
    )


# -- what may be believed --------------------------------------------------------------------------------------------


def test_a_phase_that_repeats_itself_is_stuck_in_all_blocks_of_the_run() -> None:
    load = np.array([range(1, 52)] * 3)
    load[1, 2:50] = 77
    found = quality.stuck(load, np.zeros(51, dtype=np.int64), QUARTER)
    assert found.astype(int).tolist() == [[0] * 51, [0, 0, *[1] * 48, 0], [0] * 51]
    load[1, 5] = NOT_MEASURED
    assert not quality.stuck(load, np.zeros(51, dtype=np.int64), QUARTER).any()


@pytest.mark.parametrize("minutes", [5, 15, 60])
def test_what_is_stuck_or_dead_depends_on_time_and_not_on_the_length_of_a_block(minutes: int) -> None:
    """After 30 hours of load: 11 and 12 hours of one value, 3 and 4 hours of zero."""
    hour, block = 60 // minutes, timedelta(minutes=minutes)
    usual = 100 + np.arange(30 * hour) % 7
    for hours, value, stuck in ((11, 500, False), (12, 500, True), (3, 0, False), (4, 0, True)):
        row = np.concatenate([usual, np.full(hours * hour, value), [999]])
        found = quality.stuck(np.array([row] * 3), np.zeros(len(row), dtype=np.int64), block)
        assert found.sum() == 3 * stuck * hours * hour


def test_a_meter_with_steps_of_an_ampere_is_not_stuck_in_a_quiet_night() -> None:
    """Ten hours at one value each night, as a small street has it."""
    night, day = np.full(40, 200), 300 + 100 * (np.arange(56) * 7 % 11)
    load = np.tile(np.concatenate([night, day]), 10)
    assert not quality.stuck(np.array([load] * 3), np.zeros(960, dtype=np.int64), QUARTER).any()


def test_a_run_that_was_flagged_before_stays_stuck() -> None:
    load = np.full((3, 5), 77)
    load[0] = [1, 77, 77, 77, 78]
    flags = np.array([0, Flag.STUCK_L1, 0, 0, 0])
    assert quality.stuck(load, flags, QUARTER)[0].tolist() == [False, True, True, True, False]


def test_zero_is_stuck_only_on_a_phase_that_carried_a_load() -> None:
    rng = np.random.default_rng(1)
    load = rng.integers(100, 900, (3, 140))
    load[0, 100:] = 0
    load[1] = 0
    load[2, 110:122] = 0
    found = quality.stuck(load, np.zeros(140, dtype=np.int64), QUARTER)
    assert found[0].tolist() == [False] * 100 + [True] * 40
    assert not found[1:].any()


@given(arrays(np.int64, (3, 30), elements=st.sampled_from([0, 5, 6, NOT_MEASURED])), st.integers(2, 9))
def test_nothing_is_stuck_that_was_not_repeated(load: Ints, blocks: int) -> None:
    found = quality.stuck(load, np.zeros(30, dtype=np.int64), quality.STUCK / blocks)
    for phase in range(3):
        for i in range(30):
            a = b = i
            while a > 0 and load[phase, a - 1] == load[phase, i]:
                a -= 1
            while b < 29 and load[phase, b + 1] == load[phase, i]:
                b += 1
            if load[phase, i] != 0:  # zero has a rule of its own
                assert found[phase, i] == (b - a + 1 >= blocks and load[phase, i] != NOT_MEASURED)


def test_what_may_be_followed_leaves_out_stuck_phases_and_what_came_late() -> None:
    load = np.arange(12).reshape(3, 4)
    flags = np.array([0, Flag.STUCK_L2, Flag.LATE, Flag.IMPOSSIBLE | Flag.GAP])
    x = NOT_MEASURED
    assert quality.trusted(load, flags).tolist() == [[0, 1, x, 3], [4, x, x, 7], [8, 9, x, 11]]
    assert quality.usable(flags).tolist() == [True, False, False, False]
