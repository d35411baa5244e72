"""The form of a nonlinear program: its functions in float64, one instance at a time, and batches of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from argflux.autodiff import gradient
from argflux.programs.forms.doubled import Made


@dataclass(frozen=True, eq=False)
class NonlinearForm:
    """Minimise `objective(x, *operands)` with `equality = 0`, `inequality <= 0`, and bounds that are given apart.

    The functions take one instance, x of shape `(n,)`, and return float64 numbers; absent ones are `None`. Two forms
    are the same only if they are the same object: what is compiled for one serves it alone.
    """

    n: int
    p: int
    m: int
    objective: Callable
    equality: Callable | None = None
    inequality: Callable | None = None
    made: Made = field(default_factory=Made, repr=False)

    @property
    def rows(self) -> int:
        """Number of equalities and inequalities."""
        return self.p + self.m

    def constraints(self, x: jax.Array, *operands: Any) -> jax.Array:
        """Values of the equalities, then of the inequalities, `(p + m,)`."""
        there = [f(x, *operands) for f in (self.equality, self.inequality) if f is not None]
        return jnp.concatenate(there) if there else jnp.zeros(0)

    def lagrangian(self, x: jax.Array, dual: jax.Array, *operands: Any) -> jax.Array:
        """`f + y'c + z'g`, without the bounds."""
        value = self.objective(x, *operands)
        return value + dual @ self.constraints(x, *operands) if self.rows else value

    def slopes(self, x: jax.Array, dual: jax.Array, *operands: Any) -> tuple[jax.Array, jax.Array]:
        """Gradient of the Lagrangian in x, and the values of the constraints."""
        (slope,) = gradient(lambda x: self.lagrangian(x, dual, *operands), x)
        return slope, self.constraints(x, *operands)

    def matrices(self, x: jax.Array, dual: jax.Array, *operands: Any) -> tuple[jax.Array, jax.Array]:
        """Hessian of the Lagrangian `(n, n)`, and Jacobian of the constraints `(p + m, n)`."""
        move = lambda e: jax.jvp(lambda x: self.slopes(x, dual, *operands), (x,), (e,))[1]
        return jax.vmap(move, out_axes=-1)(jnp.eye(self.n, dtype=x.dtype))


def each(function: Callable, *arrays: Any) -> Any:
    """Call a function of one instance for all of a batch, of which arrays of length 1 are shared.

    Example:
        >>> each(lambda x, a: x + a, jnp.ones((3, 2)), jnp.ones((1, 2))).shape
        (3, 2)
    """
    size = max(len(array) for array in arrays)
    shared = [len(array) == 1 for array in arrays]
    given = [array[0] if alone else array for array, alone in zip(arrays, shared, strict=True)]
    if all(shared):
        return jax.tree.map(lambda y: y[None], function(*given))
    return jax.vmap(function, [None if alone else 0 for alone in shared], axis_size=size)(*given)
