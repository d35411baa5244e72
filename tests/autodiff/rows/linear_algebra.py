"""Rows for solves, factorisations and spectra, and for what `jax.numpy.linalg` makes of them."""

import jax.numpy as jnp
import jax.scipy.linalg as jsl
import numpy as np
from jax import lax

from tests.autodiff.rows import Row, Tie, ZeroRow, draws, normal

N = 4


def regular(*shape):
    """Draw matrices whose singular values lie well apart and away from zero."""

    def draw(rng):
        rows, columns = shape[-2:]
        a = rng.normal(size=shape)
        u, _, vt = np.linalg.svd(a, full_matrices=False)
        s = np.arange(1, min(rows, columns) + 1)[::-1] + rng.uniform(-0.2, 0.2, size=(*shape[:-2], min(rows, columns)))
        return (u * s[..., None, :]) @ vt

    return draw


def definite(*shape):
    """Draw symmetric matrices whose eigenvalues lie well apart and away from zero."""

    def draw(rng):
        v = np.linalg.qr(rng.normal(size=shape))[0]
        w = np.arange(1, shape[-1] + 1) + rng.uniform(-0.2, 0.2, size=shape[:-1])
        return (v * w[..., None, :]) @ np.swapaxes(v, -1, -2)

    return draw


def _symmetric(a):
    return (a + jnp.swapaxes(a, -1, -2)) / 2


def _triangular(**flags):
    """Solve with the triangle of a matrix made safe to divide by; the other triangle must not matter."""
    return lambda a, b: lax.linalg.triangular_solve(a + 3 * jnp.eye(a.shape[-1], dtype=a.dtype), b, **flags)


def _eigh(a):
    """Return eigenvalues and a function of the eigenvectors that does not depend on their signs."""
    w, v = jnp.linalg.eigh(a)
    return w, v * v


def _svd(a):
    u, s, vt = jnp.linalg.svd(a, full_matrices=False)
    return u * u, s, vt * vt, (u * jnp.sqrt(s)[..., None, :]) @ vt


ONCE = """
    batched complete_square cond eigenvectors full_square inv_batched left_lower_transposed_unit left_only
    left_transposed lstsq lu_solve nuclear_norm not_symmetrised pinv pinv_wide q_of_wide q_only r_only right right_only
    right_lower_transposed root solve_batched solve_matrix solve_positive solve_triangular spectral_norm three_factors
    upper values values_of_wide
""".split()  # noqa: SIM905


def _row(primitive, name, f, *args, **settings):
    """Make a row; those named in `ONCE` repeat a path whose second order another row has, so they stop at the first."""
    settings = {"order": 1 if name in ONCE else 2} | settings
    return Row(primitive, name, f, draws(*args), half=False, rtol=settings.pop("rtol", 1e-3), fd=1e-5, **settings)


TRIANGULAR = [
    _row("triangular_solve", f"{side}{'_lower' * low}{'_transposed' * flip}{'_unit' * unit}", f, normal(N, N), b)
    for side, low, flip, unit in [
        ("left", 1, 0, 0),
        ("right", 0, 0, 0),
        ("left", 0, 1, 0),
        ("right", 1, 1, 0),
        ("left", 1, 1, 1),
        ("right", 0, 0, 1),
    ]
    for b in [normal(N, 2) if side == "left" else normal(2, N)]
    for f in [_triangular(left_side=side == "left", lower=bool(low), transpose_a=bool(flip), unit_diagonal=bool(unit))]
]

