"""Functions that are opaque to the engine, with reverse rules of the user's own."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import linear_call

from argflux.autodiff.opaque import Flat, Opaque
from argflux.autodiff.registry import runs
from argflux.autodiff.source import user_line
from argflux.autodiff.tape import zeros_for
from argflux.errors import MissingRuleError, RuleError
from argflux.jaxpr import Primitive, ad, aval_like, batching, mlir, vary_together
from argflux.keywords import explained

opaque_p = Primitive("opaque")
opaque_p.multiple_results = True
opaque_p.def_impl(lambda *xs, function: function.value(*xs))
opaque_p.def_abstract_eval(lambda *avals, function: [aval_like(avals, *o) for o in function.outputs(avals)])
mlir.register_lowering(
    opaque_p, mlir.lower_fun(lambda *xs, function: function.staged_value(*xs), multiple_results=True)
)


def _batch(values, axes, *, function):
    moved = [x if d is None else jnp.moveaxis(x, d, 0) for x, d in zip(values, axes, strict=True)]
    ys = opaque_p.bind(*moved, function=function.batched(tuple(d is not None for d in axes)))
    return ys, [0] * len(ys)


def _jvp(primals, tangents, *, function):
    """Forward mode from the reverse rule: rows of the Jacobian, one pullback per output element."""
    ys = opaque_p.bind(*primals, function=function)
    if any(
        not isinstance(t, ad.Zero) and _is_float(x)
        for x, t in list(zip(primals, tangents, strict=True))[function.count :]
    ):
        refuse_keyword(function, "under `jax.grad` or `jax.jvp`")
    linear = [i for i, t in enumerate(tangents) if not isinstance(t, ad.Zero) and _is_float(primals[i])]

    def transpose(residuals, dys):
        dxs = function.staged_pull(residuals, [dy if _is_float(dy) else None for dy in dys])
        return [jnp.zeros_like(residuals[i]) if dxs[i] is None else dxs[i] for i in linear]

    def forward(residuals, moving):
        return [_push(transpose, residuals, moving, ys, i) for i in range(len(ys))]

    dots = linear_call(forward, transpose, list(primals), [tangents[i] for i in linear])
    return ys, dots


def _push(transpose, residuals, moving, ys, position):
    y = ys[position]
    if not y.size:
        return jnp.zeros_like(y)
    basis = jnp.eye(y.size, dtype=y.dtype).reshape(-1, *y.shape)

    def row(dy):
        dys = [dy if i == position else jnp.zeros_like(other) for i, other in enumerate(ys)]
        dxs = transpose(residuals, dys)
        return jnp.stack([jnp.vdot(dx, t) for dx, t in zip(dxs, moving, strict=True)]).sum()

    return jax.vmap(row)(basis).reshape(y.shape)


batching.primitive_batchers[opaque_p] = _batch
ad.primitive_jvps[opaque_p] = _jvp


@runs("opaque")
def opaque(tape, eqn, nodes):
    """Call the user's rule; keep its pullback as it is where values are known, by a host call where they are not."""
    function = eqn.params["function"]
    if any(node.slot is not None for node in nodes[function.count :]):
        refuse_keyword(function, f"called at {user_line(eqn)}")
    operands = [node.value for node in nodes]
    if function.rule is None:
        return tape.record(eqn, None, nodes, opaque_p.bind(*operands, function=function), _no_rule(eqn, function))
    ys, pull = function.with_pullback(*operands)

    def opaque_back(dys):
        return pull(zeros_for(dys, eqn.outvars))

    return tape.record(eqn, None, nodes, ys, opaque_back)


def refuse_keyword(function: Flat, line: str) -> None:
    """Raise for a derivative with respect to a keyword."""
    raise MissingRuleError(
        f"a derivative with respect to a keyword of the primitive function `{function.name}` {line}",
        "derivatives with respect to positional arguments",
        "pass the array by position, or stop the derivative before it with `af.ignore_derivatives`",
        where="gradient",
    )


def _no_rule(eqn, function):
    def back(dys):
        raise MissingRuleError(
            f"the primitive function `{function.name}` called at {user_line(eqn)}",
            "a rule for its derivative",
            f"write one with `@{function.name}.rrule`",
            where="gradient",
        )

    return back


class PrimitiveFunction:
    """A function that the engine does not look into; made by `af.primitive`."""

    def __init__(self, function: Callable, like: Callable | None = None):
        functools.update_wrapper(self, function)
        self._opaque = Opaque(function, like)

    def rrule(self, rule: Callable) -> Callable:
        """Register `rule(*args, **keywords) -> (value, pullback)` as this function's derivative and return it.

        `pullback(dy)` returns `(None, *dargs)`: the derivative with respect to the function itself first, then
        one cotangent per argument with its shape and dtype, `None` where there is none.
        """
        self._opaque.rule = rule
        self._opaque.forget()
        return rule

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """Evaluate the function; keywords are options, without derivative."""
        flat, arrays = Flat.of(self._opaque, args, keywords)
        ys = opaque_p.bind(*vary_together(arrays), function=flat)
        return flat.out_tree(arrays).unflatten(ys)

    def __repr__(self) -> str:
        return self._opaque.name


@explained
def primitive(function: Callable | None = None, *, like: Callable | None = None) -> Any:
    """Make a function opaque to differentiation, to be given a rule of its own with `.rrule`.

    The function may run anything: NumPy, SciPy, a solver, a subprocess. It and its rule work eagerly and under
    `jit` and `vmap` (an element at a time). Code that JAX can trace is compiled in place; everything else is
    called back on the host with NumPy arrays, and must not call JAX there. The rule serves `jax.grad` and
    `jax.jvp` too; forward mode pulls back one row of the Jacobian per output element.

    Args:
        function: of positional arguments, trees of arrays; returns a tree of arrays. Keyword arguments are options:
            arrays, or hashable values handed on as they are. They reach the rule too, and have no derivative.
        like: optional; from arguments given as `jax.ShapeDtypeStruct` to the structs of the result. Without it a
            host function is run once on zeros to learn what it returns.

    Returns:
        The function with `.rrule`, a decorator for `rule(*args) -> (value, pullback)` where `pullback(dy)`
        returns `(None, *dargs)`.

    Raises:
        MissingRuleError: when differentiated before it has a rule, or with respect to a keyword.
        RuleError: when the pullback returns the wrong number, shape or dtype of cotangents.

    Source:
        The custom ReLU layer of DiffOpt.jl's documentation (ChainRulesCore's `rrule`).

    Example:
        >>> import argflux as af, numpy as np, jax.numpy as jnp
        >>> @af.primitive
        ... def cube(x):
        ...     return np.asarray(x) ** 3
        >>> @cube.rrule
        ... def _(x):
        ...     def cube_pullback(dy):
        ...         return None, 3 * np.asarray(x) ** 2 * dy
        ...     return cube(x), cube_pullback
        >>> af.gradient(lambda x: jnp.sum(cube(x)), jnp.array([1.0, 2.0]))[0].tolist()
        [3.0, 12.0]
    """
    if function is None:
        return lambda function: PrimitiveFunction(function, like)
    if not callable(function):
        raise RuleError(f"a {type(function).__name__}", "a function", "decorate a function", where="primitive")
    return PrimitiveFunction(function, like)


def _is_float(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jnp.floating)
