"""Nonlinear programs by POUNCE: the same solutions and derivatives, verdicts in batches, and what goes wrong."""

import copy

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from argflux.errors import ArgumentError, MissingDependencyError
from argflux.programs import Program, Status
from argflux.programs.solvers import asking, pounce
from argflux.programs.solvers.exchange import Exchange
from tests.programs.nonlinear.problems import FIELDS, ROWS, floats

pytestmark = pytest.mark.usefixtures("x64")


def by_pounce(program, **options):
    """The same program with POUNCE as its solver."""
    made = copy.copy(program)
    made._options = {**program._options, "solver": "pounce", **options}
    return made


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_solutions_are_those_of_the_barrier(row):
    params = floats(row.params)
    mine = row.program.solve(*params, start=row.start)
    other = jax.jit(lambda params: by_pounce(row.program).solve(*params, start=mine.x))(params)
    assert int(other.status) == Status.SOLVED
    for name in (*FIELDS, "regularity"):
        one, two = (ravel_pytree(getattr(solution, name))[0] for solution in (mine, other))
        np.testing.assert_allclose(one, two, atol=1e-8, err_msg=name)
    assert not Exchange._numbered


def test_instances_of_a_batch():
    program, start = ROWS[0].program, jnp.array([1.0, 5.0, 5.0, 1.0])
    least = jnp.array([25.0, 24.5, 1000.0, 25.5, jnp.nan])
    solve = lambda program: jax.jit(
        lambda least: jax.vmap(lambda least: program.solve(1.0, 40.0, least, start=start))(least)
    )
    one, two = solve(program)(least), solve(by_pounce(program))(least)
    verdicts = [Status.SOLVED, Status.SOLVED, Status.LOCALLY_INFEASIBLE, Status.SOLVED, Status.BAD_DATA]
    assert two.status.tolist() == one.status.tolist() == verdicts
    good = np.array([0, 1, 3])
    np.testing.assert_allclose(two.x[good], one.x[good], atol=1e-10)
    loss = lambda program: lambda least: jnp.sum(solve(program)(least).x[good])
    np.testing.assert_allclose(jax.grad(loss(by_pounce(program)))(least), jax.grad(loss(program))(least), atol=1e-9)


def test_twice_in_one_compiled_function():
    program = by_pounce(ROWS[0].program)
    both = jax.jit(lambda least: [program(1.0, 40.0, least, start=jnp.array([1.0, 5.0, 5.0, 1.0])) for _ in range(2)])
    np.testing.assert_array_equal(*both(25.0))


def test_verdicts_are_checked():
    falling = Program(lambda x, t: t * x[0] - jnp.sin(x[1]), 2, upper=5.0, solver="pounce")
    assert falling.solve(1.0).status == Status.DUAL_INFEASIBLE
    slow = by_pounce(ROWS[5].program, max_iterations=3).solve(*floats(ROWS[5].params))
    assert slow.status == Status.ITERATION_LIMIT


def test_sparse_programs_and_starts_nearby():
    n = 300
    valley = lambda x, t: jnp.sum((x[1:] - x[:-1] ** 2) ** 2 + (t - x[:-1]) ** 2)
    program = Program(valley, (n,), inequality=lambda x, t: x[1:] + x[:-1] - 1.5, upper=1.0)
    found, expected = by_pounce(program).solve(0.8), program.solve(0.8)
    assert found.status == Status.SOLVED
    np.testing.assert_allclose(found.x, expected.x, atol=1e-8)
    near = by_pounce(program).solve(0.801, start=found)
    assert near.status == Status.SOLVED
    assert near.iterations < found.iterations


def test_errors(monkeypatch):
    program = ROWS[0].program
    with pytest.raises(ArgumentError, match=r"got solver='ipopt'.*'auto', 'barrier', 'pounce'"):
        by_pounce(program, solver="ipopt").solve(*floats(ROWS[0].params))
    monkeypatch.setattr(pounce.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"argflux\[pounce\]"):
        by_pounce(program).solve(*floats(ROWS[0].params))


def test_what_a_solver_raises_is_raised(monkeypatch):
    def failing(*_):
        raise OSError("no room")

    monkeypatch.setattr(asking, "run_pounce", failing)
    with pytest.raises(jax.errors.JaxRuntimeError, match="no room"):
        by_pounce(ROWS[0].program).solve(*floats(ROWS[0].params))
    assert not Exchange._numbered
