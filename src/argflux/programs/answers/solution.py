"""What a solve returns: a tree of arrays, every floating field of which is differentiable."""

from collections import Counter
from typing import Any, ClassVar, Self

import equinox as eqx
import jax
import numpy as np

from argflux.errors import ArgfluxError, ArgumentError, DtypeError, ShapeError
from argflux.jaxpr import Tracer
from argflux.programs.answers.status import Status
from argflux.programs.forms.arrays import namespace
from argflux.tree import is_array, named_leaves


class ProgramError(ArgfluxError, ArithmeticError):
    """A program, or instances of a batch of them, that could not be solved."""


class Residuals(eqx.Module):
    """Largest violations of the optimality conditions, per instance; they carry no derivative.

    `primal`: of the constraints. `dual`: of stationarity. `gap`: of complementary slackness.
    """

    primal: jax.Array
    dual: jax.Array
    gap: jax.Array


class Outcome:
    """What solutions of all classes of programs say of themselves; they have `status`, `iterations` and so on."""

    shown: ClassVar[tuple[str, ...]] = ()
    status: Any
    iterations: Any
    objective: Any
    residuals: Any

    @property
    def solved(self) -> jax.Array:
        """Booleans, one per instance: whether it was solved."""
        return self.status == np.int32(Status.SOLVED)

    def __repr__(self) -> str:
        """Statuses, shapes of the fields, objective and residual; shapes alone while JAX is tracing."""
        if not is_array(self.status):
            return super().__repr__()
        fields = [f"{name} {shapes}" for name in self.shown if (shapes := _shapes(getattr(self, name)))]
        if isinstance(self.status, Tracer):
            return f"{type(self).__name__}({', '.join(fields)}, traced)"
        codes, steps = np.asarray(self.status), np.asarray(self.iterations)
        solved = codes == Status.SOLVED
        judged = solved if solved.any() else ~solved
        worst = max(np.max(np.asarray(r), where=judged, initial=0.0) for r in jax.tree.leaves(self.residuals))
        numbers = f"objective {_range(self.objective, solved)}  iterations {_range(steps, steps >= 0)}"
        lines = [_statuses(type(self).__name__, codes), "  ".join(fields), f"{numbers}  largest residual {worst:.2g}"]
        return "\n  ".join(lines)

    def check(self) -> Self:
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


class Solution(Outcome, eqx.Module):
    """The solution of a linear or quadratic program; under `vmap` every field has the batch's leading axes.

    At a solution `P x + q + A' y + G' z - z_lower + z_upper = 0`. In the solution of a `Program` the
    fields are trees, see `Program.solve` and `Program.from_cvxpy`.

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
        >>> print(s)
        Solution: SOLVED
          x [2]  z_lower [2]  z_upper [2]
          objective -0.5  iterations 2  largest residual 0
    """

    shown: ClassVar[tuple[str, ...]] = ("x", "y", "z", "z_lower", "z_upper")
    x: jax.Array
    y: jax.Array
    z: jax.Array
    z_lower: Any
    z_upper: Any
    objective: jax.Array
    status: jax.Array
    iterations: jax.Array
    residuals: Residuals
    regularity: jax.Array


class ConeSolution(Outcome, eqx.Module):
    """The solution of a program over cones; under `vmap` every field has the batch's leading axes.

    At a solution `P x + q + A' z = 0` and `A x + s = b`, s lies in the cones and z in their duals, and `s' z = 0`.

    Attributes:
        x: the minimiser, `(n,)`.
        s: slacks, `(m,)`, in the cones.
        z: duals, `(m,)`, in the dual cones.
        objective: `x' P x / 2 + q' x`.
        status: int32 code, see `Status`.
        iterations: int32, steps the solver took.
        residuals: what is left of the optimality conditions.
        regularity: int32 flags, see `Regularity`.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.programs import cones, solve_cone
        >>> s = solve_cone(None, jnp.ones(1), -jnp.eye(1), jnp.array([-2.0]), [cones.NonNegative(1)])
        >>> s.check().x.tolist(), s.z.tolist()
        ([2.0], [1.0])
    """

    shown: ClassVar[tuple[str, ...]] = ("x", "s", "z")
    x: jax.Array
    s: jax.Array
    z: jax.Array
    objective: jax.Array
    status: jax.Array
    iterations: jax.Array
    residuals: Residuals
    regularity: jax.Array


def spoiled(values: jax.Array, where: jax.Array) -> jax.Array:
    """Put NaN where told to, by a division: a NaN written down would stop JAX's `debug_nans` wherever it stands.

    Example:
        >>> import jax.numpy as jnp
        >>> spoiled(jnp.array([1.0, 2.0]), jnp.array([False, True])).tolist()
        [1.0, nan]
    """
    xp = namespace(values)
    zeros = xp.zeros_like(values)
    return xp.where(where, zeros, values) / xp.where(where, zeros, zeros + 1)


def check_start(start: Any, where: str, kind: type = Solution, /, **wanted: Any) -> None:
    """Refuse a warm start that is no solution of a program like this one.

    Args:
        start: what was given.
        where: the caller, for errors.
        kind: the class of solutions of such programs.
        **wanted: fields of a solution of this program, for their shapes.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.programs import solve_qp
        >>> from argflux.programs.answers.solution import check_start
        >>> check_start(solve_qp(jnp.eye(2), jnp.ones(2)), "solve_qp", x=jnp.zeros(2))
    """
    todo = "pass a solution of the same program with other values"
    if not isinstance(start, kind):
        raise DtypeError(f"start=… of type {type(start).__name__}", f"a {kind.__name__}", todo, where=where)
    for name, fields in wanted.items():
        got, expected = _shapes(getattr(start, name)), _shapes(fields)
        if got != expected:
            shown = [f"{name} of shape {shapes}" if shapes else f"no {name}" for shapes in (got, expected)]
            raise ShapeError(f"a start with {shown[0]}", shown[1], todo, where=where)


def _statuses(name: str, codes: np.ndarray) -> str:
    if codes.ndim == 0:
        status = Status(int(codes))
        return f"{name}: {status.name}" + (f" ({status.reason})" if status else "")
    counts = Counter(Status(int(code)) for code in codes.ravel())
    each = ", ".join(f"{count} {status.name}" for status, count in sorted(counts.items()))
    return f"{name} of {codes.size} programs: {each}"


def _shapes(tree: Any) -> str:
    """Shapes of the arrays of a field, those without elements left out."""
    leaves = [(name, leaf) for name, leaf in named_leaves(tree) if is_array(leaf) and leaf.size]
    return " ".join(f"{name}{name and ' '}{list(leaf.shape)}" for name, leaf in leaves)


def _range(values: Any, chosen: np.ndarray) -> str:
    """Least and largest of the chosen values."""
    picked = np.asarray(values)[chosen]
    if not picked.size:
        return "unknown"
    ends = [f"{end:.6g}" for end in (picked.min(), picked.max())]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


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
