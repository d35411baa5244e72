"""One step of a rule on a tree of parameters, some of which may be held still."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from argflux.training.chain import Part, transformation
from argflux.training.rule import Hyper


def apply_rules(
    parts: tuple[Part, ...], whole: Any, hyper: tuple[Hyper, ...], inner: Any, params: Any, grads: Any
) -> tuple[Any, Any]:
    """Return the rules' new state and the new parameters.

    Args:
        parts: the rules.
        whole: None, or the structure of the model's trainable arrays when `params` lacks some of them.
        hyper: the hyperparameters of each rule.
        inner: the state of the Optax transformation for the whole model.
        params: a tree with None for whatever does not move.
        grads: a tree like `params`.
    """
    with jax.numpy_dtype_promotion("standard"):
        seen = inner if whole is None else _without(inner, whole, params)
        steps, after = transformation(parts, hyper).update(grads, seen, params)
        after = jax.tree.map(lambda new, old: jnp.asarray(new, old.dtype), after, seen)
        params = jax.tree.map(lambda x, step: x + jnp.asarray(step, x.dtype), params, steps)
    return (after if whole is None else _merged(inner, after, whole)), params


compiled_step: Callable = partial(jax.jit, static_argnums=(0, 1))(apply_rules)


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
