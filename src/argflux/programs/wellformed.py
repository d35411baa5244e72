"""What the functions of a program must be, and the errors for those that are not."""

from typing import Any

import jax
import jax.numpy as jnp

from argflux.errors import ArgumentError, DtypeError, ShapeError
from argflux.programs.degree import Kind
from argflux.tree import named_leaves

_HINTS = {
    "abs": "write |e| ≤ t as two inequalities e ≤ t and -e ≤ t with a new variable t",
    "max": "bound each argument by a new variable t and minimise t",
    "stop_gradient": "take the variable out of `stop_gradient`",
}


class NonlinearError(ArgumentError):
    """A program that is neither linear nor quadratic in its variable."""


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
    """Refuse what a quadratic program cannot hold, naming the operation and the user's line."""
    most, allowed = (2, "a linear or quadratic objective") if what == "objective" else (1, "affine constraints")
    if kind.degree <= most:
        return
    words = "nonlinear" if kind.nonlinear else "quadratic"
    hint = next((text for name, text in _HINTS.items() if kind.cause.startswith(f"`{name}`")), None)
    raise NonlinearError(
        f"a function that is {words} in the variable, by {kind.cause}",
        f"{allowed}; parameters may enter in any way",
        hint or "keep the variable out of that operation, or state it with more variables and constraints",
        where=f"Program {what}",
    )
