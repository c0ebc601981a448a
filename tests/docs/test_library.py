"""The library's page does what it says: its commands run, in order, and print what is shown."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gridroom.oscp import errors, v10
from ports import free_ports
from terminals import PATIENCE_S

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "library.md").read_text()
BLOCKS = [block for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL) if "pip install" not in block]
SHOWN = [line for block in BLOCKS for line in block.splitlines() if line.strip(" …") and not line.startswith("$ ")]

END = "-- end of a command --"


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What all commands of the page print, in an empty folder that has the repository's examples."""
    folder = tmp_path_factory.mktemp("library")
    for name in ("examples", "tests"):
        (folder / name).symlink_to(ROOT / name)
    script = "\n".join(line[2:] for block in BLOCKS for line in block.splitlines() if line.startswith("$ "))
    for known, free in zip(("8700", "8711"), free_ports(2), strict=True):
        assert known in script
        script = script.replace(known, str(free))
    script = script.replace("\n", f"\necho '{END}'\n") + f"\necho '{END}'"
    script = f"set -e\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{script}\ncat dso.log\n"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_commands_of_the_page_print_what_it_shows(printed: str) -> None:
    assert len(SHOWN) > 8
    lines = iter(printed.splitlines())
    assert [line for line in SHOWN if line not in lines] == []  # each one after the one before


def test_an_output_is_shown_whole_or_its_beginning_ends_in_dots(printed: str) -> None:
    shown = [part for block in BLOCKS for part in re.split(r"^\$ .*\n", block, flags=re.MULTILINE)[1:]]
    outputs = printed.split(f"{END}\n")
    assert len(outputs) == len(shown) + 1  # behind the last one comes dso.log
    for part, output in zip(shown, outputs[:-1], strict=True):
        lines, real = ([line for line in text.splitlines() if line.strip()] for text in (part, output))
        cut = bool(lines) and lines[-1].strip() == "…"
        assert not lines or (lines[:-1] == real[: len(lines) - 1] and len(real) >= len(lines) if cut else lines == real)


def test_the_page_tells_every_error() -> None:
    ours = [name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, errors.OscpError)]
    assert [name for name in (*ours, "HeaderError", "CableRefused") if f"`{name}`" not in PAGE] == []


def test_every_example_stands_on_the_page() -> None:
    shown = set(re.findall(r"```{literalinclude} \.\./examples/(\S+)", PAGE))
    assert shown == {path.name for path in (ROOT / "examples").glob("*.py")}


def test_importing_the_protocol_loads_no_more_than_the_page_says() -> None:
    heavy = ("numpy", "httpx2", "starlette", "uvicorn", "cryptography", "sqlalchemy", "structlog", "typer", "asyncio")
    code = f"import sys, gridroom.oscp.v10; print([one for one in {heavy} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_door_names_what_it_opens() -> None:
    assert sorted(v10.__all__, key=str.lower) == sorted(set(v10.__all__), key=str.lower)
    assert all(hasattr(v10, name) for name in v10.__all__)
