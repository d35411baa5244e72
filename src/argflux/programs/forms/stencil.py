"""Sparse matrices whose entries are sums of given numbers: where these go is found once, and used again and again."""

import functools
from typing import Any

import numpy as np
from scipy.sparse import csc_array, csr_array

from argflux.programs.forms.form import Form
from argflux.programs.forms.pattern import Pattern


class Stencil:
    """Where numbers go in a matrix in SciPy's CSC form.

    Args:
        shape: height and width of the matrix.
        rows: row of each term; entries are sums of the terms in their place.
        columns: likewise.
        sources: which of the given numbers each term is.
        weights: what it is multiplied by.
        count: how many numbers will be given.

    Example:
        >>> twice = Stencil((2, 2), [1, 1, 0], [0, 0, 1], [0, 1, 0], [1.0, 1.0, 3.0], 2)
        >>> twice.matrix(np.array([1.0, 2.0])).toarray().tolist()
        [[0.0, 3.0], [3.0, 0.0]]
    """

    def __init__(self, shape: tuple[int, int], rows: Any, columns: Any, sources: Any, weights: Any, count: int):
        rows, columns = np.asarray(rows), np.asarray(columns)
        order = np.lexsort((rows, columns))
        rows, columns = rows[order], columns[order]
        first = np.ones(len(rows), bool)
        first[1:] = (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1])
        place = np.cumsum(first) - 1
        self.shape = shape
        self.rows, self.columns = rows[first].astype(np.int32), columns[first].astype(np.int32)
        self.starts = np.searchsorted(self.columns, np.arange(shape[1] + 1)).astype(np.int32)
        terms = (np.asarray(weights, np.float64)[order], (place, np.asarray(sources)[order]))
        self._into = csr_array(terms, shape=(len(self.rows), count))

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
        count = P.count + A.count + G.count + 1
        own, unknowns, ends = np.arange(P.count), np.arange(n), np.full(n, count - 1)
        i, j = np.concatenate([P.rows, P.columns]), np.concatenate([P.columns, P.rows])
        both, halves = np.concatenate([own, own]), np.full(2 * P.count, 0.5)
        C_i, C_j = np.concatenate([A.rows, G.rows + form.p]), np.concatenate([A.columns, G.columns])
        C_own, ones = P.count + np.arange(A.count + G.count), np.ones(A.count + G.count)
        up = i <= j
        self.places = np.concatenate([P.rows, C_i + n]), np.concatenate([P.columns, C_j])
        self.curvature = Stencil((n, n), i, j, both, halves, count)
        self.upper = Stencil((n, n), i[up], j[up], both[up], halves[up], count)
        self.rows = Stencil((k, n), C_i, C_j, C_own, ones, count)
        limits = [C_i, k + unknowns, k + n + unknowns], [C_j, unknowns, unknowns], [C_own, ends, ends]
        signs = np.concatenate([ones, np.ones(n), -np.ones(n)])
        self.limits = Stencil((k + 2 * n, n), *map(np.concatenate, limits), signs, count)
        diagonal, nothing = np.arange(n + k), np.zeros(n + k)
        terms = (
            [i, C_i + n, C_j, diagonal],
            [j, C_j, C_i + n, diagonal],
            [both, C_own, C_own, np.full(n + k, count - 1)],
            [halves, ones, ones, nothing],
        )
        self.saddle = Stencil((n + k, n + k), *map(np.concatenate, terms), count)


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
