"""Interior-point method on the homogeneous embedding: any convex program, with proofs of infeasibility."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.linalg import lu_factor, lu_solve

from argflux.programs.pseudo import equilibrate
from argflux.programs.status import Status

REGULARISATION = 1e-10
RUNNING = -1


class Standard(NamedTuple):
    """One program as `min x'Px/2 + q'x`, `A x + s = b`, `s = 0` on the first `p` rows and `s >= 0` on the others."""

    P: jax.Array
    q: jax.Array
    A: jax.Array
    b: jax.Array


class Point(NamedTuple):
    """A point of the embedding: `x / tau` is the primal, `z / tau` the dual."""

    x: jax.Array
    s: jax.Array
    z: jax.Array
    tau: jax.Array
    kappa: jax.Array


class Interior(NamedTuple):
    """Result: primal, duals of the standard rows, status code, iterations."""

    x: jax.Array
    z: jax.Array
    status: jax.Array
    iterations: jax.Array


def solve_interior(program: Standard, p: int, max_iterations: int, tolerance: float) -> Interior:
    """Solve one program by Mehrotra's predictor-corrector steps on the homogeneous embedding.

    Source:
        Goulart and Chen, "Clarabel: an interior-point solver for conic programs with quadratic objectives" (2024).
    """
    n = program.q.shape[0]
    K = jnp.block([[program.P, program.A.T], [program.A, jnp.zeros((program.A.shape[0],) * 2)]])
    scale = equilibrate(K)
    D, E = scale[:n], scale[n:]
    P, A = D[:, None] * program.P * D, E[:, None] * program.A * D
    q, b = D * program.q, E * program.b
    cost = 1.0 / jnp.maximum(1e-6, jnp.maximum(jnp.max(jnp.abs(q), initial=0.0), jnp.max(jnp.abs(P))))
    scaled = Standard(P * cost, q * cost, A, b)
    cone = jnp.arange(b.shape[0]) >= p
    one = jnp.ones(())
    start = Point(jnp.zeros(n), jnp.where(cone, 1.0, 0.0), jnp.where(cone, 1.0, 0.0), one, one)

    def body(carry):
        point, _, count = carry
        fresh = _step(scaled, cone, point)
        finite = jnp.all(jnp.isfinite(fresh.x)) & jnp.all(jnp.isfinite(fresh.z)) & (fresh.tau > 0)
        fresh = jax.tree.map(lambda a, b: jnp.where(finite, a, b), fresh, point)
        status = jnp.where(finite, _status(scaled, cone, fresh, tolerance), int(Status.NUMERICAL_ERROR))
        return fresh, status.astype(jnp.int32), count + 1

    point, status, count = lax.while_loop(
        lambda c: (c[1] == RUNNING) & (c[2] < max_iterations),
        body,
        (start, jnp.full((), RUNNING, jnp.int32), jnp.zeros((), jnp.int32)),
    )
    status = jnp.where(status == RUNNING, int(Status.ITERATION_LIMIT), status)
    return Interior(D * point.x / point.tau, E * point.z / (point.tau * cost), status, count)


def _status(program: Standard, cone, point: Point, tolerance: float):
    P, q, A, b = program
    x, z, s = point.x / point.tau, point.z / point.tau, point.s / point.tau
    Px = P @ x
    primal = _largest(A @ x + s - b) / (1.0 + _largest(b))
    dual = _largest(Px + A.T @ z + q) / (1.0 + jnp.maximum(_largest(q), _largest(Px)))
    cost = jnp.vdot(q, x) + jnp.vdot(x, Px) / 2
    gap = jnp.abs(jnp.vdot(x, Px) + jnp.vdot(q, x) + jnp.vdot(b, z)) / (1.0 + jnp.abs(cost))
    solved = (primal < tolerance) & (dual < tolerance) & (gap < tolerance)
    reach, fall = -jnp.vdot(b, point.z), -jnp.vdot(q, point.x)
    no_primal = (reach > 0) & (_largest(A.T @ point.z) < 1e-8 * reach)
    flat = jnp.maximum(_largest(P @ point.x), _largest(A @ point.x + point.s))
    no_dual = (fall > 0) & (flat < 1e-8 * fall)
    certain = point.tau < 1e-2 * jnp.maximum(point.kappa, 1e-12)
    status = jnp.where(no_dual & certain, int(Status.DUAL_INFEASIBLE), RUNNING)
    status = jnp.where(no_primal & certain, int(Status.PRIMAL_INFEASIBLE), status)
    return jnp.where(solved, int(Status.SOLVED), status)


def _largest(v: jax.Array) -> jax.Array:
    return jnp.max(jnp.abs(v), initial=0.0)


def _step(program: Standard, cone, point: Point) -> Point:
    P, q, A, b = program
    x, s, z, tau, kappa = point
    degree = jnp.sum(cone) + 1
    mu = (jnp.vdot(s, z) + tau * kappa) / degree
    solve = _factor(P, A, cone, s, z)
    x2, z2 = solve(-q, b)
    dx = -(P @ x + A.T @ z + q * tau)
    dz = A @ x + s - b * tau
    dt = kappa + jnp.vdot(q, x) + jnp.vdot(b, z) + jnp.vdot(x, P @ x) / tau
    xi = x / tau
    slope = 2 * (P @ xi) + q
    bent = (x2 - xi) @ P @ (x2 - xi) - x2 @ P @ x2 - jnp.vdot(q, x2) - jnp.vdot(b, z2) + kappa / tau

    def direction(shrink, ds, dk):
        x1, z1 = solve(shrink * dx, jnp.where(cone, ds / jnp.where(cone, z, 1.0), 0.0) - shrink * dz)
        step = (shrink * dt - dk / tau + jnp.vdot(slope, x1) + jnp.vdot(b, z1)) / bent
        along, around = x1 + step * x2, z1 + step * z2
        side = jnp.where(cone, -(ds + s * around) / jnp.where(cone, z, 1.0), 0.0)
        return Point(along, side, around, step, -(dk + kappa * step) / tau)

    affine = direction(1.0, s * z, kappa * tau)
    length = _length(point, affine, cone)
    sigma = (1.0 - length) ** 3
    ds = s * z + affine.s * affine.z - sigma * mu
    final = direction(1.0 - sigma, jnp.where(cone, ds, 0.0), kappa * tau + affine.kappa * affine.tau - sigma * mu)
    length = jnp.minimum(1.0, 0.99 * _length(point, final, cone))
    moved = jax.tree.map(lambda a, d: a + length * d, point, final)
    size = jnp.maximum(moved.tau, moved.kappa)
    return jax.tree.map(lambda a: a / size, moved)


def _length(point: Point, step: Point, cone) -> jax.Array:
    """Longest step, at most one, that keeps every cone variable non-negative."""
    at = jnp.concatenate(
        [jnp.where(cone, point.s, 1.0), jnp.where(cone, point.z, 1.0), point.tau[None], point.kappa[None]]
    )
    by = jnp.concatenate([jnp.where(cone, step.s, 0.0), jnp.where(cone, step.z, 0.0), step.tau[None], step.kappa[None]])
    return jnp.minimum(1.0, jnp.min(jnp.where(by < 0, -at / jnp.where(by < 0, by, -1.0), jnp.inf)))


def _factor(P, A, cone, s, z):
    """Factor `[P A'; A -S/Z]`, regularised, and return its solve with refinement."""
    n = P.shape[0]
    block = jnp.where(cone, s / jnp.where(cone, z, 1.0), 0.0)
    K = jnp.block([[P, A.T], [A, -jnp.diag(block)]])
    sign = jnp.concatenate([jnp.ones(n), -jnp.ones(A.shape[0])])
    factor = lu_factor(K + REGULARISATION * jnp.diag(sign))

    def solve(top, bottom):
        right = jnp.concatenate([top, bottom])
        v = lu_solve(factor, right)
        v = lax.fori_loop(0, 3, lambda _, v: v + lu_solve(factor, right - K @ v), v)
        return v[:n], v[n:]

    return solve
