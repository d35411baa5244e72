import numpy as np
import pytest

from argflux.patterns.design.distinct import part, repeated
from argflux.patterns.design.simplex import solve_simplex
from tests.patterns.programs import programs


def test_multiples_are_repeated_and_opposites_are_not():
    weights = np.array([[1.0, 2.0], [-1.0, -2.0], [0.5, 1.0], [0.0, 0.0], [0.0, 0.0], [1.0, 2.1]])
    assert repeated(weights).tolist() == [2, 4]


@pytest.mark.parametrize("penalty", [0.02, 10.0, np.inf])
def test_units_at_one_vertex_move_apart_and_stay_feasible(penalty):
    """Of two weights there are few vertices for many units; with a large penalty there is only one."""
    rows = np.abs(np.random.default_rng(0).standard_normal((30, 2))) + 0.2
    case = programs(units=16, columns=2, rows=rows, penalty=penalty, margin=0.1)
    found = solve_simplex(case)
    assert len(repeated(found.weights)) > 4
    start = np.random.default_rng(2).uniform(-1, 1, (16, 2))
    parted = part(case, found, start, solve_simplex, np.random.default_rng(1))
    assert not len(repeated(parted.weights))
    assert (np.abs(parted.weights) <= 1).all()
    moved = np.isinf(parted.gap)
    np.testing.assert_array_equal(parted.weights[~moved], found.weights[~moved])
    if np.isinf(penalty):
        assert (parted.weights @ rows.T >= 0.1 - 1e-7).all()


def test_where_one_vertex_is_best_for_all_the_way_goes_to_the_start():
    rows = np.random.default_rng(0).standard_normal((30, 2))
    case = programs(units=6, columns=2, rows=rows, penalty=100.0)
    found = solve_simplex(case)
    assert len(repeated(found.weights)) == 5
    start = np.random.default_rng(2).uniform(-1, 1, (6, 2))
    assert not len(repeated(part(case, found, start, solve_simplex, np.random.default_rng(1)).weights))


def test_distinct_units_are_left_alone():
    case = programs()
    found = solve_simplex(case)
    parted = part(case, found, case.gain, solve_simplex, np.random.default_rng(1))
    np.testing.assert_array_equal(parted.weights, found.weights)
    np.testing.assert_array_equal(parted.gap, found.gap)
