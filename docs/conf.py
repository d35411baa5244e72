"""Settings of the documentation: pages in Markdown, a reference made from the docstrings."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "argflux"
author = "the argflux developers"
copyright = "the argflux developers"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "formulas", "crosslinks"]
html_math_renderer = "drawn"
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "package.md"]  # the latter is for package indexes
nitpicky = False

html_theme = "furo"
html_title = "argflux"
html_static_path = ["_static"]
html_css_files = ["pages.css"]

default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_class_signature = "mixed"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_custom_sections = ["Calling it", "Source", "Reference"]


SPANS = re.compile(r"(`[^`]*`|\$[^$]+\$)")  # code and mathematics


def write_formulas(app, what, name, obj, options, lines):
    """Turn the `$…$` of a docstring into mathematics, and keep the bars and stars of formulas in plain text."""
    lines[:] = [line if line.lstrip().startswith((">>>", "...")) else _plain(line) for line in lines]


def _plain(line):
    return "".join(_span(part) if i % 2 else _escape(part) for i, part in enumerate(SPANS.split(line)))


def _span(part):
    return f":math:`{part[1:-1]}`" if part.startswith("$") else part


def _escape(part):
    return re.sub(r"[*](?=\w)", r"\*", part.replace("|", r"\|"))


def setup(app):
    """Register what runs during a build, before the docstrings are read as Google style."""
    app.connect("autodoc-process-docstring", write_formulas, priority=100)
