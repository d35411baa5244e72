import numpy as np
import pytest

from argflux.patterns.design.simplex import CHUNK, background, largest_margins, solve_simplex
from tests.patterns.programs import least, programs, variants


def reachable(**changes):
    """Hard programs on rows that all lie on one side, so that small margins can be reached."""
    rows = np.abs(np.random.default_rng(3).standard_normal((30, 8))) + 0.1
    return programs(rows=rows, penalty=np.inf, **changes)


@pytest.mark.parametrize("name", variants())
def test_every_unit_is_at_its_optimum(name):
    case = variants()[name]
    found = solve_simplex(case)
    assert found.status.tolist() == ["optimal"] * 5
    assert (found.gap == 0).all()
    expected = [least(case, unit).fun for unit in range(5)]
    np.testing.assert_allclose(case.objective(found.weights), expected, atol=1e-7)
    assert (case.lower <= found.weights).all()
    assert (found.weights <= case.upper).all()
    if case.balance is not None:
        np.testing.assert_allclose(found.weights @ case.balance, 0, atol=1e-7)


def test_a_hard_margin_is_reached_by_every_sample():
    case = reachable()
    found = solve_simplex(case)
    assert (found.weights @ case.rows.T >= case.margin - 1e-7).all()
    expected = [least(case, unit).fun for unit in range(5)]
    np.testing.assert_allclose(case.objective(found.weights), expected, atol=1e-7)


def test_the_largest_margin_is_the_largest():
    start = np.random.default_rng(4).uniform(-0.5, 1, (5, 8))
    case = reachable(lower=np.maximum(-1, start - 0.5), upper=np.minimum(1, start + 0.5), margin=1e6)
    assert solve_simplex(case).status.tolist() == ["infeasible"] * 5
    largest = largest_margins(case)
    assert np.ptp(largest) > 0.1
    for unit, margin in enumerate(largest):
        alone = case.take(np.array([unit]))
        for share, status in ((-1e-5, "optimal"), (1e-5, "infeasible")):
            moved = reachable(lower=alone.lower, upper=alone.upper, gain=alone.gain, margin=margin + share)
            assert solve_simplex(moved).status.tolist() == [status]


def test_vertices_do_not_depend_on_threads():
    case = programs(units=3 * CHUNK + 1)
    one, two, many = [solve_simplex(case, threads).weights for threads in (1, 2, 7)]
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one, many)


def test_units_are_counted():
    counts = []
    solve_simplex(programs(units=2 * CHUNK), 2, counts.append)
    assert sum(counts) == 2 * CHUNK


def test_an_error_stops_the_other_units():
    counted = []

    def fail(units):
        counted.append(units)
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        solve_simplex(programs(units=40 * CHUNK), 2, fail)
    assert len(counted) <= 2  # each thread fails once, and says so before it takes another chunk


def test_the_background_is_what_most_samples_share():
    rows = np.array([[5.0, 0.0, 1.0], [5.0, 0.0, 2.0], [4.0, 7.0, 2.0], [5.0, 0.0, 2.0]])
    assert background(rows).tolist() == [5.0, 0.0, 2.0]
    assert background(variants()["plain"].rows).tolist() == [0.0] * 8
    assert background(variants()["background"].rows).any()
