"""What the pages promise is there: links, commands, rows, files, words."""

import dataclasses
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from fuzz.__main__ import NAMES as NAMES_OF_TARGETS
from gridroom import cli
from gridroom.oscp.errors import LocalError
from gridroom.oscp.v10.profile import PeerProfile
from gridroom.oscp.v10.rows import explain
from public_names import files, names

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts)]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]

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


@pytest.mark.parametrize("number", range(1, 37))
def test_each_row_tells_what_is_said_read_and_written_and_why(number: int) -> None:
    row = explain(number)
    assert row.number == number
    told = (row.title, row.says, *row.read, row.written, row.why)
    assert row.read
    assert all(words and "\n" not in words and "**" not in words for words in told)
    heading = f"### Row {number}: {row.title}\n"
    section = (DOCS / "deviations.md").read_text().partition(heading)[2].partition("\n#")[0]
    said = " ".join(word for word in section.replace("*", "").split() if word != "-")
    assert len(" ".join(told[1:])) > 0.8 * len(said)  # nothing of the section is lost


def test_there_is_no_other_row_to_explain() -> None:
    for number in (0, 37):
        with pytest.raises(LocalError, match=f"there is no row {number}; rows go from 1 to 36"):
            explain(number)


def test_the_words_of_the_rows_have_one_home() -> None:
    assert (ROOT / "src" / "gridroom" / "oscp" / "v10" / "deviations.md").resolve() == DOCS / "deviations.md"


def test_the_rows_travel_with_the_package(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(tmp_path / "site")], check=True)
    code = "import gridroom; from gridroom.oscp.v10 import explain; print(gridroom.__file__, explain(36).title)"
    where = {"PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=os.environ | where, capture_output=True)
    assert done.stdout.decode().strip() == f"{tmp_path / 'site' / 'gridroom' / '__init__.py'} {explain(36).title}"


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
    commands = list(_commands(typer.main.get_command(cli.app)))
    assert "gridroom decode" in commands
    assert [command for command in commands if not re.search(rf"{command}\b", text)] == []


def test_no_command_about_toolkits_writes_over_the_files_of_another() -> None:
    text = (DOCS / "foreign.md").read_text().replace("\\\n", " ")
    commands = re.findall(r"^gridroom wsdl (\w+) (.*)$", text, re.MULTILINE)
    assert len(commands) == 3
    assert all("--url " in words for _, words in commands)
    assert len({(service, words.partition("--out ")[2]) for service, words in commands}) == 3


def test_the_targets_of_the_fuzzer_are_all_told() -> None:
    told = re.findall(r"^\| ([`a-z, ]+) \|", (DOCS / "security.md").read_text(), re.MULTILINE)
    assert tuple(re.findall(r"`(\w+)`", " ".join(told))) == NAMES_OF_TARGETS


def test_what_is_only_built_is_not_promised_as_a_page() -> None:
    for page in (ROOT / "README.md", DOCS / "library.md"):
        text = page.read_text()
        at = text.index("api/index.md)")
        assert "make docs" in text[at : at + 200]


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


def test_the_pages_build_without_a_warning_and_describe_every_public_name(tmp_path: Path) -> None:
    pytest.importorskip("sphinx")
    # the builder that writes nothing: it resolves every reference, in two thirds of the time
    build = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "dummy", "-d", str(tmp_path), str(DOCS), str(tmp_path)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    environment = pickle.loads((tmp_path / "environment.pickle").read_bytes())
    assert [found for page in sorted((tmp_path / "api").glob("*.doctree")) for found in _types(page)] == []
    described = set(environment.domaindata["py"]["objects"])
    public = {one.full for file in files() for one in names(file)}
    assert len(public) > 400
    assert sorted(public - described) == []


def _types(page: Path) -> list[str]:
    """Texts that Sphinx took for the type of a constant or property, because they have a colon; none is one."""
    tree = pickle.loads(page.read_bytes())
    named = [one for one in tree.findall() if type(one).__name__ == "field_name"]
    assert named or page.stem in ("index", "oscp")
    return [one.parent.astext() for one in named if one.astext() == "Type"]


def _homes() -> tuple[Path, ...]:
    source = ROOT / "src" / "gridroom"
    return ROOT, source, source / "oscp" / "v10"


def _commands(command: Any, words: str = "gridroom") -> Iterator[str]:
    """Full names of all commands that do something."""
    inside = getattr(command, "commands", {})
    if not inside:
        yield words
    for name, inner in inside.items():
        yield from _commands(inner, f"{words} {name}")
