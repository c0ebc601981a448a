"""Sphinx: the pages of this folder, written in Markdown, and the reference, made from the code's own docstrings."""

from importlib.metadata import version as _version
from typing import Any

project = "Gridroom"
author = "the Gridroom developers"
copyright = "the Gridroom developers, Apache-2.0"
release = _version("gridroom")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
nitpicky = True
# What others made is not in our reference, and a type variable stands for any type.
nitpick_ignore_regex = [("py:.*", r"(?!gridroom\.).*"), ("py:.*", r"gridroom\..*\.[A-Z]")]

autodoc_member_order = "bysource"
autodoc_default_options = {
    "members": True,
    "undoc-members": True,
    "ignore-module-all": True,  # a door shows what comes from other rooms; here each name stands in its own
    "show-inheritance": True,
}
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_use_type_comments = False
autosummary_generate = False
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"Gridroom {release}"
html_show_sourcelink = False

# Napoleon takes what stands before a colon in the first line about a constant or property for its type. Ours have no
# types there, so it gets a first line of another kind, which is taken away again behind it.
_FIRST = ["..", ""]


def _before(_app: Any, what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    if what in ("attribute", "data", "property"):
        lines[:0] = _FIRST


def _behind(_app: Any, what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    if what in ("attribute", "data", "property") and lines[:2] == _FIRST:
        del lines[:2]


def setup(app: Any) -> None:
    """Called by Sphinx. Napoleon has the priority 500."""
    app.connect("autodoc-process-docstring", _before, priority=400)
    app.connect("autodoc-process-docstring", _behind, priority=600)
