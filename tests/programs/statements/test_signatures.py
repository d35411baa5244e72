"""Functions take the parameters by name where they name them; by position elsewhere; other names are refused."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argflux as af
from argflux.errors import ArgumentError
from argflux.programs import Program, ProgramLayer

PRICES, TOTAL = jnp.array([1.0, 2.0, 4.0]), jnp.asarray(6.0)
EXPECTED = 2.0 + 7.0 / 3 - PRICES  # argmin prices'x + x'x / 2 with sum(x) = total


def cost(x, prices, total):
    return jnp.vdot(prices, x) + 0.5 * jnp.sum(x * x)


def by_place(x, _p, t, /):
    return jnp.sum(x) - t


def hidden(function):
    """A wrapper that hides the names of what it calls."""
    return lambda *args, **kwargs: function(*args, **kwargs)


class Balance:
    """A callable object, whose method names the parameters in another order."""

    def __call__(self, x, total, prices):
        return jnp.sum(x) - total


EQUALITIES = {
    "the same order": lambda x, prices, total: jnp.sum(x) - total,
    "another order": lambda x, total, prices: jnp.sum(x) - total,
    "another name of the variable": lambda v, total, prices: jnp.sum(v) - total,
    "positional only": by_place,
    "a name and the rest": lambda x, total, *_: jnp.sum(x) - total,
    "the rest in order": lambda x, *params: jnp.sum(x) - params[1],
    "everything in order": lambda *arguments: jnp.sum(arguments[0]) - arguments[2],
    "keyword only": lambda x, *, total, prices: jnp.sum(x) - total,
    "a dictionary": lambda x, **params: jnp.sum(x) - params["total"],
    "a name and a dictionary": lambda x, total, **params: jnp.sum(x) - total + 0 * params["prices"][0],
    "a blank": lambda x, _, total: jnp.sum(x) - total,
    "a blank last": lambda x, total, _: jnp.sum(x) - total,
    "a value of its own": lambda x, total, prices, scale=1.0: scale * (jnp.sum(x) - total),
    "a value of its own before the rest": lambda x, total, scale=1.0, *_: scale * (jnp.sum(x) - total),
    "partial": functools.partial(lambda scale, x, total, prices: scale * (jnp.sum(x) - total), 2.0),
    "partial by name": functools.partial(lambda x, total, scale, prices: scale * (jnp.sum(x) - total), scale=2.0),
    "jitted": jax.jit(lambda x, total, prices: jnp.sum(x) - total),
    "mapped": lambda x, total, prices: jax.vmap(lambda total, x: jnp.sum(x) - total)(total[None], x[None]),
    "an object": Balance(),
    "a bound method": Balance().__call__,
    "a wrapper": hidden(lambda x, total, prices: jnp.sum(x) - total),
    "the rest and settings": lambda x, *params, **settings: jnp.sum(x) - params[1],
}


@pytest.mark.parametrize("how", EQUALITIES)
def test_parameters_go_by_name(how):
    program = Program(cost, variable=(3,), equality=EQUALITIES[how])
    assert program.parameters == ("prices", "total")
    np.testing.assert_allclose(program(PRICES, TOTAL), EXPECTED, rtol=1e-6)
    np.testing.assert_array_equal(program(total=TOTAL, prices=PRICES), program(PRICES, total=TOTAL))


def test_names_before_a_slash_are_the_objectives():
    def cost(x, prices, total, /):
        return jnp.vdot(prices, x) + 0.5 * jnp.sum(x * x)

    for equality in (lambda x, total, prices: jnp.sum(x) - total, lambda x, p, t, /: jnp.sum(x) - t):
        program = Program(cost, variable=(3,), equality=equality)
        np.testing.assert_allclose(program(PRICES, TOTAL), EXPECTED, rtol=1e-6)
        np.testing.assert_allclose(program(total=TOTAL, prices=PRICES), EXPECTED, rtol=1e-6)


def test_every_function_of_a_program():
    """Variable and bounds name the parameters the other way round, and differ where they are confused."""
    program = Program(
        lambda x, mean, most: jnp.sum((x - mean) ** 2),
        variable=lambda most, mean: mean,
        inequality=lambda x, most, mean: x[0] - most / 2,
        lower=lambda most, mean: -most,
        upper=lambda *, most, mean: most + 0 * mean,
    )
    mean, most = jnp.array([3.0, 3.0, 0.5, -9.0]), jnp.asarray(2.0)
    np.testing.assert_allclose(program(mean, most), [1.0, 2.0, 0.5, -2.0], rtol=1e-6)
    moved = program.forward_differentiate(mean, most, tangents={"most": 1.0})
    np.testing.assert_allclose(moved.x, [0.5, 1.0, 0.0, -1.0], atol=1e-6)
    nudged = program.forward_differentiate(mean, most, objective=lambda x, most, mean: -most * jnp.sum(x))
    np.testing.assert_allclose(nudged.x, [0.0, 0.0, 1.0, 0.0], atol=1e-6)
    learned = ProgramLayer(program, most=most)
    np.testing.assert_allclose(learned(mean[None])[0], program(mean, most), rtol=1e-6)
    (slope,) = af.gradient(lambda layer: jnp.sum(layer(mean[None])), learned)
    np.testing.assert_allclose(slope.learned["most"], 0.5, atol=1e-6)


def test_an_objective_that_names_little_has_the_names_of_another_function():
    total = lambda x, start_stock, demand: jnp.sum(x) - demand + start_stock
    for objective in (lambda x, *_: x @ x, lambda x, **_: x @ x, lambda x, _, demand: x @ x, lambda x, _a, _b: x @ x):
        program = Program(objective, variable=(2,), equality=total)
        assert program.parameters == ("start_stock", "demand")
        np.testing.assert_allclose(program(1.0, 5.0), [2.0, 2.0], rtol=1e-6)
    assert Program(lambda x, demand, *_: x @ x, (2,), equality=total).parameters == ("demand", "start_stock")
    assert Program(lambda x, *_: x @ x, (2,)).parameters == ()


def test_defaults():
    program = Program(
        lambda x, y, weight=2.0, most=None: jnp.sum((x - weight * y) ** 2),
        variable=lambda y, **_: y,
        upper=lambda most, weight, y: jnp.inf if most is None else most,
    )
    y = jnp.array([1.0, -1.0])
    np.testing.assert_allclose(program(y), 2 * y)
    np.testing.assert_allclose(program(y, 3.0), program(y, weight=3.0))
    np.testing.assert_allclose(program(y, most=1.5), [1.5, -2.0])
    np.testing.assert_allclose(ProgramLayer(program)(y[None])[0], 2 * y)
    np.testing.assert_allclose(ProgramLayer(program, weight=3.0)(y[None])[0], 3 * y)
    loops = [Program(lambda x, y, k=k: jnp.sum((x - k * y) ** 2), lambda y: y) for k in (1.0, 2.0)]
    np.testing.assert_allclose([program(y) for program in loops], [y, 2 * y])
    with pytest.raises(ArgumentError, match=r"upper: got another default for k than the objective's"):
        Program(lambda x, y, k=1.0: jnp.sum((x - k * y) ** 2), lambda y: y, upper=lambda y, k=2.0: k)


SQUARE = lambda x, prices, total: jnp.sum(x * x)
OTHERS = {
    "equality": lambda x, price, total: x,
    "inequality": lambda x, prices: x,
    "lower": lambda prices, totals: 0.0,
    "upper": lambda prices, total, most: most,
    "variable": lambda p, t: p,
}


@pytest.mark.parametrize("what", OTHERS)
def test_other_names_are_refused(what):
    message = rf"Program {what}: got a function of \(.*\); expected a function of \(.*prices, total\), as the objective"
    with pytest.raises(ArgumentError, match=message):
        Program(SQUARE, **({"variable": (3,)} | {what: OTHERS[what]}))


def test_other_names_of_directions_are_refused():
    program = Program(SQUARE, variable=(3,))
    with pytest.raises(ArgumentError, match=r"objective: got a function of \(x, total, price\)"):
        program.forward_differentiate(PRICES, TOTAL, objective=lambda x, total, price: jnp.sum(x))


def test_the_variable_comes_first():
    with pytest.raises(ArgumentError, match=r"objective: got a function of \(\*, x\).*variable first"):
        Program(lambda *, x: jnp.sum(x), variable=(3,))
    with pytest.raises(ArgumentError, match=r"equality: got a function of \(prices, x, total\)"):
        Program(SQUARE, variable=(3,), equality=lambda prices, x, total: x)
