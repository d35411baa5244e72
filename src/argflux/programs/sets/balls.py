"""Balls of norms, the set of correlation matrices, and the nearest points in them and in cones."""

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from argflux.errors import ArgumentError, ShapeError
from argflux.jaxpr import Tracer
from argflux.keywords import explained
from argflux.kinds import Number, fits, shortened
from argflux.programs.answers.solution import ProgramError
from argflux.programs.cones import Cone, NonNegative, SecondOrder, Semidefinite, Zero, semidefinite
from argflux.programs.conicmatrices import solve_cone
from argflux.programs.program import Program
from argflux.programs.sets.polyhedron import nearest, simplex
from argflux.programs.sets.spectral import clipped, positive_part, shrunk
from argflux.programs.statements.blocks import read_array

NORMS = (1, 2, float("inf"), "nuclear", "spectral")
MATRICES = ("nuclear", "spectral")


@explained
class NormBall(eqx.Module):
    """The points whose norm is at most a radius; `project` finds the nearest.

    Attributes:
        norm: 1, 2, inf, or of matrices "nuclear" (the sum of singular values) or "spectral" (the largest).
        radius: not negative.

    Raises:
        ArgumentError: for another norm, or a radius below zero.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.programs import NormBall, project
        >>> print(project(NormBall(2))(jnp.array([3.0, 4.0])).round(3))
        [0.6 0.8]
        >>> abs(project(NormBall(1, 1.0))(jnp.array([2.0, -0.5]))).tolist()
        [1.0, 0.0]
    """

    norm: Any = eqx.field(static=True)
    radius: Any = 1.0

    def __check_init__(self):
        if not isinstance(self.norm, int | float | str) or self.norm not in NORMS:
            allowed = "1, 2, inf, 'nuclear' or 'spectral'"
            raise ArgumentError(f"norm={shortened(self.norm)}", allowed, "pick one", where="NormBall")
        known = not isinstance(self.radius, Tracer)
        if known and not (fits(self.radius, Number) and self.radius >= 0):
            got, todo = f"radius={shortened(self.radius)}", "pass e.g. 1.0"
            raise ArgumentError(got, "a number that is not negative", todo, where="NormBall")


def nearest_in_ball(x: jax.Array, ball: NormBall) -> jax.Array:
    """Project rows `(…, n)`, or matrices `(…, n, m)`, on a ball."""
    x = read_array("x", x, None, "project")
    if x.ndim < (least := 2 if ball.norm in MATRICES else 1):
        todo = "pass vectors, or matrices for the norms of matrices"
        raise ShapeError(f"shape {list(x.shape)}", f"at least {least} axes", todo, where="project")
    radius = jnp.asarray(ball.radius).astype(x.dtype)
    if ball.norm == 2:
        square = jnp.sum(x * x, -1, keepdims=True)
        outside = square > radius**2
        return jnp.where(outside, x * radius * jax.lax.rsqrt(jnp.where(outside, square, jnp.ones_like(square))), x)
    if ball.norm == float("inf"):
        return jnp.clip(x, -radius, radius)
    if ball.norm == "spectral":
        return clipped(x, radius)
    if ball.norm == 1:
        size = jnp.abs(x)
        near = nearest(size, simplex(x.shape[-1], radius), "nan")
        return jnp.where(jnp.sum(size, -1, keepdims=True) > radius, jnp.sign(x) * near, x)
    return _nearest_nuclear(x, radius)


def _nearest_nuclear(x: jax.Array, radius: jax.Array) -> jax.Array:
    """Singular values shrink by what makes their sum the radius."""
    values = jnp.linalg.svd(x, compute_uv=False)
    near = nearest(values, simplex(values.shape[-1], radius), "nan")
    kept = near > 0
    count = jnp.maximum(jnp.sum(kept, -1), 1).astype(x.dtype)
    by = jnp.sum(jnp.where(kept, values - near, jnp.zeros_like(near)), -1) / count
    return shrunk(x, jnp.where(jnp.sum(values, -1) > radius, by, jnp.zeros_like(by)))


