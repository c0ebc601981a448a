"""What the operator sees: forecasts, readings, letters, brakes, realised risk; and what of it is alarming."""

import asyncio
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from dso_office import CABLE, MONDAY, QUARTER, World, ask, cable, request
from gridroom.dso import register
from gridroom.dso.cables import Cable, Contract, Node, Register
from gridroom.dso.readings.measurements import Reading, Reason
from gridroom.dso.rules import Criterion, Office, Rules
from gridroom.dso.screens.overview import adjusted, lines, look
from gridroom.dso.screens.risk import DAYS, band, effective, judge, realised
from gridroom.dso.screens.status import Level, Sign, Status
from gridroom.dso.store import Store
from gridroom.dso.tables import PLANS, READING_COUNTS, USAGES
from gridroom.oscp.v10.blocks import UNKNOWN
from gridroom.storage.letters import OUTBOX
from gridroom.storage.outbox import REPLACED, Outbox

MIGRATIONS = "gridroom.dso.migrations"
LATER = datetime(2030, 1, 1, tzinfo=UTC)
HOMES_ONLY = Cable(CABLE, (20_000,) * 3, (Contract("north", 10_000, (), LATER), Contract("south", 5_000, (), LATER)))
"""Nobody has to report use of it yet, so every measured block tells of homes alone."""


@pytest.fixture
def world(new_database: Callable[[str], str]) -> Iterator[World]:
    """A DSO that has seen two weeks, on each kind of database."""
    world = World(new_database(MIGRATIONS), cables=[HOMES_ONLY])
    world.history(14)
    yield world
    world.close()


def status(world: World) -> Status:
    return look(world.db, world.dso.office, "dso", world.dso.peers, world.clock.now())


def publish(world: World) -> None:
    asyncio.run(world.dso.publish(world.clock.now()))


def alarms(world: World) -> list[str]:
    return [sign.text for sign in status(world).signs if sign.level is Level.ALARM]


def signs(world: World, where: str) -> list[Sign]:
    return [sign for sign in status(world).signs if sign.where == where]


def quarters(world: World, n: int) -> None:
    """Time goes on: a reading of each quarter, a publish at its end."""
    for _ in range(n):
        world.clock.time += QUARTER
        world.measure(50, seconds=900)
        publish(world)


def happened(world: World, available_a: float, load_a: np.ndarray[Any, Any], start: datetime) -> None:
    """The past as it might have been: what was in force, and what was measured then, shape (3, n). [A]"""
    n = load_a.shape[1]
    cells = np.full((3, n), round(available_a * 100))
    with world.db.transact() as tx:
        Store(tx, QUARTER).write(PLANS, (CABLE,), start, {"available": cells})
    rows = (np.rint(load_a.T * 100).astype(int) + np.arange(n)[:, None] % 2).tolist()  # no meter is stuck
    readings = [Reading(CABLE, start + i * QUARTER, 900, (row[0], row[1], row[2])) for i, row in enumerate(rows)]
    found = world.dso.record_readings(readings)
    assert found.stored == n, found.findings[:3]


# -- what is alarming --------------------------------------------------------------------------------------------------


def test_before_anything_was_published_that_is_alarming(world: World) -> None:
    told = "nothing was published yet; start it with `gridroom dso run`, or see its log"
    assert alarms(world) == [told, "none: cable-1"]
    assert status(world).age is None


def test_while_a_long_history_is_learned_the_status_tells_how_far(world: World) -> None:
    with world.db.transact() as tx:
        Store(tx, QUARTER).stand(CABLE, learned_until=MONDAY - timedelta(days=7))
    assert alarms(world) == [
        "nothing was published yet; a long history is learned first, so far until 2025-12-29 00:00 UTC; "
        "see that `gridroom dso run` runs, or see its log"
    ]


def test_a_dso_that_works_has_nothing_alarming(world: World) -> None:
    publish(world)
    found = status(world)
    assert found.signs == ()
    assert not found.alarming
    assert found.qualities == {"good": (CABLE,)}
    assert found.newest == found.published == MONDAY
    assert {party: post.waiting for party, post in found.posts.items()} == {"north": 0, "south": 0}
    assert found.messages["UpdateCableCapacityForecast"] == {"sent": 2, "acknowledged": 2, "refused": 0}


