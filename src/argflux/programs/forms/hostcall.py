"""Calls of NumPy functions from compiled programs, with float64 arrays passed on where they lie."""

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from argflux.jaxpr import Primitive, ShapedArray, mlir
from argflux.programs.forms.arrays import on_host

host_p = Primitive("argflux_host")
host_p.multiple_results = True


def host_call(
    function: Callable, shapes: Sequence[tuple], *operands: Any, effect: bool = False, **static: Any
) -> list[jax.Array]:
    """Call `function(*arrays, **static)` on the host, at once where the operands are NumPy's.

    The arrays are read-only views of XLA's own memory, which are gone when the call returns. Unlike
    `jax.pure_callback` no JAX code runs on the way, which could wait for the thread that it runs on, and float64
    stays float64 whatever the x64 setting is there.

    Args:
        function: takes NumPy arrays, returns a sequence of float64 and int32 arrays; module level, so that two
            traces call the same.
        shapes: shape and dtype of each result.
        operands: arrays.
        effect: whether each call counts: it is neither left out nor made one with another that looks the same.
        static: hashable keywords.
    """
    if on_host(*operands):
        return list(function(*operands, **static))
    named = {"function": function, "shapes": tuple(shapes), "keywords": tuple(sorted(static.items()))}
    results = host_p.bind(*operands, **named, effect=effect, door=_door.get())
    kinds = [np.dtype(dtype) for _, dtype in shapes]
    return [_unpack(y) if kind.itemsize == 8 else y for y, kind in zip(results, kinds, strict=True)]


def _unpack(y: jax.Array) -> jax.Array:
    return lax.bitcast_convert_type(y, jnp.float64)


def _pack(y: Any) -> np.ndarray:
    """Results of eight bytes travel as pairs of integers, which the x64 setting leaves alone."""
    y = np.ascontiguousarray(y)
    return y.view(np.uint32).reshape(*y.shape, 2) if y.dtype.itemsize == 8 else y


def _abstract(*_, function, shapes, keywords, effect, door):
    kinds = [(shape, np.dtype(dtype)) for shape, dtype in shapes]
    return [ShapedArray((*s, 2), np.dtype(np.uint32)) if d.itemsize == 8 else ShapedArray(s, d) for s, d in kinds]


def _lower(ctx, *operands, function, shapes, keywords, effect, door):
    def call(*arrays):
        return tuple(_pack(y) for y in function(*map(np.asarray, arrays), **dict(keywords)))

    if door is not None:
        return door.lower(ctx, call, operands)
    results, _, _ = mlir.emit_python_callback(
        ctx, call, None, list(operands), ctx.avals_in, ctx.avals_out, has_side_effect=effect, returns_token=False
    )
    return results


host_p.def_abstract_eval(_abstract)
mlir.register_lowering(host_p, _lower, cacheable=False)


class Door:
    """One call of the host that a compiled program makes, for all that its parts ask for while it is partitioned.

    What XLA's partitioner compiles for a device knows nothing of calls that were not there before: those go through
    this one, and say by a number which they are.
    """

    def __init__(self, context: Any):
        self.calls: list[Callable] = []
        self.index = len(context.module_context.host_callbacks)
        context.module_context.add_host_callback(lambda number, *arrays: self.calls[int(number)](*arrays))

    def lower(self, context: Any, call: Callable, operands: Sequence[Any]) -> Any:
        """Lower a call for one device."""
        kind = "cpu" if context.module_context.platforms[0] == "cpu" else "gpu"
        lowering = jax.ffi.ffi_lowering(f"xla_ffi_python_{kind}_callback")
        number = mlir.ir_constant(np.int32(len(self.calls)))
        self.calls.append(call)
        avals = [ShapedArray((), np.dtype(np.int32)), *context.avals_in]
        return lowering(context.replace(avals_in=avals), number, *operands, index=np.uint64(self.index))

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Let calls of the host that are traced meanwhile go through this one."""
        token = _door.set(self)
        try:
            yield
        finally:
            _door.reset(token)


_door: ContextVar[Door | None] = ContextVar("the call of the host that others go through", default=None)


def share(work: Callable[[Iterator[int]], None], count: int, threads: int, here: bool = True) -> None:
    """Run `work` over the numbers below `count` on several threads, each taking the next number that is left.

    The caller's thread is one of them, if it is to work `here`.
    """
    left = iter(range(count))
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work(left)
        except BaseException as error:
            failures.append(error)

    helpers = [threading.Thread(target=run, daemon=True) for _ in range(min(threads, count) - here)]
    for helper in helpers:
        helper.start()
    if here:
        run()
    for helper in helpers:
        helper.join()
    if failures:
        raise failures[0]


@functools.cache
def cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
