"""Derivatives of the primitives that solve programs: one linear equation forward, and one back."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.autodiff.registry import runs
from argflux.jaxpr import Primitive, Tracer, ad, aval_like, batching, mlir
from argflux.programs.forms.arrays import namespace

SMOOTH = 4


def linearised(solve_p: Primitive, blocks: int | None, tangent: Callable, pull: Callable) -> None:
    """Give a primitive that solves programs its derivatives, in JAX and in our own engine.

    The first four outputs have derivatives. What is linear in the directions is bound as one equation of a primitive
    of its own, whose transpose is `pull`: JAX, which linearises by recording, then has one equation to record.

    Args:
        solve_p: its outputs are those of `tangent`, and further ones that have no derivative.
        blocks: how many of its operands, the first, it has derivatives with respect to; `None` for all of them.
        tangent: `tangent(operands, outputs, directions, **params)` is the derivative of the first four outputs in the
            directions of the operands, which are numbers or `None` where an operand is an integer.
        pull: `pull(operands, outputs, seeds, wanted, **params)` are the cotangents of the wanted operands, `None` for
            the others; a seed that is `None` is zero.
    """
    tangent_p = _tangent_primitive(f"{solve_p.name}_tangent", tangent, pull)

    def jvp(primals, tangents, **params):
        ys = solve_p.bind(*primals, **params)
        known = len(primals) if blocks is None else blocks
        moved = tuple(i < known and not isinstance(t, ad.Zero) for i, t in enumerate(tangents))
        given = [t for t, on in zip(tangents, moved, strict=True) if on]
        dots = tangent_p.bind(*primals, *ys, *given, moved=moved, **params)
        return ys, [*dots, *[ad.Zero(jax.typeof(y).to_tangent_aval()) for y in ys[SMOOTH:]]]

    ad.primitive_jvps[solve_p] = jvp

    @runs(solve_p.name)
    def solve(tape, eqn, nodes):
        """Pull back the tangent map, which is linear in the tangents of the operands."""
        values, wanted = [node.value for node in nodes], tuple(node.slot is not None for node in nodes)
        ys = solve_p.bind(*values, **eqn.params)
        return tape.record(eqn, None, nodes, ys, lambda dys: pull(values, ys, dys[:SMOOTH], wanted, **eqn.params))


def _tangent_primitive(name: str, tangent: Callable, pull: Callable) -> Primitive:
    """The derivative of known solutions as a primitive; its operands are those of the program, its outputs, and then
    the directions of the operands that are `moved`.
    """
    primitive = Primitive(name)
    primitive.multiple_results = True

    def parts(operands: Sequence, moved: Sequence[bool]) -> tuple[list, list, list]:
        known = len(operands) - sum(moved)
        values, outputs, given = operands[: len(moved)], operands[len(moved) : known], iter(operands[known:])
        return (
            list(values),
            list(outputs),
            [next(given) if on else _zero(x) for on, x in zip(moved, values, strict=True)],
        )

    def run(*operands, moved, **params):
        return list(tangent(*parts(operands, moved), **params))

    def abstract(*avals, moved, **_):
        return [aval_like(avals, y.shape, y.dtype) for y in avals[len(moved) :][:SMOOTH]]

    def jvp(primals, tangents, **params):
        dots = [_zero_tangent(x) if isinstance(t, ad.Zero) else t for t, x in zip(tangents, primals, strict=True)]
        return jax.jvp(lambda *operands: run(*operands, **params), primals, tuple(dots))

    def transpose(cotangents, *operands, moved, **params):
        known = operands[: len(operands) - sum(moved)]
        seeds = [None if isinstance(c, ad.Zero) else c for c in cotangents]
        pulled = pull(known[: len(moved)], known[len(moved) :], seeds, moved, **params)
        return [None] * len(known) + [p for p, on in zip(pulled, moved, strict=True) if on]

    def batch(values, axes, **params):
        ys = jax.vmap(lambda *operands: run(*operands, **params), axes)(*values)
        return ys, [0] * len(ys)

    primitive.def_impl(run)
    primitive.def_abstract_eval(abstract)
    mlir.register_lowering(primitive, mlir.lower_fun(run, multiple_results=True))
    batching.primitive_batchers[primitive] = batch
    ad.primitive_jvps[primitive], ad.primitive_transposes[primitive] = jvp, transpose

    @runs(name)
    def along(tape, eqn, nodes):
        """Run what it is made of."""
        program = jax.make_jaxpr(lambda *operands: run(*operands, **eqn.params))(*[node.value for node in nodes])
        return tape.run_closed(program, nodes)

    return primitive


def _is_real(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jnp.floating)


def _zero(x: Any) -> Any:
    """A direction in which an operand does not move; integers have none."""
    return zeros(x) if _is_real(x) else None


def zeros(x: Any) -> Any:
    """Zeros like an array, NumPy's unless it is traced."""
    return jnp.zeros_like(x) if isinstance(x, Tracer) else np.zeros(x.shape, x.dtype)


def _zero_tangent(x: Any) -> Any:
    """The same as JAX takes it, which has a dtype for what has no direction."""
    return zeros(x) if _is_real(x) else np.zeros(x.shape, jax.dtypes.float0)


def fold(block: Any, cotangent: Any) -> Any:
    """A cotangent in the shape and dtype of its block, summed over a batch that shares the block."""
    xp = namespace(block, cotangent)
    if cotangent.shape[0] > 1 and block.shape[0] == 1:
        cotangent = xp.sum(cotangent, 0, keepdims=True)
    return xp.broadcast_to(cotangent, block.shape).astype(block.dtype)