@pytest.mark.parametrize(
    ("late", "told"),
    [
        (timedelta(minutes=29), []),
        (timedelta(minutes=31), ["the last one is 31 min old; see that `gridroom dso run` runs, or see its log"]),
        (timedelta(hours=-2), ["the last one lies ahead of the clock; see that the clock is right"]),
    ],
)
def test_a_publish_of_two_intervals_ago_is_too_old(world: World, late: timedelta, told: list[str]) -> None:
    publish(world)
    world.clock.time += late
    assert alarms(world) == told


def test_a_cable_that_is_not_measured_any_more_is_named(world: World) -> None:
    publish(world)
    world.clock.time += timedelta(minutes=60)
    publish(world)
    assert status(world).silent == ()
    world.clock.time += timedelta(minutes=15)
    publish(world)
    assert status(world).silent == (CABLE,)
    assert "none of the last hour: cable-1; look at the meter and its connection" in alarms(world)
    assert Sign(Level.NOTICE, "forecasts", "late: cable-1") in status(world).signs


def test_when_a_reading_is_missed_is_for_the_operator_to_say(world: World) -> None:
    publish(world)
    world.clock.time += timedelta(hours=36)
    publish(world)
    patient = look(world.db, world.dso.office, "dso", (), world.clock.now(), (), timedelta(hours=36))
    assert (patient.silent, patient.alarming) == ((), False)
    world.clock.time += QUARTER
    late = look(world.db, world.dso.office, "dso", (), world.clock.now(), (), timedelta(hours=36))
    assert [sign.text for sign in late.signs if sign.where == "readings"] == [
        "none of the last 36 h 0 min: cable-1; look at the meter and its connection"
    ]


@pytest.mark.parametrize(("minutes", "braked"), [(14, True), (16, False)])
def test_a_cable_whose_readings_come_too_late_to_brake_on_is_named(world: World, minutes: int, braked: bool) -> None:
    publish(world)
    world.clock.time = MONDAY + QUARTER + timedelta(minutes=minutes)
    world.dso.record_readings([Reading(CABLE, MONDAY, 900, (25_000, 5_000, 5_000))])
    asyncio.run(world.dso.watch(world.clock.now()))
    late = "the newest reading came more than 15 min after its end, too late to brake on: cable-1"
    assert signs(world, "brakes") == [
        Sign(Level.ALARM, "brakes", "overload measured, capacity taken back: cable-1")
        if braked
        else Sign(Level.NOTICE, "brakes", late)
    ]


def test_a_transformer_without_a_limit_has_no_brake_to_miss(new_database: Callable[[str], str]) -> None:
    world = World(new_database(MIGRATIONS), cables=[HOMES_ONLY])
    with world.db.transact() as tx:
        register.write(tx, register.entries_of([HOMES_ONLY], [Node("T1", "transformer")]))
        Store(tx, QUARTER).stand("T1", latest_end=MONDAY - 2 * QUARTER, latest=(1, 1, 1))
    world.restart()
    assert signs(world, "brakes") == []
    world.close()


def test_a_cso_that_reports_no_use_is_named_with_its_cables(new_database: Callable[[str], str]) -> None:
    since = {"north": MONDAY - timedelta(days=3), "south": MONDAY - timedelta(hours=1)}
    contracts = tuple(Contract(party, 1_000, (), when) for party, when in since.items())
    cables = [Cable(CABLE, (20_000,) * 3, contracts), Cable("cable-2", (20_000,) * 3, contracts[:1])]
    world = World(new_database(MIGRATIONS), cables=cables)
    assert status(world).unreported == {"north": (CABLE, "cable-2")}
    start, n = MONDAY - timedelta(days=1), 96
    told = np.full((3, n), 0)
    told[:, 92:] = UNKNOWN  # of the last hour nothing has to be there yet
    with world.db.transact() as tx:
        Store(tx, QUARTER).write(USAGES, (CABLE, "north", "emsp"), start, {"used": told})
    assert status(world).unreported == {"north": ("cable-2",)}
    told[:, 91] = UNKNOWN
    with world.db.transact() as tx:
        Store(tx, QUARTER).write(USAGES, (CABLE, "north", "emsp"), start, {"used": told})
    world.clock.time += QUARTER + timedelta(minutes=1)
    assert signs(world, "reports") == [
        Sign(
            Level.NOTICE,
            "reports",
            "north reported no use for some of the last day, of cable-1, cable-2; such blocks are not learned from",
        ),
        Sign(
            Level.NOTICE,
            "reports",
            "south reported no use for some of the last day, of cable-1; such blocks are not learned from",
        ),
    ]
    world.close()


