"""Sums in LP files: terms, signs and brackets, read word by word."""

import re
from dataclasses import dataclass, field

from argflux.errors import DataError
from argflux.programs.files.contents import INFINITE, broken
from argflux.programs.files.lp_words import KEYWORDS, Word, words

TODOS = {
    "arrow": "state the row linearly: indicator constraints are not read",
    "unread": "state the program without it: only linear rows, bounds and a quadratic objective are read",
    "^": "write squares and products of the objective as [ x^2 + 2 x*y ] / 2; rows are linear",
    "*": "write squares and products of the objective as [ x^2 + 2 x*y ] / 2; rows are linear",
    "[": "quadratic terms are read in the objective only, without a coefficient in front of [",
    "the end of the file": "fetch or write the file again, it is cut off",
}
ENDS = frozenset(("relation", "label", *KEYWORDS))
NO_LP = "read it with the reader of its format: it is no LP file"


@dataclass
class Sum:
    """Terms of an expression: of columns, of products of two, and constants.

    Attributes:
        linear: coefficients of columns.
        products: coefficients of products of two columns.
        constants: all of them.
        repeated: columns that were added more than once.
        terms: how many there are.
        numbered: whether a number or a sign comes first.
    """

    linear: dict[str, float] = field(default_factory=dict)
    products: dict[tuple[str, str], float] = field(default_factory=dict)
    constants: list[float] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    terms: int = 0
    numbered: bool = False

    def add(self, column: str, value: float) -> None:
        """Add a multiple of a column."""
        if column in self.linear:
            self.repeated.append(column)
        self.linear[column] = self.linear.get(column, 0.0) + value

    def multiply(self, first: str, second: str, value: float) -> None:
        """Add a multiple of the product of two columns."""
        pair = (min(first, second), max(first, second))
        self.products[pair] = self.products.get(pair, 0.0) + value

    @property
    def constant(self) -> float:
        """All constants."""
        return sum(self.constants, 0.0)


