import jax.numpy as jnp
import numpy as np
import optax
import pytest

from argflux.errors import ArgumentError
from argflux.training import Adam, ClipGrad, ClipNorm, Descent, OptimiserChain, WeightDecay, setup, update

MODEL = {"x": jnp.array([1.0, -2.0])}
GRADS = {"x": jnp.array([3.0, 4.0])}


def step(rule):
    return np.asarray(update(setup(rule, MODEL), MODEL, GRADS)[1]["x"])


def optax_step(transformation):
    steps, _ = transformation.update(GRADS, transformation.init(MODEL), MODEL)
    return np.asarray(optax.apply_updates(MODEL, steps)["x"])


@pytest.mark.parametrize("transformation", [optax.sgd(0.1, momentum=0.9), optax.rmsprop(0.1), optax.lion(0.1)])
def test_any_optax_transformation_is_a_rule(transformation):
    np.testing.assert_allclose(step(transformation), optax_step(transformation), rtol=1e-6)


def test_modifiers_may_stand_before_an_optax_optimiser():
    expected = optax_step(optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.1)))
    np.testing.assert_allclose(step(OptimiserChain(ClipNorm(1), optax.sgd(0.1))), expected, rtol=1e-6)
    expected = optax_step(optax.chain(optax.add_decayed_weights(0.5), optax.sgd(0.1)))
    np.testing.assert_allclose(step(OptimiserChain(WeightDecay(0.5), optax.sgd(0.1))), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "rules", [(optax.clip(1.0), Adam()), (Descent(), optax.sgd(0.1)), (optax.sgd(0.1), WeightDecay(0.1))]
)
def test_two_owners_of_the_sign_are_refused(rules):
    with pytest.raises(ArgumentError, match="an Optax transformation; expected only ClipNorm"):
        OptimiserChain(*rules)


def test_two_descending_rules_still_descend():
    np.testing.assert_allclose(step(OptimiserChain(Descent(0.5), Descent(0.5))), [0.25, -3.0])


def test_chains_nest_flat():
    nested = OptimiserChain(OptimiserChain(ClipNorm(1), ClipGrad(2)), Adam())
    assert nested == OptimiserChain(ClipNorm(1), ClipGrad(2), Adam())


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ((), "got no rules; expected one or more"),
        ((Adam,), r"got Adam; expected a rule or an Optax transformation; write Adam\(\)"),
        ((0.1,), "got 0.1; expected a rule"),
    ],
)
def test_what_is_no_rule_is_refused(rules, message):
    with pytest.raises(ArgumentError, match=message):
        OptimiserChain(*rules)
