"""Usage per cable and block, out of registers."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np

from gridroom.cso.adjustment import Policy, adjustment, alike, less, more
from gridroom.cso.usage import EMPTY, Report, add, energy, to_cells, to_report
from gridroom.oscp.v10.blocks import UNKNOWN
from gridroom.oscp.v10.profile import DEFAULT, GRIDROOM

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
MINUTE = timedelta(minutes=1)


def test_energy_is_split_as_the_currents() -> None:
    readings = add(add(EMPTY, NOON, 100, (0, 0, 0)), NOON + QUARTER, 700, (1200, 600, 0))
    assert energy(readings, NOON, 1)[:, 0].round(6).tolist() == [400, 200, 0]


def test_energy_between_readings_flows_evenly_over_block_ends() -> None:
    readings = add(add(EMPTY, NOON + 10 * MINUTE, 0, (0, 0, 0)), NOON + 20 * MINUTE, 100, (600, 0, 0))
    assert energy(readings, NOON, 2)[0].round(6).tolist() == [50, 50]


def test_a_late_reading_moves_energy_to_its_block() -> None:
    readings = add(add(EMPTY, NOON, 0, (0, 0, 0)), NOON + 2 * QUARTER, 100, (600, 0, 0))
    assert energy(readings, NOON, 2)[0].round(6).tolist() == [50, 50]
    corrected = add(readings, NOON + QUARTER, 90, (600, 0, 0))
    assert energy(corrected, NOON, 2)[0].round(6).tolist() == [90, 10]


def test_a_register_that_runs_backwards_is_no_energy() -> None:
    readings = add(add(EMPTY, NOON, 500, (0, 0, 0)), NOON + QUARTER, 3, (600, 0, 0))
    assert energy(readings, NOON, 1).sum() == 0


def test_energy_without_current_takes_the_split_of_before() -> None:
    readings = add(add(add(EMPTY, NOON - QUARTER, 0, (0, 0, 0)), NOON, 10, (0, 600, 0)), NOON + QUARTER, 20, (0, 0, 0))
    assert energy(readings, NOON, 1)[:, 0].round(6).tolist() == [0, 10, 0]


def test_only_what_is_new_or_differs_is_reported() -> None:
    current = np.array([[5, 0, 0, 7], [0] * 4, [0] * 4])
    reported = np.array([[5, UNKNOWN, UNKNOWN, 6], [0, UNKNOWN, UNKNOWN, 0], [0, UNKNOWN, UNKNOWN, 0]])
    cells = to_report(current, reported, np.array([True, False, True, True]))
    assert cells[0].tolist() == [UNKNOWN, UNKNOWN, 0, 7]


def test_a_report_states_energy_and_mean_current_that_agree() -> None:
    cells = to_cells(np.array([[920.0], [57.5], [0.0]]))
    block = Report("c1", cells, NOON).usage().blocks[0]
    values = {(v.unit, v.phase): v.value for v in block.usage}
    assert values["Wh", 1] == Decimal("920.00")
    assert values["A", 1] == Decimal("16.00")
    assert values["A", 2] == Decimal("1.00")


def test_the_mean_current_is_that_of_the_cables_voltage() -> None:
    cells = to_cells(np.array([[920.0], [0.0], [0.0]]))
    values = Report("c1", cells, NOON, Decimal(115)).usage().blocks[0].usage
    assert next(v.value for v in values if (v.unit, v.phase) == ("A", 1)) == Decimal("32.00")


def grid(*values: int) -> np.ndarray:
    return np.array([values, values, values], dtype=np.int64)


def test_more_is_asked_within_what_remains_and_what_cars_use() -> None:
    asked = more(grid(1000, 1000, 1000), grid(0, 500, 0), grid(3000, 1600, 900), grid(1500, 1500, 1500))
    assert asked[0].tolist() == [1500, 1100, 0]


def test_too_little_is_not_asked() -> None:
    assert not more(grid(1000), grid(0), grid(1100), grid(1500)).any()


def test_the_reserve_is_not_given_back() -> None:
    policy = Policy(reserve_ca=1000, give_least_ca=1600)
    given = less(grid(*[4000] * 6), grid(*[500] * 6), grid(*[1000] * 6), policy)
    assert given[0].tolist() == [2000, 2000, 2000, 2000, 0, 0]
    assert not less(grid(3000), grid(0), grid(1000), policy).any()


def test_a_peer_that_knows_no_phase_gets_one_value() -> None:
    deltas = np.array([[500, -500, 0], [0, -900, -700], [200, -600, -900]])
    one = alike(deltas, np.array([[400, 0, 0], [900, 0, 0], [900, 0, 0]]))
    assert one.tolist() == [[400, -500, 0]] * 3


def test_an_adjustment_names_only_blocks_with_a_change() -> None:
    change = adjustment("c1", grid(0, 500, -300), NOON, GRIDROOM, NOON)
    assert change is not None
    assert [(b.start, b.capacity[0].value) for b in change.blocks] == [
        (NOON + QUARTER, Decimal("5.00")),
        (NOON + 2 * QUARTER, Decimal("-3.00")),
    ]
    assert adjustment("c1", grid(0, 0), NOON, DEFAULT, NOON) is None
