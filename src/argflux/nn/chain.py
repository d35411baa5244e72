"""Chain: layers one after another."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
from jax.tree_util import DictKey, SequenceKey

from argflux.errors import ArgfluxError, ArgumentError, DtypeError
from argflux.keywords import explained
from argflux.module import Module
from argflux.nn.show import label, summary
from argflux.userlayer import is_function, register_layers


class Layers(tuple):
    """The layers of a chain: a tuple, with names or without, of which plain functions are no leaves."""

    names: tuple[str, ...]

    def __new__(cls, layers: Iterable[Any], names: Iterable[str] = ()) -> "Layers":
        """Hold layers, with one name for each or with none."""
        made = super().__new__(cls, layers)
        made.names = tuple(names)
        return made

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Layers(tuple(self)[index], self.names[index])
        if isinstance(index, str):
            return super().__getitem__(self._position(index))
        return super().__getitem__(index)

    def _position(self, name: str) -> int:
        if name not in self.names:
            known = ", ".join(map(repr, self.names)) or "positions only, as no layer has a name"
            raise ArgumentError(f"name {name!r}", known, "index with one of these", where="Chain")
        return self.names.index(name)

    def key(self, position: int) -> Any:
        """Return the key of a layer in the paths of leaves."""
        return DictKey(self.names[position]) if self.names else SequenceKey(position)

    def name(self, position: int) -> str:
        """Return the path of a layer, from the container that holds it."""
        return f"layers{self.key(position)}"

    def call(self, position: int, *inputs: Any) -> Any:
        """Apply one of the layers; its errors say which it was."""
        layer = self[position]
        try:
            return layer(*inputs)
        except ArgfluxError as error:
            raise _located(error, self.name(position)) from None
        except Exception as error:
            error.add_note(f"in {self.name(position)}, {label(layer)}")
            raise


def _flatten_with_keys(layers: Layers) -> tuple:
    functions = tuple((i, layer) for i, layer in enumerate(layers) if is_function(layer))
    positions = {i for i, _ in functions}
    children = tuple((layers.key(i), layer) for i, layer in enumerate(layers) if i not in positions)
    return children, (len(layers), layers.names, functions)


def _unflatten(structure: tuple, children: Iterable[Any]) -> Layers:
    count, names, functions = structure
    kept, rest = dict(functions), iter(children)
    return Layers([kept[i] if i in kept else next(rest) for i in range(count)], names)


jax.tree_util.register_pytree_with_keys(Layers, _flatten_with_keys, _unflatten)


@explained
class Chain(Module):
    """Layers one after another: `Chain(f, g)(x)` is g(f(x)).

    A layer is anything callable on one argument: a layer of this library, an Equinox module, a dataclass with
    `__call__`, another chain, or a plain function. Functions belong to the structure of the tree and are no
    leaves, so `jax.grad`, `jax.jit` and `jax.tree.map` take a chain as it is.

    Args:
        *layers: the layers in order.
        **named: or else the layers by name, in order.

    Raises:
        ArgumentError: if some layers have names and others have not.
        DtypeError: for a layer that cannot be called, or a class in place of its instance.

    Example:
        >>> from argflux import nn
        >>> m = nn.Chain(nn.Dense(10, 5, nn.relu), nn.Dense(5, 2), nn.softmax)
        >>> m[0], m[2] is nn.softmax, len(m[1:])
        (Dense(10 => 5, relu), True, 2)
        >>> nn.Chain(enc=nn.Dense(10, 5), dec=nn.Dense(5, 10))["enc"]
        Dense(10 => 5)
    """

    layers: Layers

    def __init__(self, *layers: Callable, **named: Callable):
        self.layers = checked_layers("Chain", layers, named)

    def __call__(self, x: Any) -> Any:
        """Apply the layers in order."""
        for position in range(len(self)):
            x = self.layers.call(position, x)
        return x

    def __getitem__(self, index: int | str | slice) -> Any:
        found = self.layers[index]
        if not isinstance(index, slice):
            return found
        return Chain(**dict(zip(found.names, found, strict=True))) if found.names else Chain(*found)

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.layers)

    def children(self) -> list[tuple[str, Any]]:
        """Return (name, layer) pairs, as `summary` lists them; a layer without a name has the name ''.

        Example:
            >>> from argflux import nn
            >>> nn.Chain(act=nn.relu).children()[0][0]
            'act'
        """
        return list(zip(self.layers.names or [""] * len(self), self.layers, strict=True))

    def __repr__(self) -> str:
        return summary(self)


def checked_layers(container: str, layers: Sequence[Any], named: Mapping[str, Any]) -> Layers:
    """Return the layers of a container, given by position or else by name.

    Example:
        >>> from argflux import nn
        >>> from argflux.nn.chain import checked_layers
        >>> checked_layers("Chain", [nn.Dense(2, 3)], {})
        (Dense(2 => 3),)
    """
    if layers and named:
        got = f"{len(layers)} layers without a name and {', '.join(named)}"
        raise ArgumentError(got, "names for all layers or for none", "name them all", where=container)
    checked = register_layers(Layers(layers or named.values(), named))
    for position, layer in enumerate(checked):
        _check_layer(f"{container} {checked.name(position)}", layer)
    return checked


def _check_layer(where: str, layer: Any) -> None:
    if isinstance(layer, type):
        todo = f"make one: {layer.__name__}(…)"
        raise DtypeError(f"the class {layer.__name__}", "a layer", todo, where=where)
    if not callable(layer):
        container, todo = where.split()[0], "pass a layer or a function"
        if isinstance(layer, dict):
            todo = f"unpack it: {container}(**layers)"
        elif isinstance(layer, Iterable) and not isinstance(layer, str):
            todo = f"unpack it: {container}(*layers)"
        raise DtypeError(f"{type(layer).__name__} {layer!r}", "something callable", todo, where=where)


def _located(error: ArgfluxError, name: str) -> ArgfluxError:
    """Return the same error, its place prefixed with the layer of the chain it came from."""
    if not error.where:
        where = name
    else:
        where = f"{name}.{error.where}" if error.where.startswith("layers[") else f"{name} {error.where}"
    located = type(error)(error.got, error.expected, error.todo, where=where)
    return located.with_traceback(error.__traceback__)
