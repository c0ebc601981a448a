"""What is learned of a load, and the margin above it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gridroom.dso import forecast, margin
from gridroom.dso.forecast import State

START = datetime(2026, 1, 5, tzinfo=UTC)
BLOCK = timedelta(minutes=15)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def taught(days: int, load: object, noise: float = 0.0, seed: int = 1) -> State:
    state, chance = State.empty(96), np.random.default_rng(seed)
    kinds, slots = forecast.clock(START, days * 96, BLOCK, AMSTERDAM)
    for i in range(days * 96):
        base = load(i) if callable(load) else float(load)  # type: ignore[arg-type]
        forecast.learn(state, np.full(3, base) + chance.normal(0, noise, 3), int(kinds[i]), int(slots[i]))
    return state


def ahead(state: State, days: int, n: int = 96, **options: bool) -> forecast.Outlook:
    kinds, slots = forecast.clock(START + timedelta(days=days), n, BLOCK, AMSTERDAM)
    return forecast.predict(state, kinds, slots, **options)


def test_a_load_that_is_the_same_every_day_is_forecast_as_it_is() -> None:
    state = taught(14, lambda i: 1000 + 10 * (i % 96))
    outlook = ahead(state, 14)
    assert np.allclose(outlook.mean, 1000 + 10 * np.arange(96), atol=1)
    assert outlook.known.all()


def test_the_local_clock_decides_through_a_change_of_time() -> None:
    before = forecast.clock(datetime(2026, 3, 28, 12, tzinfo=UTC), 96, BLOCK, AMSTERDAM)
    after = forecast.clock(datetime(2026, 3, 29, 12, tzinfo=UTC), 96, BLOCK, AMSTERDAM)
    assert before[1][0] == 13 * 4
    assert after[1][0] == 14 * 4
    assert before[0].all()  # Saturday and Sunday


def test_nothing_learned_means_nothing_known() -> None:
    assert not ahead(State.empty(96), 0).known.any()


def test_weekends_begin_with_what_weekdays_taught() -> None:
    state = taught(5, 1000)
    assert np.allclose(ahead(state, 5).mean, 1000, atol=1)


def test_a_load_above_forecast_is_carried_into_the_next_hours_and_fades() -> None:
    state = taught(14, 1000)
    kinds, slots = forecast.clock(START + timedelta(days=14), 8, BLOCK, AMSTERDAM)
    for kind, slot in zip(kinds, slots, strict=True):
        forecast.follow(state, np.full(3, 1500.0), int(kind), int(slot))
    outlook = ahead(state, 14)
    assert (outlook.mean[:, 0] > 1300).all()
    assert (np.diff(outlook.mean[:, :20], axis=1) < 0).all()
    assert np.allclose(outlook.mean[:, -1], 1000, atol=1)


@given(st.lists(st.floats(-3000, 3000), min_size=1, max_size=30))
def test_loads_that_may_hold_cars_never_lower_the_forecast(loads: list[float]) -> None:
    state = taught(2, 1000)
    before = ahead(state, 2, 4).mean
    for load in loads:
        forecast.follow(state, np.full(3, load), 0, 0, only_up=True)
    assert (ahead(state, 2, 4).mean >= np.minimum(before, 1000) - 1e-6).all()


def test_without_fresh_measurements_the_highest_of_two_weeks_is_expected() -> None:
    state = taught(14, lambda i: 3000 if i == 13 * 96 + 40 else 1000)
    assert ahead(state, 14, stale=True).mean[0, 40] > 2900


def test_a_state_is_stored_and_comes_back() -> None:
    state = taught(3, lambda i: 100 + i % 7, noise=5)
    back = State.unpack(state.pack(), 96)
    assert all(np.array_equal(getattr(state, name), getattr(back, name)) for name in vars(state))


def test_the_margin_keeps_the_risk_it_promises() -> None:
    chance = np.random.default_rng(3)
    scores, later = chance.standard_t(5, 8000), chance.standard_t(5, 40_000)
    for risk in (0.02, 0.005):
        exceeded = (later > margin.factor(scores, risk)).mean()
        assert exceeded < 1.7 * risk


def test_few_scores_give_the_careful_factor_and_calm_ones_the_floor() -> None:
    assert margin.factor(np.zeros(500), 0.001) == margin.COLD
    assert margin.factor(np.full(500, 9.0), 0.001) == 9.0
    assert margin.factor(np.zeros(5000), 0.001) == margin.LEAST


def test_the_scale_has_a_floor_of_the_series_own_spread() -> None:
    outlook = ahead(taught(14, lambda i: 1000 + 500 * ((i // 48) % 2)), 14)
    assert (margin.scale(outlook) >= margin.SHARE_OF_SIGMA * outlook.sigma).all()
    assert (ahead(taught(14, 1000), 14).sigma < 1).all()
    assert (margin.scale(ahead(taught(14, 1000), 14)) >= margin.LEAST_SCALE_CA).all()
