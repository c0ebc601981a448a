"""A taste of `make fuzz`: no bytes raise anything but our own errors, and none cost more than their size."""

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from fuzz.__main__ import NAMES, WRITTEN, _fuzz
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


def test_make_fuzz_knows_every_target() -> None:
    assert set(NAMES) == set(TARGETS)


def test_a_fuzzer_that_fails_without_an_input_is_told_with_its_log_not_with_an_old_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.chdir(tmp_path)  # where Python finds no package `fuzz`
    (tmp_path / "crash-0123abcd").write_bytes(b"of last week")
    assert not _fuzz("xml", tmp_path, 1, guided=True)
    assert "No module named fuzz" in (tmp_path / "log").read_text()
    told = capsys.readouterr().out
    assert f"xml: the fuzzer itself failed, see {tmp_path / 'log'}" in told
    assert "crash" not in told


def test_the_input_to_replay_is_the_one_that_libfuzzer_names() -> None:
    said = "artifact_prefix='.fuzz/xml/'; Test unit written to .fuzz/xml/{}\n"
    log = "".join(said.format(one) for one in ("slow-unit-1a", "crash-0123abcd"))
    assert WRITTEN.findall(log + "Base64: AA==\n") == [".fuzz/xml/crash-0123abcd"]
