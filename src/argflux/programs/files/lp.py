"""LP files, as CPLEX defined them: a linear or quadratic objective, linear rows, bounds.

Where readers differ on a valid file, it is read as it is written: terms that stand twice add up, constants on the left
of a row go to its right, binary columns are within 0 and 1; a note says what HiGHS makes of it. What is ambiguous,
unknown or not linear is an error.
"""

from dataclasses import dataclass

import numpy as np

from argflux.programs.files.contents import INFINITE, Contents, Entries, bounded
from argflux.programs.files.lp_sums import NO_LP, Sum, SumReader
from argflux.programs.files.lp_words import KEYWORDS

BOUND = "one bound a line: x <= 5, 0 <= x <= 5, x = 3 or x free"
COEFFICIENTS = "write a bound with coefficients or several columns as a row"


def read_lp(text: str, path: str) -> Contents:
    """Read the text of a file.

    Args:
        text: of the whole file.
        path: of the file, for errors.

    Raises:
        DataError: naming the line and what is wrong with it.
    """
    return _Reader(text, path).read()


@dataclass
class _Row:
    """A row; its name is empty where the file gives none."""

    name: str
    terms: dict[str, float]
    lower: float
    upper: float


class _Reader(SumReader):
    """What has been read so far."""

    def __init__(self, text: str, path: str) -> None:
        super().__init__(text, path)
        self.rows: list[_Row] = []
        self.names: set[str] = set()
        self.lower: dict[str, float] = {}
        self.upper: dict[str, float] = {}
        self.integers: dict[str, None] = {}
        self.binaries: set[str] = set()
        self.semis: set[str] = set()

    def read(self) -> Contents:
        """Read all sections: the objective, rows, then the others in any order."""
        maximised, name, objective = self._objective()
        begun = self.skip("rows")
        if begun:
            while self.word.kind not in KEYWORDS:
                self._row()
        sections = {"bounds": self._bound, "integers": self._whole, "binaries": self._whole, "semis": self._whole}
        while self.word.kind in sections:
            section = self.take().kind
            while self.word.kind not in KEYWORDS:
                sections[section](section)
        if not self.skip("end"):
            raise self.unexpected("bounds, integers, binaries or end" if begun else "subject to or end on a new line")
        if self.word.kind == "rest":
            self.note("text behind end was left out", f"line {self.word.line}")
        return self._contents(maximised, name, objective)

    # The objective

    def _objective(self) -> tuple[bool, str, Sum]:
        keyword = self.take()
        if keyword.kind != "objective":
            lp_solve = keyword.kind == "label" and keyword.text.lower() in ("min", "max", "minimise", "maximise")
            todo = "write it in CPLEX's LP format: this is lp_solve's" if lp_solve else NO_LP
            raise self.unexpected("minimize or maximize on the first line that is no comment", todo, keyword)
        if keyword.text.lower().endswith("ise"):
            self.note("HiGHS leaves the objective out if its keyword is spelt so", keyword.text)
        name = self.take().text if self.word.kind == "label" else "obj"
        found = self.sum(objective=True)
        for column in found.repeated:
            self.note("terms of a column that stand in the objective twice add up (HiGHS: the last counts)", column)
        if not abs(found.constant) < INFINITE:
            got = f"a constant of {found.constant:g} in the objective"
            raise self.broken(got, f"one below {INFINITE:g} in size")
        return keyword.text.lower().startswith("max"), name, found

    # Rows

    def _row(self) -> None:
        line = self.word.line
        name = self.take().text if self.word.kind == "label" else ""
        if name in self.names:
            raise self.broken(f"a second row {name}", "rows with names of their own")
        self.names |= {name} - {""}
        sides, relations = [self.sum(empty=bool(name))], []
        while self.word.kind == "relation":
            relations.append(self._relation())
            sides.append(self.sum(right=True))
        if not relations:
            raise self.unexpected(f"<=, >= or = and a number, in the row that begins on line {line}")
        terms, limits = self._compared(sides, relations)
        if len(sides) == 2 and not sides[0].linear and sides[1].constants and self.word.kind == "name":
            todo = "end no line between a number and its column, or name the row that begins here"
            raise self.unexpected(f"a sign or a name with a colon behind the row of line {line}", todo)
        if any(side.constant and (side.linear or not terms) for side in sides[:-1]):
            self.note("constants on the left of rows went to their right (HiGHS drops them)", f"line {line}")
        if any(side.numbered and (side.linear or side.terms > 1) for side in sides[1:]):
            self.note("what follows a number on the right is of the same row (HiGHS may begin another)", f"line {line}")
        self.rows.append(_Row(name, terms, *self._checked(*limits)))

    def _relation(self) -> str:
        """Take a relation as <, > or =."""
        return self.take().text.strip("= \t") or "="

    def _compared(self, sides: list[Sum], relations: list[str]) -> tuple[dict[str, float], list[float]]:
        """The columns of a row, and its two limits; `3 <= x + y` is read from its end."""
        first, last = sides[0], sides[-1]
        if relations in (["<"], [">"], ["="]) and (first.terms or not last.linear):
            swapped = bool(last.linear) and not first.linear
            relation = {"<": ">", ">": "<", "=": "="}[relations[0]] if swapped else relations[0]
            left, right = (last, first) if swapped else (first, last)
            terms = {column: value - right.linear.get(column, 0.0) for column, value in left.linear.items()}
            terms |= {column: -value for column, value in right.linear.items() if column not in terms}
            limit = self._minus(right, left)
            return terms, [-np.inf if relation == "<" else limit, np.inf if relation == ">" else limit]
        between = relations in (["<", "<"], [">", ">"]) and first.terms and sides[1].linear
        if not between or first.linear or last.linear:
            raise self.broken(f"a row of this form with {' and '.join(relations)}", "x + y <= 3 or 1 <= x + y <= 3")
        limits = [self._minus(side, sides[1]) for side in (first, last)]
        return sides[1].linear, limits if relations[0] == "<" else limits[::-1]

    def _minus(self, first: Sum, second: Sum) -> float:
        value = first.constant - second.constant
        if not abs(value) < INFINITE and max(abs(first.constant), abs(second.constant)) < INFINITE:
            raise self.broken(f"a side of {value:g}", f"one below {INFINITE:g} in size")
        return float(bounded(value))

    def _checked(self, lower: float, upper: float) -> tuple[float, float]:
        if not lower <= upper or lower == np.inf or upper == -np.inf:
            got = f"a row from {lower:g} to {upper:g}"
            raise self.broken(got, "a side below infinity, and the lower not above the upper")
        return lower, upper

    # Bounds and integers

    def _bound(self, section: str) -> None:
        """Read one line of bounds."""
        if not self.word.first:
            raise self.unexpected(BOUND, COEFFICIENTS)
        sides, relations = [self._end()], []
        if isinstance(sides[0], str) and self.word.kind == "name" and self.word.text.lower() == "free":
            self.take()
            return self._set(sides[0], -np.inf, np.inf)
        while self.word.kind == "relation":
            relations.append(self._relation())
            sides.append(self._end())
        if not relations:
            raise self.unexpected(BOUND, COEFFICIENTS)
        if relations in ([">"], [">", ">"]):
            sides, relations = sides[::-1], ["<"] * len(relations)
        match (*relations, *sides):
            case ("<", str(column), float(upper)):
                self._set(column, None, upper)
            case ("<", float(lower), str(column)):
                self._set(column, lower, None)
            case ("<", "<", float(lower), str(column), float(upper)):
                self._set(column, lower, upper)
            case ("=", str(column), float(value)) | ("=", float(value), str(column)):
                self._set(column, value, value)
            case _:
                raise self.broken("a bound of another form", BOUND, COEFFICIENTS)

    def _end(self) -> str | float:
        """The column of a bound, or the number."""
        if self.word.kind == "name":
            return self.column(known=True)
        sign = self.sign()
        if self.word.kind != "number":
            raise self.unexpected(BOUND, COEFFICIENTS)
        return float(bounded(sign * float(self.take().text)))

    def _set(self, column: str, lower: float | None, upper: float | None) -> None:
        if lower == np.inf or upper == -np.inf:
            raise self.broken(f"a bound on {column} that no number meets", "a finite one, or free")
        if column in self.binaries and (lower == -np.inf or upper == np.inf):
            raise self.broken(f"an infinite bound on the binary {column}", "bounds within 0 and 1")
        for bounds, value in ((self.lower, lower), (self.upper, upper)):
            if value is None:
                continue
            if bounds.get(column, value) != value:
                self.note("bounds were given again, the last counts", column)
            bounds[column] = value

    def _whole(self, section: str) -> None:
        """Read one name of a list of integers."""
        column = self.column(known=True)
        lower, upper = self.lower.get(column, 0.0), self.upper.get(column, np.inf)
        self.integers[column] = None
        if section == "semis":
            self.semis.add(column)
        elif section == "binaries":
            if lower < 0 or 1 < upper < np.inf:
                self.note("bounds of binary columns were cut to 0 and 1 (HiGHS keeps them)", column)
            self.binaries.add(column)
            self.lower[column], self.upper[column] = max(lower, 0.0), min(upper, 1.0)

    # What the file holds

    def _contents(self, maximised: bool, name: str, objective: Sum) -> Contents:
        entries = [(k, self.columns[c], value) for k, row in enumerate(self.rows) for c, value in row.terms.items()]
        cost = np.array([objective.linear.get(column, 0.0) for column in self.columns], float)
        rhs, below, above = self._limits()
        lower, upper = self._box()
        return Contents(
            "", name, maximised, objective.constant, tuple(self.columns), self._row_names(), cost,
            Entries.of(entries), rhs, below, above, lower, upper, self._both_triangles(objective.products),
            tuple(self.integers), self.told(),
        )  # fmt: skip

    def _row_names(self) -> tuple[str, ...]:
        """Names of all rows: R1, R2, … by their places for those without one, with a _ where others are called so."""
        found = []
        for k, row in enumerate(self.rows, 1):
            name = row.name or f"R{k}"
            while not row.name and name in self.names:
                name += "_"
            found.append(name)
        return tuple(found)

    def _limits(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        lower, upper = (np.array([getattr(row, side) for row in self.rows], float) for side in ("lower", "upper"))
        rhs = np.where(np.isfinite(upper), upper, np.where(np.isfinite(lower), lower, 0.0))
        return rhs, lower - rhs, upper - rhs

    def _box(self) -> tuple[np.ndarray, np.ndarray]:
        lower = np.array([self.lower.get(column, 0.0) for column in self.columns], float)
        upper = np.array([self.upper.get(column, np.inf) for column in self.columns], float)
        for column, k in self.columns.items():
            if column in self.semis:
                if lower[k] > 0 or upper[k] < 0:
                    self.note("bounds of semi-continuous columns were widened to hold 0", column)
                lower[k], upper[k] = min(lower[k], 0.0), max(upper[k], 0.0)
            elif upper[k] < 0 and column not in self.lower:
                self.note("upper bounds are negative and lower bounds 0, as not given", column)
        return lower, upper

    def _both_triangles(self, products: dict[tuple[str, str], float]) -> Entries:
        pairs = {(self.columns[a], self.columns[b]): v if a == b else v / 2 for (a, b), v in products.items()}
        pairs |= {(second, first): value for (first, second), value in pairs.items()}
        return Entries.of([(*pair, value) for pair, value in pairs.items()])
