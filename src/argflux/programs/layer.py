"""ProgramLayer: a program as a layer of a network, with parameters of its own that are learned."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from argflux.errors import ArgumentError, DtypeError, ShapeError
from argflux.keywords import explained
from argflux.kinds import Numbers, fits, shortened
from argflux.module import Module
from argflux.programs.answers.solution import Solution
from argflux.programs.program import Program
from argflux.tree import is_array, is_differentiable, named_leaves


@explained
class ProgramLayer(Module):
    """A program whose parameters are partly learned and partly the layer's input, as in OptNet.

    `layer(x)` is the minimiser at the input and the learned parameters, for every example of the batch.

    Args:
        program: the program.
        per_example: whether every example (row of the inputs) is a program of its own, sharing the learned
            parameters; otherwise the program is given the whole batch.
        **learned: first values of learned parameters, by the names that the program gives them. The other
            parameters, in order, are the inputs.

    Raises:
        ArgumentError: for a name that is no parameter, or if none is left for the input.

    Source:
        Amos and Kolter, "OptNet: differentiable optimization as a layer in neural networks" (2017).

    Example:
        >>> import argflux as af, jax, jax.numpy as jnp
        >>> from argflux.programs import Program, ProgramLayer
        >>> nearest = Program(lambda x, y, price: jnp.sum((x - y) ** 2), variable=lambda y, price: y,
        ...                   inequality=lambda x, y, price: jnp.vdot(price, x) - 1)
        >>> layer = ProgramLayer(nearest, price=jnp.array([1.0, 1.0]))
        >>> layer(jnp.array([[1.0, 1.0], [0.25, 0.5]])).round(5).tolist()
        [[0.5, 0.5], [0.25, 0.5]]
        >>> len(jax.tree.leaves(layer))
        1
    """

    learned: dict[str, Any]
    program: Program = eqx.field(static=True)
    per_example: bool = eqx.field(static=True)

    def __init__(self, program: Program, *, per_example: bool = True, **learned: Any):
        names = program.parameters
        if unknown := [name for name in learned if name not in names]:
            raise ArgumentError(
                f"{', '.join(unknown)} to learn",
                f"names among {', '.join(names)}",
                "name the parameters as the program's functions do",
                where="ProgramLayer",
            )
        if len(learned) == len(names):
            raise ArgumentError(
                "values to learn for every parameter",
                "at least one parameter left for the input",
                "add the input to the parameters of the program's functions",
                where="ProgramLayer",
            )
        as_array = lambda leaf: jnp.asarray(leaf) if is_array(leaf) or is_differentiable(leaf) else leaf
        self.learned = jax.tree.map(as_array, learned)
        self.program, self.per_example = program, per_example

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the parameters that are the layer's inputs."""
        return tuple(name for name in self.program.parameters if name not in self.learned)

    def __call__(self, *inputs: Any) -> Any:
        """Return the minimiser for every example."""
        return self.solve(*inputs).x

    def solve(self, *inputs: Any) -> Solution:
        """Return the whole solution for every example."""
        needed = [name for name in self.inputs if name not in self.program.defaults]
        if not len(needed) <= len(inputs) <= len(self.inputs):
            raise ArgumentError(
                f"{len(inputs)} inputs",
                f"({', '.join(self.inputs)})",
                "pass one value for each",
                where="ProgramLayer",
            )
        if self.per_example:
            inputs = tuple(jax.tree.map(lambda leaf: jnp.asarray(leaf) if is_differentiable(leaf) else leaf, inputs))
            _check_rows(self.inputs, inputs)
        run = lambda *values: self.program.solve(**dict(zip(self.inputs, values, strict=False)), **self.learned)
        return (jax.vmap(run) if self.per_example else run)(*inputs)

    def label(self) -> str:
        """Name the layer where a network is shown."""
        return repr(self)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}{_shapes(value)}" for name, value in self.learned.items())
        return f"ProgramLayer({self.program!r}{shapes and '; learns '}{shapes})"


def _check_rows(names: tuple[str, ...], inputs: tuple) -> None:
    """Refuse inputs that have not one row for every example."""
    counts: dict[str, int] = {}
    for name, value in zip(names, inputs, strict=False):
        for path, leaf in named_leaves(value):
            label = f"{name}{path}"
            if not fits(leaf, Numbers):
                got, todo = f"{label}={shortened(leaf)}", "pass an array"
                raise DtypeError(got, "an array of numbers", todo, where="ProgramLayer")
            if not getattr(leaf, "shape", ()):
                got, todo = f"{label} without an axis of examples", f"pass {name}[None] for one, or learn it by name"
                raise ShapeError(got, "one row for every example", todo, where="ProgramLayer")
            counts[label] = leaf.shape[0]
    if not counts:
        raise ShapeError("no arrays", "a batch", "pass arrays, or set per_example=False", where="ProgramLayer")
    if len(set(counts.values())) > 1:
        got = " and ".join(f"{count} rows of {label}" for label, count in counts.items())
        todo = "pass inputs of one batch, or set per_example=False"
        raise ShapeError(got, "one row for every example", todo, where="ProgramLayer")


def _shapes(value: Any) -> str:
    return "".join(str(list(leaf.shape)) for leaf in jax.tree.leaves(value) if is_array(leaf))
