"""Choices between arrays: the largest of two or more, however it is written, and comparisons with fixed arrays."""

from dataclasses import dataclass

from argflux.patterns.sites.flat import Step
from argflux.patterns.sites.islands import COMPARISONS, Islands

_LARGER = {("gt", 0), ("ge", 0), ("lt", 1), ("le", 1)}  # the comparison, and which side is taken where it holds


@dataclass(frozen=True, eq=False)
class Choice:
    """A comparison of arrays.

    Attributes:
        sides: the numbers of the values compared.
        output: the number of the value chosen, or None.
        moving: whether all sides depend on the input; else one is fixed, such as a learned threshold.
        place: the number by which sites are ordered.
    """

    sides: tuple[int, ...]
    output: int | None
    moving: bool
    place: int


def find_choices(islands: Islands) -> list[Choice]:
    """Find the comparisons between arrays; a largest of many, found two by two, is one choice.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> from argflux.patterns import find_sites
        >>> m = nn.Chain(nn.Dense(3, 4), lambda x: jnp.maximum(jnp.maximum(x[:, :1], x[:, 1:2]), x[:, 2:3]))
        >>> [(site.name, site.shape) for site in find_sites(m, jnp.ones((5, 3))).found]
        [('max of layers[0]', (5, 1, 3))]
    """
    readers = _readers(islands)
    found: dict[int, Choice] = {}
    for step, left, right in islands.loose:
        result = step.outputs[0]
        moving = {left, right} <= islands.flat.moving
        chooser = _selection(result, readers) if step.name in COMPARISONS else step
        if chooser is None or not moving or not _takes_larger(step, chooser, left, right):
            output = None if chooser is None else chooser.outputs[0]
            found[result] = Choice((left, right), output, moving, result)
            continue
        sides: list[int] = []
        for side in (left, right):
            absorbed = side in found and _stays_inside(side, step, chooser, readers)
            sides += found.pop(side).sides if absorbed else (side,)
        found[chooser.outputs[0]] = Choice(tuple(sides), chooser.outputs[0], True, chooser.outputs[0])
    return list(found.values())


def _readers(islands: Islands) -> dict[int, list[Step | None]]:
    readers: dict[int, list[Step | None]] = {i: [None] for i in islands.flat.outputs}
    for step in islands.flat.steps:
        for i in step.inputs:
            readers.setdefault(i, []).append(step)
    return readers


def _selection(truth: int, readers: dict[int, list[Step | None]]) -> Step | None:
    """Return the step that selects by a truth value, or by that or another."""
    while len(readers.get(truth, [])) == 1:
        (reader,) = readers[truth]
        if reader is None or reader.name != "or":
            chooses = reader is not None and reader.name == "select_n" and reader.inputs[0] == truth
            return reader if chooses else None
        truth = reader.outputs[0]
    return None


def _takes_larger(step: Step, chooser: Step, left: int, right: int) -> bool:
    if step is chooser:
        return step.name == "max"
    otherwise, taken = chooser.inputs[1:]
    if {otherwise, taken} != {left, right}:
        return False
    return (step.name, (left, right).index(taken)) in _LARGER


def _stays_inside(side: int, step: Step, chooser: Step, readers: dict[int, list[Step | None]]) -> bool:
    """Say whether nothing but the next comparison reads a value; whether it is NaN may be asked."""
    return all(
        reader in (step, chooser) or (reader is not None and reader.name == "ne" and set(reader.inputs) == {side})
        for reader in readers[side]
    )
