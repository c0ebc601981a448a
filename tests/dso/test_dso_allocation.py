"""Laws of the division, of the backup, and of reductions before raises."""

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gridroom.dso import backup
from gridroom.dso.allocation import Division, reserve_of, sendable
from gridroom.dso.allocation import divide as divide_with
from gridroom.dso.capacity import available, released
from gridroom.oscp.v10.blocks import Span
from gridroom.storage.columns import Ints

N = 4
START = datetime(2026, 1, 5, tzinfo=UTC)
QUARTER = timedelta(minutes=15)

capacities = arrays(np.int64, (3, N), elements=st.integers(0, 60_000))
shares = st.integers(0, 1_000_000)


def divide(there: Ints, weights: list[int], adjusted: Ints, ppm: int) -> Division:
    return divide_with(there, weights, adjusted, reserve_of(there, ppm, there))


def per_cso(p: int, least: int, most: int) -> st.SearchStrategy[Ints]:
    return arrays(np.int64, (p, 3, N), elements=st.integers(least, most))


@st.composite
def markets(draw: st.DrawFn) -> tuple[Ints, list[int], Ints, int]:
    p = draw(st.integers(1, 4))
    weights = draw(st.lists(st.integers(1, 100_000), min_size=p, max_size=p))
    return draw(capacities), weights, draw(per_cso(p, -50_000, 50_000)), draw(shares)


@given(markets())
def test_allotments_plus_backup_are_what_is_available_and_nothing_is_negative(
    market: tuple[Ints, list[int], Ints, int],
) -> None:
    there, weights, adjusted, ppm = market
    division = divide(there, weights, adjusted, ppm)
    assert (division.allotment >= 0).all()
    assert (division.pool >= 0).all()
    assert np.array_equal(division.allotment.sum(axis=0) + division.pool, there)
    assert (division.allotment <= np.maximum(division.base + adjusted, 0)).all()


@given(markets())
def test_without_adjustments_shares_follow_the_contracts(market: tuple[Ints, list[int], Ints, int]) -> None:
    there, weights, adjusted, ppm = market
    division = divide(there, weights, np.zeros_like(adjusted), ppm)
    exact = (there - division.reserve) * np.array(weights).reshape(-1, 1, 1) / sum(weights)
    assert (division.allotment <= exact + 1e-6).all()
    assert (division.allotment > exact - 1 - 1e-6).all()


def test_a_cable_without_contracts_keeps_all_as_backup() -> None:
    there = np.full((3, N), 100)
    division = divide(there, [], np.zeros((0, 3, N), dtype=np.int64), 200_000)
    assert np.array_equal(division.pool, there)


@given(markets(), st.data())
def test_what_is_told_never_raises_the_sum_above_what_is_available(
    market: tuple[Ints, list[int], Ints, int], data: st.DataObject
) -> None:
    there, weights, adjusted, ppm = market
    p = len(weights)
    held = data.draw(per_cso(p, 0, 60_000))
    doubtful = np.array(data.draw(st.lists(st.booleans(), min_size=p, max_size=p)))
    target = divide(there, weights, adjusted, ppm).allotment
    told = sendable(there, target, held, doubtful)
    assert (told >= 0).all()
    assert (told <= target).all()
    before, after = held.sum(axis=0), np.maximum(held, told).sum(axis=0)
    assert (after <= np.maximum(before, there)).all()  # whoever answers, whoever does not, in whatever order


@given(markets(), st.data())
def test_whatever_one_in_doubt_really_holds_no_lost_message_promises_what_is_not_there(
    market: tuple[Ints, list[int], Ints, int], data: st.DataObject
) -> None:
    """A reduction of what it may hold can be a raise of what it does hold, while the others' reductions get lost."""
    there, weights, adjusted, ppm = market
    p = len(weights)
    target = divide(there, weights, adjusted, ppm).allotment
    held = data.draw(per_cso(p, 0, 60_000))
    doubtful, heard = (np.array(data.draw(st.lists(st.booleans(), min_size=p, max_size=p))) for _ in range(2))
    really = np.where(doubtful[:, None, None], np.minimum(held, data.draw(per_cso(p, 0, 60_000))), held)
    after = np.where(heard[:, None, None], sendable(there, target, held, doubtful), really)
    assert (after.sum(axis=0) <= np.maximum(really.sum(axis=0), there)).all()


@given(markets(), st.data())
def test_when_all_hold_no_more_than_they_get_everything_is_told_at_once(
    market: tuple[Ints, list[int], Ints, int], data: st.DataObject
) -> None:
    there, weights, adjusted, ppm = market
    target = divide(there, weights, adjusted, ppm).allotment
    held = np.minimum(data.draw(per_cso(len(weights), 0, 60_000)), target)
    assert np.array_equal(sendable(there, target, held, np.ones(len(weights), dtype=bool)), target)


