"""Reading of programs over cones: matrices, and the cones as a list or in SCS's words."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from argflux.errors import ArgumentError, DataError, DtypeError, ShapeError
from argflux.jaxpr import Tracer
from argflux.kinds import shortened
from argflux.programs.cones import Cone, Exponential, NonNegative, Power, SecondOrder, Semidefinite, Zero
from argflux.programs.cones.form import ConeBlocks, ConeForm
from argflux.programs.cones.product import Product
from argflux.programs.forms.form import dense_curvature
from argflux.programs.forms.pattern import Sparse
from argflux.programs.statements.blocks import read_block, read_matrix
from argflux.programs.statements.sparseblocks import read_sparse

WHERE = "solve_cone"
DENSE = 500
WORDS: dict[str, Callable[[Any], list[Cone]]] = {
    "z": lambda k: [Zero(k)],
    "l": lambda k: [NonNegative(k)],
    "q": lambda sizes: [SecondOrder(k) for k in _listed(sizes)],
    "s": lambda sizes: [Semidefinite(k) for k in _listed(sizes)],
    "ep": lambda count: [Exponential()] * count,
    "p": lambda exponents: [Power(a) for a in _listed(exponents)],
}
OTHERS = {"f": "z", "ed": None, "bu": None, "bl": None, "cs": None, "d": None, "nuc_m": None, "ell1": None}


def read_cones(cones: Any) -> Product:
    """Read a list of cones, or a dict in SCS's words, whose rows come in the order `z l q s ep p`.

    Raises:
        DtypeError: for what is neither.
        ArgumentError: for unknown words, sizes that are no counts, and exponents outside of (0, 1).
    """
    if isinstance(cones, dict):
        for word in cones:
            if word not in WORDS:
                todo = f"write {OTHERS[word]!r}" if OTHERS.get(word) else "state these rows by the cones that there are"
                expected = f"SCS's words {', '.join(map(repr, WORDS))}"
                raise ArgumentError(f"cones with the key {word!r}", expected, todo, where=WHERE)
        cones = [cone for word, make in WORDS.items() if word in cones for cone in _made(word, make, cones[word])]
    if isinstance(cones, Cone) or not isinstance(cones, list | tuple) or not all(isinstance(c, Cone) for c in cones):
        got, todo = f"cones={shortened(cones)}", "write e.g. [af.cones.Zero(2), af.cones.SecondOrder(3)]"
        raise DtypeError(got, "a list of cones, or a dict in SCS's words", todo, where=WHERE)
    for cone in cones:
        _check_cone(cone)
    return Product.of(cones)


def _made(word: str, make: Callable, value: Any) -> list[Cone]:
    try:
        return make(value)
    except TypeError:
        got, todo = f"cones[{word!r}] = {shortened(value)}", "write {'z': 2, 'q': [3, 3], 's': [2], 'p': [0.5]}"
        raise ArgumentError(got, "a count, or a list of sizes", todo, where=WHERE) from None


def _listed(sizes: Any) -> list:
    return [sizes] if np.ndim(sizes) == 0 else list(sizes)


def _check_cone(cone: Cone) -> None:
    if isinstance(cone, Power):
        if isinstance(cone.a, bool) or not isinstance(cone.a, int | float | np.number) or not 0 < cone.a < 1:
            todo = "write the exponent of the first of the three coordinates"
            raise ArgumentError(f"Power({cone.a})", "an exponent between 0 and 1, both excluded", todo, where=WHERE)
    elif not isinstance(cone, Exponential):
        k: Any = getattr(cone, "k", None)
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 0:
            got, todo = f"{type(cone).__name__}({shortened(k)})", "pass a number of rows, or the side of a matrix"
            raise ArgumentError(got, "a count", todo, where=WHERE)


def read_cone_blocks(P: Any, q: Any, A: Any, b: Any, cones: Any) -> tuple[ConeForm, ConeBlocks]:
    """Check one instance's blocks against each other and against the cones.

    Raises:
        ShapeError: naming the block, or the rows that no cone takes.
        DtypeError: for blocks that are not real floating arrays.
        ArgumentError: as `read_cones`.
    """
    product, q = read_cones(cones), read_block("q", q, None, WHERE)
    if q.ndim != 1 or not q.shape[0]:
        todo = "pass one instance; use jax.vmap for a batch"
        raise ShapeError(f"q of shape {q.shape}", "shape (n,) with n at least 1", todo, where=WHERE)
    n, dtype = q.shape[0], q.dtype
    P, A = (read_sparse(name, M, WHERE) for name, M in (("P", P), ("A", A)))
    A, b = read_matrix("A", A, dtype, WHERE), read_block("b", b, dtype, WHERE)
    if A.ndim != 2 or A.shape[1] != n:
        todo = (
            "pass A.T: rows are constraints" if A.ndim == 2 and A.shape[0] == n else "give A one column per entry of q"
        )
        raise ShapeError(f"A of shape {A.shape}", f"(rows, {n})", todo, where=WHERE)
    if b.shape != (A.shape[0],):
        todo = "give b one entry per row of A"
        raise ShapeError(f"b of shape {b.shape}", f"({A.shape[0]},)", todo, where=WHERE)
    _check_rows(product, A.shape[0])
    P, curvature = _curvature(P, n, dtype)
    small = n + product.rows <= DENSE
    if isinstance(A, Sparse) and small:
        A = A.dense()
    if isinstance(P, Sparse) and small:
        P, curvature = P.dense(), "dense"
    patterns = [M.pattern if isinstance(M, Sparse) else None for M in (P, A)]
    P, A = (M.values if isinstance(M, Sparse) else M for M in (P, A))
    return ConeForm(n, product, curvature, *patterns), ConeBlocks(P, q, A, b)


def _check_rows(product: Product, rows: int) -> None:
    if product.rows == rows:
        return
    shown = ", ".join(
        f"{type(cone).__name__} rows {start} to {start + cone.rows - 1}"
        for cone, start in zip(product.cones, product.starts, strict=False)
    )
    left = rows - product.rows
    todo = f"say what rows {product.rows} to {rows - 1} are" if left > 0 else f"{-left} rows too many are asked for"
    triangles = [cone for cone in product.cones if isinstance(cone, Semidefinite)]
    if triangles and left < 0:
        cone = triangles[-1]
        todo += f"; Semidefinite takes the side of a matrix, and Semidefinite({cone.k}) has {cone.rows} rows"
    raise ShapeError(f"cones with {product.rows} rows in all ({shown})", f"the {rows} rows of A", todo, where=WHERE)


def _curvature(P: Any, n: int, dtype: Any) -> tuple[Any, str]:
    if P is None:
        return np.zeros(0, dtype), "none"
    P = read_matrix("P", P, dtype, WHERE)
    if P.shape == (n,):
        return P, "diagonal"
    if P.shape == (n, n):
        return P, "sparse" if isinstance(P, Sparse) else "dense"
    raise ShapeError(f"P of shape {P.shape}", f"({n}, {n}), or ({n},) for a diagonal", "match P to q", where=WHERE)


def check_cone_values(form: ConeForm, blocks: ConeBlocks) -> None:
    """Hold values that are known, outside `jit` and derivatives, to what a program may contain.

    Raises:
        DataError: naming the block, for NaN and infinite entries.
        ArgumentError: for a P that is not symmetric or not positive semidefinite.
    """
    if any(isinstance(block, Tracer) for block in blocks):
        return
    for name, block in zip(ConeBlocks._fields, blocks, strict=True):
        values = np.asarray(block)
        if not np.isfinite(values).all():
            index = np.argwhere(~np.isfinite(values))[0].tolist()
            got = f"{name}{index} = {values[tuple(index)]}"
            todo = "leave out rows without a limit" if name == "b" else f"clean {name} first"
            raise DataError(got, "finite numbers", todo, where=WHERE)
    if form.curvature in ("diagonal", "dense"):
        _check_convex(form, np.asarray(blocks.P, np.float64), 1e-6 if blocks.q.dtype == jnp.float32 else 1e-9)


def _check_convex(form: ConeForm, P: np.ndarray, slack: float) -> None:
    if form.curvature == "dense":
        wrong = np.abs(P - P.T)
        if wrong.max() > slack * np.abs(P).max():
            i, j = np.unravel_index(int(wrong.argmax()), P.shape)
            got, todo = f"P[{i}, {j}] = {P[i, j]:g} beside P[{j}, {i}] = {P[j, i]:g}", "pass (P + P.T) / 2"
            if not np.tril(P, -1).any() or not np.triu(P, 1).any():
                todo = "pass both triangles"
            raise ArgumentError(got, "a symmetric P", todo, where=WHERE)
    values = P if form.curvature == "diagonal" else np.linalg.eigvalsh(dense_curvature(form, P[None])[0])
    if values.min() < -slack * np.abs(values).max():
        got, todo = f"P with smallest eigenvalue {values.min():.6g}", "add to its diagonal, or check its sign"
        raise ArgumentError(got, "a positive semidefinite P, for a convex program", todo, where=WHERE)
