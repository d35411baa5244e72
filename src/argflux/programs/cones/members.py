"""Constraints that expressions lie in cones, as what a program's `inequality` may return."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from argflux.errors import ArgumentError, DtypeError, ShapeError
from argflux.keywords import explained
from argflux.kinds import shortened
from argflux.programs.cones.cone import Cone
from argflux.programs.cones.exponential import Exponential
from argflux.programs.cones.orthant import NonNegative
from argflux.programs.cones.power import Power
from argflux.programs.cones.secondorder import SecondOrder
from argflux.programs.cones.semidefinite import Semidefinite
from argflux.programs.cones.triangles import matrix_of, vector_of


class Member(eqx.Module):
    """Expressions that are to lie in a cone, one or an array of them.

    Attributes:
        rows: minus the expressions, `(…, rows of the cone)`, as a program's inequalities have it; or their duals.
        cone: which one.
        parts: how the expressions are told apart, for their duals.
    """

    rows: jax.Array
    cone: Cone = eqx.field(static=True)
    parts: Callable = eqx.field(static=True)

    @property
    def cones(self) -> tuple[Cone, ...]:
        """The cone, as many times as there are expressions."""
        return (self.cone,) * int(np.prod(self.rows.shape[:-1]))


@explained
def second_order(t: Any, v: Any) -> Member:
    """State `|v| <= t` in the inequalities of a program, t and v affine in its variable.

    Args:
        t: a number, or an array of them.
        v: `(…, n)`, with the axes of t before the last one.

    Raises:
        ShapeError: for shapes that do not fit.
        DtypeError: for what is no array of real numbers.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.programs import Program, cones
        >>> ball = Program(lambda x, c: jnp.vdot(c, x), (2,), inequality=lambda x, c: cones.second_order(1.0, x))
        >>> print(ball(jnp.array([3.0, 4.0])).round(3))
        [-0.6 -0.8]
    """
    t, v = _read("t", t), _read("v", v)
    if not v.ndim or not _fits(t.shape, v.shape[:-1]):
        got, todo = f"t of shape {list(t.shape)} and v of shape {list(v.shape)}", "give v one more axis than t"
        raise ShapeError(got, "shapes [...] and [..., n]", todo, where="second_order")
    t = jnp.broadcast_to(t, v.shape[:-1]).astype(v.dtype)
    rows = jnp.concatenate([t[..., None], v.astype(jnp.result_type(t, v))], -1)
    return Member(-rows, SecondOrder(v.shape[-1] + 1), _head_and_rest)


@explained
def semidefinite(M: Any) -> Member:
    """State that the symmetric part of M is positive semidefinite, M affine in a program's variable.

    Args:
        M: `(…, n, n)`.

    Raises:
        ShapeError: for what is no square matrix.
        DtypeError: for what is no array of real numbers.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.programs import Program, cones
        >>> def above(t, C):  # t I - C is positive semidefinite
        ...     return cones.semidefinite(t * jnp.eye(2) - C)
        >>> largest = Program(lambda t, C: t, (), inequality=above)  # the largest eigenvalue
        >>> float(largest(jnp.array([[2.0, 1.0], [1.0, 2.0]])).round(4))
        3.0
    """
    M = _read("M", M)
    if M.ndim < 2 or M.shape[-1] != M.shape[-2]:
        raise ShapeError(f"M of shape {list(M.shape)}", "[..., n, n]", "pass a square matrix", where="semidefinite")
    symmetric = (M + jnp.swapaxes(M, -1, -2)) / 2
    return Member(-vector_of(symmetric), Semidefinite(M.shape[-1]), _Matrix(M.shape[-1]))


@explained
def exponential(x: Any, y: Any, z: Any) -> Member:
    """State `y exp(x / y) <= z` with `y > 0`, or a limit of such points, all affine in a program's variable.

    Args:
        x: a number or an array.
        y: likewise; they broadcast.
        z: likewise.

    Raises:
        ShapeError: for shapes that do not broadcast.
        DtypeError: for what is no array of real numbers.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.programs import Program, cones
        >>> log = Program(lambda t, a: -t, (), inequality=lambda t, a: cones.exponential(t, 1.0, a))
        >>> f"{float(log(2.0)):.4f}"
        '0.6931'
    """
    return Member(-_stacked("exponential", x=x, y=y, z=z), Exponential(), _three)


@explained
def power(x: Any, y: Any, z: Any, a: float) -> Member:
    """State `x^a y^(1 - a) >= |z|` with `x, y >= 0`, all affine in a program's variable.

    Args:
        x: a number or an array.
        y: likewise; they broadcast.
        z: likewise.
        a: between 0 and 1, a Python number.

    Raises:
        ShapeError: for shapes that do not broadcast.
        DtypeError: for what is no array of real numbers.
        ArgumentError: for another exponent, or one that is being traced.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.programs import Program, cones
        >>> root = Program(lambda t, c: -t, (), inequality=lambda t, c: cones.power(c, 1.0, t, 0.25))
        >>> float(root(16.0).round(4))
        2.0
    """
    if isinstance(a, bool) or not isinstance(a, int | float | np.number) or not 0 < a < 1:
        todo = "pass a Python number; parameters go into x, y and z"
        raise ArgumentError(f"a={shortened(a)}", "a number between 0 and 1, both excluded", todo, where="power")
    return Member(-_stacked("power", x=x, y=y, z=z), Power(float(a)), _three)


def _read(name: str, value: Any) -> jax.Array:
    try:
        if isinstance(value, str | bytes):
            raise TypeError("text")
        array = jnp.asarray(value)
        if not jnp.issubdtype(array.dtype, jnp.complexfloating) and array.dtype != bool:
            return array.astype(jnp.result_type(float)) if jnp.issubdtype(array.dtype, jnp.integer) else array
    except (TypeError, ValueError):
        pass
    got = f"{name}={shortened(value)}"
    raise DtypeError(got, "an array of real numbers", f"pass {name} as an expression of the variable", where="cones")


def _fits(shape: tuple, other: tuple) -> bool:
    try:
        return np.broadcast_shapes(shape, other) == other
    except ValueError:
        return False


def _stacked(where: str, **parts: Any) -> jax.Array:
    arrays = [_read(name, value) for name, value in parts.items()]
    try:
        shape = np.broadcast_shapes(*(a.shape for a in arrays))
    except ValueError:
        got = ", ".join(f"{name} of shape {list(a.shape)}" for name, a in zip(parts, arrays, strict=True))
        raise ShapeError(got, "shapes that broadcast", "give them the same shape, or numbers", where=where) from None
    dtype = jnp.result_type(*arrays)
    return jnp.stack([jnp.broadcast_to(a.astype(dtype), shape) for a in arrays], -1)


def _head_and_rest(rows: jax.Array) -> tuple:
    return rows[..., 0], rows[..., 1:]


def _three(rows: jax.Array) -> tuple:
    return rows[..., 0], rows[..., 1], rows[..., 2]


class _Matrix(eqx.Module):
    k: int = eqx.field(static=True)

    def __call__(self, rows: jax.Array) -> jax.Array:
        return matrix_of(rows, self.k)


def cones_of(tree: Any) -> tuple[Cone, ...]:
    """The cones of the values of inequalities, a tree of arrays and members; none if there are no members."""
    nodes = jax.tree.leaves(tree, is_leaf=lambda node: isinstance(node, Member))
    if not any(isinstance(node, Member) for node in nodes):
        return ()
    each = [node.cones if isinstance(node, Member) else (NonNegative(int(node.size)),) for node in nodes]
    return tuple(cone for cones in each for cone in cones if cone.rows)


def told_apart(tree: Any) -> Any:
    """A tree of duals with the parts of each member's expressions in the place of its rows."""
    apart = lambda node: node.parts(node.rows) if isinstance(node, Member) else node
    return jax.tree.map(apart, tree, is_leaf=lambda node: isinstance(node, Member))


def put_together(tree: Any, like: Any) -> Any:
    """What `told_apart` took apart, as arrays of rows; `like` is a tree that has the members."""
    return jax.tree.map(_rows, like, tree, is_leaf=lambda node: isinstance(node, Member))


def _rows(member: Any, duals: Any) -> Any:
    if not isinstance(member, Member):
        return duals
    if isinstance(member.cone, Semidefinite):
        return vector_of(duals)
    return jnp.concatenate([part if part.ndim == member.rows.ndim else part[..., None] for part in duals], -1)
