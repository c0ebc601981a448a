"""A database that cannot be used is told in one line, by both back offices."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

import databases
from gridroom.cli import app
from refusals import refused_in_a_line

pytestmark = pytest.mark.usefixtures("logging_as_it_was")

Edited = Callable[[str, str], Path]
"""Makes the folder of an office with a database of our choice."""


@pytest.fixture
def edited(tmp_path: Path) -> Edited:
    run = CliRunner().invoke
    assert run(app, ["pki", "init", str(tmp_path / "pki")]).exit_code == 0

    def make(side: str, url: str) -> Path:
        folder = tmp_path / side
        assert run(app, [side, "init", str(folder), "--pki", str(tmp_path / "pki")]).exit_code == 0
        file = folder / f"{side}.toml"
        text = file.read_text()
        assert f'database = "{side}.db"' in text
        file.write_text(text.replace(f'"{side}.db"', f'"{url}"'))
        return folder

    return make


@pytest.mark.parametrize("side", ["dso", "cso"])
def test_a_server_that_is_not_there_is_told_without_its_password(edited: Edited, side: str) -> None:
    folder = edited(side, "postgresql://office:hush@127.0.0.1:1/office")
    for line in (refused_in_a_line(side, "run", folder), refused_in_a_line(side, "resume", folder, "somebody")):
        assert line.startswith("gridroom: postgresql://office:***@127.0.0.1:1/office: no server answers there: start")
        assert "hush" not in line


@pytest.mark.parametrize("side", ["dso", "cso"])
def test_a_url_with_a_slip_is_told_without_being_shown(edited: Edited, side: str) -> None:
    line = refused_in_a_line(side, "run", edited(side, "postgres://office:hush@127.0.0.1/office"))
    assert line.startswith("gridroom: `database`: postgres is neither sqlite nor postgresql; write postgresql://")
    assert "hush" not in line


def test_the_database_of_one_office_is_refused_by_the_other(edited: Edited, tmp_path: Path) -> None:
    with databases.of("postgres", tmp_path):
        line = refused_in_a_line("dso", "run", edited("dso", databases.lasting("gridroom.cso.migrations")))
    assert "belongs to another actor" in line
    assert line.endswith("each needs a database of its own")
