"""Nonlinear programs with parameters, as rows that the tests walk, and what is known of their solutions."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from argflux.programs import Program


class Row(NamedTuple):
    """A program, its parameters, a start, and the fields of its solution that are known as functions of parameters."""

    name: str
    program: Program
    params: tuple
    start: Any = None
    known: dict[str, Callable] = {}  # noqa: RUF012


def _hs071() -> Row:
    program = Program(
        lambda x, scale, radius, least: x[0] * x[3] * (x[0] + x[1] + x[2]) + scale * x[2],
        4,
        equality=lambda x, scale, radius, least: x @ x - radius,
        inequality=lambda x, scale, radius, least: least - jnp.prod(x),
        lower=1.0,
        upper=5.0,
    )
    found = [1.0, 4.742999637, 3.821149979, 1.379408293]
    known = {"x": lambda *_: jnp.array(found), "objective": lambda *_: 17.0140172891563}
    return Row("Hock and Schittkowski 71", program, (1.0, 40.0, 25.0), jnp.array([1.0, 5.0, 5.0, 1.0]), known)


def _furthest() -> Row:
    program = Program(
        lambda x, c, radius: -c @ x,
        3,
        inequality=lambda x, c, radius: {"ball": x @ x - radius**2, "far": x[0] - 50.0},
    )
    size = lambda c: jnp.sqrt(c @ c)
    known = {
        "x": lambda c, r: r * c / size(c),
        "objective": lambda c, r: -r * size(c),
        "z": lambda c, r: {"ball": size(c) / (2 * r), "far": 0.0},
    }
    return Row("a ball, and a constraint far off", program, (jnp.array([1.0, -2.0, 2.0]), 0.5), None, known)


def _power() -> Row:
    program = Program(
        lambda x, gain, power: -jnp.sum(jnp.log(gain + x)),
        3,
        equality=lambda x, gain, power: jnp.sum(x) - power,
        lower=0.0,
    )
    level = lambda gain, power: (power + gain[0] + gain[1]) / 2
    known = {
        "x": lambda gain, power: jnp.array([level(gain, power) - gain[0], level(gain, power) - gain[1], 0.0]),
        "y": lambda gain, power: 1 / level(gain, power),
        "z_lower": lambda gain, power: jnp.array([0.0, 0.0, 1 / level(gain, power) - 1 / gain[2]]),
    }
    return Row("filling with water", program, (jnp.array([0.5, 1.0, 3.0]), 1.5), None, known)


def _bounds() -> Row:
    program = Program(
        lambda x, a, low, high: jnp.sum(jnp.exp(x) - a * x),
        3,
        lower=lambda a, low, high: low,
        upper=lambda a, low, high: high,
    )
    known = {"x": lambda a, low, high: jnp.clip(jnp.log(a), low, high)}
    known["z_upper"] = lambda a, low, high: jnp.maximum(a - jnp.exp(high), 0.0)
    known["z_lower"] = lambda a, low, high: jnp.maximum(jnp.exp(low) - a, 0.0)
    return Row("bounds that are parameters", program, (jnp.array([0.2, 2.0, 9.0]), -1.0, 2.0), None, known)


def _fixed() -> Row:
    program = Program(
        lambda x, a: jnp.sum(x**4 / 4) - a @ x + x[0] * x[1],
        3,
        lower=lambda a: jnp.stack([a[2], -jnp.inf, -1.0]),
        upper=lambda a: jnp.stack([a[2], jnp.inf, 7.0]),
    )
    known = {"x": lambda a: jnp.stack([a[2], jnp.cbrt(a[1] - a[2]), jnp.cbrt(a[2])])}
    return Row("an unknown that is fixed", program, (jnp.array([0.3, 2.0, 0.5]),), jnp.ones(3), known)


def _rosenbrock() -> Row:
    program = Program(
        lambda x, a, b: (a - x["u"]) ** 2 + b * jnp.sum((x["v"] - x["u"] ** 2) ** 2), {"u": (), "v": (2,)}
    )
    known = {"x": lambda a, b: {"u": a, "v": jnp.stack([a**2, a**2])}, "objective": lambda a, b: 0 * a}
    return Row("Rosenbrock's valley, a tree", program, (1.2, 100.0), None, known)


def _arm() -> Row:
    tip = lambda x: jnp.stack([jnp.sum(jnp.cos(jnp.cumsum(x))), jnp.sum(jnp.sin(jnp.cumsum(x)))])
    program = Program(
        lambda x, goal, rest: jnp.sum((x - rest) ** 2),
        3,
        equality=lambda x, goal, rest: tip(x) - goal,
        lower=-1.5,
        upper=1.5,
    )
    return Row("an arm of three joints", program, (jnp.array([1.0, 1.5]), jnp.array([0.1, 0.5, 0.2])), jnp.full(3, 0.4))


def _scaled() -> Row:
    program = Program(
        lambda x, a: 1e4 * jnp.cosh(x[0] - a) + 1e-2 * x[1] ** 2 - x[2],
        3,
        inequality=lambda x, a: [1e3 * (x[2] ** 2 + x[1] ** 2 - 1.0), x[1] - 1e2],
        upper=jnp.array([jnp.inf, 1e6, 1e3]),
    )
    known = {"x": lambda a: jnp.stack([a, 0 * a, 1 + 0 * a]), "z": lambda a: [5e-4 + 0 * a, 0 * a]}
    return Row("uneven scales", program, (0.7,), None, known)


ROWS = [_hs071(), _furthest(), _power(), _bounds(), _fixed(), _rosenbrock(), _arm(), _scaled()]
FIELDS = ("x", "y", "z", "z_lower", "z_upper", "objective")


def floats(params: tuple) -> tuple:
    """The parameters as arrays of the dtype that is the default now."""
    return tuple(jnp.asarray(np.asarray(p), float) for p in params)
