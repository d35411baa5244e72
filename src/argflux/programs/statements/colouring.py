"""The entries of sparse derivatives from few products: rows, or columns, that share no entry are found at once."""

import warnings
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.programs.forms.pattern import Pattern, Sparse

CROWDED = 8


@dataclass(frozen=True, eq=False)
class Sweep:
    """Some entries of a matrix: one product for every colour, and where to read the entries off.

    Attributes:
        colours: of the rows or of the columns, -1 for those that take no part.
        count: number of colours.
        forward: whether the colours are those of columns.
        coloring: what reads the entries from the products.
        entries: which entries of the pattern these are.
    """

    colours: np.ndarray
    count: int
    forward: bool
    coloring: Any
    entries: np.ndarray

    def values(self, affine: Any) -> jax.Array:
        """Entries of the Jacobian of an `Affine`."""
        import asdex

        kinds = jnp.arange(self.count, dtype=jnp.int32)[:, None]
        seeds = (jnp.asarray(self.colours, jnp.int32) == kinds).astype(affine.value.dtype)
        return asdex.decompress_data(jax.vmap(affine.push if self.forward else affine.pull)(seeds), self.coloring)


@dataclass(frozen=True, eq=False)
class Coloured:
    """A pattern and the sweeps that find its entries."""

    pattern: Pattern
    sweeps: tuple[Sweep, ...]

    @classmethod
    def jacobian(cls, pattern: Pattern) -> "Coloured":
        """Colour the rows or the columns, or crowded rows and the columns of the others, by what is fewer."""
        every = np.arange(pattern.count)
        counts = np.bincount(pattern.rows, minlength=pattern.height)
        crowded = (counts > CROWDED * max(1.0, float(np.mean(counts))))[pattern.rows]
        ways: list[tuple[Sweep, ...]] = [(_sweep(pattern, every, None),)]
        if crowded.any():
            ways.append((_sweep(pattern, every[crowded], "rev"), _sweep(pattern, every[~crowded], None)))
        return cls(pattern, min(ways, key=lambda sweeps: sum(sweep.count for sweep in sweeps)))

    @classmethod
    def hessian(cls, pattern: Pattern) -> "Coloured":
        """Colour the unknowns so that symmetry tells the rest."""
        import asdex

        with jax.ensure_compile_time_eval(), warnings.catch_warnings():
            warnings.simplefilter("ignore", asdex.DenseColoringWarning)
            found = asdex.hessian_coloring_from_sparsity(_asdex(pattern, np.arange(pattern.count)))
        sweep = Sweep(found.colors, found.num_colors, False, found, np.arange(pattern.count))
        return cls(pattern, (sweep,))

    def matrix(self, affine: Any) -> Sparse:
        """Jacobian of an `Affine` that has this pattern."""
        parts = [sweep.values(affine) for sweep in self.sweeps]
        if len(parts) == 1:
            return Sparse(parts[0], self.pattern)
        order = np.argsort(np.concatenate([sweep.entries for sweep in self.sweeps]))
        return Sparse(jnp.concatenate(parts)[order], self.pattern)


def _sweep(pattern: Pattern, entries: np.ndarray, mode: Any) -> Sweep:
    import asdex

    with jax.ensure_compile_time_eval(), warnings.catch_warnings():
        warnings.simplefilter("ignore", asdex.DenseColoringWarning)
        found = asdex.jacobian_coloring_from_sparsity(_asdex(pattern, entries), mode=mode)
    forward = found.mode == "fwd"
    touched = np.zeros(len(found.colors), bool)
    touched[(pattern.columns if forward else pattern.rows)[entries]] = True
    return Sweep(np.where(touched, found.colors, -1), found.num_colors, forward, found, entries)


def _asdex(pattern: Pattern, entries: np.ndarray) -> Any:
    import asdex

    shape = (pattern.height, pattern.width)
    return asdex.SparsityPattern.from_coo(pattern.rows[entries], pattern.columns[entries], shape)
