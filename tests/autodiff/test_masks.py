"""The branch not taken has no say, whatever lies between the selection and the parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import argflux as af
from argflux.autodiff.ranges import ANYTHING, of_constant
from argflux.autodiff.wild import wild_inputs
from argflux.jaxpr import closed, jaxprs_in_params
from tests.nn.losses.test_losses import ROWS as LOSSES
from tests.nn.losses.test_losses import WHOLE

Z = jnp.array([0.0, 1.0, 3.0])
GOOD = Z > 0
ONES = jnp.ones(3)


def kept(y):
    return jnp.sum(jnp.where(GOOD, y, 0.0))


def never(y):
    return jnp.sum(jnp.where(False, y, 0.0))


def root(z):
    return jnp.linalg.cholesky(z[..., None] * jnp.eye(3))


# the same function, once with the entry at 0 left out, and once without that entry: name, f, g
LEFT_OUT = [
    ("where", lambda z: kept(jnp.log(z)), lambda z: jnp.sum(jnp.log(z[1:]))),
    ("index", lambda z: jnp.sum(jnp.log(z)[jnp.array([1, 2])]), lambda z: jnp.sum(jnp.log(z[1:]))),
    ("slice", lambda z: jnp.sum(jnp.log(z)[1:]), lambda z: jnp.sum(jnp.log(z[1:]))),
    ("dynamic slice", lambda z: jnp.sum(lax.dynamic_slice(jnp.log(z), (1,), (2,))), lambda z: jnp.sum(jnp.log(z[1:]))),
    ("overwritten", lambda z: jnp.sum(jnp.log(z).at[0].set(0.0)), lambda z: jnp.sum(jnp.log(z[1:]))),
    ("clip", lambda z: jnp.sum(jnp.clip(jnp.log(z), -100.0, None)), lambda z: jnp.sum(jnp.log(z[1:]))),
    ("clamp", lambda z: jnp.sum(lax.clamp(-100.0, jnp.log(z), 100.0)), lambda z: jnp.sum(jnp.log(z[1:]))),
    ("maximum", lambda z: jnp.sum(jnp.maximum(jnp.log(z), -100.0)), lambda z: jnp.sum(jnp.log(z[1:]))),
    ("relu", lambda z: jnp.sum(jax.nn.relu(jnp.log(z))), lambda z: jnp.sum(jax.nn.relu(jnp.log(z[1:])))),
    ("max", lambda z: jnp.max(jnp.log(z)), lambda z: jnp.log(z[2])),
    ("sort", lambda z: jnp.sort(jnp.log(z))[-1], lambda z: jnp.log(z[2])),
    ("top k", lambda z: lax.top_k(jnp.log(z), 1)[0][0], lambda z: jnp.log(z[2])),
    ("padding", lambda z: jnp.sum(jnp.pad(jnp.log(z), 1)[2:]), lambda z: jnp.sum(jnp.log(z[1:]))),
    ("joined", lambda z: jnp.sum(jnp.concatenate([jnp.log(z), z])[1:]), lambda z: jnp.sum(jnp.log(z[1:])) + z.sum()),
    (
        "segments",
        lambda z: jax.ops.segment_sum(jnp.log(z), jnp.array([0, 1, 1]), 2)[1],
        lambda z: jnp.sum(jnp.log(z[1:])),
    ),
    (
        "cumulative sum",
        lambda z: kept(jnp.cumsum(jnp.log(z)[::-1])[::-1]),
        lambda z: jnp.sum(jnp.cumsum(jnp.log(z[:0:-1]))),
    ),
    (
        "cumulative product",
        lambda z: kept(jnp.cumprod(jnp.log(z)[::-1])[::-1]),
        lambda z: jnp.sum(jnp.cumprod(jnp.log(z[:0:-1]))),
    ),
    ("sine of it", lambda z: kept(jnp.sin(jnp.log(z))), lambda z: jnp.sum(jnp.sin(jnp.log(z[1:])))),
    ("softplus of it", lambda z: kept(jax.nn.softplus(1 / z)), lambda z: jnp.sum(jax.nn.softplus(1 / z[1:]))),
    ("times a scalar", lambda z: kept(jnp.log(z) * z[1]), lambda z: jnp.sum(jnp.log(z[1:]) * z[1])),
    ("over a scalar", lambda z: kept(z[1] / z), lambda z: jnp.sum(z[1] / z[1:])),
    ("checkpointed", lambda z: kept(af.checkpointed(jnp.log)(z)), lambda z: jnp.sum(jnp.log(z[1:]))),
    ("scan", lambda z: kept(lax.scan(lambda c, v: (c, jnp.log(v)), 0.0, z)[1]), lambda z: jnp.sum(jnp.log(z[1:]))),
    (
        "scan, unused",
        lambda z: jnp.sum(lax.scan(lambda c, v: (jnp.log(v), c), 0.0, z[::-1])[1]),
        lambda z: jnp.sum(jnp.log(z[1:])),
    ),
    ("map", lambda z: kept(lax.map(lambda v: jnp.sin(jnp.log(v)), z)), lambda z: jnp.sum(jnp.sin(jnp.log(z[1:])))),
    (
        "cond",
        lambda z: lax.cond(z[1] > 0, lambda y: jnp.sum(y[1:]), jnp.sum, jnp.log(z)),
        lambda z: jnp.sum(jnp.log(z[1:])),
    ),
    ("another branch", lambda z: lax.cond(z[1] > 0, lambda y: 0.0, jnp.sum, jnp.log(z)), lambda z: 0 * jnp.sum(z)),
    (
        "vmap of cond",
        lambda z: jnp.sum(jax.vmap(lambda v: lax.cond(v > 0, jnp.log, lambda v: 0.0, v))(z)),
        lambda z: jnp.sum(jnp.log(z[1:])),
    ),
    (
        "jit",
        lambda z: kept(jax.jit(lambda v: jnp.tanh(jnp.sin(jnp.log(v) * 2)))(z)),
        lambda z: jnp.sum(jnp.tanh(jnp.sin(jnp.log(z[1:]) * 2))),
    ),
    ("row of a product", lambda z: kept(jnp.diag(jnp.log(z) + 1) @ ONES), None),
    ("a product", lambda z: never(jnp.log(z) @ ONES) + jnp.sum(z), jnp.sum),
    ("a convolution", lambda z: never(jnp.convolve(jnp.log(z), ONES)) + jnp.sum(z), jnp.sum),
    ("eigenvectors", lambda z: never(jnp.linalg.eigh(jnp.diag(jnp.log(z)))[1]) + jnp.sum(z), jnp.sum),
    ("Cholesky", lambda z: never(jnp.linalg.cholesky(jnp.diag(jnp.log(z)))) + jnp.sum(z), jnp.sum),
    ("Cholesky, its diagonal", lambda z: never(jnp.diagonal(root(jnp.log(z)))) + jnp.sum(z), jnp.sum),
    ("Cholesky, joined", lambda z: jnp.sum(jnp.concatenate([root(jnp.log(z)), jnp.diag(z)])[3:]), jnp.sum),
    ("Cholesky, padded", lambda z: jnp.sum(jnp.pad(root(jnp.log(z)), 3)[:2]) + jnp.sum(z), jnp.sum),
    ("Cholesky, overwritten", lambda z: jnp.sum(jnp.zeros((4, 3)).at[:3].set(root(jnp.log(z)))[3]) + z.sum(), jnp.sum),
    ("another of a batch", lambda z: jnp.sum(root(jnp.stack([jnp.log(z), z + 1]))[1]), lambda z: jnp.sum(root(z + 1))),
    ("a solve", lambda z: never(jnp.linalg.solve(jnp.diag(z), z)) + jnp.sum(z), jnp.sum),
]


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
def test_entries_left_out(compiled):
    ours = lambda z: {name: af.gradient(f, z)[0] for name, f, g in LEFT_OUT if g}
    got = jax.jit(ours)(Z) if compiled else ours(Z)
    expected = {name: jax.grad(g)(Z) for name, f, g in LEFT_OUT if g}
    for name, dz in got.items():
        np.testing.assert_allclose(dz, expected[name], rtol=1e-5, atol=1e-6, err_msg=name)


P, T = jnp.array([1.0, 2.0, 3.0]), jnp.array([0.5, jnp.nan, 5.0])
THERE = jnp.isfinite(T)
UNARY = (jnp.square, jnp.abs, jnp.tanh, jnp.sin, jnp.cos, jnp.exp, jax.nn.sigmoid, jax.nn.softplus, jnp.arctan)
UNARY += (lambda d: d**2, lambda d: d**3, lambda d: d * d, lambda d: d / 3, lambda d: jnp.maximum(d, 0.1) * d)
TESTS = [
    lambda y, t: jnp.where(THERE, y, 0.0),
    lambda y, t: jnp.where(jnp.isnan(t), 0.0, y),
    lambda y, t: jnp.where(t > -100, y, 0.0),
    lambda y, t: jnp.nan_to_num(y),
    lambda y, t: jnp.select([~THERE, t > 100], [0.0, -y], y),
]


@pytest.mark.parametrize("hide", TESTS, ids=["booleans", "isnan", "comparison", "nan_to_num", "select"])
def test_missing_targets(hide):
    def gradients(p, t):
        return [af.gradient(lambda p, t, f=f: jnp.sum(hide(f(p - t), t)), p, t) for f in UNARY]

    few = np.array([0, 2])
    for f, (dp, dt) in zip(UNARY, gradients(P, T), strict=True):
        expected = jax.grad(lambda d, f=f: jnp.sum(f(d)))((P - T)[few])
        np.testing.assert_allclose(dp[few], expected, rtol=1e-5)
        np.testing.assert_allclose(dt[few], -expected, rtol=1e-5)
        assert [dp[1], dt[1]] == [0.0, 0.0]


@pytest.mark.parametrize("name", [name for name in LOSSES if name not in WHOLE])
def test_losses_leave_missing_rows_out(name):
    yhat, y, _ = LOSSES[name]
    yhat, missing = jnp.asarray(yhat, jnp.float32), jnp.asarray(y, jnp.float32).at[1].set(jnp.nan)
    loss = getattr(af, name)
    whole = lambda yhat, y: loss(yhat, y, agg=jnp.nanmean)
    (got,) = af.gradient(lambda yhat: whole(yhat, missing), yhat)
    few = np.array([0, 2])
    (expected,) = af.gradient(lambda yhat: loss(yhat, missing[few]), yhat[few])
    np.testing.assert_allclose(got[few], expected, rtol=1e-5, atol=1e-7)
    assert not got[1].any()


X = jnp.array([[1.0, 2.0], [jnp.nan, jnp.inf], [3.0, 4.0]])
OK = jnp.isfinite(X[:, 0])[:, None]
W = jnp.array([[0.5, -1.0], [0.3, 0.2]])


@pytest.mark.parametrize("layers", [lambda x, w: x @ w, lambda x, w: jnp.tanh(x @ w) @ w + x @ w.T])
def test_rows_of_a_product_that_are_not_there(layers):
    f = lambda w: jnp.sum(jnp.where(OK, layers(X, w), 0.0) ** 2)
    expected = jax.grad(lambda w: jnp.sum(layers(X[np.array([0, 2])], w) ** 2))(W)
    for run in (lambda f, w: af.gradient(f, w)[0], jax.jit(lambda w: af.gradient(f, w)[0])):
        got = run(f, W) if run.__name__ == "<lambda>" and not hasattr(run, "lower") else run(W)
        np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_windows_of_a_convolution_that_are_not_there():
    rng = np.random.default_rng(0)
    clean = jnp.asarray(rng.normal(size=(3, 5, 5, 2)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(3, 3, 2, 4)), jnp.float32)
    there = jnp.ones((3, 5, 5, 1), bool).at[1].set(False).at[0, :2, :2].set(False)
    spoilt = clean.at[1].set(jnp.nan).at[0, 0, 0, 0].set(jnp.inf)
    numbers = ("NHWC", "HWIO", "NHWC")

    def f(x, k):
        y = lax.conv_general_dilated(x, k, (1, 1), "SAME", dimension_numbers=numbers)
        return jnp.sum(jnp.where(there, y, 0.0) ** 2)

    got, expected = af.gradient(f, spoilt, kernel), jax.grad(f, argnums=(0, 1))(clean.at[1].set(0.0), kernel)
    np.testing.assert_allclose(got[1], af.gradient(f, clean, kernel)[1], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(got[0][2], expected[0][2], rtol=1e-5)
    assert not got[0][1].any()


Z2 = jnp.array([[0.0, 1.0], [3.0, 4.0]])


def test_parameters_that_broadcasting_repeats():
    f = lambda w: jnp.sum(jnp.where(Z2 > 0, w * jnp.log(Z2), 0.0))
    row = jnp.log(jnp.array([3.0, 4.0]))
    np.testing.assert_allclose(af.gradient(f, 2.0)[0], jnp.sum(row), rtol=1e-6)
    np.testing.assert_allclose(af.gradient(f, jnp.ones(2))[0], row, rtol=1e-6)
    np.testing.assert_allclose(af.gradient(f, jnp.ones((2, 1)))[0][:, 0], [0.0, jnp.sum(row)], rtol=1e-6)
    np.testing.assert_allclose(
        af.gradient(lambda w: jnp.sum(jnp.where(Z2 > 0, w / Z2, 0.0)), 2.0)[0], 1 + 1 / 3 + 1 / 4, rtol=1e-6
    )
    assert af.gradient(lambda b: jnp.nansum(b * jnp.array([1.0, 2.0, jnp.nan])), 1.0)[0] == 3.0


def test_zero_residuals_keep_their_second_derivative():
    f = lambda w: jnp.sum(jnp.where(THERE, (w * P - jnp.where(THERE, P, jnp.nan)) ** 2, 0.0))
    one = jnp.array(1.0)  # where all residuals are zero
    assert af.gradient(f, one)[0] == 0.0
    np.testing.assert_allclose(af.hessian(f, one), 20.0)
    np.testing.assert_allclose(af.gradient(lambda w: af.gradient(f, w)[0], one)[0], 20.0)


def test_zeros_of_a_cotangent_and_rows_of_a_jacobian():
    np.testing.assert_array_equal(af.jacobian(jnp.log, jnp.array([0.0, 1.0])), [[jnp.inf, 0.0], [0.0, 1.0]])
    _, back = af.pullback(jnp.log, jnp.array([0.0, 1.0]))
    np.testing.assert_array_equal(back(jnp.array([0.0, 1.0]))[1], [0.0, 1.0])


def test_what_has_a_say_stays_infinite_or_nan():
    assert af.gradient(lambda z: jnp.sum(jnp.log(z)), Z)[0][0] == jnp.inf
    assert jnp.isnan(af.gradient(lambda p: jnp.sum(jnp.where(P > 1, jnp.sin(p - T), 0.0)), P)[0][1])
    f = lambda w: jnp.sum(jnp.where(jnp.array([[True], [True], [False]]), X @ w, 0.0))
    assert jnp.isnan(af.gradient(f, W)[0]).any()


def _flags(f, *args):
    return wild_inputs(jax.make_jaxpr(f)(*args).jaxpr)[1]


def test_only_what_a_program_tests_is_taken_to_be_wild():
    assert _flags(lambda w, x: jnp.sum(jax.nn.relu(x @ w)), W, X) == [False, False]
    assert _flags(lambda p, t: jnp.where(jnp.isnan(t), 0.0, p - t), P, T) == [False, True]
    assert _flags(lambda p, t: jnp.where(t > 0, p, 0.0), P, T) == [False, True]
    assert _flags(lambda p, t: jnp.nansum(p * t), P, T) == [True, True]
    assert _flags(lambda p, t: jnp.where(THERE, p * t, 0.0), P, T) == [True, True]
    assert _flags(lambda p, t: jnp.where(THERE, p * t, -1e9), P, T) == [False, False]
    assert of_constant(P) == ANYTHING


def nan_guards(program):
    inside = lambda eqn: sum(map(nan_guards, map(closed, jaxprs_in_params(eqn.params))))
    return sum((eqn.primitive.name == "ne") + inside(eqn) for eqn in program.jaxpr.eqns)


@pytest.mark.parametrize("f", [lambda x: jnp.sqrt(jnp.var(x, 0) + 1e-5), lambda x: x / (1 + jnp.exp(-(x**2)))])
def test_what_bounds_keep_finite_is_not_guarded(f):
    def guards(f):
        loss = lambda x: jnp.sum(jax.nn.relu(jnp.sin(f(x))))
        return nan_guards(jax.make_jaxpr(lambda x: af.gradient(loss, x)[0])(X))

    assert guards(f) < guards(lambda x: f(jnp.log(x)))
