"""One step of a rule on a tree of parameters, some of which may be held still."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax

from argflux.errors import ArgumentError
from argflux.training.chain import Part, describe, numbers_at, transformation
from argflux.training.memory import Memory, is_half, master_of
from argflux.training.rule import Hyper, Rule


def apply_rules(
    parts: tuple[Part, ...],
    whole: Any,
    hyper: tuple[Hyper, ...],
    memory: Memory,
    params: Any,
    grads: Any,
    **extra: Any,
) -> tuple[Memory, Any]:
    """Return the rules' new memory and the new parameters.

    Rules see parameters and gradients in float32 at least; steps are added to full copies of half precision weights.

    Args:
        parts: the rules.
        whole: None, or the structure of the model's trainable arrays when `params` lacks some of them.
        hyper: the hyperparameters of each rule.
        memory: what the rules remember of the whole model.
        params: a tree with None for whatever does not move.
        grads: a tree like `params`.
        **extra: what some Optax transformations ask for besides: `value`, `value_fn`.
    """
    structure = jax.tree.structure(params) if whole is None else whole
    leaves = structure.flatten_up_to(params)
    full = [None if x is None else master_of(x, kept) for x, kept in zip(leaves, memory.masters, strict=True)]
    wide = structure.unflatten(full)
    with jax.numpy_dtype_promotion("standard"):
        slopes = jax.tree.map(lambda slope, x: jnp.asarray(slope, x.dtype), grads, wide)
        seen = memory.inner if whole is None else _without(memory.inner, whole, params)
        numbers = numbers_at(parts, hyper, memory.count)
        steps, after = _updated(parts, numbers, slopes, seen, wide, extra)
        after = jax.tree.map(_of_dtype, after, seen)
        moved = jax.tree.map(lambda x, step: x + jnp.asarray(step, x.dtype), wide, steps)
    fresh = structure.flatten_up_to(moved)
    masters = tuple(
        kept if kept is None or new is None else new for kept, new in zip(memory.masters, fresh, strict=True)
    )
    inner = after if whole is None else _merged(memory.inner, after, whole)
    params = jax.tree.map(lambda new, old: new.astype(old.dtype) if is_half(old) else new, moved, params)
    return Memory(masters, inner, memory.count + 1), params


compiled_step: Callable = partial(jax.jit, static_argnums=(0, 1))(apply_rules)


def _updated(parts: tuple, numbers: tuple, slopes: Any, seen: Any, params: Any, extra: dict) -> tuple[Any, Any]:
    rule = optax.with_extra_args_support(transformation(parts, numbers))
    try:
        return rule.update(slopes, seen, params, grad=slopes, **extra)
    except (TypeError, ValueError, AttributeError) as error:
        names = ", ".join(map(describe, parts))
        asks = "required keyword-only" in str(error)
        if not asks and not all(isinstance(part, Rule) for part in parts):
            got, todo = f"{names}, which fails on a model's arrays ({error})", "use another transformation"
            raise ArgumentError(got, "one that moves a tree of arrays", todo, where="update") from error
        if not asks:
            raise
        wanted = str(error).partition(": ")[2] or str(error)
        got = f"{names}, which asks for {wanted}"
        expected = "a rule that needs gradients, or value= and value_fn= too"
        todo = "train with `train`, which gives value, grad and value_fn, or pass them to update"
        raise ArgumentError(got, expected, todo, where="update") from error


def _of_dtype(new: Any, old: Any) -> Any:
    is_key = isinstance(old, jax.Array) and jnp.issubdtype(old.dtype, jax.dtypes.extended)
    return new if is_key else jnp.asarray(new, old.dtype)


def _without(inner: Any, whole: Any, params: Any) -> Any:
    """Drop from every part of a rule's state that is shaped like the model what `params` lacks."""
    present = [param is not None for param in whole.flatten_up_to(params)]

    def drop(node: Any) -> Any:
        if jax.tree.structure(node) != whole:
            return node
        leaves = zip(jax.tree.leaves(node), present, strict=True)
        return whole.unflatten([leaf if here else None for leaf, here in leaves])

    return jax.tree.map(drop, inner, is_leaf=lambda node: jax.tree.structure(node) == whole)


def _merged(before: Any, after: Any, whole: Any) -> Any:
    """Return a rule's new state, with the old in the places that the new one lacks."""
    nodes, treedef = jax.tree.flatten(before, is_leaf=lambda node: jax.tree.structure(node) == whole)

    def merge(old: Any, new: Any) -> Any:
        if jax.tree.structure(old) != whole:
            return new
        pairs = zip(jax.tree.leaves(old), whole.flatten_up_to(new), strict=True)
        return whole.unflatten([kept if fresh is None else fresh for kept, fresh in pairs])

    return treedef.unflatten(map(merge, nodes, treedef.flatten_up_to(after)))
