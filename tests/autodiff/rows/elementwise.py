"""Rows for the elementwise rules."""

import jax.numpy as jnp

from tests.autodiff.rows import Row, draws, normal

ROWS = [
    Row("add", "add", lambda a, b: a + b, draws(normal(3), normal(3))),
    Row("sub", "sub", lambda a, b: a - b, draws(normal(3), normal(3))),
    Row("mul", "mul", lambda a, b: a * b, draws(normal(3), normal(3))),
    Row("sin", "sin", jnp.sin, draws(normal(3))),
]
