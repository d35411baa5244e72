"""A pattern is never smaller than the derivative: custom rules, and what the finder refuses, are dense."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux.programs import Program
from argflux.programs.forms import dependence
from argflux.programs.statements import sparsity


@jax.custom_vjp
def rolled(x):
    """The identity, whose reverse rule mixes neighbours: x + roll(x) as far as derivatives say."""
    return x


rolled.defvjp(lambda x: (x, None), lambda _, dy: (dy + jnp.roll(dy, -1),))


@jax.custom_jvp
def doubled(x):
    """The identity, whose forward rule says twice that."""
    return x


doubled.defjvp(lambda primals, tangents: (primals[0], 2 * tangents[0]))


@pytest.mark.parametrize("n", [5, 70])
def test_rules_are_believed_whatever_the_value_does(n):
    y = jnp.cos(jnp.arange(float(n)))
    matrix = np.eye(n) + np.roll(np.eye(n), -1, 1)
    mixing = Program(lambda x, y: jnp.sum(x * x) / 2 - x @ y, lambda y: y, equality=lambda x, y: rolled(x) - y)
    np.testing.assert_allclose(mixing._plan((y,)).extract((y,))[1][0].A, matrix, atol=1e-6)
    curved = Program(lambda x, y: jnp.sum(rolled(x) ** 2) / 2 - x @ y, lambda y: y, upper=9.0)
    P = curved._plan((y,)).extract((y,))[1][0].P
    np.testing.assert_allclose(P, matrix.T, atol=1e-6)  # of x + roll(x, -1), its slope
    twice = Program(lambda x, y: jnp.sum(x * x) / 2 - x @ y, lambda y: y, inequality=lambda x, y: doubled(x) - y)
    np.testing.assert_allclose(twice._plan((y,)).extract((y,))[1][0].G, 2 * np.eye(n), atol=1e-6)


@pytest.mark.parametrize("n", [64, 65])
def test_sizes_beside_the_threshold_behave_alike(n):
    d = jnp.sin(jnp.arange(300.0))
    fit = Program(lambda w, d: jnp.sum((jnp.convolve(d, w, "valid")[:5] - 1) ** 2) + jnp.sum(w**2), variable=(n,))
    rows = np.stack([np.asarray(d)[k : k + n][::-1] for k in range(5)])
    expected = np.linalg.solve(rows.T @ rows + np.eye(n), rows.sum(0))
    np.testing.assert_allclose(fit(d), expected, atol=1e-4)


def test_a_finder_that_fails_or_does_not_import_means_dense(monkeypatch):
    pytest.importorskip("asdex", exc_type=ImportError)
    y = jnp.linspace(-1.0, 1.0, 70)
    bend = lambda: Program(lambda x, y: jnp.sum((x - y) ** 2), lambda y: y, inequality=lambda x, y: x[1:] - x[:-1])
    expected = bend()(y)

    def refuses(*_):
        raise ValueError("a shape that the finder has not met")

    monkeypatch.setattr(dependence, "jacobian_pattern", refuses)
    np.testing.assert_allclose(bend()(y), expected, atol=1e-5)
    monkeypatch.setattr(sparsity, "MOST_DENSE", 100)
    with pytest.warns(UserWarning, match=r"70 unknowns.*no zeros could be found"):
        np.testing.assert_allclose(bend()(y), expected, atol=1e-5)
