"""Reading of sparse matrices that a user gives, JAX's BCOO and BCSR."""

from typing import Any

import numpy as np
from jax.experimental import sparse

from argflux.errors import ArgumentError, ShapeError
from argflux.jaxpr import Tracer
from argflux.programs.forms.form import Patterns
from argflux.programs.forms.pattern import Pattern, Sparse

SMALL = 100


def is_sparse(matrix: Any) -> bool:
    """Whether a matrix keeps a pattern."""
    return isinstance(matrix, Sparse | sparse.BCOO | sparse.BCSR)


def read_sparse(name: str, matrix: Any, where: str) -> Any:
    """Make a `Sparse` of a sparse matrix of JAX or SciPy; anything else stays as it is.

    Raises:
        ShapeError: for batched matrices.
        ArgumentError: if the places of the entries are not known while tracing.
    """
    if hasattr(matrix, "tocoo"):
        matrix = sparse.BCOO.from_scipy_sparse(_plain(name, matrix, where))
    if isinstance(matrix, Sparse) or not is_sparse(matrix):
        return matrix
    if matrix.n_batch or matrix.n_dense or matrix.ndim != 2:
        got = f"{name} with {matrix.n_batch} batch and {matrix.n_dense} dense axes"
        raise ShapeError(got, "one plain sparse matrix", "map over its values with jax.vmap", where=where)
    if isinstance(matrix, sparse.BCSR):
        ends, columns = (_known(name, a, where) for a in (matrix.indptr, matrix.indices))
        rows = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
        return Sparse(matrix.data[: len(rows)], Pattern.of(rows, columns[: len(rows)], matrix.shape))
    indices = _known(name, matrix.indices, where)
    inside = np.flatnonzero((indices < np.array(matrix.shape)).all(1))
    values = matrix.data if len(inside) == len(indices) else matrix.data[inside]
    return Sparse(values, Pattern.of(indices[inside, 0], indices[inside, 1], matrix.shape))


def _plain(name: str, matrix: Any, where: str) -> Any:
    """A SciPy sparse matrix with every entry once."""
    if matrix.ndim != 2:
        got = f"{name} with {matrix.ndim} axes"
        raise ShapeError(got, "a sparse matrix", f"reshape {name} to rows and columns", where=where)
    matrix = matrix.tocsr(copy=True)
    matrix.sum_duplicates()
    return matrix


def _known(name: str, indices: Any, where: str) -> np.ndarray:
    if isinstance(indices, Tracer):
        raise ArgumentError(
            f"{name} whose indices are being traced",
            "a pattern that is known",
            "pass its values alone through `jit`, `vmap` or `grad`, and build it there with indices made outside",
            where=where,
        )
    return np.asarray(indices)


def shared_patterns(P: Any, A: Any, G: Any) -> tuple[Patterns | None, Any, Any, Any]:
    """Patterns and values of a program with a sparse matrix, or none and dense matrices where it is small.

    Args:
        P: `Sparse`, or an array that is empty, a diagonal or a matrix.
        A: `Sparse` or a matrix.
        G: likewise.
    """
    n = A.shape[1]
    if isinstance(P, Sparse) and P.pattern.diagonal:
        P = Sparse(P.values[None], P.pattern).diagonal()[0].astype(P.values.dtype)
    separable = P.ndim == 1 and P.size and A.shape[0] + G.shape[0] <= 1
    if not any(isinstance(M, Sparse) for M in (P, A, G)):
        return None, P, A, G
    if separable or n + A.shape[0] + G.shape[0] <= SMALL:
        P, A, G = (M.dense() if isinstance(M, Sparse) else M for M in (P, A, G))
        return None, P, A, G
    A, G = _all_sparse(A), _all_sparse(G)
    if P.ndim == 1:
        return Patterns(None, A.pattern, G.pattern), P, A.values, G.values
    P = _all_sparse(P)
    return Patterns(P.pattern, A.pattern, G.pattern), P.values, A.values, G.values


def _all_sparse(matrix: Any) -> Sparse:
    """The entries of a matrix that are not zero, or all of them if they are not known."""
    if isinstance(matrix, Sparse):
        return matrix
    if not isinstance(matrix, Tracer):
        return Sparse.of(matrix)
    rows, columns = np.indices(matrix.shape).reshape(2, -1)
    return Sparse(matrix.ravel(), Pattern.of(rows, columns, matrix.shape))
