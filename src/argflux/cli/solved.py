"""What `argflux solve` shows and writes: a solution and its derivatives, by the names of a file."""

import csv
import io
import json
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from argflux.cli.console import say, tabulate, waiting
from argflux.errors import ArgumentError, DataError
from argflux.files import write_atomically
from argflux.programs import Program, Regularity, Status, read_program
from argflux.programs.files.contents import Contents
from argflux.programs.files.ranging import Ranges, basis_ranges

FLAWS = {
    Regularity.LICQ: "degenerate: active constraints depend on each other, so prices are not unique",
    Regularity.STRICT_COMPLEMENTARITY: "degenerate: an active constraint has a price of zero, where derivatives jump",
    Regularity.NON_UNIQUE: "the solution is not unique; this is one of them",
}
RANGE = ["holds from", "holds to"]
BLOCKS = {"cost": "columns", "rhs": "rows", "lower": "columns", "upper": "columns"}


class Number(NamedTuple):
    """A number of the file, the slope with respect to it, and the range in which no other basis is optimal, or NaN."""

    block: str
    name: str
    value: float
    slope: float
    low: float
    high: float


class Solved(NamedTuple):
    """A solved program.

    Attributes:
        file: where it was read from.
        contents: what was read.
        x: values of the columns.
        activity: values of the rows.
        objective: the user's.
        iterations: of the solver.
        flaws: regularity conditions that fail, in words.
        prices: derivatives of the objective with respect to the blocks, by their names.
        of: a column, or `None`.
        slopes: derivatives of that column's value, or those of the objective.
        ranges: where each cost and right-hand side of a linear program may be while the basis stays, else `None`.
    """

    file: Path
    contents: Contents
    x: np.ndarray
    activity: np.ndarray
    objective: float
    iterations: int
    flaws: tuple[str, ...]
    prices: dict[str, np.ndarray]
    of: str | None
    slopes: dict[str, np.ndarray]
    ranges: Ranges | None

    @classmethod
    def of_file(cls, file: Path, of: str | None, relax: bool) -> "Solved":
        """Read and solve a file.

        Raises:
            DataError: for a file that cannot be read, and for a program that has no solution.
        """
        with jax.enable_x64(True), waiting(f"solving {file.name}"):
            program = read_program(file, relax=relax)
            contents = program.contents
            column = None if of is None else _column(of, contents)
            solution = program.solve()
            status = Status(int(solution.status))
            if status != Status.SOLVED:
                todo = "correct the program; what is said of it holds up to rounding"
                got = f"{status.reason} ({status.name})"
                raise DataError(got, "a program that has a solution", todo, where=str(file))
            x = np.asarray(solution.x)
            i, j, values = contents.matrix
            activity = np.bincount(i, values * x[j], len(contents.rows)) if len(contents.rows) else np.zeros(0)
            prices = _derivatives(program, objective=np.float64(1.0))
            chosen = np.array([name == column for name in contents.columns], float)
            slopes = prices if column is None else _derivatives(program, x=chosen)
        flags = Regularity(int(solution.regularity))
        flaws = tuple(words for flag, words in FLAWS.items() if flag in flags)
        objective, iterations = float(solution.objective), int(solution.iterations)
        ranges = None if column or len(contents.quadratic.values) else basis_ranges(contents)
        return cls(file, contents, x, activity, objective, iterations, flaws, prices, column, slopes, ranges)

    @property
    def target(self) -> str:
        """What the slopes are of."""
        return self.of or self.contents.objective or "objective"

    def reduced(self) -> np.ndarray:
        """What the objective gains by one unit of a column's bounds."""
        return sum((self.prices[side] for side in ("lower", "upper") if side in self.prices), np.zeros(len(self.x)))

    def numbers(self) -> list[Number]:
        """The file's finite costs, right-hand sides and bounds, those with the strongest slopes first."""
        found = []
        for block in (block for block in BLOCKS if block in self.slopes):
            names, values = getattr(self.contents, BLOCKS[block]), getattr(self.contents, block)
            ranges = getattr(self.ranges, block, np.full((len(names), 2), np.nan))
            rows = zip(names, values.tolist(), self.slopes[block].tolist(), ranges.tolist(), strict=True)
            found += [Number(block, name, value, slope, *ends) for name, value, slope, ends in rows]
        return sorted((row for row in found if np.isfinite(row.value)), key=lambda row: -abs(row.slope))


def _column(name: str, contents: Contents) -> str:
    if name in contents.columns:
        return name
    near = get_close_matches(name, contents.columns, n=1, cutoff=0.4)
    todo = f"did you mean {near[0]}?" if near else "the first table names them"
    raise ArgumentError(repr(name), f"one of the {len(contents.columns)} columns", todo, where="--of")


