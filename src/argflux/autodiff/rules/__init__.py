"""Our rule for each JAX primitive, by family; importing this package fills the registry."""

from argflux.autodiff.rules import arithmetic, calls, loops, reductions

__all__ = ["arithmetic", "calls", "loops", "reductions"]
