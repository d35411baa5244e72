"""The trainable arrays of a model, in Flux's implicit style."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import jax

from argflux.errors import ArgumentError
from argflux.keywords import explained
from argflux.kinds import shortened, takes
from argflux.tree import named_leaves, trainable_flags
from argflux.userlayer import register_layers


@explained
class Params:
    """The trainable arrays of a model, by their paths; a tree that JAX's transformations accept.

    Iterating gives the arrays; indexing takes a position or a path such as `"layers[0].weight"`.
    """

    def __init__(self, names: tuple[str, ...], arrays: list):
        self.names, self.arrays = tuple(names), list(arrays)

    def __len__(self) -> int:
        return len(self.arrays)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.arrays)

    def __getitem__(self, key: int | str) -> Any:
        if isinstance(key, str):
            if key not in self.names:
                raise ArgumentError(f"{key!r}", f"one of {', '.join(self.names)}", "use a listed path", where="params")
            return self.arrays[self.names.index(key)]
        return self.arrays[key]

    def __repr__(self) -> str:
        rows = (f"  {name}: {x.dtype}{list(x.shape)}" for name, x in zip(self.names, self.arrays, strict=True))
        return "Params(\n" + "\n".join(rows) + "\n)"

    def map(self, function: Callable) -> "Params":
        """Apply a function to every array."""
        if not takes(function, None):
            got, todo = f"function={shortened(function)}", "pass one, such as jnp.zeros_like"
            raise ArgumentError(got, "a function of an array", todo, where="Params.map")
        return Params(self.names, [function(x) for x in self.arrays])

    def put(self, model: Any) -> Any:
        """Return the model with these arrays in the places they were taken from."""
        leaves, tree = jax.tree.flatten(model)
        fresh = iter(self.arrays)
        flags = trainable_flags(model)
        return tree.unflatten([next(fresh) if moves else leaf for leaf, moves in zip(leaves, flags, strict=True)])


jax.tree_util.register_pytree_with_keys(
    Params,
    lambda p: ([(jax.tree_util.DictKey(n), x) for n, x in zip(p.names, p.arrays, strict=True)], p.names),
    lambda names, arrays: Params(names, list(arrays)),
)


@explained
def params(model: Any) -> Params:
    """Collect the trainable arrays of a model: every floating leaf of its tree.

    Args:
        model: any tree of arrays: a layer, a `Chain`, a user's own Equinox module.

    Returns:
        A `Params`, iterable over the arrays and indexable by path. With `af.gradient(lambda: loss(x, y),
        af.params(m))` it asks for the derivative with respect to these very arrays.

    Example:
        >>> import argflux as af, jax.numpy as jnp
        >>> p = af.params({"weight": jnp.ones((2, 3)), "name": "first"})
        >>> len(p), p.names
        (1, ("['weight']",))
    """
    register_layers(model)
    named = [item for item, moves in zip(named_leaves(model), trainable_flags(model), strict=True) if moves]
    return Params(tuple(name for name, _ in named), [leaf for _, leaf in named])


def is_implicit(f: Callable, args: tuple) -> bool:
    """Say whether a call is in the implicit style: one `Params` for a function of no arguments."""
    if len(args) != 1 or not isinstance(args[0], Params):
        return False
    try:
        inspect.signature(f).bind()
    except TypeError:
        return False
    return True
