"""What a row of the list is, and what several rows need to state a program or a formula."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Row(NamedTuple):
    """A program and the formula of what it returns, trees alike, and random parameters of both."""

    program: Callable
    formula: Callable
    draw: Callable[[np.random.Generator], tuple]


def root(h, low, high, *params):
    """Where `h(t, *params)` changes its sign: bisected, then by two of Newton's steps, exact to second derivatives."""
    fixed = jax.lax.stop_gradient(params)
    low, high = (jnp.asarray(end, float) for end in jax.lax.stop_gradient((low, high)))
    sign = jnp.sign(h(high, *fixed))

    def halved(_, ends):
        middle = (ends[0] + ends[1]) / 2
        above = sign * h(middle, *fixed) > 0
        return jnp.where(above, ends[0], middle), jnp.where(above, middle, ends[1])

    t = sum(jax.lax.fori_loop(0, 60, halved, (low, high))) / 2
    for _ in range(2):
        t = t - h(t, *params) / jax.grad(h)(t, *params)
    return t


def symmetric(x, n):
    """The symmetric matrix whose lower triangle is x, row by row."""
    rows, columns = np.tril_indices(n)
    places = np.zeros((n, n), int)
    places[rows, columns] = places[columns, rows] = np.arange(len(rows))
    return x[places]


def half(M):
    """The symmetric part of a matrix."""
    return (M + M.T) / 2


def of_values(M, f):
    """f of a symmetric matrix."""
    values, vectors = jnp.linalg.eigh(half(M))
    return (vectors * f(values)) @ vectors.T


def definite(r, n):
    """A random positive definite matrix."""
    factor = r.normal(size=(n, n))
    return factor @ factor.T / n + np.eye(n) / 2


def signs(r, size):
    """Random numbers of either sign, none of them near zero."""
    return r.choice([-1.0, 1.0], size) * r.uniform(0.5, 1.5, size)
