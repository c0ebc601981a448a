"""The reference: every public name of the protocols is described where it stands, with its errors and its source."""

import ast
import re
from pathlib import Path

import pytest

from public_names import files, module_of, names

ROOT = Path(__file__).parents[2]
PAGES = "\n".join(page.read_text() for page in (ROOT / "docs" / "api").glob("*.md"))

CITES = re.compile(
    r"[Ss]ource:|[Ss]ection \d|[Cc]hapter \d|[Dd]ecisions?\b|[Rr]ows? \d|deviations|RFC \d|OCPP \d|WSDL 1"
)
OURS = {
    *("LocalError", "RemoteError", "AnswerError", "HeaderError", "CableRefused", "ValueRefused", "XmlError"),
    *("PayloadError", "RulesError", "NotConnectedError", "NoAnswerError", "CallRefusedError", "BrokenAnswerError"),
    "PkiError",
}
REFUSING = {"fail": "RemoteError", "refused": "CableRefused"}
"""Functions whose only purpose is an error."""

FILES = files()
IDS = [module_of(file) for file in FILES]


def raised(node: ast.AST) -> set[str]:
    """Errors of ours that a function raises by itself."""
    found: set[str] = set()
    for one in ast.walk(node):
        if isinstance(one, ast.Raise) and isinstance(one.exc, ast.Call) and isinstance(one.exc.func, ast.Name):
            found.add(one.exc.func.id)
        if isinstance(one, ast.Call) and isinstance(one.func, ast.Name) and one.func.id in REFUSING:
            found.add(REFUSING[one.func.id])
    return found & OURS


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_a_module_says_what_it_is_and_where_that_comes_from(file: Path) -> None:
    text = file.read_text()
    assert ast.get_docstring(ast.parse(text))
    if any(names(file)):
        assert CITES.search(text), "names no section, row or source"


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_every_public_name_is_described(file: Path) -> None:
    assert [one.full for one in names(file) if not one.doc.strip()] == []


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_a_function_that_raises_says_so(file: Path) -> None:
    callables = (one for one in names(file) if one.kind in ("function", "method"))
    silent = [one.full for one in callables if raised(one.node) and not re.search(r"\bRaises:|[Rr]efuse", one.doc)]
    assert silent == []


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_every_module_stands_in_the_reference(file: Path) -> None:
    if any(names(file)):
        assert re.search(rf"^\.\. automodule:: {re.escape(module_of(file))}$", PAGES, re.MULTILINE)


def test_the_reference_names_no_module_that_is_not_there() -> None:
    named = re.findall(r"^\.\. automodule:: (\S+)$", PAGES, re.MULTILINE)
    assert sorted(set(named) - set(IDS)) == []
    assert len(named) == len(set(named))
