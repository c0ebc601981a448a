"""Commands that are refused, run in this process."""

from pathlib import Path

from typer.testing import CliRunner

from gridroom.cli import app


def refused(*words: str | Path) -> list[str]:
    """Run a command that is refused; gives the lines that say why."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code == 1
    assert result.stdout == ""
    return result.stderr.splitlines()


def refused_in_a_line(*words: str | Path) -> str:
    """The same of one that says why in one line."""
    (line,) = refused(*words)
    return line
