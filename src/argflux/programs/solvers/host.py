"""DAQP's dual active-set method on the host, for batches of small dense programs."""

import importlib.util
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from argflux.programs.double import carry, uncarry
from argflux.programs.form import Rows
from argflux.programs.solvers.pivoting import positive_inverse

UNBOUNDED = 1e30
EQUALITY = 5


class Hosted(NamedTuple):
    """Result: primal, signed duals of the rows, whether each instance was found."""

    x: jax.Array
    dual: jax.Array
    found: jax.Array


def has_daqp() -> bool:
    """Whether the package `daqp` is installed."""
    return importlib.util.find_spec("daqp") is not None


def solve_daqp(rows: Rows, start: jax.Array, max_iterations: int) -> Hosted:
    """Solve strictly convex programs one after another on the host.

    Numbers travel as integers, which the callback passes on unchanged whatever the x64 setting is there.

    Source:
        Arnström, Bemporad and Axehill, "A dual active-set solver for embedded quadratic programming using
        recursive LDL' updates" (2022).
    """
    batch = max(block.shape[0] for block in rows)
    n, count = rows.q.shape[1], rows.C.shape[1]
    shapes = [jax.ShapeDtypeStruct((batch, size, 2), jnp.uint32) for size in (n, count)]
    flags = jax.ShapeDtypeStruct((batch,), jnp.int32)

    def host(start, *blocks):
        return _solve_all(batch, int(max_iterations), np.asarray(start), [_unpack(block) for block in blocks])

    x, dual, flag = jax.pure_callback(host, (*shapes, flags), start, *map(carry, rows))
    return Hosted(uncarry(x), uncarry(dual), flag == 1)


def _unpack(block) -> np.ndarray:
    return np.array(block).view(np.float64)[..., 0]


def _pack(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values).view(np.uint32).reshape(*values.shape, 2)


def _solve_all(batch: int, limit: int, start: np.ndarray, blocks: list[np.ndarray]):
    import daqp

    P, q, C, lo, hi = blocks
    lo, hi = np.broadcast_arrays(np.clip(lo, -UNBOUNDED, UNBOUNDED), np.clip(hi, -UNBOUNDED, UNBOUNDED))
    sense = np.where(lo == hi, EQUALITY, start != 0).astype(np.int32)
    finite = [np.isfinite(a).reshape(len(a), -1).all(1) for a in (P, q, C)]
    usable = np.broadcast_to(finite[0] & finite[1] & finite[2] & (lo <= hi).all(1), (batch,))
    rows = [np.array(np.broadcast_to(a, (batch, a.shape[1])), order="C") for a in (q, hi, lo, sense)]
    x, dual, flag = np.zeros(rows[0].shape), np.zeros(rows[1].shape), np.zeros(batch, np.int32)
    options = {"primal_tol": 1e-10, "eps_prox": 0.0, "iter_limit": limit}
    for i in np.flatnonzero(usable):
        answer = daqp.solve(P[i % len(P)], rows[0][i], C[i % len(C)], *[row[i] for row in rows[1:]], **options)
        x[i], dual[i], flag[i] = answer[0], answer[3]["lam"], answer[2]
    return _pack(x), _pack(dual), flag


def active_inverses(rows: Rows, side: jax.Array) -> tuple[jax.Array, jax.Array]:
    """P⁻¹, and the inverse of the active rows of `C P⁻¹ C'`, zero elsewhere."""
    inverse, _ = positive_inverse(rows.P)
    on = side != 0
    both = on[:, :, None] & on[:, None, :]
    H = rows.C @ inverse @ jnp.swapaxes(rows.C, 1, 2)
    block = jnp.where(both, H, jnp.eye(H.shape[1]))
    schur, _ = positive_inverse(
        lax.select(jnp.broadcast_to(jnp.isfinite(block), block.shape), block, jnp.zeros_like(block))
    )
    return inverse, jnp.where(both, schur, 0.0)
