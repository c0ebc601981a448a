"""Each office in a folder of its own: what is told in the folder of another one, and when it runs already."""

import re
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gridroom.cli import app
from ports import free_ports
from refusals import refused_in_a_line
from terminals import Terminal, until

pytestmark = pytest.mark.usefixtures("logging_as_it_was")

PORTS = {"dso": ("8700",), "cso": ("8710", "8711", "8712")}


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.fixture
def offices(tmp_path: Path) -> Path:
    """A folder with a `dso` and a `cso`, on ports that are free."""
    run = CliRunner().invoke
    assert run(app, ["pki", "init", str(tmp_path / "pki")]).exit_code == 0
    for side, ports in PORTS.items():
        assert run(app, [side, "init", str(tmp_path / side), "--pki", str(tmp_path / "pki")]).exit_code == 0
        for port, free in zip(ports, free_ports(len(ports)), strict=True):
            edit(tmp_path / side / f"{side}.toml", f"port = {port}", f"port = {free}")
    return tmp_path


COMMANDS = [
    ("dso", "run"),
    ("dso", "status"),
    ("dso", "cables"),
    ("dso", "forecast", "cable-1"),
    ("dso", "import", "cables.csv"),
    ("dso", "resume", "cso"),
    ("dso", "init", "--pki", "pki"),
    ("cso", "run"),
    ("cso", "resume", "dso"),
    ("cso", "init", "--pki", "pki"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_folder_of_another_office_is_told_and_left_alone(offices: Path, words: tuple[str, ...]) -> None:
    side, command, *more = words
    other = {"dso": "cso", "cso": "dso"}[side]
    before = sorted(offices.rglob("*"))
    line = refused_in_a_line(side, command, offices / other, *more)
    folder = f"gridroom: {offices / other} is the folder of a {other.upper()} ({other}.toml)"
    assert line == f"{folder}: name that of the {side.upper()}; each has a folder of its own"
    assert sorted(offices.rglob("*")) == before


def test_a_file_in_place_of_the_folder_is_told(offices: Path) -> None:
    file = offices / "dso" / "cables.csv"
    line = refused_in_a_line("dso", "import", file, offices / "dso")
    assert line == f"gridroom: {file} is a file: the folder of the DSO comes first, then what else there is"


def test_a_cso_that_is_not_there_is_told_as_a_dso_is(tmp_path: Path) -> None:
    line = refused_in_a_line("cso", "run", tmp_path)
    hint = f"`gridroom cso init {tmp_path} --pki PKI` makes a new CSO"
    assert line == f"gridroom: {tmp_path / 'cso.toml'}: No such file or directory; {hint}"


@pytest.mark.parametrize("side", PORTS)
def test_a_name_that_the_certificate_does_not_say_is_told_at_the_start(offices: Path, side: str) -> None:
    edit(offices / side / f"{side}.toml", f'party = "{side}"\n', f'party = "{side}2"\n')
    line = refused_in_a_line(side, "run", offices / side)
    assert line.startswith(f"gridroom: `party` is '{side}2', but {offices / side / side}.pem speaks for '{side}'")


@pytest.mark.parametrize("side", PORTS)
def test_a_second_run_is_refused_on_any_port_until_the_first_has_ended(offices: Path, side: str) -> None:
    folder, config = offices / side, offices / side / f"{side}.toml"
    first = Terminal(side, "run", folder, cwd=offices)
    first.start()
    try:
        until(lambda: f"{side.upper()} listens" in first.said(), "the first one listens")
        running = f"gridroom: sqlite:///{folder}/{side}.db: an office runs on it already: end that one first"
        assert refused_in_a_line(side, "run", folder).startswith(running)
        text = config.read_text()
        config.write_text("\n".join(_elsewhere(line) for line in text.splitlines()))
        assert refused_in_a_line(side, "run", folder).startswith(running)
        CliRunner().invoke(app, [side, "resume", str(folder), "nobody"])  # works beside it
        config.write_text(text)
        first.kill()
        first.start()
        until(lambda: first.said().count(f"{side.upper()} listens") == 2, "it listens again")
    finally:
        first.kill()


@pytest.mark.parametrize(("side", "n"), [("dso", 0), ("cso", 0), ("cso", 1), ("cso", 2)])
def test_a_port_that_is_taken_is_told_with_its_file_and_lets_go_of_the_rest(offices: Path, side: str, n: int) -> None:
    config = offices / side / f"{side}.toml"
    port = int(re.findall(r"port = (\d+)", config.read_text())[n])
    for _ in range(2):  # the second time nothing is in the way that the first one left
        with socket.create_server(("127.0.0.1", port)):
            line = refused_in_a_line(side, "run", offices / side)
        assert line.startswith(f"gridroom: {config}: ")
        assert str(port) in line
        assert f"does a {side.upper()} run there already? end what does, or choose" in line


def _elsewhere(line: str) -> str:
    return f"{line.split('port = ')[0]}port = {free_ports(1)[0]}" if "port = " in line else line
