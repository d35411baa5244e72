"""What a solve returns: a tree of arrays, every floating field of which is differentiable."""

from collections import Counter

import equinox as eqx
import jax
import numpy as np
from jax.core import Tracer

from argflux.errors import ArgfluxError, ArgumentError
from argflux.programs.status import Status


class ProgramError(ArgfluxError, ArithmeticError):
    """A program, or instances of a batch of them, that could not be solved."""


class Residuals(eqx.Module):
    """Largest violations of the optimality conditions, per instance; they carry no derivative.

    `primal`: of the constraints. `dual`: of stationarity. `gap`: of complementary slackness.
    """

    primal: jax.Array
    dual: jax.Array
    gap: jax.Array


class Solution(eqx.Module):
    """The solution of a linear or quadratic program; under `vmap` every field has the batch's leading axes.

    At a solution `P x + q + A' y + G' z - z_lower + z_upper = 0`.

    Attributes:
        x: the minimiser, `(n,)`.
        y: duals of `A x = b`, `(p,)`.
        z: duals of `G x <= h`, `(m,)`, not negative.
        z_lower: duals of `x >= lower`, `(n,)`, not negative.
        z_upper: duals of `x <= upper`, `(n,)`, not negative.
        objective: `x' P x / 2 + q' x`.
        status: int32 code, see `Status`.
        iterations: int32, steps the solver took.
        residuals: what is left of the optimality conditions.
        regularity: int32 flags, see `Regularity`.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.programs import solve_qp
        >>> s = solve_qp(jnp.eye(2), jnp.array([-1.0, 1.0]), lower=0.0)
        >>> s.check().x.tolist()
        [1.0, 0.0]
    """

    x: jax.Array
    y: jax.Array
    z: jax.Array
    z_lower: jax.Array
    z_upper: jax.Array
    objective: jax.Array
    status: jax.Array
    iterations: jax.Array
    residuals: Residuals
    regularity: jax.Array

    @property
    def solved(self) -> jax.Array:
        """Booleans, one per instance: whether it was solved."""
        return self.status == np.int32(Status.SOLVED)

    def check(self) -> "Solution":
        """Return the solution itself if every instance was solved.

        Raises:
            ProgramError: naming the instances that were not, and why.
            ArgumentError: inside `jit`, `vmap` or a derivative, where statuses are not known yet.
        """
        if isinstance(self.status, Tracer):
            raise ArgumentError(
                "a solution inside jit, vmap or a derivative",
                "one whose statuses are known",
                "call `check` on the result, outside; inside, branch on `solution.status`",
                where="Solution.check",
            )
        codes = np.asarray(self.status)
        failed = np.argwhere(codes != Status.SOLVED)
        if len(failed):
            raise ProgramError(
                _describe(codes, failed),
                "every instance solved",
                "relax the constraints or bound the variable, or branch on `solution.status`",
                where="Solution.check",
            )
        return self


def _describe(codes: np.ndarray, failed: np.ndarray) -> str:
    if codes.ndim == 0:
        status = Status(int(codes))
        return f"{status.name} ({status.reason})"
    parts = []
    for status, count in Counter(Status(int(codes[tuple(i)])) for i in failed).items():
        where = [str(i.tolist() if len(i) > 1 else int(i[0])) for i in failed if codes[tuple(i)] == status]
        shown = ", ".join(where[:8]) + (", …" if count > 8 else "")
        parts.append(f"{count} of {codes.size} instances {status.name} ({status.reason}): {shown}")
    return "; ".join(parts)
