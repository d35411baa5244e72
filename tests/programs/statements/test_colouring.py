"""Large programs of functions or of CVXPY: extracted entry by entry, as the dense ones, without dense matrices."""

import functools
import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.sparse import BCOO

import argflux as af
from argflux.errors import ArgumentError, MissingDependencyError
from argflux.programs import Program
from argflux.programs.forms import dependence
from argflux.programs.forms.pattern import Pattern
from argflux.programs.statements import sparsity
from argflux.programs.statements.colouring import Coloured
from argflux.programs.statements.extract import Affine

pytest.importorskip("asdex", exc_type=ImportError)
pytest.importorskip("clarabel")


def smoothing():
    """Steps of limited size beside a mean, with a bend in the objective and a parameter that scales rows."""
    return Program(
        lambda x, y, w: jnp.sum((x - y) ** 2) + w * jnp.sum((x[2:] - 2 * x[1:-1] + x[:-2]) ** 2),
        variable=lambda y, w: y,
        equality=lambda x, y, w: jnp.mean(x) - w,
        inequality=lambda x, y, w: {"up": w * (x[1:] - x[:-1]) - 0.1, "down": x[:-1] - x[1:] - 0.1},
    )


def data(n):
    return jax.random.normal(jax.random.key(0), (n,)), jnp.asarray(0.5)


@pytest.fixture
def eager_for_sparsity(monkeypatch):
    monkeypatch.setattr(sparsity, "LARGE", 0)
    monkeypatch.setattr(sparsity, "THIN", 0.3)


def loss(s):
    return jnp.sum(jnp.sin(s.x)) + s.y + jnp.sum(s.z["up"] ** 2) - jnp.sum(s.z["down"]) + s.objective


def test_sparse_programs_are_as_dense_ones_with_their_derivatives(x64, eager_for_sparsity, monkeypatch):
    n = 70
    values, thin = data(n), smoothing()
    assert thin._plan(values).curvature == "sparse"
    evaluate = lambda program: jax.jit(jax.value_and_grad(lambda *v: loss(program.solve(*v)), (0, 1)))(*values)
    found = evaluate(thin)
    monkeypatch.setattr(sparsity, "LARGE", 10**9)
    thick = smoothing()
    assert thick._plan(values).curvature == "dense"
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8), found, evaluate(thick))
    ours = af.gradient(lambda w: loss(thin.solve(values[0], w)), values[1])[0]
    np.testing.assert_allclose(ours, found[1][1], rtol=1e-9)
    batch = jax.jit(jax.vmap(thin, (0, None)))(jnp.stack([values[0], 2 * values[0]]), values[1])
    np.testing.assert_allclose(batch[1], thin(2 * values[0], values[1]), atol=1e-9)


def test_sensitivities_of_sparse_programs_keep_the_pattern(x64, eager_for_sparsity):
    values, thin = data(70), smoothing()
    found = thin.reverse_differentiate(*values, cotangents={"objective": 1.0})
    x = thin(*values)
    assert found.inequality.linear.shape == (138, 70)
    assert found.inequality.linear.nse == 2 * 138
    np.testing.assert_allclose(found.objective.linear, x, atol=1e-9)
    squares = found.objective.quadratic.todense()
    np.testing.assert_allclose(squares[3:5, 3:5], jnp.outer(x, x)[3:5, 3:5] / 2, atol=1e-9)


def largest(function, values):
    """Number of elements of the largest array in the compiled program, solvers included."""
    shapes = re.findall(r"tensor<((?:\d+x)+)[a-z]", jax.jit(function).lower(*values).as_text())
    return max(math.prod(map(int, shape[:-1].split("x"))) for shape in shapes)


def test_five_thousand_unknowns_without_a_dense_matrix(x64):
    n = 5000
    values, program = data(n), smoothing()
    value = jax.value_and_grad(lambda *v: program.solve(*v).objective, (0, 1))
    assert largest(value, values) <= 20 * n
    (objective, (dy, dw)), s = value(*values), program.solve(*values).check()
    np.testing.assert_allclose(dy, 2 * (values[0] - s.x), atol=1e-7)
    assert np.isfinite(objective)
    assert np.isfinite(dw)
    assert s.x.shape == (n,)


