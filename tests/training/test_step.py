import jax
import jax.numpy as jnp
import optax
import pytest

from argflux.training import Adam
from argflux.training.chain import initial_hyperparameters, parts_of
from argflux.training.memory import first_memory
from argflux.training.step import apply_rules
from tests.training.models import assert_same_bits

PARAMS = {"a": jnp.array([1.0, 2.0]), "b": (jnp.array([3.0]), jnp.array([[4.0]]))}


@pytest.mark.parametrize("rule", [Adam(0.1), optax.adam(0.1), optax.chain(optax.trace(0.9), optax.adagrad(0.1))])
def test_holding_a_part_is_a_step_of_the_rest_alone(rule):
    parts = parts_of(rule)
    hyper = initial_hyperparameters(parts)
    inner = first_memory(parts, hyper, PARAMS)
    rest = {"a": None, "b": (PARAMS["b"][0], None)}
    whole = jax.tree.structure(PARAMS)
    after, params = apply_rules(parts, whole, hyper, inner, rest, rest)
    assert jax.tree.structure(after) == jax.tree.structure(inner)
    assert params["a"] is None
    alone = {"b": PARAMS["b"][0]}
    first = first_memory(parts, hyper, alone)
    _, expected = apply_rules(parts, None, hyper, first, alone, alone)
    assert_same_bits(params["b"][0], expected["b"])
    kept = [leaf for leaf in jax.tree.leaves(after) if leaf.shape in {(2,), (1, 1)}]
    assert_same_bits(kept, [leaf for leaf in jax.tree.leaves(inner) if leaf.shape in {(2,), (1, 1)}])
