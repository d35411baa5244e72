"""Our rule for each JAX primitive, by family; importing this package fills the registry."""

from argflux.autodiff.rules import (
    arithmetic,
    calls,
    cumulative,
    exponential,
    loops,
    reductions,
    selection,
    shape,
    sorting,
    special,
    trigonometry,
)

__all__ = [
    "arithmetic",
    "calls",
    "cumulative",
    "exponential",
    "loops",
    "reductions",
    "selection",
    "shape",
    "sorting",
    "special",
    "trigonometry",
]
