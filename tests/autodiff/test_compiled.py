"""Programs inside a function, compiled when a gradient is taken outside `jit`: same derivatives, made once."""

import gc

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from argflux import autodiff
from argflux.autodiff import compiled
from argflux.errors import MissingRuleError


def _long(x):
    """Compute `x` in more equations than are run in place."""
    for _ in range(compiled.FEW):
        x = jnp.tanh(jnp.arctanh(x))
    return x


@jax.jit
def smooth(x):
    return jnp.sum(jnp.sin(_long(x)) * x)


def _step(state, x):
    return state * jnp.cos(x) + x, state


def looped(x):
    last, states = lax.scan(_step, x[0], x)
    return last + jnp.sum(states)


def _negative(x):
    return jnp.sum(x**3)


def chosen(x):
    return lax.cond(x[0] > 0, smooth, _negative, x)


FUNCTIONS = [smooth, looped, chosen]
X = jnp.array([0.3, -0.4, 0.5])


@pytest.fixture
def made(monkeypatch):
    """Record every compiled form that is made."""
    forms, make = [], compiled.Form.__init__
    monkeypatch.setattr(compiled.Form, "__init__", lambda self, halves: (forms.append(self), make(self, halves))[1])
    monkeypatch.setattr(compiled, "_FORMS", type(compiled._FORMS)())
    return forms


@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("x", [X, -X], ids=["plus", "minus"])
def test_same_gradient_made_once(f, x, made):
    for _ in range(3):
        np.testing.assert_allclose(autodiff.gradient(f, x)[0], jax.grad(f)(x), rtol=2e-5)
    assert len(made) == 1
    np.testing.assert_allclose(jax.jit(lambda x: autodiff.gradient(f, x)[0])(x), jax.grad(f)(x), rtol=2e-5)
    assert len(made) == 1


def test_small_programs_run_in_place(made):
    autodiff.gradient(jax.jit(lambda x: jnp.sum(jnp.sin(x))), X)
    assert not made


@pytest.mark.parametrize("f", [looped, lambda x: jnp.stack([smooth(x), looped(x)])])
def test_jacobian(f, made):
    np.testing.assert_allclose(autodiff.jacobian(f, X), jax.jacrev(f)(X), rtol=2e-5)
    assert made


@jax.jit
def _logarithm_and_value(x):
    return jnp.log(x), _long(x)


def test_an_unused_output_is_not_zero_times_infinity(made):
    f = lambda x: jnp.sum(_logarithm_and_value(x)[1])
    for _ in range(3):
        np.testing.assert_allclose(autodiff.gradient(f, jnp.array([0.0, 0.5]))[0], [1.0, 1.0], rtol=1e-5)
    assert len(made) == 2


def test_the_auxiliary_demand_is_expected_again(made, monkeypatch):
    loss = jax.jit(lambda x: (smooth(x), jnp.sin(_long(x))))
    again = []
    for _ in range(3):
        (_, aux), (dx,) = autodiff.withgradient(loss, X, has_aux=True)
        again.append(sum(form.again.outside._cache_size() for form in made))
        np.testing.assert_allclose(dx, jax.grad(loss, has_aux=True)(X)[0], rtol=2e-5)
        np.testing.assert_allclose(aux, jnp.sin(X), rtol=1e-5)
    assert again == [1, 1, 1]


@jax.jit
def _keep_positive(y, x):
    return jnp.where(_long(x) > 0, y, 0.0)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: jnp.sum(jnp.where(x > 0, _logarithm_and_value(x)[0] + _logarithm_and_value(x)[1], 0.0)),
        lambda x: jnp.sum(_keep_positive(jnp.log(x) + x, x)),
    ],
    ids=["where outside", "where inside"],
)
def test_where_keeps_infinities_out_across_the_border(f, made):
    x = jnp.array([0.0, 0.5])
    expected = [0.0, 3.0]
    for _ in range(2):
        np.testing.assert_allclose(autodiff.gradient(f, x)[0], expected, rtol=1e-5)
    np.testing.assert_allclose(jax.jit(lambda x: autodiff.gradient(f, x)[0])(x), expected, rtol=1e-5)
    assert made


def test_captured_arrays(made):
    w = jnp.array([1.0, 2.0, 3.0])
    f = jax.jit(lambda x: jnp.sum(w * _long(x)))
    for _ in range(2):
        df, dx = autodiff.pullback(f, X)[1](jnp.ones(()))
        np.testing.assert_allclose(df["w"], X, rtol=1e-5)
        np.testing.assert_allclose(dx, w, rtol=1e-4)
    assert len(made) == 1


@jax.jit
def _with_a_count(x):
    return smooth(x), lax.while_loop(lambda c: c < 3, lambda c: c * 2, 1.0 + jnp.sum(x * x))


def test_a_program_without_a_derivative_runs_in_place(made):
    for _ in range(2):
        np.testing.assert_allclose(
            autodiff.gradient(lambda x: _with_a_count(x)[0], X)[0], jax.grad(smooth)(X), rtol=2e-5
        )
        with pytest.raises(MissingRuleError, match="while"):
            autodiff.gradient(lambda x: _with_a_count(x)[1], X)


def test_known_values_inside_a_traced_function(made):
    """Only the outermost `jit` can have options of the compiler."""
    f = lambda x: smooth(_long(x))
    expected, back = jax.grad(f)(X), autodiff.pullback(f, X)[1]
    once = lambda s: s * autodiff.gradient(f, X)[0]
    assert len(made) == 1
    for way in (once, lambda s: back(s)[1], lambda s: autodiff.pullback(f, X)[1](s)[1]):
        np.testing.assert_allclose(jax.jit(way)(1.0), expected, rtol=2e-5)
    np.testing.assert_allclose(jax.jit(jax.vmap(once))(jnp.ones(2))[1], expected, rtol=2e-5)
    np.testing.assert_allclose(lax.map(once, jnp.ones(2))[1], expected, rtol=2e-5)


def test_python_on_the_way_back_sees_values(made):
    seen = []
    f = jax.jit(lambda x: smooth(autodiff.hook(_long(x), lambda dx: seen.append(np.asarray(dx)))))
    autodiff.gradient(f, X)
    np.testing.assert_allclose(seen[0], jax.grad(smooth)(X), rtol=2e-5)


def test_forms_go_with_their_program():
    before = len(compiled._FORMS)

    def differentiate():
        f = jax.jit(lambda x: jnp.sum(_long(x)) * 2)
        scale = lambda c, x: (c * x, c)
        autodiff.gradient(lambda x: f(x) + lax.scan(scale, 1.0, x)[0], X)
        assert len(compiled._FORMS) == before + 2

    differentiate()
    jax.clear_caches()
    gc.collect()
    assert len(compiled._FORMS) <= before
