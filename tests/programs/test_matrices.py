"""Solutions of programs given by matrices: closed forms, statuses, dtypes, batches and bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog

from argflux.autodiff import gradient
from argflux.errors import ArgumentError, DataError, DtypeError, ShapeError
from argflux.programs import ProgramError, Status, solve_lp, solve_qp
from tests.programs.instances import Case, blocks_of


def simplex_projection(y):
    """Sort-based projection on the simplex, in NumPy."""
    u = np.sort(y)[::-1]
    excess = (np.cumsum(u) - 1) / np.arange(1, len(y) + 1)
    return np.maximum(y - excess[np.nonzero(u > excess)[0][-1]], 0)


@pytest.mark.parametrize("n", [1, 5, 1000])
@pytest.mark.parametrize("dense", [False, True])
def test_projection_on_the_simplex(n, dense, x64):
    if dense and n > 100:
        pytest.skip("a dense P of this size is not what is tested")
    y = np.random.default_rng(n).normal(size=n)
    P = jnp.eye(n) if dense else jnp.ones(n)
    s = solve_qp(P, jnp.asarray(-y), A=jnp.ones((1, n)), b=jnp.ones(1), lower=0.0).check()
    np.testing.assert_allclose(s.x, simplex_projection(y), atol=1e-12)


def test_projection_on_a_box_a_halfspace_and_an_affine_set(x64):
    y = jnp.array([2.0, -3.0, 0.5])
    np.testing.assert_allclose(solve_qp(jnp.ones(3), -y, lower=-1.0, upper=1.0).x, [1.0, -1.0, 0.5])
    a, c = jnp.array([1.0, -1.0, 2.0]), 1.0
    half = solve_qp(jnp.ones(3), -y, G=a[None], h=jnp.array([c]))
    np.testing.assert_allclose(half.x, y - a * (a @ y - c) / (a @ a), atol=1e-12)
    np.testing.assert_allclose(half.z, [(a @ y - c) / (a @ a)], atol=1e-12)
    A = jnp.array([[1.0, 2.0, 0.0], [0.0, 1.0, -1.0]])
    b = jnp.array([1.0, 2.0])
    np.testing.assert_allclose(
        solve_qp(jnp.eye(3), -y, A, b).x, y - A.T @ jnp.linalg.solve(A @ A.T, A @ y - b), atol=1e-12
    )


def test_ridge_regression_and_soft_thresholding(x64):
    r = np.random.default_rng(3)
    X, y = jnp.asarray(r.normal(size=(8, 4))), jnp.asarray(r.normal(size=8))
    P = X.T @ X + 0.1 * jnp.eye(4)
    np.testing.assert_allclose(solve_qp(P, -X.T @ y).x, jnp.linalg.solve(P, X.T @ y), atol=1e-12)
    v, t = jnp.array([2.0, -0.3, -1.5]), 0.5
    P = jnp.concatenate([jnp.ones(3), jnp.zeros(3)])
    eye = jnp.eye(3)
    G = jnp.block([[eye, -eye], [-eye, -eye]])
    x = solve_qp(jnp.diag(P), jnp.concatenate([-v, jnp.full(3, t)]), G=G, h=jnp.zeros(6)).check().x[:3]
    np.testing.assert_allclose(x, jnp.sign(v) * jnp.maximum(jnp.abs(v) - t, 0), atol=1e-8)


def test_transport_duals_are_prices(x64):
    cost = jnp.array([1.0, 3.0, 2.0, 1.0])
    A = jnp.array([[1.0, 1.0, 0, 0], [0, 0, 1.0, 1.0], [1.0, 0, 1.0, 0]])
    b = jnp.array([2.0, 3.0, 1.5])
    s = solve_lp(cost, A, b, lower=0.0).check()
    np.testing.assert_allclose(jax.grad(lambda b: solve_lp(cost, A, b, lower=0.0).objective)(b), -s.y, atol=1e-8)
    np.testing.assert_allclose(s.objective, linprog(cost, A_eq=A, b_eq=b).fun, atol=1e-9)


@pytest.fixture(scope="module")
def mixture():
    """Linear programs of one shape: solvable, infeasible, unbounded, degenerate; and what HiGHS says of them."""
    r = np.random.default_rng(5)
    c, G, h = r.normal(size=(150, 3)), r.normal(size=(150, 5, 3)), r.normal(size=(150, 5)) + 0.3
    G[::7, 1] = G[::7, 0]
    h[::7, 1] = h[::7, 0]
    truth = [linprog(c[i], G[i], h[i], bounds=(None, None)) for i in range(150)]
    return c, G, h, truth


def test_statuses_agree_with_highs(mixture, x64):
    c, G, h, truth = mixture
    s = jax.jit(jax.vmap(lambda c, G, h: solve_lp(c, G=G, h=h)))(*map(jnp.asarray, (c, G, h)))
    codes = np.array([t.status for t in truth])
    assert {0, 2, 3} <= set(codes)
    solved = np.asarray(s.status) == Status.SOLVED
    np.testing.assert_array_equal(solved, codes == 0)
    np.testing.assert_allclose(s.objective[solved], [t.fun for t in truth if t.status == 0], atol=1e-7)
    assert not np.any(np.isnan(s.x))
    feasible = np.array([linprog(0 * c[i], G[i], h[i], bounds=(None, None)).status == 0 for i in range(len(c))])
    np.testing.assert_array_equal(np.asarray(s.status)[~solved & feasible], int(Status.DUAL_INFEASIBLE))
    np.testing.assert_array_equal(np.asarray(s.status)[~feasible], int(Status.PRIMAL_INFEASIBLE))


def test_residuals_of_what_is_reported_solved(x64):
    blocks = [blocks_of(Case(6, p=2, m=6, bounded=True, seed=seed)) for seed in range(40)]
    batch = jax.tree.map(lambda *rows: jnp.stack(rows), *blocks)
    s = jax.jit(jax.vmap(lambda b: solve_qp(**b)))(batch)
    assert bool(jnp.all(s.status == int(Status.SOLVED)))
    P, q, A, b, G, h = (batch[name] for name in ("P", "q", "A", "b", "G", "h"))
    stationarity = jnp.einsum("bij,bj->bi", P, s.x) + q + jnp.einsum("bij,bi->bj", A, s.y)
    stationarity += jnp.einsum("bij,bi->bj", G, s.z) - s.z_lower + s.z_upper
    assert float(jnp.max(jnp.abs(stationarity))) < 1e-8
    assert float(jnp.max(jnp.abs(jnp.einsum("bij,bj->bi", A, s.x) - b))) < 1e-8
    assert float(jnp.max(jnp.einsum("bij,bj->bi", G, s.x) - h)) < 1e-8
    assert float(jnp.min(s.z)) > -1e-8
    assert float(jnp.max(jnp.abs(s.z * (h - jnp.einsum("bij,bj->bi", G, s.x))))) < 1e-8


def infeasible_between(h):
    """A batch of `x <= h[0]`, `-x <= h[1]`, near 3."""
    return jax.vmap(
        lambda h: solve_qp(jnp.eye(1), jnp.array([-3.0], h.dtype), G=jnp.array([[1.0], [-1.0]], h.dtype), h=h)
    )(h)


def test_one_infeasible_instance_leaves_the_others_alone():
    h = jnp.array([[1.0, 1.0], [0.0, -1.0], [5.0, 1.0]])
    s = jax.jit(infeasible_between)(h)
    assert s.status.tolist() == [Status.SOLVED, Status.PRIMAL_INFEASIBLE, Status.SOLVED]
    np.testing.assert_allclose(s.x[jnp.array([0, 2]), 0], [1.0, 3.0])
    for derive in (jax.grad, lambda f: lambda h: gradient(f, h)[0]):
        grads = jax.jit(derive(lambda h: jnp.sum(infeasible_between(h).x)))(h)
        np.testing.assert_allclose(grads, [[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]], atol=1e-6)
    with pytest.raises(
        ProgramError, match=r"got 1 of 3 instances PRIMAL_INFEASIBLE \(no point meets all constraints\): 1;"
    ):
        s.check()


def test_failures_may_read_as_nan_or_as_the_closest_program(x64):
    G, h = jnp.array([[1.0], [-1.0]]), jnp.array([0.0, -1.0])

    def solve(h, on_failure):
        return solve_qp(jnp.eye(1), jnp.zeros(1), G=G, h=h, on_failure=on_failure)

    assert np.isnan(solve(h, "nan").x).all()
    assert np.isnan(jax.jacobian(lambda h: solve(h, "nan").x)(h)).all()
    closest = solve(h, "closest").check()
    np.testing.assert_allclose(closest.x, [0.5], atol=1e-6)
    np.testing.assert_allclose(jax.jacobian(lambda h: solve(h, "closest").x)(h), [[0.5, -0.5]], atol=1e-5)


def test_float32_callers_get_float32_and_the_accuracy_of_float64():
    y = np.random.default_rng(8).normal(size=20).astype(np.float32)
    A = jnp.ones((1, 20))
    s = jax.jit(lambda y: solve_qp(jnp.eye(20), -y, A, jnp.ones(1), lower=0.0))(jnp.asarray(y))
    assert all(leaf.dtype in (jnp.float32, jnp.int32) for leaf in jax.tree.leaves(s))
    np.testing.assert_allclose(s.x, simplex_projection(y.astype(np.float64)), atol=2e-7)


def test_a_warm_start_takes_fewer_iterations(x64):
    blocks = blocks_of(Case(12, p=2, m=20, seed=14))
    cold = solve_qp(**blocks).check()
    warm = solve_qp(**blocks, start=cold).check()
    np.testing.assert_allclose(warm.x, cold.x, atol=1e-10)
    assert int(warm.iterations) < int(cold.iterations)


def test_vmap_inside_vmap(x64):
    q = jnp.asarray(np.random.default_rng(9).normal(size=(2, 3, 4)))
    h = jnp.array([0.1, 0.2])

    def one(q, h):
        return solve_qp(jnp.eye(4), q, G=jnp.ones((1, 4)), h=h[None]).x

    got = jax.vmap(jax.vmap(one, (0, None)), (0, 0))(q, h)
    np.testing.assert_allclose(got, [[one(q[i, j], h[i]) for j in range(3)] for i in range(2)], atol=1e-12)


TWO = jnp.array([1.0, 2.0])
BAD = [
    (ShapeError, r"q of shape \(1, 2\).*jax.vmap", lambda: solve_qp(None, TWO[None])),
    (ShapeError, r"q of shape \(0,\)", lambda: solve_qp(None, TWO[:0])),
    (ShapeError, r"P of shape \(3, 3\); expected \(2, 2\)", lambda: solve_qp(jnp.eye(3), TWO)),
    (ShapeError, r"A of shape \(2,\); expected \(rows, 2\)", lambda: solve_qp(None, TWO, A=TWO, b=TWO)),
    (ShapeError, r"h of shape \(1,\); expected \(2,\)", lambda: solve_qp(None, TWO, G=jnp.eye(2), h=TWO[:1])),
    (ShapeError, r"lower of shape \(3,\)", lambda: solve_qp(None, TWO, lower=jnp.zeros(3))),
    (ArgumentError, "A without b", lambda: solve_qp(None, TWO, A=jnp.eye(2))),
    (ArgumentError, "h without G", lambda: solve_qp(None, TWO, h=TWO)),
    (
        ArgumentError,
        r"lower\[1\] = 3.0 above upper\[1\] = 2.0",
        lambda: solve_qp(TWO, TWO, lower=3 * TWO / TWO, upper=jnp.array([4.0, 2.0])),
    ),
    (ArgumentError, "smallest eigenvalue -1", lambda: solve_qp(jnp.diag(jnp.array([1.0, -1.0])), TWO)),
    (ArgumentError, "solver='simplex'.*'pivoting'", lambda: solve_qp(TWO, TWO, solver="simplex")),
    (ArgumentError, "on_failure='raise'", lambda: solve_qp(TWO, TWO, on_failure="raise")),
    (ArgumentError, "tolerance=0", lambda: solve_qp(TWO, TWO, tolerance=0)),
    (ArgumentError, "smoothing=-1", lambda: solve_lp(TWO, smoothing=-1.0)),
    (ArgumentError, "solver='separable'", lambda: solve_qp(jnp.eye(2), TWO, solver="separable")),
    (DataError, r"q\[1\] = nan", lambda: solve_qp(TWO, jnp.array([1.0, jnp.nan]))),
    (DataError, r"A\[0, 1\] = inf", lambda: solve_qp(TWO, TWO, A=jnp.array([[0.0, jnp.inf]]), b=TWO[:1])),
    (DtypeError, "q of dtype complex64", lambda: solve_qp(TWO, TWO.astype(jnp.complex64))),
    (DtypeError, "P of type str", lambda: solve_qp("P", TWO)),
]


@pytest.mark.parametrize(("error", "message", "call"), BAD, ids=[message for _, message, _ in BAD])
def test_bad_input(error, message, call):
    with pytest.raises(error, match=message):
        call()


def test_bad_data_inside_jit_is_a_status():
    def solve(P, q):
        return solve_qp(P, q, G=jnp.ones((1, 2)), h=jnp.ones(1))

    P = jnp.stack([jnp.eye(2), jnp.diag(jnp.array([1.0, -1.0])), jnp.eye(2)])
    q = jnp.array([[0.0, 0.0], [0.0, 0.0], [0.0, jnp.nan]])
    s = jax.jit(jax.vmap(solve))(P, q)
    assert s.status.tolist() == [Status.SOLVED, Status.BAD_DATA, Status.BAD_DATA]
    assert not np.any(np.isnan(jax.jit(jax.grad(lambda P: jnp.sum(jax.vmap(solve)(P, q).x)))(P)))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("seed", range(3))
def test_derivatives_where_constraints_are_moved(seed, scale, x64):
    """More rows than unknowns contradict each other: moved, all meet in one point, and do so for other sides."""
    r = np.random.default_rng(seed)
    G, q = r.normal(size=(6, 2)) * scale, r.normal(size=2)
    h, d = -3 - r.uniform(size=6), r.normal(size=6)
    move = lambda t: solve_qp(jnp.ones(2), q, G=G, h=h + t * d, on_failure="closest").x
    numeric = (move(1e-4) - move(-1e-4)) / 2e-4
    np.testing.assert_allclose(jax.jvp(move, (0.0,), (1.0,))[1], numeric, rtol=1e-5, atol=1e-5 / scale)
    assert solve_qp(jnp.ones(2), q, G=G, h=h).status != 0
