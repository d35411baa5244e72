"""MPS and QPS files, fixed and free, read line by line.

Where readers differ on a valid file, the reading is that of HiGHS if it is right, and a note says what others do.
What is ambiguous (an entry, side or bound that is given twice, both triangles of a QUADOBJ) or unknown is an error.
"""

from collections.abc import Callable, Iterator

import numpy as np

from argflux.errors import DataError
from argflux.programs.files.contents import Contents, Entries, bounded, broken, finite, number

FIELDS = ((1, 3), (4, 12), (14, 22), (24, 36), (39, 47), (49, 61))  # columns of the fixed format
SENSES = {"MAX": True, "MAXIMIZE": True, "MAXIMISE": True, "MAXIMUM": True}
SENSES |= {"MIN": False, "MINIMIZE": False, "MINIMISE": False, "MINIMUM": False}
DATA = ("ROWS", "COLUMNS", "RHS", "RANGES", "BOUNDS", "QUADOBJ", "QMATRIX", "QSECTION")
ONE_NAME = ("OBJSENSE", "OBJSENSEMAX", "OBJNAME", "OBJECT")
VALUED, PLAIN = ("UP", "LO", "FX", "LI", "UI", "SC"), ("FR", "MI", "PL", "BV")
WHOLE = ("LI", "UI", "BV", "SC")


def read_mps(text: str, path: str) -> Contents:
    """Read the text of a file.

    Names may hold spaces in the fixed format only: what does not read as free format is tried by the columns.

    Args:
        text: of the whole file.
        path: of the file, for errors.

    Raises:
        DataError: naming the line and what is wrong with it.
    """
    try:
        return _Reader(path, _words).read(text)
    except DataError as error:
        try:
            return _Reader(path, _fields).read(text)
        except DataError:
            raise error from None


def _words(line: str, section: str) -> list[str]:
    return line.split()


def _fields(line: str, section: str) -> list[str]:
    """What stands in the columns of the fixed format, without empty fields at the end."""
    found = [line[start:end].strip() for start, end in FIELDS]
    if section not in ("ROWS", "BOUNDS"):
        found = found[1:]
    while found and not found[-1]:
        found.pop()
    if section == "BOUNDS" and len(found) > 1 and not found[1]:
        del found[1]
    elif section in ("RHS", "RANGES") and found and not found[0]:
        del found[0]
    return found


def _ends(kind: str, value: float) -> tuple[float | None, float | None]:
    """The lower and the upper bound that a line of a kind gives, `None` where it gives none."""
    alone = {"FR": (-np.inf, np.inf), "MI": (-np.inf, None), "PL": (None, np.inf), "BV": (0.0, 1.0)}
    if kind in alone:
        return alone[kind]
    return value if kind in ("LO", "LI", "FX") else None, None if kind in ("LO", "LI") else value


