"""Listings a person can read: the traced program and the pullback the engine makes of it."""

from collections.abc import Callable, Iterator
from typing import Any

import jax

from argflux.autodiff.closure import captured
from argflux.autodiff.listing import Listing, Names, function_name, operation_name, program_lines, type_name
from argflux.autodiff.source import user_line
from argflux.autodiff.tape import Tape
from argflux.autodiff.trace import Trace, trace
from argflux.keywords import explained
from argflux.tree import is_differentiable, named_leaves


@explained
def code_ir(f: Callable, *args: Any) -> Listing:
    """List the program that `f(*args)` runs: one line per operation, with the user's line it comes from.

    Args:
        f: a function of trees of arrays to a tree of arrays.
        *args: example arguments; only their shapes and dtypes matter.

    Returns:
        A text: inputs and captured arrays by name, then the operations; calls of compiled functions are written
        in place, bodies of loops and branches indented.

    Example:
        >>> import argflux as af, jax.numpy as jnp
        >>> listing = af.code_ir(lambda w, x: jnp.tanh(w @ x), jnp.ones((3, 2)), jnp.ones(2))
        >>> print("\\n".join(line.split("  #")[0].rstrip() for line in listing.splitlines()))
        program of <lambda>
          %1: f32[3,2] = input args[0]
          %2: f32[2] = input args[1]
          %3: f32[3] = dot_general(%1, %2; dimension_numbers=(((1,), (0,)), ((), ())))
          %4: f32[3] = tanh(%3)
          return %4
    """
    traced = trace(f, args, where="code_ir")
    names = Names()
    lines = [f"program of {function_name(f)}", *_inputs(f, traced, names)]
    lines += program_lines(traced.jaxpr, names, "  ")
    return Listing.of(lines)


@explained
def code_pullback(f: Callable, *args: Any) -> Listing:
    """List the pullback of `f(*args)`: the rules in the order in which they run, with the user's lines.

    Args:
        f: a function of trees of arrays to a tree of arrays.
        *args: example arguments; only their shapes and dtypes matter.

    Returns:
        A text. `d%5` is the cotangent of the value `%5`; `+=` adds to what other uses of a value have given. A
        line `d%1, d%2 += dot_general_back(d%3)` says which rule takes which cotangent where.

    Example:
        >>> import argflux as af, jax.numpy as jnp
        >>> listing = af.code_pullback(lambda x: jnp.sum(jnp.sin(x)), jnp.ones(2))
        >>> print("\\n".join(line.split("  #")[0].rstrip() for line in listing.splitlines()))
        pullback of <lambda>
          forward
            %1: f32[2] = input args[0]
            %2: f32[2] = sin(%1)
            %3: f32[] = reduce_sum(%2)
          backward, from d%3
            d%2 += reduce_sum_back(d%3)
            d%1 += sin_back(d%2)
          return d%1
    """
    traced = trace(f, args, where="code_pullback")
    lines: list = []

    def run(arrays):
        tape = Tape(lambda array: True)
        inputs = [tape.variable(x) for x in arrays]
        outputs = tape.run_closed(traced.jaxpr, inputs)
        lines[:] = _pullback_lines(f, traced, tape, [n.slot for n in inputs], [n.slot for n in outputs])

    jax.eval_shape(run, traced.inputs.arrays)
    return Listing.of([f"pullback of {function_name(f)}", *lines])


def _pullback_lines(f, traced: Trace, tape: Tape, inputs, outputs) -> Iterator[str]:
    yield "  forward"
    for slot, array, label in zip(inputs, traced.inputs.arrays, _input_names(traced), strict=True):
        yield f"    %{slot}: {type_name(array)} = {label}"
    names = _captured_names(f)
    for key, node in tape.captured.items():
        yield f"    %{node.slot}: {type_name(node.value)} = captured {names.get(key, 'array')}"
    for step in tape.steps:
        left = ", ".join(f"%{s}" for s in step.outputs if s is not None)
        right = ", ".join("const" if s is None else f"%{s}" for s in step.inputs)
        kind = type_name(step.eqn.outvars[0].aval)
        yield f"    {left}: {kind} = {_step_name(step)}({right})  # {user_line(step.eqn, step.origin)}"
    used = _reached(tape, outputs)
    yield f"  backward, from {', '.join(f'd%{s}' for s in outputs if s is not None) or 'nothing'}"
    for step in reversed(tape.steps):
        if any(s in used for s in step.outputs):
            given = ", ".join(f"d%{s}" for s in step.outputs if s in used)
            taken = ", ".join("_" if s is None else f"d%{s}" for s in step.inputs)
            yield f"    {taken} += {_rule_name(step)}({given})  # {user_line(step.eqn, step.origin)}"
    wanted = [*inputs, *(node.slot for node in tape.captured.values())]
    results = ["zero" if s not in used else f"d%{s}" for s in wanted]
    yield f"  return {', '.join(results)}"


def _reached(tape: Tape, outputs) -> set:
    used = {s for s in outputs if s is not None}
    for step in reversed(tape.steps):
        if any(s in used for s in step.outputs):
            used.update(s for s in step.inputs if s is not None)
    return used


def _inside(step) -> str:
    """Write `relu.` for an equation inside relu's own derivative."""
    custom = step.origin is not None and step.origin.primitive.name == "custom_jvp_call"
    return f"{operation_name(step.origin)}." if custom and step.origin is not step.eqn else ""


def _step_name(step) -> str:
    return _inside(step) + operation_name(step.eqn)


def _rule_name(step) -> str:
    back = getattr(step.back, "__name__", "back") if step.rule is None or step.rule.call else step.rule.function_name
    return _inside(step) + back


def _inputs(f: Callable, traced: Trace, names: Names) -> Iterator[str]:
    jaxpr = traced.jaxpr.jaxpr
    labels = [*_input_names(traced), *_const_names(f, traced)]
    for variable, label in zip([*jaxpr.invars, *jaxpr.constvars], labels, strict=True):
        yield f"  {names.of(variable)}: {type_name(variable.aval)} = {label}"


def _input_names(traced: Trace) -> list[str]:
    tree = traced.inputs.rebuild(traced.inputs.arrays)
    named = [(name, leaf) for name, leaf in named_leaves(tree) if is_differentiable(leaf)]
    roots = {"[0]": "function", "[1]": "args"}
    return [f"input {roots[name[:3]]}{name[3:]}" for name, _ in named]


def _captured_names(f: Callable) -> dict[int, str]:
    """Name the arrays that a function captured, by identity."""
    return {
        id(leaf): f"{name}.{path}".rstrip(".")
        for name, value in captured(f).items()
        for path, leaf in named_leaves(value)
    }


def _const_names(f: Callable, traced: Trace) -> list[str]:
    known = _captured_names(f)
    return [f"captured {known.get(id(c), 'array')}" for c in traced.jaxpr.consts]
