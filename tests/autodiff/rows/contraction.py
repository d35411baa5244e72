"""Rows for contractions."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests.autodiff.rows import Row, draws, normal


def _dot(contract, batch=((), ()), **settings):
    return lambda a, b: lax.dot_general(a, b, (contract, batch), **settings)


def _wider(a, b):
    wider = jnp.float64 if a.dtype == jnp.float64 else jnp.float32
    return lax.dot_general(a, b, (((1,), (0,)), ((), ())), preferred_element_type=wider).astype(a.dtype)


def by_group(a, b):
    """Multiply rows by their group's matrix. JAX cannot map its derivative; `test_rules_without_vmap.py` checks it."""
    return lax.ragged_dot(a, b, np.array([2, 0, 3], np.int32))


ROWS = [
    Row("dot_general", "matrix_matrix", lambda a, b: a @ b, draws(normal(3, 4), normal(4, 2))),
    Row("dot_general", "matrix_vector", lambda a, b: a @ b, draws(normal(3, 4), normal(4))),
    Row("dot_general", "vector_matrix", lambda a, b: a @ b, draws(normal(3), normal(3, 2))),
    Row("dot_general", "inner", jnp.vdot, draws(normal(4), normal(4))),
    Row("dot_general", "outer", _dot(((), ())), draws(normal(2, 3), normal(2))),
    Row("dot_general", "square", lambda a: a @ a, draws(normal(3, 3))),
    Row("dot_general", "gram", lambda a: a.T @ a, draws(normal(4, 3))),
    Row("dot_general", "batched", lambda a, b: a @ b, draws(normal(2, 3, 4), normal(2, 4, 2))),
    Row("dot_general", "batch_of_one_side", lambda a, b: a @ b, draws(normal(2, 3, 4), normal(4, 2))),
    Row(
        "dot_general",
        "einsum",
        lambda a, b: jnp.einsum("bhqd,bkhd->bhqk", a, b),
        draws(normal(2, 2, 3, 4), normal(2, 5, 2, 4)),
    ),
    Row("dot_general", "crossed_axes", _dot(((2, 0), (0, 1))), draws(normal(2, 3, 4), normal(4, 2, 5))),
    Row(
        "dot_general",
        "crossed_batches",
        _dot(((3,), (0,)), ((2, 0), (1, 3))),
        draws(normal(2, 3, 4, 2), normal(2, 4, 3, 2)),
    ),
    Row("dot_general", "batch_only", _dot(((), ()), ((1,), (0,))), draws(normal(2, 3), normal(3, 2))),
    Row("dot_general", "wider_result", _wider, draws(normal(2, 3), normal(3, 2))),
    Row("dot_general", "mapped", jax.vmap(lambda a, b: b @ a, (1, 0)), draws(normal(3, 2), normal(2, 4, 3))),
    Row(
        "dot_general",
        "tensordot",
        lambda a, b: jnp.tensordot(a, b, ((0, 2), (2, 0))),
        draws(normal(2, 3, 4), normal(4, 3, 2)),
    ),
    Row("ragged_dot_general", "by_group", by_group, draws(normal(5, 4), normal(3, 4, 2)), order=0),
]