def test_functions_may_multiply_by_sparse_matrices(x64, eager_for_sparsity):
    rng = np.random.default_rng(0)
    dense = np.diag(rng.normal(size=200)) + np.diag(rng.normal(size=199), 1)
    A = BCOO.fromdense(jnp.asarray(dense))
    program = Program(
        lambda x, q, data: jnp.sum(x * x) / 2 - q @ x,
        variable=lambda q, data: q,
        inequality=jax.jit(lambda x, q, data: BCOO((data, A.indices), shape=A.shape) @ x - 0.1),
    )
    q = jnp.asarray(rng.normal(size=200))
    form = program._plan((q, A.data))
    assert form.curvature == "diagonal"
    assert largest(lambda q, data: program.solve(q, data).objective, (q, A.data)) <= 20 * 200
    found = jax.jit(jax.value_and_grad(lambda q, data: jnp.sum(jnp.sin(program(q, data))), (0, 1)))(q, A.data)
    other = lambda q, data: af.solve_qp(jnp.ones(200), -q, G=data, h=jnp.full(200, 0.1)).x
    expected = jax.value_and_grad(lambda q, data: jnp.sum(jnp.sin(other(q, data))), (0, 1))(q, jnp.asarray(dense))
    np.testing.assert_allclose(found[0], expected[0], atol=1e-9)
    np.testing.assert_allclose(found[1][0], expected[1][0], atol=1e-8)
    np.testing.assert_allclose(found[1][1], expected[1][1][tuple(A.indices.T)], atol=1e-8)


def test_cvxpy_problems_stay_sparse(x64, monkeypatch):
    cp = pytest.importorskip("cvxpy")
    n = 300
    x, y, t = cp.Variable(n), cp.Parameter(n), cp.Parameter(nonneg=True)
    bend = cp.sum_squares(x[2:] - 2 * x[1:-1] + x[:-2])
    stated = cp.Problem(cp.Minimize(cp.sum_squares(x - y) + bend), [cp.abs(x[1:] - x[:-1]) <= t, x[0] == 1])
    program = Program.from_cvxpy(stated, [y, t], [x])
    values = jax.random.normal(jax.random.key(0), (n,)), jnp.asarray(0.1)

    @jax.jit
    @functools.partial(jax.value_and_grad, argnums=1, has_aux=True)
    def evaluate(y, t):
        solution = program.solve(y, t)
        return jnp.sum(solution.z[0]) + solution.x[5], solution.x

    assert largest(evaluate, values) < 20 * n
    (_, mine), slope = evaluate(*values)
    y.value, t.value = np.asarray(values[0]), 0.1
    stated.solve(cp.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    np.testing.assert_allclose(mine, x.value, atol=1e-6)
    ahead, behind = (evaluate(values[0], values[1] + step)[0][0] for step in (1e-6, -1e-6))
    np.testing.assert_allclose(slope, (ahead - behind) / 2e-6, rtol=1e-4)


FUNCTIONS = {
    "bands": lambda x: x[1:] - 3 * x[:-1],
    "a full row beside bands": lambda x: jnp.concatenate([jnp.sum(x)[None], x[1:] - 3 * x[:-1]]),
    "a full column": lambda x: x[1:] - x[0],
    "a full row and a full column": lambda x: jnp.concatenate([x[1:] - 2 * x[0], jnp.sum(x)[None]]),
    "an empty row": lambda x: jnp.concatenate([x[:3], jnp.zeros(1), x[2:4]]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_entries_from_few_products(name, x64):
    function, zero = FUNCTIONS[name], jnp.zeros(60)
    dense = jax.jacobian(function)(zero)
    coloured = Coloured.jacobian(Pattern.of(*np.nonzero(dense), dense.shape))
    assert sum(sweep.count for sweep in coloured.sweeps) <= 3
    np.testing.assert_array_equal(coloured.matrix(Affine.of(function, zero)).dense(), dense)


def test_symmetric_matrices_from_few_products(x64):
    function, zero = lambda x: 2 * x + x[0] + jnp.zeros_like(x).at[0].set(jnp.sum(x)), jnp.zeros(60)
    dense = jax.jacobian(function)(zero)
    coloured = Coloured.hessian(Pattern.of(*np.nonzero(dense), dense.shape))
    assert coloured.sweeps[0].count <= 3
    np.testing.assert_array_equal(coloured.matrix(Affine.of(function, zero)).dense(), dense)


def test_without_the_package_small_programs_are_dense_and_huge_ones_say_so(x64, monkeypatch):
    monkeypatch.setattr(dependence, "available", lambda: False)
    assert smoothing()._plan(data(70)).curvature == "dense"
    with pytest.raises(MissingDependencyError, match=r"3000 unknowns.*27 million.*asdex.*argflux\[sparse\]"):
        smoothing().solve(*data(3000))


def test_huge_programs_that_capture_what_is_traced_say_so(x64):
    def captures(y, w):
        bend = lambda x: jnp.sum((x - y) ** 2) + w * jnp.sum((x[1:] - x[:-1]) ** 2)
        return Program(bend, variable=(5000,), lower=0.0)()

    with pytest.raises(ArgumentError, match=r"capture values being traced.*pass those values as parameters"):
        jax.jit(captures)(*data(5000))


def test_a_package_that_does_not_import_is_as_good_as_none(monkeypatch):
    def broken(name):
        raise ImportError("cannot import name 'ClosedJaxpr'")

    dependence.available.cache_clear()
    monkeypatch.setattr(dependence.importlib, "import_module", broken)
    assert not dependence.available()
    dependence.available.cache_clear()
