"""The words of an LP file: numbers, names, signs and the keywords of its sections, each with its line."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from argflux.programs.files.contents import broken

_SECTIONS = {  # a keyword counts at the beginning of a line only
    "unread": r"sos[12]?|pwl(?:obj)?|lazy\s+constraints|user\s+cuts|general\s+constraints?|semi-integers?|sin",
    "objective": r"(?:min|max)(?:imi[sz]e|imum)?",
    "rows": r"subject\s+to|such\s+that|s\.t\.|st\.?",
    "bounds": r"bounds?",
    "integers": r"generals?|gen|integers?|int",
    "binaries": r"binary|binaries|bin",
    "semis": r"semi-continuous|semis?",
    "end": r"end",
}
KEYWORDS = (*_SECTIONS, "the end of the file")
_KEYWORD = re.compile(
    r"\s*(?:" + "|".join(f"(?P<{kind}>{text})" for kind, text in _SECTIONS.items()) + r")(?=\s|$)", re.IGNORECASE
)
_KEYWORD_ALONE = re.compile("|".join(_SECTIONS.values()), re.IGNORECASE)
_NAME = r"""(?![\d.])[\w!"#$%&(),.;?@`'{}~]+"""
_WORD = re.compile(
    rf"(?P<space>\s+)|(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    rf"|(?P<label>{_NAME})\s*:|(?P<name>{_NAME})"
    r"|(?P<arrow><->|->)|(?P<relation>[<>][ \t]*=|=[<>]|[<>=])|(?P<sign>[+-])|(?P<symbol>[*/^\[\]])|(?P<other>.)",
    re.DOTALL,
)


class Word(NamedTuple):
    """A word of the file.

    Attributes:
        kind: `number`, `name`, `label` (a name with a colon), `relation`, `sign`, `arrow`, `*`, `/`, `^`, `[`, `]`,
            one of `KEYWORDS`, or `rest` for what stands behind `end`.
        text: as the file has it.
        line: its number, from 1.
        first: whether it is the first of its line, or the first behind a keyword.
        tight: whether it follows the word before without a space.
    """

    kind: str
    text: str
    line: int
    first: bool = True
    tight: bool = False


def words(text: str, path: str) -> Iterator[Word]:
    """Split a file up to its line `end`; the last word is of kind `the end of the file`."""
    lines = [line.split("\\", 1)[0] for line in re.split(r"\r\n|\r|\n", text)]
    for line, content in enumerate(lines, 1):
        keyword = _KEYWORD.match(content)
        if keyword:
            yield Word(keyword.lastgroup or "", keyword[0].strip(), line)
        if keyword and keyword.lastgroup == "end":
            yield from _rest([content[keyword.end() :], *lines[line:]], line)
            return
        yield from _words_of_line(content, keyword.end() if keyword else 0, line, path)
    yield Word("the end of the file", "", len(lines))


def _rest(lines: list[str], line: int) -> Iterator[Word]:
    for k, content in enumerate(lines):
        if content.strip():
            yield Word("rest", content.strip(), line + k)
            break
    yield Word("the end of the file", "", line)


def _words_of_line(content: str, start: int, line: int, path: str) -> Iterator[Word]:
    first, tight = True, False
    for found in _WORD.finditer(content, start):
        kind, text = found.lastgroup or "", found[found.lastgroup or 0]
        if kind == "space":
            tight = False
            continue
        if kind == "other":
            todo = "correct the file, or choose another name"
            raise broken(f"{path}:{line}", f"the character {text!r}", "names, numbers, signs and relations", todo)
        if kind in ("name", "label"):
            _check_name(text, f"{path}:{line}")
        if kind == "name" and text.lower() in ("inf", "infinity"):
            kind, text = "number", "inf"
        if kind == "name" and _KEYWORD_ALONE.fullmatch(text):
            todo = "begin a line with it, or choose another name"
            raise broken(f"{path}:{line}", f"the keyword {text} within a line", "a name that is none", todo)
        yield Word(text if kind == "symbol" else kind, text, line, first, tight)
        first, tight = False, True


def _check_name(text: str, where: str) -> None:
    """Refuse names that are rather slips: `(x` in 3 (x + y), `,5` in 2,5 and `x;`; and x², which is no letter."""
    if text.count("(") != text.count(")"):
        raise broken(where, f"a name {text}", "as many ( as )", "multiply brackets out; the format has none but [ ]")
    if text[0] in ",;" or text[-1] in ",;":
        todo = "leave , and ; out, and write decimals with a point"
        raise broken(where, f"a name {text}", "one that does not begin or end with , or ;", todo)
    if not text.isascii() and not all(letter.isascii() or letter.isalpha() for letter in text):
        raise broken(where, f"a name {text}", "letters, the digits 0 to 9 and signs", "choose another name")
