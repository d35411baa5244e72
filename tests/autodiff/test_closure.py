import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argflux as af

SCALE = jnp.array([2.0, 3.0])


def test_captured_arrays_have_derivatives_by_name():
    def make():
        weight, unused, tree = jnp.array([1.0, 2.0]), jnp.ones(2), {"b": jnp.zeros(2), "name": "bias"}

        def f(x):
            return jnp.sum(weight * SCALE * x) + jnp.sum(tree["b"]), unused

        return f

    _, back = af.pullback(lambda f: f(jnp.array([5.0, 7.0]))[0], make())
    _, back = af.pullback(make(), jnp.array([5.0, 7.0]))
    df, _ = back((1.0, jnp.zeros(2)))
    np.testing.assert_allclose(df["weight"], [10.0, 21.0])
    np.testing.assert_allclose(df["SCALE"], [5.0, 14.0])
    np.testing.assert_allclose(df["tree"]["b"], [1.0, 1.0])
    assert df["tree"]["name"] is None


def test_arrays_captured_by_captured_functions_and_compiled_ones():
    w = jnp.array(3.0)

    @jax.jit
    def inner(x):
        return w * x

    def outer(x):
        return inner(x) ** 2

    _, back = af.pullback(outer, 2.0)
    df, dx = back(1.0)
    assert float(df["inner"]["w"]) == 24.0
    assert float(dx) == 36.0


def test_partial_arguments_are_named():
    w = jnp.array(3.0)
    _, back = af.pullback(functools.partial(lambda w, x, *, b: w * x + b, w, b=SCALE[0]), 2.0)
    df, _ = back(1.0)
    assert float(df["args[0]"]) == 2.0


def test_a_recursive_function_does_not_loop():
    w = jnp.array(2.0)

    def power(x, n):
        return w * power(x, n - 1) if n else x

    _, back = af.pullback(lambda x: power(x, 3), 1.0)
    assert float(back(1.0)[0]["power"]["w"]) == 12.0


def test_nothing_captured_is_none():
    _, back = af.pullback(jnp.sin, 1.0)
    assert back(1.0)[0] is None


@pytest.mark.parametrize("wrap", ["scan", "cond", "remat", "nested"])
def test_arrays_captured_inside_compiled_functions_inside_control_flow(wrap):
    w, v = jnp.array([0.5, -1.5]), jnp.array([2.0, 3.0])
    inner = jax.jit(lambda x: jnp.sin(w * x) + v)
    outer = {
        "scan": lambda x: jax.lax.scan(lambda c, _: (inner(c), c), x, length=3)[0],
        "cond": lambda x: jax.lax.cond(x[0] > 0, inner, lambda x: x * v, x),
        "remat": lambda x: jax.checkpoint(lambda x: inner(x) * v)(x),
        "nested": lambda x: jax.lax.scan(lambda c, _: (jax.checkpoint(inner)(c), None), x, length=2)[0],
    }[wrap]

    def reference(w, v):
        inner = lambda x: jnp.sin(w * x) + v
        return jnp.sum(
            {
                "scan": lambda x: inner(inner(inner(x))),
                "cond": inner,
                "remat": lambda x: inner(x) * v,
                "nested": lambda x: inner(inner(x)),
            }[wrap](jnp.ones(2))
        )

    theta = af.params({"v": v, "w": w})
    for run in (lambda f: f(), lambda f: jax.jit(f)()):
        grads = run(lambda: af.gradient(lambda: jnp.sum(outer(jnp.ones(2))), theta)[0])
        dw, dv = jax.grad(reference, argnums=(0, 1))(w, v)
        np.testing.assert_allclose(grads["['w']"], dw, rtol=1e-5)
        np.testing.assert_allclose(grads["['v']"], dv, rtol=1e-5)
