"""From a Python function and its arguments to a jaxpr whose inputs are the differentiable leaves."""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from argflux.autodiff.questions import check_returned, explaining, is_array_like
from argflux.errors import DtypeError
from argflux.jaxpr import ClosedJaxpr, struct
from argflux.keywords import explained
from argflux.tree import is_complex, is_differentiable, path_name
from argflux.userlayer import register_layers

_differentiating: ContextVar[bool] = ContextVar("differentiating", default=False)


@explained
def differentiating() -> bool:
    """Say whether the code that asks is being traced for a derivative.

    Example:
        >>> import argflux as af, jax.numpy as jnp
        >>> from argflux.autodiff import differentiating
        >>> seen = []
        >>> grads = af.gradient(lambda x: (seen.append(differentiating()), x * x)[1], 3.0)
        >>> seen, differentiating()
        ([True], False)
    """
    return _differentiating.get()


@dataclass(frozen=True)
class Leaves:
    """A tree taken apart: the differentiable leaves as arrays, the rest kept as they are."""

    arrays: list[Any]
    rest: list[Any]
    treedef: Any

    @classmethod
    def of(cls, tree: Any, where: str) -> "Leaves":
        """Take `tree` apart, refusing complex leaves by name."""
        paths, treedef = jax.tree_util.tree_flatten_with_path(tree)
        for path, leaf in paths:
            if is_complex(leaf):
                raise DtypeError(
                    f"a complex leaf {path_name(path) or 'argument'}",
                    "real floating arrays",
                    "pass the real and imaginary parts as two arrays",
                    where=where,
                )
        leaves = [leaf for _, leaf in paths]
        arrays = [jnp.asarray(leaf) for leaf in leaves if is_differentiable(leaf)]
        rest = [None if is_differentiable(leaf) else leaf for leaf in leaves]
        flags = [is_differentiable(leaf) for leaf in leaves]
        return cls(arrays, [(flag, other) for flag, other in zip(flags, rest, strict=True)], treedef)

    def rebuild(self, arrays: Sequence[Any]) -> Any:
        """Put the tree together again around other arrays."""
        fresh = iter(arrays)
        return self.treedef.unflatten([next(fresh) if flag else other for flag, other in self.rest])

    def outline(self) -> "Leaves":
        """Return the tree without its values, which may be held longer than a trace lasts."""
        return Leaves([struct(x) for x in self.arrays], [(flag, None) for flag, _ in self.rest], self.treedef)

    def gradients(self, cotangents: Sequence[Any]) -> Any:
        """Build the tree of gradients: zeros where a cotangent is missing, `None` where none can exist."""
        fresh = iter(jnp.zeros_like(x) if dx is None else dx for x, dx in zip(self.arrays, cotangents, strict=True))
        return self.treedef.unflatten([next(fresh) if flag else None for flag, _ in self.rest])


@dataclass(frozen=True)
class Trace:
    """A traced call: the jaxpr, the leaves that went in and the tree that came out."""

    jaxpr: ClosedJaxpr
    inputs: Leaves
    out_tree: Any
    aux: Any


def trace(f: Callable, args: tuple, *, has_aux: bool = False, where: str = "gradient") -> Trace:
    """Trace `f(*args)` with respect to every differentiable leaf of `f` and `args`.

    Raises:
        ControlFlowError: if Python's own `if`, `while`, `float` or a boolean mask asks for a value.
        DtypeError: if it returns something that is neither an array nor a number.
    """
    inputs = Leaves.of(register_layers((f, args)), where)
    out_tree = None
    aux_box: list = []

    def flat(*arrays):
        nonlocal out_tree
        function, arguments = inputs.rebuild(arrays)
        result = function(*arguments)
        result, aux = result if has_aux else (result, None)
        check_returned(result, where)
        leaves, out_tree = jax.tree.flatten(result)
        aux_leaves, aux_tree = jax.tree.flatten(aux)
        aux_box[:] = [aux_tree, [None if is_array_like(x) else x for x in aux_leaves]]
        return leaves, [x for x in aux_leaves if is_array_like(x)]

    token = _differentiating.set(True)
    try:
        with explaining(where):
            jaxpr = jax.make_jaxpr(flat)(*inputs.arrays)
    finally:
        _differentiating.reset(token)
    return Trace(jaxpr, inputs, out_tree, aux_box)


def rebuild_aux(aux: list, arrays: Sequence[Any]) -> Any:
    """Put the auxiliary output together again around the arrays that the run computed."""
    tree, leaves = aux
    fresh = iter(arrays)
    return tree.unflatten([next(fresh) if leaf is None else leaf for leaf in leaves])