def nearest_in_cone(x: jax.Array, cone: Cone) -> jax.Array:
    """Project rows `(…, rows)` on a cone, symmetric matrices `(…, k, k)` on `Semidefinite(k)`."""
    x = read_array("x", x, None, "project")
    shape = (cone.k, cone.k) if isinstance(cone, Semidefinite) else (cone.rows,)
    if x.shape[-len(shape) :] != shape:
        todo = f"project points of {type(cone).__name__}"
        raise ShapeError(f"shape {list(x.shape)}", f"[..., {', '.join(map(str, shape))}]", todo, where="project")
    if isinstance(cone, Semidefinite):
        return positive_part(x)
    if isinstance(cone, Zero):
        return jnp.zeros_like(x)
    if isinstance(cone, NonNegative):
        return jnp.maximum(x, jnp.zeros_like(x))
    if isinstance(cone, SecondOrder):
        return _nearest_second_order(x)
    minus, none = -jnp.eye(cone.rows, dtype=x.dtype), jnp.zeros(cone.rows, x.dtype)
    run: Callable = lambda row: solve_cone(jnp.ones_like(row), -row, minus, none, [cone], on_failure="nan").x
    for _ in range(x.ndim - 1):
        run = jax.vmap(run)
    return run(x)


def _nearest_second_order(x: jax.Array) -> jax.Array:
    """`(t + |v|) / 2` times `(1, v / |v|)` between the cone and its polar."""
    t, v = x[..., :1], x[..., 1:]
    square = jnp.sum(v * v, -1, keepdims=True)
    some = square > 0
    length = jnp.where(some, jnp.sqrt(jnp.where(some, square, jnp.ones_like(square))), jnp.zeros_like(square))
    half = (t + length) / 2
    unit = v / jnp.where(some, length, jnp.ones_like(length))
    edge = jnp.concatenate([half, half * unit], -1)
    return jnp.where(length <= t, x, jnp.where(length <= -t, jnp.zeros_like(x), edge))


@explained
def nearest_correlation(M: Any, diagonal: Number = 1.0) -> jax.Array:
    """The nearest correlation matrix: symmetric, positive semidefinite, with ones on the diagonal.

    Minimises the sum of squares of the differences; differentiable, and with the duals of a program over cones inside.

    Args:
        M: `(…, n, n)`; its symmetric part counts.
        diagonal: what is to stand on the diagonal.

    Returns:
        Matrices like M; NaN inside `jit` for those that have no answer.

    Raises:
        ShapeError: for what is no square matrix.
        DtypeError: for what is no array of real numbers.
        ProgramError: outside `jit`, for a diagonal below zero.

    Source:
        Higham, "Computing the nearest correlation matrix: a problem from finance" (2002).

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.programs import nearest_correlation
        >>> M = jnp.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
        >>> nearest_correlation(M)[0].round(3).tolist()
        [1.0, 0.7610000371932983, 0.15700000524520874]
    """
    M = read_array("M", M, None, "nearest_correlation")
    if M.ndim < 2 or M.shape[-1] != M.shape[-2]:
        got, todo = f"M of shape {list(M.shape)}", "pass a square matrix"
        raise ShapeError(got, "[..., n, n]", todo, where="nearest_correlation")
    if not isinstance(diagonal, Tracer) and diagonal < 0:
        got, todo = f"diagonal={diagonal}: no such matrix is positive semidefinite", "pass e.g. 1.0"
        raise ProgramError(got, "a number that is not negative", todo, where="nearest_correlation")
    run: Callable = _elliptope(M.shape[-1])
    for _ in range(M.ndim - 2):
        run = jax.vmap(run, (0, None))
    return run((M + jnp.swapaxes(M, -1, -2)) / 2, jnp.asarray(diagonal).astype(M.dtype))


@functools.cache
def _elliptope(n: int) -> Callable:
    """Its unknowns are the entries below the diagonal."""
    rows, columns = (place.astype(np.int32) for place in np.tril_indices(n, -1))  # known, and alike with x64 on and off
    every = np.arange(n, dtype=np.int32)

    def whole(x: jax.Array, diagonal: jax.Array) -> jax.Array:
        lower = jnp.zeros((n, n), x.dtype).at[rows, columns].set(x)
        return lower + lower.T + jnp.zeros((n, n), x.dtype).at[every, every].set(diagonal)

    program = Program(
        lambda x, M, diagonal: jnp.sum((x - M[rows, columns]) ** 2),
        variable=(max(len(rows), 1),),
        inequality=lambda x, M, diagonal: semidefinite(whole(x, diagonal)),
        on_failure="nan",
    )
    return lambda M, diagonal: whole(program(M, diagonal), diagonal) if n > 1 else whole(M[:0, 0], diagonal)
