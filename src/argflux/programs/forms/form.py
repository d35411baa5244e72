"""The canonical form that solvers and derivatives share: which blocks a program has, and its rows."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from argflux.programs.forms.arrays import joined, namespace, on_host
from argflux.programs.forms.pattern import Pattern, Sparse


class Patterns(NamedTuple):
    """Patterns of the sparse matrices of a program; `None` for a P that is none or diagonal."""

    P: Pattern | None
    A: Pattern
    G: Pattern


class Curved(Protocol):
    """A form of any class of programs: the number of unknowns, and what kind of matrix P is."""

    @property
    def n(self) -> int:
        """Number of unknowns."""
        ...

    @property
    def curvature(self) -> str:
        """Kind of P."""
        ...


@dataclass(frozen=True)
class Form:
    """What is static about a program: sizes, and which kinds of block it has.

    `curvature` is "none" (linear), "diagonal" (P is a vector), "dense" or "sparse". With `patterns`, P (if sparse), A
    and G are given by their values on these.
    """

    n: int
    p: int
    m: int
    curvature: str
    lower: bool
    upper: bool
    patterns: Patterns | None = field(default=None)

    def matrices(self, P: Any, A: Any, G: Any) -> tuple[Any, Any, Any]:
        """Dress values on patterns as matrices; dense ones stay as they are."""
        if self.patterns is None:
            return P, A, G
        dress = lambda values, pattern: values if pattern is None else Sparse(values, pattern)
        return dress(P, self.patterns.P), Sparse(A, self.patterns.A), Sparse(G, self.patterns.G)

    @property
    def bounded(self) -> bool:
        """Whether the variable has bounds of either side."""
        return self.lower or self.upper

    @property
    def rows(self) -> int:
        """Number of rows `lo <= C x <= hi`: equalities, inequalities, then the bounds, if any."""
        return self.p + self.m + (self.n if self.bounded else 0)


class Blocks(NamedTuple):
    """The arrays of a program, each with a leading axis 1 or batch; an absent block has no elements."""

    P: Any
    q: Any
    A: Any
    b: Any
    G: Any
    h: Any
    lower: Any
    upper: Any


class Rows(NamedTuple):
    """A program as `min x'Px/2 + q'x` subject to `lo <= C x <= hi`, equalities where `lo = hi`."""

    P: jax.Array
    q: jax.Array
    C: jax.Array
    lo: jax.Array
    hi: jax.Array


def batch_size(blocks: Blocks) -> int:
    """Length of the batch axis."""
    return max(block.shape[0] for block in blocks)


def bounds(form: Form, blocks: Blocks) -> tuple[Any, Any]:
    """Lower and upper bounds, infinite where absent, `(1 or batch, n)`."""
    infinite = namespace(blocks.q).full((1, form.n), np.inf)
    return blocks.lower if form.lower else -infinite, blocks.upper if form.upper else infinite


def is_bad(form: Form, blocks: Blocks) -> Any:
    """Which instances of the batch have data that are not numbers, or bounds that contradict themselves."""
    xp, size = namespace(blocks.q), batch_size(blocks)
    vectors = [xp.isfinite(blocks.q), xp.isfinite(blocks.b), blocks.h > -xp.inf]
    if form.bounded:
        lower, upper = bounds(form, blocks)
        vectors.append((lower <= upper) & (lower < xp.inf) & (upper > -xp.inf))
    good = xp.all(joined(*vectors, size=size), 1)
    for block in (blocks.P, blocks.A, blocks.G):
        good = good & xp.all(xp.isfinite(block), tuple(range(1, block.ndim)))
    return ~good


def dense_rows(form: Form, blocks: Blocks) -> Rows:
    """Write a program in rows with a dense P."""
    xp, (lower, upper) = namespace(blocks.q), bounds(form, blocks)
    lo = [blocks.b, xp.full_like(blocks.h, -xp.inf)]
    hi = [blocks.b, blocks.h]
    C = [blocks.A, blocks.G]
    if form.bounded:
        lo, hi, C = [*lo, lower], [*hi, upper], [*C, xp.eye(form.n)[None]]
    return Rows(dense_curvature(form, blocks.P), blocks.q, joined(*C), joined(*lo), joined(*hi))


def dense_curvature(form: Curved, P: Any) -> Any:
    """P as a symmetric matrix."""
    xp = namespace(P)
    if form.curvature == "none":
        return xp.zeros((1, form.n, form.n))
    if form.curvature == "diagonal":
        return P[:, :, None] * xp.eye(form.n)
    return (P + xp.swapaxes(P, 1, 2)) / 2


def curve(form: Curved, P: Any, x: Any) -> Any:
    """`P x` for a symmetric P of any kind."""
    if form.curvature == "none":
        return namespace(x).zeros_like(x)
    return P * x if form.curvature == "diagonal" else (times(P, x) + transposed_times(P, x)) / 2


def on_patterns(form: Form, blocks: Blocks) -> tuple[Form, Blocks]:
    """The same program with the entries of its matrices that are not zero in all instances; NumPy only."""
    if form.patterns is not None:
        return form, blocks

    def taken(M: np.ndarray) -> tuple[Pattern, np.ndarray]:
        rows, columns = np.nonzero((M != 0).any(0))
        return Pattern.of(rows, columns, M.shape[1:]), M[:, rows, columns]

    (A, A_values), (G, G_values) = taken(blocks.A), taken(blocks.G)
    P, P_values = taken(blocks.P) if form.curvature == "dense" else (None, blocks.P)
    curvature = "sparse" if form.curvature == "dense" else form.curvature
    sparse = dataclasses.replace(form, curvature=curvature, patterns=Patterns(P, A, G))
    return sparse, blocks._replace(P=P_values, A=A_values, G=G_values)


def dressed(form: Form, blocks: Blocks) -> Blocks:
    """The blocks with their matrices as `Form.matrices` gives them."""
    P, A, G = form.matrices(blocks.P, blocks.A, blocks.G)
    return blocks._replace(P=P, A=A, G=G)


def magnitude(M: Any) -> Any:
    """The matrix of the magnitudes of the entries."""
    return Sparse(abs(M.values), M.pattern) if isinstance(M, Sparse) else abs(M)


def times(M: Any, x: Any) -> Any:
    """Batched matrix times vector."""
    if isinstance(M, Sparse):
        return M.times(x)
    if on_host(M, x):
        return (M @ x[:, :, None])[:, :, 0]
    return jnp.einsum("bij,bj->bi", M, x, precision="highest") if M.shape[0] > 1 else x @ jnp.swapaxes(M[0], 0, 1)


def transposed_times(M: Any, x: Any) -> Any:
    """Batched transposed matrix times vector."""
    if isinstance(M, Sparse):
        return M.transposed_times(x)
    if on_host(M, x):
        return (x[:, None] @ M)[:, 0]
    return jnp.einsum("bij,bi->bj", M, x, precision="highest") if M.shape[0] > 1 else x @ M[0]
