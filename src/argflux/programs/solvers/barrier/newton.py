"""The linear systems of the steps: assembled, regularised until their inertia is right, and solved."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from argflux.programs.solvers.barrier.factor import SMALL, Factor, factorise, solve
from argflux.programs.solvers.barrier.residual import transposed

FIRST, LEAST, MOST = 1e-4, 1e-20, 1e20
SHRINK, GROW, LEAP = 1 / 3, 8.0, 100.0
WEIGHT, HEAVY = 1e3, 1e7
LOOSE = 1e-8
REFINEMENTS = 2


class System(NamedTuple):
    """`H dx + Jc'dy + Jg'dz = r1`, `Jc dx - Dc dy = r2`, `Jg dx - Dg dz = r3`.

    Inequalities are eliminated with `weight`, which is 1 / Dg but where Dg is 0, and equalities are added to the
    leading block with weights `rho`, which changes the system but not its solution.
    """

    H: Any
    Jc: Any
    Jg: Any
    Dc: Any
    Dg: Any
    weight: Any
    rho: Any


def gram(J: Any, weight: Any) -> Any:
    """`J' diag(weight) J`."""
    if J.shape[1] <= SMALL:
        return jnp.sum(J[:, :, None] * (weight[:, None, None] * J[:, None, :]), 0)
    return jnp.einsum("kib,kjb->ijb", J, weight[:, None] * J)


def times(A: Any, v: Any) -> Any:
    """`A v`."""
    return jnp.sum(A * v, 1)


def masked(local: Any, diagonal: Any, free: Any, Dc: Any, Dg: Any, weight: Any) -> System:
    """The system at a point, in which unknowns that are not free stay."""
    n = len(free)
    both = free[:, None] & free[None]
    H = jnp.where(both, local.W, 0.0) + jnp.eye(n)[:, :, None] * jnp.where(free, diagonal, 1.0)
    Jc, Jg = jnp.where(free, local.Jc, 0.0), jnp.where(free, local.Jg, 0.0)
    size = jnp.maximum(jnp.max(jnp.abs(jnp.where(both, local.W, 0.0)), (0, 1)), 1e-2)
    rho = size / jnp.maximum(jnp.sum(Jc**2, 1), 1e-8)
    return System(H, Jc, Jg, Dc, Dg, weight, rho)


def row_weight(local: Any) -> Any:
    """A weight of each inequality that outweighs the curvature."""
    size = jnp.maximum(jnp.max(jnp.abs(local.W), (0, 1)), 1e-2)
    return size / jnp.maximum(jnp.sum(local.Jg**2, 1), 1e-8)


class Try(NamedTuple):
    """What regularisation has come to."""

    factor: Factor
    delta: Any
    loose: Any
    heavy: Any
    good: Any
    count: Any


def regularised(system: System, last: Any, floor: Any, needed: Any) -> tuple[System, Factor, Any, Any]:
    """Add to the diagonal until the reduced Hessian is positive definite; also what was added, and whether it is."""
    n, p = len(system.H), len(system.Dc)
    size = n + p
    batch = last.shape[0]
    blank = Factor(jnp.zeros((size, size, batch)), jnp.ones((size, batch)))
    no = jnp.zeros(batch, bool)
    start = Try(blank, floor, no, no, ~needed, jnp.zeros(batch, jnp.int32))

    def again(t: Try) -> Try:
        changed = with_shift(system, t.delta, t.loose, t.heavy)
        factor, up, down = factorise(_matrix(changed), n)
        good = t.good | (up & down)
        failed = ~good
        loose = t.loose | (failed & up)
        heavy = t.heavy | (failed & ~up) if p else t.heavy | failed
        jump = jnp.where(last > 0, jnp.maximum(LEAST, SHRINK * last), FIRST)
        more = jnp.where(t.delta > floor, t.delta * jnp.where(last > 0, GROW, LEAP), jnp.maximum(jump, 2 * floor))
        grow = failed & ~up & (t.heavy | (p == 0))
        delta = jnp.where(grow, more, t.delta)
        kept = t.good
        factor = Factor(*[jnp.where(kept, a, b) for a, b in zip(t.factor, factor, strict=True)])
        return Try(factor, delta, loose, heavy, good, t.count + failed.astype(jnp.int32))

    t = jax.lax.while_loop(lambda t: jnp.any(~t.good & (t.delta < MOST) & (t.count < 40)), again, start)
    return with_shift(system, t.delta, t.loose, t.heavy), t.factor, t.delta, t.good


def with_shift(system: System, delta: Any, loose: Any, heavy: Any) -> System:
    """The system with a multiple of the identity added, and with weights and looseness of equalities."""
    rho = system.rho * jnp.where(heavy, HEAVY, WEIGHT)
    Dc = system.Dc + jnp.where(loose, LOOSE / rho, 0.0)
    rho = jnp.minimum(rho, jnp.where(Dc > 0, 0.999 / jnp.where(Dc > 0, Dc, 1.0), jnp.inf))
    return system._replace(H=system.H + jnp.eye(len(system.H))[:, :, None] * delta, Dc=Dc, rho=rho)


def _matrix(system: System) -> Any:
    H, Jc, Jg, Dc, _, weight, rho = system
    p = len(Dc)
    if len(weight):
        H = H + gram(Jg, weight)
    if not p:
        return H
    H = H + gram(Jc, rho)
    low = -jnp.eye(p)[:, :, None] * (Dc / (1 - rho * Dc))
    return jnp.concatenate([jnp.concatenate([H, jnp.moveaxis(Jc, 0, 1)], 1), jnp.concatenate([Jc, low], 1)], 0)


def solved(system: System, factor: Factor, r1: Any, r2: Any, r3: Any) -> tuple[Any, Any, Any]:
    """Solve, and make the solution accurate."""
    H, Jc, Jg, Dc, Dg, weight, _ = system

    def closer(_: int, found: tuple) -> tuple:
        dx, dy, dz = found
        e1 = r1 - times(H, dx) - transposed(Jc, dy) - transposed(Jg, dz)
        e2 = r2 - times(Jc, dx) + Dc * dy
        e3 = jnp.where(weight > 0, r3 - times(Jg, dx) + Dg * dz, 0.0)
        more = _once(system, factor, e1, e2, e3)
        return dx + more[0], dy + more[1], dz + more[2]

    nothing = tuple(jnp.zeros_like(r) for r in (r1, r2, r3))
    return jax.lax.fori_loop(0, 1 + REFINEMENTS, closer, nothing)


def _once(system: System, factor: Factor, r1: Any, r2: Any, r3: Any) -> tuple[Any, Any, Any]:
    _, Jc, Jg, Dc, _, weight, rho = system
    n = len(r1)
    right = jnp.concatenate([r1 + transposed(Jg, weight * r3) + transposed(Jc, rho * r2), r2], 0)
    v = solve(factor, right)
    dx = v[:n]
    return dx, v[n:] / (1 - rho * Dc), weight * (times(Jg, dx) - r3)
