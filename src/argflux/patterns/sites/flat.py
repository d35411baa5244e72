"""The program of a model's call written as one list of steps, with calls in place and short loops unrolled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from argflux.autodiff.tape import bind
from argflux.errors import ArgumentError
from argflux.jaxpr import ClosedJaxpr, Literal, called_program, jaxprs_in_params, scan_counts
from argflux.kinds import shortened
from argflux.patterns.sites.traced import WHERE, traced
from argflux.tree import is_array, is_differentiable, path_name
from argflux.userlayer import register_layers

CUT = "stop_gradient"
SWITCHES = {"max", "min", "abs", "sign", "clamp", "gt", "ge", "lt", "le", "reduce_max", "reduce_window_max"}
LONGEST_LOOP = 64


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One operation: which values it reads and makes, by number, and how.

    Args:
        name: of the primitive.
        inputs: numbers of the values read.
        outputs: numbers of the values made.
        apply: from the list of values read to the list of values made.
        eqn: the equation that it comes from, for its parameters and the user's line.
        guarded: whether it stands inside a function with a derivative of its own.
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    apply: Callable[[list], list]
    eqn: Any
    guarded: bool


@dataclass(eq=False)
class Flat:
    """A program as a list of steps.

    Attributes:
        steps: in order.
        shapes: shape and dtype of every value, by number.
        constants: the values that are known beforehand, by number.
        parameters: the path of the layer's own leaf, as a tuple of keys, by number.
        x: the number of the input.
        outputs: the numbers of the leaves of the result.
        moving: the numbers of all values that depend on the input.
    """

    steps: list[Step] = field(default_factory=list)
    shapes: list[jax.ShapeDtypeStruct] = field(default_factory=list)
    constants: dict[int, Any] = field(default_factory=dict)
    parameters: dict[int, tuple] = field(default_factory=dict)
    x: int = 0
    outputs: list[int] = field(default_factory=list)
    moving: set[int] = field(default_factory=set)

    def run(self, model: Any, x: Any, wanted: Sequence[int]) -> list:
        """Return the values of these numbers for a model and an input like those that were flattened."""
        arrays = [leaf for leaf in jax.tree.leaves(register_layers(model)) if _is_parameter(leaf)]
        if len(arrays) != len(self.parameters):
            got, todo = f"{shortened(model)} with {len(arrays)} arrays", "call find_sites for this model"
            raise ArgumentError(got, f"the {len(self.parameters)} that were traced", todo, where=WHERE)
        env = self.constants | dict(zip(self.parameters, arrays, strict=True)) | {self.x: jnp.asarray(x)}
        needed = self.needed(wanted, through_cuts=True)
        for step in self.steps:
            if needed.intersection(step.outputs):
                env.update(zip(step.outputs, step.apply([env[i] for i in step.inputs]), strict=True))
        return [env[i] for i in wanted]

    def needed(self, wanted: Sequence[int], *, through_cuts: bool) -> set[int]:
        """Return the numbers of the values that these are made from; a `stop_gradient` may hide what is before it."""
        found = set(wanted)
        for step in reversed(self.steps):
            if found.intersection(step.outputs) and (through_cuts or step.name != CUT):
                found.update(step.inputs)
        return found

    def number(self, aval: Any) -> int:
        """Return the number of a new value."""
        self.shapes.append(jax.ShapeDtypeStruct(aval.shape, aval.dtype))
        return len(self.shapes) - 1


def flatten(model: Any, x: Any) -> Flat:
    """Trace `model(x)` and write its program as a list of steps.

    Args:
        model: a callable tree.
        x: an input, or the shape and dtype of one.

    Raises:
        ArgumentError: for a model that cannot be called on a batch of such inputs, or does not return arrays.
        DtypeError: for an input that is no array of numbers.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> [step.name for step in flatten(nn.Dense(3, 2, nn.relu), jnp.ones((4, 3))).steps]
        ['transpose', 'dot_general', 'broadcast_in_dim', 'add', 'max']
    """
    paths, treedef = jax.tree_util.tree_flatten_with_path(register_layers(model))
    leaves = [leaf for _, leaf in paths]

    def call(arrays, x):
        fresh = iter(arrays)
        return treedef.unflatten([next(fresh) if _is_parameter(leaf) else leaf for leaf in leaves])(x)

    closed = traced(call, [leaf for leaf in leaves if _is_parameter(leaf)], x, model)
    flat = Flat()
    inputs = [flat.number(v.aval) for v in closed.jaxpr.invars]
    flat.parameters = dict(zip(inputs, [path for path, leaf in paths if _is_parameter(leaf)], strict=False))
    flat.x = inputs[-1]
    flat.moving.add(flat.x)
    flat.outputs = _inline(flat, closed, inputs, False)
    return flat


def layer_name(path: tuple) -> str:
    """Name the layer that a leaf belongs to: `layers[0]` for `layers[0].weight`; `model` for a leaf of the model's own.

    Example:
        >>> import jax
        >>> from argflux import nn
        >>> paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(nn.Chain(nn.Dense(2, 3)))]
        >>> layer_name(paths[0])
        'layers[0]'
    """
    return path_name(path[:-1]) or "model"


def _is_parameter(leaf: Any) -> bool:
    return is_array(leaf) and is_differentiable(leaf)


def _inline(flat: Flat, closed: ClosedJaxpr, inputs: Sequence[int], guarded: bool) -> list[int]:
    numbers = dict(zip(closed.jaxpr.invars, inputs, strict=True))
    for variable, value in zip(closed.jaxpr.constvars, closed.consts, strict=True):
        numbers[variable] = _constant(flat, variable.aval, value)
    read = lambda atom: _constant(flat, atom.aval, atom.val) if isinstance(atom, Literal) else numbers[atom]
    for eqn in closed.jaxpr.eqns:
        outputs = _equation(flat, eqn, [read(atom) for atom in eqn.invars], guarded)
        numbers.update(zip(eqn.outvars, outputs, strict=True))
    return [read(atom) for atom in closed.jaxpr.outvars]


def _constant(flat: Flat, aval: Any, value: Any) -> int:
    number = flat.number(aval)
    flat.constants[number] = value if isinstance(value, jax.Array) else np.asarray(value, aval.dtype)
    return number


def _equation(flat: Flat, eqn: Any, inputs: list[int], guarded: bool) -> list[int]:
    name = eqn.primitive.name
    if (program := called_program(eqn)) is not None:
        return _inline(flat, program, inputs, guarded or name.startswith("custom"))
    if name == "scan" and eqn.params["length"] <= LONGEST_LOOP and _has_switches(eqn):
        return _unroll(flat, eqn, inputs, guarded)
    return _append(flat, eqn, name, inputs, [v.aval for v in eqn.outvars], lambda values: bind(eqn, values), guarded)


def _append(
    flat: Flat, eqn: Any, name: str, inputs: Sequence[int], avals: Sequence, apply: Callable, guarded: bool
) -> list[int]:
    outputs = [flat.number(aval) for aval in avals]
    flat.steps.append(Step(name, tuple(inputs), tuple(outputs), apply, eqn, guarded))
    if flat.moving.intersection(inputs):
        flat.moving.update(outputs)
    return outputs


def _has_switches(eqn: Any) -> bool:
    return any(
        inner.primitive.name in SWITCHES or _has_switches(inner)
        for jaxpr in jaxprs_in_params(eqn.params)
        for inner in jaxpr.eqns
    )


def _unroll(flat: Flat, eqn: Any, inputs: list[int], guarded: bool) -> list[int]:
    (consts, count), length = scan_counts(eqn), eqn.params["length"]
    fixed, carry, stacks = inputs[:consts], inputs[consts : consts + count], inputs[consts + count :]
    order = range(length)[::-1] if eqn.params["reverse"] else range(length)
    rows: dict[int, list[int]] = {}
    for i in order:
        parts = [_row(flat, eqn, stack, i, guarded) for stack in stacks]
        found = _inline(flat, eqn.params["jaxpr"], [*fixed, *carry, *parts], guarded)
        carry, rows[i] = found[:count], found[count:]
    stacked = [
        _append(flat, eqn, "concatenate", [rows[i][k] for i in range(length)], [v.aval], _stack, guarded)[0]
        for k, v in enumerate(eqn.outvars[count:])
    ]
    return [*carry, *stacked]


def _row(flat: Flat, eqn: Any, stack: int, i: int, guarded: bool) -> int:
    whole = flat.shapes[stack]
    aval = jax.ShapeDtypeStruct(whole.shape[1:], whole.dtype)
    take = lambda values: [lax.index_in_dim(values[0], i, keepdims=False)]
    return _append(flat, eqn, "slice", [stack], [aval], take, guarded)[0]


def _stack(values: list) -> list:
    return [jnp.stack(values)]