SOLVES = [
    *TRIANGULAR,
    _row(
        "triangular_solve",
        "batched",
        _triangular(left_side=True, lower=True),
        normal(2, N, N),
        normal(2, N, 2),
    ),
    _row(
        "triangular_solve",
        "solve_triangular",
        lambda a, b: jsl.solve_triangular(a + 3 * jnp.eye(N, dtype=a.dtype), b, lower=True, trans="T"),
        normal(N, N),
        normal(N),
    ),
    _row(
        "triangular_solve",
        "cho_solve",
        lambda a, b: jsl.cho_solve(jsl.cho_factor(_symmetric(a)), b),
        definite(N, N),
        normal(N),
    ),
    _row("triangular_solve", "lu_solve", lambda a, b: jsl.lu_solve(jsl.lu_factor(a), b), regular(N, N), normal(N)),
    _row("custom_linear_solve", "solve", jnp.linalg.solve, regular(N, N), normal(N)),
    _row("custom_linear_solve", "solve_matrix", jnp.linalg.solve, regular(N, N), normal(N, 2)),
    _row("custom_linear_solve", "solve_batched", jnp.linalg.solve, regular(2, 3, 3), normal(2, 3, 2)),
    _row("custom_linear_solve", "inv", jnp.linalg.inv, regular(N, N)),
    _row("custom_linear_solve", "inv_batched", jnp.linalg.inv, regular(2, 3, 3)),
    _row(
        "custom_linear_solve",
        "solve_positive",
        lambda a, b: jsl.solve(_symmetric(a), b, assume_a="pos"),
        definite(N, N),
        normal(N),
    ),
    _row("custom_jvp_call", "det", jnp.linalg.det, regular(N, N)),
    _row("custom_jvp_call", "slogdet", lambda a: jnp.linalg.slogdet(a)[1], regular(N, N)),
    _row(
        "custom_linear_solve",
        "operator",
        lambda a, b: lax.custom_linear_solve(
            lambda x: _symmetric(a) @ x,
            b,
            lambda matvec, b: jnp.linalg.inv(lax.stop_gradient(_symmetric(a))) @ b,
            symmetric=True,
        ),
        definite(N, N),
        normal(N),
    ),
    _row(
        "tridiagonal_solve",
        "three_diagonals",
        lambda low, d, high, b: lax.linalg.tridiagonal_solve(low.at[0].set(0), d + 4, high.at[-1].set(0), b),
        normal(N),
        normal(N),
        normal(N),
        normal(N, 2),
        differs="JAX differentiates its own solver's steps",
    ),
]

FACTORISATIONS = [
    _row("cholesky", "cholesky", jnp.linalg.cholesky, definite(N, N)),
    _row("cholesky", "upper", lambda a: jnp.linalg.cholesky(a, upper=True), definite(N, N)),
    _row("cholesky", "batched", jnp.linalg.cholesky, definite(2, 3, 3)),
    _row(
        "cholesky",
        "not_symmetrised",
        lambda a: lax.linalg.cholesky(_symmetric(a), symmetrize_input=False),
        definite(N, N),
    ),
    _row(
        "cholesky", "log_likelihood", lambda a: jnp.sum(jnp.log(jnp.diagonal(jnp.linalg.cholesky(a)))), definite(N, N)
    ),
    _row("lu", "square", lambda a: lax.linalg.lu(a)[0], regular(N, N)),
    _row("lu", "tall", lambda a: lax.linalg.lu(a)[0], regular(5, 3)),
    _row("lu", "wide", lambda a: lax.linalg.lu(a)[0], regular(3, 5)),
    _row("lu", "batched", lambda a: lax.linalg.lu(a)[0], regular(2, 3, 3)),
    _row("lu", "three_factors", lambda a: jsl.lu(a)[1:], regular(N, N)),
    _row("qr", "square", jnp.linalg.qr, regular(N, N)),
    _row("qr", "tall", jnp.linalg.qr, regular(5, 3)),
    _row("qr", "wide", jnp.linalg.qr, regular(3, 5), differs="JAX has no derivative of wide matrices"),
    _row(
        "qr",
        "q_of_wide",
        lambda a: jnp.linalg.qr(a)[0],
        regular(3, 5),
        differs="JAX has no derivative of wide matrices",
    ),
    _row("qr", "batched", jnp.linalg.qr, regular(2, 4, 3)),
    _row("qr", "r_only", lambda a: jnp.linalg.qr(a, mode="r"), regular(5, 3)),
    _row("qr", "q_only", lambda a: jnp.linalg.qr(a)[0], regular(5, 3)),
    _row("qr", "complete_square", lambda a: jnp.linalg.qr(a, mode="complete"), regular(3, 3)),
    _row(
        "qr",
        "pivoted",
        lambda a: jsl.qr(a, mode="economic", pivoting=True)[:2],
        regular(5, 3),
        differs="JAX has no derivative with pivoting",
    ),
]

