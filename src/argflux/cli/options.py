"""Reading what was typed: names, lists of widths, numbers in a range. Every error names the option and the cure."""

from collections.abc import Sequence
from difflib import get_close_matches
from itertools import pairwise
from math import isfinite

from argflux.errors import ArgumentError

MOST_WEIGHTS = 1_000_000_000


def parse_widths(text: str) -> tuple[int, ...]:
    """Read the widths of hidden layers from text such as "16,16", or "none".

    Raises:
        ArgumentError: for anything else.

    Example:
        >>> from argflux.cli.options import parse_widths
        >>> parse_widths("750, 320,50"), parse_widths("none")
        ((750, 320, 50), ())
    """
    if text.strip().lower() == "none":
        return ()
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        todo = 'pass --hidden "16,16", or --hidden none for no hidden layer'
        raise ArgumentError(repr(text), "whole numbers with commas between", todo, where="--hidden")
    return tuple(int(part) for part in parts)


def parse_whole(text: str, where: str) -> int:
    """Read a whole number; ArgumentError for anything else."""
    try:
        return int(text)
    except ValueError:
        todo = "pass digits, or leave it out for the default"
        raise ArgumentError(repr(text), "a whole number", todo, where=where) from None


def parse_number(text: str, where: str) -> float:
    """Read a number; ArgumentError for anything else."""
    try:
        return float(text)
    except ValueError:
        todo = "pass one like 0.01, or leave it out for the default"
        raise ArgumentError(repr(text), "a number", todo, where=where) from None


def choose(given: str, known: Sequence[str], where: str) -> str:
    """Return the known name that is given, in whatever case.

    Raises:
        ArgumentError: for no such name, with the known ones and the nearest.

    Example:
        >>> from argflux.cli.options import choose
        >>> choose("ADAM", ["Descent", "Adam"], "--rule")
        'Adam'
    """
    names = {name.lower(): name for name in known}
    if given.lower() in names:
        return names[given.lower()]
    near = get_close_matches(given.lower(), names, n=1, cutoff=0.4)
    todo = f"did you mean {names[near[0]]}?" if near else "choose one of these"
    raise ArgumentError(repr(given), f"one of {', '.join(known)}", todo, where=where)


def check_weights(widths: Sequence[int]) -> None:
    """Raise ArgumentError for hidden layers with more weights between them than a machine holds."""
    weights = sum(i * o for i, o in pairwise(widths))
    if weights > MOST_WEIGHTS:
        got, todo = f"{weights:_} weights between hidden layers", "pass smaller widths"
        raise ArgumentError(got, f"at most {MOST_WEIGHTS:_}", todo, where="--hidden")


def check_range(where: str, value: int, low: int, high: float, todo: str) -> None:
    """Raise ArgumentError for a number outside its range."""
    if not low <= value <= high:
        expected = f"a whole number from {low}" + (f" to {high}" if isfinite(high) else "")
        raise ArgumentError(f"{value}", expected, todo, where=where)
