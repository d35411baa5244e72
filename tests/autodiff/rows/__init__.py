"""Rows that `test_rules.py` walks: one or more for every primitive that has a rule.

A module of this package holds any of three lists: `ROWS`, `ZERO_ROWS` and `TIES`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Row:
    """A function whose jaxpr contains `primitive`, and a point to differentiate it at.

    `args(rng)` returns a tuple of NumPy arrays; floating ones are differentiated, in float64 and in float32,
    integers and booleans are passed on. `f` returns an array or a tree of arrays. The point must be at least
    1e-2 away from ties and kinks. `order` is the highest derivative checked (0: tested elsewhere).
    `differs` states why JAX's own gradient is not the same (then only finite differences judge).
    `half` says whether float16 and bfloat16 are traced too. `rtol` is for float32 against JAX and grows with
    the conditioning of `f`; `fd` is for float64 against finite differences
    (`None` where rounding hides them). `since` is the first version of JAX that has the primitive, `until` the
    first that has it no longer.
    """

    primitive: str
    name: str
    f: Callable[..., Any]
    args: Callable[[np.random.Generator], tuple]
    order: int = 2
    differs: str = ""
    half: bool = True
    rtol: float = 2e-4
    fd: float | None = 1e-6
    since: tuple[int, ...] = ()
    until: tuple[int, ...] = (99,)


@dataclass(frozen=True)
class ZeroRow:
    """A primitive whose derivative is zero; without `f` it only ever returns integers, booleans or keys."""

    primitive: str
    f: Callable[..., Any] | None = None
    at: tuple[float, ...] = (-1.3, 0.4, 2.2)
    since: tuple[int, ...] = ()
    until: tuple[int, ...] = (99,)


@dataclass(frozen=True)
class Tie:
    """A point where the derivative is a convention: `f(*args)` is summed and `expected` is each gradient."""

    name: str
    f: Callable[..., Any]
    args: tuple
    expected: tuple


def normal(*shape: int, low: float | None = None, high: float | None = None) -> Callable:
    """Draw one array: standard normal, or uniform in `[low, high]`."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        return rng.normal(size=shape) if low is None else rng.uniform(low, high, size=shape)

    return draw


def distinct(*shape: int, gap: float = 0.3) -> Callable:
    """Draw one array whose entries differ from one another and from zero by at least `gap / 3`."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        size = int(np.prod(shape))
        grid = (np.arange(size) - size / 2 + 0.35) * gap
        return rng.permutation(grid + rng.uniform(0, gap / 4, size=size)).reshape(shape)

    return draw


def draws(*makers: Callable) -> Callable:
    """Make the `args` of a row from one `normal`, `distinct` or constant array per argument."""
    return lambda rng: tuple(make(rng) if callable(make) else make for make in makers)