SPECTRA = [
    _row("eigh", "eigh", _eigh, definite(N, N)),
    _row("eigh", "eigenvalues", jnp.linalg.eigvalsh, definite(N, N)),
    _row("eigh", "eigenvectors", lambda a: jnp.linalg.eigh(a)[1] ** 2, definite(N, N)),
    _row("eigh", "batched", _eigh, definite(2, 3, 3)),
    _row(
        "eigh", "upper", lambda a: jnp.linalg.eigh(_symmetric(a), UPLO="U", symmetrize_input=False)[0], definite(N, N)
    ),
    _row("eigh", "root", lambda a: (lambda w, v: (v * jnp.sqrt(w)) @ v.T)(*jnp.linalg.eigh(a)), definite(N, N)),
    _row("svd", "square", _svd, regular(N, N)),
    _row("svd", "tall", _svd, regular(5, 3)),
    _row("svd", "wide", _svd, regular(3, 5)),
    _row("svd", "batched", _svd, regular(2, 4, 3)),
    _row("svd", "values", lambda a: jnp.linalg.svd(a, compute_uv=False), regular(5, 3)),
    _row("svd", "values_of_wide", lambda a: jnp.linalg.svd(a, compute_uv=False), regular(3, 5)),
    _row("svd", "left_only", lambda a: jnp.linalg.svd(a, full_matrices=False)[0] ** 2, regular(5, 3)),
    _row("svd", "right_only", lambda a: jnp.linalg.svd(a, full_matrices=False)[2] ** 2, regular(3, 5)),
    _row("svd", "full_square", lambda a: jnp.linalg.svd(a)[0] ** 2, regular(3, 3)),
    _row("svd", "spectral_norm", lambda a: jnp.linalg.norm(a, 2), regular(N, 3)),
    _row("svd", "nuclear_norm", lambda a: jnp.linalg.norm(a, "nuc"), regular(N, 3)),
    _row("svd", "pinv", jnp.linalg.pinv, regular(5, 3)),
    _row("svd", "pinv_wide", jnp.linalg.pinv, regular(3, 5)),
    _row("svd", "lstsq", lambda a, b: jnp.linalg.lstsq(a, b)[0], regular(5, 3), normal(5)),
    _row("svd", "cond", jnp.linalg.cond, regular(N, N)),
]

ROWS = SOLVES + FACTORISATIONS + SPECTRA

ZERO_ROWS = [ZeroRow("lu_pivots_to_permutation")]

TWOS = np.diag([2.0, 2.0, 5.0])
TIES = [
    Tie("trace_by_equal_eigenvalues", jnp.linalg.eigvalsh, (TWOS,), (np.eye(3),)),
    Tie("squares_of_equal_eigenvalues", lambda a: jnp.linalg.eigvalsh(a) ** 2, (TWOS,), (2 * TWOS,)),
    Tie("root_at_equal_eigenvalues_is_finite", lambda a: jnp.linalg.eigh(a)[1] * 0, (TWOS,), (np.zeros((3, 3)),)),
    Tie("equal_singular_values", lambda a: jnp.linalg.svd(a, compute_uv=False) ** 2, (TWOS,), (2 * TWOS,)),
    Tie(
        "frobenius_by_zero_singular_values",
        lambda a: jnp.linalg.svd(a, compute_uv=False) ** 2,
        (np.zeros((3, 2)),),
        (np.zeros((3, 2)),),
    ),
]
