"""Values, Jacobians and the Hessian of the Lagrangian of a batch: forward over our reverse mode."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from argflux.autodiff import withgradient
from argflux.programs.forms.nonlinear import NonlinearForm
from argflux.programs.solvers.barrier.point import Local, Scale


def evaluator(form: NonlinearForm, operands: tuple, batch: int) -> Callable:
    """Return `(x, weight, y, z) -> Local`, all with the batch last; `weight` is the objective's in the Lagrangian."""
    shared = [len(a) == 1 and batch > 1 for a in operands]
    moved = [a[0] if alone else jnp.moveaxis(a, 0, -1) for a, alone in zip(operands, shared, strict=True)]
    axes = [None if alone else -1 for alone in shared]

    def one(x: Any, weight: Any, y: Any, z: Any, *given: Any) -> Local:
        def lagrangian(x: Any) -> tuple:
            f = form.objective(x, *given)
            c = form.equality(x, *given) if form.equality is not None else jnp.zeros(0)
            g = form.inequality(x, *given) if form.inequality is not None else jnp.zeros(0)
            return weight * f + jnp.sum(y * c) + jnp.sum(z * g), (f, c, g)

        def values(x: Any) -> tuple:
            (_, parts), (slope,) = withgradient(lagrangian, x, has_aux=True)
            return (*parts, slope)

        push = lambda dx: jax.jvp(values, (x,), (dx,))
        (f, c, g, _), (df, Jc, Jg, W) = jax.vmap(push, out_axes=(None, -1))(jnp.eye(form.n))
        return Local(f, c, g, df, Jc, Jg, W)

    run = jax.vmap(one, in_axes=(-1, -1, -1, -1, *axes), out_axes=-1)
    return lambda x, weight, y, z: run(x, weight, y, z, *moved)


def scaled(local: Local, scale: Scale) -> Local:
    """Values in the solver's units; the Hessian was evaluated with weights in these units."""
    return Local(
        local.f * scale.f,
        local.c * scale.c,
        local.g * scale.g,
        local.df * scale.f,
        local.Jc * scale.c[:, None],
        local.Jg * scale.g[:, None],
        local.W,
    )


def is_finite(local: Local) -> Any:
    """Whether values and slopes are numbers, per instance."""
    parts = (local.f[None], local.c, local.g, local.df, flat(local.Jc), flat(local.Jg))
    return jnp.all(jnp.stack([jnp.isfinite(jnp.sum(a, 0)) for a in parts]), 0)


def flat(a: Any) -> Any:
    """All axes but the batch as one."""
    return a.reshape(-1, a.shape[-1])
