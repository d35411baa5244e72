"""Dataclasses as layers: found however they are written and wherever they stand."""

import dataclasses
import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

from argflux import nn
from argflux.autodiff import gradient
from argflux.errors import ArgumentError
from argflux.training import load, save
from argflux.userlayer import is_function
from tests.nn.layers import Affine, Gate, IdentitySkip, affine


def names(model):
    return [name for name, _ in nn.trainables(model)]


def test_the_skips_of_the_question():
    m = nn.Chain(nn.Dense(2, 3), IdentitySkip(nn.Dense(3, 3)), nn.Dense(3, 4))
    assert len(names(m)) == 6
    assert names(m)[2:4] == ["layers[1].inner.weight", "layers[1].inner.bias"]


def test_dataclass_in_dataclass_in_list_in_module():
    m = nn.Chain(Gate([IdentitySkip(affine()), {"deep": affine()}["deep"]]))
    assert names(m) == [
        "layers[0].parts[0].inner.scale",
        "layers[0].parts[0].inner.shift",
        "layers[0].parts[1].scale",
        "layers[0].parts[1].shift",
    ]


def test_dataclass_without_a_container():
    @dataclasses.dataclass
    class Alone:
        w: Any

    model = Alone(jnp.ones(2))
    assert names(model) == ["w"]
    assert jax.grad(lambda m: jnp.sum(m.w**2))(model).w.tolist() == [2.0, 2.0]


def test_post_init_runs_once():
    calls = []

    @dataclasses.dataclass
    class Doubling:
        width: int
        w: Any = dataclasses.field(init=False)

        def __post_init__(self):
            calls.append(1)
            self.w = jnp.ones(self.width)

        def __call__(self, x):
            return self.w * x

    m = nn.Chain(Doubling(3))
    moved = jax.tree.map(lambda a: 2 * a, m)
    assert moved[0].w.tolist() == [2.0, 2.0, 2.0]
    assert moved[0].width == 3
    assert len(calls) == 1


def test_frozen_and_slots():
    @dataclasses.dataclass(frozen=True, slots=True)
    class Cold:
        w: Any

        def __call__(self, x):
            return self.w * x

    m = jax.tree.map(lambda a: 2 * a, nn.Chain(Cold(jnp.ones(2))))
    assert m(jnp.ones(2)).tolist() == [2.0, 2.0]


def test_attributes_that_are_no_fields_are_found():
    @dataclasses.dataclass
    class Late:
        width: int

        def __post_init__(self):
            self.w = jnp.ones(self.width)

        def __call__(self, x):
            return self.w * x

    assert names(nn.Chain(Late(2))) == ["layers[0].w"]
    assert jax.tree.map(lambda a: 2 * a, nn.Chain(Late(2)))(jnp.ones(2)).tolist() == [2.0, 2.0]


def test_subclass_of_a_layer():
    class Louder(Affine):
        def __call__(self, x):
            return 10 * super().__call__(x)

    m = nn.Chain(Louder(jnp.ones(1), jnp.zeros(1)))
    assert names(m) == ["layers[0].scale", "layers[0].shift"]
    assert jax.tree.map(lambda a: a, m)(jnp.ones(1)).tolist() == [10.0]


def test_numbers_of_the_structure_and_functions_are_no_leaves():
    assert len(jax.tree.leaves(nn.Chain(affine(), IdentitySkip(nn.relu, nn.tanh)))) == 2

    @dataclasses.dataclass
    class Marked:
        w: Any
        mode: str = "fast"
        sizes: Any = dataclasses.field(default=(2, 3), metadata={"static": True})

        def __call__(self, x):
            return self.w * x

    m = jax.jit(lambda m: jax.tree.map(lambda a: a + 1, m))(nn.Chain(Marked(jnp.zeros(1))))
    assert m[0] == Marked(m[0].w, "fast", (2, 3))


def test_a_mask_has_the_structure_of_the_layer():
    m = nn.Chain(affine(), IdentitySkip(affine(), nn.tanh))
    assert jax.tree.structure(jax.tree.map(lambda _: True, m)) == jax.tree.structure(m)


def test_frozen_markers_of_other_libraries_are_left_alone():
    @dataclasses.dataclass(frozen=True)
    class Marker:
        axis: Any = 0

        def __call__(self, x):
            return x

    nn.register_layers([Marker(), eqx.filter_vmap(nn.relu)])
    assert jax.tree_util.all_leaves([Marker()])
    assert eqx.nn.MLP(2, 2, 8, 2, key=jax.random.key(0))(jnp.ones(2)).shape == (2,)
    assert jax.jit(lambda m, x: m(x))(nn.Chain(Marker()), 1.0) == 1.0