def test_reports_are_not_missed_under_a_contract_that_has_ended(world: World) -> None:
    ended = Register([Cable(CABLE, (20_000,) * 3, (Contract("north", 0),))])
    found = look(world.db, replace(world.dso.office, register=ended), "dso", (), world.clock.now())
    assert found.unreported == {}


def test_a_transformer_is_missed_only_if_it_was_measured_before(world: World) -> None:
    with world.db.transact() as tx:
        register.write(tx, register.entries_of([HOMES_ONLY], [Node("T1", "transformer", (40_000,) * 3)]))
    publish(world)
    assert status(world).silent == ()
    world.dso.record_readings([Reading("T1", MONDAY - QUARTER, 900, (9_000, 9_000, 9_000))])
    assert status(world).silent == ()
    world.clock.time += timedelta(minutes=65)
    world.measure(50)
    assert status(world).silent == ("T1",)


def test_a_new_cable_is_a_notice_and_one_without_readings_an_alarm(new_database: Callable[[str], str]) -> None:
    world = World(new_database(MIGRATIONS), cables=[cable(), cable("cable-2")])
    world.history(3)
    publish(world)
    assert signs(world, "forecasts") == [
        Sign(Level.ALARM, "forecasts", "none: cable-2"),
        Sign(Level.NOTICE, "forecasts", "cold: cable-1"),
    ]
    world.close()


def test_a_cso_that_never_answers_is_told_although_no_letter_gets_old(world: World) -> None:
    world.csos["south"].dead = True
    quarters(world, 2)
    assert alarms(world) == []
    quarters(world, 2)
    found = status(world).posts["south"]
    assert found.late == 0  # each forecast took the place of the one before
    assert found.silent_since == MONDAY + QUARTER
    assert alarms(world) == ["south has not answered for 45 min; see that it can be reached"]
    world.csos["south"].dead = False
    world.clock.time += QUARTER
    world.measure(50, seconds=900)
    publish(world)
    assert alarms(world) == []
    assert status(world).posts["south"].silent_since is None


def test_what_a_cso_does_not_offer_is_told_with_what_to_do(world: World) -> None:
    publish(world)
    with world.db.transact() as tx:
        Outbox(tx).stop("north", "Heartbeat", "NOT_IMPLEMENTED no heartbeats", MONDAY)
    (text,) = alarms(world)
    assert text == (
        "north does not offer Heartbeat (NOT_IMPLEMENTED no heartbeats); when it does, `gridroom dso resume DIR north`"
    )


def test_a_letter_that_was_given_up_is_told_for_a_day(world: World) -> None:
    publish(world)
    with world.db.transact() as tx:
        tx.execute(sa.text("UPDATE outbox SET state = 'given up', note = 'it has expired' WHERE party = 'south'"))
    found = alarms(world)
    assert any(text.startswith("south: 2 given up within a day, the last ") for text in found)
    assert all(text.endswith(": it has expired") for text in found if "given up" in text)
    world.clock.time += timedelta(days=1, minutes=1)
    assert not any("given up" in text for text in alarms(world))


