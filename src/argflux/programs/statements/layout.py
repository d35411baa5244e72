"""How a tree of real arrays lies in the vector that solvers see: the variable, or the values of constraints."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.errors import DtypeError, ShapeError
from argflux.tree import named_leaves


@dataclass(frozen=True)
class Layout:
    """The structure of a tree, and the shapes, dtypes and names of its leaves."""

    treedef: Any
    leaves: tuple[jax.ShapeDtypeStruct, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, tree: Any) -> "Layout":
        """Read a tree of arrays or of their shapes and dtypes."""
        leaves, treedef = jax.tree.flatten(tree)
        structs = tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves)
        return cls(treedef, structs, tuple(name for name, _ in named_leaves(tree)))

    @property
    def sizes(self) -> list[int]:
        """Number of elements of every leaf."""
        return [leaf.size for leaf in self.leaves]

    @property
    def size(self) -> int:
        """Number of elements of all leaves."""
        return sum(self.sizes)

    @property
    def dtype(self) -> Any:
        """The widest dtype among the leaves."""
        return widest([leaf.dtype for leaf in self.leaves])

    def tree(self, vector: jax.Array) -> Any:
        """Build the tree around a vector of the leaves' elements in order."""
        ends = np.cumsum(self.sizes)
        parts = [vector] if len(ends) == 1 else [vector[e - s : e] for s, e in zip(self.sizes, ends, strict=True)]
        leaves = [part.reshape(leaf.shape).astype(leaf.dtype) for part, leaf in zip(parts, self.leaves, strict=True)]
        return self.treedef.unflatten(leaves)

    def vector(self, tree: Any) -> jax.Array:
        """Join the leaves of such a tree into one vector."""
        return join(jax.tree.leaves(tree), self.dtype)

    def spread(self, value: Any, where: str) -> jax.Array:
        """Write a number, or a tree like this one whose leaves broadcast to its leaves, as one vector."""
        if isinstance(value, int | float) or getattr(value, "shape", None) == ():
            return jnp.full(self.size, value, self.dtype)
        leaves, treedef = jax.tree.flatten(value)
        if treedef != self.treedef:
            raise ShapeError(
                f"a tree {treedef}", f"a number or a tree {self.treedef}, like the variable", "match it", where=where
            )
        return join([_fit(*row, where) for row in zip(leaves, self.leaves, self.names, strict=True)], self.dtype)


def variable_layout(template: Any, dtype: Any) -> Layout:
    """Read what the user gave as `variable`: arrays, shapes (ints or tuples of them) or a tree of these.

    Example:
        >>> import jax.numpy as jnp
        >>> variable_layout({"x": (2, 3), "t": ()}, jnp.float32).size
        7
    """
    layout = Layout.of(jax.tree.map(lambda leaf: _struct(leaf, dtype), template, is_leaf=_is_shape))
    for name, leaf in zip(layout.names, layout.leaves, strict=True):
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            raise DtypeError(
                f"a variable of dtype {leaf.dtype}",
                "real floating arrays",
                "give a floating template or a shape; integer variables are not supported",
                where=f"Program variable{name and ' '}{name}",
            )
    if layout.size < 1:
        raise ShapeError(
            f"an empty variable of shape {', '.join(str(list(leaf.shape)) for leaf in layout.leaves) or '()'}",
            "at least one unknown",
            "check the template given as `variable`",
            where="Program variable",
        )
    return layout


def widest(dtypes: list) -> Any:
    """The widest of some floating dtypes, or JAX's default if there are none."""
    return max(dtypes, key=lambda dtype: dtype.itemsize) if dtypes else jnp.zeros(()).dtype


def join(leaves: list, dtype: Any) -> jax.Array:
    """Ravel arrays and put them one after another."""
    parts = [jnp.ravel(jnp.asarray(leaf)).astype(dtype) for leaf in leaves]
    return parts[0] if len(parts) == 1 else jnp.concatenate(parts) if parts else jnp.zeros(0, dtype)


def _fit(value: Any, leaf: jax.ShapeDtypeStruct, name: str, where: str) -> jax.Array:
    try:
        return jnp.broadcast_to(jnp.asarray(value).astype(leaf.dtype), leaf.shape)
    except ValueError:
        raise ShapeError(
            f"shape {list(np.shape(value))}{name and ' at '}{name}",
            f"shape {list(leaf.shape)}, like the variable",
            "pass one number, or an array that broadcasts to the variable",
            where=where,
        ) from None


def _is_shape(leaf: Any) -> bool:
    plain = lambda size: isinstance(size, int) and not isinstance(size, bool)
    return plain(leaf) or (isinstance(leaf, tuple) and all(map(plain, leaf)))


def _struct(leaf: Any, dtype: Any) -> jax.ShapeDtypeStruct:
    if _is_shape(leaf):
        return jax.ShapeDtypeStruct((leaf,) if isinstance(leaf, int) else tuple(leaf), dtype)
    if isinstance(leaf, float):
        return jax.ShapeDtypeStruct((), dtype)
    if not hasattr(leaf, "shape"):
        raise DtypeError(
            f"a {type(leaf).__name__} {leaf!r}",
            "an array, a shape or a tree of these",
            "give the variable's shape, say `variable=(3,)`",
            where="Program variable",
        )
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype)
