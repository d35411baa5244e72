"""Where numbers of a CVXPY problem, the values of variables and duals of constraints, lie in its canonical program."""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.programs.statements.layout import Layout

EXACT = 1e-9
REDUCED = ("diag", "symmetric", "PSD", "NSD", "hermitian", "sparsity")


@dataclass(frozen=True)
class Multiplier:
    """An array `weights * canonical[places]`; complex where `imaginary` is another one."""

    places: np.ndarray
    weights: np.ndarray
    imaginary: "Multiplier | None" = None

    @property
    def used(self) -> np.ndarray:
        """The places that count."""
        return self.places[self.weights != 0]

    def moved(self, places: np.ndarray) -> "Multiplier":
        """The same where canonical number k has become number `places[k]`."""
        return Multiplier(places[self.places], self.weights, self.imaginary and self.imaginary.moved(places))

    def read(self, vector: jax.Array) -> jax.Array:
        """The array."""
        places, weights = self.places.copy(), self.weights.copy()  # JAX knows arrays by their identity
        found = jnp.asarray(weights).astype(vector.dtype) * vector[places]
        return found if self.imaginary is None else jax.lax.complex(found, self.imaginary.read(vector))

    def put(self, vector: jax.Array, values: jax.Array) -> jax.Array:
        """A vector with such an array in its places."""
        on = self.weights != 0
        inverse = np.where(on, 1 / np.where(on, self.weights, 1.0), 0.0)
        places = np.where(on, self.places, len(vector))
        vector = vector.at[places].set(jnp.asarray(inverse).astype(vector.dtype) * jnp.real(values), mode="drop")
        return vector if self.imaginary is None else self.imaginary.put(vector, jnp.imag(values))


@dataclass(frozen=True)
class Wayback:
    """CVXPY's own way back from numbers of the canonical program, asked what it does by sending numbers through it.

    Args:
        problem: the user's problem.
        data: what `problem.get_problem_data` returned first.
        chain: what it returned second.
        inverse: what it returned third.
    """

    problem: Any
    data: dict
    chain: Any
    inverse: list

    def duals(self) -> tuple[Any, ...]:
        """A multiplier, or a list of them, for every constraint; `None` where CVXPY has no dual or more than that."""
        count = self.data["param_prob"].constr_size
        sends = [self._duals(numbers) for numbers in _probes(count)]
        return tuple(self._joined(k, [send[k] for send in sends], count) for k in range(len(self.problem.constraints)))

    def variable(self, variable: Any) -> Multiplier:
        """Where the entries of a variable lie; CVXPY's way back moves those with bounds or signs into them."""
        if not variable.is_complex() and not any(_is_set(variable.attributes[name]) for name in REDUCED):
            places = self._place(variable)
            return Multiplier(places, np.ones(places.shape))
        count = self.data["param_prob"].x.size
        values = [self._solution(numbers, None).primal_vars[variable.id] for numbers in _probes(count)]
        found = _multiplier([np.reshape(_plain(v), variable.shape, order="F") for v in values], _probes(count))
        assert found is not None
        return found

    def _place(self, variable: Any) -> np.ndarray:
        """Where a variable lies among the unknowns; CVXPY replaces variables with attributes by plain ones."""
        renamed = {}
        for step in self.inverse:
            if isinstance(step, tuple) and step and isinstance(step[0], dict):
                renamed |= {old: new.id for old, new in step[0].items()}
        columns = self.data["param_prob"].var_id_to_col
        start = columns[renamed.get(variable.id, variable.id)] if variable.size else 0
        return start + np.arange(variable.size).reshape(variable.shape, order="F")

    def _joined(self, k: int, sent: list, count: int) -> Any:
        if any(values is None for values in sent):
            return None
        leaves = [_multiplier(list(each), _probes(count)) for each in zip(*sent, strict=True)]
        if any(leaf is None for leaf in leaves):
            return None
        return leaves[0] if len(leaves) == 1 else leaves

    def _duals(self, numbers: np.ndarray) -> list:
        found = self._solution(None, numbers).dual_vars
        return [_saved(constraint, found.get(constraint.id)) for constraint in self.problem.constraints]

    def _solution(self, x: np.ndarray | None, z: np.ndarray | None) -> Any:
        sizes = self.data["param_prob"].x.size, self.data["param_prob"].constr_size
        x, z = (np.zeros(size) if v is None else v for v, size in zip((x, z), sizes, strict=True))
        raw = SimpleNamespace(x=x, z=z, s=0 * z, obj_val=0.0, status="Solved", iterations=0, solve_time=0.0)
        return self.chain.invert(raw, self.inverse)