def test_a_given_up_letter_alarms_until_a_later_one_of_its_operation_is_answered(world: World) -> None:
    publish(world)
    letter = "WHERE party = 'south' AND operation = 'UpdateCableCapacityForecast'"
    with world.db.transact() as tx:
        tx.execute(sa.text(f"UPDATE outbox SET state = 'given up', note = 'a Fault' {letter}"))
    told = "south: 1 given up within a day, the last UpdateCableCapacityForecast: a Fault"
    assert told in alarms(world)
    world.clock.time += timedelta(minutes=5)
    asyncio.run(world.dso.beat(world.clock.now()))
    assert told in alarms(world)  # a heartbeat says nothing about forecasts
    quarters(world, 1)
    assert alarms(world) == []
    with world.db.transact() as tx:
        assert tx.scalar(sa.text("SELECT count(*) FROM outbox WHERE note = 'a Fault'")) == 1


def test_a_given_up_letter_is_told_beside_many_that_were_only_replaced(world: World) -> None:
    publish(world)
    with world.db.transact() as tx:
        rows = [dict(row) for row in tx.execute(sa.select(OUTBOX).where(OUTBOX.c.party == "south")).mappings()]
        tx.execute(OUTBOX.delete().where(OUTBOX.c.party == "south"))
        one = {key: value for key, value in rows[0].items() if key != "number"} | {"state": "given up"}
        tx.execute(OUTBOX.insert().values(one | {"note": "it has expired"}))
        later = world.clock.now() + timedelta(seconds=1)
        for i in range(150):
            tx.execute(OUTBOX.insert().values(one | {"message_id": f"m{i}", "note": REPLACED, "settled": later}))
    assert any("given up within a day" in text for text in alarms(world))


def test_a_brake_is_told_until_the_last_of_it_is_released(world: World) -> None:
    publish(world)
    world.clock.time += timedelta(minutes=5)
    world.measure((210, 50, 50))
    asyncio.run(world.dso.watch(world.clock.now()))
    (brake,) = status(world).brakes.values()
    assert (brake.since, brake.until) == (world.clock.time, world.clock.time + timedelta(hours=1))
    assert brake.low_a[0] < brake.low_a[1] - 10
    assert "overload measured, capacity taken back: cable-1" in alarms(world)
    world.clock.time += timedelta(hours=1)
    assert status(world).brakes == {}


def test_alarms_come_before_notices() -> None:
    mixed = Status("dso", MONDAY, QUARTER, qualities={"cold": ("a",), "none": ("b",)}, counts={Reason.GAP: {"a": 3}})
    levels = [sign.level for sign in mixed.signs]
    assert levels == sorted(levels)
    assert set(levels) == {Level.ALARM, Level.NOTICE}


def test_what_is_odd_about_readings_is_counted_and_told_unless_it_is_harmless(world: World) -> None:
    publish(world)
    day = MONDAY.date()
    rows = [("gap", CABLE, day, 40), ("gap", CABLE, day - timedelta(days=3), 2), ("stuck", "", day, 1)]
    rows += [("repeated", CABLE, day, 4_000), ("late", CABLE, day - timedelta(days=DAYS + 1), 9)]
    with world.db.transact() as tx:
        tx.execute(READING_COUNTS.delete())
        for reason, name, when, count in rows:
            tx.execute(READING_COUNTS.insert().values(reason=reason, cable=name, day=when, count=count))
    found = status(world)
    assert found.counts == {"gap": {CABLE: 42}, "repeated": {CABLE: 4_000}, "stuck": {"": 1}}
    assert [(sign.level, sign.text) for sign in found.signs] == [
        (Level.NOTICE, "gap: 42 in 28 days, of cable-1"),
        (Level.NOTICE, "stuck: 1 in 28 days, of unknown ids"),
    ]


def test_of_gaps_that_were_filled_nothing_is_told(world: World) -> None:
    publish(world)
    world.clock.time += 2 * QUARTER
    for start in (MONDAY + QUARTER, MONDAY):
        world.dso.record_readings([Reading(CABLE, start, 900, (4_000, 4_000, 4_000))])
    with world.db.transact() as tx:
        assert list(tx.scalars(sa.select(READING_COUNTS.c.count).where(READING_COUNTS.c.reason == "gap"))) == [0]
    assert status(world).counts == {Reason.DISORDERED: {CABLE: 1}}


def test_what_does_not_fit_in_the_register_is_a_notice(world: World) -> None:
    publish(world)
    found = look(world.db, world.dso.office, "dso", (), world.clock.now(), ["meter 'm': there is no cable 'x'"])  # type: ignore[list-item]
    assert [sign.text for sign in found.signs] == ["meter 'm': there is no cable 'x'"]
    assert not found.alarming


