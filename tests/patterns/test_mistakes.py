"""What users get wrong with models and data, tried on every function that takes both."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn, patterns
from argflux.errors import ArgfluxError, ArgumentError, DtypeError
from tests.patterns.networks import network

X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
LABELS = np.arange(6) % 3
CALLS = {
    "activation_pattern": patterns.activation_pattern,
    "count_patterns": patterns.count_patterns,
    "count_zeros": patterns.count_zeros,
    "design_weights": lambda m, x: patterns.design_weights(m, x, progress=False),
    "find_sites": patterns.find_sites,
    "gap_identity": lambda m, x: patterns.gap_identity(m, x, 0.1, m),
    "generalisation_gap": lambda m, x: patterns.generalisation_gap(m, x, 0.1, m),
    "line_regions": lambda m, x: patterns.line_regions(m, x[0], x[1]),
    "local_affine_map": lambda m, x: patterns.local_affine_map(m, x[0]),
    "plane_regions": lambda m, x: patterns.plane_regions(m, x[0], x[1], x[2]),
    "preactivations": patterns.preactivations,
    "region_radius": lambda m, x: patterns.region_radius(m, x[0]),
    "study_initialisations": lambda m, x: patterns.study_initialisations(
        ["uniform"], m, ((x, LABELS), (x, LABELS)), starts=1, epochs=1, batchsize=3, progress=False
    ),
}


class Unbatched(eqx.Module):
    """A model of single observations, as Equinox users write them."""

    hidden: eqx.nn.Linear
    output: eqx.nn.Linear

    def __call__(self, x):
        return self.output(jax.nn.relu(self.hidden(x)))


def unbatched():
    first, second = jax.random.split(jax.random.key(0))
    return Unbatched(eqx.nn.Linear(4, 5, key=first), eqx.nn.Linear(5, 3, key=second))


def test_every_function_of_models_and_data_has_a_row():
    import inspect

    public = [getattr(patterns, name) for name in patterns.__all__]
    taking = {f.__name__ for f in public if inspect.isfunction(f)} - {"load_study", "verdict", "designed", "redraw"}
    assert taking == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_a_model_of_single_observations_is_to_be_mapped(name):
    with pytest.raises(ArgumentError, match=r"got Unbatched\(.*which fails on a batch.*pass jax.vmap\(model\)"):
        CALLS[name](unbatched(), X)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("model", [None, {"w": jnp.ones(3)}, nn.Dense, X], ids=["none", "dict", "class", "array"])
def test_no_model(name, model):
    with pytest.raises((ArgumentError, DtypeError), match=r"got .*expected a (model|function)"):
        CALLS[name](model, X)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    "x", [X[:, :3], np.array([["a"] * 4] * 6), np.ones((6, 4, 2), np.float32)], ids=["narrow", "text", "an axis more"]
)
def test_data_of_another_kind(name, x):
    with pytest.raises(ArgfluxError, match=r"got .*expected"):
        CALLS[name](network(4, 5, 3), x)


@pytest.mark.parametrize("name", sorted(set(CALLS) - {"find_sites", "generalisation_gap"}))
def test_a_model_without_units(name):
    model = nn.Chain(nn.Dense(4, 5, nn.tanh), nn.Dense(5, 3))
    with pytest.raises(ArgumentError, match=r"without ReLU-like units|tanh"):
        CALLS[name](model, X)


def test_lists_are_arrays():
    assert list(patterns.preactivations(network(4, 5, 3), X.tolist())) == ["layers[0]"]
    on = patterns.activation_pattern(network(4, 5, 3), X.tolist())
    assert on["layers[0]"].shape == (6, 5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: patterns.count_zeros(m, X, label=LABELS), "count_zeros: got keyword label=.*write labels="),
        (lambda m: patterns.design_weights(m, X, kapa=1.0), "design_weights: got keyword kapa=1.0.*write kappa="),
        (lambda m: patterns.designed(X, kapa=1.0), "designed: got keyword kapa=1.0.*write kappa="),
        (lambda m: patterns.line_regions(m, X[0]), "line_regions: got a call with missing .*'end'"),
    ],
)
def test_keywords(call, message):
    with pytest.raises(ArgumentError, match=message):
        call(network(4, 5, 3))


def test_one_observation_is_written_so():
    assert str(patterns.count_zeros(network(4, 5, 3), X[:1])).splitlines()[0].endswith("on 1 observation")
    assert " on 1 observation," in str(patterns.count_patterns(network(4, 5, 3), X[:1]))


@pytest.mark.parametrize("name", sorted(set(CALLS) - {"design_weights", "study_initialisations", "preactivations"}))
def test_what_is_returned_is_shown_in_a_line(name):
    found = CALLS[name](network(4, 5, 3), X)
    if not isinstance(found, dict | tuple | jax.Array) or name == "gap_identity":
        assert len(repr(found)) < 200
        assert "\n" not in repr(found)
