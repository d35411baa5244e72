"""Which outputs of a function depend on which unknowns, as asdex finds it."""

import functools
import importlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from argflux.programs.forms.pattern import Pattern


@functools.cache
def available() -> bool:
    """Whether the package that finds patterns is installed and imports, which not all versions do with every JAX."""
    try:
        importlib.import_module("asdex")
    except (ImportError, AttributeError):
        return False
    return True


def jacobian_pattern(function: Callable, *shapes: jax.ShapeDtypeStruct) -> Pattern:
    """Find where the Jacobian of `function(x, *params)` with respect to x may differ from zero."""
    import asdex

    with jax.ensure_compile_time_eval():
        return _pattern(asdex.jacobian_sparsity(function, *map(_zeros, shapes)))


def hessian_pattern(function: Callable, *shapes: jax.ShapeDtypeStruct) -> Pattern:
    """Find where the Hessian of the scalar `function(x, *params)` with respect to x may differ from zero."""
    import asdex

    with jax.ensure_compile_time_eval():
        return _pattern(asdex.hessian_sparsity(function, *map(_zeros, shapes)))


def _pattern(found: Any) -> Pattern:
    """Read what `asdex` found, row after row."""
    order = np.lexsort((found.cols, found.rows))
    return Pattern.of(np.asarray(found.rows)[order], np.asarray(found.cols)[order], found.shape)


def _zeros(struct: jax.ShapeDtypeStruct) -> np.ndarray:
    return np.zeros(struct.shape, struct.dtype)
