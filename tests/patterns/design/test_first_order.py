import numpy as np
import pytest

from argflux.patterns.design.first_order import solve_first_order
from tests.patterns.programs import least, programs, variants


@pytest.mark.parametrize("name", variants())
def test_the_gap_bounds_the_distance_from_the_optimum(name):
    case = variants()[name]
    found = solve_first_order(case)
    expected = np.array([least(case, unit).fun for unit in range(5)])
    above = case.objective(found.weights) - expected
    assert found.status.tolist() == ["optimal"] * 5
    assert (above <= found.gap + 1e-6).all()
    assert (found.gap <= 2e-3).all()
    assert (above >= -1e-6).all()
    assert (case.lower <= found.weights).all()
    assert (found.weights <= case.upper).all()
    if case.balance is not None:
        np.testing.assert_allclose(found.weights @ case.balance, 0, atol=1e-9)


def test_a_smaller_tolerance_is_nearer():
    case = programs(units=20)
    loose, tight = [solve_first_order(case, tolerance).gap.max() for tolerance in (1e-2, 1e-4)]
    assert tight < 2e-4 < loose


def test_what_is_not_reached_is_called_approximate():
    found = solve_first_order(programs(samples=200, columns=50), tolerance=1e-9, max_iterations=50)
    assert "approximate" in found.status
    assert (found.gap[found.status == "approximate"] > 1e-9).all()


def test_units_are_counted():
    counts = []
    solve_first_order(programs(units=6), done=counts.append)
    assert sum(counts) == 6
