"""The margin holds with the risk that was asked for: on a made-up fleet with heavy tails, after fifty days."""

from functools import cache

import numpy as np
import pytest

from dso_fleet import QUARTER, begin
from gridroom.dso.forecasting import learn, scores
from gridroom.dso.forecasting.layout import Layout
from gridroom.dso.forecasting.scores import TENTH, WINDOW_DAYS
from gridroom.dso.forecasting.state import State

SERIES, DAYS, WARM = 120, 110, 50
RISKS = (0.01, 0.002)
LIMIT = 20.0


def made() -> np.ndarray:
    """Hourly loads: a day, a week, hours that belong together, and now and then much more, shape (blocks, series)."""
    chance = np.random.default_rng(4)
    blocks = DAYS * 24
    hour = np.arange(blocks)
    rough = chance.normal(0, 0.15, (blocks, SERIES))
    for i in range(1, blocks):
        rough[i] += 0.6 * rough[i - 1]
    peaks = np.where(chance.random((blocks, SERIES)) < 0.03, chance.pareto(3, (blocks, SERIES)), 0)
    shape = 1 + 0.5 * np.cos((hour - 18) * np.pi / 12) + 0.2 * ((hour // 24) % 7 > 4)
    return np.asarray(chance.uniform(8, 16, SERIES) * shape[:, None] * (np.exp(rough) + 0.3 * peaks))


@cache
def lived() -> tuple[np.ndarray, dict[tuple[str, int, float], np.ndarray]]:
    """Loads of the judged days, and the bounds of each issue, criterion and risk."""
    loads = made()
    life = begin(SERIES, limit=LIMIT, criteria=(0, 1, 2)).take(loads[: WARM * 24])
    bounds: dict[tuple[str, int, float], list[np.ndarray]] = {}
    for row in range(WARM * 24, len(loads)):
        for name, n in (("in force", 1), ("day ahead", 24))[: 1 + (row % 24 == 0)]:
            outlook = life.outlook(n)
            for criterion in range(3):
                for risk in RISKS:
                    bound = outlook.bound(life.fleet.common.factors.at(criterion, risk), criterion)
                    bounds.setdefault((name, criterion, risk), []).append(bound)
        life.take(loads[row : row + 1])
    return loads[WARM * 24 :], {key: np.concatenate(rows) for key, rows in bounds.items()}


@pytest.mark.parametrize("risk", RISKS)
@pytest.mark.parametrize("criterion", [0, 1, 2])
@pytest.mark.parametrize("name", ["in force", "day ahead"])
def test_the_realised_risk_is_the_one_that_was_asked_for(name: str, criterion: int, risk: float) -> None:
    loads, bounds = lived()
    most = bounds[name, criterion, risk] + (TENTH * LIMIT if criterion == 2 else 0)
    realised = float((loads > most).mean())
    days = (loads > most).reshape(-1, 24, SERIES).sum(axis=(1, 2)).astype(float)
    band = 3 * days.std() / np.sqrt(len(days)) / (24 * SERIES)  # days hang together less than hours do
    assert abs(realised - risk) < band + 0.1 * risk, (realised, band)
    assert band < 0.5 * risk


def test_more_is_offered_for_the_block_in_force_and_at_a_higher_risk() -> None:
    _, bounds = lived()
    for criterion in range(3):
        for risk in RISKS:
            assert bounds["in force", criterion, risk].mean() < bounds["day ahead", criterion, risk].mean()
        for name in ("in force", "day ahead"):
            assert (bounds[name, criterion, 0.01] <= bounds[name, criterion, 0.002]).all()
    for name in ("in force", "day ahead"):
        np.testing.assert_array_equal(bounds[name, 0, 0.01].shape, bounds[name, 1, 0.01].shape)
        assert bounds[name, 2, 0.01].mean() < bounds[name, 0, 0.01].mean()


def test_scores_of_four_weeks_count() -> None:
    life = begin(8)
    loads = made()[:, :8]
    life.take(loads[: 24 * 42])
    counts = life.fleet.pool.counts[0]
    assert len(life.days) == WINDOW_DAYS
    np.testing.assert_array_equal(counts, np.sum(life.days, axis=0)[0])
    assert counts.sum() == WINDOW_DAYS * 24 * 8 * (life.fleet.layout.near + 1)


@pytest.mark.parametrize("criterion", [1, 2])
def test_an_hour_is_judged_by_the_mean_of_its_blocks(criterion: int) -> None:
    layout = Layout(QUARTER)
    state, shape = State.empty(layout, 1), (layout.near + 1, 1)
    limit = np.full(1, 20.0, np.float32)
    for number, error in enumerate((8.0, 0.0, -4.0, 12.0, 4.0)):
        seen = learn.Seen(np.full(shape, error, np.float32), np.full(shape, 2.0 + number, np.float32))
        scores.keep_hour(layout, state, seen, number)
        if number == 2:
            assert np.isnan(scores.score(state, seen, limit, criterion)).all()
    found = scores.score(state, seen, limit, criterion)
    np.testing.assert_allclose(found, (3.0 - (2.0 if criterion == 2 else 0)) / 4.5)
    np.testing.assert_allclose(scores.score(state, seen, limit, 0), 4.0 / 6.0, rtol=1e-6)


def test_an_idle_cable_that_is_switched_on_does_not_spoil_the_mixing_of_the_others() -> None:
    loads = made()[: 24 * 16, :8]
    loads[:, 0] = 1e-6 * np.random.default_rng(1).normal(1, 0.2, len(loads))
    life = begin(8).take(loads)
    before = life.fleet.common.mixing
    loads[:24, 0] = 50
    life.take(loads[:24])
    after = life.fleet.common.mixing
    np.testing.assert_allclose(after.day, before.day, atol=0.3)
    np.testing.assert_allclose(after.recent, before.recent, atol=0.5)
