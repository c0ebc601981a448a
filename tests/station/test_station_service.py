"""A station lives: cars come and go, profiles are obeyed to the second."""

from datetime import UTC, datetime, timedelta

import pytest

from gridroom.ocpp.messages import MeterValues, StartTransaction, Status, StatusNotification, StopTransaction
from gridroom.ocpp.profiles import Kind, Period, Profile, Purpose, Schedule, SetChargingProfile
from gridroom.station.config import Arrival, StationConfig
from gridroom.station.offline import Said
from gridroom.station.service import Station

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
MIN = timedelta(minutes=1)
CONFIG = StationConfig(identity="s1", password="0123456789abcdef", safe_current_a=6)


def arrival(start_min: float, end_min: float, energy_wh: int = 20_000, phases: int = 3) -> Arrival:
    return Arrival(
        station="s1",
        plug_in=NOON + start_min * MIN,
        plug_out=NOON + end_min * MIN,
        energy_wh=energy_wh,
        max_current_a=16,
        phases=phases,
    )


def said(station: Station) -> list[Said]:
    return [report.said for report in station.backlog]


def plan(*periods: tuple[int, int]) -> SetChargingProfile:
    schedule = Schedule(tuple(Period(s, limit) for s, limit in periods), NOON - MIN, None)
    return SetChargingProfile(1, Profile(1, 0, Purpose.TX, Kind.ABSOLUTE, schedule))


def test_a_car_is_reported_when_it_comes_and_charges_at_the_safe_current() -> None:
    station = Station(CONFIG, [arrival(2, 60)], NOON)
    station.advance(NOON + 5 * MIN)
    at = NOON + 2 * MIN
    assert said(station) == [
        StatusNotification(1, Status.PREPARING, at),
        StartTransaction(1, "driver", 0, at),
        StatusNotification(1, Status.CHARGING, NOON + 5 * MIN),
    ]
    assert station.means_ca() == pytest.approx((360, 360, 360))
    assert station.visits[0].taken_wh == pytest.approx(3 * 230 * 6 * 3 / 60)


def test_a_limit_holds_to_the_second_at_which_it_changes() -> None:
    station = Station(CONFIG, [arrival(0, 60)], NOON)
    station.advance(NOON)
    assert station.obey(plan((0, 1000), (60 + 120, 1600), (60 + 240, 0))) == "Accepted"
    station.advance(NOON + 5 * MIN)
    assert station.means_ca()[0] == pytest.approx((2 * 1000 + 2 * 1600) / 5)
    assert said(station)[-1] == StatusNotification(1, Status.SUSPENDED_EVSE, NOON + 5 * MIN)


def test_one_large_step_is_many_small_ones() -> None:
    def lived(step: timedelta) -> tuple[float, float]:
        station = Station(CONFIG, [arrival(1, 47, 4000, 1), arrival(50, 70)], NOON)
        now = NOON
        while now < NOON + 90 * MIN:
            now += step
            station.advance(now)
        return station.visits[0].taken_wh, station.meter.register_wh

    assert lived(90 * MIN) == pytest.approx(lived(MIN / 7))


def test_meter_values_tell_the_draw_since_the_last_ones() -> None:
    station = Station(CONFIG, [arrival(0, 60, phases=1)], NOON)
    station.advance(NOON)
    station.read_meter()
    station.advance(NOON + 5 * MIN)
    station.read_meter()
    station.obey(plan((0, 1600)))
    station.advance(NOON + 10 * MIN)
    station.read_meter()
    station.read_meter()
    values = [s.readings[0] for s in said(station) if isinstance(s, MeterValues)]
    assert [v.timestamp for v in values] == [NOON + 5 * MIN, NOON + 10 * MIN]
    assert [v.currents_ca() for v in values] == [(600, 0, 0), (1600, 0, 0)]
    assert [v.register_wh() for v in values] == [115, 421]


def test_a_car_that_leaves_within_a_step_is_metered_to_the_moment_it_leaves() -> None:
    station = Station(CONFIG, [arrival(0, 7)], NOON)
    station.advance(NOON + 5 * MIN)
    station.read_meter()
    station.advance(NOON + 10 * MIN)
    station.read_meter()
    gone = NOON + 7 * MIN
    last, stop = said(station)[-4:-2]
    assert isinstance(last, MeterValues)
    assert last.readings[0].timestamp == gone
    assert last.readings[0].currents_ca() == (600, 600, 600)
    assert stop == StopTransaction(0, 483, gone, "EVDisconnected")
    assert said(station)[-1] == StatusNotification(1, Status.AVAILABLE, gone)
    assert station.means_ca()[0] == pytest.approx(600 * 7 / 10)


def test_a_full_car_suspends_itself() -> None:
    station = Station(CONFIG, [arrival(0, 60, 100)], NOON)
    station.advance(NOON + 30 * MIN)
    assert station.status is Status.SUSPENDED_EV
    assert station.visits[0].taken_wh == 100


def test_two_cars_within_one_step_are_two_sessions() -> None:
    station = Station(CONFIG, [arrival(1, 2), arrival(2, 3)], NOON)
    station.advance(NOON + 5 * MIN)
    assert [type(s).__name__ for s in said(station) if not isinstance(s, StatusNotification)] == [
        "StartTransaction",
        "MeterValues",
        "StopTransaction",
    ] * 2
    assert [visit.number for visit in station.visits] == [1, 2]


def test_a_tx_profile_ends_with_its_car() -> None:
    station = Station(CONFIG, [arrival(0, 5), arrival(6, 20)], NOON)
    station.advance(NOON)
    station.obey(plan((0, 1600)))
    station.advance(NOON + 10 * MIN)
    assert station.controller.stack == ()
    assert station.visits[1].taken_wh == pytest.approx(3 * 230 * 6 * 4 / 60)
