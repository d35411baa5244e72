"""JAX's own switches change nothing that training computes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.autodiff import gradient
from argflux.training import Adam, ClipNorm, OptimiserChain, export, keep_best, load, save, setup, train, update

X, Y = jnp.arange(8.0).reshape(4, 2), jnp.ones((4, 1))
MODEL = nn.Chain(nn.Dense(2, 3, nn.relu, bias=False), nn.Dropout(0.0), nn.Dense(3, 1, bias=False))


def loss(model, x, y):
    return jnp.mean((model(x) - y) ** 2)


def everything(folder):
    """Go through train, resume, update, save, load and export; return the losses."""
    rule = OptimiserChain(ClipNorm(1.0), Adam(lambda step: 0.1 / (1 + step)))
    keywords = {"checkpoint": folder / "run.npz", "validation": (X, Y), "progress": False}
    train(loss, MODEL, [(X, Y)], rule, epochs=2, callback=keep_best(), **keywords)
    model, run = train(loss, MODEL, [(X, Y)], rule, epochs=3, resume=True, **keywords)
    still = nn.testmode(MODEL)
    update(setup(Adam(), still), still, gradient(loss, still, X, Y)[0])
    save(folder / "m.safetensors", model)
    load(folder / "m.safetensors", like=MODEL)
    export(folder / "m.mlir", model, X)
    return run.losses


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return everything(tmp_path_factory.mktemp("plain"))


SWITCHES = {
    "disable_jit": jax.disable_jit,
    "debug_nans": lambda: jax.debug_nans(True),
    "checking_leaks": jax.checking_leaks,
    "rank_promotion": lambda: jax.numpy_rank_promotion("raise"),
}


@pytest.mark.parametrize("switch", SWITCHES)
def test_a_switch_changes_nothing(switch, expected, tmp_path):
    with SWITCHES[switch]():
        losses = everything(tmp_path)
    np.testing.assert_allclose(losses, expected, rtol=1e-6)
