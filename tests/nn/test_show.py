"""The printed tree: the models of the tutorials, flags, other people's modules, odd leaves."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from tests.nn.layers import IdentitySkip, affine


def test_digit_classifier_of_two_layers():
    m = nn.Chain(nn.Dense(784, 10), nn.relu, nn.Dense(10, 10), nn.softmax)
    assert str(m) == (
        "Chain(\n"
        "  Dense(784 => 10),  # 7_850 parameters\n"
        "  relu,\n"
        "  Dense(10 => 10),   # 110 parameters\n"
        "  softmax,\n"
        ")  # Total: 4 arrays, 7_960 parameters, 31.094 KiB."
    )
    assert repr(m) == str(m)


def test_perceptron_of_three_layers():
    m = nn.Chain(nn.Dense(10, 5, nn.relu), nn.Dense(5, 5, nn.relu), nn.Dense(5, 2))
    assert nn.summary(m).endswith("# Total: 6 arrays, 97 parameters, 388 bytes.")


def test_nesting_names_and_users_own_layers():
    m = nn.Chain(enc=IdentitySkip(nn.Chain(nn.Dense(3, 3), nn.relu)), skip=nn.SkipConnection(nn.Dense(3, 3), nn.cat))
    assert nn.summary(m) == (
        "Chain(\n"
        "  enc = IdentitySkip(\n"
        "    inner = Chain(\n"
        "      Dense(3 => 3),  # 12 parameters\n"
        "      relu,\n"
        "    ),\n"
        "    activation = identity,\n"
        "  ),\n"
        "  skip = SkipConnection(\n"
        "    Dense(3 => 3),    # 12 parameters\n"
        "    cat,\n"
        "  ),\n"
        ")  # Total: 4 arrays, 24 parameters, 96 bytes."
    )


@pytest.mark.parametrize(
    ("weight", "bias", "flag"),
    [
        (0.0, 0.0, " (all zero)"),
        (0.0, 1.0, ""),
        (jnp.nan, 0.0, " (some NaN)"),
        (1.0, jnp.inf, " (some Inf)"),
        (1.0, -jnp.inf, " (some Inf)"),
        (jnp.nan, jnp.inf, " (some NaN) (some Inf)"),
    ],
)
def test_flags(weight, bias, flag):
    layer = nn.Dense(jnp.full((2, 2), weight), bias=jnp.full(2, bias))
    assert str(layer) == f"Dense(2 => 2)  # 6 parameters{flag}"


def test_layer_in_half_precision_is_flagged_too():
    layer = nn.Dense(jnp.full((2, 2), jnp.nan, jnp.bfloat16))
    assert str(layer).endswith("(some NaN)")


def test_arrays_that_are_not_trained_are_counted_apart():
    text = nn.summary({"a": nn.Dense(1, 1), "table": jnp.arange(3)})
    assert "table: (3,),        # 3 values not trained" in text
    assert text.endswith("# Total: 2 arrays, 2 parameters, plus 1 array not trained, 20 bytes.")


def test_bare_dataclass_and_equinox_module():
    assert nn.summary(affine(3)) == "Affine(scale: (3,), shift: (3,), power = 1)  # 6 parameters"
    mlp = eqx.nn.MLP(2, 2, 8, 2, key=jax.random.key(0))
    assert nn.summary(mlp).endswith("# Total: 6 arrays, 114 parameters, 456 bytes.")


def test_one_parameter_is_singular():
    assert str(nn.Dense(1, 1, bias=False)) == "Dense(1 => 1, bias=False)  # 1 parameter"


def test_donated_arrays_still_print():
    layer = nn.Dense(2, 2)
    layer.weight.delete()
    assert str(layer) == "Dense(2 => 2)  # 6 parameters"


def test_numpy_arrays_count():
    assert nn.summary(affine(2)) == nn.summary(jax.tree.map(np.asarray, affine(2)))


def test_labels():
    assert nn.label(lambda x: x) == "<lambda>"
    assert nn.label(functools.partial(nn.leakyrelu, slope=0.1)) == "leakyrelu(slope=0.1)"
    assert nn.label(jnp.add) == "add"
    assert nn.label(3) == "3"


def test_mebibytes():
    shapes = jax.eval_shape(lambda: nn.Chain(nn.Dense(jnp.zeros((1000, 1000))), nn.Dense(jnp.zeros((1000, 1000)))))
    assert nn.summary(shapes).endswith("2_002_000 parameters, 7.637 MiB.")


def test_show_prints(capsys):
    nn.show(nn.Dense(10, 5))
    assert capsys.readouterr().out == "Dense(10 => 5)  # 55 parameters\n"
