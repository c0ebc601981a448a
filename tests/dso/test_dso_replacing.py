"""The operator takes back what was wrong: what a file tells takes the place of what is stored, and leaves nothing."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dso_area import DAY, HOUR, MONDAY, Area, assert_same, homes, invented
from gridroom.dso.cables import Node
from gridroom.dso.reading_counts import counted
from gridroom.dso.readings.measurements import Flag, Reading, Reason, Received, series_of
from gridroom.dso.readings.quality import SUSPECT
from gridroom.dso.recording import Meter, record_series
from gridroom.dso.tables import LOADS
from gridroom.storage.columns import Ints

pytestmark = pytest.mark.usefixtures("database_kind")

QUICK = (Phase.explicit, Phase.generate)
DAYS = 9
N = DAYS * 24
NOW = MONDAY + DAYS * DAY
CABLES = ("c1", "c2", "c3")
RIGHT = invented(N, seed=0)
Make = Callable[..., Area]


@pytest.fixture
def make() -> Iterator[Make]:
    made = []

    def area(*cables: Any) -> Area:
        made.append(Area(cables or [homes(name) for name in CABLES]))
        return made[-1]

    yield area
    for one in made:
        one.close()


def take(
    area: Area,
    load: Ints,
    start: datetime = MONDAY,
    cable: str = "c1",
    replace: bool = False,
    meter: Meter | None = None,
    now: datetime = NOW,
    step: timedelta = HOUR,
) -> Received:
    seconds = step // timedelta(seconds=1)
    readings = [Reading(cable, start + i * step, seconds, tuple(one.tolist())) for i, one in enumerate(load.T)]
    with area.store() as store:
        return record_series(store, area.office, series_of(readings, HOUR), now, meter, replace=replace)


def others(area: Area) -> Area:
    for i, name in enumerate(CABLES[1:], 1):
        take(area, invented(N, seed=i), cable=name)
    return area


def loads(area: Area, n: int = N) -> dict[str, Ints]:
    with area.store() as store:
        return store.read(LOADS, ("c1",), MONDAY, n)


def odd(area: Area) -> Counter[Reason]:
    with area.store() as store:
        found = counted(store, date(2020, 1, 1))
    return Counter({reason: cables["c1"] for reason, cables in found.items() if cables.get("c1")})


def assert_as_if_it_had_never_been(area: Area, right: Area) -> None:
    mine, other = loads(area), loads(right)
    for name in ("sums", "masks"):
        np.testing.assert_array_equal(mine[name], other[name])
    np.testing.assert_array_equal(mine["flags"] & int(SUSPECT), other["flags"] & int(SUSPECT))
    left, expected = area.expect(NOW), right.expect(NOW)
    for place, one in expected.items():
        assert left[place].quality == one.quality
        np.testing.assert_array_equal(left[place].mean, one.mean)
        np.testing.assert_array_equal(left[place].bound, one.bound)
    assert_same(area, right)


wrongs = st.sampled_from(
    [
        RIGHT * 3 * 230 // 1000,  # kW under the columns of ampere
        np.roll(RIGHT, 2, axis=1),  # the wrong zone
        np.full_like(RIGHT, 4200),  # a meter that is stuck
        RIGHT * 3,
        np.zeros_like(RIGHT),
    ]
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], phases=QUICK)
@given(
    wrong=wrongs,
    span=st.tuples(st.integers(0, N - 1), st.integers(1, N)),
    first_right=st.booleans(),
    learned=st.lists(st.integers(1, N), max_size=3),
)
def test_what_was_wrong_and_is_replaced_leaves_nothing_that_was_learned(
    make: Make, wrong: Ints, span: tuple[int, int], first_right: bool, learned: list[int]
) -> None:
    """A wrong file, before or after the right one, then the right one in its place: as the right one alone."""
    area, right = others(make()), others(make())
    take(right, RIGHT)
    first, end = min(span[0], span[1] - 1), max(span)
    if first_right:
        take(area, RIGHT)
    for stop in sorted(learned):
        area.expect(MONDAY + stop * HOUR)
    take(area, wrong[:, first:end], MONDAY + first * HOUR)
    area.expect(NOW)
    take(area, RIGHT, replace=True)
    assert_as_if_it_had_never_been(area, right)


def test_a_part_may_be_replaced_and_the_rest_stays(make: Make) -> None:
    area, right = others(make()), others(make())
    take(right, RIGHT)
    wrong = RIGHT.copy()
    wrong[:, 100:140] //= 3
    take(area, wrong)
    area.expect(NOW)
    with area.store() as store:
        assert store.standing("c1").learned_until == NOW
    received = take(area, RIGHT[:, 90:150], MONDAY + 90 * HOUR, replace=True)
    assert (received.stored, received.replaced, received.repeated, received.refused) == (40, 40, 20, 0)
    assert received.summary() == (
        "40 readings stored, 0 refused; repeated: 20\n"
        "40 of them took the place of other values; what was learned from those is learned anew at the next publish"
    )
    assert_as_if_it_had_never_been(area, right)


def test_what_is_replaced_by_the_same_changes_nothing_and_is_counted_once(make: Make) -> None:
    area = others(make())
    take(area, RIGHT)
    area.expect(NOW)
    before, known, counts = loads(area), area.learned(), odd(area)
    received = take(area, RIGHT, replace=True)
    assert (received.stored, received.replaced, received.repeated) == (0, 0, N)
    for name, cells in loads(area).items():
        np.testing.assert_array_equal(cells, before[name])
    assert area.learned().keys() == known.keys(), "nothing is learned anew"
    assert odd(area) == counts


def test_what_is_new_is_stored_as_ever_and_teaches_nobody_anew(make: Make) -> None:
    area = others(make())
    take(area, RIGHT[:, : N - 24])
    area.expect(NOW - DAY)
    known = area.learned().keys()
    received = take(area, RIGHT[:, N - 24 :], NOW - DAY, replace=True)
    assert (received.stored, received.replaced) == (24, 0)
    assert area.learned().keys() == known


def test_a_block_of_which_the_file_tells_anything_holds_what_it_tells_and_nothing_else(make: Make) -> None:
    area = make()
    take(area, np.full((3, 6), 900), step=HOUR / 3)
    take(area, np.full((3, 2), 300), step=HOUR / 3, replace=True)
    cells = loads(area, 2)
    assert cells["sums"][0].tolist() == [300 * 10, 900 * 15]
    assert np.bitwise_count(cells["masks"])[0].tolist() == [10, 15]


def test_what_cannot_be_is_no_value_to_put_in_place_and_makes_nothing_suspect_that_was_learned(make: Make) -> None:
    area = others(make())
    take(area, RIGHT)
    area.expect(NOW)
    known = area.learned().keys()
    received = take(area, RIGHT * 1000, replace=True)
    assert (received.stored, received.refused, received.counts[Reason.IMPOSSIBLE]) == (0, N, N)
    assert not (loads(area)["flags"] & int(Flag.IMPOSSIBLE)).any()
    assert area.learned().keys() == known


def test_the_counts_of_a_right_file_are_those_of_the_right_file(make: Make) -> None:
    """Gaps and stuck phases that are none any more are counted no more; the same oddness is not counted twice."""
    wrong = np.full_like(RIGHT, 4200)
    area, right = make(), make()
    take(right, RIGHT)
    take(area, wrong[:, : N - 30])
    take(area, wrong[:, N - 20 :], MONDAY + (N - 20) * HOUR)
    assert odd(area)[Reason.STUCK] > 0
    assert odd(area)[Reason.GAP] == 10
    take(area, RIGHT, replace=True)
    assert odd(area) == odd(right) == Counter()
    coarse = np.full((3, 10), 4000)
    for replace in (False, True, True):
        take(area, coarse, MONDAY - 2 * DAY, replace=replace, step=2 * HOUR)
    assert odd(area)[Reason.COARSE] == 10


def test_the_transformer_above_learns_anew_too(make: Make) -> None:
    def town() -> Area:
        return Area([homes("c1", "t"), homes("c2", "t"), homes("c3")], [Node("t", "transformer", (60_000,) * 3)])

    area, right = town(), town()
    for one in (area, right):
        take(others(one), RIGHT + 9000, cable="t")
    take(right, RIGHT)
    take(area, RIGHT // 3)
    area.expect(NOW)
    take(area, RIGHT, replace=True)
    assert_as_if_it_had_never_been(area, right)
    for one in (area, right):
        one.close()


def test_also_where_only_the_transformer_has_learned_from_it(make: Make) -> None:
    area = Area([homes("c1", "t"), homes("c2", "t")], [Node("t", "transformer", (60_000,) * 3)])
    take(area, RIGHT // 3)
    with area.store() as store:
        store.stand("t", learned_until=NOW)
    take(area, RIGHT, replace=True)
    with area.store() as store:
        assert store.standing("t").learned_until is None
    area.close()


def test_what_others_still_know_of_a_cable_that_learns_anew_is_forgotten_too(make: Make) -> None:
    """A wrong file that was learned, an older history that makes the cable learn anew, and the right file at once."""
    area, right = (others(make()) for _ in range(2))
    take(area, RIGHT[:, 48:] * 2, MONDAY + 2 * DAY)
    area.expect(NOW)
    for one in (area, right):
        take(one, RIGHT[:, :48])
    with area.store() as store:
        assert store.standing("c1").learned_until is None
    take(area, RIGHT, replace=True)
    take(right, RIGHT)
    assert_as_if_it_had_never_been(area, right)


def test_an_overload_that_the_right_file_shows_is_looked_at_by_the_brake(make: Make) -> None:
    area = make()
    take(area, RIGHT)
    with area.store() as store:
        store.watched({"c1": NOW})
    take(area, RIGHT[:, -1:], NOW - HOUR, replace=True)
    with area.store() as store:
        assert store.standing("c1").watched == NOW, "it says what the brake knows"
    take(area, RIGHT[:, -1:] + 15_000, NOW - HOUR, replace=True)
    with area.store() as store:
        standing = store.standing("c1")
    assert standing.watched is None
    assert standing.latest == tuple((RIGHT[:, -1] + 15_000).tolist())
