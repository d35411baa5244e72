"""Where the duals of a CVXPY problem's constraints lie among those of its canonical program."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.programs.statements.layout import Layout


@dataclass(frozen=True)
class Multiplier:
    """The dual of one constraint: `signs * canonical[places]`, both of the constraint's shape."""

    places: np.ndarray
    signs: np.ndarray


def find_multipliers(problem: Any, data: dict, chain: Any, inverse: list) -> tuple[Multiplier | None, ...]:
    """Ask CVXPY's own way back where each dual comes from, by sending the numbers 1, 2, … through it.

    Args:
        problem: the user's problem.
        data: what `problem.get_problem_data` returned first.
        chain: what it returned second.
        inverse: what it returned third.

    Returns:
        One for every constraint, `None` where CVXPY has no dual or more than a selection with signs.
    """
    size, count = data["param_prob"].x.size, data["param_prob"].constr_size
    numbers = np.arange(1.0, count + 1)
    raw = {"x": np.zeros(size), "z": numbers, "s": 0 * numbers, "obj_val": 0.0}
    found = chain.invert(SimpleNamespace(**raw, status="Solved", iterations=0, solve_time=0.0), inverse).dual_vars
    return tuple(_multiplier(constraint, found.get(constraint.id), count) for constraint in problem.constraints)


def _multiplier(constraint: Any, numbers: Any, count: int) -> Multiplier | None:
    if numbers is None or np.size(numbers) != constraint.size:
        return None
    signed = np.reshape(np.asarray(numbers, float), constraint.shape, order="F")
    places = np.asarray(np.abs(signed).round().astype(int) - 1)
    if not np.array_equal(np.abs(signed), places + 1.0) or np.any((places < 0) | (places >= count)):
        return None
    return Multiplier(places, np.asarray(np.sign(signed)))


@dataclass(frozen=True)
class Multipliers(Layout):
    """The duals of constraints as a tuple, `None` for those that lie elsewhere or nowhere, read from a vector."""

    found: tuple[Multiplier, ...] = ()
    width: int = 0
    kind: Any = None

    @classmethod
    def among(cls, multipliers: tuple, start: int, end: int, dtype: Any) -> "Multipliers":
        """Keep those whose duals are numbers `start…end-1` of the canonical ones."""
        inside = lambda m: m is not None and m.places.size > 0 and start <= m.places.min() < end
        kept = [Multiplier(m.places - start, m.signs) if inside(m) else None for m in multipliers]
        layout = Layout.of(tuple(m and jax.ShapeDtypeStruct(m.places.shape, dtype) for m in kept))
        found = tuple(m for m in kept if m is not None)
        return cls(layout.treedef, layout.leaves, layout.names, found, end - start, dtype)

    @property
    def size(self) -> int:
        """Number of rows of this kind in the canonical program."""
        return self.width

    def tree(self, vector: jax.Array) -> Any:
        """Pick the user's duals."""
        signs = [jnp.asarray(m.signs).astype(vector.dtype) for m in self.found]
        return self.treedef.unflatten([sign * vector[m.places] for sign, m in zip(signs, self.found, strict=True)])

    def vector(self, tree: Any) -> jax.Array:
        """Put the user's duals in their places, zeros elsewhere."""
        vector = jnp.zeros(self.width, self.kind)
        for multiplier, leaf in zip(self.found, self.treedef.flatten_up_to(tree), strict=True):
            vector = vector.at[multiplier.places].set(multiplier.signs.astype(vector.dtype) * leaf)
        return vector
