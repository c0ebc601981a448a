"""What the pages promise is there: links, commands, rows, files, words."""

import dataclasses
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from gridroom import cli
from gridroom.oscp.v10.profile import PeerProfile

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
NAMES = [page.name for page in PAGES]

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE_PATH = re.compile(r"`([a-z0-9_]+(?:/[a-z0-9_.]+)*(?:\.py|/))`")
CITED_ROW = re.compile(r"Deviation\((\d+)|[Dd]ecisions? ((?:\d+(?:, | and )?)+)|[Rr]ows? (\d+)")

HERE = ("../" + "shared", "/" + "work/main", "/" + "tmp/plan", "/" + "root/")
"""What would show that a file was made on a certain machine."""


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    targets = (target.split("#")[0] for target in LINK.findall(page.read_text()) if "://" not in target)
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_deviations_has_each_of_the_36_rows_once_and_in_order() -> None:
    text = (DOCS / "deviations.md").read_text()
    assert [int(number) for number in re.findall(r"^### Row (\d+):", text, re.MULTILINE)] == list(range(1, 37))
    sections = re.split(r"^##", text, flags=re.MULTILINE)
    rows = [section for section in sections if section.startswith("# Row ")]
    incomplete = [row.splitlines()[0] for row in rows if not all(f"- **{word}**: " in row for word in ("Says", "Why"))]
    assert incomplete == []


def test_rows_that_the_code_cites_exist() -> None:
    cited = {
        int(number)
        for file in (ROOT / "src").rglob("*.py")
        for found in CITED_ROW.finditer(file.read_text())
        for number in re.findall(r"\d+", found[0])
    }
    assert cited
    assert cited <= set(range(1, 37))


def test_every_switch_of_a_peer_profile_is_documented() -> None:
    text = (DOCS / "deviations.md").read_text()
    switches = [field.name for field in dataclasses.fields(PeerProfile)]
    assert [name for name in switches if f"| `{name}` |" not in text] == []


def test_the_glossary_tells_each_word_once_and_from_where() -> None:
    text = (DOCS / "glossary.md").read_text()
    entries = re.findall(r"^- \*\*(.+?)\*\*: (.+?)(?=\n- |\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    words = [word for word, _ in entries]
    assert len(words) == len(set(words)) > 0
    source = re.compile(r"\d\.\d|Chapter|chapter|ootnote|CIRED|\*ours\*")
    assert [word for word, meaning in entries if not source.search(meaning[meaning.rindex("(") :])] == []


def test_files_that_the_architecture_names_exist() -> None:
    named = set(CODE_PATH.findall((DOCS / "architecture.md").read_text()))
    assert [path for path in sorted(named) if not any((base / path).exists() for base in _homes())] == []


def test_every_command_is_documented() -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    assert [command for command in _commands(cli.app) if not re.search(rf"{command}\b", text)] == []


def test_no_file_names_the_machine_it_was_written_on() -> None:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    # files of this moment: committed or about to be
    listing = [git, "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, capture_output=True, check=True).stdout.decode().split("\0")
    files = [ROOT / name for name in names if name and (ROOT / name).is_file()]
    found = [(file, needle) for file in files for needle in HERE if needle.encode() in file.read_bytes()]
    assert found == []


def test_the_pages_build_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("sphinx")
    build = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", "-d", str(tmp_path / "trees"), str(DOCS)]
    done = subprocess.run([*build, str(tmp_path / "html")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _homes() -> tuple[Path, ...]:
    source = ROOT / "src" / "gridroom"
    return ROOT, source, source / "oscp" / "v10"


def _commands(app: typer.Typer, prefix: str = "gridroom") -> Iterator[str]:
    """Full names of all commands that are not hidden."""
    for command in app.registered_commands:
        name = command.name or getattr(command.callback, "__name__", "").replace("_", "-")
        if not command.hidden:
            yield f"{prefix} {name}"
    for group in app.registered_groups:
        if group.typer_instance is not None:
            name = group.name or group.typer_instance.info.name
            yield from _commands(group.typer_instance, f"{prefix} {name}")