class _Reader:
    """What has been read so far."""

    def __init__(self, path: str, split: Callable[[str, str], list[str]]) -> None:
        self.path, self.split, self.line = path, split, 0
        self.name, self.wanted, self.maximised, self.notes = "", "", False, []
        self.free: list[str] = []  # rows of kind N
        self.kinds: dict[str, str] = {}
        self.columns: dict[str, int] = {}
        self.entries: dict[tuple[str, str], float] = {}
        self.sides: dict[str, float] = {}
        self.ranges: dict[str, float] = {}
        self.sets: dict[str, str] = {}
        self.bounds: dict[tuple[str, str], float] = {}
        self.quadratic: dict[tuple[str, str], float] = {}
        self.form, self.whole, self.integers = "", False, {}

    def read(self, text: str) -> Contents:
        """Read all sections."""
        section, seen = "", []
        for line in self._lines(text):
            if not line[0].isspace():
                section = self._header(line.split(), seen)
                if section == "ENDATA":
                    return self._contents()
            elif section in DATA:
                given = self._without_comment(self.split(line, section))
                if given:
                    getattr(self, "_" + ("quadratic_entry" if section[0] == "Q" else section.lower()))(given)
            elif section in ONE_NAME:
                self._named(section, line.split())
            else:
                raise self._broken(f"a line of data in {section or 'no'} section", "a section such as ROWS before it")
        self.line += 1
        raise self._broken("the end of the file", "a line ENDATA", "fetch or write the file again, it is cut off")

    def _lines(self, text: str) -> Iterator[str]:
        for self.line, line in enumerate(text.splitlines(), 1):
            if line.strip() and not line.lstrip().startswith("*"):
                yield line.rstrip()

    def _header(self, words: list[str], seen: list[str]) -> str:
        section, rest = words[0].upper(), words[1:]
        if section == "NAME":
            self.name = " ".join(word for word in rest if word.upper() not in ("FREE", "FIXED"))
        elif section == "QSECTION":
            self._check_quadratic_row(rest)
        elif section in ONE_NAME and rest:
            self._named(section, rest)
        elif section not in (*DATA, *ONE_NAME, "ENDATA"):
            raise self._broken(
                f"a section {words[0]}",
                f"one of NAME, OBJSENSE, OBJNAME, {', '.join(DATA)}, ENDATA; data lines begin with a space",
                "state the program without it: only linear rows and a quadratic objective are read",
            )
        elif rest:
            raise self._broken(f"{' '.join(rest)!r} behind {section}", "a line of its own that begins with a space")
        if section in seen and section in DATA:
            raise self._broken(f"a second section {section}", "one")
        if (section in DATA[1:] and "ROWS" not in seen) or (section in DATA[2:] and "COLUMNS" not in seen):
            raise self._broken(f"{section} before {'ROWS' if 'ROWS' not in seen else 'COLUMNS'}", "that section first")
        seen.append(section)
        if section[0] == "Q":
            self.form = section
        return section

    def _without_comment(self, given: list[str]) -> list[str]:
        """Fields up to one that begins with a dollar sign, which may be the second name of a line or a later one."""
        first = next((k for k, word in enumerate(given) if k and word.startswith("$")), len(given))
        return given[:first]

    def _named(self, section: str, words: list[str]) -> None:
        if section in ("OBJSENSE", "OBJSENSEMAX"):
            if len(words) != 1 or words[0].upper() not in SENSES:
                raise self._broken(f"the sense {' '.join(words)!r}", "MAX or MIN")
            self.maximised = SENSES[words[0].upper()]
        else:
            self.wanted = " ".join(words)

    def _rows(self, given: list[str]) -> None:
        kind, name = given[0].upper(), " ".join(given[1:])
        if kind not in ("N", "L", "G", "E") or len(given) != 2:
            raise self._broken(" ".join(given), "N, L, G or E and a name without spaces")
        if name in self.kinds:
            raise self._broken(f"a second row {name}", "rows with names of their own")
        self.kinds[name] = kind
        if kind == "N":
            self.free.append(name)

    def _columns(self, given: list[str]) -> None:
        if len(given) > 2 and given[1].strip("'\"").upper() == "MARKER":
            return self._marker(given[-1].strip("'\"").upper())
        column = given[0]
        if column in self.columns and column != next(reversed(self.columns)):
            raise self._broken(
                f"column {column} again, after {next(reversed(self.columns))}", "its entries in one place"
            )
        self.columns.setdefault(column, len(self.columns))
        if self.whole:
            self.integers[column] = "by a MARKER"
        for row, text in self._pairs(given[1:], "a column, then names of rows and numbers"):
            self._check_row(row)
            if (row, column) in self.entries:
                raise self._broken(f"a second entry of {column} in {row}", "one", "add the two, or drop one")
            self.entries[row, column] = finite(text, self._where, f"an entry of {column} in {row}")

    def _marker(self, what: str) -> None:
        if what not in ("INTORG", "INTEND"):
            raise self._broken(f"a MARKER {what}", "INTORG or INTEND")
        self.whole = what == "INTORG"

    def _rhs(self, given: list[str]) -> None:
        self._side(given, self.sides, "RHS", "a right-hand side")

    def _ranges(self, given: list[str]) -> None:
        self._side(given, self.ranges, "RANGES", "a range")

    def _side(self, given: list[str], found: dict[str, float], section: str, what: str) -> None:
        """Numbers for rows; the name of the set of numbers may be left out, and only the first set counts."""
        if len(given) % 2 and not self._is_counted(section, given.pop(0)):
            return
        for row, text in self._pairs(given, "a name for the set, then names of rows and numbers"):
            self._check_row(row)
            if row in found:
                raise self._broken(f"{what} of {row} again", "one", "drop one of them")
            found[row] = number(text, self._where, f"{what} of {row}")

    def _bounds(self, given: list[str]) -> None:
        kind, rest = given[0].upper(), given[1:]
        if kind not in VALUED + PLAIN:
            raise self._broken(f"a bound of kind {given[0]}", f"one of {', '.join(VALUED + PLAIN)}")
        text = rest.pop() if rest and (kind in VALUED or len(rest) == 3) else "0"
        if len(rest) == 2 and not self._is_counted("BOUNDS", rest.pop(0)):
            return
        if len(rest) != 1:
            raise self._broken(
                " ".join(given), "a kind, a name for the set, a column" + ", a number" * (kind in VALUED)
            )
        (column,) = rest
        if column not in self.columns:
            raise self._broken(f"a bound on {column}", "one of the columns", "check the name")
        value = number(text, self._where, f"a bound on {column}")
        if kind in WHOLE:
            self.integers[column] = {"BV": "binary", "SC": "semicontinuous"}.get(kind, "an integer")
        lower, upper = _ends(kind, value)
        for side, limit in (("lower", lower), ("upper", upper)):
            if limit is None:
                continue
            if (column, side) in self.bounds:
                raise self._broken(f"a second {side} bound on {column}", "one", "drop one of them")
            self.bounds[column, side] = limit

    def _quadratic_entry(self, given: list[str]) -> None:
        first = given[0]
        for second, text in self._pairs(given[1:], "two names of columns and a number"):
            for column in (first, second):
                if column not in self.columns:
                    raise self._broken(f"a quadratic entry of {column}", "one of the columns", "check the name")
            pair = (first, second)
            if pair in self.quadratic or (self.form != "QMATRIX" and pair[::-1] in self.quadratic):
                todo = "drop one; QUADOBJ lists one triangle, QMATRIX both"
                raise self._broken(f"a second quadratic entry of {first} and {second}", "one", todo)
            self.quadratic[pair] = finite(text, self._where, f"the quadratic entry of {first} and {second}")

    def _check_quadratic_row(self, words: list[str]) -> None:
        if words and words[0] != self._objective():
            got = f"quadratic terms of the row {words[0]}"
            raise self._broken(got, "a quadratic objective", "state the row linearly: cones are not read")

    def _check_row(self, row: str) -> None:
        if row not in self.kinds:
            raise self._broken(f"the row {row}", "one of the rows", "check the name")

    def _is_counted(self, section: str, name: str) -> bool:
        first = self.sets.setdefault(section, name)
        if name != first:
            self._note(f"{section}: the set {first} was read, {name} and other sets were left out")
        return name == first

    def _pairs(self, given: list[str], expected: str) -> list[tuple[str, str]]:
        if len(given) not in (2, 4):
            raise self._broken(f"{len(given)} words", expected)
        return list(zip(given[::2], given[1::2], strict=True))

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    @property
    def _where(self) -> str:
        return f"{self.path}:{self.line}"

    def _broken(self, got: str, expected: str, todo: str = "correct the file") -> DataError:
        return broken(self._where, got, expected, todo)

    def _objective(self) -> str:
        """The row that is named as the objective, or the first of kind N."""
        if self.wanted and self.kinds.get(self.wanted) != "N":
            raise self._broken(f"the objective {self.wanted}", f"a row of kind N, {', '.join(self.free) or 'none'}")
        return self.wanted or next(iter(self.free), "")

    def _contents(self) -> Contents:
        objective = self._objective()
        if not objective:
            self._note("no row of kind N: the objective is zero")
        others = [row for row in self.free if row != objective]
        if others:
            self._note(f"rows of kind N that are not the objective were left out: {', '.join(others)}")
        if self.sides.get(objective):
            self._note(f"RHS of {objective}: minus it is the objective's constant (GLPK: plus)")
        names = [row for row in self.kinds if self.kinds[row] != "N"]
        place, columns = {row: k for k, row in enumerate(names)}, self.columns
        found = [(place[row], columns[c], v) for (row, c), v in self.entries.items() if row in place]
        cost = np.array([self.entries.get((objective, column), 0.0) for column in columns], float)
        rhs, below, above = self._limits(names)
        lower, upper = self._box()
        return Contents(
            self.name, objective, self.maximised, 0.0 - self.sides.get(objective, 0.0), tuple(columns), tuple(names),
            cost, Entries.of(found), rhs, below, above, lower, upper, self._both_triangles(),
            tuple(self.integers), tuple(self.notes),
        )  # fmt: skip

    def _limits(self, names: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if self.ranges.keys() & set(self.free):
            self._note("RANGES of rows of kind N were left out")
        rhs = np.array([self.sides.get(row, 0.0) for row in names], float)
        below, above = np.zeros(len(names)), np.zeros(len(names))
        for k, row in enumerate(names):
            kind, span = self.kinds[row], self.ranges.get(row)
            if kind == "E":
                below[k], above[k] = min(span or 0.0, 0.0), max(span or 0.0, 0.0)
            elif kind == "L":
                below[k] = -np.inf if span is None else -abs(span)
            else:
                above[k] = np.inf if span is None else abs(span)
        return bounded(rhs), bounded(below), bounded(above)

    def _box(self) -> tuple[np.ndarray, np.ndarray]:
        lower, upper = np.zeros(len(self.columns)), np.full(len(self.columns), np.inf)
        for column, k in self.columns.items():
            given = [self.bounds.get((column, side)) for side in ("lower", "upper")]
            if given == [None, None] and self.integers.get(column) == "by a MARKER":
                upper[k] = 1.0
                self._note("integer columns without bounds are within 0 and 1")
            lower[k] = 0.0 if given[0] is None else given[0]
            upper[k] = upper[k] if given[1] is None else given[1]
            if self.integers.get(column) == "semicontinuous" and lower[k] > 0:
                lower[k] = 0.0
                self._note(f"the lower bound of {column} is 0, as it is semicontinuous")
            if given[0] is None and upper[k] < 0:
                self._note(f"the upper bound of {column} is negative and its lower bound 0, as not given (CLP: -inf)")
        return bounded(lower), bounded(upper)

    def _both_triangles(self) -> Entries:
        """All entries of Q; a QMATRIX has to be symmetric, the others list one triangle."""
        whole = dict(self.quadratic)
        for (first, second), value in self.quadratic.items():
            if self.form == "QMATRIX" and self.quadratic.get((second, first)) != value:
                got = f"a QMATRIX with {value:g} for {first} and {second}, another number the other way round"
                raise self._broken(got, "a symmetric matrix, both triangles", "or list one triangle in a QUADOBJ")
            whole[second, first] = value
        return Entries.of([(self.columns[a], self.columns[b], v) for (a, b), v in whole.items()])
