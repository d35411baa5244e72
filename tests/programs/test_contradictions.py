"""Constraints that agree only to rounding, or not at all: what is solved, what is said, and what is left."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.sparse import BCOO

from argflux.programs import Polyhedron, ProgramError, Status, project, simplex, solve_lp, solve_qp

SUPPLY = jax.nn.softmax(jax.random.normal(jax.random.key(1), (8, 4)))
DEMAND = jax.nn.softmax(jax.random.normal(jax.random.key(2), (8, 4)))
COST = jax.random.uniform(jax.random.key(0), (8, 16))
ROWS = jnp.concatenate([jnp.kron(jnp.eye(4), jnp.ones((1, 4))), jnp.kron(jnp.ones((1, 4)), jnp.eye(4))])


@pytest.mark.parametrize("options", [{}, {"tolerance": 1e-5}, {"on_failure": "closest"}], ids=str)
@pytest.mark.parametrize("smoothing", [None, 0.1])
def test_marginals_rounded_to_float32(smoothing, options):
    def solve(c, a, b):
        return solve_lp(c, ROWS, jnp.concatenate([a, b]), lower=0.0, smoothing=smoothing, **options)

    run = jax.jit(
        jax.vmap(jax.value_and_grad(lambda c, a, b: (lambda s: (s.objective, s))(solve(c, a, b)), has_aux=True))
    )
    (_, s), slope = run(COST, SUPPLY, DEMAND)
    np.testing.assert_array_equal(s.status, Status.SOLVED)
    np.testing.assert_allclose(jnp.einsum("ij,bj->bi", ROWS, s.x), jnp.concatenate([SUPPLY, DEMAND], 1), atol=1e-6)
    np.testing.assert_allclose(slope, s.x, atol=1e-6)


GAPS = np.array([1e-10, 1e-9, 5e-9, 1e-7, 1e-3, 0.1])


@pytest.mark.parametrize(("options", "most"), [({}, 1e-8), ({"tolerance": 1e-5}, 1e-5), ({"on_failure": "closest"}, 1)])
@pytest.mark.parametrize("curve", [None, 1.0])
def test_a_row_given_twice(curve, options, most, x64):
    def solve(gap):
        P = None if curve is None else jnp.ones(2)
        return solve_qp(
            P, jnp.array([0.3, 0.5]), jnp.ones((2, 2)), jnp.stack([1.0 + 0 * gap, 1.0 + gap]), lower=0.0, **options
        )

    s = jax.vmap(solve)(GAPS)
    np.testing.assert_array_equal(s.status, jnp.where(most > GAPS, Status.SOLVED, Status.PRIMAL_INFEASIBLE))
    np.testing.assert_allclose(
        jnp.where(most > GAPS, s.x.sum(1) - 1 - GAPS / 2, 0.0), 0.0, atol=most if most < 1 else 1e-8
    )
    assert np.all(np.isfinite(s.x))
    assert np.abs(s.x).max() < 10


def test_a_balanced_network_in_float32():
    edges = jnp.array([[1, -1, 0, 0], [0, 1, -1, 0], [0, 0, 1, -1], [1, 0, 0, -1]], jnp.float32)
    laplacian, power = edges.T @ edges, jax.random.normal(jax.random.key(0), (6, 4))
    power = power - power.mean(1, keepdims=True)
    s = jax.vmap(lambda p: solve_qp(jnp.ones(4), jnp.zeros(4), laplacian, p))(power)
    np.testing.assert_array_equal(s.status, Status.SOLVED)
    np.testing.assert_allclose(s.x @ laplacian, power, atol=1e-5)


@pytest.mark.parametrize("size", [3, 700])
def test_failures_leave_finite_iterates_and_identical_calls_agree(size, x64):
    A = jnp.stack([jnp.ones(size), jnp.ones(size)])
    solve = lambda b: solve_qp(jnp.full(size, 2.0), jnp.linspace(-1.0, 1.0, size), A, b, lower=0.0)
    b = jnp.array([1.0, 2.0])
    one, two = solve(b), solve(b)
    assert int(one.status) == Status.PRIMAL_INFEASIBLE
    assert np.all(np.isfinite(one.x))
    np.testing.assert_array_equal(one.x, two.x)
    np.testing.assert_array_equal(jax.grad(lambda b: solve(b).x.sum())(b), 0.0)
    assert "largest residual 0" not in f"{one}"


@pytest.mark.parametrize("solver", [None, "daqp", "clarabel"])
def test_falling_without_bound_needs_a_feasible_point(solver, x64):
    def solve(least):
        G, h = jnp.array([[1.0, 0.0], [-1.0, 0.0]]), jnp.stack([0.0 * least, -least])
        return solve_qp(jnp.array([[1.0, 0.0], [0.0, 0.0]]), jnp.array([0.0, -1.0]), G=G, h=h, solver=solver)

    s = jax.vmap(solve)(jnp.array([0.01, -1.0]))
    np.testing.assert_array_equal(s.status, [Status.PRIMAL_INFEASIBLE, Status.DUAL_INFEASIBLE])


def test_a_linear_program_by_daqp(x64):
    s = solve_lp(jnp.array([-1.0, -2.0]), G=jnp.ones((1, 2)), h=jnp.ones(1), lower=0.0, solver="daqp")
    np.testing.assert_allclose(s.check().x, [0.0, 1.0], atol=1e-9)


EMPTY = {
    "row": Polyhedron(A=jnp.ones((1, 2)), b=jnp.array([5.0]), lower=0.0, upper=1.0),
    "rows": Polyhedron(G=jnp.array([[1.0, 0.0], [-1.0, 0.0]]), h=jnp.array([-1.0, 0.0])),
    "simplex": simplex(2, -1.0),
}


@pytest.mark.parametrize("name", EMPTY)
def test_projections_onto_nothing(name):
    x = jnp.array([[2.0, -1.0], [0.0, 1.0]])
    with pytest.raises(
        ProgramError, match=r"project: got a polyhedron where no point meets all constraints in row \[0\]"
    ):
        project(EMPTY[name])(x)
    assert np.all(np.isnan(jax.jit(project(EMPTY[name]))(x)))


def test_the_nearest_of_the_nearest():
    got = project(EMPTY["row"], on_failure="closest")(jnp.array([2.0, -1.0]))
    np.testing.assert_allclose(got, [1.0, 1.0], atol=1e-5)


def test_a_sparse_program_without_a_point_does_not_fall(x64):
    """Clarabel's ray says that the objective falls, not that there is a point to fall from."""
    n = 120
    curve = BCOO((jnp.ones(1), jnp.zeros((1, 2), jnp.int32)), shape=(n, n))
    G = BCOO((jnp.array([1.0, -1.0]), jnp.array([[0, 0], [1, 0]])), shape=(2, n))
    q = jnp.zeros(n).at[1].set(-100.0)
    solve = lambda least: solve_qp(curve, q, G=G, h=jnp.stack([0.0 * least, -least]))
    assert int(solve(jnp.asarray(0.01)).status) == Status.PRIMAL_INFEASIBLE
    assert int(solve(jnp.asarray(-1.0)).status) == Status.DUAL_INFEASIBLE


