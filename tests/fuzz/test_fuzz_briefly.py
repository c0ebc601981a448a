"""A taste of `make fuzz`: no bytes raise anything but our own errors, and none cost more than their size."""

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from fuzz.seeds import seeds
from fuzz.targets import TARGETS
from safety.mutations import shake

SEEDS = {name: list(seeds(name)) for name in TARGETS}
NEIGHBOURS = {"soap": 60, "cso": 60, "talk": 0}


@pytest.mark.parametrize("name", TARGETS)
def test_no_law_is_broken_by_the_neighbours_of_good_messages(name: str) -> None:
    chance = Random(name)
    neighbours = (shake(chance, chance.choice(SEEDS[name]), 3) for _ in range(NEIGHBOURS.get(name, 150)))
    with capture_logs():
        for data in (*SEEDS[name], *neighbours):
            TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=40, derandomize=True)
@given(data=st.binary(max_size=300))
def test_no_law_is_broken_by_any_bytes(name: str, data: bytes) -> None:
    with capture_logs():
        TARGETS[name](data)


def test_no_input_costs_more_than_its_size() -> None:
    """Measured in a process of its own: 64 kB may take a second of CPU here, and no more memory than a small fleet."""
    tests = Path(__file__).parents[1]
    command = [sys.executable, "-m", "fuzz.costs"]
    found = subprocess.run(command, cwd=tests, capture_output=True, text=True, check=False, timeout=120)
    assert found.returncode == 0, found.stderr
    lines = [line.split("\t") for line in found.stdout.splitlines()]
    assert len(lines) > 20
    for name, _, cost_s, megabytes in lines:
        assert float(cost_s) < 2, name
        assert int(megabytes) < 100, name
