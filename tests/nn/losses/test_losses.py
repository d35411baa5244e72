"""Every loss, one row each: values by NumPy and by hand, derivatives, aggregates, extremes, bad input."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.errors import ArgumentError, DtypeError, ShapeError
from argflux.nn import losses
from tests.nn.checks import assert_compiles_alike, assert_gradient

HELPERS = {"xlogx", "xlogy", "label_smoothing"}
WHOLE = {"dice_coeff_loss", "tversky_loss"}

NUMBERS = np.array([[0.3, 2.5, 4.0, 1.2], [0.9, 0.1, 1.7, 3.3], [2.0, 1.1, 0.4, 0.6]])
TARGETS = np.array([[0.5, 1.0, 2.2, 1.9], [1.4, 0.7, 3.0, 0.2], [2.9, 0.3, 0.8, 1.5]])
LOGITS = np.array([[0.3, -2.5, 1.0, 0.2], [1.9, 0.1, -0.7, 0.4], [-1.0, 0.8, 0.6, -2.1]])
PROBABILITIES = np.exp(LOGITS) / np.exp(LOGITS).sum(-1, keepdims=True)
SOFT = np.array([[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1], [0.25, 0.25, 0.4, 0.1]])
ONEHOT = np.eye(4)[[1, 0, 3]]
SIGNS = np.array([[1.0, -1, 1, 1], [-1, -1, 1, -1], [1, 1, -1, -1]])
MASK = np.array([[1.0, 0, 1, 1], [0, 0, 1, 0], [1, 1, 0, 0]])
MARGINS = SIGNS * np.array([[0.3, 2.5, 0.4, 1.2], [0.9, 0.1, 1.7, 3.3], [2.0, -1.1, 0.4, -0.6]])


def sig(x):
    return 1 / (1 + np.exp(-x))


def huber(yhat, y):
    e = abs(yhat - y)
    return np.where(e < 1, e**2 / 2, e - 0.5)


def tversky(yhat, y):
    hit, missed, wrong = (yhat * y).sum(), (y * (1 - yhat)).sum(), ((1 - y) * yhat).sum()
    return 1 - (hit + 1) / (hit + 0.7 * missed + 0.3 * wrong + 1)


def binary(yhat, y):
    return -y * np.log(yhat) - (1 - y) * np.log(1 - yhat)


def focal_binary(yhat, y):
    p = np.where(y == 1, yhat, 1 - yhat)
    return -((1 - p) ** 2) * np.log(p)


# name: (predictions, targets, the terms in NumPy before the mean)
ROWS = {
    "mse": (NUMBERS, TARGETS, lambda yhat, y: (yhat - y) ** 2),
    "mae": (NUMBERS, TARGETS, lambda yhat, y: abs(yhat - y)),
    "huber_loss": (NUMBERS, TARGETS, huber),
    "msle": (NUMBERS, TARGETS, lambda yhat, y: (np.log(yhat) - np.log(y)) ** 2),
    "poisson_loss": (NUMBERS, TARGETS, lambda yhat, y: yhat - y * np.log(yhat)),
    "crossentropy": (PROBABILITIES, SOFT, lambda yhat, y: -(y * np.log(yhat)).sum(-1)),
    "logitcrossentropy": (
        LOGITS,
        SOFT,
        lambda yhat, y: -(y * (yhat - np.log(np.exp(yhat).sum(-1, keepdims=True)))).sum(-1),
    ),
    "binarycrossentropy": (PROBABILITIES, MASK, binary),
    "logitbinarycrossentropy": (LOGITS, MASK, lambda yhat, y: binary(sig(yhat), y)),
    "kldivergence": (PROBABILITIES, SOFT, lambda yhat, y: (y * np.log(y / yhat)).sum(-1)),
    "focal_loss": (PROBABILITIES, SOFT, lambda p, y: -(y * (1 - p) ** 2 * np.log(p)).sum(-1)),
    "binary_focal_loss": (PROBABILITIES, MASK, focal_binary),
    "hinge_loss": (MARGINS, SIGNS, lambda yhat, y: np.maximum(0, 1 - yhat * y)),
    "squared_hinge_loss": (MARGINS, SIGNS, lambda yhat, y: np.maximum(0, 1 - yhat * y) ** 2),
    "siamese_contrastive_loss": (
        NUMBERS,
        MASK,
        lambda d, y: (1 - y) * d**2 + y * np.maximum(0, 1 - d) ** 2,
    ),
    "dice_coeff_loss": (
        PROBABILITIES,
        MASK,
        lambda p, y: 1 - (2 * (p * y).sum() + 1) / ((p**2).sum() + (y**2).sum() + 1),
    ),
    "tversky_loss": (PROBABILITIES, MASK, tversky),
}
CLASSES = {"crossentropy", "logitcrossentropy", "kldivergence", "focal_loss"}


def single(*arrays):
    return [jnp.asarray(a, jnp.float32) for a in arrays]


def test_every_loss_has_a_row():
    assert set(ROWS) | HELPERS == set(losses.__all__)


@pytest.mark.parametrize("name", ROWS)
def test_values(name):
    yhat, y, terms = ROWS[name]
    value = getattr(nn, name)(*single(yhat, y))
    assert value.shape == ()
    assert float(value) == pytest.approx(np.mean(terms(yhat, y)), rel=2e-5)


@pytest.mark.parametrize("name", sorted(set(ROWS) - WHOLE))
def test_aggregates(name):
    yhat, y, terms = ROWS[name]
    loss = getattr(nn, name)
    expected = terms(yhat, y)
    np.testing.assert_allclose(loss(*single(yhat, y), agg=nn.identity), expected, rtol=5e-5, atol=1e-6)
    for total in (sum, jnp.sum):
        np.testing.assert_allclose(loss(*single(yhat, y), agg=total), expected.sum(), rtol=2e-5)


@pytest.mark.parametrize("name", ROWS)
def test_derivatives_in_prediction_and_target(name, x64):
    yhat, y, _ = ROWS[name]
    assert_gradient(getattr(nn, name), yhat, y)


@pytest.mark.parametrize("name", ROWS)
def test_jit_vmap_and_dtype(name):
    yhat, y, _ = ROWS[name]
    loss = getattr(nn, name)
    assert_compiles_alike(loss, *single(yhat, y))
    rows = jax.vmap(loss)(*single(yhat, y))
    np.testing.assert_allclose(rows, [loss(*single(a, b)) for a, b in zip(yhat, y, strict=True)], rtol=1e-5)


@pytest.mark.parametrize("name", ROWS)
def test_target_takes_the_dtype_of_the_prediction(name):
    yhat, y, _ = ROWS[name]
    loss = getattr(nn, name)
    assert loss(jnp.asarray(yhat, jnp.bfloat16), y).dtype == jnp.bfloat16
    onehot = jnp.asarray(ONEHOT, jnp.float32)
    assert loss(single(yhat)[0], ONEHOT.astype(bool)) == loss(single(yhat)[0], onehot)


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("scale", [1e4, -1e4, 0.0])
def test_finite_for_extreme_predictions(name, scale):
    loss = getattr(nn, name)
    if name in {"logitcrossentropy", "logitbinarycrossentropy", "mse", "mae", "huber_loss"} or "hinge" in name:
        yhat = jnp.asarray(scale * SIGNS, jnp.float32)
    elif name == "poisson_loss":
        yhat = jnp.full(SIGNS.shape, abs(scale) or 1e-4)
    else:  # probabilities, rates and distances that are exactly 0 or 1
        yhat = jnp.asarray(MASK if scale else 1 - MASK, jnp.float32)
    y = jnp.asarray(SIGNS if "hinge" in name else ONEHOT, jnp.float32)
    value, slope = jax.value_and_grad(loss)(yhat, y)
    assert jnp.isfinite(value)
    assert jnp.isfinite(slope).all()


@pytest.mark.parametrize("name", ROWS)
def test_never_broadcasts(name):
    with pytest.raises(ShapeError, match=rf"{name}: got yhat \(3, 1\) and y \(3,\); expected equal shapes"):
        getattr(nn, name)(jnp.ones((3, 1)), jnp.ones(3))


@pytest.mark.parametrize("name", ROWS)
def test_empty_batch(name):
    with pytest.raises(ShapeError, match=rf"{name}: got an empty batch of shape \(0, 4\)"):
        getattr(nn, name)(jnp.ones((0, 4)), jnp.ones((0, 4)))


@pytest.mark.parametrize("name", ROWS)
def test_integer_predictions(name):
    with pytest.raises(DtypeError, match=rf"{name}: got yhat of dtype int32; expected floating values"):
        getattr(nn, name)(jnp.ones((3, 4), int), jnp.ones((3, 4)))


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_labels_in_place_of_rows_point_to_onehotbatch(name):
    with pytest.raises(ShapeError, match=r"onehotbatch\(y, range\(4\)\)"):
        getattr(nn, name)(jnp.ones((3, 4)), jnp.array([0, 1, 2]))


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_axis_of_the_classes(name):
    yhat, y, _ = ROWS[name]
    loss = getattr(nn, name)
    assert float(loss(*single(yhat.T, y.T), axis=0)) == pytest.approx(float(loss(*single(yhat, y))), rel=1e-6)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: nn.huber_loss(jnp.array([5.0]), jnp.array([0.0]), delta=2.0), 8.0),
        (lambda: nn.huber_loss(jnp.array([1.0]), jnp.array([0.0]), delta=2.0), 0.5),
        (lambda: nn.focal_loss(jnp.array([[0.5, 0.5]]), jnp.array([[1.0, 0.0]]), gamma=0), math.log(2)),
        (lambda: nn.focal_loss(jnp.array([[0.5, 0.5]]), jnp.array([[1.0, 0.0]]), gamma=3), math.log(2) / 8),
        (lambda: nn.binary_focal_loss(jnp.array([0.25]), jnp.array([0.0]), gamma=1), -math.log(0.75) / 4),
        (lambda: nn.siamese_contrastive_loss(jnp.array([1.0]), jnp.array([1.0]), margin=3.0), 4.0),
        (lambda: nn.tversky_loss(jnp.array([0.0]), jnp.array([1.0]), beta=1.0), 0.5),
        (lambda: nn.tversky_loss(jnp.array([0.0]), jnp.array([1.0]), beta=0.0), 0.0),
        (lambda: nn.tversky_loss(jnp.array([1.0]), jnp.array([0.0]), beta=0.0), 0.5),
        (lambda: nn.dice_coeff_loss(jnp.array([0.0]), jnp.array([1.0]), smooth=3.0), 0.25),
        (lambda: nn.crossentropy(jnp.array([[0.0, 1.0]]), jnp.array([[1.0, 0.0]]), eps=0.5), math.log(2)),
        (lambda: nn.msle(jnp.array([0.0]), jnp.array([math.e - 1]), eps=1.0), 1.0),
        (lambda: nn.binarycrossentropy(jnp.array([0.0]), jnp.array([1.0]), eps=0.5), math.log(2)),
        (lambda: nn.kldivergence(jnp.array([[0.0]]), jnp.array([[1.0]]), eps=0.5), math.log(2)),
    ],
)
def test_options_by_hand(call, expected):
    assert float(call()) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: nn.huber_loss(x, x, delta=0), "huber_loss: got delta=0; expected delta > 0"),
        (lambda x: nn.focal_loss(x, x, gamma=-1), "focal_loss: got gamma=-1; expected gamma >= 0"),
        (lambda x: nn.binary_focal_loss(x, x, gamma=-1), "got gamma=-1; expected gamma >= 0"),
        (lambda x: nn.siamese_contrastive_loss(x, x, margin=-1), "got margin=-1; expected margin >= 0"),
        (lambda x: nn.tversky_loss(x, x, beta=2), "tversky_loss: got beta=2; expected a weight"),
        (lambda x: nn.dice_coeff_loss(x, x, smooth=0), "dice_coeff_loss: got smooth=0; expected smooth > 0"),
        (lambda x: nn.label_smoothing(x, 1.5), "label_smoothing: got alpha=1.5; expected a share"),
    ],
)
def test_options_out_of_range(call, message):
    with pytest.raises(ArgumentError, match=message):
        call(jnp.ones((2, 2)))


def test_mae_is_flat_where_it_is_zero():
    assert float(jax.grad(nn.mae)(jnp.array([2.0]), jnp.array([2.0]))[0]) == 0.0


def test_logitcrossentropy_takes_minus_infinity_for_a_class_ruled_out():
    yhat, y = jnp.array([[1.0, -jnp.inf]]), jnp.array([[1.0, 0.0]])
    value, slope = jax.value_and_grad(nn.logitcrossentropy)(yhat, y)
    assert float(value) == 0.0
    assert jnp.isfinite(slope).all()


@pytest.mark.parametrize(("logit", "y"), [(-20.0, 0.0), (20.0, 1.0)])
def test_logitbinarycrossentropy_keeps_tiny_losses(logit, y):
    value = nn.logitbinarycrossentropy(jnp.array([logit]), jnp.array([y]))
    assert float(value) == pytest.approx(math.exp(-20), rel=1e-4)


def test_focal_loss_with_a_fractional_power_is_finite_at_a_sure_prediction():
    slope = jax.grad(lambda p: nn.focal_loss(p, jnp.array([[1.0, 0.0]]), gamma=0.5))(jnp.array([[1.0, 0.0]]))
    assert jnp.isfinite(slope).all()


def test_focal_loss_without_focus_is_the_cross_entropy():
    p, y = single(PROBABILITIES, SOFT)
    assert float(nn.focal_loss(p, y, gamma=0.0)) == pytest.approx(float(nn.crossentropy(p, y)), rel=1e-6)


def test_complex_targets():
    with pytest.raises(DtypeError, match="mse: got y of dtype complex64; expected real values"):
        nn.mse(jnp.ones(2), jnp.ones(2, complex))


def test_xlogx():
    np.testing.assert_allclose(nn.xlogx(jnp.array([0.0, 1.0, 2.0])), [0, 0, 2 * math.log(2)], rtol=1e-6)
    np.testing.assert_allclose(jax.vmap(jax.grad(nn.xlogx))(jnp.array([0.0, 1.0, 2.0])), [0, 1, 1 + math.log(2)])


def test_xlogy():
    x, y = jnp.array([0.0, 0.0, 0.0, 2.0]), jnp.array([0.0, 2.0, -1.0, 3.0])
    np.testing.assert_allclose(nn.xlogy(x, y), [0, 0, 0, 2 * math.log(3)], rtol=1e-6)
    dx, dy = jax.vmap(jax.grad(nn.xlogy, (0, 1)))(x, y)
    np.testing.assert_allclose(dx, [0, math.log(2), 0, math.log(3)], rtol=1e-6)
    np.testing.assert_allclose(dy, [0, 0, 0, 2 / 3], rtol=1e-6)


def test_xlog_pass_a_nan_on():
    assert jnp.isnan(nn.xlogx(jnp.nan))
    assert jnp.isnan(nn.xlogy(0.0, jnp.nan))


def test_label_smoothing():
    np.testing.assert_allclose(nn.label_smoothing(jnp.eye(4), 0.2), 0.8 * np.eye(4) + 0.05, rtol=1e-6)
    np.testing.assert_allclose(nn.label_smoothing(jnp.ones((3, 1)), 0.2, axis=None), 0.9 * np.ones((3, 1)), rtol=1e-6)
    np.testing.assert_allclose(nn.label_smoothing(jnp.eye(2), 1.0, axis=0), 0.5 * np.ones((2, 2)))


def test_label_smoothing_of_one_number_asks_for_classes():
    with pytest.raises(ShapeError, match=r"got y of shape \(\), without axis -1.*pass axis=None"):
        nn.label_smoothing(jnp.ones(()), 0.1)


def test_label_smoothing_of_flags_asks_for_numbers():
    with pytest.raises(DtypeError, match=r"got y of dtype bool; expected floating values"):
        nn.label_smoothing(jnp.eye(3, dtype=bool), 0.1)
