"""How a program is solved once the shapes of its parameters are known."""

import functools
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from argflux.programs.answers.ledger import leaves_its_status
from argflux.programs.answers.solution import Solution, check_start
from argflux.programs.boxed import solve_boxed
from argflux.programs.coned import solve_coned
from argflux.programs.cones.members import put_together, told_apart
from argflux.programs.forms.nonlinear import NonlinearForm
from argflux.programs.matrices import solve_lp, solve_qp
from argflux.programs.nonlinear import solve_nonlinear
from argflux.programs.outcomes import check_outcome
from argflux.programs.parts import join, pick
from argflux.programs.statements.extract import Blocks
from argflux.programs.statements.formulation import Formulation
from argflux.programs.statements.layout import Layout
from argflux.programs.statements.nonlinear import NonlinearBlocks
from argflux.programs.statements.sparsity import Group
from argflux.programs.statements.starts import Start, say_outside, start_vector, start_within
from argflux.programs.statements.wellformed import check_parts, stated_as_functions


@dataclass(frozen=True, eq=False)
class Plan(Formulation):
    """A formulation, and the keywords of the solver in `options`."""

    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, formulation: Formulation, options: dict[str, Any]) -> "Plan":
        """Plan to solve what a statement formulates with these options."""
        return cls(**vars(formulation), options=options)

    @leaves_its_status
    def solve(self, constant: jax.Array, parts: tuple, start: Any = None) -> Solution:
        """Solve given matrices and lay the solution out as the user's trees."""
        if self.nonlinear is not None:
            return self._lay_out(self._solve_nonlinear(self.nonlinear, parts[0], start), constant)
        vectors = self.start_vectors(start)
        with stated_as_functions():
            if self.groups:
                check_parts(parts)
                pairs = zip(self.groups, parts, strict=True)
                solutions = [self._solve_group(*row, vectors) for row in pairs]
                flat = join(self.groups, solutions, self.options.get("on_failure", "zero"))
            else:
                flat = self._solve_blocks(parts[0], vectors)
        return self._lay_out(flat, constant)

    def _solve_nonlinear(self, form: NonlinearForm, blocks: NonlinearBlocks, start: Any) -> Solution:
        begin = self.begin(blocks, start)
        found = solve_nonlinear(form, blocks, self.options, begin)
        check_outcome(form, blocks, begin, found.status, self.kink)
        return found

    def begin(self, blocks: NonlinearBlocks, start: Any) -> Start:
        """Where the search for a solution of a nonlinear program starts: an earlier one, a tree like the variable, or
        `None` for a point within the bounds.
        """
        if start is None:
            return Start(start_within(blocks.lower, blocks.upper))
        if not isinstance(start, Solution):
            point = start_vector(self.variable, start)
            say_outside(self.variable, point, blocks.lower, blocks.upper)
            return Start(point)
        known = self.start_vectors(start)
        return Start(known.x, (known.y, known.z, known.z_lower, known.z_upper))

    def _solve_group(self, group: Group, blocks: Blocks, start: Any) -> Solution:
        if start is None:
            return jax.vmap(lambda blocks: self._solve_blocks(blocks, None))(blocks)
        return jax.vmap(self._solve_blocks)(blocks, pick(start, group))

    def _solve_blocks(self, blocks: Blocks, start: Any) -> Solution:
        if self.cones:
            return solve_coned(blocks, self.cones, self.options, start)
        if self._is_boxed(blocks):
            P = None if blocks.P is None else blocks.P.reshape(blocks.q.shape)
            return solve_boxed(P, blocks.q, blocks.lower, blocks.upper, **self.options)
        if self.curvature == "none":
            return solve_lp(*blocks[1:], start=start, **self.options)
        options = {name: value for name, value in self.options.items() if name != "smoothing"}
        return solve_qp(*blocks, start=start, **options)

    def _is_boxed(self, blocks: Blocks) -> bool:
        """Whether every unknown is a program of its own, solved in closed form."""
        plain = self.options.get("solver") is None and self.options.get("smoothing") is None
        diagonal = blocks.P is None or blocks.P.size == blocks.q.size
        return plain and diagonal and blocks.A is None and blocks.G is None

    def _lay_out(self, flat: Solution, constant: jax.Array) -> Solution:
        tree = self.variable.tree
        return Solution(
            x=tree(flat.x),
            y=_tree(self.equality, flat.y),
            z=told_apart(_tree(self.inequality, flat.z)),
            z_lower=None if self.canonical else tree(flat.z_lower),
            z_upper=None if self.canonical else tree(flat.z_upper),
            objective=_objective(self.sign, flat.objective, constant, flat.status),
            status=flat.status,
            iterations=flat.iterations,
            residuals=flat.residuals,
            regularity=flat.regularity,
        )

    def start_vectors(self, start: Any) -> Any:
        """Flatten a warm start: an earlier solution of the program."""
        if start is None:
            return None
        zeros = lambda layout: layout and layout.tree(jnp.zeros(layout.size, self.variable.dtype))
        members = zeros(self.inequality)
        wanted = {"x": zeros(self.variable), "y": zeros(self.equality), "z": told_apart(members)}
        check_start(start, "Program.solve", **wanted)
        vector = self.variable.vector
        bound = lambda duals: jnp.zeros(self.variable.size, self.variable.dtype) if duals is None else vector(duals)
        return Solution(
            x=vector(start.x),
            y=self.equality.vector(start.y) if self.equality else jnp.zeros(0, self.variable.dtype),
            z=self.inequality.vector(put_together(start.z, members))
            if self.inequality
            else jnp.zeros(0, self.variable.dtype),
            z_lower=bound(start.z_lower),
            z_upper=bound(start.z_upper),
            objective=start.objective,
            status=start.status,
            iterations=start.iterations,
            residuals=start.residuals,
            regularity=start.regularity,
        )


@functools.partial(jax.jit, static_argnums=0, inline=True)
def _objective(sign: int, value: jax.Array, constant: jax.Array, status: jax.Array) -> jax.Array:
    """The user's objective; the constant of a program that failed has no derivative."""
    return sign * (value + jnp.where(status == 0, constant, jax.lax.stop_gradient(constant)))


def _tree(layout: Layout | None, vector: jax.Array) -> Any:
    return layout and layout.tree(vector)
