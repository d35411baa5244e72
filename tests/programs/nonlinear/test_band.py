"""Sparse nonlinear programs: bands against dense matrices, and the same answers either way."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import lapack

from argflux.programs import Program, Regularity, Status
from argflux.programs.forms import band, dependence, hostband
from argflux.programs.forms.condensed import Condensed
from argflux.programs.forms.nonlinear import NonlinearForm
from argflux.programs.forms.pattern import Sparse
from argflux.programs.forms.structure import matrices, structure
from argflux.programs.forms.thin import Places, Thin, plus_diagonal, times, transposed

pytest.importorskip("asdex", exc_type=ImportError)
pytestmark = pytest.mark.usefixtures("x64")


def random(*shape: int, seed: int = 0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("b", [1, 4])
def test_band_matrices_are_solved(b):
    K = np.stack([np.tril(np.triu(random(9, 9, seed=k), -b)) + 4 * np.eye(9) for k in range(3)], -1)
    rows = np.stack([[K[i, i - b + k] if i - b + k >= 0 else np.zeros(3) for k in range(b + 1)] for i in range(9)])
    whole = K + np.swapaxes(K, 0, 1) * (1 - np.eye(9))[:, :, None]
    right = random(9, 3)
    found = band.solve(band.factorise(jnp.asarray(rows)), jnp.asarray(right))
    np.testing.assert_allclose(np.einsum("ijb,jb->ib", whole, found), right, atol=1e-10)


def test_condensed_matrices_and_thin_ones_are_those_that_are_dense():
    rng = np.random.default_rng(1)
    J = np.where(abs(np.subtract.outer(np.arange(7), np.arange(12)) - 2) <= 1, rng.normal(size=(7, 12)), 0)
    shuffled = rng.permutation(12)
    J, H = J[:, shuffled], np.diag(rng.uniform(1, 2, 12))
    on_H, on_J = (Sparse.of(M).pattern for M in (H, J))
    found = Condensed.of(on_H, on_J)
    assert found.bandwidth <= 4
    put = lambda M, on: jnp.asarray(M[on.rows, on.columns])[:, None] * jnp.array([1.0, 2.0])
    weight, right = jnp.asarray(rng.uniform(1, 2, (7, 2))), jnp.asarray(rng.normal(size=(12, 2)))
    factor, good = found.factorise(put(H, on_H), put(J, on_J), weight, 1e-14)
    assert good.all()
    for k in range(2):
        whole = (k + 1) * H + (k + 1) ** 2 * J.T @ np.diag(weight[:, k]) @ J
        np.testing.assert_allclose(whole @ found.solve(factor, right)[:, k], right[:, k], atol=1e-10)
    assert not found.factorise(-put(H, on_H), 0 * put(J, on_J), weight, 1e-14)[1].any()

    places = Places.of(on_J)
    thin = Thin(jnp.asarray(np.where(places.there, J[np.arange(7)[:, None], places.columns], 0))[:, :, None], places)
    np.testing.assert_allclose(times(thin, right), J @ right, atol=1e-12)
    np.testing.assert_allclose(transposed(thin, weight), J.T @ weight, atol=1e-12)
    np.testing.assert_array_equal(thin.compact()[:, 0], J[on_J.rows, on_J.columns])
    square = Thin(jnp.zeros((12, 1, 1)), Places.of(on_H))
    np.testing.assert_array_equal(times(plus_diagonal(square, jnp.ones(1)), right), right)


@jax.custom_vjp
def rolled(x):
    """The identity, whose reverse rule mixes neighbours."""
    return x


rolled.defvjp(lambda x: (x, None), lambda _, dy: (dy + jnp.roll(dy, -1),))


def chain(n, mix=lambda x: x):
    objective = lambda x, t: jnp.sum(jnp.cos(mix(x)) + t * x**2) + jnp.sum(x[1:] ** 3 * x[:-1])
    return NonlinearForm(n, n - 1, n - 2, objective, lambda x, t: jnp.diff(x) ** 3 - t, lambda x, t: x[2:] * x[:-2])


@pytest.mark.parametrize("form", [chain(40), chain(40, rolled)], ids=["chain", "custom rules"])
def test_coloured_matrices_are_those_that_are_dense(form):
    x, dual, t = jnp.asarray(random(3, 40)), jnp.asarray(random(3, 77)), jnp.full(1, 0.5)
    found = matrices(form, x, dual, (t,))
    sparsity = structure(form, (t,))
    assert sparsity is not None
    assert sparsity.count <= 8
    form.made["structure"] = None
    for one, two in zip(found, matrices(form, x, dual, (t,)), strict=True):
        np.testing.assert_allclose(one.dense() if isinstance(one, Sparse) else one, two, atol=1e-12)


def pendulum(horizon):
    """Swing a pendulum up; `most` limits the speeds by inequalities, the torques have bounds."""

    def parts(x):
        return jnp.split(x, 3)

    def objective(x, p):
        angle, speed, torque = parts(x)
        return jnp.sum(p[2] * (1 + jnp.cos(angle)) + 0.1 * speed**2 + p[3] * torque**2)

    def motion(x, p):
        angle, speed, torque = parts(x)
        old, fast = jnp.concatenate([p[:1], angle[:-1]]), jnp.concatenate([p[1:2], speed[:-1]])
        return jnp.concatenate([angle - old - 0.2 * speed, speed - fast - 0.2 * (torque - jnp.sin(old))])

    bound = np.r_[np.full(2 * horizon, np.inf), np.full(horizon, 0.9)]
    fast = lambda x, p: parts(x)[1] ** 2 - p[4]
    return Program(objective, (3 * horizon,), equality=motion, inequality=fast, lower=-bound, upper=bound)


P = np.array([[0.1, 0.2, 1.0, 0.8, 1.2], [-0.2, 0.1, 0.7, 1.2, 2.5], [0.3, -0.3, 1.4, 0.6, 0.5]])


def results(program):
    start = jnp.zeros(program._plan((P[0],)).variable.size)
    solve = lambda P: jax.vmap(lambda p: program.solve(p, start=start))(P)
    loss = lambda P: jnp.sum(solve(P).x @ jnp.cos(jnp.arange(start.size)))
    slope = jax.jit(jax.grad(loss))
    forward = jax.jit(lambda P: jax.jvp(loss, (P,), (jnp.cos(P),))[1])
    return jax.jit(solve)(P), slope(P), forward(P)


def test_programs_have_the_same_answers_in_bands_and_dense():
    sparse, dense = pendulum(14), pendulum(14)
    made_of = lambda program: program._plan((P[0],)).nonlinear.made
    made_of(dense)["structure"] = None
    (one, slope, along), (two, expected, _) = results(sparse), results(dense)
    assert made_of(sparse)["structure"] is not None
    assert (np.asarray(one.status) == Status.SOLVED).all()
    assert (np.asarray(one.z) > 1e-3).any()
    for name in ("x", "y", "z", "z_lower", "z_upper", "objective"):
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), atol=1e-8, err_msg=name)
    np.testing.assert_array_equal(one.regularity, two.regularity)
    np.testing.assert_allclose(slope, expected, atol=1e-7)
    np.testing.assert_allclose(jnp.sum(slope * jnp.cos(P)), along, rtol=1e-9)


@pytest.mark.parametrize("n", [40, 400])
@pytest.mark.parametrize(
    "rows",
    [{}, {"equality": lambda x, t: x[:3] - 0.5}, {"inequality": lambda x, t: x[1:] + x[:-1] - 1.0 + 0 * x[1:] ** 3}],
    ids=["no rows", "equalities", "inequalities"],
)
def test_rows_of_any_kind_or_none(rows, n):
    """An unknown that no row holds is log t; derivatives are those of differences."""
    program, step = Program(lambda x, t: jnp.sum(jnp.exp(x) - t * x), n, upper=0.6, **rows), 1e-5
    found, low, high = (program.solve(t) for t in (1.75, 1.75 - step, 1.75 + step))
    assert found.status == Status.SOLVED
    if "inequality" not in rows:
        np.testing.assert_allclose(found.x[3:], np.log(1.75), atol=1e-9)
    slope = jax.jit(jax.grad(lambda t: jnp.cos(jnp.arange(n)) @ program(t)))(1.75)
    np.testing.assert_allclose(slope, jnp.cos(jnp.arange(n)) @ (high.x - low.x) / (2 * step), rtol=1e-5, atol=1e-8)


def test_one_program_is_solved_alike_by_the_host_and_by_loops(monkeypatch):
    """Sensitivities too, from the same number of steps."""

    def found(long):
        monkeypatch.setattr(hostband, "LONG", long)
        program = pendulum(14)
        solve = lambda p: program.solve(p, start=jnp.zeros(42))
        loss = lambda p: jnp.sum(solve(p).x @ jnp.cos(jnp.arange(42)))
        return jax.jit(solve)(P[0]), jax.jit(jax.grad(loss))(P[0])

    calls = []
    monkeypatch.setattr(hostband, "dpbtrf", lambda *a, **k: (calls.append(1), lapack.dpbtrf(*a, **k))[1])
    (one, slope), (two, expected) = found(30), found(10**9)
    assert calls
    assert one.status == two.status == Status.SOLVED
    assert one.iterations == two.iterations
    for name in ("x", "y", "z", "z_lower", "z_upper"):
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), atol=1e-9, err_msg=name)
    np.testing.assert_allclose(slope, expected, atol=1e-9)


def test_thousands_of_unknowns():
    n = 3000
    valley = lambda x, t: jnp.sum((x[1:] - x[:-1] ** 2) ** 2 + (t - x[:-1]) ** 2)
    program = Program(valley, (n,), inequality=lambda x, t: x[1:] + x[:-1] - 1.5, upper=1.0)
    solve = lambda t: program.solve(t, start=jnp.zeros(n))
    found = jax.jit(solve)(0.8)
    assert found.status == Status.SOLVED
    step, slope = 1e-4, jax.jit(jax.grad(lambda t: jnp.sum(solve(t).x)))(0.8)
    ends = [jnp.sum(jax.jit(solve)(0.8 + d).x) for d in (-step, step)]
    np.testing.assert_allclose(slope, (ends[1] - ends[0]) / (2 * step), rtol=1e-5)


def test_what_is_small_wide_or_not_seen_through_is_dense(monkeypatch):
    t = (jnp.ones((1,)),)
    assert structure(chain(20), t) is None
    wide = NonlinearForm(60, 1, 0, lambda x, t: jnp.sum(x**4), lambda x, t: jnp.sum(x**2)[None] - t)
    assert structure(wide, t) is None

    def refuses(*_):
        raise ValueError("a shape that the finder has not met")

    monkeypatch.setattr(dependence, "jacobian_pattern", refuses)
    monkeypatch.setattr("argflux.programs.forms.structure.jacobian_pattern", refuses)
    assert structure(chain(50), t) is None


def held_together(h, rows=lambda x, b: jnp.diff(x)):
    """Curvatures h of unknowns that are equal, and forces."""
    objective = lambda x, b: jnp.sum(h * x * x) / 2 - b @ x + 0.0 * jnp.sum(x**3)
    return Program(objective, len(h), equality=rows)


@pytest.mark.parametrize("flat", [1e-4, 1e-7])
def test_nearly_flat_systems_are_solved_by_pivoting(flat):
    """Beside the weights of the rows, rounding hides a small curvature; what refinement then makes is no answer."""
    n = 40
    program, b = held_together(np.r_[1.0, np.zeros(n - 2), flat - 1.0]), jnp.zeros(n)
    along = jax.jvp(lambda b: program(b), (b,), (jnp.full(n, flat / n),))[1]
    np.testing.assert_allclose(along, 1.0, rtol=1e-6)


def test_rows_that_depend_on_each_other_in_a_band():
    """All rows twice, and a curvature that is negative but for the rows: x is as without, the duals of least norm."""
    n, h = 40, np.r_[3.0, np.zeros(38), -1.0]
    twice = held_together(h, lambda x, b: jnp.concatenate([jnp.diff(x), jnp.diff(x)]))
    b, db = jnp.cos(jnp.arange(n)), jnp.sin(jnp.arange(n))
    solve = lambda program: jax.jvp(lambda b: (lambda s: (s.x, s.y))(program.solve(b)), (b,), (db,))
    ((x, _), (dx, dy)), ((expected, _), (along, across)) = solve(twice), solve(held_together(h))
    assert Regularity(int(twice.solve(b).regularity)) & Regularity.LICQ
    np.testing.assert_allclose(x, expected, atol=1e-9)
    np.testing.assert_allclose(dx, along, atol=1e-7)
    np.testing.assert_allclose(dy[: n - 1] + dy[n - 1 :], across, atol=1e-6)
    np.testing.assert_allclose(dy[: n - 1], dy[n - 1 :], atol=1e-6)
