"""Values, Jacobians and the Hessian of the Lagrangian of a batch: forward over our reverse mode."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from argflux.autodiff import gradient, withgradient
from argflux.programs.forms.nonlinear import NonlinearForm
from argflux.programs.forms.structure import structure
from argflux.programs.forms.thin import entries, like
from argflux.programs.solvers.barrier.point import Local, Scale


def evaluator(form: NonlinearForm, operands: tuple, batch: int) -> Callable:
    """Return `(x, weight, y, z) -> Local`, all with the batch last; `weight` is the objective's in the Lagrangian."""
    shared = [len(a) == 1 and batch > 1 for a in operands]
    moved = [a[0] if alone else jnp.moveaxis(a, 0, -1) for a, alone in zip(operands, shared, strict=True)]
    axes = [None if alone else -1 for alone in shared]
    found = structure(form, operands)

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
        if found is None:
            (f, c, g, _), (df, Jc, Jg, W) = jax.vmap(push, out_axes=(None, -1))(jnp.eye(form.n))
            return Local(f, c, g, df, Jc, Jg, W)
        (df,) = gradient(lambda x: form.objective(x, *given), x)
        (f, c, g, _), (_, *pushed) = jax.vmap(push, in_axes=-1, out_axes=(None, -1))(jnp.asarray(found.seeds))
        Jc, Jg, W = (found.thin(a, places) for a, places in zip(pushed, found.places, strict=True))
        return Local(f, c, g, df, Jc, Jg, W, found.band)

    run = jax.vmap(one, in_axes=(-1, -1, -1, -1, *axes), out_axes=-1)
    return lambda x, weight, y, z: run(x, weight, y, z, *moved)


def scaled(local: Local, scale: Scale) -> Local:
    """Values in the solver's units; the Hessian was evaluated with weights in these units."""
    by = lambda J, factor: like(J, entries(J) * factor[:, None])
    return local._replace(
        f=local.f * scale.f,
        c=local.c * scale.c,
        g=local.g * scale.g,
        df=local.df * scale.f,
        Jc=by(local.Jc, scale.c),
        Jg=by(local.Jg, scale.g),
    )


def is_finite(local: Local) -> Any:
    """Whether values and slopes are numbers, per instance."""
    parts = (local.f[None], local.c, local.g, local.df, flat(entries(local.Jc)), flat(entries(local.Jg)))
    return jnp.all(jnp.stack([jnp.isfinite(jnp.sum(a, 0)) for a in parts]), 0)


def flat(a: Any) -> Any:
    """All axes but the batch as one."""
    return a.reshape(-1, a.shape[-1])
