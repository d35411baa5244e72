"""Matrices whose entries depend linearly on the parameters, as CVXPY's canonicalisation gives them."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.programs.forms.pattern import Pattern, Sparse, inverse
from argflux.programs.statements.extract import Blocks
from argflux.programs.statements.sparsity import Group, Structure, structure


@dataclass(frozen=True, eq=False)
class Tensor:
    """A sparse matrix or vector whose stored entries are `map @ parameters`.

    Attributes:
        map: a SciPy sparse matrix, one row per stored entry and one column per number among the parameters.
        rows: row of every stored entry.
        columns: column of every stored entry; `None` for a vector.
        height: number of rows.
    """

    map: Any
    rows: np.ndarray
    columns: np.ndarray | None
    height: int
    width: int = 1

    def values(self, parameters: jax.Array) -> jax.Array:
        """The stored entries."""
        coo = self.map.tocoo(copy=True)  # JAX knows arrays that it has met with 32 bits by their identity
        terms = jnp.asarray(coo.data).astype(parameters.dtype) * parameters[coo.col]
        return jnp.zeros(len(self.rows), parameters.dtype).at[coo.row].add(terms)

    def sparse(self, parameters: jax.Array) -> Sparse | None:
        """The matrix, `None` if nothing of it is stored."""
        return Sparse(self.values(parameters), self.pattern) if self.pattern and len(self.rows) else None

    def vector(self, parameters: jax.Array) -> jax.Array:
        """The whole vector."""
        return jnp.zeros(self.height, parameters.dtype).at[self.rows.copy()].add(self.values(parameters))

    def gather(self, parameters: jax.Array, rows: np.ndarray, columns: np.ndarray | None = None) -> jax.Array:
        """Take submatrices: number k of the rows `rows[k]` and the columns `columns[k]` (the diagonal if `None`)."""
        values = self.values(parameters)
        part, place = inverse(rows, self.height)
        kept = part[self.rows] >= 0
        index = [part[self.rows][kept], place[self.rows][kept]]
        shape = rows.shape
        if columns is not None and self.columns is not None:
            index.append(inverse(columns, int(columns.max()) + 1)[1][self.columns[kept]])
            shape = (*rows.shape, columns.shape[1])
        return jnp.zeros(shape, parameters.dtype).at[tuple(index)].add(values[kept])

    @property
    def pattern(self) -> Pattern | None:
        """Where the matrix may differ from zero, or `None` if it has no rows."""
        columns = self.rows if self.columns is None else self.columns
        return Pattern.of(self.rows, columns, (self.height, self.width)) if self.height else None


@dataclass(frozen=True, eq=False)
class Canonical:
    """A program `min x'Px/2 + q'x + constant` subject to `A x = b` and `G x <= h`, linear in its parameters."""

    P: Tensor
    q: Tensor
    constant: Tensor
    A: Tensor
    b: Tensor
    G: Tensor
    h: Tensor

    @property
    def size(self) -> int:
        """Number of unknowns."""
        return self.q.height

    @property
    def curvature(self) -> str:
        """Whether P is "none", "diagonal" (without a zero on the diagonal) or "dense"."""
        if not len(self.P.rows):
            return "none"
        full = len(np.unique(self.P.rows)) == self.size
        return "diagonal" if full and self.P.pattern and self.P.pattern.diagonal else "dense"

    def structure(self) -> Structure:
        """Independent parts, and whether the matrices are best left sparse."""
        curvature = self.P.pattern if self.curvature == "dense" else None
        return structure(self.size, curvature, self.A.pattern, self.G.pattern)

    def blocks(self, parameters: jax.Array, structure: Structure) -> tuple:
        """The constant of the objective and the blocks of every group, or of the whole."""
        constant = self.constant.values(parameters)[0]
        if structure.sparse:
            return constant, (self._sparse(parameters),)
        if structure.groups:
            return constant, tuple(self._part(parameters, group) for group in structure.groups)
        everything = lambda count: np.arange(count)[None]
        whole = Group(everything(self.size), everything(self.A.height), everything(self.G.height))
        return constant, (jax.tree.map(lambda block: block[0], self._part(parameters, whole)),)

    def _sparse(self, parameters: jax.Array) -> Blocks:
        P = self.P.sparse(parameters)
        if self.curvature == "diagonal":
            P = self.P.gather(parameters, np.arange(self.size)[None])[0]
        return Blocks(
            P,
            self.q.vector(parameters),
            self.A.sparse(parameters),
            self.b.vector(parameters) if self.A.height else None,
            self.G.sparse(parameters),
            self.h.vector(parameters) if self.G.height else None,
            None,
            None,
        )

    def _part(self, parameters: jax.Array, group: Group) -> Blocks:
        unknowns, P = group.unknowns, None
        if self.curvature != "none":
            P = self.P.gather(parameters, unknowns, unknowns if self.curvature == "dense" else None)
        q = self.q.gather(parameters, unknowns)
        A, b = _rows(self.A, self.b, parameters, group.equalities, unknowns)
        G, h = _rows(self.G, self.h, parameters, group.inequalities, unknowns)
        return Blocks(P, q, A, b, G, h, None, None)


def _rows(matrix: Tensor, right: Tensor, parameters: jax.Array, rows: np.ndarray, columns: np.ndarray) -> tuple:
    """Both sides of the constraints of one kind for every part of a group, `None` where it has none."""
    if not rows.shape[1]:
        return None, None
    return matrix.gather(parameters, rows, columns), right.gather(parameters, rows)
