"""Sparse matrices whose entries are sums of given numbers: where these go is found once, and used again and again."""

import functools
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csc_array, csr_array

from argflux.programs.forms.form import Form
from argflux.programs.forms.pattern import Pattern


class Terms(NamedTuple):
    """What entries are sums of: the row and column of each term, which number it is, and what that is multiplied by."""

    rows: Any
    columns: Any
    sources: Any
    weights: Any

    def __add__(self, other: "Terms") -> "Terms":
        return Terms(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))

    def mirrored(self) -> "Terms":
        """Those of the transposed matrix."""
        return self._replace(rows=self.columns, columns=self.rows)

    def below(self, rows: int, columns: int = 0) -> "Terms":
        """The same further down, and to the right."""
        return self._replace(rows=self.rows + rows, columns=self.columns + columns)


class Stencil:
    """Where numbers go in a matrix in SciPy's CSC form.

    Args:
        shape: height and width of the matrix.
        terms: of all entries.
        count: how many numbers will be given.

    Example:
        >>> twice = Stencil((2, 2), Terms([1, 1, 0], [0, 0, 1], [0, 1, 0], [1.0, 1.0, 3.0]), 2)
        >>> twice.matrix(np.array([1.0, 2.0])).toarray().tolist()
        [[0.0, 3.0], [3.0, 0.0]]
    """

    def __init__(self, shape: tuple[int, int], terms: Terms, count: int):
        rows, columns, sources, weights = map(np.asarray, terms)
        order = np.lexsort((rows, columns))
        rows, columns = rows[order], columns[order]
        first = np.ones(len(rows), bool)
        first[1:] = (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1])
        place = np.cumsum(first) - 1
        self.shape = shape
        self.rows, self.columns = rows[first].astype(np.int32), columns[first].astype(np.int32)
        self.starts = np.searchsorted(self.columns, np.arange(shape[1] + 1)).astype(np.int32)
        weights, places = weights[order].astype(np.float64), (place, sources[order])
        self._into = csr_array((weights, places), shape=(len(self.rows), count))

    def matrix(self, numbers: np.ndarray) -> csc_array:
        """The matrix of these numbers."""
        return csc_array((self._into @ numbers, self.rows, self.starts), shape=self.shape)

    def part(self, numbers: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> csc_array:
        """The matrix of these numbers without the rows and the columns that the flags leave out."""
        kept = rows[self.rows] & columns[self.columns]
        starts = np.concatenate([[0], np.cumsum(kept)])[self.starts]
        widths = np.diff(starts)[columns]
        places = (np.cumsum(rows, dtype=np.int32) - 1)[self.rows[kept]]
        shape = int(np.count_nonzero(rows)), len(widths)
        values = (self._into @ numbers)[kept]
        return csc_array((values, places, np.concatenate([[0], np.cumsum(widths)]).astype(np.int32)), shape=shape)


class Stencils:
    """The matrices of the programs of a form with patterns, from the values of P, A and G joined, and a last one, 1.

    `curvature` is P, symmetric, `upper` its upper triangle, `rows` is `C = [A; G]`, `limits` is `[C; I; -I]`, and
    `saddle` is `[[P, C'], [C, 0]]` with all of its diagonal; `places` are the rows and columns of the values there.
    """

    def __init__(self, form: Form):
        assert form.patterns is not None
        n, k = form.n, form.p + form.m
        P, A, G = _pattern_of(form), form.patterns.A, form.patterns.G
        own, count = np.arange(P.count), P.count + A.count + G.count + 1
        curved = Terms(P.rows, P.columns, own, np.full(P.count, 0.5))
        curved = curved + curved.mirrored()
        up = curved.rows <= curved.columns
        i, j = np.concatenate([A.rows, G.rows + form.p]), np.concatenate([A.columns, G.columns])
        rows = Terms(i, j, P.count + np.arange(len(i)), np.ones(len(i)))
        bound, diagonal = (
            Terms(np.arange(size), np.arange(size), np.full(size, count - 1), np.ones(size)) for size in (n, n + k)
        )
        below = rows.below(n)
        self.places = np.concatenate([P.rows, below.rows]), np.concatenate([P.columns, below.columns])
        self.curvature = Stencil((n, n), curved, count)
        self.upper = Stencil((n, n), Terms(*(part[up] for part in curved)), count)
        self.rows = Stencil((k, n), rows, count)
        limits = rows + bound.below(k) + bound.below(k + n)._replace(weights=-bound.weights)
        self.limits = Stencil((k + 2 * n, n), limits, count)
        everywhere = curved + below + below.mirrored() + diagonal._replace(weights=0 * diagonal.weights)
        self.saddle = Stencil((n + k, n + k), everywhere, count)


def _pattern_of(form: Form) -> Pattern:
    """Where P is given: on its pattern, on the diagonal, or nowhere."""
    assert form.patterns is not None
    if form.patterns.P is not None:
        return form.patterns.P
    places = np.arange(0 if form.curvature == "none" else form.n)
    return Pattern.of(places, places, (form.n, form.n))


@functools.lru_cache(maxsize=32)
def stencils(form: Form) -> Stencils:
    """The stencils of a form."""
    return Stencils(form)


def numbers(P: np.ndarray, A: np.ndarray, G: np.ndarray) -> np.ndarray:
    """What the stencils of a form take, from the values of one instance."""
    return np.concatenate([P, A, G, [1.0]])
