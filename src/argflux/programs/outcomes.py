"""What is said outside of `jit` of nonlinear programs that were not solved."""

from typing import Any

import jax
import jax.numpy as jnp

from argflux.autodiff import gradient
from argflux.errors import ArgumentError, DataError, warn
from argflux.jaxpr import Tracer
from argflux.programs.answers.status import Status
from argflux.programs.forms.doubled import Doubled
from argflux.programs.forms.nonlinear import NonlinearForm, each
from argflux.programs.statements.nonlinear import NonlinearBlocks
from argflux.programs.statements.starts import Start

FUNCTIONS = ("objective", "equality", "inequality")


def check_outcome(form: NonlinearForm, blocks: NonlinearBlocks, start: Start, status: Any, kink: str) -> None:
    """Outside `jit`, refuse bounds and functions that are no numbers at the start, and say where a kink may be why.

    Raises:
        ArgumentError: for a lower bound above the upper one.
        DataError: naming the function, or the bound, that is not finite.
    """
    if isinstance(status, Tracer) or int(status) == Status.SOLVED:
        return
    if int(status) == Status.BAD_DATA:
        lower, upper = blocks.lower, blocks.upper
        if bool(jnp.any(lower > upper)):
            got = "a lower bound above the upper one"
            raise ArgumentError(got, "lower <= upper", "swap or widen the bounds", where="Program")
        for name, bound in (("lower", lower), ("upper", upper)):
            if bool(jnp.any(jnp.isnan(bound))):
                raise DataError(f"{name} with NaN", "numbers", "clean the parameters first", where="Program")
        todo = "pass a `start=` where the functions and their derivatives are finite, or bounds that keep off"
        operands = [jnp.expand_dims(x, 0) for x in (jnp.clip(start.x, lower, upper), *blocks.operands)]
        for name, finite in zip(FUNCTIONS, values_function(form)(*operands), strict=True):
            if not bool(finite[0]):
                raise DataError(f"an {name} that is not finite at the start", "numbers", todo, where="Program")
        raise DataError("derivatives that are not finite at the start", "numbers", todo, where="Program")
    if kink:
        text = f"a program that ended as {Status(int(status)).name}, and functions that have no derivative everywhere"
        todo = "a kink at the solution cannot be met; write |e| <= t and max(a, b) <= t as inequalities"
        warn(f"Program: got {text}: {kink}; {todo}")


def values_function(form: NonlinearForm) -> Doubled:
    """Whether the values and first derivatives of the objective, equalities and inequalities are finite: 1 or 0."""

    def one(x: jax.Array, *operands: Any) -> tuple:
        there = [(f, size) for f, size in ((form.equality, form.p), (form.inequality, form.m))]
        value, slope = form.objective(x, *operands), gradient(lambda x: form.objective(x, *operands), x)[0]
        told = [jnp.isfinite(value) & jnp.all(jnp.isfinite(slope))]
        for f, size in there:
            if f is None or not size:
                told.append(jnp.bool_(True))
                continue
            moved = jax.vmap(lambda e, f=f: jax.jvp(lambda x: f(x, *operands), (x,), (e,))[1])(jnp.eye(form.n))
            told.append(jnp.all(jnp.isfinite(f(x, *operands))) & jnp.all(jnp.isfinite(moved)))
        return tuple(flag.astype(jnp.float64) for flag in told)

    if "values" not in form.made:
        form.made["values"] = Doubled(lambda *arrays: each(one, *arrays), ((), (), ()))
    return form.made["values"]