def test_to_look_changes_nothing(world: World) -> None:
    publish(world)

    def rows() -> dict[str, list[Any]]:
        with world.db.transact() as tx:
            names = sa.inspect(tx).get_table_names()
            return {name: list(tx.execute(sa.text(f"SELECT * FROM {name}"))) for name in names}

    before = rows()
    status(world)
    with world.db.transact() as tx:
        lines(Store(tx, QUARTER), world.dso.office, world.clock.now())
    assert rows() == before


# -- cables ------------------------------------------------------------------------------------------------------------


def test_a_cable_tells_what_it_offers_while_a_plan_is_in_force(world: World) -> None:
    def line() -> Any:
        with world.db.transact() as tx:
            (found,) = lines(Store(tx, QUARTER), world.dso.office, world.clock.now())
        return found

    assert (line().quality, line().offered_a) == ("none", None)
    publish(world)
    offered = line().offered_a
    view = world.dso.view(CABLE, MONDAY, 1)
    assert offered == tuple(view.available[:, 0] / 100)
    assert (line().quality, line().latest_end) == ("good", MONDAY)
    world.clock.time += timedelta(hours=1)
    assert (line().quality, line().offered_a) == ("none", None)


def test_a_cable_without_contracts_offers_nobody_anything(new_database: Callable[[str], str]) -> None:
    world = World(new_database(MIGRATIONS), cables=[Cable(CABLE, (20_000,) * 3)])
    world.history(14)
    publish(world)
    for contracts in ((), (Contract("north", 0),)):  # none, and one that has ended
        office = Office(Register([Cable(CABLE, (20_000,) * 3, contracts)]), Rules())
        with world.db.transact() as tx:
            (line,) = lines(Store(tx, QUARTER), office, MONDAY)
        assert (line.quality, line.offered_a) == ("good", None)
    world.close()


@pytest.mark.parametrize("low_a", [None, 20.0])
def test_what_csos_gave_back_and_were_granted_explains_the_backup(world: World, low_a: float | None) -> None:
    publish(world)
    world.say("north", request(ask(-30, MONDAY + QUARTER, 2)))
    world.say("south", request(ask(6, MONDAY + QUARTER)))
    if low_a is not None:  # a brake leaves less than was given back
        with world.db.transact() as tx:
            low = (round(low_a * 100),) * 3
            Store(tx, QUARTER).stand(CABLE, braked_at=MONDAY, brake=low)
        publish(world)
    found = world.dso.view(CABLE, MONDAY, 8)
    with world.db.transact() as tx:
        store = Store(tx, QUARTER)
        changes = adjusted(store, world.dso.office.register[CABLE], MONDAY, 8)
        reserve = store.read(PLANS, (CABLE,), MONDAY, 8)["reserve"]
    if low_a is None:
        assert changes["north"][0].tolist() == [0, -3_000, -3_000, 0, 0, 0, 0, 0]
        assert changes["south"][0].tolist() == [0, 600, 0, 0, 0, 0, 0, 0]
    left = found.pool - reserve + changes["north"] + changes["south"]
    assert 0 <= left.min() <= left.max() <= 2, "backup = set aside + given back - granted, but for rounding"


def test_of_a_past_block_that_was_divided_by_other_contracts_nothing_is_explained(world: World) -> None:
    publish(world)
    other = Cable(CABLE, (20_000,) * 3, (Contract("north", 10_000), Contract("south", 10_000)))
    with world.db.transact() as tx:
        assert (adjusted(Store(tx, QUARTER), other, MONDAY, 4)["north"] == UNKNOWN).all()


# -- realised risk -----------------------------------------------------------------------------------------------------


