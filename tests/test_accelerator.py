"""Networks and programs on the default accelerator give what they give on the CPU; the same code runs without one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from benchmarks.accelerator import WORKS, main, on

import argflux as af

needs_accelerator = pytest.mark.skipif(
    jax.default_backend() == "cpu", reason="JAX has no device here but the CPU: install its extra for yours"
)


@pytest.mark.parametrize("make", WORKS, ids=lambda make: make.__name__)
def test_runs_on_the_default_device(make):
    results = jax.tree.leaves(on(jax.devices()[0], make, scale=2)())
    assert results
    for array in results:
        assert array.devices() == {jax.devices()[0]}
        assert jnp.isfinite(array).all()


@needs_accelerator
@pytest.mark.parametrize("make", WORKS, ids=lambda make: make.__name__)
def test_gives_what_the_cpu_gives(make):
    """Accelerators multiply with ten bits of precision by default, so these are asked for full precision."""
    with jax.default_matmul_precision("highest"):
        here, there = on(jax.devices()[0], make, scale=2)(), on(jax.devices("cpu")[0], make, scale=2)()
    for a, b in zip(jax.tree.leaves(here), jax.tree.leaves(there), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4)


@needs_accelerator
def test_train_leaves_the_model_there():
    x = np.ones((64, 4), np.float32)
    model, _ = af.train(lambda m, x: jnp.mean(jnp.square(m(x))), af.Dense(4, 2), [x], af.Adam(), progress=False)
    assert model.weight.devices() == {jax.devices()[0]}


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="there is an accelerator")
def test_the_benchmark_says_when_there_is_none(capsys):
    main()
    assert "no device here but the CPU" in capsys.readouterr().err