class SumReader:
    """The words of a file from the one that is next, the columns met so far, and notes."""

    def __init__(self, text: str, path: str) -> None:
        self.path, self.given = path, words(text, path)
        self.last = self.word = next(self.given)
        self.columns: dict[str, int] = {}
        self.notes: dict[str, dict[str, None]] = {}

    def sum(self, objective: bool = False, right: bool = False, empty: bool = False) -> Sum:
        """Read terms up to a relation, a row's name or a keyword; what stands on the right ends with its line too."""
        found = Sum()
        while not self._is_over(found, right):
            signed, sign = self.word.kind == "sign", self.sign()
            if found.terms and not signed:
                raise self.unexpected("a sign or a relation, or a keyword on a new line")
            found.numbered |= not found.terms and (signed or self.word.kind == "number")
            self._term(found, sign, objective, right)
            found.terms += 1
        if not (found.terms or objective or empty):
            raise self.unexpected("a number or a name")
        if found.terms > 1 and any(abs(value) >= INFINITE for value in found.constants):
            raise self.broken("an infinite number in a sum", f"numbers below {INFINITE:g} in size")
        return found

    def _is_over(self, found: Sum, right: bool) -> bool:
        if self.word.kind in ENDS:
            return True
        if not (right and found.terms and self.word.first):
            return False
        if self.word.kind == "sign" and found.linear:
            todo = "write what stands on the right in one line, or name the row that begins here"
            raise self.unexpected("a row that ends with its line, or one with a name", todo)
        return True

    def _term(self, found: Sum, sign: float, objective: bool, right: bool) -> None:
        word = self.word
        if word.kind == "name":
            found.add(self.column(), sign)
        elif word.kind == "[" and objective:
            self._bracket(found, sign)
        elif word.kind != "number":
            raise self.unexpected("a number or a name")
        else:
            self.take()
            starred = self.skip("*")
            if not starred and (self.word.kind != "name" or (right and self.word.first)):
                found.constants.append(sign * float(word.text))
                return
            if right and not starred:
                self._check_right()
            found.add(*self._multiple(word, sign))

    def _check_right(self) -> None:
        """Refuse what is rather a comment or a slip than a column: 10 #hours, 10h, 1D5."""
        if not re.match(r"[^\W\d]", self.word.text):
            todo = "begin comments with a backslash, and write the row's columns on the left"
            raise self.unexpected("a name that begins with a letter behind a number on the right", todo)
        if self.word.tight and self.word.text not in self.columns:
            todo = "write a space between the number and the name if it is a new column"
            raise self.unexpected("a number alone, or a column that was named before", todo)

    def _multiple(self, factor: Word, sign: float) -> tuple[str, float]:
        """The column behind a number, and its coefficient."""
        if factor.text == "0" and self.word.tight and re.match("x[0-9a-f]", self.word.text, re.IGNORECASE):
            self.note("HiGHS reads 0 and a name with x, without a space, as one number", self.word.text)
        column, value = self.column(), float(factor.text)
        if value >= INFINITE:
            raise self.broken(f"a coefficient of {column} of {factor.text}", f"one below {INFINITE:g} in size")
        return column, sign * value

    def _bracket(self, found: Sum, sign: float) -> None:
        """Read `[ x^2 + 2 x*y ] / 2`."""
        self.take()
        begun = False
        while not self.skip("]"):
            signed, factor = self.word.kind == "sign", sign * self.sign()
            if begun and not signed:
                raise self.unexpected("a sign or ]")
            begun = True
            if self.word.kind == "number":
                word = self.take()
                self.skip("*")
                first, factor = self._multiple(word, factor)
            else:
                first = self.column()
            if self.skip("*"):
                found.multiply(first, self.column(), factor)
            else:
                self._expect("^", "^2, or * and a name", "write linear terms outside of [ ]")
                self._expect(2.0, "the exponent 2")
                found.multiply(first, first, factor)
        todo = "close the bracket with ] / 2: the terms in it are halved, double their coefficients"
        self._expect("/", "/ 2 behind ]", todo)
        self._expect(2.0, "/ 2 behind ]", todo)

    def take(self) -> Word:
        """Give the next word and go on behind it."""
        self.last, self.word = self.word, next(self.given, self.word)
        return self.last

    def skip(self, kind: str) -> bool:
        """Go on behind the next word if it is of the kind."""
        return self.word.kind == kind and bool(self.take())

    def _expect(self, what: str | float, expected: str, todo: str = "") -> None:
        word = self.word
        found = word.kind == what if isinstance(what, str) else word.kind == "number" and float(word.text) == what
        if not found:
            raise self.unexpected(expected, todo)
        self.take()

    def sign(self) -> float:
        """Multiply signs up to a term, 1 if there is none."""
        sign = 1.0
        while self.word.kind == "sign":
            sign = -sign if self.take().text == "-" else sign
        return sign

    def column(self, known: bool = False) -> str:
        """Take the name of a column; bounds and integers are of columns that are known."""
        word = self.word
        if word.kind != "name":
            raise self.unexpected("a name of a column")
        self.take()
        if word.text not in self.columns:
            if known:
                raise self.broken(f"the name {word.text}", "a column of the objective or of a row", "check the name")
            if f"({word.text})" in self.columns or (word.text[0] == "(" and word.text[1:-1] in self.columns):
                todo = "write it without brackets; the format has none but [ ]"
                raise self.broken(f"the name {word.text} with and without brackets", "one of the two", todo)
            if word.text[:3].lower() in ("inf", "nan"):
                self.note("HiGHS reads names that begin with inf or nan as numbers", word.text)
            self.columns[word.text] = len(self.columns)
        return word.text

    def note(self, text: str, what: str) -> None:
        """Note something about a name or a line."""
        self.notes.setdefault(text, {})[what] = None

    def broken(self, got: str, expected: str, todo: str = "correct the file") -> DataError:
        """The error for what was just taken."""
        return broken(f"{self.path}:{self.last.line}", got, expected, todo)

    def unexpected(self, expected: str, todo: str = "", word: Word | None = None) -> DataError:
        """The error for a word, if none is given the next one."""
        word = word or self.word
        got = word.kind if not word.text else word.text if word.kind in KEYWORDS else repr(word.text)
        todo = todo if todo == NO_LP else TODOS.get(word.kind) or todo or "correct the file"
        return broken(f"{self.path}:{word.line}", got, expected, todo)

    def told(self) -> tuple[str, ...]:
        """The notes, each with the first three of the names or lines that it is about."""
        found = []
        for text, about in self.notes.items():
            more = f" and {len(about) - 3} more" if len(about) > 3 else ""
            found.append(f"{text}: {', '.join([*about][:3])}{more}")
        return tuple(found)