def test_blocks_in_which_load_and_offer_exceeded_the_limit_are_counted(world: World) -> None:
    start = world.clock.time
    load = np.full((3, 96), 60.0)
    load[0, 10:20] = 100.01  # 100 A were in force below a limit of 200 A
    load[2, 12] = 180.0
    world.clock.time = start + timedelta(days=1)
    happened(world, 100.0, load, start)
    found = status(world).risks["default"]
    assert (found.blocks, found.asked) == (288, 0.001)
    assert found.realised == 11 / 288
    assert found.above
    (sign,) = signs(world, "risk")
    assert sign.level is Level.ALARM
    assert sign.text.startswith("default: 3.8 % where 0.1 % was asked, chance allows 0 % to ")


def test_a_block_of_which_use_was_not_reported_is_not_judged() -> None:
    world = World()  # contracts began on Monday: north and south have to report
    world.history(1)
    world.clock.time += timedelta(days=1)
    happened(world, 100.0, np.full((3, 96), 150.0), MONDAY)
    assert status(world).risks["default"].blocks == 0
    assert math.isnan(status(world).risks["default"].realised)
    assert signs(world, "risk") == []


def test_each_risk_class_is_judged_by_its_own_criterion() -> None:
    classes = [{"name": "hospital", "risk": 0.01, "criterion": "1h"}]
    strict = Cable("ward", (20_000,) * 3, HOMES_ONLY.contracts, risk_class="hospital")
    world = World(cables=[HOMES_ONLY, strict], risk_class=classes)
    world.clock.time += timedelta(days=1)
    load = np.full((3, 96), 60.0)
    load[:, 20] = 120.0  # a quarter above, no hour above
    happened(world, 100.0, load, MONDAY)
    with world.db.transact() as tx:
        Store(tx, QUARTER).write(PLANS, ("ward",), MONDAY, {"available": np.full((3, 96), 10_000)})
    world.dso.record_readings([Reading("ward", MONDAY + i * QUARTER, 900, (6_000 + i % 2,) * 3) for i in range(96)])
    found = status(world).risks
    assert found["default"].realised == 3 / 288
    assert (found["hospital"].asked, found["hospital"].blocks, found["hospital"].realised) == (0.01, 279, 0.0)
    world.close()


def test_a_transformer_is_judged_by_all_that_was_offered_below_it(world: World) -> None:
    one, other = (replace(HOMES_ONLY, id=name, parent="T1") for name in (CABLE, "cable-2"))
    with world.db.transact() as tx:
        register.write(tx, register.entries_of([one, other], [Node("T1", "transformer", limit_ca=(30_000,) * 3)]))
    start = world.clock.time
    world.clock.time += timedelta(days=1)
    publish(world)
    assert "transformers and substations" not in status(world).risks
    happened(world, 60.0, np.full((3, 96), 60.0), start)
    below, load = np.full((3, 96), 8_000), np.full(96, 15_000)
    load[7] = 16_100  # 140 A were in force on its two cables, below its limit of 300 A
    with world.db.transact() as tx:
        Store(tx, QUARTER).write(PLANS, ("cable-2",), start, {"available": below})
    rows = [Reading("T1", start + i * QUARTER, 900, (int(value) + i % 2,) * 3) for i, value in enumerate(load)]
    world.dso.record_readings(rows)
    found = status(world).risks
    assert found["default"].realised == 0
    assert found["transformers and substations"].blocks == 288
    assert found["transformers and substations"].realised == 3 / 288


def test_only_the_last_four_weeks_count(world: World) -> None:
    start = MONDAY - timedelta(days=14)
    with world.db.transact() as tx:
        Store(tx, QUARTER).write(PLANS, (CABLE,), start, {"available": np.full((3, 14 * 96), 10_000)})
    assert status(world).risks["default"].blocks == 14 * 288
    world.clock.time += timedelta(days=DAYS - 4)
    assert status(world).risks["default"].blocks == 4 * 288


