"""What a scan's pullback leaves for after the loop, and what it keeps for itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import argflux as af


def drawn(seed: int, *shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape) / 3, jnp.float32)


def recurrence(weight, xs, transposed=False):
    turn = (lambda w: w.T) if transposed else (lambda w: w)
    step = lambda h, x: (jnp.tanh(x + h @ turn(weight)), h)
    last, before = lax.scan(step, jnp.zeros_like(xs[0]), xs)
    return jnp.sum(jnp.square(last)) + jnp.sum(before[1] * before[2])


def fixed_input(weight, xs):
    """The input of the product is no stacked value: its cotangent has to be added up step by step."""
    step = lambda h, x: (jnp.tanh(h + (2.0 * x) @ weight), None)
    return jnp.sum(lax.scan(step, jnp.zeros_like(xs[0]), xs)[0])


LOSSES = {
    "right": recurrence,
    "transposed": lambda w, xs: recurrence(w, xs, transposed=True),
    "reversed": lambda w, xs: jnp.sum(lax.scan(lambda h, x: (jnp.sin(x + h @ w), h), xs[0], xs, reverse=True)[1]),
    "not stacked": fixed_input,
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_is_that_of_jax(name, x64):
    weight, xs = drawn(0, 3, 3).astype(jnp.float64), drawn(1, 5, 2, 3).astype(jnp.float64)
    loss = LOSSES[name]
    for ours, theirs in zip(af.gradient(loss, weight, xs), jax.grad(loss, (0, 1))(weight, xs), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    square = lambda f: lambda w: jnp.sum(jnp.square(f(w)))
    ours = af.gradient(square(lambda w: af.gradient(loss, w, xs)[0]), weight)[0]
    np.testing.assert_allclose(ours, jax.grad(square(lambda w: jax.grad(loss)(w, xs)))(weight), rtol=1e-10)


def scans(f, *args):
    return [eqn.params["jaxpr"].jaxpr for eqn in jax.make_jaxpr(f)(*args).jaxpr.eqns if eqn.primitive.name == "scan"]


def count(jaxpr, name: str) -> int:
    return sum(eqn.primitive.name == name for eqn in jaxpr.eqns)


def test_the_weight_of_a_recurrence_is_summed_after_the_loop():
    _, backward = scans(lambda w, xs: af.gradient(recurrence, w, xs), drawn(0, 3, 3), drawn(1, 5, 2, 3))
    assert count(backward, "dot_general") == 1


def test_what_arithmetic_makes_is_not_kept():
    model, x = af.LSTM(3, 4), drawn(2, 2, 5, 3)
    forward, _ = scans(lambda m: af.gradient(lambda m: jnp.sum(m(x)), m), model)
    assert len(forward.outvars) - 3 == 7  # besides two states and the output: four gates, tanh(c), and both states


def test_long_arithmetic_takes_no_time():
    def loss(x):
        def step(c, _):
            y = jnp.sin(c)
            for _ in range(60):
                y = y * y + y
            return c * y, None

        return lax.scan(step, x, None, length=2)[0]

    assert jnp.isfinite(af.gradient(loss, jnp.float32(0.0))[0])