def test_registering_again_changes_nothing():
    m = nn.Chain(affine())
    assert nn.register_layers(nn.register_layers(m)) is m


def test_ordinary_class_with_arrays_is_refused():
    class Hidden:
        def __init__(self):
            self.inner = nn.Dense(3, 3)

        def __call__(self, x):
            return self.inner(x)

    message = r"^\[1\]\.inner: got an object of the ordinary class Hidden.*write @dataclass above `class Hidden`"
    with pytest.raises(ArgumentError, match=message):
        nn.Chain(nn.relu, IdentitySkip(Hidden()))


@pytest.mark.parametrize("wrap", [jax.vmap, jax.jit])
def test_function_wrapped_around_a_layer_is_refused(wrap):
    linear = eqx.nn.Linear(3, 2, key=jax.random.key(0))
    with pytest.raises(ArgumentError, match=r"got a function wrapped around a layer.*equinox\.filter_vmap"):
        nn.Chain(wrap(linear))
    assert len(nn.trainables(nn.Chain(eqx.filter_vmap(linear)))) == 2


def test_ordinary_class_without_arrays_is_a_function():
    class Shift:
        def __init__(self, by):
            self.by = by

        def __call__(self, x):
            return x + self.by

    m = nn.Chain(Shift(2.0), nn.Dense(1, 1))
    assert len(jax.tree.leaves(m)) == 2
    assert jax.jit(lambda m, x: m(x))(m, jnp.ones((1, 1))).shape == (1, 1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (nn.relu, True),
        (jnp.add, True),
        (jax.jit(nn.relu), True),
        (None, False),
        (nn.Dense(1, 1), False),
        (eqx.nn.Identity(), False),
        (jnp.ones(2), False),
        ("relu", False),
        (jax.tree_util.Partial(nn.relu), False),
    ],
)
def test_is_function(value, expected):
    assert is_function(value) is expected


def unsortable():
    return {(1, None): jnp.ones(2), ("a", 2): object()}


def test_what_an_object_remembers_is_no_part_of_its_tree(tmp_path):
    @dataclasses.dataclass
    class Remembering:
        w: Any

        def __post_init__(self):
            self._plans, self._seen = unsortable(), [1, "a"]

        @functools.cached_property
        def norm(self):
            return jnp.linalg.norm(self.w)

        def __call__(self, x):
            return self.w * x / self.norm

    layer = Remembering(jnp.array([3.0, 4.0]))
    m = nn.Chain(nn.Dense(2, 2), layer)
    assert float(m[1].norm) == 5.0
    assert names(m) == ["layers[0].weight", "layers[0].bias", "layers[1].w"]
    assert "8 parameters" in str(m)
    moved = jax.tree.map(lambda a: 2 * a, m)
    assert float(moved[1].norm) == 10.0, "what was computed from the old arrays is forgotten"
    assert moved[1]._plans is layer._plans
    assert gradient(lambda m: jnp.sum(m[1].w ** 2), m)[0][1].w.tolist() == [6.0, 8.0]
    save(tmp_path / "m.safetensors", m)
    assert load(tmp_path / "m.safetensors", like=m)[1].w.tolist() == [3.0, 4.0]
    assert jax.jit(lambda m: m[1].w)(m).tolist() == [3.0, 4.0]
    assert nn.testmode(m)[1].w.tolist() == [3.0, 4.0]
    assert jax.tree.structure(m) == jax.tree.structure(moved)


def test_an_ordinary_object_that_remembers_arrays_is_a_function():
    class Solver:
        def __init__(self):
            self._plans = unsortable()

        def __call__(self, x):
            return 2 * x

    m = nn.Chain(nn.Dense(2, 2), Solver())
    assert len(names(m)) == 2
    assert str(m)


def test_an_array_under_a_private_name_is_still_trained():
    @dataclasses.dataclass
    class Private:
        width: int

        def __post_init__(self):
            self._w = jnp.ones(self.width)

        def __call__(self, x):
            return self._w * x

    assert names(nn.Chain(Private(2))) == ["layers[0]._w"]


def test_a_field_with_keys_of_several_kinds():
    @dataclasses.dataclass
    class Mixed:
        parts: Any

        def __call__(self, x):
            return x

    with pytest.raises(ArgumentError, match=r"a dict whose keys cannot be sorted.*name its entries"):
        nn.Chain(Mixed(unsortable()))
