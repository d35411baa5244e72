"""Sparse linear systems of optimality conditions on an active set, in a band: minimisers only."""

from typing import Any

import jax
import jax.numpy as jnp

from argflux.programs.forms.condensed import Condensed
from argflux.programs.forms.hostband import is_hosted, refined
from argflux.programs.forms.hostcall import host_call
from argflux.programs.forms.pattern import Sparse

WEIGHT = 1e7
REFINEMENTS = 3
REFINED = {"rounds": 1 + REFINEMENTS, "done": 1e-15}
DEFINITE, EXACT = 1e-13, 1e-6


def solve_held(band: Condensed, W: Sparse, C: Sparse, on: Any, held: Any, right: tuple) -> tuple[tuple, Any]:
    """Solve `W dx + C'd + b = r1`, `C dx = r2` on the rows `on`, `dx = r3` where `held`; d and b are 0 elsewhere.

    The rows are eliminated with a weight that outweighs the curvature, and refinement makes that good.

    Returns:
        The changes dx, d and b, and whether they solve the system and the curvature along the rows is positive.
    """
    r1, r2, r3 = right
    size = max(len(r1), len(W.values), len(C.values))
    free, onto = ~held, jnp.where(held, r3, 0.0)
    rows, columns = C.pattern.rows, C.pattern.columns
    inner = free[:, W.pattern.rows] & free[:, W.pattern.columns]
    H = Sparse(jnp.where(inner, W.values, 0.0), W.pattern)
    J = Sparse(jnp.where(on[:, rows] & free[:, columns], C.values, 0.0), C.pattern)
    diagonal = W.pattern.rows == W.pattern.columns
    curved = H.values + jnp.where(diagonal, held[:, W.pattern.rows].astype(r1.dtype), 0.0)
    weight = row_weight(WEIGHT, H, J)
    tall = lambda a: jnp.broadcast_to(a, (size, a.shape[1])).T
    factor, good = band.factorise(tall(curved), tall(J.values), tall(weight), DEFINITE)
    first = jnp.where(held, 0.0, r1 - W.times(onto))
    second = jnp.where(on, r2 - C.times(onto), 0.0)

    def left(dx: Any, d: Any) -> tuple[Any, Any]:
        e1 = jnp.where(held, 0.0, first - H.times(dx) - J.transposed_times(d))
        return e1, jnp.where(on, second - J.times(dx), 0.0)

    def closer(_: int, found: tuple) -> tuple:
        (dx, d), (e1, e2) = found, left(*found)
        more = band.solve(factor, tall(e1 + J.transposed_times(weight * e2))).T
        more = jnp.where(held, 0.0, more)
        return dx + more, d + weight * (J.times(more) - e2)

    if is_hosted(r1.shape[1], size):
        given = tall(H.values), tall(J.values), jnp.zeros(r2.T.shape), tall(weight), *factor, first.T, second.T
        shapes = [(first.T.shape, "float64"), (second.T.shape, "float64")]
        dx, d = (a.T for a in host_call(refined, shapes, *given, condensed=band, **REFINED))
    else:
        nothing = jnp.zeros((size, r1.shape[1])), jnp.zeros((size, r2.shape[1]))
        dx, d = jax.lax.fori_loop(0, 1 + REFINEMENTS, closer, nothing)
    x = dx + onto
    largest = lambda first, second: jnp.max(abs(jnp.concatenate([first, second], 1)), 1)
    good = good & (largest(*left(dx, d)) <= EXACT * largest(first, second))  # weights hide what is nearly flat
    return (x, d, jnp.where(held, r1 - W.times(x) - C.transposed_times(d), 0.0)), good


def row_weight(factor: float, H: Sparse, J: Sparse) -> Any:
    """Weights of rows that outweigh the curvature so many times, 0 for rows of zeros."""
    curvature = jnp.max(abs(H.values), 1, keepdims=True, initial=0.0)
    curvature = jnp.where(curvature > 0, curvature, 1.0)
    norms = Sparse(J.values**2, J.pattern).times(jnp.ones((1, J.pattern.width)))
    return jnp.where(norms > 0, factor * curvature / jnp.where(norms > 0, norms, 1.0), 0.0)
