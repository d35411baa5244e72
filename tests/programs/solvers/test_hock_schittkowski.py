"""A sample of the problems that others wrote, from their own starts at default settings."""

import jax
import pytest

from argflux.programs.answers.status import Status
from benchmarks import hock_schittkowski, sensitivities

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("x64")]
SAMPLE = [
    "HS1", "HS6", "HS7", "HS10", "HS11", "HS14", "HS15", "HS18", "HS21", "HS22",
    "HS24", "HS26", "HS28", "HS30", "HS32", "HS33", "HS34", "HS35", "HS39", "HS40",
    "HS43", "HS46", "HS48", "HS60", "HS63", "HS64", "HS65", "HS71", "HS76", "HS77",
    "HS80", "HS93", "HS100", "HS101", "HS106", "HS12", "HS113", "CB2", "CHACONN1", "MARATOS",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def collection():
    """Import the collection, some modules of which switch 64-bit types on for the whole process."""
    before = jax.config.jax_enable_x64
    pytest.importorskip("sif2jax")
    jax.config.update("jax_enable_x64", before)


@pytest.mark.parametrize("name", SAMPLE)
def test_the_best_objective_known_is_reached(name):
    with jax.numpy_dtype_promotion("standard"):
        (problem,) = hock_schittkowski.problems((name,))
        row = hock_schittkowski.row(problem)
    assert row["status"] == Status.SOLVED.name
    assert row["reached"]
    assert row["error"] <= 1e-6


@pytest.mark.parametrize("name", ["HS43", "HS71", "HS93"])
def test_derivatives_are_those_of_solutions(name):
    with jax.numpy_dtype_promotion("standard"):
        (problem,) = hock_schittkowski.problems((name,))
        row = sensitivities.row(problem, True)
    assert all(row[what] <= limit for what, limit in sensitivities.LIMITS.items())
