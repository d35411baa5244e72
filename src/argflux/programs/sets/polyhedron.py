"""Polyhedra, and the nearest point in one."""

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from argflux.errors import ArgumentError, DataError, ShapeError
from argflux.jaxpr import Tracer
from argflux.keywords import explained
from argflux.kinds import Number
from argflux.programs.answers.solution import ProgramError
from argflux.programs.answers.status import Status
from argflux.programs.boxed import solve_boxed
from argflux.programs.matrices import solve_qp
from argflux.programs.statements.blocks import read_array
from argflux.programs.statements.wellformed import called


@explained
class Polyhedron(eqx.Module):
    """The points with `A x = b`, `G x <= h` and `lower <= x <= upper`; absent blocks are `None`.

    Attributes:
        A: `(p, n)`.
        b: `(p,)`.
        G: `(m, n)`.
        h: `(m,)`.
        lower: `(n,)` or a number.
        upper: `(n,)` or a number.

    Example:
        >>> from argflux.programs import Polyhedron, project
        >>> import jax.numpy as jnp
        >>> band = Polyhedron(G=jnp.array([[1.0, -1.0]]), h=jnp.array([0.0]))
        >>> project(band)(jnp.array([3.0, 1.0])).tolist()
        [2.0, 2.0]
    """

    A: Any = None
    b: Any = None
    G: Any = None
    h: Any = None
    lower: Any = None
    upper: Any = None

    def __check_init__(self):
        if all(block is None for block in (self.A, self.G, self.lower, self.upper)):
            raise ArgumentError("no constraints", "A, G, lower or upper", "give at least one", where="Polyhedron")


def nearest(x: jax.Array, polyhedron: Polyhedron, on_failure: str) -> jax.Array:
    """Project each row; what `project` returns, with its settings bound, so that it can be pickled."""
    x = read_array("x", x, None, "project")
    _check_points(polyhedron, x)
    solve: Callable = functools.partial(_project_row, polyhedron, on_failure)
    for _ in range(x.ndim - 1):
        solve = jax.vmap(solve)
    found, status = solve(x)
    _check_found(status)
    return found


def _project_row(to: Polyhedron, on_failure: str, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    with called("project"):
        if to.A is None and to.G is None:
            s = solve_boxed(jnp.ones_like(x), -x, to.lower, to.upper, on_failure="nan")
        else:
            s = solve_qp(jnp.ones_like(x), -x, to.A, to.b, to.G, to.h, to.lower, to.upper, on_failure=on_failure)
        return s.x, s.status


def _check_found(status: jax.Array) -> None:
    if isinstance(status, Tracer):
        return
    failed = np.argwhere(np.asarray(status) != Status.SOLVED)
    if len(failed):
        reason = Status(int(status[tuple(failed[0])])).reason
        row = f" in row {failed[0].tolist()}" if status.ndim else ""
        todo = 'check that its constraints agree, or pass on_failure="closest"'
        raise ProgramError(f"a polyhedron where {reason}{row}", "one that is not empty", todo, where="project")


def _check_points(polyhedron: Polyhedron, x: jax.Array) -> None:
    if not x.ndim or not x.shape[-1]:
        raise ShapeError(f"shape {list(x.shape)}", "shape [..., n]", "pass a vector or rows", where="project")
    for name, axes in (("A", 2), ("G", 2), ("lower", 1), ("upper", 1)):
        shape: Any = getattr(getattr(polyhedron, name), "shape", ())
        if len(shape) == axes and shape[-1] != x.shape[-1]:
            got, expected = f"points of {x.shape[-1]} coordinates", f"{shape[-1]}, as {name} of the polyhedron says"
            raise ShapeError(got, expected, "project points of its space", where="project")
    if not isinstance(x, Tracer) and not np.isfinite(x).all():
        where = np.argwhere(~np.isfinite(x))[0].tolist()
        raise DataError(f"x{where} = {x[tuple(where)]}", "finite points", "clean them first", where="project")


@explained
def simplex(n: int, total: Number = 1.0) -> Polyhedron:
    """The points of n non-negative coordinates that sum to `total`.

    Example:
        >>> from argflux.programs import simplex
        >>> simplex(3).A.tolist()
        [[1.0, 1.0, 1.0]]
    """
    _check_count(n, "simplex")
    return Polyhedron(A=jnp.ones((1, n)), b=jnp.reshape(jnp.asarray(total), (1,)), lower=0.0)


@explained
def box(lower: Any, upper: Any) -> Polyhedron:
    """The points between two bounds, numbers or `(n,)`.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.programs import box, project
        >>> project(box(-1.0, 1.0))(jnp.array([-3.0, 0.5])).tolist()
        [-1.0, 0.5]
    """
    return Polyhedron(lower=lower, upper=upper)


@explained
def halfspace(normal: Any, offset: Number) -> Polyhedron:
    """The points with `normal' x <= offset`; normal `(n,)`.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.programs import halfspace, project
        >>> project(halfspace(jnp.array([1.0, 1.0]), 1.0))(jnp.array([2.0, 2.0])).tolist()
        [0.5, 0.5]
    """
    normal = read_array("normal", normal, None, "halfspace")
    if normal.ndim != 1:
        raise ShapeError(f"a normal of shape {list(normal.shape)}", "shape [n]", "pass a vector", where="halfspace")
    return Polyhedron(G=normal[None, :], h=jnp.reshape(jnp.asarray(offset), (1,)))


@explained
def affine(A: Any, b: Any) -> Polyhedron:
    """The points with `A x = b`; A `(p, n)`, b `(p,)`.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.programs import affine, project
        >>> project(affine(jnp.array([[1.0, 1.0]]), jnp.array([2.0])))(jnp.array([0.0, 0.0])).tolist()
        [1.0, 1.0]
    """
    return Polyhedron(A=A, b=b)


@explained
def increasing(n: int) -> Polyhedron:
    """The points whose n coordinates never fall; projecting on it is isotonic regression.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.programs import increasing, project
        >>> project(increasing(3))(jnp.array([1.0, 3.0, 2.0])).round(5).tolist()
        [1.0, 2.5, 2.5]
    """
    _check_count(n, "increasing")
    return Polyhedron(G=jnp.eye(n - 1, n) - jnp.eye(n - 1, n, 1), h=jnp.zeros(n - 1))


def _check_count(n: int, where: str) -> None:
    if n < 1:
        raise ArgumentError(f"{n} coordinates", "at least 1", "pass how many there are", where=where)
