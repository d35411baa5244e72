"""Large layers: a first-order method on all units at once, with a bound on how far each is from its optimum."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from argflux.patterns.design.unit_programs import UnitPrograms, UnitSolutions

STRETCH = 50


def solve_first_order(
    programs: UnitPrograms,
    tolerance: float = 1e-3,
    max_iterations: int = 5000,
    done: Callable[[int], Any] = lambda units: None,
) -> UnitSolutions:
    """Solve soft programs by the primal-dual hybrid gradient method, restarted from averages.

    The weights lie in their box exactly; `gap` is what weak duality leaves open, so a unit is "optimal" up to
    `tolerance` (gains have an ℓ1 norm of one over the bound, so an objective is about one) or "approximate".

    Args:
        programs: the programs, of finite penalty.
        tolerance: the gap to stop at.
        max_iterations: where to stop in any case.
        done: called with the number of units that reached the tolerance since the last call.

    Reference:
        Chambolle and Pock, "A first-order primal-dual algorithm for convex problems with applications to imaging",
        2011; Applegate et al., "Practical large-scale linear programming using primal-dual hybrid gradient", 2021.
    """
    held = _on_device(programs)
    w = jnp.clip(jnp.zeros_like(held["gain"]), held["lower"], held["upper"])
    y = jnp.zeros_like(held["target"] + jnp.zeros((len(w), 1), w.dtype))
    reached = 0
    for _ in range(-(-max_iterations // STRETCH)):
        w, y, gap = _stretch(held, w, y)
        count = int((gap <= tolerance).sum())
        done(max(count - reached, 0))
        reached = max(count, reached)
        if count == len(w):
            break
    weights = _balanced(programs, np.asarray(w, np.float64))
    gaps = programs.objective(weights) - _bound(programs, np.asarray(y, np.float64))
    return UnitSolutions(weights, np.where(gaps <= 2 * tolerance, "optimal", "approximate"), gaps)


def _on_device(programs: UnitPrograms) -> dict[str, Array]:
    """The programs in float32: a balance is one more row, with a multiplier of either sign."""
    rows, target = programs.rows, programs.margin - programs.offset
    samples = len(rows)
    low, high = np.zeros(samples), np.full(samples, programs.penalty)
    if programs.balance is not None:
        rows, target = np.vstack([rows, programs.balance]), np.pad(target, [(0, 0), (0, 1)])
        low, high = np.r_[low, -np.inf], np.r_[high, np.inf]
    norm = np.linalg.norm(rows, 2)
    radius = np.sqrt(np.mean(np.sum((programs.upper - programs.lower) ** 2, axis=1)))
    ratio = radius / (programs.penalty * np.sqrt(samples) or 1.0)
    arrays = {
        "rows": rows,
        "target": target,
        "low": low,
        "high": high,
        "primal": ratio / norm,
        "dual": 1 / ratio / norm,
    }
    arrays |= {name: getattr(programs, name) for name in ("gain", "lower", "upper")}
    return {name: jnp.asarray(value, jnp.float32) for name, value in arrays.items()}


@functools.partial(jax.jit, donate_argnums=(1, 2))
def _stretch(held: dict[str, Array], w: Array, y: Array) -> tuple[Array, Array, Array]:
    """Run some iterations; each unit goes on from the last point or the average, whichever has the smaller gap."""
    rows, target = held["rows"], held["target"]

    def iterate(_: Any, point: tuple) -> tuple:
        w, y, w_sum, y_sum = point
        ahead = jnp.clip(w + held["primal"] * (held["gain"] + y @ rows), held["lower"], held["upper"])
        y = jnp.clip(y + held["dual"] * (target - (2 * ahead - w) @ rows.T), held["low"], held["high"])
        return ahead, y, w_sum + ahead, y_sum + y

    w, y, w_sum, y_sum = lax.fori_loop(0, STRETCH, iterate, (w, y, jnp.zeros_like(w), jnp.zeros_like(y)))
    means = w_sum / STRETCH, y_sum / STRETCH
    last_gap, mean_gap = _gap(held, w, y), _gap(held, *means)
    better = (mean_gap < last_gap)[:, None]
    return jnp.where(better, means[0], w), jnp.where(better, means[1], y), jnp.minimum(last_gap, mean_gap)


def _gap(held: dict[str, Array], w: Array, y: Array) -> Array:
    rows, target, high = held["rows"], held["target"], held["high"]
    miss = target - w @ rows.T
    cost = jnp.where(jnp.isinf(high), jnp.abs(miss), high * jnp.maximum(miss, 0.0)).sum(1)
    reduced = -held["gain"] - y @ rows
    bound = (y * target).sum(1) + jnp.minimum(reduced * held["lower"], reduced * held["upper"]).sum(1)
    return cost - (held["gain"] * w).sum(1) - bound


def _bound(programs: UnitPrograms, y: np.ndarray) -> np.ndarray:
    """The value of the dual programs, below which no objective can lie."""
    samples = len(programs.rows)
    hinge = np.clip(y[:, :samples], 0.0, programs.penalty)
    reduced = -programs.gain - hinge @ programs.rows
    if programs.balance is not None:
        reduced -= y[:, samples:] * programs.balance
    least = np.minimum(reduced * programs.lower, reduced * programs.upper).sum(1)
    return (hinge * (programs.margin - programs.offset)).sum(1) + least


def _balanced(programs: UnitPrograms, weights: np.ndarray) -> np.ndarray:
    """Shift weights along the balance, within their box, until balance·w = 0."""
    weights = np.clip(weights, programs.lower, programs.upper)
    if programs.balance is None:
        return weights
    reach = np.full((len(weights), 1), np.max(programs.upper - programs.lower))
    low, high = -reach, reach
    for _ in range(60):
        middle = (low + high) / 2
        moved = np.clip(weights + middle * programs.balance, programs.lower, programs.upper)
        above = (moved @ programs.balance > 0)[:, None]
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return moved
