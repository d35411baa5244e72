"""Decision losses: published values and gradients, closed forms, batches, signs, transformations, bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argflux as af
from argflux.errors import ArgumentError, DtypeError, ShapeError
from argflux.programs import Program, fenchel_young_loss, perturbed_loss, project, regret, simplex, spo_plus_loss

on_simplex = Program(lambda w, c: jnp.vdot(c, w), lambda c: c, equality=lambda w, c: jnp.sum(w) - 1, lower=0.0)
soft = Program(lambda w, c: jnp.vdot(c, w), lambda c: c, equality=lambda w, c: jnp.sum(w) - 1, lower=0.0, smoothing=0.5)


def pick(cost):
    """The vertex of the simplex of least cost, in closed form."""
    return jax.nn.one_hot(jnp.argmin(cost, -1), cost.shape[-1], dtype=cost.dtype)


TRUE = jnp.array([[1.0, 2.0, 4.0], [0.5, 3.0, -1.0]])
COST = jnp.array([[3.0, 2.5, 4.0], [0.2, 0.1, -1.5]])
HALF_SQUARE = lambda w: jnp.sum(w * w) / 2


def derivatives(loss, cost):
    return af.gradient(loss, cost)[0], jax.grad(loss)(cost), jax.jit(jax.grad(loss))(cost)


@pytest.mark.parametrize("program", [on_simplex, pick], ids=["a program", "a function"])
def test_spo_plus_is_as_published(program):
    best, turned = pick(TRUE), pick(2 * COST - TRUE)
    each = jnp.max(TRUE[:, None] @ jnp.eye(3) - 2 * COST[:, None] @ jnp.eye(3), -1)[:, 0]
    each = each + 2 * jnp.sum(COST * best, 1) - jnp.min(TRUE, 1)
    np.testing.assert_allclose(spo_plus_loss(program, COST, TRUE), jnp.mean(each), rtol=1e-6)
    np.testing.assert_allclose(spo_plus_loss(program, COST, TRUE, agg=lambda x: x), each, rtol=1e-6)
    for found in derivatives(lambda c: spo_plus_loss(program, c, TRUE), COST):
        np.testing.assert_allclose(found, 2 * (best - turned) / 2, atol=1e-6)
    known = spo_plus_loss(program, COST, TRUE, solution=best)
    np.testing.assert_allclose(known, jnp.mean(each), rtol=1e-6)
    np.testing.assert_allclose(spo_plus_loss(program, TRUE, TRUE), 0.0, atol=1e-6)


def test_spo_plus_bounds_the_regret_and_is_convex():
    costs = jax.random.normal(jax.random.key(0), (60, 3))
    true = jax.random.normal(jax.random.key(1), (60, 3))
    each = lambda loss, cost: loss(pick, cost, true, agg=lambda x: x)
    assert (each(spo_plus_loss, costs) >= each(regret, costs) - 1e-6).all()
    assert (each(regret, costs) >= 0).all()
    middle = each(spo_plus_loss, (costs + costs[::-1]) / 2)
    assert (middle <= (each(spo_plus_loss, costs) + each(spo_plus_loss, costs[::-1])) / 2 + 1e-5).all()


def test_regret():
    np.testing.assert_allclose(regret(on_simplex, COST, TRUE, agg=lambda x: x), [1.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(regret(pick, COST, TRUE, solution=pick(TRUE)), 0.5, atol=1e-6)


@pytest.mark.parametrize("loss", [spo_plus_loss, regret])
def test_maximising_turns_all_signs(loss):
    most = lambda gain: pick(-gain)
    np.testing.assert_allclose(loss(most, -COST, -TRUE, maximise=True), loss(pick, COST, TRUE), rtol=1e-6)
    turned = jax.grad(lambda c: loss(most, c, -TRUE, maximise=True))(-COST)
    np.testing.assert_allclose(turned, -jax.grad(lambda c: loss(pick, c, TRUE))(COST), atol=1e-6)


def test_perturbed_gradient_is_that_of_mean_decisions():
    key, wanted = jax.random.key(2), pick(TRUE)
    run = lambda program: lambda c: perturbed_loss(program, c, wanted, key=key, scale=0.7, samples=64)
    noisy = COST + 0.7 * jax.random.normal(key, (64, *COST.shape))
    expected = (wanted - jnp.mean(pick(noisy), 0)) / 2
    for program in (on_simplex, pick):
        for found in derivatives(run(program), COST):
            np.testing.assert_allclose(found, expected, atol=1e-6)
    value = jnp.mean(jnp.sum(COST * wanted, 1) - jnp.mean(jnp.min(noisy, -1), 0))
    np.testing.assert_allclose(run(on_simplex)(COST), value, rtol=1e-5)
    numeric = [(run(pick)(COST.at[0, i].add(1e-2)) - run(pick)(COST.at[0, i].add(-1e-2))) / 2e-2 for i in range(3)]
    np.testing.assert_allclose(jax.grad(run(pick))(COST)[0], jnp.stack(numeric), atol=0.02)


def test_perturbed_maximum_of_two_gains_in_closed_form(x64):
    """E max(a + σ Z, b + σ Z') has the slope Φ((a - b) / (σ √2)) in a."""
    gains, scale = jnp.array([0.3, -0.2]), 0.5
    loss = lambda g: perturbed_loss(
        lambda g: pick(-g), g, jnp.array([1.0, 0.0]), key=jax.random.key(0), scale=scale, samples=200_000, maximise=True
    )
    first = jax.scipy.stats.norm.cdf(0.5 / (scale * np.sqrt(2.0)))
    np.testing.assert_allclose(jax.grad(loss)(gains), [first - 1, 1 - first], atol=4e-3)


def sparsemax_loss(scores, wanted):
    """Martins and Astudillo (2016), of the probabilities p: -z'y + (z'z - |z - p|²) / 2 + y'y / 2."""
    p = project(simplex(scores.shape[-1]))(scores)
    each = (jnp.sum(scores**2, -1) - jnp.sum((scores - p) ** 2, -1) + jnp.sum(wanted**2, -1)) / 2
    return jnp.mean(each - jnp.sum(scores * wanted, -1))


def test_fenchel_young_of_the_simplex_is_the_sparsemax_loss(x64):
    cost, wanted = COST.astype(jnp.float64) / 4, pick(TRUE.astype(jnp.float64))
    least, most = lambda c: project(simplex(3))(-c), project(simplex(3))
    loss = lambda c: fenchel_young_loss(least, c, wanted, regulariser=HALF_SQUARE)
    np.testing.assert_allclose(loss(cost), sparsemax_loss(-cost, wanted), rtol=1e-9)
    for found in derivatives(loss, cost):
        np.testing.assert_allclose(found, (wanted - least(cost)) / 2, atol=1e-9)
    for maximised in derivatives(
        lambda g: fenchel_young_loss(most, g, wanted, regulariser=HALF_SQUARE, maximise=True), -cost
    ):
        np.testing.assert_allclose(maximised, (least(cost) - wanted) / 2, atol=1e-9)
    move = jax.random.normal(jax.random.key(3), cost.shape)
    numeric = (loss(cost + 1e-6 * move) - loss(cost - 1e-6 * move)) / 2e-6
    np.testing.assert_allclose(jnp.vdot(jax.grad(loss)(cost), move), numeric, atol=1e-7)
    np.testing.assert_allclose(fenchel_young_loss(least, cost, least(cost), regulariser=HALF_SQUARE), 0.0, atol=1e-12)


def test_fenchel_young_reads_the_regulariser_of_a_program(x64):
    cost, wanted = COST[0].astype(jnp.float64) / 4, pick(TRUE[0].astype(jnp.float64))
    given = fenchel_young_loss(soft, cost, wanted, regulariser=lambda w: 0.5 * HALF_SQUARE(w))
    np.testing.assert_allclose(fenchel_young_loss(soft, cost, wanted), given, rtol=1e-9)
    stated = Program(
        lambda w, c: jnp.vdot(c, w) + 0.25 * jnp.sum(w * w),
        lambda c: c,
        equality=lambda w, c: jnp.sum(w) - 1,
        lower=0.0,
    )
    np.testing.assert_allclose(fenchel_young_loss(stated, cost, wanted), given, rtol=1e-7)
    assert float(given) > 0


def test_shapes_and_transformations():
    rows = lambda cost, true: spo_plus_loss(pick, cost, true)
    np.testing.assert_allclose(jnp.mean(jax.vmap(rows)(COST, TRUE)), rows(COST, TRUE), rtol=1e-6)
    matrix = lambda c: pick(c.ravel()).reshape(c.shape)
    whole = spo_plus_loss(matrix, COST, TRUE, axes=2)
    np.testing.assert_allclose(whole, spo_plus_loss(pick, COST.ravel(), TRUE.ravel()), rtol=1e-6)
    batched = spo_plus_loss(matrix, jnp.stack([COST, TRUE]), jnp.stack([TRUE, TRUE]), axes=2)
    np.testing.assert_allclose(batched, whole / 2, rtol=1e-6)
    assert spo_plus_loss(pick, COST.astype(jnp.float16), TRUE).dtype == jnp.float32
    with jax.enable_x64(True):
        assert spo_plus_loss(pick, COST.astype(jnp.float64), TRUE).dtype == jnp.float64


BAD = {
    "shape of the truth": (lambda: regret(pick, COST, TRUE[0]), ShapeError, r"true_cost of shape \[3\].*\[2, 3\]"),
    "shape of a decision": (lambda: regret(lambda c: c[:2], COST, TRUE), ShapeError, r"decision of shape \[2\].*\[3\]"),
    "a tree": (lambda: regret(lambda c: {"x": c}, COST, TRUE), ShapeError, "a decision that is a dict"),
    "a number": (lambda: spo_plus_loss(pick, 1.0, 1.0), ShapeError, r"cost of shape \[\].*at least 1 axes"),
    "nothing": (lambda: spo_plus_loss(pick, COST[:0], TRUE[:0]), ShapeError, r"cost of shape \[0, 3\].*one example"),
    "complex": (lambda: spo_plus_loss(pick, COST.astype(jnp.complex64), TRUE), DtypeError, "cost of dtype complex64"),
    "no function": (lambda: spo_plus_loss(COST, COST, TRUE), DtypeError, "function"),
    "no key": (lambda: perturbed_loss(pick, COST, TRUE, key=None), ArgumentError, "no key"),
    "no noise": (lambda: perturbed_loss(pick, COST, TRUE, key=jax.random.key(0), scale=0.0), ArgumentError, "scale"),
    "no regulariser": (lambda: fenchel_young_loss(pick, COST, TRUE), ArgumentError, "no regulariser.*pass reg"),
    "PyEPO's name": (
        lambda: perturbed_loss(pick, COST, TRUE, key=jax.random.key(0), n_samples=3), ArgumentError, "write samples=",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name):
    run, error, message = BAD[name]
    with pytest.raises(error, match=message):
        run()
