"""Formulas as pictures inside the pages, drawn by matplotlib at build time: they need no network and no JavaScript."""

import re
from html import escape
from io import BytesIO

from docutils import nodes
from matplotlib import mathtext, rc_context
from matplotlib.font_manager import FontProperties
from sphinx.util import logging

LOG = logging.getLogger(__name__)

REWRITTEN = (  # what matplotlib spells otherwise
    (r"\\[td]?frac(\w)(\w)", r"\\frac{\1}{\2}"),
    (r"\\[td]frac", r"\\frac"),
    (r"\\(le|ge|ne)(?![a-z])", r"\\\1q"),
    (r"\\[lr]Vert", r"\\Vert"),
    (r"\\[lr]vert", r"|"),
    (r"\\(arg)\\(max|min)", r"\\operatorname{\1\2}"),
    (r"\\text(?=\{)", r"\\mathrm"),
    (r"\\[bB]igg?[lr]?(?=[(\[)\]|])", r""),
)
INK = "#010203"  # replaced by the colour of the text around
STYLE = {"svg.fonttype": "path", "svg.hashsalt": "argflux", "mathtext.fontset": "cm"}


def drawn(text: str, size: float) -> tuple[str, float]:
    """Return a formula as SVG, and how far it reaches below the line, in points."""
    for pattern, other in REWRITTEN:
        text = re.sub(pattern, other, text)
    picture = BytesIO()
    with rc_context(STYLE):
        depth = mathtext.math_to_image(
            f"${' '.join(text.split())}$", picture, FontProperties(size=size), dpi=72, format="svg", color=INK
        )
    svg = picture.getvalue().decode()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.S)
    return svg.replace(INK, "currentColor"), depth


def _drawn(node, text: str, size: float) -> tuple[str, float]:
    try:
        return drawn(text, size)
    except ValueError as error:
        LOG.warning("matplotlib cannot draw %r: %s", text, str(error).splitlines()[-1], location=node)
        return f"<code>{escape(text)}</code>", 0.0


def _inline(self, node: nodes.math) -> None:
    svg, depth = _drawn(node, node.astext(), 12)
    self.body.append(svg.replace("<svg ", f'<svg role="img" style="vertical-align: {-depth:.2f}pt" ', 1))
    raise nodes.SkipNode


def _display(self, node: nodes.math_block) -> None:
    lines = [_drawn(node, line, 13)[0] for line in re.split(r"\\\\", node.astext()) if line.strip()]
    boxes = "".join(f'<div style="overflow-x: auto; text-align: center; margin: 1em 0">{svg}</div>' for svg in lines)
    self.body.append(boxes)
    raise nodes.SkipNode


def setup(app) -> dict:
    """Make this the renderer of formulas."""
    app.add_html_math_renderer("drawn", (_inline, None), (_display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