ENDS = {  # how each of two parts that have nothing in common ends, by its right sides, and what the whole says
    "both solved": ((1.0, 1.0), (1.0, 1.0), Status.SOLVED),
    "one falls": ((1.0, 1.0), (-1.0, 1.0), Status.DUAL_INFEASIBLE),
    "one has no point": ((1.0, -2.0), (1.0, 1.0), Status.PRIMAL_INFEASIBLE),
    "no point beside a fall": ((1.0, -2.0), (-1.0, 1.0), Status.PRIMAL_INFEASIBLE),
    "a fall beside no point": ((-1.0, 1.0), (1.0, -2.0), Status.PRIMAL_INFEASIBLE),
}


@pytest.mark.parametrize("name", ENDS)
def test_parts_say_together_what_the_whole_would(name, x64):
    *parts, expected = ENDS[name]
    cost, right = (jnp.repeat(jnp.array([part[i] for part in parts]), 6) for i in (0, 1))
    s = solve_lp(cost, G=-jnp.eye(12), h=right, upper=jnp.tile(jnp.array([1.0, jnp.inf]), 6))
    assert int(s.status) == expected
    bound = solve_lp(cost, G=-jnp.eye(12), h=right, upper=jnp.tile(jnp.array([1.0, jnp.inf]), 6), solver="highs")
    assert int(bound.status) == expected


@pytest.mark.parametrize("solver", [None, "clarabel", "daqp"])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_forces_that_vanish_are_no_breakdown(solver, scale, x64):
    """The distance to a point that is a point of the set is zero, and so is everything that stationarity adds up."""
    target = scale * jnp.array([[1.0, 0.3], [0.1, 0.7], [0.0, 0.0], [-1.0, 0.3]])
    A, P = jnp.array([[-1.0, 0.0, 1.0, 0.0], [0.0, -1.0, 0.0, 1.0]]), jnp.diag(jnp.array([2.0, 2.0, 0.0, 0.0]))
    G = jnp.array([[0.0, 0.0, -1.0, 0.0], [0.0, 0.0, -1.0, -1.0]])
    solve = lambda t: solve_qp(P, jnp.zeros(4), A, t, G, jnp.zeros(2), solver=solver)
    s = jax.vmap(solve)(target)
    np.testing.assert_array_equal(s.status, Status.SOLVED)
    nearest = target.at[3].set(jnp.array([0.0, 0.3 * scale]))
    np.testing.assert_allclose(s.x[:, 2:], nearest, atol=1e-9 * scale)


def test_a_small_part_of_the_cost_decides(x64):
    """Beside a distance of 1e6 the weight 0.1 is little, and yet all that says where the absolute value ends."""
    P, q = jnp.diag(jnp.array([2.0, 0.0, 0.0])), jnp.array([0.0, 0.1, 0.0])
    A, G = jnp.array([[-1.0, 0.0, 1.0]]), jnp.array([[0.0, -1.0, 1.0], [0.0, -1.0, -1.0]])
    target = 1e6 * jnp.array([0.2, -0.8, 1.3])
    s = jax.vmap(lambda t: solve_qp(P, q, A, t[None], G, jnp.zeros(2)))(target)
    np.testing.assert_array_equal(s.status, Status.SOLVED)
    np.testing.assert_allclose(s.x[:, 0], -0.05 * jnp.sign(target), atol=1e-8)
    np.testing.assert_allclose(s.x[:, 1], jnp.abs(s.x[:, 2]), rtol=1e-12)


def test_other_threads_of_highs_do_no_harm():
    """HiGHS refuses another number of threads in a thread in which it ran; neither we nor our users meet that."""
    code = """
import highspy, jax.numpy as jnp, numpy as np
from argflux.programs import Status, solve_lp

def run(threads):
    model = highspy.Highs()
    model.silent()
    model.setOptionValue("threads", threads)
    model.addVar(1.0, 2.0)
    return model.run() == highspy.HighsStatus.kOk

assert run(2)
size = 700
s = solve_lp(-jnp.ones(size), G=jnp.eye(size), h=jnp.ones(size))
assert int(s.status) == Status.SOLVED and np.allclose(s.x, 1), s
assert run(2)
print("fine")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("fine\n"), done.stdout + done.stderr
