import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from argflux import nn
from argflux.errors import ArgumentError, DtypeError, ShapeError
from argflux.training import (
    Adam,
    AdamW,
    ClipNorm,
    Descent,
    Momentum,
    OptimiserChain,
    TiedArraysWarning,
    WeightDecay,
    adjust,
    freeze,
    setup,
    thaw,
    update,
)
from tests.training.models import assert_same_bits, line_data, loss, network

RULES = [
    Momentum(),
    Adam(),
    AdamW(decay=0.5),
    OptimiserChain(ClipNorm(0.01), WeightDecay(0.1), Adam()),
    optax.adamw(1e-2),
    optax.chain(optax.ema(0.9), optax.sgd(0.1)),
]


def slopes(model):
    x, y = line_data()
    return eqx.filter_grad(loss)(model, x, y)


def test_setup_leaves_functions_numbers_and_integers_alone():
    model = {"w": jnp.ones(2), "f": jnp.tanh, "slope": 0.1, "n": jnp.arange(3), "name": "layer"}
    state = setup(Adam(), model)
    assert state.names == ("['w']",)
    grads = {"w": jnp.ones(2), "f": None, "slope": jnp.array(5.0), "n": None, "name": None}
    _, after = update(state, model, grads)
    assert after["slope"] == 0.1
    assert after["f"] is jnp.tanh
    assert after["n"] is model["n"]
    assert not np.array_equal(after["w"], model["w"])


def test_arrays_of_an_unregistered_dataclass_are_found():
    @dataclasses.dataclass
    class Mine:
        weight: jax.Array

        def __call__(self, x):
            return self.weight * x

    model = nn.Chain(Mine(jnp.array([2.0])), nn.relu)
    state = setup(Descent(1.0), model)
    assert state.names == ("layers[0].weight",)
    _, after = update(state, model, jax.tree.map(lambda x: x if eqx.is_array(x) else None, model))
    assert after[0].weight.tolist() == [0.0]


def test_update_leaves_its_arguments_alone():
    model, rule = network(), Adam()
    state = setup(rule, model)
    copies = jax.tree.map(lambda x: np.array(x) if eqx.is_array(x) else x, (state, model))
    update(state, model, slopes(model))
    assert_same_bits((state, model), copies)


def test_numpy_arrays_are_trained_too():
    _, after = update(setup(Descent(1.0), np.ones(2, np.float32)), np.ones(2, np.float32), np.ones(2, np.float32))
    assert isinstance(after, jax.Array)
    assert after.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("model", "grads"),
    [
        (jnp.ones(2), (jnp.ones(2),)),
        ({"w": jnp.ones(2)}, ({"w": jnp.ones(2)},)),
        ({"w": jnp.ones(2)}, ({"w": jnp.ones(2)}, jnp.ones(3))),
        ({"w": jnp.ones(2)}, (None, {"w": jnp.ones(2)})),
    ],
)
def test_the_tuple_of_gradient_is_told_apart(model, grads):
    with pytest.raises(ArgumentError, match=r"got the tuple that gradient returns.*pass its first entry, grads\[0\]"):
        update(setup(Descent(), model), model, grads)


def test_a_model_that_is_a_tuple_is_no_mistake():
    model = (jnp.ones(2), jnp.ones(3))
    _, after = update(setup(Descent(1.0), model), model, model)
    assert [array.sum() for array in after] == [0.0, 0.0]


def test_gradients_that_do_not_fit_are_named():
    model = network()
    state = setup(Descent(), model)
    wrong = eqx.tree_at(lambda m: m[0].weight, slopes(model), jnp.ones((1, 8)))
    with pytest.raises(ShapeError, match=r"layers\[0\].weight: got a gradient of shape \(1, 8\); expected \(8, 1\)"):
        update(state, model, wrong)
    with pytest.raises(ShapeError, match=r"got gradients of a dict with \['a'\]; expected the structure of the model"):
        update(state, model, {"a": jnp.ones(2)})
    with pytest.raises(ShapeError, match="got gradients of a NoneType"):
        update(state, model, None)


def test_gradients_of_a_model_in_another_mode_are_named():
    model = nn.Chain(nn.Dense(2, 2), nn.Dropout(0.5))
    with pytest.raises(ShapeError, match="whose settings are others; expected those of the model, such as its mode"):
        update(setup(Descent(), model), model, nn.testmode(model))


def test_a_state_of_another_model_is_refused():
    with pytest.raises(ArgumentError, match=r"got a state for \['a'\]; expected one for \['b'\]"):
        update(setup(Descent(), {"a": jnp.ones(2)}), {"b": jnp.ones(2)}, {"b": jnp.ones(2)})


@pytest.mark.parametrize("model", [{}, [], {"f": jnp.tanh}, jnp.arange(3), None, 0.5])
def test_nothing_to_train_is_an_error(model):
    with pytest.raises(ArgumentError, match="no floating arrays; expected at least one array to train"):
        setup(Descent(), model)


def test_complex_arrays_are_an_error():
    with pytest.raises(DtypeError, match=r"got complex64 at \['z'\]"):
        setup(Descent(), {"z": jnp.ones(2, jnp.complex64)})


def test_tied_arrays_are_told():
    shared = jnp.ones(2)
    with pytest.warns(TiedArraysWarning, match=r"\[0\] and \[2\]\['w'\] are the same array"):
        setup(Descent(), [shared, jnp.ones(2), {"w": shared}])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: repr(rule).partition("(")[0])
