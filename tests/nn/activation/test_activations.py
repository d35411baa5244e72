"""Every activation, one row each: values by NumPy, derivatives by finite differences, corners, extremes."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.errors import ShapeError
from argflux.nn import activation as activations
from tests.nn.checks import assert_compiles_alike, assert_gradient

erf = np.vectorize(math.erf)


def sig(x):
    return 1 / (1 + np.exp(-x))


def selu(x):
    return 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * (np.exp(x) - 1))


# name: (the formula in NumPy, {corner: derivative there})
ELEMENTWISE = {
    "celu": (lambda x: np.where(x > 0, x, np.exp(x) - 1), {0.0: 1.0}),
    "elu": (lambda x: np.where(x > 0, x, np.exp(x) - 1), {0.0: 1.0}),
    "gelu": (lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))), {0.0: 0.5}),
    "gelu_erf": (lambda x: x / 2 * (1 + erf(x / np.sqrt(2))), {0.0: 0.5}),
    "gelu_sigmoid": (lambda x: x * sig(1.702 * x), {0.0: 0.5}),
    "gelu_tanh": (lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))), {0.0: 0.5}),
    "hardsigmoid": (lambda x: np.clip((x + 3) / 6, 0, 1), {-3.0: 0.0, 3.0: 0.0}),
    "hardswish": (lambda x: x * np.clip((x + 3) / 6, 0, 1), {-3.0: 0.0}),
    "hardtanh": (lambda x: np.clip(x, -1, 1), {-1.0: 0.0, 1.0: 0.0}),
    "identity": (lambda x: x, {0.0: 1.0}),
    "leakyrelu": (lambda x: np.where(x > 0, x, 0.01 * x), {0.0: 0.01}),
    "lisht": (lambda x: x * np.tanh(x), {0.0: 0.0}),
    "logcosh": (lambda x: np.log(np.cosh(x)), {0.0: 0.0}),
    "logsigmoid": (lambda x: -np.log1p(np.exp(-x)), {0.0: 0.5}),
    "mish": (lambda x: x * np.tanh(np.log1p(np.exp(x))), {0.0: 0.6}),
    "relu": (lambda x: np.maximum(x, 0), {0.0: 0.0}),
    "relu6": (lambda x: np.clip(x, 0, 6), {0.0: 0.0, 6.0: 0.0}),
    "selu": (selu, {}),
    "sigmoid": (sig, {0.0: 0.25}),
    "softplus": (lambda x: np.log1p(np.exp(x)), {0.0: 0.5}),
    "softshrink": (lambda x: np.sign(x) * np.maximum(abs(x) - 0.5, 0), {-0.5: 0.0, 0.5: 0.0, 0.0: 0.0}),
    "softsign": (lambda x: x / (1 + abs(x)), {0.0: 1.0}),
    "swish": (lambda x: x * sig(x), {0.0: 0.5}),
    "tanh": (np.tanh, {0.0: 1.0}),
    "tanhshrink": (lambda x: x - np.tanh(x), {0.0: 0.0}),
    "trelu": (lambda x: np.where(x > 1, x, 0), {1.0: 0.0}),
}
AXISWISE = {
    "glu": lambda x: x[..., :2] * sig(x[..., 2:]),
    "logsoftmax": lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True)),
    "logsumexp": lambda x: np.log(np.exp(x).sum(-1)),
    "softmax": lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True),
}
FORMULAS = {name: formula for name, (formula, _) in ELEMENTWISE.items()} | AXISWISE
GRID = np.array([[-7.3, -3.2, -1.6, -0.7], [-0.2, 0.3, 0.8, 1.4], [2.3, 3.7, 5.1, 7.9]])


def test_every_activation_has_a_row():
    assert sorted(FORMULAS) == sorted(activations.__all__)


@pytest.mark.parametrize("name", FORMULAS)
def test_values(name):
    y = getattr(nn, name)(jnp.asarray(GRID, jnp.float32))
    np.testing.assert_allclose(y, FORMULAS[name](GRID), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", FORMULAS)
def test_derivatives(name, x64):
    f = getattr(nn, name)
    weights = jax.random.normal(jax.random.key(0), jax.eval_shape(f, jnp.asarray(GRID)).shape, jnp.float64)
    assert_gradient(lambda x: jnp.sum(weights * f(x)), GRID)


@pytest.mark.parametrize(
    ("name", "corner", "slope"),
    [(name, corner, slope) for name, (_, corners) in ELEMENTWISE.items() for corner, slope in corners.items()],
)
def test_derivative_at_corner(name, corner, slope):
    assert float(jax.grad(getattr(nn, name))(corner)) == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize("name", FORMULAS)
def test_finite_for_extreme_inputs(name):
    f = getattr(nn, name)
    x = jnp.array([[1e4, -1e4, 0.0, 1e4], [-1e4, -1e4, -1e4, -1e4]])
    assert jnp.isfinite(f(x)).all()
    assert jnp.isfinite(jax.grad(lambda x: jnp.sum(f(x)))(x)).all()


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_jit_and_dtype(name, dtype):
    f, x = getattr(nn, name), jnp.asarray(GRID, dtype)
    assert f(x).dtype == jax.jit(f)(x).dtype == dtype
    if dtype == jnp.float32:
        assert_compiles_alike(f, x)


@pytest.mark.parametrize("name", FORMULAS)
def test_vmap(name):
    f, x = getattr(nn, name), jnp.asarray(GRID, jnp.float32)
    np.testing.assert_allclose(jax.vmap(f)(x), f(x), rtol=1e-6)


@pytest.mark.parametrize("name", FORMULAS)
def test_prints_by_its_own_name(name):
    assert nn.label(getattr(nn, name)) == name


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: nn.leakyrelu(jnp.array(-2.0), slope=0.3), -0.6),
        (lambda: nn.elu(jnp.array(-1.0), alpha=2.0), 2 * (math.exp(-1) - 1)),
        (lambda: nn.celu(jnp.array(-1.0), alpha=2.0), 2 * (math.exp(-0.5) - 1)),
        (lambda: nn.trelu(jnp.array(1.5), theta=2.0), 0.0),
        (lambda: nn.softshrink(jnp.array(3.0), threshold=1.0), 2.0),
        (lambda: nn.softmax(jnp.ones((4, 2)), axis=0)[0, 0], 0.25),
        (lambda: nn.logsoftmax(jnp.ones((4, 2)), axis=0)[0, 0], math.log(0.25)),
        (lambda: nn.logsumexp(jnp.zeros((4, 2)), axis=0, keepdims=True)[0, 0], math.log(4)),
        (lambda: nn.glu(jnp.array([[3.0, 1.0], [0.0, 0.0]]), axis=0)[0, 0], 1.5),
    ],
)
def test_options(call, expected):
    assert float(call()) == pytest.approx(expected, rel=1e-6)


def test_logcosh_is_accurate_where_cosh_overflows():
    assert float(nn.logcosh(jnp.array(1000.0))) == pytest.approx(1000 - math.log(2))


def test_relu6_keeps_six_for_huge_inputs():
    assert float(nn.relu6(jnp.array(1e30))) == 6.0


def test_glu_of_odd_length_says_so():
    with pytest.raises(ShapeError, match="length 3 along axis -1; expected an even length"):
        nn.glu(jnp.ones((2, 3)))
