"""Load that nobody steers: what is measured less what CSOs report, and what a false report can do."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from dso_office import CABLE, MONDAY, World
from gridroom.dso.loads import reported_use
from gridroom.dso.readings.measurements import NOT_MEASURED
from gridroom.dso.store import Store
from gridroom.dso.usage import (
    SETTLED,
    counted,
    energy_cells,
    missing,
    non_controllable,
    remainder,
    replace_units,
    settled,
    to_cells,
)
from gridroom.oscp.v10.blocks import UNKNOWN
from gridroom.oscp.v10.messages import CableUsage, Envelope, UpdateAggregatedUsageRequest, UsageBlock, ValueType
from gridroom.oscp.v10.usage import UsageSpan
from gridroom.storage.columns import Ints

START = datetime(2026, 1, 5, tzinfo=UTC)
BLOCK = timedelta(minutes=15)


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


def row(*values: int) -> Ints:
    return np.array([values] * 3, dtype=np.int64)


def test_what_is_settled_may_be_lowered_by_a_later_report_and_not_raised() -> None:
    old = {"used": row(0, 500, 500, 500), "current": row(0, 500, 500, 500), "energy": row(*[NOT_MEASURED] * 4)}
    told, energy = row(800, 800, 100, UNKNOWN), row(*[NOT_MEASURED] * 4)
    fixed = np.array([[True, False, True, True]] * 3)
    found = replace_units(old, told, told, energy, 230.0, BLOCK, fixed)
    assert found["used"][0].tolist() == [0, 800, 100, 500]
    assert found["current"][0].tolist() == [800, 800, 100, 500], "as stated"


def test_what_is_settled_of_a_cso_is_not_raised_under_the_name_of_another_emsp() -> None:
    blank = {"used": row(UNKNOWN), "current": row(UNKNOWN), "energy": row(NOT_MEASURED)}
    found = replace_units(blank, row(800), row(800), row(NOT_MEASURED), 230.0, BLOCK, np.full((3, 1), True))
    assert found["used"][0].tolist() == [0]


def test_a_report_is_settled_a_day_after_its_block_if_there_is_one() -> None:
    for late, expected in ((0, [0, 0, 0]), (1, [1, 0, 0]), (BLOCK // timedelta(seconds=1) + 1, [1, 1, 0])):
        now = START + BLOCK + SETTLED + timedelta(seconds=late)
        assert settled(row(5, 0, UNKNOWN), START, BLOCK, now)[0].tolist() == [bool(one) for one in expected]
    assert settled(row(5, 0, UNKNOWN), START, BLOCK, START + 30 * SETTLED)[0].tolist() == [True, True, False]
    assert not settled(row(5), START, BLOCK, START).any()


def test_use_reported_anew_weeks_later_explains_no_overload_away(database_kind: str) -> None:
    world, phases = World(), (1, 2, 3)

    def report(ampere: int, emsp: str | None = None) -> Ints:
        values = tuple(ValueType(Decimal(ampere), "A", phase) for phase in phases)
        block = UsageBlock(MONDAY, MONDAY + BLOCK, values)
        answer = world.say("north", UpdateAggregatedUsageRequest((CableUsage(CABLE, (block,), emsp=emsp),)))
        assert isinstance(answer, Envelope)
        with world.db.transact() as tx:
            return reported_use(Store(tx, BLOCK), CABLE, "north", MONDAY, 1)[:, 0]

    world.clock.time = MONDAY + BLOCK
    assert report(10).tolist() == [1000] * 3
    world.clock.time = MONDAY + BLOCK + SETTLED
    assert report(20).tolist() == [2000] * 3, "within a day it may be put right"
    world.clock.time = MONDAY + 20 * SETTLED
    assert report(80).tolist() == [2000] * 3
    assert report(80, "another").tolist() == [2000] * 3
    assert report(5).tolist() == [500] * 3
    world.close()


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


@given(loads, reports, rights, dues, reports)
def test_no_report_however_false_makes_the_load_smaller_than_measured_less_entitled(
    measured: Ints, honest: Ints, entitled: Ints, expected: Ints, false: Ints
) -> None:
    known = measured != NOT_MEASURED
    load, _ = non_controllable(measured, false, entitled, expected)
    assert (load[known] >= (measured - entitled.sum(axis=0))[known]).all()
    one_lies = np.array([false[0], honest[1]])
    both, _ = non_controllable(measured, honest, entitled, expected)
    lied, _ = non_controllable(measured, one_lies, entitled, expected)
    assert ((both - lied)[known] <= entitled[0][known]).all()


@given(loads, reports, rights, dues, arrays(np.bool_, (2, 5)))
def test_a_missing_report_never_lowers_the_load_and_marks_its_block(
    measured: Ints, reported: Ints, entitled: Ints, expected: Ints, lost: NDArray[np.bool_]
) -> None:
    fewer = np.where(lost[:, None, :], UNKNOWN, reported)
    there, learnable = non_controllable(measured, reported, entitled, expected)
    gone, less = non_controllable(measured, fewer, entitled, expected)
    assert (gone >= there).all()
    assert (less <= learnable).all()
    assert not less[(lost & (expected > 0)).any(axis=0)].any()


@given(loads, reports, rights, dues, st.integers(-30_000, 0))
def test_a_negative_report_subtracts_nothing(
    measured: Ints, reported: Ints, entitled: Ints, expected: Ints, below: int
) -> None:
    negative = np.where(reported == UNKNOWN, UNKNOWN, below)
    assert (non_controllable(measured, negative, entitled, expected)[0] == measured).all()


@given(loads, arrays(np.int64, (2, 3, 5), elements=st.integers(-9000, 30_000) | st.just(NOT_MEASURED)), st.data())
def test_of_a_transformer_no_more_is_subtracted_than_its_cables_were_entitled_to(
    measured: Ints, cables: Ints, data: st.DataObject
) -> None:
    used, gaps, allowed = [], [], np.zeros((3, 5), dtype=np.int64)
    for cable in cables:
        reported, entitled, due = data.draw(reports), data.draw(rights), data.draw(dues)
        used.append(counted(cable, reported, entitled))
        gaps.append(missing(reported, due))
        allowed += np.where(
            cable == NOT_MEASURED, entitled.sum(axis=0), np.minimum(entitled.sum(axis=0), cable.clip(0))
        )
    load, learnable = remainder(measured, np.array(used), np.array(gaps))
    known = measured != NOT_MEASURED
    assert (load[known] <= measured[known]).all()
    assert (load[known] >= (measured - allowed)[known]).all()
    assert (load[known] >= np.minimum(measured, 0)[known]).all()
    assert not (learnable.astype(bool) & (np.array(gaps).any(axis=0) | ~known.all(axis=0))).any()


def test_a_transformer_over_cables_that_are_not_measured_is_less_their_reported_use() -> None:
    unknown = np.full((3, 1), NOT_MEASURED)
    used = [counted(unknown, np.full((1, 3, 1), use), np.full((1, 3, 1), 500)) for use in (300, 900, UNKNOWN)]
    load, _ = remainder(np.full((3, 1), 2000), np.array(used), np.zeros((3, 1), dtype=bool))
    assert load.tolist() == [[1200]] * 3
