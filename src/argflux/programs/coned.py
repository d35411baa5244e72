"""Programs some of whose rows are in cones, in the fields of all programs."""

import itertools
from typing import Any

import jax.numpy as jnp
import numpy as np

from argflux.errors import ArgumentError
from argflux.programs.answers.solution import Solution
from argflux.programs.cones import Cone, NonNegative, Zero
from argflux.programs.conicmatrices import solve_rows
from argflux.programs.forms.pattern import Pattern, Sparse
from argflux.programs.statements.extract import Blocks

KNOWN = ("tolerance", "max_iterations", "on_failure")


def solve_coned(blocks: Blocks, cones: tuple[Cone, ...], options: dict[str, Any], start: Any = None) -> Solution:
    """Solve `min x'Px/2 + q'x` with `A x = b`, `h - G x` in cones, `lower <= x <= upper`, from an earlier solution."""
    if unknown := [name for name, value in options.items() if name not in KNOWN and value is not None]:
        got = f"{unknown[0]}={options[unknown[0]]!r} for a program over cones"
        raise ArgumentError(got, f"options among {', '.join(KNOWN)}", f"leave {unknown[0]} out", where="Program")
    q = jnp.asarray(blocks.q)
    n, eye = q.shape[0], np.arange(q.shape[0])
    parts: list[tuple] = [] if blocks.A is None else [(blocks.A, blocks.b, [Zero(blocks.b.shape[0])])]
    parts += [] if blocks.G is None else [(blocks.G, blocks.h, list(cones))]
    for bound, sign in ((blocks.lower, -1.0), (blocks.upper, 1.0)):
        if bound is not None:
            there = jnp.isfinite(bound)  # a bound that is not there becomes a row of zeros
            side = Sparse(jnp.where(there, sign, 0.0).astype(q.dtype), Pattern.of(eye, eye, (n, n)))
            parts.append((side, jnp.where(there, sign * bound, 1.0).astype(q.dtype), [NonNegative(n)]))
    given = (blocks.A, blocks.G, blocks.lower, blocks.upper)
    found = solve_rows(
        blocks.P,
        q,
        _stacked([part[0] for part in parts], n),
        jnp.concatenate([jnp.asarray(part[1]) for part in parts]),
        [cone for part in parts for cone in part[2]],
        () if start is None else (start.x, _duals(start, given)),
        movable=sum(part[1].shape[0] for part in parts[: (blocks.A is not None) + (blocks.G is not None)]),
        **{name: value for name, value in options.items() if value is not None},
    )
    ends = np.cumsum([0, *(part[1].shape[0] for part in parts)])
    duals = iter([found.z[start:end] for start, end in itertools.pairwise(ends)])
    none = lambda size: jnp.zeros(size, q.dtype)
    y, z, low, high = (none(0 if k < 2 else n) if block is None else next(duals) for k, block in enumerate(given))
    told = found.objective, found.status, found.iterations, found.residuals, found.regularity
    return Solution(found.x, y, z, low, high, *told)


def _duals(start: Solution, given: tuple) -> Any:
    """The duals of the rows of all blocks that there are."""
    duals = start.y, start.z, start.z_lower, start.z_upper
    return jnp.concatenate([dual for dual, block in zip(duals, given, strict=True) if block is not None])


def _stacked(matrices: list, n: int) -> Any:
    """One matrix below the other, dense if any large one of them is."""
    if all(isinstance(M, Sparse) for M in matrices):
        heights = np.cumsum([0, *(M.pattern.height for M in matrices)])
        rows = np.concatenate([M.pattern.rows + top for M, top in zip(matrices, heights, strict=False)])
        columns = np.concatenate([M.pattern.columns for M in matrices])
        values = jnp.concatenate([M.values for M in matrices])
        return Sparse(values, Pattern.of(rows, columns, (int(heights[-1]), n)))
    return jnp.concatenate([M.dense() if isinstance(M, Sparse) else jnp.asarray(M) for M in matrices])
