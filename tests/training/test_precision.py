"""Rules on weights of every floating dtype: sums, moments and norms are taken in float32 at least."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from argflux import nn
from argflux.training import ClipGrad, ClipNorm, Descent, OptimiserChain, RMSProp, Rule, adjust, setup, train, update
from tests.training.models import assert_same_bits
from tests.training.test_rules import ALL_RULES

LOW = [jnp.float16, jnp.bfloat16, jnp.float8_e4m3fn, jnp.float8_e5m2]
RULES = [cls() for cls in ALL_RULES] + [cls(eps=0.0) for cls in ALL_RULES if hasattr(cls, "eps")]
RULES += [RMSProp(centred=True), OptimiserChain(ClipNorm(), ClipGrad(), RMSProp(eps=1e-30))]
RULES += [optax.adam(1e-2), optax.lion(1e-2, weight_decay=0.0), optax.rmsprop(1e-2, eps=1e-8)]


def name_of(rule):
    return repr(rule) if isinstance(rule, Rule | OptimiserChain) else "optax"


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_weights_without_a_gradient_stay_as_they_are_in_every_dtype(rule):
    weights = {dtype.__name__: jnp.array([0.6875, -1.25, 0.0, 3.0], dtype) for dtype in (*LOW, jnp.float32)}
    grads = jax.tree.map(lambda w: jnp.array([0.0, 0.0, 0.0, 0.5], w.dtype), weights)
    state, after = setup(rule, weights), weights
    if "decay" in state.hyperparameters():
        state = adjust(state, decay=0.0)
    for _ in range(3):
        state, after = update(state, after, grads)
    for name, w in after.items():
        assert_same_bits(w[:3], weights[name][:3])
        assert jnp.isfinite(w).all()
    assert_same_bits(jnp.bfloat16(after["float32"]), after["bfloat16"])


@pytest.mark.parametrize("dtype", LOW)
@pytest.mark.parametrize("rule", [Descent(1e-3), optax.adam(1e-3)], ids=["descent", "optax"])
def test_small_steps_add_up(dtype, rule):
    w = jnp.ones(3, dtype)
    state = setup(rule, w)
    for _ in range(200):
        state, w = update(state, w, jnp.ones(3, dtype))
    np.testing.assert_allclose(np.asarray(w, np.float32), 0.8, rtol=0.07)
    assert w.dtype == dtype


def test_bfloat16_trains_as_float32_does():
    x = jax.random.normal(jax.random.key(0), (64, 4))
    y = x @ jnp.array([[-0.7], [0.2], [-0.8], [2.3]])

    def loss(m, x, y):
        return jnp.mean((m(x).astype(jnp.float32) - y) ** 2)

    losses = {}
    for dtype in (jnp.float32, jnp.bfloat16):
        rule = OptimiserChain(ClipNorm(10.0), Descent(2.5e-4))
        model, run = train(loss, nn.Dense(jnp.ones((1, 4), dtype)), [(x.astype(dtype), y)], rule, epochs=200)
        assert model.weight.dtype == dtype
        losses[dtype] = run.losses[-1]
    assert losses[jnp.bfloat16] == pytest.approx(losses[jnp.float32], rel=0.05)
    assert losses[jnp.float32] < 0.9 * run.losses[0]


def test_weights_that_were_replaced_are_taken_as_they_are():
    w = jnp.ones(3, jnp.bfloat16)
    state, w = update(setup(Descent(1e-4), w), w, jnp.ones(3, jnp.bfloat16))
    state, after = update(state, w.at[1].set(5.0), jnp.ones(3, jnp.bfloat16))
    np.testing.assert_allclose(state.inner.masters[0], [0.9998, 4.9999, 0.9998], rtol=1e-6)
    assert after.tolist() == [1.0, 5.0, 1.0]


@pytest.mark.parametrize(
    ("weights", "slopes"), [("bfloat16", "float32"), ("float32", "float16"), ("float16", "float64")]
)
@pytest.mark.parametrize("rule", [optax.adam(0.1), optax.sgd(0.1, 0.9), RMSProp()], ids=["adam", "sgd", "ours"])
def test_the_dtypes_of_a_state_stay_whatever_the_gradients_are(rule, weights, slopes, x64):
    w, g = jnp.ones(2, weights), jnp.ones(2, slopes)

    def step(carry, _):
        return update(*carry, g), None

    (state, after), _ = jax.lax.scan(step, (setup(rule, w), w), length=3)
    assert after.dtype == weights
    assert {leaf.dtype.name for leaf in jax.tree.leaves(state.inner) if leaf.ndim} == {"float32"}


@pytest.mark.parametrize(
    ("dtype", "size"), [("float16", 300), ("float16", 6e4), ("bfloat16", 1e38), ("float32", 1e30), ("float32", 1e-30)]
)
def test_the_norm_of_large_and_tiny_gradients_is_right(dtype, size):
    limit = min(1.0, size)
    w, g = (
        [jnp.zeros(1, dtype), jnp.zeros((1, 1), dtype)],
        [jnp.array([0.6 * size], dtype), jnp.array([[0.8 * size]], dtype)],
    )
    _, after = update(setup(OptimiserChain(ClipNorm(limit), Descent(1.0)), w), w, g)
    steps = np.array([-float(x.squeeze()) for x in after]) / limit
    np.testing.assert_allclose(steps, [0.6, 0.8], rtol=0.01)


def test_clipping_nothing_empty_and_not_finite():
    def clipped(*g):
        w = [jnp.zeros_like(x) for x in g]
        return [(-x).tolist() for x in update(setup(OptimiserChain(ClipNorm(1.0), Descent(1.0)), w), w, list(g))[1]]

    assert clipped(jnp.zeros(2), jnp.zeros(0)) == [[0.0, 0.0], []]
    assert clipped(jnp.array([0.5, 0.5])) == [[0.5, 0.5]]
    assert clipped(jnp.array([0.6, 0.8])) == [[pytest.approx(0.6), pytest.approx(0.8)]]
    assert np.isnan(clipped(jnp.array([jnp.inf, 1.0]))[0][0])
    assert np.isnan(clipped(jnp.array([jnp.nan, 1.0]))[0]).all()


def test_a_deviation_that_rounds_below_zero_is_no_nan():
    state, w = setup(RMSProp(1e-9, centred=True), jnp.ones(4)), jnp.ones(4)
    step = jax.jit(update)
    for _ in range(400):
        state, w = step(state, w, jnp.array([0.1, 0.3, 0.7, 1.1]))
    assert jnp.isfinite(w).all()