def brute(limit: tuple[int, ...], available: Any, load: Any, known: Any, criterion: Criterion, hour: int) -> Any:
    """The definition, word by word."""
    width = 1 if criterion == "15min" else hour
    factor = 1.1 if criterion == "1h10" else 1.0
    exceeded = blocks = 0
    for phase in range(3):
        for i in range(len(known) - width + 1):
            span = slice(i, i + width)
            if limit[phase] <= 0 or not known[span].all():
                continue
            blocks += 1
            offered, total = available[phase, span].mean(), (available + load)[phase, span].mean()
            exceeded += offered > 0 and total > limit[phase] * factor + 1e-9
    return exceeded, blocks


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 20),
    st.sampled_from([1, 2, 4]),
    st.sampled_from(["15min", "1h", "1h10"]),
)
def test_judging_is_as_defined(seed: int, n: int, hour: int, criterion: Criterion) -> None:
    chance = np.random.default_rng(seed)
    limit = tuple(int(value) for value in chance.choice([0, 100, 120], 3))
    available = chance.integers(0, 80, (3, n)) * chance.integers(0, 2, (3, n))
    load, known = chance.integers(-50, 110, (3, n)), chance.random(n) > 0.2
    found = judge(limit, available, load, known, criterion, hour, 96)
    assert (found.exceeded, found.blocks) == brute(limit, available, load, known, criterion, hour)


# -- its band ----------------------------------------------------------------------------------------------------------

risks = st.floats(1e-5, 0.2)


@given(risks, st.integers(0, 10**9), st.floats(1, 400))
def test_what_was_asked_is_always_in_the_band(asked: float, blocks: int, days: float) -> None:
    low, high = band(asked, effective(blocks, asked, days))
    assert 0 <= low <= asked * (1 + 1e-9)
    assert asked <= high * (1 + 1e-9) <= 1 + 1e-6


@given(risks, st.integers(1, 10**8), st.integers(2, 10))
def test_more_blocks_tell_more_but_only_up_to_what_days_differ(asked: float, blocks: int, times: int) -> None:
    few, many = effective(blocks, asked), effective(blocks * times, asked)
    assert few < many <= few * times
    assert band(asked, many)[1] <= band(asked, few)[1]
    days_alone = DAYS / (asked * 0.36)
    assert many <= days_alone * (1 + 1e-9)


@pytest.mark.parametrize("mean", [0.05, 0.4, 1, 3, 10, 40, 300])
def test_the_band_is_left_in_one_of_a_hundred_cases_where_counts_are_poisson(mean: float) -> None:
    asked = 0.001
    low, high = band(asked, mean / asked)
    outside, weight = 0.0, math.exp(-mean)
    for count in range(int(mean + 20 * math.sqrt(mean) + 20)):
        share = count * asked / mean
        outside += weight * (share < low or share > high)
        weight *= mean / (count + 1)
    assert outside < 0.025
    assert outside > 0.001 or mean < 3


def days_of(chance: np.random.Generator, asked: float, cables: int, runs: int) -> Any:
    """Shares that exceed in 28 days: clusters of two, in days that differ by a factor; shape (runs,)."""
    per_day = cables * 288
    swing = chance.gamma(1 / 0.6**2, 0.6**2, (runs, DAYS))
    clusters = chance.poisson(asked * per_day * swing / 1.5)
    sizes = clusters + chance.binomial(clusters, 0.5)  # one or two, 1.5 in the mean
    return sizes.sum(axis=1) / (per_day * DAYS)


@pytest.mark.parametrize("cables", [1, 30, 1000])
def test_chance_alone_hardly_ever_raises_an_alarm_and_twice_the_risk_does(cables: int) -> None:
    chance, asked = np.random.default_rng(4), 0.001
    blocks = cables * 288 * DAYS
    low, high = band(asked, effective(blocks, asked))
    honest = days_of(chance, asked, cables, 4000)
    assert ((honest < low) | (honest > high)).mean() < 0.025
    if cables >= 30:
        assert (days_of(chance, 2 * asked, cables, 1000) > high).mean() > 0.95
        assert (days_of(chance, asked / 3, cables, 1000) < low).mean() > 0.9


def test_less_than_chance_allows_is_a_notice_and_not_an_alarm() -> None:
    risk = realised(0.001, 100, 1_000_000)
    assert risk.below
    told = Status("dso", MONDAY, QUARTER, MONDAY, risks={"default": risk})
    assert [(sign.level, sign.text) for sign in told.signs] == [
        (
            Level.NOTICE,
            "default: 0.01 % where 0.1 % was asked, chance allows 0.07 % to 0.13 %; less is offered than could be",
        )
    ]
    assert not told.alarming
