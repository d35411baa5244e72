"""Rows: what the weights of a layer's units are multiplied by, found for any layer that is linear in its weight."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from argflux.errors import ArgumentError, ShapeError
from argflux.jaxpr import Tracer
from argflux.nn.show import label
from argflux.patterns.sites.sites import find_sites, preactivations
from argflux.tree import is_array, path_name
from argflux.userlayer import register_layers

WHERE = "design_weights"


@dataclasses.dataclass(frozen=True)
class UnitRows:
    """The pre-activations of a layer as an affine function of its weight: rows @ w.T + bias + offset.

    Attributes:
        rows: the layer's input, or its patches, shape (n, columns), float64.
        weight: shape (units, columns), float64.
        bias: shape (units,), float64.
        offset: what the model adds besides, such as the other arm of a skip connection, shape (n, units).
        channels: the axis of the units among the pre-activations of the model.
        biased: whether the layer has a bias.
    """

    rows: np.ndarray
    weight: np.ndarray
    bias: np.ndarray
    offset: np.ndarray
    channels: int = -1
    biased: bool = False

    @property
    def values(self) -> np.ndarray:
        """The pre-activations, shape (n, units)."""
        return self.rows @ self.weight.T + self.bias + self.offset


def by_unit(values: Array, channels: int) -> np.ndarray:
    """Write pre-activations as a matrix, a column a unit."""
    moved = np.moveaxis(np.asarray(values), channels, -1)
    return moved.reshape(-1, moved.shape[-1])


def designable(model: Any, x: Any) -> list[str]:
    """Name the layers that have ReLU-like units right after a `weight` of shape (outputs, inputs, *window).

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> designable(nn.Chain(nn.Dense(3, 4), nn.relu, nn.Dense(4, 1)), jnp.ones((5, 3)))
        ['layers[0]']
    """
    layers = _layers(model)
    names = [site.name for site in find_sites(model, x).units]
    if not names:
        todo = "put relu after the layers to design"
        raise ArgumentError("a model without ReLU-like units", "units that are on or off", todo, where=WHERE)
    found = [name for name in names if name in layers]
    if not found:
        got = f"ReLU-like units at {', '.join(names)} only, where no layer has a weight"
        raise ArgumentError(got, "units of a layer with `weight`, a field of shape (outputs, inputs, *window)",
                            "name the field so", where=WHERE)  # fmt: skip
    return found


def width(model: Any, name: str) -> int:
    """Return the number of units of a layer."""
    return len(_layers(model)[name].weight)


def threshold(model: Any, x: Any, name: str) -> float:
    """Return the pre-activation above which the units of a layer are on."""
    return next(site.corners[0] for site in find_sites(model, x).units if site.name == name)


def unit_rows(model: Any, name: str, x: Array) -> UnitRows:
    """Find the rows of one layer, of which the data passes through the layers before it.

    A layer with a method `patches(x)` says itself what its weight is multiplied by, as (n, ..., columns). Any other
    is called with the identity as its weight, which makes it return just that.

    Raises:
        ArgumentError: for a layer that is not linear in its weight, and one called inside `vmap` or `jit`.
    """
    layer = _layers(model)[name]
    units = len(layer.weight)
    rows, channels = _patches(layer, _input_of(model, name, layer, x), name)
    values = jnp.moveaxis(preactivations(model, x)[name], channels, -1)
    found = _affine(layer, rows, values.reshape(-1, units), channels)
    _check_linear(model, name, x, found)
    return found


def replaced(model: Any, name: str, weight: np.ndarray, bias: np.ndarray) -> Any:
    """Return the model with other weights (units, columns) and biases (units,) in one layer."""
    layer = _layers(model)[name]
    arrays = {"weight": _like(weight, layer.weight)}
    if is_array(getattr(layer, "bias", None)):
        arrays["bias"] = _like(bias, layer.bias)
    return _swap(model, name, _with(layer, arrays))


def redrawn(model: Any, names: list[str], init: Callable, key: Array) -> Any:
    """Return the model with the weights of these layers drawn anew."""
    for number, name in enumerate(names):
        weight = _layers(model)[name].weight
        drawn = jnp.asarray(init(jax.random.fold_in(key, number), weight.shape, weight.dtype))
        if drawn.shape != weight.shape:
            got = f"an array of shape {drawn.shape} from init"
            raise ShapeError(got, f"{weight.shape}", "return that shape", where=f"{WHERE} {name}")
        model = _swap(model, name, _with(_layers(model)[name], {"weight": drawn.astype(weight.dtype)}))
    return model


def _layers(model: Any) -> dict[str, Any]:
    """The nodes of a tree that have a weight, by their path."""
    model = register_layers(model)
    nodes = jax.tree_util.tree_leaves_with_path(model, is_leaf=_has_weight)
    return {path_name(path) or "model": node for path, node in nodes if _has_weight(node)}


def _has_weight(node: Any) -> bool:
    weight: Any = getattr(node, "weight", None)
    return not isinstance(node, type) and is_array(weight) and weight.ndim >= 2 and callable(node)


def _swap(model: Any, name: str, layer: Any) -> Any:
    swap = lambda path, node: layer if (path_name(path) or "model") == name else node
    return jax.tree_util.tree_map_with_path(swap, register_layers(model), is_leaf=_has_weight)


def _with(layer: Any, arrays: dict[str, Array]) -> Any:
    """Return a layer with other arrays in its fields of these names."""
    put = lambda path, leaf: arrays.get(path_name(path), leaf)
    return jax.tree_util.tree_map_with_path(put, layer)


def _like(values: np.ndarray, array: Array) -> Array:
    return jnp.asarray(np.asarray(values).reshape(array.shape), array.dtype)


class _Reached(Exception):
    """Carries the input of a layer out of the model's call."""


