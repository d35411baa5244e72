"""The layout of convolutions and the options of XLA: same values, and the kernels that are meant to be taken."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import argflux as af
from argflux import compilation
from argflux.compilation import compiler_options, convolve

SPECS = {
    "channels last": ("NHWC", "HWIO", "NHWC"),
    "channels first": ("NCHW", "OIHW", "NCHW"),
    "mixed": ("HNCW", "WOHI", "CWNH"),
}


def drawn(seed: int, *shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def arranged(spec: str, **sizes: int) -> tuple[int, ...]:
    return tuple(sizes[letter] for letter in spec)


@pytest.mark.parametrize("specs", SPECS.values(), ids=SPECS)
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("backend", ["cpu", "gpu"])
def test_convolve_is_the_convolution(specs, groups, backend, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    x = drawn(0, *arranged(specs[0], N=2, C=4, H=7, W=6))
    w = drawn(1, *arranged(specs[1], O=6, I=4 // groups, H=3, W=2))
    numbers = lax.conv_dimension_numbers(x.shape, w.shape, specs)
    settings = {
        "window_strides": (2, 1),
        "padding": ((1, 0), (2, 1)),
        "rhs_dilation": (1, 2),
        "feature_group_count": groups,
    }
    expected = lax.conv_general_dilated(x, w, dimension_numbers=numbers, **settings)
    np.testing.assert_allclose(convolve(x, w, numbers, **settings), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="of XLA's CPU backend")
def test_convolutions_in_a_loop_have_the_layout_of_the_fast_kernels():
    model, x = af.Conv((3, 3), 4, 8, padding=1), drawn(0, 2, 6, 6, 4)

    def step(_, model):
        by_model, by_x = af.gradient(lambda model, x: jnp.sum(jnp.square(model(x))), model, x)
        return jax.tree.map(lambda w, dw: w - 0.1 * dw + jnp.sum(by_x), model, by_model)

    run = jax.jit(lambda model: lax.fori_loop(0, 3, step, model))
    text = run.lower(model).compile().as_text()
    layouts = set(re.findall(r"dim_labels=(\S+?)[,\s]", text))
    assert layouts == {"b01f_01io->b01f"}


def test_options_compile():
    options = compiler_options()
    assert set(options) <= {"xla_cpu_experimental_ynn_fusion_type"}
    assert jax.jit(lambda x: x + 1, compiler_options=options)(1) == 2


def test_options_that_this_xla_does_not_know_are_left_out(monkeypatch):
    monkeypatch.setattr(compilation, "_ON_CPU", {"xla_no_such_option": "1"})
    compilation._known.cache_clear()
    try:
        assert compiler_options() == {}
    finally:
        compilation._known.cache_clear()


def test_other_backends_have_no_options():
    assert compilation._known("gpu") == {}
