"""What makes XLA take its fast kernels on the CPU: options, and layouts of convolutions. Imports only JAX."""

import functools
from typing import Any

import jax
from jax import Array, lax

from argflux.keywords import explained

# All kinds of work that XLA's CPU backend hands to YNNPACK by default, but convolutions: its own are faster.
_ON_CPU = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_REDUCE,LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"}


@explained
def compiler_options() -> dict[str, str]:
    """Return the options of XLA that `train` compiles with, for a `jit` of one's own.

    On the CPU they choose the faster of two implementations of convolutions; elsewhere, and where this version of XLA
    does not know them, there are none. Only the outermost `jit` can have options.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import argflux as af
        >>> run = jax.jit(lambda model, x: model(x), compiler_options=af.compiler_options())
        >>> run(af.Conv((3, 3), 1, 8), jnp.ones((2, 28, 28, 1))).shape
        (2, 26, 26, 8)
    """
    return dict(_known(jax.default_backend()))


@functools.cache
def _known(backend: str) -> dict[str, str]:
    return _ON_CPU if backend == "cpu" and _compiles_with(_ON_CPU) else {}


def _compiles_with(options: dict[str, str]) -> bool:
    try:
        jax.jit(lambda: 0, compiler_options=options).lower().compile()
    except jax.errors.JaxRuntimeError:  # an option or a value that this XLA does not have
        return False
    return True


def convolve(x: Array, w: Array, dimension_numbers: Any, **settings: Any) -> Array:
    """Do what `lax.conv_general_dilated` does, on the CPU with channels last for every array.

    XLA has fast kernels there for this layout alone; it brings others into it at the top of a program, but not inside
    loops, where they take twenty times as long.

    Args:
        x: the input.
        w: the kernel.
        dimension_numbers: a `lax.ConvDimensionNumbers`: where batch, features and spatial axes are.
        **settings: all others of `lax.conv_general_dilated`.

    Example:
        >>> import jax.numpy as jnp
        >>> from jax import lax
        >>> from argflux.compilation import convolve
        >>> first = lax.ConvDimensionNumbers((0, 1, 2), (0, 1, 2), (0, 1, 2))
        >>> x, w = jnp.ones((2, 1, 5)), jnp.ones((4, 1, 3))
        >>> convolve(x, w, first, window_strides=(1,), padding="VALID").shape
        (2, 4, 3)
    """
    if jax.default_backend() != "cpu":
        return lax.conv_general_dilated(x, w, dimension_numbers=dimension_numbers, **settings)
    x_spec, y_spec = _channels_last(dimension_numbers.lhs_spec), _channels_last(dimension_numbers.out_spec)
    out, into, *window = dimension_numbers.rhs_spec
    axes = len(window)
    last = (0, axes + 1, *range(1, axes + 1))
    y = lax.conv_general_dilated(
        _transposed(x, x_spec),
        _transposed(w, (*window, into, out)),
        dimension_numbers=lax.ConvDimensionNumbers(last, (axes + 1, axes, *range(axes)), last),
        **settings,
    )
    return _transposed(y, tuple(y_spec.index(axis) for axis in range(axes + 2)))


def _channels_last(spec: tuple[int, ...]) -> tuple[int, ...]:
    batch, feature, *spatial = spec
    return (batch, *spatial, feature)


def _transposed(x: Array, order: tuple[int, ...]) -> Array:
    return x if order == tuple(range(len(order))) else lax.transpose(x, order)
