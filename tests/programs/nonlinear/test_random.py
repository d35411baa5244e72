"""Five hundred random programs, none of them convex: what each is must be said, and every derivative must be finite."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux.programs import Program, Regularity, Status

N, COUNT = 3, 100
SQUARE = lambda x: jnp.sum(x * x)


class Family(NamedTuple):
    """Programs of one shape; parameters of an instance from a generator, and the status that each must have."""

    draw: Callable
    status: Status
    objective: Callable
    equality: Callable | None
    inequality: Callable
    bounds: dict = {}  # noqa: RUF012
    flag: Regularity | None = None
    start: tuple | None = None

    @property
    def program(self) -> Program:
        return Program(self.objective, N, equality=self.equality, inequality=self.inequality, **self.bounds)


def wave(x, p):
    """A quadratic that curves both ways, and waves."""
    return x @ p["Q"] @ x / 2 + p["q"] @ x + p["a"] @ jnp.cos(2 * x)


def drawn(r) -> dict:
    """Coefficients, and a point at which constraints are made to hold."""
    inside = r.normal(size=N)
    return {
        "Q": (lambda M: M + M.T)(r.normal(size=(N, N))),
        "q": r.normal(size=N),
        "a": r.normal(size=N),
        "c": r.normal(size=N),
        "inside": inside,
        "radius": 1.5 * np.sqrt(inside @ inside),
    }


def plane(x, p):
    """A curved surface through the point inside."""
    value = lambda x: p["c"] @ x + 0.2 * SQUARE(x)
    return value(x) - value(p["inside"])


def ball(x, p):
    return SQUARE(x) - p["radius"] ** 2


def direction(r) -> dict:
    """Coefficients of an objective that falls for ever along a ray that every constraint leaves open."""
    p, ray = drawn(r), np.abs(r.normal(size=N)) + 0.1
    return p | {"q": -ray, "c": r.normal(size=N) - 2.0}


FAMILIES = {
    "curved": Family(drawn, Status.SOLVED, wave, plane, ball, {"lower": -4.0, "upper": 4.0}),
    "infeasible": Family(
        drawn,
        Status.LOCALLY_INFEASIBLE,
        wave,
        lambda x, p: SQUARE(x - p["inside"]) + jnp.abs(p["c"][0]) + 0.1,
        ball,
    ),
    "unbounded": Family(
        direction,
        Status.DUAL_INFEASIBLE,
        lambda x, p: p["q"] @ x - jnp.abs(p["a"]) @ jnp.log1p(x * x),
        None,
        lambda x, p: p["c"] @ x - jnp.exp(-x[0]) - 1.0,
        {"lower": -1.0},
    ),
    "dependent": Family(
        drawn,
        Status.SOLVED,
        wave,
        lambda x, p: jnp.stack([plane(x, p), 3 * plane(x, p)]),
        lambda x, p: jnp.stack([ball(x, p), 2 * ball(x, p)]),
        flag=Regularity.LICQ,
    ),
    "domain": Family(
        drawn,
        Status.SOLVED,
        lambda x, p: wave(x, p) - jnp.sum(jnp.log(x) + jnp.log(4.0 - x)),
        None,
        lambda x, p: SQUARE(x) - 9.0 - jnp.sum(jnp.sqrt(x)),
        start=(0.5, 1.0, 0.1),
    ),
}


def everything(program: Program, p: dict, start) -> tuple:
    """A solution, and derivatives of numbers made of all its fields."""

    def loss(p):
        found = program.solve(p, start=None if start is None else jnp.array(start))
        fields = found.x, found.y, found.z, found.z_lower, found.z_upper, found.objective
        return sum(jnp.sum(a) for a in jax.tree.leaves(fields)), found

    (_, found), slopes = jax.value_and_grad(loss, has_aux=True)(p)
    return found, slopes


def gaps(family: Family, found, p: dict) -> list:
    """Violations of the first-order conditions, by JAX's derivatives, an instance a row."""
    signs = lambda p, x, y, z: (
        family.objective(x, p)
        + sum(jnp.vdot(dual, rows(x, p)) for dual, rows in ((y, family.equality), (z, family.inequality)) if rows)
    )
    slope = jax.vmap(jax.grad(signs, 1))(p, found.x, found.y, found.z) - found.z_lower + found.z_upper
    size = 1 + np.abs(found.z).reshape(COUNT, -1).max(1) + np.abs(found.x).max(1)
    parts = [np.abs(slope).max(1) / size]
    if family.equality:
        parts.append(np.abs(jax.vmap(family.equality)(found.x, p)).reshape(COUNT, -1).max(1))
    rows = np.asarray(jax.vmap(family.inequality)(found.x, p)).reshape(COUNT, -1)
    z = np.asarray(found.z).reshape(COUNT, -1)
    return [*parts, rows.max(1), -z.min(1), np.abs(z * rows).max(1) / size]


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_random_programs(name, x64):
    family, r = FAMILIES[name], np.random.default_rng(sum(map(ord, name)))
    batch = jax.tree.map(lambda *a: jnp.asarray(np.stack(a)), *[family.draw(r) for _ in range(COUNT)])
    found, slopes = jax.jit(jax.vmap(lambda p: everything(family.program, p, family.start)))(batch)
    assert {Status(int(s)).name for s in found.status} == {family.status.name}
    assert all(np.all(np.isfinite(a)) for a in jax.tree.leaves((found.x, slopes)))
    if family.status == Status.SOLVED:
        for gap in gaps(family, found, batch):
            assert np.max(gap) <= 1e-7
    if family.flag is not None:
        assert np.all(np.asarray(found.regularity) & family.flag)
