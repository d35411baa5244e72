"""The matrices of a program, exactly, from its functions: derivatives at zero by our own engine."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from argflux.autodiff import gradient
from argflux.autodiff.api import pullback_of_arguments
from argflux.programs.statements.colouring import Coloured
from argflux.programs.statements.sparsity import Group


class Blocks(NamedTuple):
    """The data of one group of equal, independent programs (or of the only one); an absent block is `None`.

    With more than one program in the group, every array has a leading axis for them.
    """

    P: Any
    q: Any
    A: Any
    b: Any
    G: Any
    h: Any
    lower: Any
    upper: Any


class Affine(NamedTuple):
    """Values at zero, and the Jacobian's products with vectors from the left and from the right."""

    value: jax.Array
    pull: Callable[[jax.Array], jax.Array]
    push: Callable[[jax.Array], jax.Array]

    @classmethod
    def of(cls, function: Callable, zero: jax.Array) -> "Affine":
        """Look at a vector function of the variable's vector."""
        value, back = pullback_of_arguments(function, zero)
        return cls(value, lambda dy: back(dy)[0], lambda dx: jax.jvp(function, (zero,), (dx,))[1])

    def rows(self, groups: list[jax.Array], columns: jax.Array) -> jax.Array:
        """Rows of the Jacobian for every program of a group: `groups[k]` lists its rows, `columns[k]` its unknowns."""
        chosen = jnp.asarray(groups)
        seeds = jnp.zeros((chosen.shape[1], self.value.size), self.value.dtype)
        seeds = seeds.at[jnp.arange(chosen.shape[1])[:, None], chosen.T].set(1)
        found = jax.vmap(self.pull)(seeds)
        return jnp.swapaxes(found[:, columns], 0, 1)

    def matrix(self, coloured: Coloured | None) -> Any:
        """The whole Jacobian, sparse where its coloured pattern is given."""
        if coloured is not None:
            return coloured.matrix(self)
        return jax.vmap(self.pull)(jnp.eye(self.value.size, dtype=self.value.dtype))


class Colours(NamedTuple):
    """Coloured patterns of the matrices of a program that is kept sparse; `None` for those that it has not."""

    P: Coloured | None = None
    A: Coloured | None = None
    G: Coloured | None = None


class Functions(NamedTuple):
    """A program's functions of the variable's vector at given parameters; absent ones are `None`."""

    objective: Callable
    equality: Callable | None
    inequality: Callable | None
    lower: jax.Array | None
    upper: jax.Array | None


def extract(
    functions: Functions, zero: jax.Array, curvature: str, groups: tuple[Group, ...], colours: Colours
) -> tuple:
    """Return the constant of the objective and the blocks of every group.

    Args:
        functions: of the variable's vector.
        zero: that vector, of zeros.
        curvature: "none", "diagonal", "dense" or "sparse".
        groups: which unknowns and rows make programs of their own; empty for a single program.
        colours: patterns of the matrices that are kept sparse, of a single program.
    """
    slope = Affine.of(lambda x: gradient(functions.objective, x)[0], zero)
    equality = functions.equality and Affine.of(functions.equality, zero)
    inequality = functions.inequality and Affine.of(functions.inequality, zero)
    constant = functions.objective(zero)
    if not groups:
        return constant, (_whole(slope, equality, inequality, functions, curvature, colours),)
    return constant, tuple(_part(slope, equality, inequality, functions, curvature, group) for group in groups)


def _whole(slope, equality, inequality, functions: Functions, curvature: str, colours: Colours) -> Blocks:
    return Blocks(
        _curvature(slope, curvature, colours.P),
        slope.value,
        equality and equality.matrix(colours.A),
        equality and -equality.value,
        inequality and inequality.matrix(colours.G),
        inequality and -inequality.value,
        functions.lower,
        functions.upper,
    )


def _curvature(slope: Affine, curvature: str, coloured: Coloured | None = None) -> Any:
    if curvature == "none":
        return None
    return slope.pull(jnp.ones_like(slope.value)) if curvature == "diagonal" else slope.matrix(coloured)


def _part(slope, equality, inequality, functions: Functions, curvature: str, group: Group) -> Blocks:
    unknowns = jnp.asarray(group.unknowns)
    P = _curvature(slope, curvature) if curvature != "dense" else slope.rows(unknowns, unknowns)
    A, b = _constraint(equality, group.equalities, unknowns)
    G, h = _constraint(inequality, group.inequalities, unknowns)
    pick = lambda vector: None if vector is None else vector[unknowns]
    return Blocks(
        pick(P) if curvature == "diagonal" else P,
        slope.value[unknowns],
        A,
        b,
        G,
        h,
        pick(functions.lower),
        pick(functions.upper),
    )


def _constraint(affine: Affine | None, rows: Any, unknowns: jax.Array) -> tuple:
    if affine is None or not rows.shape[1]:
        return None, None
    return affine.rows(rows, unknowns), -affine.value[jnp.asarray(rows)]
