"""Prints constraints-oldest.txt: the pinned versions, with the lower bounds of pyproject.toml where it has some."""

import pathlib
import re
import tomllib

ROOT = pathlib.Path(__file__).parent.parent
COMPANIONS = {
    "click": "8.2.1",  # newer ones deprecate what the oldest typer calls
    "pyparsing": "3.2.5",  # and the oldest matplotlib
    "sparsediffpy": "0.3.0",  # the oldest CVXPY takes no newer one
}


def lower_bounds() -> dict[str, str]:
    """Return the oldest version of every package that the metadata names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    stated = [re.fullmatch(r"([\w-]+)>=([\d.]+)(,<[\d.]+)?", line) for group in groups for line in group]
    return {match[1].lower(): match[2] for match in stated if match}


def constraints() -> str:
    """Return the lines of the file."""
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
    oldest = lower_bounds() | COMPANIONS
    oldest["jaxlib"] = oldest["jax"]
    names = sorted({*pinned, *COMPANIONS}, key=str.lower)
    return "".join(f"{name}=={oldest.get(name.lower()) or pinned[name]}\n" for name in names)


if __name__ == "__main__":
    print(constraints(), end="")
