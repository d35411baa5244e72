"""Reduced optimality systems against the whole system solved by the pseudo-inverse."""

import numpy as np
import pytest

from argflux.programs.derivatives import reduced
from argflux.programs.derivatives.reduced import solve_reduced
from argflux.programs.forms.form import Form

SIZES = [(1, 0, 0), (1, 1, 0), (4, 0, 3), (6, 2, 3), (12, 3, 9), (40, 10, 30)]


def system(form: Form, batch: int, seed: int = 0) -> list:
    """A strictly convex system: about half of the inequalities active, and a third of the variables fixed."""
    r = np.random.default_rng(seed)
    n, p, m = form.n, form.p, form.m
    factor = r.normal(size=(batch, n, n))
    P = {"dense": factor @ factor.mT + np.eye(n), "diagonal": r.uniform(0.5, 2, (batch, n)), "none": np.zeros((1, 0))}
    active = np.concatenate([np.ones((batch, p)), r.uniform(size=(batch, m)) < 0.5], 1).astype(np.int32)
    active[:, min(n, p + m) // 2 + p :] = 0
    fixed = (r.uniform(size=(batch, n)) < 0.3 * form.bounded).astype(np.int32)
    fixed[:, : min(n, p + m)] = 0
    right = [r.normal(size=(batch, size)) for size in (n, p + m, n)]
    matrices = [P[form.curvature], r.normal(size=(batch, p, n)), r.normal(size=(batch, m, n))]
    return [*matrices, active, fixed, np.ones(batch, np.int32), *right]


def expected(form: Form, P, A, G, active, fixed, r1, r2, r3):
    """Least-norm solution of one whole system."""
    curved = {"dense": lambda: (P + P.T) / 2, "diagonal": lambda: np.diag(P), "none": lambda: np.zeros((form.n,) * 2)}
    on, pinned = np.flatnonzero(active), np.flatnonzero(fixed)
    C = np.concatenate([np.concatenate([A, G])[on], np.eye(form.n)[pinned]])
    K = np.block([[curved[form.curvature](), C.T], [C, np.zeros((len(C), len(C)))]])
    answer = np.linalg.pinv(K, rcond=1e-10, hermitian=True) @ np.concatenate([r1, r2[on], r3[pinned]])
    x, dual, bound = answer[: form.n], np.zeros(len(active)), np.zeros(form.n)
    dual[on], bound[pinned] = answer[form.n : form.n + len(on)], answer[form.n + len(on) :]
    return x, dual, bound


def check(form: Form, operands: list, batch: int, rtol: float = 1e-8) -> None:
    got = solve_reduced(*operands, form=form)
    for i in range(batch):
        one = [operand[i % len(operand)] for operand in operands]
        for name, a, b in zip(("x", "dual", "bound"), got, expected(form, *one[:5], *one[6:]), strict=True):
            np.testing.assert_allclose(a[i], b, rtol=rtol, atol=rtol, err_msg=name)


@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("curvature", ["dense", "diagonal"])
@pytest.mark.parametrize("size", SIZES)
def test_a_batch_of_regular_systems(size, curvature, bounded):
    form = Form(*size, curvature, bounded, bounded)
    check(form, system(form, 3), 3)


def test_a_system_without_curvature_leaves_its_batch_alone():
    form = Form(6, 2, 3, "dense", False, False)
    operands = system(form, 3)
    operands[0][1, 0], operands[0][1, :, 0] = 0.0, 0.0
    check(form, operands, 3)


def test_a_matrix_that_is_not_symmetric_counts_by_its_symmetric_part():
    form = Form(5, 1, 2, "dense", False, False)
    operands = system(form, 2)
    operands[0] = operands[0] + np.triu(np.ones((5, 5)), 1)
    check(form, operands, 2)


@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("rows", [(0, 0), (1, 2)])
def test_instances_that_share_their_matrices_share_the_factors(rows, bounded, monkeypatch):
    form = Form(6, *rows, "dense", bounded, bounded)
    operands = system(form, 1)
    r = np.random.default_rng(1)
    operands[6:] = [r.normal(size=(7, size)) for size in (6, sum(rows), 6)]
    check(form, operands, 7)
    calls = []
    solve = reduced.solve
    monkeypatch.setattr(reduced, "solve", lambda *args: calls.append(1) or solve(*args))
    solve_reduced(*operands, form=form)
    assert len(calls) == 1


def test_everything_but_the_right_hand_side_of_one_block_shared():
    form = Form(4, 1, 2, "dense", False, False)
    operands = system(form, 1)
    operands[6] = np.random.default_rng(1).normal(size=(3, 4))
    check(form, operands, 3)


@pytest.mark.parametrize("mode", [1, 2])
def test_dependent_rows_get_the_answer_of_least_norm(mode):
    form = Form(4, 0, 2, "dense", False, False)
    operands = system(form, 1)
    operands[0] = np.eye(4)[None]
    operands[2] = np.ones((1, 2, 4))
    operands[3], operands[5] = np.ones((1, 2), np.int32), np.full(1, mode, np.int32)
    check(form, operands, 1)


def test_a_singular_curvature_held_by_its_rows():
    form = Form(2, 1, 0, "dense", False, False)
    operands = [np.diag([1.0, 0.0])[None], np.array([[[1.0, 1.0]]]), np.zeros((1, 0, 2)), np.ones((1, 1), np.int32)]
    right = [np.array([[1.0, 2.0]]), np.array([[3.0]]), np.zeros((1, 2))]
    check(form, [*operands, np.zeros((1, 2), np.int32), np.ones(1, np.int32), *right], 1)


def test_a_vertex_of_a_linear_program():
    form = Form(3, 1, 2, "none", True, False)
    operands = system(form, 2)
    operands[3], operands[4] = np.ones((2, 3), np.int32), np.zeros((2, 3), np.int32)
    operands[5] = np.full(2, 2, np.int32)
    check(form, operands, 2)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("rows", [0, 2])
def test_all_variables_fixed(rows, count):
    form = Form(4, 0, rows, "dense", True, False)
    operands = system(form, 1)
    operands[3], operands[4] = np.zeros((1, rows), np.int32), np.ones((1, 4), np.int32)
    operands[6] = np.random.default_rng(1).normal(size=(count, 4))
    check(form, operands, count)


def test_instances_without_an_answer_are_zero():
    form = Form(4, 0, 2, "dense", False, False)
    operands = system(form, 4)
    operands[5] = np.array([0, 1, 3, 2], np.int32)
    x, dual, _ = solve_reduced(*operands, form=form)
    assert not x[[0, 2]].any()
    assert not dual[[0, 2]].any()
    assert x[[1, 3]].all()


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_scales_of_the_blocks_do_not_matter(scale):
    form = Form(6, 2, 3, "dense", False, False)
    operands = system(form, 1)
    plain = solve_reduced(*operands, form=form)
    operands[0], operands[6] = operands[0] * scale, operands[6] * scale
    scaled = solve_reduced(*operands, form=form)
    np.testing.assert_allclose(scaled[0], plain[0], rtol=1e-9)
    np.testing.assert_allclose(scaled[1], plain[1] * scale, rtol=1e-9)


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("size", [1e-14, 1e14])
def test_the_size_of_the_right_hand_side_does_not_matter(size, count):
    form = Form(6, 2, 3, "dense", True, True)
    operands = system(form, 1)
    r = np.random.default_rng(2)
    operands[6:] = [r.normal(size=(count, length)) for length in (6, 5, 6)]
    plain = solve_reduced(*operands, form=form)
    operands[6:] = [size * right for right in operands[6:]]
    for a, b in zip(solve_reduced(*operands, form=form), plain, strict=True):
        np.testing.assert_allclose(a, size * b, rtol=1e-9)


def test_a_vertex_does_not_move_with_the_slope(monkeypatch):
    form = Form(3, 0, 3, "dense", False, False)
    operands = system(form, 1)
    operands[3] = np.ones((1, 3), np.int32)
    operands[6:] = [np.random.default_rng(2).normal(size=(4, 3)), np.zeros((4, 3)), np.zeros((4, 3))]
    monkeypatch.setattr(reduced, "_least_norm", lambda *_: pytest.fail("the system is regular"))
    x, dual, _ = solve_reduced(*operands, form=form)
    np.testing.assert_allclose(x, 0, atol=1e-14)
    np.testing.assert_allclose(dual @ operands[2][0], operands[6], rtol=1e-10)


@pytest.mark.parametrize("count", [1, 4])
def test_rows_of_very_different_sizes(count):
    form = Form(6, 2, 1, "dense", False, False)
    operands = system(form, 1)
    operands[2], operands[3] = 1e9 * operands[2], np.ones((1, 3), np.int32)
    r = np.random.default_rng(2)
    operands[6:] = [1e-9 * r.normal(size=(count, length)) for length in (6, 3, 6)]
    x, dual, _ = solve_reduced(*operands, form=form)
    P, C = (operands[0][0] + operands[0][0].T) / 2, np.concatenate([operands[1][0], operands[2][0]])
    u, v = np.linalg.solve(P, operands[6].T), np.linalg.solve(P, C.T)
    expected = np.linalg.solve(C @ v, C @ u - operands[7].T)
    np.testing.assert_allclose(dual, expected.T, rtol=1e-8)
    np.testing.assert_allclose(x, (u - v @ expected).T, rtol=1e-8, atol=1e-17)


def test_threads_change_nothing(monkeypatch):
    form = Form(12, 3, 9, "dense", True, True)
    operands = system(form, 40)
    alone = solve_reduced(*operands, form=form)
    monkeypatch.setattr(reduced, "THREADED", 0)
    monkeypatch.setattr(reduced, "cores", lambda: 4)
    for a, b in zip(alone, solve_reduced(*operands, form=form), strict=True):
        np.testing.assert_array_equal(a, b)
