"""Program: the minimiser of a function under constraints, as a function of parameters."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from argflux.errors import ArgumentError
from argflux.keywords import explained, unknown_keyword
from argflux.programs.answers.solution import Solution
from argflux.programs.files.contents import Contents
from argflux.programs.files.write import write_contents
from argflux.programs.plan import Plan
from argflux.programs.sensitivities import Directions, Sensitivities, forward, reverse
from argflux.programs.statements.filed import Filed
from argflux.programs.statements.formulation import ProgramKind
from argflux.programs.statements.functions import Statement
from argflux.programs.statements.parameters import match, signature_key

STATED = ("objective", "variable", "equality", "inequality", "lower", "upper")
OPTIONS = ("solver", "tolerance", "max_iterations", "on_failure", "smoothing")


@explained
class Program:
    """A program stated as functions: `program(*params)` is its minimiser.

    minimise `objective(x, *params)` subject to `equality(x, *params) = 0`, `inequality(x, *params) ≤ 0` and
    `lower ≤ x ≤ upper`.

    The class of the program is found by walking the functions; parameters may enter in any way. With an objective that
    is linear or convex quadratic in x, and affine constraints, it is linear or quadratic, or over cones: the matrices
    are extracted exactly, and independent parts of large programs are found and solved side by side. Anything else that
    has two derivatives is a nonlinear program, and its solution a local one. A program works under `jit`, `vmap`,
    `af.gradient`, `jax.grad` and `jax.jvp`, to second order. With one parameter it is a layer of a `Chain` and
    gets the whole batch; `af.ProgramLayer` maps it over examples and holds parameters that are learned.

    Args:
        objective: from `(x, *params)` to a number. The names of its parameters are those of the program, and every
            function gets the parameters by name: `lambda x, total, prices` means the same as `lambda x, prices,
            total`. `*_`, names that begin with `_` and those before a `/` are filled by position. A parameter with a
            default need not be given.
        variable: what x looks like: an array, a shape such as `(3,)`, a tree of these, or a function of the
            parameters that returns one. Shapes get the dtype of the parameters.
        equality: from `(x, *params)` to arrays (any tree) that are to be zero.
        inequality: from `(x, *params)` to arrays (any tree) that are not to be positive.
        lower: bounds on x: a number, a tree like x whose leaves broadcast to its leaves, or a function of the
            parameters that returns one; `-inf` is no bound.
        upper: likewise.
        **options: `solver`, `tolerance`, `max_iterations`, `on_failure` and, for linear programs, `smoothing`, as
            for `solve_qp` and `solve_lp`. Nonlinear programs have `tolerance` (1e-8), `max_iterations` (3000),
            `on_failure`, "zero" or "nan", and `solver`, "barrier" (ours) or "pounce" (of the extra of that name).

    Raises:
        ArgumentError: if the functions do not name the same parameters, or for an unknown option.
        NonlinearError: when first called, for members of cones beside functions that a program over cones cannot
            hold; names the operation and its line.
        ShapeError: when first called, for an objective that is no number or an empty variable.

    Source:
        JuMP's and DiffOpt.jl's models; Agrawal et al., "Differentiable convex optimization layers" (2019).

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.programs import Program
        >>> relu = Program(lambda x, y: jnp.sum(x * x) - 2 * jnp.vdot(y, x), variable=lambda y: y, lower=0.0)
        >>> relu(jnp.array([-1.0, 2.0])).tolist()
        [0.0, 2.0]
        >>> relu.solve(y=jnp.array([-1.0, 2.0])).z_lower.tolist()
        [2.0, 0.0]
    """

    __slots__ = ("__weakref__", "_options", "_plans", "_source")

    def __init__(
        self,
        objective: Callable,
        variable: Any,
        *,
        equality: Callable | None = None,
        inequality: Callable | None = None,
        lower: Any = None,
        upper: Any = None,
        **options: Any,
    ):
        self._setup(Statement.of(objective, variable, equality, inequality, lower, upper), options, STATED)

    def _setup(self, source: Any, options: dict[str, Any], known: tuple[str, ...]) -> None:
        if unknown := [name for name in options if name not in OPTIONS]:
            raise unknown_keyword("Program", unknown[0], options[unknown[0]], (*known, *OPTIONS))
        self._source, self._options = source, options
        self._plans: dict[tuple, Plan] = {}

    def __getstate__(self) -> tuple[Any, dict[str, Any]]:
        return self._source, self._options

    def __setstate__(self, state: tuple[Any, dict[str, Any]]) -> None:
        self._source, self._options = state
        self._plans = {}

    @classmethod
    def from_cvxpy(cls, problem: Any, parameters: Any, variables: Any, **options: Any) -> "Program":
        """Make a program of a CVXPY problem that canonicalises to a linear, quadratic or cone program.

        The problem is canonicalised once, here; solving touches CVXPY no more. Complex parameters take complex arrays;
        derivatives with respect to them are JAX's: the slope along d is the real part of `sum(gradient * d)`.

        The solution's `y` and `z` are tuples with an entry for every constraint of `problem.constraints`, in their
        order: `y[k]` is the dual of constraint k if it is an equality, `z[k]` if it is an inequality, of its shape and
        with the sign that CVXPY gives its `dual_value`; the other one of the two is `None`, and so are both where
        CVXPY has no dual. `z_lower` and `z_upper` are `None`: attributes of variables, such as `nonneg`, have no duals
        in CVXPY; state them as constraints to see theirs.

        Args:
            problem: a `cvxpy.Problem` that follows CVXPY's rules for parameters (DPP).
            parameters: its `cvxpy.Parameter` objects, in the order in which values will be given.
            variables: the `cvxpy.Variable` objects to return, in order; one alone comes as it is, several as a tuple.
            **options: as for `Program`.

        Raises:
            MissingDependencyError: if CVXPY is not installed.
            DtypeError: for what is no CVXPY problem.
            ArgumentError: for integer variables, an expression that is not DPP, or parameters of the problem that are
                not listed, naming them.

        Example:
            >>> import cvxpy as cp, jax.numpy as jnp
            >>> from argflux.programs import Program
            >>> x, y = cp.Variable(2), cp.Parameter(2)
            >>> program = Program.from_cvxpy(cp.Problem(cp.Minimize(cp.sum_squares(x - y)), [x >= 0]), [y], [x])
            >>> abs(program(jnp.array([-1.0, 2.0])).round(5)).tolist()
            [0.0, 2.0]
            >>> program.solve(jnp.array([-1.0, 2.0])).z[0].round(5).tolist()
            [2.0, 0.0]
        """
        from argflux.programs.statements.modelled import Modelled

        program = cls.__new__(cls)
        program._setup(Modelled.of(problem, parameters, variables), options, ("problem", "parameters", "variables"))
        return program

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return self._source.names

    @property
    def defaults(self) -> dict[str, Any]:
        """Values of the parameters that need not be given, as the objective's signature says."""
        return dict(self._source.defaults)

    @property
    def stated_objective(self) -> Callable | None:
        """What is minimised, smoothing included, as a function of `(x, *params)`; `None` for a CVXPY problem."""
        stated, smoothing = getattr(self._source, "objective", None), self._options.get("smoothing")
        if stated is None or smoothing is None:
            return stated
        square = lambda x: sum(jnp.sum(leaf * leaf) for leaf in jax.tree.leaves(x))
        return lambda x, *params: stated(x, *params) + smoothing / 2 * square(x)

    @property
    def contents(self) -> Contents:
        """What the file holds that `read_program` read: names of rows and columns, numbers, notes.

        Raises:
            ArgumentError: for a program that was stated otherwise.
        """
        if not isinstance(self._source, Filed):
            todo = "states it by functions or by CVXPY, so there are no names"
            raise ArgumentError(repr(self), "a program that `af.read_program` read", todo, where="Program.contents")
        return self._source.contents

    def write(self, path: str | os.PathLike[str], *params: Any, **named: Any) -> None:
        """Write a program that was read from a file as MPS or QPS, to the last bit.

        Args:
            path: to write to; it ends with `.mps` or `.qps`, with `.gz` behind it or not.
            *params: blocks in place of the file's.
            **named: blocks by name.

        Raises:
            ArgumentError: for a program that was stated otherwise, another ending, and names that hold spaces.
            OutputError: for a place that cannot be written to.
        """
        assert self.contents
        self._match(params, named)
        given = dict(zip(self.parameters, params, strict=False)) | named
        write_contents(self._source.replaced(given), Path(path))

    def kind(self, *params: Any, **named: Any) -> ProgramKind:
        """Return the class of the program at such parameters: "LP", "QP", "cone" or "nonlinear", with a `why`.

        Raises:
            ArgumentError: naming parameters that are missing, unknown or given twice.

        Example:
            >>> import jax.numpy as jnp
            >>> from argflux.programs import Program
            >>> Program(lambda x, p: jnp.sum(jnp.exp(x)) - p @ x, variable=2).kind(jnp.ones(2))
            'nonlinear'
        """
        return self._plan(self._match(params, named)).kind

    def __call__(self, *params: Any, **named: Any) -> Any:
        """Return the minimiser, a tree like the variable, at parameters given in order or by name.

        Raises:
            ArgumentError: naming parameters that are missing, unknown or given twice.
        """
        return self.solve(*params, **named).x

    def solve(self, *params: Any, start: Any = None, **named: Any) -> Solution:
        """Return the whole solution at parameters given in order or by name.

        Args:
            *params: trees of arrays; Python numbers with a point are arrays too, everything else is fixed.
            start: optional; an earlier solution of this program, to start from. Of a program over cones one that is
                near saves the solver's iterations. Of a nonlinear program also a point, a tree like the variable, which
                is moved inside the bounds; without one it starts at zero, moved inside the bounds by 1 or to their
                middle.
            **named: parameters by name.

        Returns:
            A `Solution` whose `x`, `z_lower`, `z_upper` are trees like the variable, and whose `y` and `z` are
            trees like the values of `equality` and `inequality` (`None` without them). If independent parts were
            found, `status`, `iterations` and `residuals` are those of the worst part.

        Raises:
            ArgumentError: naming parameters that are missing, unknown or given twice.
            ShapeError: for a start of another shape.
            DataError: outside `jit`, for functions that are not finite at the start.
        """
        values = self._match(params, named)
        plan = self._plan(values)
        constant, parts = plan.extract(values)
        return plan.solve(constant, parts, start)

    def forward_differentiate(
        self,
        *params: Any,
        tangents: dict[str, Any] | None = None,
        objective: Callable | None = None,
        equality: Callable | None = None,
        inequality: Callable | None = None,
        start: Any = None,
        **named: Any,
    ) -> Directions:
        """Return how the solution moves when parameters or functions move in given directions.

        Args:
            *params: the parameters, as for `solve`.
            tangents: directions of parameters by name, trees like them; the others stand still.
            objective: a function of `(x, *params)` in whose direction the objective moves: the derivative is that
                of minimising `objective + t · direction` with respect to t at 0.
            equality: likewise, a tree like the values of `equality`.
            inequality: likewise.
            start: as for `solve`.
            **named: parameters by name.

        Example:
            >>> import jax.numpy as jnp
            >>> from argflux.programs import Program
            >>> relu = Program(lambda x, y: jnp.sum(x * x) - 2 * jnp.vdot(y, x), variable=lambda y: y, lower=0.0)
            >>> y = jnp.array([-1.0, 2.0])
            >>> relu.forward_differentiate(y, tangents={"y": jnp.ones(2)}).x.tolist()
            [0.0, 1.0]
            >>> relu.forward_differentiate(y, objective=lambda x, y: jnp.sum(x)).x.tolist()
            [0.0, -0.5]
        """
        values = self._match(params, named)
        directions = {"objective": objective, "equality": equality, "inequality": inequality}
        given = {what: direction for what, direction in directions.items() if direction is not None}
        moving = {} if tangents is None else tangents
        return forward(self._plan(values), self._source, values, moving, given, start)

    def reverse_differentiate(
        self, *params: Any, cotangents: dict[str, Any], start: Any = None, **named: Any
    ) -> Sensitivities:
        """Pull a direction of the solution back to the parameters and to the coefficients of the functions.

        Args:
            *params: the parameters, as for `solve`.
            cotangents: derivatives of a loss with respect to fields of the solution, by their names (`x`, `y`, `z`,
                `z_lower`, `z_upper`, `objective`), trees like them; absent ones are zero.
            start: as for `solve`.
            **named: parameters by name.

        Returns:
            `Sensitivities`: the derivatives of that loss.

        Example:
            >>> import jax.numpy as jnp
            >>> from argflux.programs import Program
            >>> relu = Program(lambda x, y: jnp.sum(x * x) - 2 * jnp.vdot(y, x), variable=lambda y: y, lower=0.0)
            >>> found = relu.reverse_differentiate(jnp.array([-1.0, 2.0]), cotangents={"x": jnp.ones(2)})
            >>> found.objective.linear.tolist(), abs(found.parameters["y"]).tolist()
            ([0.0, -0.5], [0.0, 1.0])
        """
        values = self._match(params, named)
        return reverse(self._plan(values), self.parameters, values, cotangents, start)

    def _match(self, params: tuple, named: dict[str, Any]) -> tuple:
        values = match(self.parameters, params, named, repr(self), self.defaults)
        self._source.check(values)
        return values

    def _plan(self, values: tuple) -> Plan:
        """Return the plan for parameters of these shapes, made when they are first met."""
        key = signature_key(values)
        try:
            found = self._plans.get(key)
        except TypeError:
            return Plan.of(self._source.formulate(values), self._options)
        if found is None:
            found = Plan.of(self._source.formulate(values), self._options)
            if found.lasting:
                found = found.compiled()
                self._plans[key] = found
        return found

    def label(self) -> str:
        """Name the layer where a network is shown."""
        return repr(self)

    def __repr__(self) -> str:
        return f"Program({self._source.label}; {', '.join(self.parameters)})".replace("(; ", "(")
