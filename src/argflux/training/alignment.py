"""Gradients beside the leaves of the model that they belong to."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from argflux.errors import ArgumentError, ShapeError
from argflux.tree import is_array, named_leaves


def aligned(model: Any, grads: Any) -> list:
    """Return the gradient, or None, for each leaf of the model, after checking that the two fit."""
    structure = jax.tree.structure(model)
    if isinstance(grads, tuple) and any(_fits(structure, entry) for entry in grads):
        got, todo = "the tuple that gradient returns", "pass its first entry, grads[0]"
        raise ArgumentError(got, "gradients shaped like the model", todo, where="update")
    if not _fits(structure, grads):
        got, expected = f"gradients {_outline(grads)}", f"the structure of the model, {_outline(model)}"
        if _outline(grads) == _outline(model):
            got, expected = f"{got}, whose settings are others", "those of the model, such as its mode and its rates"
        raise ShapeError(got, expected, "take the gradient with respect to this model", where="update")
    slopes = structure.flatten_up_to(grads)
    for (name, leaf), slope in zip(named_leaves(model), slopes, strict=True):
        if slope is not None and is_array(leaf) and jnp.shape(slope) != leaf.shape:
            got, expected = f"a gradient of shape {jnp.shape(slope)}", f"{leaf.shape}"
            raise ShapeError(got, expected, "take the gradient of this model", where=name or "update")
    return slopes


def _fits(structure: Any, tree: Any) -> bool:
    try:
        return tree is not None and structure.flatten_up_to(tree) is not None
    except (ValueError, TypeError):
        return False


def _outline(tree: Any) -> str:
    names = [name or "array" for name, leaf in named_leaves(tree) if is_array(leaf)]
    return f"of a {type(tree).__name__} with {shortened(names)}"


def shortened(names: Sequence[str]) -> str:
    """Write a list of names, cut after eight."""
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") or "no arrays"
