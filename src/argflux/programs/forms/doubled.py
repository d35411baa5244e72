"""Functions of float64 arrays as one primitive, differentiable to any order, whatever the caller's dtype."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from argflux.autodiff.api import pullback_of_arguments
from argflux.autodiff.registry import runs
from argflux.jaxpr import ad
from argflux.programs.forms.double import double_primitive

Shapes = tuple[tuple[int, ...], ...]


class Made(dict[Any, Any]):
    """What was made once of something that lasts, by key; no tree for JAX, which would look inside."""


@dataclass(frozen=True, eq=False)
class Doubled:
    """A function of arrays with a batch axis, 1 where it is shared, that is traced in float64 where it is lowered.

    Attributes:
        function: from float64 (and integer) arrays to a sequence of float64 arrays, whose batch axes have full length.
        shapes: of the results, without the batch axis.
        linear: how many operands, the last, it is linear in.
    """

    function: Callable[..., Sequence]
    shapes: Shapes
    linear: int = 0
    made: Made = field(default_factory=Made, repr=False)

    def __call__(self, *operands: Any) -> list[jax.Array]:
        """Bind the primitive; the results have the dtype of the first floating operand."""
        return doubled_p.bind(*operands, function=self)

    def along(self, moved: tuple[bool, ...]) -> "Doubled":
        """The derivative in directions of the operands that are `moved`, which follow the operands."""
        if ("along", moved) not in self.made:

            def tangents(*given: Any) -> Sequence:
                operands, directions = given[: len(moved)], given[len(moved) :]
                size = max(map(len, given))
                chosen = [_spread(x, size) for x, on in zip(operands, moved, strict=True) if on]
                function = lambda *chosen: tuple(self.function(*_put(operands, moved, chosen)))
                return jax.jvp(function, tuple(chosen), tuple(_spread(d, size) for d in directions))[1]

            self.made["along", moved] = Doubled(tangents, self.shapes, sum(moved))
        return self.made["along", moved]

    def back(self, wanted: tuple[bool, ...], shapes: Shapes) -> "Doubled":
        """Cotangents of the operands that are `wanted`, of these shapes, from those of the results, which follow."""
        if ("back", wanted) not in self.made:

            def cotangents(*given: Any) -> Sequence:
                operands, seeds = given[: len(wanted)], given[len(wanted) :]
                size = max(map(len, given))
                chosen = [_spread(x, size) for x, on in zip(operands, wanted, strict=True) if on]
                function = lambda *chosen: list(self.function(*_put(operands, wanted, chosen)))
                _, back = pullback_of_arguments(function, *chosen)
                return back([_spread(seed, size) for seed in seeds])

            self.made["back", wanted] = Doubled(cotangents, shapes, len(self.shapes))
        return self.made["back", wanted]


def _spread(x: jax.Array, size: int) -> jax.Array:
    return jnp.broadcast_to(x, (size, *x.shape[1:]))


def _put(operands: Sequence, where: tuple[bool, ...], chosen: Sequence) -> list:
    fresh = iter(chosen)
    return [next(fresh) if on else x for x, on in zip(operands, where, strict=True)]


def _run(*operands: Any, function: Doubled) -> list:
    return list(function.function(*operands))


def _outputs(batch: int, dtype: Any, *, function: Doubled) -> list:
    return [((batch, *shape), dtype) for shape in function.shapes]


doubled_p = double_primitive("argflux_doubled", _run, _outputs, lambda *_, **__: False)


def _jvp(primals, tangents, *, function: Doubled):
    ys = function(*primals)
    moved = tuple(not isinstance(t, ad.Zero) for t in tangents)
    given = [t for t in tangents if not isinstance(t, ad.Zero)]
    if not any(moved):
        return ys, [ad.Zero(jax.typeof(y).to_tangent_aval()) for y in ys]
    return ys, function.along(moved)(*primals, *given)


def _transpose(cotangents, *operands, function: Doubled):
    wanted = tuple(ad.is_undefined_primal(x) for x in operands)
    filled = [jnp.zeros(x.aval.shape, x.aval.dtype) if on else x for x, on in zip(operands, wanted, strict=True)]
    seeds = [c.instantiate() if isinstance(c, ad.Zero) else c for c in cotangents]
    return _pulled(function, filled, seeds, wanted)


def _pulled(function: Doubled, operands: Sequence, seeds: Sequence, wanted: tuple[bool, ...]) -> list:
    """Cotangents of the wanted operands, summed over a batch that shares them; `None` for the others."""
    if not any(wanted):
        return [None] * len(wanted)
    chosen = [x for x, on in zip(operands, wanted, strict=True) if on]
    found = function.back(wanted, tuple(x.shape[1:] for x in chosen))(*operands, *seeds)
    pulled = iter([_fold(x, dx) for x, dx in zip(chosen, found, strict=True)])
    return [next(pulled) if on else None for on in wanted]


def _fold(x: Any, dx: jax.Array) -> jax.Array:
    if dx.shape[0] > 1 and x.shape[0] == 1:
        dx = jnp.sum(dx, 0, keepdims=True)
    return dx.astype(x.dtype)


ad.primitive_jvps[doubled_p], ad.primitive_transposes[doubled_p] = _jvp, _transpose


@runs("argflux_doubled")
def doubled(tape, eqn, nodes):
    """Pull back by the same function's own derivative."""
    values, function = [node.value for node in nodes], eqn.params["function"]
    wanted = tuple(node.slot is not None and jnp.issubdtype(node.value.dtype, jnp.floating) for node in nodes)
    ys = function(*values)

    def back(dys):
        seeds = [jnp.zeros_like(y) if dy is None else dy for y, dy in zip(ys, dys, strict=True)]
        return _pulled(function, values, seeds, wanted)

    return tape.record(eqn, None, nodes, ys, back)
