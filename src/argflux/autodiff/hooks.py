"""Functions that only matter to the derivative: look at it, stop it, or compute forward values again for it."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import linear_call

from argflux.autodiff.registry import pulls_back
from argflux.autodiff.trace import Leaves
from argflux.errors import ArgumentError, RuleError
from argflux.jaxpr import Primitive, ad, batching, mlir
from argflux.keywords import explained
from argflux.kinds import shortened, takes
from argflux.tree import is_array, is_differentiable

hook_p = Primitive("hook")
hook_p.multiple_results = True
hook_p.def_impl(lambda *xs, replace: list(xs))
hook_p.def_abstract_eval(lambda *avals, replace: list(avals))
mlir.register_lowering(hook_p, mlir.lower_fun(lambda *xs, replace: list(xs), multiple_results=True))
batching.primitive_batchers[hook_p] = lambda xs, axes, *, replace: (hook_p.bind(*xs, replace=replace), axes)


def _jvp(primals, tangents, *, replace):
    dots = [ad.instantiate_zeros(t) for t in tangents]
    moved = linear_call(lambda _, moving: moving, lambda _, dxs: replace(dxs), (), dots)
    return hook_p.bind(*primals, replace=replace), moved


ad.primitive_jvps[hook_p] = _jvp


@pulls_back("hook", moves=True)
def hook_back(dys, ys, *xs, replace):
    """Hand the cotangents to the user's function."""
    return tuple(replace(dys))


@explained
def hook(x: Any, f: Callable) -> Any:
    """Return `x` unchanged and apply `f` to its cotangent on the way back.

    Args:
        x: a tree of arrays.
        f: called with the cotangent, a tree like `x` (on tracers under `jit`; use `jax.debug.print` there). What
            it returns takes the cotangent's place; returning `None` leaves it as it is.

    Returns:
        `x`, with the same values.

    Raises:
        RuleError: on the way back, if what `f` returns has another structure, shape or dtype.

    Example:
        >>> import argflux as af, jax.numpy as jnp
        >>> af.gradient(lambda x: af.hook(x, lambda dx: 10 * dx) ** 2, 3.0)[0].item()
        60.0
        >>> _ = af.gradient(lambda x: af.hook(x, lambda dx: print("dx =", dx)) ** 2, 3.0)
        dx = 6.0
    """
    if not takes(f, None):
        raise ArgumentError(f"f={shortened(f)}", "a function of the cotangent", "let it take one", where="hook")
    leaves = Leaves.of(x, "hook")
    if not leaves.arrays:
        return x
    outline = leaves.outline()

    def replace(cotangents: list) -> list:
        dx = f(outline.gradients(cotangents))
        return cotangents if dx is None else _fitting(dx, cotangents, outline)

    return leaves.rebuild(hook_p.bind(*leaves.arrays, replace=replace))


def _fitting(dx: Any, cotangents: list, leaves: Leaves) -> list:
    """Hold what a hook returned against the cotangent that it was given."""
    todo = "return a cotangent of the same shapes and dtypes, or None to leave it as it is"
    expected, got = jax.tree.structure(leaves.gradients(cotangents)), jax.tree.structure(dx)
    if got != expected:
        raise RuleError(f"the structure {got}", f"{expected}", todo, where="hook")
    fitted = []
    for new, old in zip(jax.tree.leaves(dx), cotangents, strict=True):
        if not is_array(new) and not isinstance(new, int | float):
            raise RuleError(f"a {type(new).__name__}", f"{old.dtype}{list(old.shape)}", todo, where="hook")
        number = isinstance(new, int | float) and not isinstance(new, bool) and not old.shape
        shape, dtype = jnp.shape(new), old.dtype if number else jnp.result_type(new)
        if shape != old.shape or dtype != old.dtype:
            raise RuleError(f"{dtype}{list(shape)}", f"{old.dtype}{list(old.shape)}", todo, where="hook")
        fitted.append(jnp.asarray(new, old.dtype))
    return fitted


@explained
def ignore_derivatives(x: Any) -> Any:
    """Return `x` as a constant: no derivative passes.

    Args:
        x: a tree; its floating leaves are cut off, others are returned as they are.

    Example:
        >>> import argflux as af
        >>> af.gradient(lambda x: x * af.ignore_derivatives(x), 3.0)[0].item()
        3.0
    """
    return jax.tree.map(lambda leaf: lax.stop_gradient(leaf) if is_differentiable(leaf) else leaf, x)


@explained
def checkpointed(f: Callable, *, policy: Callable | None = None) -> Callable:
    """Return `f` with its intermediate values forgotten and computed again on the way back.

    The memory of the backward pass then holds `f`'s arguments only, for one more evaluation of `f`.

    Args:
        f: a function of trees to a tree of arrays.
        policy: optional; one of `jax.checkpoint_policies`, says which intermediate values are kept after all.

    Returns:
        A function that computes the same values and the same derivatives.

    Example:
        >>> import argflux as af, jax.numpy as jnp
        >>> af.gradient(af.checkpointed(lambda x: jnp.sin(jnp.sin(x))), 0.0)[0].item()
        1.0
    """

    @functools.wraps(f)
    def forgetful(*args: Any) -> Any:
        leaves = Leaves.of((f, args), "checkpointed")

        def call(arrays):
            function, arguments = leaves.rebuild(arrays)
            return function(*arguments)

        return jax.checkpoint(call, policy=policy)(leaves.arrays)

    return forgetful
