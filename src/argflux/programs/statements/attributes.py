"""What a CVXPY parameter was declared to be: which of its entries count, and whether a value keeps the promise."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

SYMMETRIC = ("symmetric", "PSD", "NSD")
_WORDS = {
    "nonneg": "nonnegative",
    "pos": "positive",
    "nonpos": "nonpositive",
    "neg": "negative",
    "PSD": "positive semidefinite",
    "NSD": "negative semidefinite",
    "diag": "diagonal",
    "sparsity": "zero outside its sparsity pattern",
    "bounds": "within its bounds",
}


@dataclass(frozen=True, eq=False)
class Declared:
    """A parameter of a CVXPY problem.

    Attributes:
        shape: of its values.
        start: where it starts in the vector of all parameters.
        picked: numbers of the entries, column after column, that stand in that vector; `None` for all.
        names: the attributes it was declared with.
        limits: lower and upper bounds of its entries, where declared.
        places: the entries, as booleans, that a declared pattern, or integers among real numbers, are about; else all.
    """

    shape: tuple[int, ...]
    start: int
    picked: np.ndarray | None
    names: tuple[str, ...]
    limits: tuple[np.ndarray, np.ndarray] | None
    places: np.ndarray

    @classmethod
    def of(cls, parameter: Any, start: int) -> "Declared":
        """Read a `cvxpy.Parameter` whose reduced form starts at `start`."""
        given = parameter.attributes
        names = tuple(name for name in given if name in _CHECKS and _is_set(given[name]))
        shape, picked, limits = parameter.shape, None, None
        places = np.ones(parameter.shape, bool)
        numbers = np.arange(parameter.size).reshape(shape, order="F")
        if any(name in names for name in SYMMETRIC):
            picked = numbers[np.triu_indices(shape[-1])]
        elif "diag" in names:
            picked = np.diag(numbers)
        elif "sparsity" in names:
            places = np.zeros(shape, bool)
            places[parameter.sparse_idx] = True
            picked = numbers[parameter.sparse_idx]
        for name in ("integer", "boolean"):
            if name in names:
                places = np.zeros(shape, bool)
                places[getattr(parameter, f"{name}_idx", ...)] = True
        if "bounds" in names:
            if any(hasattr(bound, "is_constant") for bound in parameter.bounds):
                names = tuple(name for name in names if name != "bounds")
            else:
                low, high = (np.broadcast_to(np.asarray(bound, float), shape) for bound in parameter.bounds)
                limits = low, high
        return cls(shape, start, picked, names, limits, places)

    def entries(self, value: jax.Array) -> jax.Array:
        """The entries of a value that stand in the vector of all parameters, in order."""
        if any(name in self.names for name in SYMMETRIC):
            value = (value + jnp.swapaxes(value, -1, -2)) / 2
        flat = jnp.ravel(jnp.transpose(value))
        return flat if self.picked is None else flat[self.picked]

    def kept(self, value: jax.Array) -> jax.Array:
        """Whether a value is, up to rounding, what was declared."""
        value = jax.lax.stop_gradient(value)
        found = [self.breach(name, value) <= rounding(value) for name in self.names]
        return jnp.all(jnp.stack(found)) if found else jnp.asarray(True)

    def breach(self, name: str, value: jax.Array) -> jax.Array:
        """By how much a value breaks an attribute."""
        return jnp.max(_CHECKS[name](self, value), initial=0.0)

    def broken(self, value: jax.Array) -> str | None:
        """What a known value should have been, in CVXPY's words, or `None`."""
        with jax.ensure_compile_time_eval():  # known values stay known inside the caller's `jit`
            for name in self.names:
                if bool(self.breach(name, value) > rounding(value)):
                    return _WORDS.get(name, name)
        return None


def rounding(value: jax.Array) -> jax.Array:
    """CVXPY's tolerance, or what rounding leaves in the dtype of a value of this size."""
    size = jnp.max(jnp.abs(jnp.where(jnp.isfinite(value), value, jnp.zeros_like(value))), initial=0.0)
    return jnp.maximum(size * 16 * float(jnp.finfo(value.dtype).eps), jnp.asarray(1e-10, value.dtype))


def _asymmetry(declared: Declared, value: jax.Array) -> jax.Array:
    return jnp.abs(value - jnp.swapaxes(value, -1, -2))


def _off_diagonal(declared: Declared, value: jax.Array) -> jax.Array:
    return jnp.abs(value - jnp.diag(jnp.diag(value)))


def _least_eigenvalue(sign: int) -> Any:
    def check(declared: Declared, value: jax.Array) -> jax.Array:
        usable = jnp.where(jnp.isfinite(value), value, jnp.zeros_like(value))
        low = jnp.min(jnp.linalg.eigvalsh(sign * (usable + jnp.swapaxes(usable, -1, -2)) / 2), initial=jnp.inf)
        slack = jnp.maximum(jnp.asarray(1e-8, value.dtype) - rounding(value), jnp.zeros((), value.dtype))
        return jnp.maximum(jnp.max(_asymmetry(declared, value), initial=0.0), -low - slack)

    return check


def _outside(declared: Declared, value: jax.Array) -> jax.Array:
    low, high = (jnp.asarray(limit).astype(value.dtype) for limit in declared.limits or ())
    return jnp.maximum(jnp.where(value < low, low - value, 0.0), jnp.where(value > high, value - high, 0.0))


def _fraction(declared: Declared, value: jax.Array) -> jax.Array:
    return jnp.where(declared.places, jnp.abs(value - jnp.round(value)), 0.0)


def _no_bit(declared: Declared, value: jax.Array) -> jax.Array:
    return jnp.where(declared.places, jnp.minimum(jnp.abs(value), jnp.abs(value - 1)), 0.0)


def _off_pattern(declared: Declared, value: jax.Array) -> jax.Array:
    return jnp.where(declared.places, 0.0, jnp.abs(value))


_CHECKS = {
    "nonneg": lambda declared, value: -value,
    "pos": lambda declared, value: -value,
    "nonpos": lambda declared, value: value,
    "neg": lambda declared, value: value,
    "symmetric": _asymmetry,
    "diag": _off_diagonal,
    "PSD": _least_eigenvalue(1),
    "NSD": _least_eigenvalue(-1),
    "integer": _fraction,
    "boolean": _no_bit,
    "bounds": _outside,
    "sparsity": _off_pattern,
}


def _is_set(value: Any) -> bool:
    return value is not None and value is not False and (not hasattr(value, "__len__") or len(value) > 0)