@dataclasses.dataclass(frozen=True)
class _Stop:
    """Stands in for a layer and stops the call that reaches it."""

    def __call__(self, x: Any) -> Any:
        raise _Reached(x)


def _input_of(model: Any, name: str, layer: Any, x: Array) -> Array:
    try:
        _swap(model, name, _Stop())(x)
    except _Reached as reached:
        value = reached.args[0]
    else:
        todo = "leave layers that are not called out of the model"
        raise ArgumentError(f"{label(layer)}, which is never called", "a layer that is", todo, where=f"{WHERE} {name}")
    if isinstance(value, Tracer):
        got, todo = f"{label(layer)} called inside vmap or jit", "let the model's call be plain, batch first"
        raise ArgumentError(got, "a layer called on a batch", todo, where=f"{WHERE} {name}")
    return value


def _patches(layer: Any, x: Array, name: str) -> tuple[np.ndarray, int]:
    """Return the rows, shape (n, columns), and the axis of the units in the layer's result."""
    units, columns = len(layer.weight), math.prod(layer.weight.shape[1:])
    if hasattr(layer, "patches"):
        rows = np.asarray(layer.patches(x), np.float64)
        if rows.shape[-1:] != (columns,):
            got, todo = f"patches of shape {rows.shape}", "return what each weight is multiplied by, in its order"
            raise ShapeError(got, f"(..., {columns})", todo, where=f"{WHERE} {name}")
        return rows.reshape(-1, columns), _channels(layer, x)
    wide = columns + (columns == units)
    try:
        values = _before_activation(_with_identity(layer, wide), x)
    except Exception as error:
        got = f"{label(layer)}, which fails with {wide} outputs: {error}"
        todo = "give it a method patches(x), which returns (n, ..., columns)"
        raise ArgumentError(got, "a layer for any number of outputs", todo, where=f"{WHERE} {name}") from error
    channels = _changed_axis(values.shape, jax.eval_shape(_before_activation, layer, x).shape, wide)
    return np.asarray(jnp.moveaxis(values, channels, -1).reshape(-1, wide)[:, :columns], np.float64), channels


def _with_identity(layer: Any, outputs: int) -> Any:
    """Return the layer with unit vectors as its weight, and no bias."""
    weight = layer.weight
    columns = math.prod(weight.shape[1:])
    arrays = {"weight": _like(np.eye(outputs, columns), jnp.empty((outputs, *weight.shape[1:]), weight.dtype))}
    bias: Any = getattr(layer, "bias", None)
    if is_array(bias):
        arrays["bias"] = jnp.zeros([outputs if size == len(weight) else size for size in bias.shape], bias.dtype)
    return _with(layer, arrays)


def _before_activation(layer: Any, x: Array) -> Array:
    """Return what a layer's own units are given, or what it returns if it has none."""
    sites = find_sites(layer, x)
    return sites.values(layer, x, sites.units[:1])[0] if sites.units else layer(x)


def _channels(layer: Any, x: Array) -> int:
    units, shape = len(layer.weight), jax.eval_shape(_before_activation, layer, x).shape
    if shape[-1] == units:
        return len(shape) - 1
    return shape.index(units, 1)


def _changed_axis(wide: tuple[int, ...], usual: tuple[int, ...], size: int) -> int:
    return next(axis for axis, (a, b) in enumerate(zip(wide, usual, strict=True)) if a != b and a == size)


def _affine(layer: Any, rows: np.ndarray, values: Array, channels: int) -> UnitRows:
    weight = np.asarray(layer.weight, np.float64).reshape(len(layer.weight), -1)
    held = getattr(layer, "bias", None)
    bias = np.asarray(held, np.float64).reshape(-1) if is_array(held) else np.zeros(len(weight))
    offset = np.asarray(values, np.float64) - rows @ weight.T - bias
    scale = np.abs(values).max(initial=0.0)
    return UnitRows(
        rows, weight, bias, np.where(np.abs(offset).max() <= 1e-4 * scale, 0.0, offset), channels, is_array(held)
    )


def _check_linear(model: Any, name: str, x: Array, found: UnitRows) -> None:
    """Compare the model with other weights to what the rows say of them."""
    weight = np.roll(found.weight, 1, axis=0) / 2
    other = preactivations(replaced(model, name, weight, found.bias), x)[name]
    expected = dataclasses.replace(found, weight=weight).values
    error = np.abs(by_unit(other, found.channels) - expected).max()
    if error > 1e-3 * np.abs(expected).max():
        got = f"a layer whose pre-activations are not linear in `weight`, by {error:.2g}"
        todo = "give it a method patches(x), or leave its units out"
        raise ArgumentError(got, "rows · weight + bias", todo, where=f"{WHERE} {name}")