def test_a_gradient_of_none_moves_nothing(rule):
    model = network()
    state = setup(rule, model)
    grads = slopes(model)
    part = eqx.tree_at(lambda g: g[0].weight, grads, None)
    state1, model1 = update(state, model, part)
    state2, model2 = update(freeze(state, "layers[0].weight"), model, grads)
    assert_same_bits((state1, model1), (state2, model2))
    assert_same_bits(model1[0].weight, model[0].weight)
    assert not np.array_equal(model1[0].bias, model[0].bias)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: repr(rule).partition("(")[0])
def test_frozen_arrays_stay_with_their_memory(rule):
    model = network()
    state, model = update(setup(rule, model), model, slopes(model))
    frozen = freeze(state, "layers[0]")
    assert frozen.frozen == ("layers[0].weight", "layers[0].bias")
    state1, model1 = update(frozen, model, slopes(model))
    assert_same_bits(model1[0], model[0])
    assert not np.array_equal(model1[1].weight, model[1].weight)
    memory = [leaf for leaf in jax.tree.leaves(frozen.inner) if leaf.shape in {(8, 1), (8,)}]
    after = [leaf for leaf in jax.tree.leaves(state1.inner) if leaf.shape in {(8, 1), (8,)}]
    assert memory
    assert_same_bits(memory, after)
    _, model2 = update(thaw(state1), model1, slopes(model1))
    assert not np.array_equal(model2[0].weight, model1[0].weight)


def test_clip_norm_ignores_what_is_frozen():
    model = {"a": jnp.zeros(2), "b": jnp.zeros(2)}
    grads = {"a": jnp.array([30.0, 40.0]), "b": jnp.array([3.0, 4.0])}
    state = freeze(setup(OptimiserChain(ClipNorm(1), Descent(1.0)), model), "['a']")
    _, after = update(state, model, grads)
    np.testing.assert_allclose(after["b"], [-0.6, -0.8], rtol=1e-6)


def test_all_frozen_is_no_step():
    model = network()
    state = freeze(setup(Adam(), model), lambda name: True)
    state1, model1 = update(state, model, slopes(model))
    assert_same_bits((state1, model1), (state, model))


def test_where_may_be_paths_or_a_function():
    state = setup(Descent(), network())
    biases = ("layers[0].bias", "layers[1].bias")
    assert freeze(state, lambda name: name.endswith("bias")).frozen == biases
    assert freeze(state, ["layers[1].bias", "layers[0].bias"]).frozen == biases
    assert thaw(freeze(state, "layers"), "layers[0]").frozen == ("layers[1].weight", "layers[1].bias")
    assert freeze(freeze(state, "layers[0].bias"), "layers[1].bias").frozen == biases


@pytest.mark.parametrize("where", ["layers[5]", "layer", "layers[0].weigh", ["layers[0]", "head"], lambda name: False])
@pytest.mark.parametrize("change", [freeze, thaw])
def test_a_path_that_is_not_there_is_an_error(change, where):
    with pytest.raises(
        ArgumentError, match=r"expected the path of an array.*among layers\[0\].weight, layers\[0\].bias"
    ):
        change(setup(Descent(), network()), where)


def test_a_path_is_no_prefix_of_another_number():
    model = [jnp.ones(1) * i for i in range(12)]
    assert freeze(setup(Descent(), model), "[1]").frozen == ("[1]",)


def test_adjust_keeps_the_memory_and_compiles_nothing():
    model = network()
    traces = 0

    @eqx.filter_jit
    def step(state, model, grads):
        nonlocal traces
        traces += 1
        return update(state, model, grads)

    state, model = step(setup(Momentum(0.1), model), model, slopes(model))
    slower = adjust(state, rate=0.0)
    assert_same_bits(slower.inner, state.inner)
    _, same = step(slower, model, slopes(model))
    assert_same_bits(same, model)
    assert traces == 1


def test_adjust_reaches_every_rule_with_the_name():
    state = setup(OptimiserChain(WeightDecay(0.1), AdamW(0.1, decay=0.2)), jnp.ones(2))
    after = adjust(state, decay=0.5, beta=(0.25, 0.5))
    assert [float(hyper["decay"]) for hyper in after.hyper] == [0.5, 0.5]
    assert after.hyperparameters()["beta"] == (0.25, 0.5)
    assert after.hyperparameters()["rate"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lr": 0.1}, "got keyword 'lr'; expected rate, beta, eps"),
        ({"rate": -1}, "got rate=-1; expected a number at least 0"),
        ({"beta": 0.9}, "got beta=0.9; expected 2 numbers"),
        ({"beta": (0.9, 1.0)}, r"expected a number in \[0, 1\)"),
    ],
)
def test_adjust_refuses_bad_names_and_numbers(change, message):
    with pytest.raises(ArgumentError, match=message):
        adjust(setup(Adam(), jnp.ones(2)), **change)


def test_adjust_of_an_optax_transformation_says_that_it_has_no_names():
    with pytest.raises(ArgumentError, match="got keyword 'rate'; expected no keyword"):
        adjust(setup(optax.adam(1e-3), jnp.ones(2)), rate=0.1)


def test_the_rate_is_exact_in_float64(x64):
    state = setup(Descent(0.1), jnp.ones(1, jnp.float64))
    _, after = update(state, jnp.ones(1, jnp.float64), jnp.ones(1, jnp.float64))
    assert after[0] == 1.0 - 0.1