def _is_set(value: Any) -> bool:
    return value is not None and value is not False and (not hasattr(value, "__len__") or len(value) > 0)


def _probes(count: int) -> tuple[np.ndarray, ...]:
    """Ones, the numbers from one on, and some of no pattern to check with."""
    return np.ones(count), np.arange(1.0, count + 1), np.cos(np.arange(count) * 1.7 + 0.3)


def _saved(constraint: Any, value: Any) -> list | None:
    """The arrays that a constraint makes of the value of its dual, which is not kept."""
    if value is None:
        return None
    before = [dual.value for dual in constraint.dual_variables]
    try:
        constraint.save_dual_value(value)
        return [np.reshape(_plain(dual.value), dual.shape, order="F") for dual in constraint.dual_variables]
    except (ValueError, TypeError, AttributeError, IndexError):
        return None
    finally:
        for dual, old in zip(constraint.dual_variables, before, strict=True):
            dual.save_value(old)


def _plain(value: Any) -> np.ndarray:
    return np.asarray(value.toarray() if hasattr(value, "toarray") else value)


def _multiplier(values: list, probes: tuple) -> Multiplier | None:
    """Read places and weights off what became of ones and of numbers; `None` if there is more to it."""
    if any(np.iscomplexobj(value) for value in values):
        real, imaginary = (_multiplier([part(v) for v in values], probes) for part in (np.real, np.imag))
        return None if real is None or imaginary is None else Multiplier(real.places, real.weights, imaginary)
    weights, numbers, other = (np.asarray(value, float) for value in values)
    places = np.where(weights != 0, numbers / np.where(weights != 0, weights, 1.0), 1.0).round().astype(int) - 1
    if places.size and not 0 <= places.min() <= places.max() < len(probes[0]):
        return None
    good = [
        np.allclose(weights * p[places], v, atol=EXACT, rtol=EXACT)
        for p, v in zip(probes[1:], (numbers, other), strict=True)
    ]
    return Multiplier(places, weights) if all(good) else None


@dataclass(frozen=True)
class Multipliers(Layout):
    """The duals of constraints as a tuple, `None` for those that lie elsewhere or nowhere, read from a vector."""

    found: tuple[Multiplier, ...] = ()
    width: int = 0
    kind: Any = None

    @classmethod
    def among(cls, multipliers: tuple, start: int, end: int, dtype: Any) -> "Multipliers":
        """Keep those whose duals are numbers `start…end-1` of the canonical ones."""
        shift = np.arange(max(end, 1)) - start
        inside = lambda m: m is not None and m.used.size > 0 and start <= m.used.min() <= m.used.max() < end
        kept = [_mapped(lambda m: m.moved(shift), tree) if _all(inside, tree) else None for tree in multipliers]
        layout = Layout.of(tuple(_mapped(lambda m: jax.ShapeDtypeStruct(m.places.shape, dtype), tree) for tree in kept))
        found = tuple(m for tree in kept if tree is not None for m in (tree if isinstance(tree, list) else [tree]))
        return cls(layout.treedef, layout.leaves, layout.names, found, end - start, dtype)

    @property
    def size(self) -> int:
        """Number of rows of this kind in the canonical program."""
        return self.width

    def tree(self, vector: jax.Array) -> Any:
        """Pick the user's duals."""
        return self.treedef.unflatten([m.read(vector) for m in self.found])

    def vector(self, tree: Any) -> jax.Array:
        """Put the user's duals in their places, zeros elsewhere."""
        vector = jnp.zeros(self.width, self.kind)
        for multiplier, leaf in zip(self.found, self.treedef.flatten_up_to(tree), strict=True):
            vector = multiplier.put(vector, leaf)
        return vector


def _mapped(function: Callable, tree: Any) -> Any:
    return [function(m) for m in tree] if isinstance(tree, list) else None if tree is None else function(tree)


def _all(test: Callable, tree: Any) -> bool:
    return all(map(test, tree)) if isinstance(tree, list) else test(tree)
