"""`argflux solve`: the solution of a file's program, and what it depends on, by the file's names."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

EXAMPLES = """\b
Examples:
  argflux solve diet.mps
  argflux solve diet.mps --sensitivity
  argflux solve portfolio.qps --of bonds --csv bonds.csv
  argflux solve plan.lp.gz --relax --json plan.json
\b
Files are MPS, QPS or LP, with .gz behind or not. The objective's derivatives
are prices: what one unit more of a right-hand side, a cost or a bound is worth.
"""


def solve(
    file: Annotated[Path, Argument(metavar="FILE", help="An MPS, QPS or LP file.", show_default=False)],
    sensitivity: Annotated[
        bool, Option("--sensitivity", help="What the objective gains by one unit of each number of the file.")
    ] = False,
    of: Annotated[
        str | None, Option(metavar="NAME", help="What this column gains by one unit of each number, in place of it.")
    ] = None,
    all: Annotated[bool, Option("--all", help="All rows of each table, not the largest ten.")] = False,
    relax: Annotated[bool, Option("--relax", help="Take integer columns as real within their bounds.")] = False,
    csv: Annotated[Path | None, Option(metavar="PATH", help="Write every number as CSV.")] = None,
    json: Annotated[Path | None, Option(metavar="PATH", help="Write every number as JSON.")] = None,
    figure: Annotated[
        Path | None, Option(metavar="PATH", help="Draw the strongest sensitivities, as PNG or SVG.")
    ] = None,
) -> None:
    """Solve a linear or quadratic program and show its solution by name."""
    from argflux.cli.solved import Solved, draw, show, write_csv, write_json

    solved = Solved.of_file(file, of, relax)
    show(solved, sensitivity or of is not None, None if all else 10)
    for path, write in ((csv, write_csv), (json, write_json), (figure, draw)):
        if path is not None:
            write(solved, path)
