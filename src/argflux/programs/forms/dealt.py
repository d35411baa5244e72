"""Work on a batch that is dealt out over devices: each does its own part where it lies, and nothing is gathered."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.custom_partitioning import custom_partitioning
from jax.sharding import Mesh, NamedSharding
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
    devices = context.module_context.axis_context.device_assignment
    whole = custom_partitioning(lambda *_: tuple(jnp.zeros(result.shape, result.dtype) for result in results))

    def placed(arguments: Sequence[Any]) -> tuple[NamedSharding, NamedSharding]:
        parts = max(_parts(argument) for argument, on in zip(arguments, mapped, strict=True) if on)
        mesh = Mesh(np.array(devices).reshape(parts, -1), ("batch", "copies"))
        return NamedSharding(mesh, Spec("batch")), NamedSharding(mesh, Spec())

    def local(*arrays: Any) -> tuple:
        with door.open():
            return tuple(run(*arrays))

    def partition(_: Any, arguments: Sequence[Any], __: Any) -> tuple:
        on, off = placed(arguments)
        return on.mesh, local, (on,) * len(results), tuple(on if m else off for m in mapped)

    def infer(_: Any, arguments: Sequence[Any], __: Any) -> tuple:
        return (placed(arguments)[0],) * len(results)

    rule, others = _rule(operands, mapped, results)
    whole.def_partition(partition, infer, sharding_rule=rule, need_replication_factors=others)
    return whole


def _parts(argument: Any) -> int:
    """Into how many parts the leading axis of an argument is dealt out."""
    try:
        return argument.shape[0] // argument.sharding.shard_shape(argument.shape)[0]
    except (AttributeError, ValueError):  # it lies nowhere yet, or in parts of different sizes
        return 1


def _rule(operands: Sequence[Any], mapped: list[bool], results: Sequence[Any]) -> tuple[str, tuple[str, ...]]:
    """In Shardy's notation: the leading axis of what is mapped is one, all other axes stand for themselves."""
    others = []

    def axes(array: Any, on: bool) -> str:
        names = [f"o{len(others) + i}" for i in range(array.ndim - on)]
        others.extend(names)
        return " ".join(["batch"] * on + names)

    left = ", ".join(axes(operand, on) for operand, on in zip(operands, mapped, strict=True))
    return f"{left} -> {', '.join(axes(result, True) for result in results)}", tuple(others)


def over_devices(context: Any) -> Any:
    """The context of lowering with the devices that it is for, where XLA's partitioner will deal out what is lowered.

    JAX leaves the devices out, as the same program serves any others; their number is all that matters here. `None`
    for one device, and where the program is that of one device already, inside `shard_map`.
    """
    module = context.module_context
    place, count = module.axis_context, getattr(module.axis_context, "num_devices", 1)
    if count == 1 or count > jax.device_count() or not hasattr(place, "device_assignment"):
        return None
    devices = place.device_assignment or tuple(jax.devices()[:count])
    return context.replace(module_context=module.replace(axis_context=replace(place, device_assignment=devices)))
