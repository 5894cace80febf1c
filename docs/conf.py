"""Sphinx settings: plain pages in Markdown."""

project = "neuralpde"
author = "The neuralpde developers"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "alabaster"
