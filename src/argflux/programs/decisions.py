"""Losses that judge predicted costs by the decisions they lead to: SPO+, perturbed and regularised Fenchel-Young."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from argflux.errors import ArgumentError, DtypeError, ShapeError
from argflux.jaxpr import Tracer
from argflux.keywords import explained
from argflux.programs.program import Program
from argflux.programs.statements.blocks import read_array


@explained
def spo_plus_loss(
    program: Callable,
    cost: Any,
    true_cost: Any,
    *,
    solution: Any = None,
    maximise: bool = False,
    axes: int = 1,
    agg: Callable = jnp.mean,
) -> jax.Array:
    """The SPO+ loss of predicted costs ĉ against true ones c: `2 ĉ'w*(c) - (2ĉ - c)'w*(2ĉ - c) - c'w*(c)`.

    A convex upper bound of the regret. `w*(c)` minimises `c'w`. The gradient with respect to `ĉ` is the subgradient
    `2 (w*(c) - w*(2ĉ - c))`; no derivative of the program is taken, so a linear program needs no smoothing.

    Args:
        program: from costs to a decision of the same shape that minimises `cost'decision` over a fixed set: a
            `Program` with one parameter, or any such function.
        cost: the predicted costs ĉ, `(…, n)`: axes before the last are examples.
        true_cost: the costs c, like `cost`.
        solution: the decisions `w*(c)`, like `cost`, if they are known; solved for otherwise.
        maximise: whether the program maximises `cost'decision`; all signs turn.
        axes: how many of the last axes make one example, say 2 for costs that are a matrix.
        agg: what makes one number of those of the examples.

    Returns:
        A number, of the dtype of `cost`.

    Raises:
        ShapeError: for costs and decisions that are not of one shape, or for none.
        DtypeError: for costs that are no real arrays.

    Source:
        Elmachtoub and Grigas, "Smart 'Predict, then Optimize'" (2022), definition 3 and proposition 3.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from argflux.programs import Program, spo_plus_loss
        >>> pick = Program(lambda w, c: jnp.vdot(c, w), lambda c: c, equality=lambda w, c: jnp.sum(w) - 1, lower=0.0)
        >>> loss = lambda cost: spo_plus_loss(pick, cost, jnp.array([1.0, 2.0, 4.0]))
        >>> float(loss(jnp.array([3.0, 2.0, 4.0]))), jax.grad(loss)(jnp.array([3.0, 2.0, 4.0])).tolist()
        (3.0, [2.0, -2.0, 0.0])
    """
    cost, true_cost = _pair(cost, true_cost, "true_cost", axes, "spo_plus_loss")
    decide = _decisions(program, axes, "spo_plus_loss")
    best = decide(true_cost) if solution is None else _like(cost, solution, "solution", "spo_plus_loss")
    turned = 2 * cost - true_cost
    gap = _inner(2 * cost - true_cost, best, axes) - _inner(turned, decide(turned), axes)
    return agg(-gap if maximise else gap)


@explained
def perturbed_loss(
    program: Callable,
    cost: Any,
    solution: Any,
    *,
    key: jax.Array,
    scale: float = 1.0,
    samples: int = 16,
    maximise: bool = False,
    axes: int = 1,
    agg: Callable = jnp.mean,
) -> jax.Array:
    """The perturbed Fenchel-Young loss of predicted costs against decisions: `ĉ'w - E[min (ĉ + scale Z)'v over v]`.

    Z is standard normal, the expectation a mean of samples. The gradient with respect to `ĉ` is
    `w - E[w*(ĉ + scale Z)]`, zero where the decisions taken under noise are, on average, the true one.
    The term that depends on w alone is left out, so the loss may be negative.

    Args:
        program: as for `spo_plus_loss`.
        cost: the predicted costs ĉ, `(…, n)`: axes before the last are examples.
        solution: the true decisions w, like `cost`, such as `program(true_cost)`.
        key: a `jax.random` key for the noise; take another at each step.
        scale: standard deviation of the noise, positive.
        samples: how many.
        maximise: whether the program maximises `cost'decision`; all signs turn.
        axes: how many of the last axes make one example.
        agg: what makes one number of those of the examples.

    Returns:
        A number, of the dtype of `cost`.

    Raises:
        ArgumentError: for a scale that is not positive, less than one sample, or no key.
        ShapeError: for costs and decisions that are not of one shape, or for none.
        DtypeError: for costs that are no real arrays.

    Source:
        Berthet, Blondel, Teboul, Cuturi, Vert and Bach, "Learning with differentiable perturbed optimizers" (2020).

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from argflux.programs import Program, perturbed_loss
        >>> pick = Program(lambda w, c: jnp.vdot(c, w), lambda c: c, equality=lambda w, c: jnp.sum(w) - 1, lower=0.0)
        >>> loss = lambda cost: perturbed_loss(pick, cost, jnp.array([1.0, 0.0]), key=jax.random.key(0), scale=0.1)
        >>> jax.grad(loss)(jnp.array([3.0, 1.0])).tolist()
        [1.0, -1.0]
    """
    where = "perturbed_loss"
    cost, solution = _pair(cost, solution, "solution", axes, where)
    if not samples >= 1 or not (isinstance(scale, Tracer) or scale > 0):
        got, todo = f"scale={scale}, samples={samples}", "leave them out for 1.0 and 16"
        raise ArgumentError(got, "a positive scale and at least one sample", todo, where=where)
    if key is None:
        raise ArgumentError("no key", "a key for the noise", "pass key=jax.random.key(0)", where=where)
    noise = jax.random.normal(key, (samples, *cost.shape), cost.dtype) * jnp.asarray(scale, cost.dtype)
    noisy = cost + noise
    values = _inner(noisy, _decisions(program, axes, where)(noisy), axes)
    gap = _inner(cost, solution, axes) - jnp.mean(values, 0)
    return agg(-gap if maximise else gap)


@explained
def fenchel_young_loss(
    program: Callable,
    cost: Any,
    solution: Any,
    *,
    regulariser: Callable | None = None,
    maximise: bool = False,
    axes: int = 1,
    agg: Callable = jnp.mean,
) -> jax.Array:
    """The Fenchel-Young loss of predicted costs against decisions: `ĉ'w + Ω(w) - min (ĉ'v + Ω(v)) over v`.

    It is not negative, and zero where the program decides w. Its gradient with respect to `ĉ` is `w - v*(ĉ)`, of the
    regularised decision `v*`.

    Args:
        program: from costs to the decision of the same shape that minimises `cost'decision + Ω(decision)`: a `Program`
            with one parameter, say with `smoothing`, or any such function.
        cost: the predicted costs ĉ, `(…, n)`: axes before the last are examples.
        solution: the true decisions w, like `cost`.
        regulariser: Ω, from a decision to a number; may be left out for a `Program` stated by functions, which says it.
        maximise: whether the program maximises `cost'decision - Ω(decision)`; needs the regulariser.
        axes: how many of the last axes make one example.
        agg: what makes one number of those of the examples.

    Returns:
        A number, of the dtype of `cost`.

    Raises:
        ArgumentError: without a regulariser, if the program does not say it.
        ShapeError: for costs and decisions that are not of one shape, or for none.
        DtypeError: for costs that are no real arrays.

    Source:
        Blondel, Martins and Niculae, "Learning with Fenchel-Young losses" (2020).

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from argflux.programs import fenchel_young_loss, project, simplex
        >>> sparsemax, half_square = lambda cost: project(simplex(2))(-cost), lambda w: jnp.sum(w * w) / 2
        >>> loss = lambda cost: fenchel_young_loss(sparsemax, cost, jnp.array([1.0, 0.0]), regulariser=half_square)
        >>> float(loss(jnp.array([0.25, 0.5]))), jax.grad(loss)(jnp.array([0.25, 0.5])).tolist()
        (0.140625, [0.375, -0.375])
    """
    where = "fenchel_young_loss"
    cost, solution = _pair(cost, solution, "solution", axes, where)
    value = _value(program, regulariser, maximise, where)
    for _ in range(cost.ndim - axes):
        value = jax.vmap(value)
    return agg(value(cost, solution) - value(cost, _decisions(program, axes, where)(cost)))


@explained
def regret(
    program: Callable,
    cost: Any,
    true_cost: Any,
    *,
    solution: Any = None,
    maximise: bool = False,
    axes: int = 1,
    agg: Callable = jnp.mean,
) -> jax.Array:
    """What deciding on predicted costs loses against knowing them: `c'w*(ĉ) - c'w*(c)`, not negative.

    It is what the decision losses stand for; its own gradient is zero wherever it exists.

    Args:
        program: as for `spo_plus_loss`.
        cost: the predicted costs ĉ, `(…, n)`: axes before the last are examples.
        true_cost: the costs c, like `cost`.
        solution: the decisions `w*(c)`, like `cost`, if they are known.
        maximise: whether the program maximises `cost'decision`; all signs turn.
        axes: how many of the last axes make one example.
        agg: what makes one number of those of the examples.

    Returns:
        A number, of the dtype of `cost`.

    Raises:
        ShapeError: for costs and decisions that are not of one shape, or for none.
        DtypeError: for costs that are no real arrays.

    Source:
        Elmachtoub and Grigas, "Smart 'Predict, then Optimize'" (2022), definition 1.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.programs import Program, regret
        >>> pick = Program(lambda w, c: jnp.vdot(c, w), lambda c: c, equality=lambda w, c: jnp.sum(w) - 1, lower=0.0)
        >>> float(regret(pick, jnp.array([3.0, 2.0, 4.0]), jnp.array([1.0, 2.0, 4.0])))
        1.0
    """
    cost, true_cost = _pair(cost, true_cost, "true_cost", axes, "regret")
    decide = _decisions(program, axes, "regret")
    best = decide(true_cost) if solution is None else _like(cost, solution, "solution", "regret")
    lost = _inner(true_cost, decide(cost), axes) - _inner(true_cost, best, axes)
    return agg(-lost if maximise else lost)


def _pair(cost: Any, other: Any, name: str, axes: int, where: str) -> tuple[jax.Array, jax.Array]:
    cost = read_array("cost", cost, None, where)
    if not 1 <= axes <= cost.ndim:
        expected = f"at least {max(axes, 1)} axes: those of the examples, then those of one"
        raise ShapeError(f"cost of shape {list(cost.shape)}", expected, "pass one cost for each unknown", where=where)
    if not cost.size:
        got, todo = f"cost of shape {list(cost.shape)}", "pass at least one example"
        raise ShapeError(got, "costs to decide by", todo, where=where)
    return cost, _like(cost, other, name, where)


def _like(cost: jax.Array, value: Any, name: str, where: str) -> jax.Array:
    value = read_array(name, value, cost.dtype, where)
    if value.shape != cost.shape:
        got, expected = f"{name} of shape {list(value.shape)}", f"shape {list(cost.shape)}, like cost"
        raise ShapeError(got, expected, f"give {name} an entry for every cost", where=where)
    return value


def _inner(cost: jax.Array, decision: jax.Array, axes: int) -> jax.Array:
    return jnp.sum(cost * decision, tuple(range(-axes, 0)))


def _decisions(program: Callable, axes: int, where: str) -> Callable[[jax.Array], jax.Array]:
    """The program for all examples at once, no derivative of which is taken."""
    if not callable(program):
        got, todo = f"a {type(program).__name__}", "pass a Program, or a function that solves one"
        raise DtypeError(got, "a function from costs to a decision", todo, where=where)

    def one(cost: jax.Array) -> jax.Array:
        found = program(cost)
        shape = getattr(found, "shape", None)
        if shape != cost.shape:
            got = f"a decision {'that is a ' + type(found).__name__ if shape is None else f'of shape {list(shape)}'}"
            todo = "pass a function that returns the part of the minimiser that costs belong to"
            raise ShapeError(got, f"shape {list(cost.shape)}, like one example's costs", todo, where=where)
        return found.astype(cost.dtype)

    def decide(cost: jax.Array) -> jax.Array:
        solve = one
        for _ in range(cost.ndim - axes):
            solve = jax.vmap(solve)
        return jax.lax.stop_gradient(solve(jax.lax.stop_gradient(cost)))

    return decide


def _value(program: Any, regulariser: Callable | None, maximise: bool, where: str) -> Callable:
    """What one example's program minimises, of its costs and a decision."""
    if regulariser is not None:
        sign = -1 if maximise else 1
        return lambda cost, decision: sign * jnp.sum(cost * decision) + regulariser(decision)
    if maximise or not isinstance(program, Program) or (stated := program.stated_objective) is None:
        todo = "pass regulariser=lambda w: …, zero for a linear program"
        raise ArgumentError("no regulariser", "Ω, as the program does not say it", todo, where=where)
    return lambda cost, decision: stated(decision, cost)
