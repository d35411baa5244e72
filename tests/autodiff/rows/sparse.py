"""Rows for JAX's sparse matrices: data and the other factor are differentiated."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import sparse

from tests.autodiff.rows import Row, draws, normal

# five entries of a 3×4 matrix, two of them at one place, and a sixth outside it, as JAX pads
PLACES = np.array([[0, 1], [2, 3], [0, 1], [1, 0], [2, 0], [3, 4]], np.int32)
DATA = normal(len(PLACES))


def _matrix(data, shape=(3, 4)):
    return sparse.BCOO((data, jnp.asarray(PLACES)), shape=shape)


def _rows(data):
    """A 4×3 matrix with an empty row and, as JAX pads, a column outside it."""
    columns, limits = jnp.array([0, 2, 1, 1, 0, 3], jnp.int32), jnp.array([0, 2, 2, 3, 6], jnp.int32)
    return sparse.BCSR((data, columns, limits), shape=(4, 3))


def _cube(data, x):
    places = jnp.asarray(np.insert(PLACES, 1, [1, 0, 1, 0, 1, 2], axis=1))
    return sparse.bcoo_dot_general(
        sparse.BCOO((data, places), shape=(3, 2, 4)), x, dimension_numbers=(((2, 0), (1, 0)), ((), ()))
    )


def _both(a, x):
    return sparse.bcoo_dot_general(_matrix(a), x, dimension_numbers=(((0, 1), (1, 0)), ((), ())))


def _outer(a, x):
    return sparse.bcoo_dot_general(_matrix(a), x, dimension_numbers=(((), ()), ((), ())))


ROWS = [
    Row("bcoo_dot_general", "vector", lambda a, x: _matrix(a) @ x, draws(DATA, normal(4))),
    Row("bcoo_dot_general", "matrix", lambda a, x: jnp.tanh(_matrix(a) @ x), draws(DATA, normal(4, 2))),
    Row("bcoo_dot_general", "from_the_left", lambda a, x: x @ _matrix(a), draws(DATA, normal(2, 3))),
    Row("bcoo_dot_general", "all_contracted", lambda a, x: _both(a, x), draws(DATA, normal(4, 3))),
    Row("bcoo_dot_general", "two_axes_of_three", _cube, draws(DATA, normal(3, 4, 2))),
    Row(
        "bcoo_dot_general",
        "vmap",
        lambda a, x: jax.vmap(lambda x: _matrix(a) @ x)(x),
        draws(DATA, normal(2, 4)),
        differs="JAX raises at second order",
    ),
    Row("bcoo_dot_general", "outer", lambda a, x: _outer(a, x), draws(DATA, normal(2))),
    Row("bcoo_transpose", "then_product", lambda a, x: _matrix(a).T @ x, draws(DATA, normal(3))),
    Row("bcoo_todense", "matrix", lambda a: _matrix(a).todense() ** 2, draws(DATA)),
    Row("bcsr_dot_general", "vector", lambda a, x: _rows(a) @ x, draws(DATA, normal(3))),
    Row("bcsr_dot_general", "matrix", lambda a, x: jnp.tanh(_rows(a) @ x), draws(DATA, normal(3, 2))),
    Row("bcsr_todense", "matrix", lambda a: _rows(a).todense() ** 2, draws(DATA)),
]
