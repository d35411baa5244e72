"""What the rules of linear algebra share: products, transposes and triangles of batched matrices."""

import jax.numpy as jnp
from jax import lax


def flip(a):
    """Transpose the last two axes."""
    return lax.transpose(a, (*range(a.ndim - 2), a.ndim - 1, a.ndim - 2))


def matmul(*factors):
    """Multiply batched matrices from the left, in full precision."""
    product, *rest = factors
    for factor in rest:
        product = lax.batch_matmul(product, factor, lax.Precision.HIGHEST)
    return product


def lower(a, diagonal=0):
    """Keep the entries on and below a diagonal."""
    return _keep(a, lambda row, column: lax.ge(lax.add(row, lax.full_like(row, diagonal)), column))


def upper(a, diagonal=0):
    """Keep the entries on and above a diagonal."""
    return _keep(a, lambda row, column: lax.ge(column, lax.add(row, lax.full_like(row, diagonal))))


def _keep(a, where):
    row, column = (lax.broadcasted_iota(jnp.int32, a.shape, a.ndim - k) for k in (2, 1))
    return lax.select(where(row, column), a, lax.full_like(a, 0))


def on_diagonal(a):
    """Say which entries lie on the diagonal."""
    row, column = (lax.broadcasted_iota(jnp.int32, a.shape, a.ndim - k) for k in (2, 1))
    return lax.eq(row, column)


def along_rows(w, shape):
    """Repeat a vector as every row of a matrix: entry `i, j` is `w[j]`."""
    return lax.broadcast_in_dim(w, shape, (*range(len(shape) - 2), len(shape) - 1))


def along_columns(w, shape):
    """Repeat a vector as every column of a matrix: entry `i, j` is `w[i]`."""
    return lax.broadcast_in_dim(w, shape, (*range(len(shape) - 2), len(shape) - 2))


def to_triangle(da, is_lower=True):
    """Move the cotangent of a symmetric matrix to the triangle that is read, which stands for both."""
    row, column = (lax.broadcasted_iota(jnp.int32, da.shape, da.ndim - k) for k in (2, 1))
    on_diagonal = lax.select(lax.eq(row, column), da, lax.full_like(da, 0))
    return lax.select(lax.gt(row, column) if is_lower else lax.lt(row, column), lax.add(da, flip(da)), on_diagonal)


def is_symmetrised(tape, node):
    """Say whether the last steps on the tape made a matrix symmetric, `(a + aᵀ) / 2`."""
    steps = tape.steps[-3:]
    if [step.eqn.primitive.name for step in steps] != ["transpose", "add", "div"]:
        return False
    flipped, total, half = steps
    return (
        half.outputs == (node.slot,)
        and half.inputs[0] == total.outputs[0]
        and set(total.inputs) == {flipped.inputs[0], flipped.outputs[0]}
        and flipped.eqn.params["permutation"][-2:] == (node.value.ndim - 1, node.value.ndim - 2)
    )
