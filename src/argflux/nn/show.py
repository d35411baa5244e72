"""Models as text: the tree of layers, with the number of parameters of each and the totals."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.jaxpr import Tracer
from argflux.keywords import explained
from argflux.tree import buffer_flags, tied_names
from argflux.userlayer import register_layers


@explained
def show(model: Any) -> None:
    """Print a model's layers with their parameter counts, as `summary` writes them.

    Example:
        >>> from argflux.nn import show
        >>> from argflux import nn
        >>> show(nn.Dense(10, 5))
        Dense(10 => 5)  # 55 parameters
    """
    print(summary(model))


@explained
def summary(model: Any) -> str:
    """Write a model as a tree: a layer a line, its number of parameters, the totals at the end.

    A count is followed by (all zero), (some NaN) or (some Inf) where that is so. Parameters are floating
    arrays; other arrays are counted apart. An array at two places is counted at both, and said to be one. Works on
    any Equinox module, dataclass, list or dict, also while JAX is tracing.

    Example:
        >>> from argflux.nn import summary
        >>> from argflux import nn
        >>> print(summary(nn.Chain(nn.Dense(10, 5, nn.relu), nn.Dense(5, 2))))
        Chain(
          Dense(10 => 5, relu),  # 55 parameters
          Dense(5 => 2),         # 12 parameters
        )  # Total: 4 arrays, 67 parameters, 268 bytes.
    """
    lines = _lines("", register_layers(model), 0)
    if len(lines) == 1:
        return _with_note(*lines[0], width=0)
    last, _ = lines.pop()
    width = max(len(text) for text, note in lines if note) if any(note for _, note in lines) else 0
    return "\n".join([*(_with_note(*line, width=width) for line in lines), f"{last}  # {_totals(model)}"])


@explained
def label(layer: Any) -> str:
    """Write a layer, function or value in a few words: `Dense(10 => 5, relu)`, `relu`, `(3, 2)`.

    Example:
        >>> from argflux.nn import label
        >>> from argflux import nn
        >>> label(nn.relu), label(nn.Dense(10, 5))
        ('relu', 'Dense(10 => 5)')
    """
    layer = _unwrapped(layer)
    if hasattr(layer, "label") and not isinstance(layer, type):
        return layer.label()
    if _is_arraylike(layer):
        return str(tuple(layer.shape))
    if dataclasses.is_dataclass(layer) and not isinstance(layer, type):
        return f"{type(layer).__name__}({', '.join(map(_field_label, _children(layer)))})"
    if isinstance(layer, functools.partial):
        options = [f"{name}={label(value)}" for name, value in layer.keywords.items()]
        return f"{label(layer.func)}({', '.join([*map(label, layer.args), *options])})"
    return getattr(layer, "__name__", None) or (type(layer).__name__ if callable(layer) else repr(layer))


def _lines(name: str, node: Any, depth: int) -> list[tuple[str, str]]:
    """Return (text, note) for each line of a node."""
    node = _unwrapped(node)
    indent, comma = "  " * depth, "," if depth else ""
    if not any(_is_layered(child) for _, child in _children(node)):
        return [(indent + _field_label((name, node)) + comma, _count_note(node))]
    opening, closing = _brackets(node)
    head = f"{name} = " if name else ""
    parts = [child for child in _children(node) if _is_shown(child[1])]
    inner = [line for child in parts for line in _lines(*child, depth + 1)]
    return [(f"{indent}{head}{opening}", ""), *inner, (f"{indent}{closing}{comma}", "")]


def _children(node: Any) -> list[tuple[str, Any]]:
    """Return the named parts of a node; positional parts have the name ''."""
    node = _unwrapped(node)
    if hasattr(node, "children"):
        return node.children()
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        fields = [(f.name, getattr(node, f.name, None)) for f in dataclasses.fields(node)]
        return [(name, value) for name, value in fields if value is not None]
    if isinstance(node, list | tuple):
        return [("", value) for value in node]
    if isinstance(node, dict):
        return [(str(key), value) for key, value in node.items()]
    return []


def _is_layered(node: Any) -> bool:
    """Say whether a node is a layer, or a list or dict that holds one."""
    node = _unwrapped(node)
    if isinstance(node, list | tuple | dict):
        return any(_is_layered(child) for _, child in _children(node))
    return dataclasses.is_dataclass(node) and not isinstance(node, type)


def _brackets(node: Any) -> tuple[str, str]:
    if isinstance(node, dict):
        return "{", "}"
    if isinstance(node, list | tuple):
        return "[", "]"
    return f"{type(node).__name__}(", ")"


def _field_label(child: tuple[str, Any]) -> str:
    name, value = child
    if not name:
        return label(value)
    return f"{name}: {label(value)}" if _is_arraylike(value) else f"{name} = {label(value)}"


def _is_shown(value: Any) -> bool:
    """Say whether a part gets a line of its own; numbers, strings and flags get none."""
    return not isinstance(value, int | float | str)


def _unwrapped(node: Any) -> Any:
    """Return the function inside a `jax.tree_util.Partial` that only carries a function."""
    if isinstance(node, jax.tree_util.Partial) and not node.args and not node.keywords:
        return node.func
    return node


def _is_arraylike(leaf: Any) -> bool:
    return hasattr(leaf, "shape") and hasattr(leaf, "dtype")


def _arrays(node: Any) -> tuple[list, list]:
    """Return the parameters of a node and its other arrays."""
    leaves = zip(jax.tree.leaves(node), buffer_flags(node), strict=True)
    arrays = [
        (leaf, not held and jnp.issubdtype(leaf.dtype, jnp.floating)) for leaf, held in leaves if _is_arraylike(leaf)
    ]
    return [a for a, trained in arrays if trained], [a for a, trained in arrays if not trained]


def _count_note(node: Any) -> str:
    parameters, others = _arrays(node)
    notes = []
    if parameters:
        notes.append(_counted(sum(a.size for a in parameters), "parameter") + _flags(parameters))
    if others:
        notes.append(_counted(sum(a.size for a in others), "value") + " not trained")
    return ", plus ".join(notes)


def _flags(arrays: list) -> str:
    values = [np.asarray(a) for a in arrays if _is_readable(a)]
    if len(values) < len(arrays) or not sum(v.size for v in values):
        return ""
    if all((v == 0).all() for v in values):
        return " (all zero)"
    nan = " (some NaN)" if any(np.isnan(v).any() for v in values) else ""
    return nan + (" (some Inf)" if any(np.isinf(v).any() for v in values) else "")


def _is_readable(array: Any) -> bool:
    """Say whether an array has values here and now: not a tracer, not a bare shape, not donated."""
    if isinstance(array, Tracer | jax.ShapeDtypeStruct):
        return False
    return not (isinstance(array, jax.Array) and (array.is_deleted() or not array.is_fully_addressable))


def _totals(model: Any) -> str:
    parameters, others = _arrays(model)
    arrays, size = _counted(len(parameters), "array"), sum(a.size for a in parameters)
    plus = f", plus {_counted(len(others), 'array')} not trained" if others else ""
    ties = "".join(f" {' and '.join(names)} are one array." for names in tied_names(model))
    return f"Total: {arrays}, {_counted(size, 'parameter')}{plus}, {_bytes([*parameters, *others])}.{ties}"


def _counted(number: int, noun: str) -> str:
    return f"{number:_} {noun}" if number == 1 else f"{number:_} {noun}s"


def _bytes(arrays: list) -> str:
    number = sum(a.size * a.dtype.itemsize for a in arrays)
    if number < 1024:
        return f"{number} bytes"
    power = min(4, int(np.log2(number)) // 10)
    return f"{number / 1024**power:.3f} {('', 'KiB', 'MiB', 'GiB', 'TiB')[power]}"


def _with_note(text: str, note: str, width: int) -> str:
    return f"{text:<{width}}  # {note}" if note else text
