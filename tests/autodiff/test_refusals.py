"""Derivatives that do not exist or that nobody wrote: each is refused by name, none is silently zero."""

import jax.numpy as jnp
import jax.scipy.linalg as jsl
import pytest
from jax import lax

from argflux import autodiff
from argflux.errors import DtypeError, RuleError

TALL, SQUARE = jnp.arange(6.0).reshape(3, 2), jnp.eye(3) + jnp.arange(9.0).reshape(3, 3)
PLACES = jnp.array([0, 1])
COLUMNS = lax.RaggedDotDimensionNumbers((((0,), (1,)), ((), ())), (1,), (0,))


@pytest.mark.parametrize(
    ("f", "x", "message"),
    [
        (lambda x: jnp.linalg.qr(x, mode="complete")[0], TALL, "`qr`.*QR factorisation of matrices 3×2.*reduced"),
        (lambda x: jnp.linalg.svd(x)[0], TALL, "`svd`.*vectors of matrices 3×2.*full_matrices=False"),
        (lambda x: x.at[PLACES].apply(jnp.sin), jnp.ones(3), r"`scatter`.*apply.*x\.at\[i\]\.set"),
        (
            lambda x: lax.ragged_dot_general(x, jnp.ones((2, 3, 3)), PLACES, COLUMNS),
            SQUARE,
            "`ragged_dot_general`.*transpose",
        ),
    ],
)
def test_refused_with_a_way_out(f, x, message):
    with pytest.raises(RuleError, match=message):
        autodiff.gradient(lambda x: jnp.sum(f(x)), x)


def test_a_part_of_a_spectrum_is_refused():
    with pytest.raises(RuleError, match=r"`eigh`.*the part \(0, 1\).*after computing all"):
        autodiff.gradient(lambda x: jnp.sum(lax.linalg.eigh(x, subset_by_index=(0, 1))[1]), SQUARE)


def test_complex_eigenvalues_are_refused():
    with pytest.raises(DtypeError, match=r"complex64.*real"):
        autodiff.gradient(lambda x: jnp.sum(jnp.abs(jnp.linalg.eigvals(x))), SQUARE)


def test_the_upper_triangle_is_not_read_by_a_lower_solve():
    solve = lambda a: jnp.sum(jsl.solve_triangular(a, jnp.ones(3), lower=True))
    (da,) = autodiff.gradient(solve, SQUARE)
    assert not jnp.triu(da, 1).any()
    assert jnp.tril(da).any()
