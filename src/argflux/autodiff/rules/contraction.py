"""Rules of products that contract axes: dot_general and its ragged form."""

import jax.numpy as jnp
import numpy as np
from jax import lax

from argflux.autodiff.masks import cleaned, silent_along
from argflux.autodiff.registry import pulls_back
from argflux.errors import RuleError


def dot_general_back(dy, y, a, b, *, dimension_numbers, precision, preferred_element_type, **params):
    """Contract the cotangent with the other operand over that operand's free axes.

    `y` has the batch axes first, then the free axes of `a`, then those of `b`.
    """
    (a_sum, b_sum), (a_batch, b_batch) = dimension_numbers
    num_batch, num_free = len(a_batch), jnp.ndim(a) - len(a_batch) - len(a_sum)
    y_batch, a_free = range(num_batch), range(num_batch, num_batch + num_free)
    b_free = range(num_batch + num_free, jnp.ndim(dy))
    settings = {"precision": precision, "preferred_element_type": preferred_element_type}

    def pull(x_axes, other, other_axes, free):
        """Axes of an operand are `(contracted, batch)`; `free` are the axes of `dy` that `other` owns."""
        (x_sum, x_batch), (other_sum, other_batch) = x_axes, other_axes
        other_free = [i for i in range(jnp.ndim(other)) if i not in {*other_sum, *other_batch}]
        axes = ((tuple(free), tuple(other_free)), (tuple(y_batch), tuple(other_batch)))
        dx = lax.dot_general(dy, other, axes, **settings)
        x_free = [i for i in range(dx.ndim) if i not in {*x_sum, *x_batch}]
        order = [*x_batch, *x_free, *np.take(x_sum, np.argsort(other_sum)).astype(int).tolist()]
        return lax.transpose(dx, np.argsort(order).tolist())

    da = lambda: pull((a_sum, a_batch), b, (b_sum, b_batch), b_free)
    db = lambda: pull((b_sum, b_batch), a, (a_sum, a_batch), a_free)
    return da, db


def dot_general_kept(wild, dy, y, a, b, *, dimension_numbers, **params):
    """Take no account of infinities and NaN in rows of an operand whose part of the cotangent is all zero."""
    (a_sum, b_sum), (a_batch, b_batch) = dimension_numbers
    num_batch, num_free = len(a_batch), jnp.ndim(a) - len(a_batch) - len(a_sum)
    a_axes, b_axes = range(num_batch, num_batch + num_free), range(num_batch + num_free, jnp.ndim(dy))

    def clean(x, x_sum, x_batch, others):
        free = [axis for axis in range(jnp.ndim(x)) if axis not in {*x_sum, *x_batch}]
        return cleaned(x, silent_along(dy, others, jnp.shape(x), [*x_batch, *free]))

    clean_a = clean(a, a_sum, a_batch, b_axes) if wild[0] else a
    clean_b = clean(b, b_sum, b_batch, a_axes) if wild[1] else b
    return dot_general_back(dy, y, clean_a, clean_b, dimension_numbers=dimension_numbers, **params)


pulls_back("dot_general", kept=dot_general_kept)(dot_general_back)
_ROWS = lax.RaggedDotDimensionNumbers((((1,), (1,)), ((), ())), (0,), (0,))
_GROUPS = lax.RaggedDotDimensionNumbers((((0,), (0,)), ((), ())), (0,), ())


@pulls_back("ragged_dot_general")
def ragged_dot_general_back(dy, y, a, b, sizes, *offset, ragged_dot_dimension_numbers, precision, **params):
    """Pull back `ragged_dot`, rows of `a` times their group's matrix, and the sums per group that it leads to."""
    dimensions = ragged_dot_dimension_numbers
    flip = lambda x: lax.transpose(x, (0, 2, 1))

    def product(left, right, kind):
        return lax.ragged_dot_general(left, right, sizes, kind, precision=precision)

    if _is(dimensions, _ROWS):
        da, db = lambda: product(dy, flip(b), _ROWS), lambda: product(a, dy, _GROUPS)
    elif _is(dimensions, _GROUPS):
        da, db = lambda: product(b, flip(dy), _ROWS), lambda: product(a, dy, _ROWS)
    else:
        raise RuleError(
            f"a ragged product with {dimensions}",
            "the axes of `jax.lax.ragged_dot`",
            "transpose the operands so that `jax.lax.ragged_dot` applies",
            where="gradient through `ragged_dot_general`",
        )
    return (da, db, *[None] * (1 + len(offset)))


def _is(dimensions, kind):
    plain = lambda d: (
        tuple(tuple(map(tuple, pair)) for pair in d.dot_dimension_numbers),
        tuple(d.lhs_ragged_dimensions),
        tuple(d.rhs_group_dimensions),
    )
    return plain(dimensions) == plain(kind)
