"""Families of starts: rules that draw the weights of a given network anew."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax import Array

from argflux.errors import ArgumentError
from argflux.keywords import explained
from argflux.kinds import shortened, takes
from argflux.nn import initialisers
from argflux.nn.initialisers import nfan
from argflux.patterns.design.design import design_weights
from argflux.tree import is_array, is_differentiable, named_leaves
from argflux.userlayer import register_layers

Draw = Callable[[Array, Any, np.ndarray], Any]
_DESIGNED = re.compile(r"designed:(\S+)")
_GAIN = math.sqrt(2.0)


@dataclass(frozen=True)
class Family:
    """Starts drawn by one rule.

    Attributes:
        name: what it is called in records, tables and figures.
        draw: `draw(key, network, x)` returns the network with new weights; `x` is a sample of the training inputs.
        batched: whether `draw` may be mapped over keys by `jax.vmap`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from argflux import nn
        >>> from argflux.patterns import Family
        >>> halved = Family("halved", lambda key, m, x: jax.tree.map(lambda w: 0.5 * w, m))
        >>> halved.draw(jax.random.key(0), nn.Dense(jnp.ones((2, 3))), None).weight[0].tolist()
        [0.5, 0.5, 0.5]
    """

    name: str
    draw: Draw
    batched: bool = True

    def __post_init__(self) -> None:
        if not takes(self.draw, None, None, None):
            got, todo = f"draw={shortened(self.draw)}", "let it take these three"
            raise ArgumentError(got, "a function draw(key, network, x)", todo, where=f"Family {self.name}")


@explained
def redraw(network: Any, key: Array, init: Callable, biases: bool = False) -> Any:
    """Draw the weights of a network anew: matrices and filters by `init`, biases 0.

    Args:
        network: any tree; vectors that are no bias stay as they are.
        key: of the draw; every array has its own part of it.
        init: `(key, shape, dtype) -> array`.
        biases: whether biases are drawn too, from U(±1 / √fan-in), as PyTorch does.

    Example:
        >>> import jax
        >>> from argflux import nn
        >>> from argflux.patterns import redraw
        >>> redraw(nn.Dense(3, 2), jax.random.key(0), nn.initialisers.ones).weight.tolist()
        [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    leaves, treedef = jax.tree.flatten(register_layers(network))
    names = [name for name, _ in named_leaves(network)]
    fan_in, drawn = 1, []
    for place, (name, leaf) in enumerate(zip(names, leaves, strict=True)):
        part = jax.random.fold_in(key, place)
        if not (is_array(leaf) and is_differentiable(leaf)):
            drawn.append(leaf)
        elif leaf.ndim >= 2:
            fan_in = nfan(leaf.shape)[0]
            drawn.append(init(part, leaf.shape, leaf.dtype))
        else:
            drawn.append(_vector(name, leaf, part, fan_in if biases else None))
    return treedef.unflatten(drawn)


def _vector(name: str, leaf: Any, key: Array, fan_in: int | None) -> Any:
    if not name.endswith("bias"):
        return leaf
    if fan_in is None:
        return initialisers.zeros(key, leaf.shape, leaf.dtype)
    bound = 1.0 / math.sqrt(fan_in)
    return jax.random.uniform(key, leaf.shape, leaf.dtype, -bound, bound)


def _by(name: str, init: Callable, biases: bool = False) -> Family:
    return Family(name, lambda key, network, x: redraw(network, key, init, biases))


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        _by("uniform", initialisers.uniform, biases=True),
        _by("kaiming_uniform", initialisers.kaiming_uniform),
        _by("kaiming_normal", initialisers.kaiming_normal),
        _by("glorot_uniform", initialisers.glorot_uniform),
        _by("glorot_normal", initialisers.glorot_normal),
        _by("lecun_normal", initialisers.lecun_normal),
        _by("orthogonal", initialisers.orthogonal(gain=_GAIN)),
    )
}


def designed_family(kappa: float) -> Family:
    """Return the family of starts that linear programs choose, from a Kaiming start each.

    Args:
        kappa: how much a pre-activation below the margin costs, see `design_weights`; at 0 the programs only choose
            vertices near the start, and zeros do not count.

    Raises:
        ArgumentError: for a negative price, or one that is no number.

    Example:
        >>> from argflux.patterns.study.families import designed_family
        >>> designed_family(0.5).name
        'designed:0.5'
    """
    if not (kappa >= 0 and math.isfinite(kappa)):
        todo = "pass 0 for no price on zeros"
        raise ArgumentError(f"kappa={kappa}", "a finite number, at least 0", todo, where="designed")

    def draw(key: Array, network: Any, x: np.ndarray) -> Any:
        first, second = jax.random.split(key)
        start = redraw(network, first, initialisers.kaiming_normal)
        return design_weights(start, x, key=second, kappa=kappa, progress=False)[0]

    return Family(f"designed:{kappa:g}", draw, batched=False)


def families_of(given: Iterable[str | Family] | Mapping[str, Draw]) -> tuple[Family, ...]:
    """Return the families that names, Family objects or a dict of functions stand for.

    Raises:
        ArgumentError: for an unknown name, none, or one twice.

    Example:
        >>> from argflux.patterns.study.families import families_of
        >>> [family.name for family in families_of(["uniform", "designed:2"])]
        ['uniform', 'designed:2']
    """
    if isinstance(given, str):
        given = [given]
    if isinstance(given, Mapping):
        found = tuple(Family(str(name), draw) for name, draw in given.items())
    else:
        found = tuple(family if isinstance(family, Family) else _named(family) for family in given)
    names = [family.name for family in found]
    if not names or len(set(names)) < len(names):
        got = f"families {', '.join(names)}" if names else "no families"
        raise ArgumentError(got, "one or more, each once", "list them by name", where="study_initialisations")
    return found


def _named(name: Any) -> Family:
    if name in FAMILIES:
        return FAMILIES[name]
    if match := _DESIGNED.fullmatch(str(name)):
        return designed_family(_number(name, match[1]))
    known = f"one of {', '.join(FAMILIES)}, or designed:KAPPA"
    raise ArgumentError(repr(name), known, "correct the name, or pass a Family", where="families")


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        todo = "write it like designed:1"
        raise ArgumentError(repr(name), "designed:KAPPA, KAPPA at least 0", todo, where="families") from error
