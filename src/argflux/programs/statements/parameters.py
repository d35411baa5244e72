"""The parameters of a program: their names, and how arguments are matched to them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.sparse import BCOO

from argflux.errors import ArgumentError, DtypeError
from argflux.kinds import fits, shortened
from argflux.programs.statements.layout import widest
from argflux.tree import is_array, is_differentiable


def match(
    names: tuple[str, ...], values: tuple, named: dict[str, Any], where: str, defaults: dict[str, Any] | None = None
) -> tuple:
    """Put positional and named values in the order of the parameters, defaults in the place of those not given.

    Raises:
        ArgumentError: naming the parameters that were never given, given twice or that do not exist.
    """
    given = dict(zip(names, values, strict=False))
    expected = f"parameters ({', '.join(names)})" if names else "no parameters"
    if len(values) > len(names):
        raise ArgumentError(f"{len(values)} values", expected, "pass one value for each", where=where)
    if twice := [name for name in named if name in given]:
        raise ArgumentError(f"{', '.join(twice)} twice", expected, "pass each once", where=where)
    if unknown := [name for name in named if name not in names]:
        raise ArgumentError(f"an unknown parameter {', '.join(unknown)}", expected, "check the name", where=where)
    given = (defaults or {}) | given | named
    if missing := [name for name in names if name not in given]:
        raise ArgumentError(
            f"no value for {', '.join(missing)}", expected, f"pass {missing[0]}=… or give it by position", where=where
        )
    for name in names:
        for leaf in jax.tree.leaves(given[name]):
            if isinstance(leaf, np.ndarray) and not fits(leaf, np.ndarray):
                todo = f"convert it with numpy.asarray({name}, float)"
                raise DtypeError(f"{name}={shortened(leaf)}", "an array of numbers", todo, where=where)
    return tuple(jax.tree.map(_as_array, given[name]) for name in names)


def _as_array(leaf: Any) -> Any:
    if hasattr(leaf, "tocoo"):
        return BCOO.from_scipy_sparse(leaf)
    return jnp.asarray(leaf) if is_array(leaf) or is_differentiable(leaf) else leaf


def default_dtype(params: tuple) -> Any:
    """The widest floating dtype among the parameters, or JAX's default."""
    found = [leaf.dtype for leaf in jax.tree.leaves(params) if is_array(leaf)]
    return widest([dtype for dtype in found if jnp.issubdtype(dtype, jnp.floating)])


def signature_key(params: tuple) -> tuple:
    """What a traced program depends on: structure, shapes, dtypes, and everything that is no array."""
    leaves, treedef = jax.tree.flatten(params)
    kinds = tuple((x.shape, x.dtype, getattr(x, "weak_type", False)) if is_array(x) else (type(x), x) for x in leaves)
    return treedef, kinds, jax.config.jax_enable_x64  # pyright: ignore[reportAttributeAccessIssue]
