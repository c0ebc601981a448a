"""Readings on their way into the store: late, doubled, contradicting, impossible and missing ones, in any order."""

import asyncio
import io
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dso_office import CABLE, MONDAY, QUARTER, World, cable
from gridroom.dso import braking, folder, register
from gridroom.dso.cables import Cable, Contract, Node, Register
from gridroom.dso.reading_counts import counted
from gridroom.dso.readings import quality
from gridroom.dso.readings.files import read_csv
from gridroom.dso.readings.measurements import NOT_MEASURED, SLICES, Flag, Reading, Reason, means, series_of
from gridroom.dso.recording import Meter, measurable, record_series
from gridroom.dso.rules import Office, Rules
from gridroom.dso.screens.overview import qualities
from gridroom.dso.store import Standing, Store
from gridroom.dso.tables import LOADS
from gridroom.storage import database
from gridroom.storage.columns import Ints

MINUTE = timedelta(minutes=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SUSPECT = int(quality.SUSPECT)


@pytest.fixture
def world(database_kind: str) -> Iterator[World]:
    world = World()
    yield world
    world.close()


def reading(minute: float, minutes: int, ampere: float | tuple[float, float, float], odd: bool = False) -> Reading:
    """Of the past: counted back from now, when the world begins."""
    each = ampere if isinstance(ampere, tuple) else (ampere, ampere + 1, ampere + 2)
    first, second, third = (round(one * 100) for one in each)
    return Reading(CABLE, MONDAY - minute * MINUTE, minutes * 60, (first, second, third), odd=odd)


def blocks(world: World, start: datetime, n: int, node: str = CABLE) -> dict[str, Ints]:
    with world.db.transact() as tx:
        return Store(tx, QUARTER).read(LOADS, (node,), start, n)


def flags(world: World, hours: float) -> list[Flag]:
    n = int(hours * 4)
    return [Flag(int(one)) for one in blocks(world, MONDAY - n * QUARTER, n)["flags"][0]]


def load(world: World, hours: float) -> list[int]:
    n = int(hours * 4)
    cells = blocks(world, MONDAY - n * QUARTER, n)
    found: list[int] = means(cells["sums"], cells["masks"])[0].tolist()
    return found


def counts(world: World, cable: str = CABLE) -> Counter[Reason]:
    with world.db.transact() as tx:
        found = counted(Store(tx, QUARTER), date(2020, 1, 1))
        return Counter({reason: cables[cable] for reason, cables in found.items() if cables.get(cable)})


def stand(world: World, **values: object) -> None:
    with world.db.transact() as tx:
        Store(tx, QUARTER).stand(CABLE, **values)


def standing(world: World) -> Standing:
    with world.db.transact() as tx:
        return Store(tx, QUARTER).standing(CABLE)


# -- whose readings --------------------------------------------------------------------------------------------------


def test_cables_transformers_and_substations_are_measured_alike(database_kind: str) -> None:
    world = World()
    nodes = [Node("t", "transformer", (50_000,) * 3, "s"), Node("s", "substation")]
    office = Office(Register([cable()], nodes), Rules())
    assert [measurable(office.register, one) for one in (CABLE, "t", "s", "x")] == [True, True, True, False]
    with world.db.transact() as tx:
        store = Store(tx, QUARTER)
        readings = [Reading(one, MONDAY - QUARTER, 900, (70_000, 2, 3)) for one in (CABLE, "t", "s", "x")]
        received = record_series(store, office, series_of(readings, office.rules.block), MONDAY, Meter())
    assert received.stored == 2
    assert received.counts == {
        Reason.UNKNOWN: 1,
        Reason.IMPOSSIBLE: 1,
        Reason.GAP: 1,
    }  # 700 A: the cable carries 200, "t" 500
    assert blocks(world, MONDAY - QUARTER, 1, "t")["sums"][:, 0].tolist() == [70_000 * 15, 30, 45]
    assert blocks(world, MONDAY - QUARTER, 1, "x")["masks"].tolist() == [[0]]
    assert counts(world, "") == {Reason.UNKNOWN: 1}
    world.close()


def test_a_phase_that_a_cable_has_not_may_be_left_out_and_one_that_it_has_may_not(database_kind: str) -> None:
    one_phase = Cable("thin", (4000, 0, 0), (Contract("north", 1000, (), MONDAY),))
    world = World(cables=(cable(), one_phase))
    at = (MONDAY - QUARTER).isoformat()
    text = f"time,thin.L1,{CABLE}.L1\n{at},7,7\n"
    received = world.dso.record_delivery(read_csv(io.BytesIO(text.encode()), QUARTER))
    assert received.stored == 1
    local = "2026-01-05T00:45:00+01:00"
    assert [str(one) for one in received.findings] == [f"row 2: {CABLE} {local}: tells only some of the cable's phases"]
    assert blocks(world, MONDAY - QUARTER, 1, "thin")["sums"][:, 0].tolist() == [700 * 15, 0, 0]
    assert blocks(world, MONDAY - QUARTER, 1)["masks"].tolist() == [[0]]
    world.close()


# -- what is odd -----------------------------------------------------------------------------------------------------


def test_what_is_odd_is_flagged_and_counted_with_its_reason(world: World) -> None:
    for one in (
        [reading(120, 15, 10), reading(105, 15, 11)],
        [reading(60, 15, 12)],  # two blocks are missing
        [reading(60, 15, 12)],
        [reading(105, 15, 99)],
        [reading(75, 15, 13)],  # out of order
        [reading(45, 15, 800)],
        [reading(30, 15, (0, 0, 0), odd=True)],
        [reading(15, 15, 14)],
    ):
        world.dso.record_readings(one, "meter-1")
    assert flags(world, 2) == [
        Flag(0),
        Flag.CONTRADICTED,
        Flag.GAP,
        Flag.DISORDERED,
        Flag.REPEATED,
        Flag.IMPOSSIBLE | Flag.GAP,
        Flag.IMPOSSIBLE | Flag.GAP,
        Flag(0),
    ]
    assert load(world, 2) == [1000, 1100, NOT_MEASURED, 1300, 1200, NOT_MEASURED, NOT_MEASURED, 1400]
    assert counts(world) == {
        Reason.CONTRADICTED: 1,
        Reason.REPEATED: 1,
        Reason.DISORDERED: 1,
        Reason.IMPOSSIBLE: 2,
        Reason.GAP: 3,
    }


def test_a_gap_that_is_filled_is_none_any_more(world: World) -> None:
    world.dso.record_readings([reading(120, 15, 10), reading(15, 15, 10)])
    assert counts(world) == {Reason.GAP: 6}
    received = world.dso.record_readings([reading(105 - 15 * i, 15, i) for i in range(6)])
    assert received.counts == {Reason.DISORDERED: 6}
    assert counts(world) == {Reason.DISORDERED: 6}
    assert not any(flag & Flag.GAP for flag in flags(world, 2))


def test_an_impossible_value_is_left_out_and_the_right_one_may_follow(world: World) -> None:
    world.dso.record_readings([reading(30, 15, 601)])
    world.dso.record_readings([reading(30, 15, 50), reading(15, 15, -601)])
    assert load(world, 0.5) == [5000, NOT_MEASURED]
    assert flags(world, 0.5) == [Flag.IMPOSSIBLE | Flag.DISORDERED, Flag.IMPOSSIBLE | Flag.GAP]


def test_an_impossible_value_may_brake_and_never_frees_anything(world: World) -> None:
    world.history(10)
    for value, braked in ((-5000.0, False), (5000.0, True)):
        world.clock.time += QUARTER
        start = world.clock.time - QUARTER
        before = standing(world)
        current = (round(value * 100),) * 3
        world.dso.record_readings([Reading(CABLE, start, 900, current)])
        assert min(standing(world).latest or ()) >= 0
        with world.db.transact() as tx:
            store = Store(tx, QUARTER)
            assert bool(braking.brake(store, world.dso.office, world.clock.time)) is braked
        assert before.braked_at is None


def test_a_lower_reading_does_not_hide_an_overload_that_nobody_looked_at(world: World) -> None:
    world.dso.record_readings([reading(10, 5, (250, 0, 0))])
    world.dso.record_readings([reading(5, 5, (1, 2, 3))])
    assert standing(world).latest == (25_000, 200, 300)
    stand(world, watched=MONDAY)
    world.clock.time += 5 * MINUTE
    world.dso.record_readings([reading(0, 5, (4, 5, 6))])
    assert standing(world).latest == (400, 500, 600)


def test_a_stuck_meter_is_seen_after_half_a_day_and_goes_on_to_be(world: World) -> None:
    for i in range(52):
        world.dso.record_readings([reading(780 - 15 * i, 15, (7, i, 90 - i))])
        if i >= 45:
            assert any(flags(world, 13)) == (i >= 47)
    assert flags(world, 13) == [Flag.STUCK_L1] * 52
    assert counts(world) == {Reason.STUCK: 52}
    world.clock.time += QUARTER
    world.dso.record_readings([Reading(CABLE, MONDAY, 900, (1, 2, 3))])
    assert blocks(world, MONDAY, 1)["flags"].tolist() == [[0]]


def test_of_a_stuck_run_what_was_learned_before_stays_as_it_was(world: World) -> None:
    for i in range(50):
        stand(world, learned_until=MONDAY - 15 * (52 - i) * MINUTE)  # each block is learned at once
        world.dso.record_readings([reading(780 - 15 * i, 15, (7, i, 90 - i))])
    assert [bool(flag) for flag in flags(world, 13)[:50]] == [False] * 47 + [True] * 3


def test_a_dead_phase_stays_flagged_for_days(world: World) -> None:
    start = MONDAY - 10 * DAY
    chance = np.random.default_rng(1)
    for day in range(10):
        readings = [
            Reading(CABLE, start + day * DAY + i * QUARTER, 900, (int(v), int(v) if day < 3 else 0, int(v)))
            for i, v in enumerate(chance.integers(1000, 9000, 96))
        ]
        world.dso.record_readings(readings)
    cells = blocks(world, start, 960)["flags"][0]
    assert (cells[:288] == 0).all()
    assert (cells[288:] == Flag.STUCK_L2).all()


# -- late ------------------------------------------------------------------------------------------------------------


def test_what_comes_after_its_block_was_learned_is_told_and_changes_nothing(world: World) -> None:
    world.dso.record_readings([reading(60, 10, 10), reading(30, 15, 11)])
    stand(world, learned_until=MONDAY - QUARTER)
    before = blocks(world, MONDAY - HOUR, 4)
    received = world.dso.record_readings([reading(50, 5, 90), reading(60, 10, 10), reading(30, 15, 99)])
    after = blocks(world, MONDAY - HOUR, 4)
    assert received.stored == 0
    assert received.counts == {Reason.LATE: 1, Reason.REPEATED: 1, Reason.CONTRADICTED: 1}
    for name in ("sums", "masks"):
        assert (before[name] == after[name]).all()
    assert after["flags"].tolist() == [[0, Flag.GAP, Flag.DISPUTED, 0]]
    assert quality.usable(after["flags"]).all()


def test_what_fills_a_block_that_was_given_up_is_kept_flagged_and_not_learned(world: World) -> None:
    world.dso.record_readings([reading(90, 15, 10), reading(60, 5, 8), reading(30, 15, 11)])
    stand(world, learned_until=MONDAY - 2 * QUARTER)
    received = world.dso.record_readings([reading(75, 15, 40), reading(55, 10, 20), reading(15, 15, 12)])
    assert received.stored == 3
    assert received.counts == {Reason.LATE: 2, Reason.DISORDERED: 2}
    assert load(world, 1.5)[1:3] == [4000, 1600]
    found = np.array(flags(world, 1.5))
    assert found.tolist() == [0, Flag.LATE, Flag.LATE, Flag.GAP, 0, 0]
    assert quality.usable(found).tolist() == [True, False, False, True, True, True]
    cells = blocks(world, MONDAY - 6 * QUARTER, 6)
    followed = quality.trusted(means(cells["sums"], cells["masks"]), cells["flags"][0])
    assert followed[0, 1:3].tolist() == [NOT_MEASURED] * 2


@pytest.mark.parametrize(
    ("first", "known", "anew"),
    [(40, 48, False), (22, 48, False), (8, 6, True), (49, 48, True), (5, 6, False)],
    ids=["days late", "less than a day late", "before the first block", "days before it", "between known blocks"],
)
def test_an_older_history_makes_the_cable_learn_anew(world: World, first: int, known: int, anew: bool) -> None:
    """Hours ago; the newest hour is known, and the first one."""
    learned = MONDAY - HOUR
    world.dso.record_readings([reading(60 * known, 15, 3), reading(60 * first - 30, 15, 9), reading(60, 60, 5)])
    world.dso.record_readings([reading(60, 60, 5)])
    stand(world, learned_until=learned)
    received = world.dso.record_readings([reading(60 * first, 15, 4)])
    assert received.stored == 1
    assert standing(world).learned_until == (None if anew else learned)
    late = Flag.LATE in flags(world, first)[0]
    assert late is not anew


def test_what_is_told_again_with_each_delivery_of_a_late_meter_is_not_learned_anew(world: World) -> None:
    """A meter that delivers a day's readings two days later, each time after that day was given up."""
    world.dso.record_readings([reading(60 * 24 * 9, 60, 5)])
    for day in range(6, 2, -1):
        learned = MONDAY - (day - 2) * DAY
        stand(world, learned_until=learned)
        received = world.dso.record_readings([reading(60 * 24 * day - 15 * i, 15, i) for i in range(96)])
        assert (received.stored, received.counts[Reason.LATE]) == (96, 96)
        assert standing(world).learned_until == learned
    assert set(flags(world, 72 + 24)[:96]) == {Flag.LATE}


def test_where_nothing_is_kept_any_more_any_history_is_an_older_one(world: World) -> None:
    stand(world, learned_until=MONDAY - QUARTER)
    world.dso.record_readings([reading(300, 15, 5)])
    assert standing(world).learned_until is None


def test_when_all_is_learned_anew_nothing_is_late_any_more(world: World) -> None:
    world.dso.record_readings([reading(600, 15, 1), reading(60, 15, 2)])
    stand(world, learned_until=MONDAY - HOUR)
    world.dso.record_readings([reading(300, 15, 3)])
    assert flags(world, 5)[0] & Flag.LATE
    world.dso.record_readings([reading(3000, 15, 4)])
    assert not any(flag & Flag.LATE for flag in flags(world, 50))


# -- nonsense --------------------------------------------------------------------------------------------------------


N = 10
"""Blocks of the day that the tests below feed; one more than its span, so that the newest one is known."""

clean = st.lists(st.integers(-3000, 9000), min_size=N, max_size=N, unique=True)
kinds = st.sampled_from(["again", "other", "impossible", "half", "long", "late"])
nonsense = st.lists(st.tuples(st.integers(0, N - 1), kinds, st.integers(-9000, 9000)), max_size=15)


def honest(values: list[int]) -> list[Reading]:
    start = MONDAY - N * QUARTER
    return [Reading(CABLE, start + i * QUARTER, 900, (v, v + 1, v - 1)) for i, v in enumerate(values)]


def nonsensical(values: list[int], block: int, kind: str, value: int) -> Reading:
    start, v = MONDAY - (N - block) * QUARTER, values[block]
    match kind:
        case "again":
            return honest(values)[block]
        case "other":
            return Reading(CABLE, start, 900, (value, value, value))
        case "impossible":
            return Reading(CABLE, start, 900, (v, 70_000 + value, v))
        case "half":
            return Reading(CABLE, start - 5 * MINUTE, 600, (value, v, v))
        case "long":
            return Reading(CABLE, start - QUARTER, 2700, (value, v, v))
        case _:
            return Reading(CABLE, start + 3 * DAY, 900, (value, v, v))


@settings(max_examples=60, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(clean, nonsense, st.randoms(use_true_random=False), st.lists(st.integers(1, 6), max_size=12))
def test_whatever_nonsense_comes_in_between_each_block_that_is_not_suspect_is_as_if_it_had_not(
    values: list[int], noise: list[tuple[int, str, int]], chance: object, sizes: list[int]
) -> None:
    readings = honest(values) + [nonsensical(values, *one) for one in noise]
    chance.shuffle(readings)  # type: ignore[attr-defined]
    db = database.open("sqlite://", folder.MIGRATIONS)
    office, start = Office(Register([cable()]), Rules()), MONDAY - N * QUARTER
    with db.transact() as tx:
        store, closed = Store(tx, QUARTER), start
        total = 0
        for i, size in enumerate([*sizes, len(readings)]):
            part, readings = readings[:size], readings[size:]
            received = record_series(store, office, series_of(part, office.rules.block), MONDAY)
            total += received.stored
            if i % 3 == 2:  # learning goes on meanwhile; what it took stays as it took it
                closed = min(closed + QUARTER, MONDAY)
                store.stand(CABLE, learned_until=closed)
        cells = store.read(LOADS, (CABLE,), start - QUARTER, N + 1)
    db.close()
    disputed = (cells["flags"][0] & int(Flag.DISPUTED)) != 0  # after it was learned: who was right cannot be told
    found, trusted = means(cells["sums"], cells["masks"])[:, 1:], (quality.usable(cells["flags"][0]) & ~disputed)[1:]
    expected = np.array([[v, v + 1, v - 1] for v in values]).T
    measured = found[0] != NOT_MEASURED
    assert (found[:, trusted & measured] == expected[:, trusted & measured]).all()
    touched = {block for block, kind, _ in noise if kind != "again"}
    touched |= {block - 1 for block, kind, _ in noise if kind in ("half", "long")}
    touched |= {block + 1 for block, kind, _ in noise if kind == "long"}
    for i in range(N):
        if i not in touched and closed == start:
            assert measured[i], "an honest block got lost"
            assert trusted[i], "an honest block is suspected"
    assert total <= len(values) + len(noise)


@settings(max_examples=40)
@given(clean, nonsense, st.randoms(use_true_random=False), st.integers(1, N))
def test_what_was_learned_never_changes_whatever_comes_later(
    values: list[int], noise: list[tuple[int, str, int]], chance: object, closed: int
) -> None:
    readings = honest(values) + [nonsensical(values, *one) for one in noise]
    chance.shuffle(readings)  # type: ignore[attr-defined]
    db = database.open("sqlite://", folder.MIGRATIONS)
    office, start = Office(Register([cable()]), Rules()), MONDAY - N * QUARTER
    half = len(readings) // 2
    with db.transact() as tx:
        store = Store(tx, QUARTER)
        record_series(store, office, series_of(readings[:half], office.rules.block), MONDAY)
        store.stand(CABLE, learned_until=start + closed * QUARTER)
        before = store.read(LOADS, (CABLE,), start, closed)
        for one in readings[half:]:
            record_series(store, office, series_of([one], office.rules.block), MONDAY)
        after = store.read(LOADS, (CABLE,), start, closed)
        again = store.standing(CABLE).learned_until is None
    db.close()
    if again:
        return  # an older block came in: all is learned anew
    loads, usable = (
        [quality.trusted(means(one["sums"], one["masks"]), one["flags"][0]) for one in (before, after)],
        [quality.usable(one["flags"][0]) for one in (before, after)],
    )
    assert (loads[0] == loads[1]).all()
    learned = [(load != NOT_MEASURED).all(axis=0) & may for load, may in zip(loads, usable, strict=True)]
    assert (learned[0] == learned[1]).all()


# -- longer than a block ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minute", "minutes", "found"),
    [
        (60, 30, [Flag.COARSE, Flag.COARSE, Flag.GAP, 0]),
        (60, 20, [Flag.COARSE, Flag.COARSE | Flag.GAP, Flag.GAP, 0]),
        (60, 15, [0, Flag.GAP, Flag.GAP, 0]),
        (55, 15, [0, Flag.GAP, Flag.GAP, 0]),  # ten minutes of the first block count, five of the second do not
    ],
)
def test_a_reading_longer_than_a_block_is_coarse(world: World, minute: int, minutes: int, found: list[int]) -> None:
    received = world.dso.record_readings([reading(minute, minutes, 50), reading(15, 15, 9)])
    assert received.stored == 2
    assert flags(world, 1) == found
    assert counts(world)[Reason.COARSE] == int(minutes > 15)


@pytest.mark.parametrize("minutes", [1, 3, 5, 15])
def test_readings_that_together_make_up_a_block_are_not(world: World, minutes: int) -> None:
    received = world.dso.record_readings([reading(60 - i, minutes, 50 + i) for i in range(0, 60, minutes)])
    assert received.stored == 60 // minutes
    assert not +received.counts
    assert flags(world, 1) == [Flag(0)] * 4


def test_what_is_coarse_is_kept_and_may_brake_and_is_not_learned_from(world: World) -> None:
    world.dso.record_readings([reading(30, 30, 250)])
    cells = blocks(world, MONDAY - 2 * QUARTER, 2)
    assert means(cells["sums"], cells["masks"])[0].tolist() == [25_000] * 2
    assert not quality.usable(cells["flags"][0]).any()
    assert (quality.trusted(means(cells["sums"], cells["masks"]), cells["flags"][0]) == NOT_MEASURED).all()
    with world.db.transact() as tx:
        assert braking.brake(Store(tx, QUARTER), world.dso.office, MONDAY)


def test_what_is_coarse_and_late_is_coarse_when_all_is_learned_anew(world: World) -> None:
    world.dso.record_readings([reading(600, 15, 1), reading(60, 15, 2)])
    stand(world, learned_until=MONDAY - HOUR)
    world.dso.record_readings([reading(300, 30, 3)])
    assert flags(world, 5)[:2] == [Flag.LATE | Flag.COARSE] * 2
    world.dso.record_readings([reading(3000, 15, 4)])
    assert flags(world, 5)[:2] == [Flag.COARSE] * 2


@pytest.mark.parametrize(("minutes", "offered"), [(15, True), (30, False), (360, False)])
def test_where_nothing_but_coarse_readings_is_known_nothing_is_offered(
    world: World, minutes: int, offered: bool
) -> None:
    days = 10
    values = [(4000 + 7 * i % 900, 4100 + 11 * i % 900, 4200 + 13 * i % 900) for i in range(days * 1440 // minutes)]
    start, step = MONDAY - days * DAY, minutes * MINUTE
    world.dso.record_readings([Reading(CABLE, start + i * step, minutes * 60, value) for i, value in enumerate(values)])
    asyncio.run(world.dso.publish(MONDAY))
    with world.db.transact() as tx:
        assert (qualities(Store(tx, QUARTER), world.dso.office, MONDAY)[CABLE] == "none") is not offered
    assert (world.dso.view(CABLE, MONDAY, 96).available > 0).any() == offered


# -- how far back a meter may reach -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "days", "stored"),
    [(None, 6.9, True), (None, 7.1, False), (3, 6.9, True), (3, 7.1, False), (30, 29.9, True), (30, 31, False)],
)
def test_a_meter_may_reach_back_a_week_or_to_the_first_measurement(
    world: World, known: int | None, days: float, stored: bool
) -> None:
    if known is not None:
        world.dso.record_readings([reading(known * 24 * 60, 15, 3)])
    minute = round(days * 96) * 15
    received = world.dso.record_readings([reading(minute, 15, 9)], "meter-1")
    assert (received.stored, received.refused) == ((1, 0) if stored else (0, 1))
    if not stored:
        assert received.counts == {Reason.OLD: 1}
        assert counts(world)[Reason.OLD] == 1
        assert "reaches further back than a meter may" in received.findings[0].text
        assert world.dso.record_readings([reading(minute, 15, 9)]).stored == 1, "the operator may"


def test_a_meter_never_makes_a_cable_learn_anew(world: World) -> None:
    learned = MONDAY - HOUR
    world.dso.record_readings([reading(60 * 24, 15, 3), reading(75, 15, 5)])
    stand(world, learned_until=learned)
    received = world.dso.record_readings([reading(60 * 48, 15, 4)], "meter-1")
    assert (received.stored, received.counts[Reason.LATE]) == (1, 1)
    assert standing(world).learned_until == learned
    assert flags(world, 48)[0] == Flag.LATE
    world.dso.record_readings([reading(60 * 49, 15, 4)])
    assert standing(world).learned_until is None
    assert not any(flag & Flag.LATE for flag in flags(world, 49))


# -- files -----------------------------------------------------------------------------------------------------------


def test_a_file_that_comes_again_adds_nothing(database_kind: str) -> None:
    world = World()
    start = MONDAY - 20 * DAY
    rows = [f"{(start + i * QUARTER).isoformat()},{i % 97},{i % 89},{i % 83}\n" for i in range(20 * 96)]
    text = f"time,{CABLE}.L1,{CABLE}.L2,{CABLE}.L3\n{''.join(rows)}".encode()
    first = world.dso.record_delivery(read_csv(io.BytesIO(text), QUARTER))
    before = blocks(world, start, 20 * 96)
    again = world.dso.record_delivery(read_csv(io.BytesIO(text), QUARTER))
    after = blocks(world, start, 20 * 96)
    assert (first.stored, first.refused) == (20 * 96, 0)
    assert (again.stored, again.repeated, again.refused) == (0, 20 * 96, 0)
    assert (before["sums"] == after["sums"]).all()
    assert (after["flags"] == Flag.REPEATED).all()
    assert (np.bitwise_count(after["masks"]) == SLICES).all()
    world.close()


def test_the_register_says_what_may_be_imported(database_kind: str) -> None:
    world = World()
    with world.db.transact() as tx:
        assert register.read(tx).cables.keys() == {CABLE}
    text = "time,cable,L1,L2,L3\n" + 2 * f"{(MONDAY - QUARTER).isoformat()},nowhere,1,2,3\n"
    received = world.dso.record_delivery(read_csv(io.BytesIO(text.encode()), QUARTER))
    assert (received.refused, received.counts) == (2, {Reason.UNKNOWN: 2})
    assert received.findings[0].text == "no such cable in the register"
    of_meter = world.dso.record_delivery(read_csv(io.BytesIO(text.encode()), QUARTER), "meter-1")
    assert of_meter.findings[0].text == "no such cable for this meter"
    world.close()


def test_only_what_meters_say_is_counted_as_unreadable_or_unknown(world: World) -> None:
    text = f"time,cable,L1,L2,L3\nnow,{CABLE},1,2,3\n{(MONDAY - QUARTER).isoformat()},nowhere,1,2,3\n"
    for meter, expected in ((None, {}), ("meter-1", {Reason.UNREADABLE: 1, Reason.UNKNOWN: 1})):
        received = world.dso.record_delivery(read_csv(io.BytesIO(text.encode()), QUARTER), meter)
        assert received.counts == {Reason.UNREADABLE: 1, Reason.UNKNOWN: 1}
        assert counts(world, "") == expected
