"""Where the search for a solution of a nonlinear program starts."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from argflux.errors import DtypeError, ShapeError, warn
from argflux.jaxpr import Tracer
from argflux.programs.statements.layout import Layout, join
from argflux.tree import is_array

RELAXED = 1e-6


class Start(NamedTuple):
    """Where the search starts: x `(n,)`, and `y, z, z_lower, z_upper` of an earlier solution, or `None`."""

    x: Any
    duals: tuple | None = None


def start_within(lower: jax.Array, upper: jax.Array) -> jax.Array:
    """The start where none is given: zero, moved into the bounds by 1, or to their middle where they are closer.

    Example:
        >>> import jax.numpy as jnp
        >>> low, high = jnp.array([-jnp.inf, 0.0, 0.0, 5.0, -9.0]), jnp.array([jnp.inf, jnp.inf, 1.0, 9.0, -3.0])
        >>> start_within(low, high).tolist()
        [0.0, 1.0, 0.5, 6.0, -4.0]
    """
    room = jnp.minimum((upper - lower) / 2, 1.0)
    room = jnp.where(room >= 0, room, 0.0)
    inside = jnp.minimum(jnp.maximum(0.0, lower + room), upper - room)
    return jnp.where(jnp.isfinite(inside), inside, 0.0).astype(lower.dtype)


def start_vector(variable: Layout, start: Any) -> jax.Array:
    """A point to start from, a tree like the variable, as one vector.

    Raises:
        ShapeError: for another tree or another shape.
        DtypeError: for what are no numbers.
    """
    where, todo = "Program.solve", "pass a point like the variable, or an earlier solution of the program"
    leaves, treedef = jax.tree.flatten(start)
    if treedef != variable.treedef:
        raise ShapeError(
            f"start=… of the tree {treedef}", f"a tree {variable.treedef}, like the variable", todo, where=where
        )
    for leaf, wanted, name in zip(leaves, variable.leaves, variable.names, strict=True):
        if not is_array(leaf) and not isinstance(leaf, int | float):
            raise DtypeError(f"start=… that holds a {type(leaf).__name__}", "real numbers", todo, where=where)
        if jnp.shape(leaf) != wanted.shape:
            at = f"{name and ' at '}{name}"
            got, expected = f"a start of shape {list(jnp.shape(leaf))}{at}", f"shape {list(wanted.shape)}"
            raise ShapeError(got, f"{expected}, like the variable", todo, where=where)
    return join([jnp.asarray(leaf).astype(variable.dtype) for leaf in leaves], variable.dtype)


def say_outside(variable: Layout, start: Any, lower: Any, upper: Any) -> None:
    """Warn outside `jit` of a start outside of the bounds, which is moved inside; not of unknowns that are fixed.

    What solvers that relax bounds end at is no more outside than `RELAXED`.
    """
    if any(isinstance(a, Tracer) for a in (start, lower, upper)):
        return
    allowed = RELAXED * np.maximum(1.0, abs(np.asarray(start)))
    beyond = np.flatnonzero(np.asarray(((start < lower - allowed) | (start > upper + allowed)) & (lower < upper)))
    if beyond.size:
        leaf = int(np.searchsorted(np.cumsum(variable.sizes), beyond[0], side="right"))
        at = variable.names[leaf] and f" at {variable.names[leaf]}"
        number, low, high = (float(a[beyond[0]]) for a in (start, lower, upper))
        got = f"a start of {number:g}{at} for an unknown between {low:g} and {high:g}"
        warn(f"Program.solve: got {got}; it is moved inside: start within the bounds")
