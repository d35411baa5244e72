"""Ranging of linear programs: prices are the same within the ranges, and others outside."""

import dataclasses

import numpy as np
import pytest
from scipy.optimize import linprog

from argflux.programs.files.contents import Contents, Entries
from argflux.programs.files.ranging import basis_ranges

INF = np.inf


def program(seed: int, maximised: bool) -> Contents:
    """A bounded program without degenerate vertices, with rows of every kind."""
    r = np.random.default_rng(seed)
    n, m = 5, 4
    A, x0 = r.normal(size=(m, n)), r.uniform(0.2, 0.8, n)
    spans = np.array([(-INF, 0), (0, INF), (-0.7, 0), (0, 0)], float)
    rhs = A @ x0 + np.array([0.3, -0.3, 0.4, 0.0])
    entries = Entries.of([(i, j, A[i, j]) for i in range(m) for j in range(n)])
    names = tuple("abcde"), tuple("wxyz")
    empty = Entries.of([])
    return Contents(
        "", "o", maximised, 0.0, *names, r.normal(size=n), entries, rhs, *spans.T, np.zeros(n), np.ones(n), empty
    )


def basis(c: Contents) -> tuple:
    """Which bounds and sides the solution is at."""
    A = np.zeros((len(c.rows), len(c.columns)))
    A[c.matrix.rows, c.matrix.columns] = c.matrix.values
    low, high, equal = c.rhs + c.below, c.rhs + c.above, (c.below == 0) & (c.above == 0)
    top, bottom = np.isfinite(high) & ~equal, np.isfinite(low) & ~equal
    sides = {"A_ub": np.concatenate([A[top], -A[bottom]]), "b_ub": np.concatenate([high[top], -low[bottom]])}
    cost = -c.cost if c.maximised else c.cost
    found = linprog(cost, **sides, A_eq=A[equal], b_eq=c.rhs[equal], bounds=np.stack([c.lower, c.upper], 1))
    if found.status:
        return (found.status,)
    x, slack = found.x, found.slack
    return tuple(np.abs(x) < 1e-9), tuple(np.abs(1 - x) < 1e-9), tuple(slack < 1e-9)


def moved(c: Contents, block: str, place: int, value: float) -> Contents:
    values = getattr(c, block)
    return dataclasses.replace(c, **{block: np.where(np.arange(len(values)) == place, value, values)})


@pytest.mark.parametrize("maximised", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_the_basis_stays_within_and_changes_outside(seed, maximised):
    c = program(seed, maximised)
    found, here = basis_ranges(c), basis(c)
    assert found is not None
    for block, ranges in found._asdict().items():
        values = getattr(c, block)
        assert np.all((ranges[:, 0] < values) & (values < ranges[:, 1]))
        for place, side in zip(*np.nonzero(np.isfinite(ranges)), strict=True):
            end, way = ranges[place, side], 2 * side - 1
            assert basis(moved(c, block, place, end - way * 1e-4)) == here, (block, place, end)
            assert basis(moved(c, block, place, end + way * 1e-4)) != here, (block, place, end)


def test_a_program_without_a_solution_has_none():
    c = program(0, False)
    assert basis_ranges(dataclasses.replace(c, upper=np.zeros(5), rhs=c.rhs + np.array([0, 0, 0, 9.0]))) is None
