"""The sparsity of a nonlinear program: patterns, colours of its unknowns, and the band of its Newton systems."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.programs.forms.condensed import Condensed
from argflux.programs.forms.dependence import available, jacobian_pattern
from argflux.programs.forms.nonlinear import NonlinearForm, each
from argflux.programs.forms.pattern import Pattern, Sparse
from argflux.programs.forms.thin import Places, Thin

SMALL = 30
SHARE = 4


@dataclass(frozen=True, eq=False)
class Structure:
    """Where the Hessian of the Lagrangian and the Jacobian of the constraints may differ from zero.

    Attributes:
        W: pattern of the Hessian, with the whole diagonal.
        C: pattern of the Jacobian of equalities and inequalities.
        colours: of the unknowns; those of one colour share no row of either matrix.
        count: number of colours.
        places: of the Jacobians of the equalities and of the inequalities, and of W.
        band: of `W + C'C`.
        gram: of `I + CC'`; `None` where it is wide.
    """

    W: Pattern
    C: Pattern
    colours: np.ndarray
    count: int
    places: tuple[Places, Places, Places]
    band: Condensed
    gram: Condensed | None

    @property
    def seeds(self) -> np.ndarray:
        """One direction for each colour, `(n, colours)`."""
        return (self.colours[:, None] == np.arange(self.count)).astype(float)

    def read(self, pushed: Any, pattern: Pattern) -> Any:
        """The entries `(entries,)` of a matrix, from its products `(rows, colours)` with the seeds."""
        return pushed[pattern.rows, self.colours[pattern.columns]]

    def thin(self, pushed: Any, places: Places) -> Thin:
        """The matrix by rows, from the same."""
        rows = np.arange(len(places.columns))[:, None]
        return Thin(jnp.where(places.there, pushed[rows, self.colours[places.columns]], 0.0), places)


def matrices(form: NonlinearForm, x: Any, dual: Any, operands: tuple) -> tuple[Any, ...]:
    """Gradient of the Lagrangian, the constraints, its Hessian and their Jacobian, an instance a row.

    The matrices are `Sparse` where the program is found to be.
    """
    found = structure(form, operands)

    def one(x: jax.Array, dual: jax.Array, *operands: Any) -> tuple:
        move = lambda e: jax.jvp(lambda x: form.slopes(x, dual, *operands), (x,), (e,))
        seeds = jnp.eye(form.n) if found is None else jnp.asarray(found.seeds)
        (slope, values), (W, C) = jax.vmap(move, in_axes=-1, out_axes=(None, -1))(seeds)
        return slope, values, *((W, C) if found is None else (found.read(W, found.W), found.read(C, found.C)))

    slope, values, W, C = each(one, x, dual, *operands)
    return (slope, values, W, C) if found is None else (slope, values, Sparse(W, found.W), Sparse(C, found.C))


def structure(form: NonlinearForm, operands: tuple) -> Structure | None:
    """Find the structure once for a form and operands `(batch, …)` of these shapes; `None` where dense is as good."""
    if "structure" not in form.made:
        form.made["structure"] = _found(form, operands) if form.n > SMALL and available() else None
    return form.made["structure"]


def _found(form: NonlinearForm, operands: tuple) -> Structure | None:
    def pushed(direction: jax.Array, x: jax.Array, dual: jax.Array, *operands: Any) -> jax.Array:
        return jnp.concatenate(jax.jvp(lambda x: form.slopes(x, dual, *operands), (x,), (direction,))[1])

    n, most = form.n, form.n // SHARE
    vector = lambda size: jax.ShapeDtypeStruct((size,), jnp.float64)
    shapes = [jax.ShapeDtypeStruct(a.shape[1:], a.dtype) for a in operands]
    try:
        both = jacobian_pattern(pushed, vector(n), vector(n), vector(form.rows), *shapes)
    except Exception:  # whatever the finder of patterns cannot look through
        return None
    if np.bincount(both.rows, minlength=1).max() > most:
        return None
    high = both.rows < n
    own = np.arange(n)
    i, j = both.rows[high].astype(int), both.columns[high].astype(int)
    keys = np.unique(np.r_[i, j, own] * n + np.r_[j, i, own])
    W = Pattern.of(keys // n, keys % n, (n, n))
    C = Pattern.of(both.rows[~high] - n, both.columns[~high], (form.rows, n))
    colours = _coloured(W, C)
    band = Condensed.of(W, C)
    if colours.max() >= most or band.bandwidth > most:
        return None
    gram = _gram(C) if form.rows else None
    gram = gram if gram and gram.bandwidth <= max(most, form.rows // SHARE) else None
    equal = C.rows < form.p
    Jc = Pattern.of(C.rows[equal], C.columns[equal], (form.p, n))
    Jg = Pattern.of(C.rows[~equal] - form.p, C.columns[~equal], (form.m, n))
    places = Places.of(Jc), Places.of(Jg), Places.of(W)
    return Structure(W, C, colours, int(colours.max()) + 1, places, band, gram)


def _gram(C: Pattern) -> Condensed:
    own = np.arange(C.height)
    return Condensed.of(Pattern.of(own, own, (C.height,) * 2), Pattern.of(C.columns, C.rows, (C.width, C.height)))


def _coloured(*patterns: Pattern) -> np.ndarray:
    """Colour columns greedily so that no two of one colour share a row of any of the patterns."""
    width = patterns[0].width
    met: list[list[set[int]]] = [[] for _ in range(width)]
    for pattern in patterns:
        used: list[set[int]] = [set() for _ in range(pattern.height)]
        for row, column in zip(pattern.rows.tolist(), pattern.columns.tolist(), strict=True):
            met[column].append(used[row])
    colours = np.zeros(width, int)
    for column, rows in enumerate(met):
        taken = set().union(*rows)
        colour = next(c for c in range(len(taken) + 1) if c not in taken)
        colours[column] = colour
        for row in rows:
            row.add(colour)
    return colours
