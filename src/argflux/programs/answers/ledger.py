"""Statuses left in traced programs, where whoever runs them can count what was not solved."""

import functools
from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar

import equinox as eqx
import jax

from argflux.jaxpr import Primitive, Tracer, ad, batching, mlir
from argflux.programs.answers.solution import Solution

C = TypeVar("C", bound=Callable)
_inside: ContextVar[bool] = ContextVar("inside another solve", default=False)

status_p = Primitive("argflux_status")  # changes nothing: training looks for it, in loops and branches too
status_p.def_impl(lambda status: status)
status_p.def_abstract_eval(lambda status: status)
batching.primitive_batchers[status_p] = lambda values, axes: (status_p.bind(*values), axes[0])
ad.primitive_jvps[status_p] = lambda primals, tangents: (status_p.bind(*primals), tangents[0])
mlir.register_lowering(status_p, lambda ctx, status: [status])


def leaves_its_status(solve: C) -> C:
    """Decorate a function that returns a Solution: its status passes through `status_p` where JAX traces it.

    A solve that another one calls leaves none, so that a program of many parts counts as one.
    """

    @functools.wraps(solve)
    def run(*args, **kwargs) -> Solution:
        if _inside.get():
            return solve(*args, **kwargs)
        token = _inside.set(True)
        try:
            solution = solve(*args, **kwargs)
        finally:
            _inside.reset(token)
        if not isinstance(solution.status, Tracer):
            return solution
        return eqx.tree_at(lambda s: s.status, solution, status_p.bind(jax.numpy.asarray(solution.status)))

    return run  # type: ignore[return-value]
