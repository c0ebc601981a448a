"""What meter readings and drivers tell about a car."""

from datetime import UTC, datetime, timedelta

import pytest

from gridroom.cso.sessions import Session, Wish, measured

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def after(*samples: tuple[int, int, int], allowed: int | None = 1600, session: Session | None = None) -> Session:
    session = session or Session("s1", 1, NOON, 1000, register_wh=1000)
    begin = session.sampled_at or NOON
    for number, sample in enumerate(samples, 1):
        session = measured(session, begin + number * MINUTE, sample, 1000 + number * 50, allowed, allowed or 3200)
    return session


def test_a_car_counts_on_three_phases_until_two_samples_show_otherwise() -> None:
    assert after((1600, 0, 0)).phases == (True, True, True)
    assert after((1600, 0, 0), (1500, 0, 0)).phases == (True, False, False)
    assert after((100, 0, 0), (100, 0, 0)).phases == (True, True, True)


def test_draw_on_another_phase_counts_at_once() -> None:
    single = after((1600, 0, 0), (1600, 0, 0))
    assert after((1600, 1600, 1600), session=single).phases == (True, True, True)


def test_a_missing_phase_shows_nothing() -> None:
    session = measured(Session("s1", 1, NOON, 0), NOON + MINUTE, (1600, None, None), 10, 1600, 1600)
    assert measured(session, NOON + 2 * MINUTE, (1600, None, None), 20, 1600, 1600).phases == (True, True, True)


def test_a_tail_is_found_after_two_samples_and_keeps_six_ampere() -> None:
    assert after((1000, 1000, 1000)).cap_ca is None
    assert after((1000, 1000, 1000), (900, 900, 900)).cap_ca == 1000
    assert after((300, 300, 300), (200, 200, 200)).cap_ca == 600


def test_a_car_that_takes_all_of_its_cap_gets_more_again() -> None:
    tail = after((1000, 1000, 1000), (1000, 1000, 1000))
    assert tail.cap_ca == 1100
    assert after((1080, 1080, 1080), (1080, 1080, 1080), allowed=1100, session=tail).cap_ca == 1500


def test_a_car_below_an_unclear_limit_shows_no_tail() -> None:
    assert after((1000, 1000, 1000), (1000, 1000, 1000), allowed=None).cap_ca is None


def test_a_car_that_takes_nothing_is_full_until_it_takes_again() -> None:
    full = after((0, 0, 0), (0, 0, 0), (0, 0, 0))
    assert full.full
    assert not after((600, 600, 600), session=full).full
    assert not after((0, 0, 0), (0, 0, 0), (0, 0, 0), allowed=0).full


def test_a_car_that_takes_more_than_it_may_is_noticed() -> None:
    assert after((1600, 1600, 1600), (1600, 1600, 1600), allowed=600).unruly
    assert not after((1600, 1600, 1600), allowed=600).unruly


def test_an_old_sample_changes_nothing() -> None:
    session = after((1600, 0, 0))
    assert measured(session, NOON, (5, 5, 5), 1, 1600, 1600) == session


@pytest.mark.parametrize(("energy", "need"), [(None, None), (30, 0), (120, 70)])
def test_the_need_is_what_was_wished_less_what_was_delivered(energy: int | None, need: int | None) -> None:
    session = Session("s1", 1, NOON, 1000, Wish(NOON, None, energy), register_wh=1050)
    assert session.need_wh() == need


def test_the_deadline_is_as_declared_or_assumed_and_never_in_the_past() -> None:
    stay = timedelta(hours=3)
    declared = Session("s1", 1, NOON, 0, Wish(NOON, NOON + 7 * stay))
    assert declared.deadline(NOON, stay) == NOON + 7 * stay
    assert Session("s1", 1, NOON, 0).deadline(NOON, stay) == NOON + stay
    late = NOON + 9 * stay
    assert declared.deadline(late, stay) == late + timedelta(hours=1)
