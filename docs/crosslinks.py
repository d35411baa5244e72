"""Names in the text lead to the reference: `af.solve_qp`, `solve_qp` and `af.solve_qp(…)` become links."""

import re

from docutils import nodes

NAME = re.compile(r"^(?:af\.|argflux\.)?([A-Za-z_][\w.]*?)(?:\(.*\))?$", re.S)


def known_names(env) -> dict[str, tuple[str, str]]:
    """Return page and anchor of every documented name, with and without the package between."""
    found: dict[str, tuple[str, str]] = {}
    for full, entry in env.domains["py"].objects.items():
        parts = full.split(".")
        if parts[0] == "argflux" and entry.objtype in ("function", "class", "exception"):
            for short in {".".join(parts[1:]), parts[-1]}:
                found.setdefault(short, (entry.docname, entry.node_id))
    return found


def link_names(app, doctree, docname) -> None:
    """Wrap every literal that is a documented name into a link."""
    if app.builder.format != "html":
        return
    names = known_names(app.env)
    for literal in list(doctree.findall(nodes.literal)):
        match = NAME.match(literal.astext())
        inside = (nodes.reference, nodes.title)
        if not match or match[1] not in names or isinstance(literal.parent, inside):
            continue
        page, anchor = names[match[1]]
        uri = app.builder.get_relative_uri(docname, page) + "#" + anchor
        link = nodes.reference("", "", literal.deepcopy(), refuri=uri, internal=True)
        literal.parent.replace(literal, link)


def setup(app) -> dict:
    """Register the links."""
    app.connect("doctree-resolved", link_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
