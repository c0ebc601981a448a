"""The street of one day: everything from the seed, everything inside the day."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridroom.sim.bound import bound_wh
from gridroom.sim.errors import SimError
from gridroom.sim.households import NOMINAL_V, simbench
from gridroom.sim.sessions import NIGHT, STOP, Kind
from gridroom.sim.street import build, days_offered, five_minutes, history
from gridroom.sim.survey import survey, table
from gridroom.sim.uncontrolled import overloads, quarters, uncontrolled
from gridroom.timegrid import QUARTER

HOUR = timedelta(hours=1)
SESSIONS = "plug_in,plug_out,energy_kwh,max_power_kw,phases,station_id,colour\n"


def write(path: Path, *rows: str) -> Path:
    path.write_text(SESSIONS + "\n".join(rows) + "\n")
    return path


def test_one_seed_is_one_street() -> None:
    assert build(7).sessions == build(7).sessions
    assert build(7).sessions != build(8).sessions
    assert np.array_equal(build(7).loads, build(8).loads)


def test_the_default_street_is_as_big_as_it_says() -> None:
    street = build()
    assert len(street.households) >= 30
    assert len(street.stations) >= 30
    assert len(street.sessions) == 54
    assert {s.cso for s in street.stations} == {"cso-a", "cso-b"}
    assert street.fuse_a == 100
    assert street.notes == ()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), day=st.sampled_from(days_offered(simbench())), evs=st.integers(1, 90))
def test_every_session_fits_its_day_its_station_and_its_stay(seed: int, day: date, evs: int) -> None:
    street = build(seed, day, evs)
    stations = {s.id: s for s in street.stations}
    assert len(street.sessions) == evs
    for s in street.sessions:
        assert street.start <= s.plug_in < s.plug_out <= street.end
        assert 1000 <= s.energy_wh <= s.max_current_a * NOMINAL_V * len(s.phases) * ((s.plug_out - s.plug_in) / HOUR)
        assert s.phases == stations[s.station].rotation[: len(s.phases)]
        assert s.max_current_a <= stations[s.station].max_current_a
        if s.wish:
            assert s.wish.departure > s.plug_in
            assert s.wish.energy_wh == s.energy_wh
    for name in stations:
        own = [s for s in street.sessions if s.station == name]
        assert all(a.plug_out < b.plug_in for a, b in pairwise(own))


def test_about_one_driver_in_three_tells_nothing() -> None:
    sessions = [s for seed in range(20) for s in build(seed).sessions]
    assert 0.28 < sum(s.wish is None for s in sessions) / len(sessions) < 0.39


@pytest.mark.parametrize("kind", [NIGHT, STOP])
def test_the_tables_are_whole(kind: Kind) -> None:
    assert sum(kind.arrivals_per_mille) == pytest.approx(1000, abs=3)
    assert len(kind.arrivals_per_mille) == 24
    assert sum(c.share for c in kind.classes) == pytest.approx(1)
    assert kind.stays[-1].until_hour == 24


def test_the_past_ends_where_the_day_begins_and_holds_eight_weeks() -> None:
    for day in (date(2016, 1, 1), date(2016, 11, 15)):
        street = build(day=day)
        start, past = history(street)
        assert start + past.shape[1] * QUARTER == street.start
        assert past.shape[1] >= 8 * 7 * 96


@pytest.mark.parametrize(("day", "blocks"), [((2016, 3, 26), 92), ((2016, 10, 29), 100), ((2016, 12, 31), 96)])
def test_a_day_has_the_quarters_its_clock_gives_it(day: tuple[int, int, int], blocks: int) -> None:
    street = build(day=date(*day))
    assert street.blocks == blocks
    assert street.steps == 3 * blocks


def test_five_minutes_ripple_around_the_quarter() -> None:
    street = build()
    fine = five_minutes(street)
    assert np.allclose(quarters(fine), street.loads)
    assert np.std(fine.reshape(3, -1, 3) / street.loads[:, :, None]) == pytest.approx(0.08 * np.sqrt(2 / 3), rel=0.1)


def test_uncontrolled_the_fuse_would_blow_on_every_seed_and_yet_the_night_has_room() -> None:
    findings = survey(range(1, 31))
    assert min(f.overload_blocks for f in findings) >= 7
    assert min(f.bound_share for f in findings) >= 0.97
    assert len(table(findings).splitlines()) == 31


def test_uncontrolled_cars_get_what_they_need() -> None:
    street = build()
    wild = uncontrolled(street)
    assert wild.delivered_wh == pytest.approx(street.need_wh, rel=1e-3)
    assert wild.overload_blocks == overloads(wild.amps, street.fuse_a).sum()
    assert wild.blows_at is not None
    assert wild.worst_a > street.fuse_a


def test_the_bound_is_the_room_when_the_room_is_short() -> None:
    street = build(evs=200, fuse=40.0)
    room_wh = float(np.clip(40 - street.loads, 0, 40).sum()) * NOMINAL_V / 4
    assert 0.8 * room_wh < bound_wh(street) <= room_wh * (1 + 1e-9)


def test_the_bound_never_passes_the_need() -> None:
    street = build(fuse=400.0)
    assert bound_wh(street) == pytest.approx(street.need_wh)


def test_a_fuse_too_small_or_above_the_cable_is_told() -> None:
    assert "the homes alone draw up to" in build(fuse=40.0).notes[0]
    assert "above the cable's rating" in build(fuse=400.0).notes[0]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"fuse": 0.0}, "--fuse"),
        ({"fuse": float("nan")}, "--fuse"),
        ({"evs": 0}, "--evs"),
        ({"day": date(2020, 1, 1)}, "--day"),
    ],
)
def test_nonsense_is_refused_with_the_option_to_change(given: dict[str, object], told: str) -> None:
    with pytest.raises(SimError, match=told):
        build(**given)  # type: ignore[arg-type]


def test_sessions_of_another_year_come_to_the_same_weekday_and_hour(tmp_path: Path) -> None:
    path = write(
        tmp_path / "s.csv",
        "2018-06-04 18:00,2018-06-05 07:00,20,11,,,red",
        "2018-06-03 18:00,2018-06-03 19:00,3,3.7,,,",
    )
    street = build(sessions=path)
    (session,) = street.sessions
    assert street.day == date(2016, 6, 5)
    assert session.plug_in == datetime(2016, 6, 5, 16, tzinfo=UTC)
    street = build(sessions=path, day=date(2016, 6, 6))
    (session,) = street.sessions
    assert session.plug_in == datetime(2016, 6, 6, 16, tzinfo=UTC)
    assert session.energy_wh == 20_000
    assert len(session.phases) == 3
    assert any("moved by -104 weeks" in note for note in street.notes)
    assert any("fewer than the 54 asked for" in note for note in street.notes)


def test_a_zone_in_a_sessions_file_is_believed(tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", "2016-06-06T18:00:00Z,2016-06-07T01:00:00+00:00,10,3.7,1,s1,")
    (session,) = build(sessions=path).sessions
    assert session.plug_in == datetime(2016, 6, 6, 18, tzinfo=UTC)
    assert session.station == "s1"


def test_rows_that_tell_of_no_session_are_counted(tmp_path: Path) -> None:
    path = write(
        tmp_path / "s.csv",
        "2016-06-06 18:00,2016-06-06 17:00,10,3.7,,,",
        "2016-02-30 18:00,2016-06-06 17:00,10,3.7,,,",
        "2016-06-06 18:00,2016-06-06 23:00,0,3.7,,,",
        "2016-06-06 18:00,2016-06-06 23:00,,3.7,,,",
        "2016-06-06 18:00,2016-06-06 23:00,9,3.7,,,",
    )
    street = build(sessions=path)
    assert len(street.sessions) == 1
    (note,) = [n for n in street.notes if "left out" in n]
    assert "4 of 5 rows left out" in note
    assert "the car leaves before it comes (1)" in note


def test_single_digits_name_phases_when_three_phases_could_not_be_that_weak(tmp_path: Path) -> None:
    rows = [f"2016-06-06 1{n}:00,2016-06-06 23:00,9,3.68,{n},S{n}," for n in (1, 2, 3)]
    assert [s.phases for s in build(sessions=write(tmp_path / "s.csv", *rows)).sessions] == [(1,), (2,), (3,)]
    counted = "2016-06-06 11:00,2016-06-06 23:00,9,11.04,3,S,"
    assert [len(s.phases) for s in build(sessions=write(tmp_path / "t.csv", counted)).sessions] == [3]


def test_two_cars_do_not_stand_at_one_station(tmp_path: Path) -> None:
    rows = [f"2016-06-06 1{n}:00,2016-06-06 23:00,9,3.68,,S," for n in (1, 2)]
    street = build(sessions=write(tmp_path / "s.csv", *rows))
    assert len(street.sessions) == 1
    assert any("station was still in use" in note for note in street.notes)


def test_named_and_unnamed_stations_live_in_one_street(tmp_path: Path) -> None:
    rows = [
        f"2016-06-06 {8 + n % 12:02d}:00,2016-06-06 23:00,9,3.68,,{name},"
        for n, name in enumerate(["A01", "my station/7", "", ""] + [""] * 40 + [f"N{k}" for k in range(20)])
    ]
    street = build(sessions=write(tmp_path / "s.csv", *rows), evs=64)
    names = [s.id for s in street.stations]
    assert len(names) == len(set(names)) >= 36
    assert {s.station for s in street.sessions} <= set(names)
    assert "my-station-7" in names


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("soon,2016-06-06 17:00,10,3.7,,,", "line 2, column plug_in: 'soon' is not a time"),
        ("2016-06-06 11:00,2016-06-06 17:00,ten,3.7,,,", "line 2, column energy_kwh: 'ten' is not a number"),
        ("2016-06-06 11:00,2016-06-06 17:00,10,3.7,4,,", "line 2, column phases: '4'"),
        ("2016-06-06 11:00,2016-06-06 17:00,10", "line 2: not as many cells"),
        ("2016-06-06 18:00,2016-06-06 17:00,10,3.7,,,", "no usable session among 1 rows"),
    ],
)
def test_bad_sessions_name_the_line_and_the_column(tmp_path: Path, row: str, told: str) -> None:
    with pytest.raises(SimError) as error:
        build(sessions=write(tmp_path / "s.csv", row))
    assert told in str(error.value)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("plug_in,plug_out,energy_kwh\n")
    with pytest.raises(SimError, match="column 'max_power_kw' is missing"):
        build(sessions=tmp_path / "s.csv")


def test_own_loads_need_eight_days(tmp_path: Path) -> None:
    start = datetime(2026, 1, 5, tzinfo=UTC)
    for days, fits in ((5, False), (10, True)):
        rows = [f"{(start + n * QUARTER).isoformat()},{1 + n % 7},2,3" for n in range(96 * days)]
        path = tmp_path / "l.csv"
        path.write_text("time,h.L1,h.L2,h.L3\n" + "\n".join(rows) + "\n")
        if fits:
            assert build(loads=path).day == date(2026, 1, 13)
        else:
            with pytest.raises(SimError, match="at least eight days"):
                build(loads=path)
