"""The array library that a computation belongs to: NumPy where it runs on the host, JAX where it is traced."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.jaxpr import Tracer


def on_host(*arrays: Any) -> bool:
    """Whether all of the arrays are NumPy's."""
    for array in arrays:  # noqa: SIM110 (asked so often that a generator would be felt)
        if not isinstance(array, np.ndarray):
            return False
    return True


def namespace(*arrays: Any) -> Any:
    """`numpy` for NumPy's arrays, else `jax.numpy`.

    Example:
        >>> namespace(np.ones(3)).__name__, namespace(np.ones(3), jnp.ones(3)).__name__
        ('numpy', 'jax.numpy')
    """
    return np if on_host(*arrays) else jnp


def joined(*parts: Any, size: int = 1) -> Any:
    """Concatenate along axis 1, repeating shared parts where another one is batched, or `size` times.

    Example:
        >>> joined(np.zeros((1, 2)), np.ones((3, 1))).tolist()
        [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]
    """
    size, xp = max(size, *[len(part) for part in parts]), namespace(*parts)
    whole = [part if len(part) == size else xp.broadcast_to(part, (size, *part.shape[1:])) for part in parts]
    return xp.concatenate(whole, 1)


def lies_here(x: Any) -> bool:
    """Whether the values of an array are known, in memory that NumPy reads, and tied to no device."""
    if isinstance(x, np.ndarray):
        return True
    here = isinstance(x, jax.Array) and not isinstance(x, Tracer)
    return here and not x.committed and all(device.platform == "cpu" for device in x.devices())


def known(arrays: Sequence) -> list:
    """NumPy's views of the arrays if the values of all of them lie here, else the arrays as they are.

    Example:
        >>> [type(a).__name__ for a in known([jnp.ones(2), np.ones(2)])]
        ['ndarray', 'ndarray']
    """
    return [np.asarray(x) for x in arrays] if all(map(lies_here, arrays)) else list(arrays)


def placed(arrays: Any) -> Any:
    """JAX's arrays of a tree of NumPy's.

    Shapes that are met often are worth a compiled function that does nothing, which takes a tenth of the time.
    """
    leaves, treedef = jax.tree.flatten(arrays)
    kinds = tuple((leaf.shape, leaf.dtype) for leaf in leaves)
    _met[kinds] = _met.get(kinds, 0) + 1
    if _met[kinds] < OFTEN or _is_watched():
        return jax.device_put(arrays)
    return treedef.unflatten(_unchanged(leaves))


OFTEN = 16
_met: dict[tuple, int] = {}
_unchanged = jax.jit(lambda leaves: leaves, inline=True)


def _is_watched() -> bool:
    """Whether compiled functions are not compiled, or stop at values that are no numbers."""
    config: Any = jax.config
    return config.jax_disable_jit or config.jax_debug_nans or config.jax_debug_infs


def repeated(going: Callable, step: Callable, carry: Any) -> Any:
    """What `step` makes of the tuple `carry` while `going` says so."""
    if not on_host(carry[0]):
        return jax.lax.while_loop(going, step, carry)
    while going(carry):
        carry = step(carry)
    return carry


def either(condition: Any, changed: Callable, kept: Any) -> Any:
    """What `changed()` returns if the condition holds, else what is `kept`, which has the same shapes."""
    if isinstance(condition, np.bool_):
        return changed() if condition else kept
    return jax.lax.cond(condition, lambda _: changed(), lambda kept: kept, kept)
