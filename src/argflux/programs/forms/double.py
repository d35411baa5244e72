"""Primitives whose inside runs in float64, whatever the caller's dtype and the x64 setting, on one batch axis."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from argflux.jaxpr import Primitive, ShapedArray, aval_like, batching, mlir
from argflux.programs.forms.arrays import lies_here, on_host, placed
from argflux.programs.forms.dealt import dealt, over_devices


def double_primitive(name: str, run: Callable, outputs: Callable, known: Callable) -> Primitive:
    """Make a primitive of `run(*arrays, **params) -> list`, traced in float64 when it is lowered.

    Every operand has a leading axis of length 1 (shared by the batch) or of the batch's length; every output has
    the batch's length. `vmap`, nested or not, only lengthens that axis.

    Args:
        name: the primitive's name.
        run: takes float64 (and integer) arrays, returns a list of arrays.
        outputs: `outputs(batch, dtype, **params)` lists a shape and dtype per output; `dtype` is the caller's.
        known: `known(*operands, **params)` says whether `run` takes these as NumPy's arrays, uncompiled, where their
            values are known on a CPU.
    """
    primitive = Primitive(name)
    primitive.multiple_results = True

    def declared(avals, params):
        dtype = next(a.dtype for a in avals if jnp.issubdtype(a.dtype, jnp.floating))
        return outputs(max(a.shape[0] for a in avals), dtype, **params)

    def staged(*operands, **params):
        kinds = declared(operands, params)
        ys = run(*map(_widen, operands), **params)
        return [lax.convert_element_type(y, kind[1]) for y, kind in zip(ys, kinds, strict=True)]

    def abstract(*avals, **params):
        return [aval_like(avals, *kind) for kind in declared(avals, params)]

    def doubled(*operands, **params):
        with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            return staged(*operands, **params)

    def lower(ctx, *args, **params):
        avals = [ShapedArray(aval.shape, aval.dtype) for aval in ctx.avals_in]
        ctx, run = ctx.replace(avals_in=avals), functools.partial(doubled, **params)
        if max(aval.shape[0] for aval in avals) > 1 and (several := over_devices(ctx)) is not None:
            ctx, run = several, dealt(several, run, avals, ctx.avals_out)
        with jax.enable_x64(True):
            return mlir.lower_fun(run, multiple_results=True)(ctx, *args)

    @functools.lru_cache(maxsize=256)
    def compiled(keywords):
        return jax.jit(lambda *operands: primitive.bind(*operands, **dict(keywords)))

    def evaluate(*operands, **params):
        if all(map(lies_here, operands)) and known(*operands, **params) and not _debugs_nans():
            with np.errstate(all="ignore"):
                ys = run(*map(_read, operands), **params)
            ys = [np.asarray(y, kind) for y, (_, kind) in zip(ys, declared(operands, params), strict=True)]
            return ys if on_host(*operands) else placed(ys)
        with jax.disable_jit(False):
            return compiled(tuple(sorted(params.items())))(*operands)

    primitive.def_abstract_eval(abstract)
    primitive.def_impl(evaluate)
    mlir.register_lowering(primitive, lower)
    batching.primitive_batchers[primitive] = functools.partial(_batch, primitive, declared)
    return primitive


def _debugs_nans() -> bool:
    return jax.config.jax_debug_nans  # pyright: ignore[reportAttributeAccessIssue]


def _read(x: Any) -> np.ndarray:
    return np.asarray(x, np.float64 if jnp.issubdtype(x.dtype, jnp.floating) else None)


def _widen(x: Any) -> Any:
    return lax.convert_element_type(x, jnp.float64) if jnp.issubdtype(x.dtype, jnp.floating) else x


def _batch(primitive: Primitive, declared: Callable, values: Any, axes: Any, **params: Any) -> tuple[list, list[int]]:
    """Fold the mapped axis into the leading one, leaving operands that the whole batch shares as they are.

    There is nothing to run for a batch of none.
    """
    mapped = [axis is not None for axis in axes]
    moved = [v if axis is None else jnp.moveaxis(v, axis, 0) for v, axis in zip(values, axes, strict=True)]
    size = next(v.shape[0] for v, on in zip(moved, mapped, strict=True) if on)
    if not size:
        one = [jax.ShapeDtypeStruct(v.shape[on:], v.dtype) for v, on in zip(moved, mapped, strict=True)]
        kinds = declared(one, params)
        return [jnp.zeros((0, *shape), kind) for shape, kind in kinds], [0] * len(kinds)
    inner = max(v.shape[1 if on else 0] for v, on in zip(moved, mapped, strict=True))
    ys = primitive.bind(*_folded(moved, tuple(mapped), size, inner), **params)
    return _unfolded(ys, size, inner), [0] * len(ys)


@functools.partial(jax.jit, static_argnums=(1, 2, 3), inline=True)
def _folded(values: list, mapped: tuple, size: int, inner: int) -> list:
    return [_fold(value, on, size, inner) for value, on in zip(values, mapped, strict=True)]


@functools.partial(jax.jit, static_argnums=(1, 2), inline=True)
def _unfolded(ys: list, size: int, inner: int) -> list:
    return [y.reshape(size, inner, *y.shape[1:]) for y in ys]


def _fold(value: Any, mapped: bool, size: int, inner: int) -> Any:
    if not mapped:
        if value.shape[0] == 1:
            return value
        value = jnp.broadcast_to(value, (size, *value.shape))
    elif value.shape[1] != inner:
        value = jnp.broadcast_to(value, (size, inner, *value.shape[2:]))
    return value.reshape(size * inner if value.shape[1] == inner else size, *value.shape[2:])


def carry(x: Any) -> Any:
    """Pack float64 numbers into integers, which pass any dtype setting unchanged and have no derivative."""
    if on_host(x):
        return np.ascontiguousarray(x).view(np.uint32).reshape(*x.shape, 2)
    return lax.bitcast_convert_type(x, jnp.uint32)


def uncarry(x: Any) -> Any:
    """Unpack what `carry` packed."""
    if on_host(x):
        return np.ascontiguousarray(x).view(np.float64)[..., 0]
    return lax.bitcast_convert_type(x, jnp.float64)
