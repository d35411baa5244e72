"""The linear systems of the steps: assembled, regularised until their inertia is right, and solved."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from argflux.programs.forms.condensed import Condensed
from argflux.programs.forms.hostband import is_hosted, refined
from argflux.programs.forms.hostcall import host_call
from argflux.programs.forms.nonlinear import NonlinearForm
from argflux.programs.forms.structure import Structure
from argflux.programs.forms.thin import Thin, across, entries, like, plus_diagonal, times, transposed
from argflux.programs.solvers.barrier.factor import SINGULAR, SMALL, Factor, factorise, solve

FIRST, LEAST, MOST = 1e-4, 1e-20, 1e20
SHRINK, GROW, LEAP = 1 / 3, 8.0, 100.0
WEIGHT, HEAVY = 1e3, 1e7
LOOSE = 1e-8
REFINEMENTS, ENOUGH = 2, 1e-8


class System(NamedTuple):
    """`H dx + Jc'dy + Jg'dz = r1`, `Jc dx - Dc dy = r2`, `Jg dx - Dg dz = r3`.

    Inequalities are eliminated with `weight`, which is 1 / Dg but where Dg is 0, and equalities are added to the
    leading block with weights `rho`, which changes the system but not its solution. Sparse ones have a `band`: all rows
    are eliminated, equalities with `rho` where Dc is 0, and what that changes is made good by refinement.
    """

    H: Any
    Jc: Any
    Jg: Any
    Dc: Any
    Dg: Any
    weight: Any
    rho: Any
    band: Condensed | None = None


def blank(form: NonlinearForm, found: Structure | None, batch: int) -> tuple[System, Factor]:
    """A system of the right shapes and its factor."""
    n, p, m = form.n, form.p, form.m
    zeros = lambda *shape: jnp.zeros((*shape, batch))
    rows = zeros(p), zeros(m), zeros(m), zeros(p)
    if found is None:
        factor = Factor(zeros(n + p, n + p), zeros(n + p) + 1)
        return System(zeros(n, n), zeros(p, n), zeros(m, n), *rows), factor
    Jc, Jg, H = (Thin(zeros(*places.columns.shape), places) for places in found.places)
    return System(H, Jc, Jg, *rows, found.band), Factor(zeros(n, found.band.bandwidth), zeros(n) + 1)


def gram(J: Any, weight: Any) -> Any:
    """`J' diag(weight) J`."""
    if J.shape[1] <= SMALL:
        return jnp.sum(J[:, :, None] * (weight[:, None, None] * J[:, None, :]), 0)
    return jnp.einsum("kib,kjb->ijb", J, weight[:, None] * J)


def masked(local: Any, diagonal: Any, free: Any, Dc: Any, Dg: Any, weight: Any) -> System:
    """The system at a point, in which unknowns that are not free stay."""
    W = like(local.W, jnp.where(free[:, None] & across(local.W, free), entries(local.W), 0.0))
    H = plus_diagonal(W, jnp.where(free, diagonal, 1.0))
    Jc, Jg = (like(J, jnp.where(across(J, free), entries(J), 0.0)) for J in (local.Jc, local.Jg))
    size = jnp.maximum(jnp.max(jnp.abs(entries(W)), (0, 1)), 1e-2)
    rho = size / jnp.maximum(jnp.sum(entries(Jc) ** 2, 1), 1e-8)
    return System(H, Jc, Jg, Dc, Dg, weight, rho, local.band)


def row_weight(local: Any) -> Any:
    """A weight of each inequality that outweighs the curvature."""
    size = jnp.maximum(jnp.max(jnp.abs(entries(local.W)), (0, 1)), 1e-2)
    return size / jnp.maximum(jnp.sum(entries(local.Jg) ** 2, 1), 1e-8)


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
    p, no = len(system.Dc), jnp.zeros(last.shape, bool)
    heavy = no if system.band is None else ~no
    blank = jax.tree.map(lambda a: jnp.zeros(a.shape), jax.eval_shape(_factorised, system)[0])
    start = Try(blank, floor, no, heavy, ~needed, no.astype(jnp.int32))

    def again(t: Try) -> Try:
        changed = with_shift(system, t.delta, t.loose, t.heavy)
        factor, up, down = _factorised(changed)
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
    return system._replace(H=plus_diagonal(system.H, delta), Dc=Dc, rho=rho)


def _factorised(system: System) -> tuple[Factor, Any, Any]:
    """The factor, whether the reduced Hessian is positive definite, and whether the rows are independent."""
    if system.band is None:
        return factorise(_matrix(system), len(system.H))
    J = jnp.concatenate([system.Jc.compact(), system.Jg.compact()])
    weight = jnp.concatenate([_row_weight(system), system.weight])
    factor, good = system.band.factorise(system.H.compact(), J, weight, SINGULAR)
    return Factor(*factor), good, jnp.ones_like(good)


def _row_weight(system: System) -> Any:
    """The weights with which equalities are eliminated."""
    Dc = system.Dc
    return jnp.where(Dc > 0, 1 / jnp.where(Dc > 0, Dc, 1.0), system.rho)


def _matrix(system: System) -> Any:
    H, Jc, Jg, Dc, _, weight, rho, _ = system
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
    H, Jc, Jg, Dc, Dg, weight, *_ = system
    if system.band is not None and is_hosted(*r1.shape):
        return _solved_by_host(system, factor, r1, jnp.concatenate([r2, r3]))

    def closer(_: int, found: tuple) -> tuple:
        dx, dy, dz = found
        e1 = r1 - times(H, dx) - transposed(Jc, dy) - transposed(Jg, dz)
        e2 = r2 - times(Jc, dx) + Dc * dy
        e3 = jnp.where(weight > 0, r3 - times(Jg, dx) + Dg * dz, 0.0)
        more = _once(system, factor, e1, e2, e3)
        return dx + more[0], dy + more[1], dz + more[2]

    nothing = tuple(jnp.zeros_like(r) for r in (r1, r2, r3))
    return jax.lax.fori_loop(0, 1 + REFINEMENTS, closer, nothing)


def _solved_by_host(system: System, factor: Factor, r1: Any, rows: Any) -> tuple[Any, Any, Any]:
    """The same in one call of the host."""
    C = jnp.concatenate([system.Jc.compact(), system.Jg.compact()])
    D, weight = (jnp.concatenate(pair) for pair in ((system.Dc, system.Dg), (_row_weight(system), system.weight)))
    given = system.H.compact(), C, D, weight, *factor, r1, rows
    shapes = [(r1.shape, "float64"), (rows.shape, "float64")]
    dx, dy = host_call(refined, shapes, *given, condensed=system.band, rounds=1 + REFINEMENTS, done=ENOUGH)
    return dx, dy[: len(system.Dc)], dy[len(system.Dc) :]


def _once(system: System, factor: Factor, r1: Any, r2: Any, r3: Any) -> tuple[Any, Any, Any]:
    _, Jc, Jg, Dc, _, weight, rho, band = system
    if band is not None:
        rho = _row_weight(system)
        dx = band.solve(tuple(factor), r1 + transposed(Jg, weight * r3) + transposed(Jc, rho * r2))
        return dx, rho * (times(Jc, dx) - r2), weight * (times(Jg, dx) - r3)
    n = len(r1)
    right = jnp.concatenate([r1 + transposed(Jg, weight * r3) + transposed(Jc, rho * r2), r2], 0)
    v = solve(factor, right)
    dx = v[:n]
    return dx, v[n:] / (1 - rho * Dc), weight * (times(Jg, dx) - r3)
