"""Work on a batch that is dealt out over devices: each does its own part where it lies, and nothing is gathered."""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from jax.experimental.custom_partitioning import custom_partitioning
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as Spec

from argflux.programs.forms.hostcall import Door


def dealt(context: Any, run: Callable, operands: Sequence[Any], results: Sequence[Any]) -> Callable:
    """The same function for XLA's partitioner, which runs it on each device's part of the batch.

    The partitioner asks for the shapes of the whole alone, and takes no constants there.

    Args:
        context: in which the function is lowered.
        run: takes arrays with a leading axis of length 1 or batch, returns a list of arrays with one of the batch.
        operands: their shapes, with `ndim`.
        results: likewise.
    """
    batch = max(operand.shape[0] for operand in operands)
    mapped, door = [operand.shape[0] == batch for operand in operands], Door(context)
    whole = custom_partitioning(lambda *_: tuple(jnp.zeros(result.shape, result.dtype) for result in results))

    def spread(arguments: Sequence[Any]) -> Spec:
        specs = [a.sharding.spec for a, on in zip(arguments, mapped, strict=True) if on and a.sharding is not None]
        return next((Spec(spec[0]) for spec in specs if len(spec) and spec[0] is not None), Spec())

    def local(*arrays: Any) -> tuple:
        with door.open():
            return tuple(run(*arrays))

    def partition(mesh: Any, arguments: Sequence[Any], _: Any) -> tuple:
        on, off = (NamedSharding(mesh, spec) for spec in (spread(arguments), Spec()))
        return mesh, local, (on,) * len(results), tuple(on if m else off for m in mapped)

    def infer(mesh: Any, arguments: Sequence[Any], _: Any) -> tuple:
        return (NamedSharding(mesh, spread(arguments)),) * len(results)

    rule, others = _rule(operands, mapped, results)
    whole.def_partition(partition, infer, sharding_rule=rule, need_replication_factors=others)
    return whole


def _rule(operands: Sequence[Any], mapped: list[bool], results: Sequence[Any]) -> tuple[str, tuple[str, ...]]:
    """In Shardy's notation: the leading axis of what is mapped is one, all other axes stand for themselves."""
    others = []

    def axes(array: Any, on: bool) -> str:
        names = [f"o{len(others) + i}" for i in range(array.ndim - on)]
        others.extend(names)
        return " ".join(["batch"] * on + names)

    left = ", ".join(axes(operand, on) for operand, on in zip(operands, mapped, strict=True))
    return f"{left} -> {', '.join(axes(result, True) for result in results)}", tuple(others)


def devices_of(context: Any) -> int:
    """Over how many devices XLA's partitioner will deal out what is lowered in this context."""
    return len(getattr(context.module_context.axis_context, "device_assignment", None) or [0])
