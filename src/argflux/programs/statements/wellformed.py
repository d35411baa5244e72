"""What the functions of a program must be, and the errors for those that are not."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.errors import ArgfluxError, ArgumentError, DataError, DtypeError, MissingDependencyError, ShapeError, warn
from argflux.jaxpr import Tracer
from argflux.programs.forms import dependence
from argflux.programs.statements.blocks import has_wrong_numbers
from argflux.programs.statements.degree import Kind
from argflux.tree import named_leaves

_BLOCKS = {
    "P": "the second derivatives of the objective",
    "q": "the objective's slope at x = 0",
    "A": "the slopes of the equalities",
    "b": "minus the equalities at x = 0",
    "G": "the slopes of the inequalities",
    "h": "minus the inequalities at x = 0",
}


class NonlinearError(ArgumentError):
    """A program over cones whose functions are neither affine nor, in the objective, quadratic in its variable."""


def check_function(function: Any, what: str) -> None:
    """Refuse an objective or a constraint that is no function."""
    if callable(function) or (function is None and what != "objective"):
        return
    raise DtypeError(
        f"a {type(function).__name__}",
        "a function of the variable and the parameters",
        "write `lambda x, …: …`",
        where=f"Program {what}",
    )


def check_outputs(out: Any, what: str) -> None:
    """Refuse an objective that is no number, and constraints that are comparisons."""
    for name, leaf in named_leaves(out):
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            raise DtypeError(
                f"{leaf.dtype} values",
                "floating values",
                "return the difference of the two sides, which is to be = 0 or ≤ 0, in place of a comparison",
                where=f"Program {what}{name and ' '}{name}",
            )
    if what == "objective" and getattr(out, "shape", None) != ():
        got = f"values of shape {list(out.shape)}" if hasattr(out, "shape") else f"a tree {jax.tree.structure(out)}"
        raise ShapeError(got, "one number of shape []", "reduce it with a sum or mean", where="Program objective")


def check_degree(kind: Kind, what: str) -> None:
    """Refuse what a program over cones cannot hold, naming the operation and the user's line."""
    most, allowed = (2, "a linear or quadratic objective") if what == "objective" else (1, "affine constraints")
    if kind.degree <= most:
        return
    words = "nonlinear" if kind.nonlinear else "quadratic"
    raise NonlinearError(
        f"a function that is {words} in the variable, by {kind.cause}, beside members of cones",
        f"{allowed} in programs over cones; parameters may enter in any way",
        "write the members of cones as inequalities `… ≤ 0` too, for a nonlinear program, or keep the variable out of "
        "that operation",
        where=f"Program {what}",
    )


def refuse_dense(size: int, entries: int, lasting: bool) -> None:
    """Refuse matrices that would be dense and too large, of functions whose sparsity is not known.

    Args:
        size: number of unknowns.
        entries: number of entries of the matrices.
        lasting: whether the functions captured nothing that is being traced.
    """
    got = f"{size} unknowns, whose matrices would have {entries / 1e6:.0f} million entries"
    if not lasting:
        raise ArgumentError(
            f"{got}, of functions that capture values being traced",
            "functions of the variable and the parameters alone",
            "pass those values as parameters, so that the matrices can be kept sparse",
            where="Program",
        )
    if not dependence.available():
        raise MissingDependencyError(
            f"{got}, and no package that finds which of them are zero",
            "the package asdex, in a version that imports with this JAX",
            "pip install 'argflux[sparse]'; asdex 0.5.2 and older do not import with JAX 0.12",
            where="Program",
        )
    warn(f"Program: got {got}, in whose functions no zeros could be found; all are computed")


def check_parts(parts: tuple) -> None:
    """Refuse independent parts whose values are known, and no numbers or contradictory bounds."""
    for blocks in parts:
        if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(blocks)):
            return
        for name, block in blocks._asdict().items():
            if block is not None and has_wrong_numbers(name, np.asarray(block)):
                got, todo = f"{name} with entries that are no numbers", "clean the parameters first"
                note = f" ({name}: {_BLOCKS[name]})" if name in _BLOCKS else ""
                raise DataError(got, "finite numbers", todo + note, where="Program")
        if blocks.lower is not None and blocks.upper is not None and (blocks.lower > blocks.upper).any():
            got = "a lower bound above the upper one"
            raise ArgumentError(got, "lower <= upper", "swap or widen the bounds", where="Program")


@contextlib.contextmanager
def called(name: str) -> Iterator[None]:
    """Say in errors what the user called, in place of what that called in turn."""
    try:
        yield
    except ArgfluxError as error:
        raise type(error)(error.got, error.expected, error.todo, where=name) from None


@contextlib.contextmanager
def stated_as_functions() -> Iterator[None]:
    """Say of errors about matrices, which the user never wrote, what they are in terms of the functions."""
    try:
        yield
    except ArgfluxError as error:
        block = re.match(r"[A-Za-z]+", error.got)
        meaning = _BLOCKS.get(block[0]) if block else None
        todo = "clean the parameters first" if isinstance(error, DataError) else error.todo
        note = f" ({block[0]}: {meaning})" if block and meaning else ""
        raise type(error)(error.got, error.expected, todo + note, where="Program") from None
