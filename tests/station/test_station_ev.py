"""The simulated car: constant current, a tail, and never between 0 and 6 A."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridroom.station.ev import Car, draw

cars = st.builds(
    Car,
    need_wh=st.floats(100, 60_000),
    max_ca=st.integers(600, 3200),
    phases=st.sampled_from((1, 2, 3)),
)
limits = st.integers(0, 4000)
spans = st.floats(1, 7200)


def test_a_car_draws_what_it_may_until_it_is_nearly_full() -> None:
    drawn = draw(Car(10_000, 1600, 3), 0, 1000, 3, 300)
    assert drawn.mean_ca == pytest.approx(1000)
    assert drawn.energy_wh == pytest.approx(3 * 230 * 10 * 300 / 3600)


def test_below_six_ampere_a_car_draws_nothing() -> None:
    assert draw(Car(10_000, 1600), 0, 599, 3, 300).energy_wh == 0
    assert draw(Car(10_000, 1600), 0, 600, 3, 300).mean_ca == pytest.approx(600)


def test_a_limit_on_fewer_phases_leaves_fewer() -> None:
    assert draw(Car(10_000, 1600, 3), 0, 1600, 1, 300).phases == 1


def test_a_car_that_finishes_draws_until_it_is_done() -> None:
    drawn = draw(Car(10_000, 1600, 1), 9_990, 1600, 3, 900)
    assert drawn.energy_wh == 10
    assert 0 < drawn.mean_ca < 600
    assert draw(Car(10_000, 1600, 1), 10_000, 1600, 3, 900).energy_wh == 0


def test_in_the_tail_the_current_falls_to_six_ampere() -> None:
    car = Car(10_000, 1600, 1)
    currents = [draw(car, taken, 1600, 3, 1).mean_ca for taken in (9_400, 9_600, 9_700, 9_900)]
    assert currents[0] == pytest.approx(1600)
    assert currents[0] > currents[1] > currents[2] > currents[3] == pytest.approx(600)


@given(cars, st.floats(0, 1), limits, spans)
def test_a_draw_keeps_every_bound(car: Car, share: float, limit_ca: int, seconds: float) -> None:
    taken = car.need_wh * share
    drawn = draw(car, taken, limit_ca, 3, seconds)
    assert 0 <= drawn.energy_wh <= car.need_wh - taken + 1e-6
    assert drawn.mean_ca <= min(limit_ca, car.max_ca) + 1e-6
    done = taken + drawn.energy_wh >= car.need_wh - 1e-6
    assert done or drawn.mean_ca == 0 or drawn.mean_ca >= 600 - 1e-3


@given(cars, limits, spans, spans)
def test_two_spans_are_one(car: Car, limit_ca: int, first: float, second: float) -> None:
    one = draw(car, 0, limit_ca, 3, first).energy_wh
    two = draw(car, one, limit_ca, 3, second).energy_wh
    assert one + two == pytest.approx(draw(car, 0, limit_ca, 3, first + second).energy_wh, rel=1e-6, abs=1e-6)


@given(cars, limits, limits, spans)
def test_more_room_never_means_less_energy(car: Car, low: int, high: int, seconds: float) -> None:
    low, high = sorted((low, high))
    assert draw(car, 0, low, 3, seconds).energy_wh <= draw(car, 0, high, 3, seconds).energy_wh + 1e-6


@pytest.mark.parametrize(("need", "most", "phases"), [(0, 1600, 3), (10, 599, 3), (10, 1600, 4)])
def test_a_car_that_cannot_be_is_refused(need: float, most: int, phases: int) -> None:
    with pytest.raises(ValueError, match=r"need|6 A|phases"):
        Car(need, most, phases)
