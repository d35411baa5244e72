"""Condensed systems answer what whole ones do, on every kind of cone, dense and sparse, and say where they do not."""

import numpy as np
import pytest

from argflux.programs.cones import Exponential, NonNegative, Power, SecondOrder, Semidefinite, Zero
from argflux.programs.cones.cone import INTERIOR
from argflux.programs.cones.form import ConeForm
from argflux.programs.cones.product import Product
from argflux.programs.derivatives import condensed, conesystem
from argflux.programs.forms.pattern import Pattern
from tests.programs.cones.random_programs import complementary

KINDS = {
    "rows": [Zero(2), NonNegative(6)],
    "second order": [SecondOrder(5), SecondOrder(3), SecondOrder(2), NonNegative(2)],
    "semidefinite": [Semidefinite(3), NonNegative(2)],
    "exponential": [Exponential(), Exponential(), Zero(1)],
    "power": [Power(0.3), Power(0.6), NonNegative(2)],
}
BATCH, N = 4, 7


@pytest.fixture(autouse=True)
def silent():
    """Cases that do not apply are computed and left out, as where they are called from."""
    with np.errstate(all="ignore"):
        yield


def points(kinds, seed=0):
    """Complementary s and z of each instance, and the system's blocks there."""
    r = np.random.default_rng(seed)
    product = Product.of(kinds)
    pairs = [
        [np.concatenate(side) for side in zip(*[complementary(r, c) for c in kinds], strict=True)] for _ in range(BATCH)
    ]
    s, z = (np.stack(side) for side in zip(*pairs, strict=True))
    made = product.complementarity(s, z, product.each("faces", s, z))
    A = r.normal(size=(BATCH, product.rows, N))
    right = tuple(r.normal(size=(BATCH, size)) for size in (N, product.rows, product.rows))
    return ConeForm(N, product, "diagonal"), (np.ones((1, N)), A, made.by_s, made.by_z), right, (s, z)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_answers_are_those_of_whole_systems(kind, transposed):
    form, given, right, _ = points(KINDS[kind])
    found, size = condensed.condensed_answers(form, list(given), right, transposed)
    assert np.isfinite(size).all()
    for a, b in zip(found, conesystem._solve_whole(form, list(given), list(right), False, transposed), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * np.abs(b).max())


@pytest.mark.parametrize("kind", KINDS)
def test_sparse_factors_answer_the_same(kind, monkeypatch):
    form, (P, A, by_s, by_z), right, _ = points(KINDS[kind])
    rows, columns = np.nonzero(np.ones(A.shape[1:]))
    thin = ConeForm(N, form.product, "diagonal", A_pattern=Pattern.of(rows, columns, A.shape[1:]))
    expected, _ = condensed.condensed_answers(form, [P, A[:1], by_s[:1], by_z[:1]], tuple(r[:1] for r in right), False)
    monkeypatch.setattr(condensed, "is_large", lambda form: True)
    for full in (0.0, 2.0):  # by Cholesky's method, and by SuperLU
        monkeypatch.setattr("argflux.programs.derivatives.thin.FULL", full)
        given = [P, A[:1].reshape(1, -1), by_s[:1], by_z[:1]]
        found, _ = condensed.condensed_answers(thin, given, tuple(r[:1] for r in right), False)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * np.abs(b).max())


@pytest.mark.parametrize("kind", KINDS)
def test_steps_of_newton_lead_to_the_point(kind):
    """From a point nearby the step, which is two, is exact to the fourth order but for the faces of cones."""
    form, (P, A, *_), _, (s, z) = points(KINDS[kind])
    r, small = np.random.default_rng(1), 1e-5
    x = r.normal(size=(BATCH, N))
    b, q = np.einsum("bij,bj->bi", A, x) + s, -x - np.einsum("bij,bi->bj", A, z)
    moved = [v + small * r.normal(size=v.shape) for v in (x, s, z)]
    missing = (
        -(moved[0] + q + np.einsum("bij,bi->bj", A, moved[2])),
        b - np.einsum("bij,bj->bi", A, moved[0]) - moved[1],
    )
    faces = form.product.each("faces", s, z)
    steps, _ = condensed.condensed_newton(form, (P, A), missing, (*moved[1:], faces, np.ones(s.shape)))
    for step, start, end in zip(steps, moved, (x, s, z), strict=True):
        np.testing.assert_allclose(start + step, end, atol=1e-9)


def test_where_two_rows_fix_a_variable_no_answer_is_trusted():
    form = ConeForm(2, Product.of([NonNegative(2)]), "diagonal")
    A, one = np.array([[[1.0, 0.0], [2.0, 0.0]]]), np.ones((1, 2))
    right = (np.ones((1, 2)), np.ones((1, 2)), np.ones((1, 2)))
    _, size = condensed.condensed_answers(form, [one, A, one, 0 * one], right, False)
    assert np.isinf(size).all()


def test_a_dual_that_is_rounding_is_not_taken_for_a_direction():
    """Of a matrix inside of the cone, whose dual is zero but for the last digit."""
    cone = Semidefinite(3)
    r = np.random.default_rng(0)
    s, z = np.array([[[2.0, 0.0, 0.0, 1.0, 0.0, 3.0]]]), 1e-17 * r.normal(size=(1, 1, 6))
    made = cone.equations(s, z, np.full((1, 1), INTERIOR))
    part = cone.frame(made.by_s, made.by_z).part
    assert np.isnan(part).all() or np.allclose(part, 1.0)