def _derivatives(program: Program, **cotangents: Any) -> dict[str, np.ndarray]:
    found = program.reverse_differentiate(cotangents=cotangents).parameters
    return {name: np.asarray(found[name]) for name in BLOCKS if name in found}


def show(solved: Solved, sensitivity: bool, most: int | None) -> None:
    """Print what was found: a line, the notes of the file, and tables of the largest numbers."""
    c = solved.contents
    kind = "quadratic" if len(c.quadratic.values) else "linear"
    say(f"{c.name or solved.file.name}: {kind}, {len(c.columns)} columns, {len(c.rows)} rows")
    say(f"solved in {solved.iterations} iterations, {c.objective or 'objective'} {solved.objective:.10g}", style="bold")
    for text in (*c.notes, *solved.flaws):
        say(f"note: {text}")
    columns = zip(c.columns, solved.x, c.lower, c.upper, solved.reduced(), strict=True)
    _table(["column", "value", "lower", "upper", "price"], columns, most, 1)
    sides = np.where(np.isinf(c.below), -np.inf, c.rhs + c.below), np.where(np.isinf(c.above), np.inf, c.rhs + c.above)
    prices = solved.prices.get("rhs", np.zeros(0))
    rows = zip(c.rows, solved.activity, *sides, prices, strict=True)
    _table(["row", "activity", "at least", "at most", "price"], rows, most, 4)
    if sensitivity:
        heads = ["number", "is", f"d {solved.target}", *RANGE[: 2 * (solved.ranges is not None)]]
        table = [(f"{row.block} {row.name}", *row[2:])[: len(heads)] for row in solved.numbers()]
        _table(heads, table, most, 2)


def _table(heads: list[str], rows, most: int | None, by: int) -> None:
    ordered = sorted(rows, key=lambda row: -abs(row[by]))
    if not ordered:
        return
    shown = ordered[:most]
    tabulate(heads, [[row[0], *map(_shown, row[1:])] for row in shown])
    if len(shown) < len(ordered):
        say(f"the largest {len(shown)} of {len(ordered)} by {heads[by]}; --all shows all")


def _shown(value: float) -> str:
    return "" if np.isnan(value) else f"{value + 0.0:.6g}"


def write_csv(solved: Solved, path: Path) -> None:
    """Write a line for every number of the file: its block and name, its value, and the slopes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    heads = ["block", "name", "value", f"d {solved.target}", *RANGE[: 2 * (solved.ranges is not None)]]
    writer.writerow(heads)
    for row in solved.numbers():
        writer.writerow([*row[:2], *("" if np.isnan(number) else repr(number) for number in row[2:])][: len(heads)])
    write_atomically(path, text.getvalue().encode())
    say(f"table  {path}")


def write_json(solved: Solved, path: Path) -> None:
    """Write the solution, prices and slopes by name."""
    c = solved.contents
    by_name = lambda slopes: {
        block: dict(zip(getattr(c, BLOCKS[block]), map(float, values), strict=True)) for block, values in slopes.items()
    }
    record = {
        "file": str(solved.file), "name": c.name, "status": Status.SOLVED.name, "objective": solved.objective,
        "iterations": solved.iterations, "notes": [*c.notes, *solved.flaws],
        "columns": dict(zip(c.columns, solved.x.tolist(), strict=True)),
        "rows": dict(zip(c.rows, solved.activity.tolist(), strict=True)),
        "prices": by_name(solved.prices),
        "of": solved.of, "slopes": by_name(solved.slopes),
        "ranges": None if solved.ranges is None else {
            block: dict(zip(getattr(c, BLOCKS[block]), _finite(ends), strict=True))
            for block, ends in solved.ranges._asdict().items()
        },
    }  # fmt: skip
    write_atomically(path, (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode())
    say(f"record  {path}")


def _finite(ranges: np.ndarray) -> list[list[float | None]]:
    """Pairs of numbers, `None` for infinite ones, which JSON has not."""
    return [[end if np.isfinite(end) else None for end in pair] for pair in ranges.tolist()]


def draw(solved: Solved, path: Path) -> None:
    """Draw the strongest slopes as bars."""
    from argflux.plots import save_figure, sensitivity_bars

    slopes = {block: {} for block in solved.slopes}
    for row in solved.numbers():
        slopes[row.block][row.name] = row.slope
    save_figure(sensitivity_bars(slopes, of=solved.target), path)
    say(f"figure  {path}")
