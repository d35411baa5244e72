"""What a CVXPY parameter was declared to be: which of its entries count, and whether a value keeps the promise."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

SYMMETRIC, HERMITIAN = ("symmetric", "PSD", "NSD"), ("hermitian", "PSD", "NSD")
_WORDS = {
    "nonneg": "nonnegative",
    "pos": "positive",
    "nonpos": "nonpositive",
    "neg": "negative",
    "PSD": "positive semidefinite",
    "NSD": "negative semidefinite",
    "diag": "diagonal",
    "hermitian": "Hermitian",
    "imag": "imaginary",
    "sparsity": "zero outside its sparsity pattern",
    "bounds": "within its bounds",
}


@dataclass(frozen=True, eq=False)
class Part:
    """The real or the imaginary part of a parameter, among the numbers of all parameters.

    Attributes:
        start: where it starts in their vector.
        picked: numbers of the entries, column after column, that stand in that vector; `None` for all.
        imaginary: whether it is the imaginary part.
    """

    start: int
    picked: np.ndarray | None
    imaginary: bool = False

    def put(self, vector: jax.Array, value: jax.Array) -> jax.Array:
        """The vector of all parameters with the entries of a value in their places."""
        flat = jnp.ravel(jnp.transpose(jnp.imag(value) if self.imaginary else jnp.real(value)))
        flat = flat if self.picked is None else flat[self.picked.copy()]
        return vector.at[self.start : self.start + flat.size].set(flat.astype(vector.dtype))


@dataclass(frozen=True, eq=False)
class Declared:
    """A parameter of a CVXPY problem.

    Attributes:
        shape: of its values.
        parts: where its entries stand in the vector of all parameters.
        is_complex: whether its values are complex.
        names: the attributes it was declared with.
        limits: lower and upper bounds of its entries, where declared.
        places: the entries, as booleans, that a declared pattern, or integers among real numbers, are about; else all.
    """

    shape: tuple[int, ...]
    parts: tuple[Part, ...]
    is_complex: bool
    names: tuple[str, ...]
    limits: tuple[np.ndarray, np.ndarray] | None
    places: np.ndarray

    @classmethod
    def of(cls, parameter: Any, starts: tuple[int | None, int | None]) -> "Declared":
        """Read a `cvxpy.Parameter`, the reduced forms of whose real and imaginary parts start at `starts`."""
        given = parameter.attributes
        names = tuple(name for name in given if name in _CHECKS and _is_set(given[name]))
        shape, limits = parameter.shape, None
        places = np.ones(shape, bool)
        if "sparsity" in names:
            places = np.zeros(shape, bool)
            places[parameter.sparse_idx] = True
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
        sides = enumerate(zip(starts, _picked(parameter), strict=True))
        parts = tuple(Part(start, picked, bool(k)) for k, (start, picked) in sides if start is not None)
        return cls(shape, parts, parameter.is_complex(), names, limits, places)

    def cast(self, value: Any, dtype: Any) -> jax.Array:
        """A value in a floating dtype, or the complex one of its size."""
        wide = np.dtype(dtype).itemsize == 8
        return jnp.asarray(value).astype((jnp.complex128 if wide else jnp.complex64) if self.is_complex else dtype)

    def put(self, vector: jax.Array, value: jax.Array) -> jax.Array:
        """The vector of all parameters with a value of this one in its places."""
        if any(name in self.names for name in (*SYMMETRIC, *HERMITIAN)):
            value = (value + self.turned(value)) / 2
        for part in self.parts:
            vector = part.put(vector, value)
        return vector

    def turned(self, value: jax.Array) -> jax.Array:
        """The transpose, or the adjoint, which a symmetric or Hermitian value is equal to."""
        turned = jnp.swapaxes(value, -1, -2)
        return jnp.conj(turned) if any(name in self.names for name in HERMITIAN) else turned

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


def _picked(parameter: Any) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Numbers of the entries that CVXPY keeps of the real and of the imaginary part; `None` for all."""
    given, numbers = parameter.attributes, np.arange(parameter.size).reshape(parameter.shape, order="F")
    if parameter.is_complex():
        if not parameter.is_hermitian() or parameter.is_imag():
            return None, None
        upper, strict = (numbers[np.triu_indices(parameter.shape[-1], k)] for k in (0, 1))
        return upper, strict
    if any(_is_set(given[name]) for name in SYMMETRIC):
        return numbers[np.triu_indices(parameter.shape[-1])], None
    if _is_set(given["diag"]):
        return np.diag(numbers), None
    return numbers[parameter.sparse_idx] if _is_set(given["sparsity"]) else None, None


def rounding(value: jax.Array) -> jax.Array:
    """CVXPY's tolerance, or what rounding leaves in the dtype of a value of this size."""
    size = jnp.max(jnp.abs(jnp.where(jnp.isfinite(value), value, jnp.zeros_like(value))), initial=0.0)
    return jnp.maximum(size * 16 * float(jnp.finfo(value.dtype).eps), jnp.asarray(1e-10, size.dtype))


def _asymmetry(declared: Declared, value: jax.Array) -> jax.Array:
    return jnp.abs(value - declared.turned(value))


def _off_diagonal(declared: Declared, value: jax.Array) -> jax.Array:
    return jnp.abs(value - jnp.diag(jnp.diag(value)))


def _least_eigenvalue(sign: int) -> Any:
    def check(declared: Declared, value: jax.Array) -> jax.Array:
        usable = jnp.where(jnp.isfinite(value), value, jnp.zeros_like(value))
        low = jnp.min(jnp.linalg.eigvalsh(sign * (usable + declared.turned(usable)) / 2), initial=jnp.inf)
        slack = jnp.maximum(jnp.asarray(1e-8, low.dtype) - rounding(value), jnp.zeros((), low.dtype))
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
    "hermitian": _asymmetry,
    "imag": lambda declared, value: jnp.abs(jnp.real(value)),
    "PSD": _least_eigenvalue(1),
    "NSD": _least_eigenvalue(-1),
    "integer": _fraction,
    "boolean": _no_bit,
    "bounds": _outside,
    "sparsity": _off_pattern,
}


def _is_set(value: Any) -> bool:
    return value is not None and value is not False and (not hasattr(value, "__len__") or len(value) > 0)
