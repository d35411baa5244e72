"""Closed form of programs with a diagonal P and nothing but bounds: every unknown is a program of its own."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from argflux.programs.answers.solution import Residuals, Solution, spoiled
from argflux.programs.answers.status import Regularity, Status
from argflux.programs.statements.blocks import check_options, check_values, read_blocks

WHERE = "solve_qp"


def solve_boxed(P: Any, q: Any, lower: Any, upper: Any, **options: Any) -> Solution:
    """Minimise `Σ P x² / 2 + q x` within `lower ≤ x ≤ upper`, element by element in the dtype of q.

    Where `P > 0` the solution is `-q / P`, or the bound that it lies beyond; where `P = 0` it is the bound that q
    points away from. Plain operations carry the derivatives; elements that fail have none, and harm no other.

    Args:
        P: `(n,)`, or `None` for zeros.
        q: `(n,)`.
        lower: `(n,)`, or `None`.
        upper: `(n,)`, or `None`.
        **options: as for `solve_qp`; only `on_failure` and the checks of the others matter.

    Example:
        >>> import jax.numpy as jnp
        >>> solve_boxed(jnp.ones(3), jnp.array([-2.0, 0.5, 3.0]), jnp.full(3, -1.0), None).x.tolist()
        [2.0, -0.5, -1.0]
    """
    form, blocks = read_blocks(P, q, None, None, None, None, lower, upper, where=WHERE)
    defaults = {"solver": None, "tolerance": 1e-8, "max_iterations": 1, "on_failure": "zero"}
    settings = check_options(form, **(defaults | options), dtype=blocks.q.dtype, where=WHERE)
    check_values(form, blocks, where=WHERE)
    low = blocks.lower if form.lower else jnp.full_like(blocks.q, -jnp.inf)
    high = blocks.upper if form.upper else jnp.full_like(blocks.q, jnp.inf)
    curve = blocks.P if form.curvature == "diagonal" else jnp.zeros_like(blocks.q)
    return _solve(_Boxed(curve, blocks.q, low, high), settings.on_failure == "nan")


class _Boxed(NamedTuple):
    P: jax.Array
    q: jax.Array
    low: jax.Array
    high: jax.Array


_HARMLESS = _Boxed(1.0, 0.0, -jnp.inf, jnp.inf)  # pyright: ignore[reportArgumentType]


@functools.partial(jax.jit, static_argnums=1)
def _solve(given: _Boxed, spoils: bool) -> Solution:
    """Solve usable elements; what the others hold is multiplied by 0, or by NaN, and so are its derivatives."""
    usable = _is_usable(*given)
    stand_in = lambda a, b: b + 0.0 * jnp.where(usable, jnp.zeros_like(a), a) if spoils else b
    P, q, low, high = (jnp.where(usable, a, stand_in(a, b)) for a, b in zip(given, _HARMLESS, strict=True))
    curved, fixed, zero = P > 0, low == high, jnp.zeros_like(q)
    inner = (0.0 - q) / jnp.where(curved, P, jnp.ones_like(P))
    to_low = jnp.where(curved, inner <= low, q > 0) | fixed
    to_high = jnp.where(curved, inner >= high, q < 0) & ~to_low
    idle = ~curved & (q == 0)
    inner = jnp.where(idle, jax.lax.stop_gradient(jnp.clip(zero, low, high)), inner)
    x = jnp.where(to_low, low, jnp.where(to_high, high, inner))
    solved = usable & jnp.isfinite(x)
    factor = spoiled(jnp.ones_like(q), ~solved) if spoils else solved.astype(q.dtype)
    x = (x if spoils else jnp.where(jnp.isfinite(x), x, zero)) * factor
    slope = (P * x + q) * factor
    status = jnp.where(usable, jnp.where(solved, Status.SOLVED, Status.DUAL_INFEASIBLE), Status.BAD_DATA)
    weak = solved & curved & ~fixed & (to_low | to_high) & (slope == 0)
    flags = jnp.where(jnp.any(weak), Regularity.STRICT_COMPLEMENTARITY, Regularity.REGULAR)
    flags = flags | jnp.where(jnp.any(solved & idle & ~fixed), Regularity.NON_UNIQUE, Regularity.REGULAR)
    left = jax.lax.stop_gradient(jnp.where(solved & ~to_low & ~to_high, jnp.abs(slope), zero))
    none = jnp.zeros((), q.dtype)
    return Solution(
        x=x,
        y=jnp.zeros(0, q.dtype),
        z=jnp.zeros(0, q.dtype),
        z_lower=jnp.where(to_low, jnp.where(fixed, jnp.maximum(slope, zero), slope), zero),
        z_upper=jnp.where(to_high, -slope, jnp.where(fixed, jnp.maximum(-slope, zero), zero)),
        objective=jnp.sum(x * (P * x / 2 + q)),
        status=jnp.max(status).astype(jnp.int32),
        iterations=jnp.int32(1),
        residuals=Residuals(none, jnp.max(left), none),
        regularity=flags.astype(jnp.int32),
    )


def _is_usable(P: jax.Array, q: jax.Array, low: jax.Array, high: jax.Array) -> jax.Array:
    """Whether an element's data are numbers, convex and do not contradict themselves."""
    numbers = jnp.isfinite(P) & jnp.isfinite(q) & ~jnp.isnan(low) & ~jnp.isnan(high)
    return numbers & (P >= 0) & (low <= high) & (low < jnp.inf) & (high > -jnp.inf)