def test_a_reduction_is_not_deepened_by_another_that_is_on_its_way_as_well() -> None:
    there = np.full((3, 1), 80)
    held, target = np.full((2, 3, 1), 50), np.full((2, 3, 1), 40)
    assert (sendable(there, target, held, np.array([False, False])) == 40).all()
    assert (sendable(there, target, held, np.array([False, True]))[0] == 30).all()


class Ledger:
    """The least of a cable's state that requests need, for the law of interleavings."""

    def __init__(self, there: Ints, weights: list[int], ppm: int, held: Ints) -> None:
        self.there, self.weights, self.ppm, self.held = there, weights, ppm, held
        self.adjusted = np.zeros_like(held)

    def ask(self, who: int, amounts: tuple[int, int, int], first: int, last: int, cap: int, near: int) -> None:
        division = divide(self.there, self.weights, self.adjusted, self.ppm)
        room = backup.room(self.there, division, self.held, who, cap, near)
        before = room.own.copy()
        span = Span(START + first * QUARTER, START + last * QUARTER, amounts)
        cells = slice(first, last)
        given, remaining = backup.serve(room, span, cells, cells, uniform=False)
        for asked, got in zip(amounts, given, strict=True):
            assert min(asked, 0) <= got <= max(asked, 0)
        assert (remaining >= 0).all()
        change = room.own - before
        self.adjusted[who] = np.where(change != 0, room.own - division.base[who], self.adjusted[who])
        self.held[who] = np.maximum(self.held[who] + change, 0)
        after = divide(self.there, self.weights, self.adjusted, self.ppm)
        assert np.array_equal(after.allotment[who], room.own)


@settings(max_examples=60)
@given(markets(), st.data())
def test_no_interleaving_of_requests_grants_more_than_there_is(
    market: tuple[Ints, list[int], Ints, int], data: st.DataObject
) -> None:
    there, weights, _, ppm = market
    p = len(weights)
    held = data.draw(per_cso(p, 0, 20_000))
    start = held.copy()
    ledger = Ledger(there, weights, ppm, held)
    deltas = st.integers(-60_000, 60_000)
    for _ in range(data.draw(st.integers(1, 6))):
        first = data.draw(st.integers(0, N - 1))
        ledger.ask(
            data.draw(st.integers(0, p - 1)),
            data.draw(st.tuples(deltas, deltas, deltas)),
            first,
            data.draw(st.integers(first + 1, N)),
            data.draw(shares),
            data.draw(st.integers(0, N)),
        )
        division = divide(there, weights, ledger.adjusted, ppm)
        assert (division.allotment.sum(axis=0) <= there).all()
        most = np.maximum(ledger.held, division.allotment).sum(axis=0)
        before = np.maximum(start, divide(there, weights, np.zeros_like(held), ppm).allotment).sum(axis=0)
        assert (most <= np.maximum(there, before)).all()


def test_one_cso_does_not_take_the_whole_reserve_long_before_but_may_shortly_before_use() -> None:
    there = np.full((3, N), 1000)
    division = divide(there, [1, 1], np.zeros((2, 3, N), dtype=np.int64), 200_000)
    room = backup.room(there, division, division.allotment, 0, 600_000, near=1)
    assert room.free[:, 0].tolist() == [200, 200, 200]
    assert room.free[:, 1].tolist() == [120, 120, 120]


def test_what_one_gives_back_another_may_have_whole() -> None:
    there = np.full((3, N), 1000)
    adjusted = np.zeros((2, 3, N), dtype=np.int64)
    adjusted[1] = -400
    division = divide(there, [1, 1], adjusted, 0)
    assert backup.room(there, division, division.allotment, 0, 0, near=0).free.tolist() == [[400] * N] * 3


@given(
    arrays(np.int64, 3, elements=st.integers(1, 60_000)),
    arrays(np.float64, (3, N), elements=st.floats(-1e6, 1e6) | st.just(np.inf)),
    arrays(np.float64, (3, N), elements=st.floats(0, 1e6)),
)
def test_nothing_above_the_limit_is_ever_offered_and_back_feed_is_not_sold(
    limit: Ints, load: np.ndarray, safety: np.ndarray
) -> None:
    there = available(limit, load, safety)
    assert (there >= 0).all()
    assert (there <= limit[:, None]).all()
    finite = np.isfinite(load)
    assert (there[~finite] == 0).all()
    total = there + np.where(finite, load + safety, 0)
    assert (total[(there > 0) & finite] <= np.broadcast_to(limit[:, None], (3, N))[(there > 0) & finite] + 1e-6).all()


@given(
    capacities, arrays(np.int64, 3, elements=st.integers(0, 60_000)), arrays(np.float64, N, elements=st.floats(-2, 2))
)
def test_a_brake_only_lowers_and_is_released_in_the_end(there: Ints, low: Ints, share: np.ndarray) -> None:
    after = released(there, low, share)
    assert (after <= there).all()
    assert (after >= np.minimum(there, low[:, None])).all()
    assert np.array_equal(after[:, share >= 1], there[:, share >= 1])
