"""Sphinx: the pages of this folder, written in Markdown."""

from importlib.metadata import version as _version

project = "Gridroom"
author = "the Gridroom developers"
copyright = "the Gridroom developers, Apache-2.0"
release = _version("gridroom")

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
nitpicky = True

html_theme = "furo"
html_title = f"Gridroom {release}"
html_show_sourcelink = False
