"""A user's own layers: how dataclasses become trees, so that their arrays are found without registration.

An Equinox module already is a tree. An ordinary dataclass becomes one the first time that a model holding it
is seen. Part of the structure, and no leaves, are functions, fields annotated int, bool or str, and fields
marked `field(metadata={"static": True})`. Unflattening sets the fields without running `__init__`.

What an object remembers is no part of its tree. Dicts, lists and sets that are no fields and begin with an underscore
are carried along as they are; what `functools.cached_property` holds is forgotten, and computed anew.
"""

import dataclasses
import functools
from collections.abc import Hashable, MutableMapping, MutableSequence, MutableSet
from typing import Any, TypeVar

import jax
from jax.tree_util import GetAttrKey

from argflux.errors import ArgumentError
from argflux.keywords import explained
from argflux.tree import is_array, named_leaves

T = TypeVar("T")
_STRUCTURE_TYPES = (int, bool, str, "int", "bool", "str")


@explained
def register_layers(model: T) -> T:
    """Make every ordinary dataclass inside a model a tree node, and return the model.

    Args:
        model: any tree; a type is registered once, so calling again costs one walk over the leaves.

    Raises:
        ArgumentError: for an object of an ordinary class that holds arrays, which would never be trained.

    Example:
        >>> import jax
        >>> from argflux.userlayer import register_layers
        >>> import dataclasses
        >>> from argflux import nn
        >>> @dataclasses.dataclass
        ... class Doubled:
        ...     inner: object
        ...     def __call__(self, x):
        ...         return 2 * self.inner(x)
        >>> len(jax.tree.leaves(register_layers(Doubled(nn.Dense(2, 3)))))
        2
    """
    while unknown := {type(leaf) for leaf in _leaves(model) if _is_layer(leaf)}:
        for layer_type in unknown:
            _register(layer_type)
    for name, leaf in named_leaves(model):
        _check_holds_no_arrays(name, leaf)
    return model


def _leaves(model: Any) -> list:
    try:
        return jax.tree.leaves(model)
    except (TypeError, ValueError) as error:
        if "sort" not in str(error):
            raise
        got, expected = "a dict whose keys cannot be sorted", "keys of one kind, such as names"
        todo = "name its entries, or keep it in an attribute that is no field and begins with an underscore"
        raise ArgumentError(got, expected, todo, where="model") from error


def is_function(value: Any) -> bool:
    """Say whether a value is part of a model's structure: callable and not a tree, like relu."""
    if isinstance(value, type):
        return True
    if not callable(value) or not isinstance(value, Hashable) or not jax.tree_util.all_leaves([value]):
        return False
    return not _holds_arrays(value)


def _is_layer(leaf: Any) -> bool:
    """Say whether a leaf is a dataclass to register.

    Frozen ones without arrays are left alone: other libraries use them as markers inside their own trees.
    """
    is_dataclass = dataclasses.is_dataclass(leaf) and not isinstance(leaf, type)
    return is_dataclass and (not isinstance(leaf, Hashable) or _holds_arrays(leaf))


def _register(layer_type: type) -> None:
    structure = {field.name for field in dataclasses.fields(layer_type) if _is_structure(field)}

    def flatten_with_keys(layer: Any) -> tuple:
        values = _attributes(layer)
        kept = {name: v for name, v in values.items() if name in structure or is_function(v)}
        names = tuple(name for name in values if name not in kept)
        remembered = _Remembered({name: v for name, v in _others(layer) if _is_memory(name, v)})
        return tuple((GetAttrKey(name), values[name]) for name in names), (names, tuple(kept.items()), remembered)

    def unflatten(structure_of_layer: tuple, children: Any) -> Any:
        names, kept, remembered = structure_of_layer
        layer = object.__new__(layer_type)
        for name, value in (*kept, *remembered.values.items(), *zip(names, children, strict=True)):
            object.__setattr__(layer, name, value)
        return layer

    jax.tree_util.register_pytree_with_keys(layer_type, flatten_with_keys, unflatten)
    if layer_type.__hash__ is None:  # for jax.jit(model) of a model that holds it, and jax.jit(layer)
        layer_type.__hash__ = object.__hash__


class _Remembered:
    """What an object remembers, in the structure of its tree, where all such are alike."""

    def __init__(self, values: dict[str, Any]):
        self.values = values

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, _Remembered)

    def __hash__(self) -> int:
        return 0


def _is_structure(field: dataclasses.Field) -> bool:
    return field.metadata.get("static", False) or field.type in _STRUCTURE_TYPES


def _attributes(layer: Any) -> dict[str, Any]:
    """Return the fields that are set, in order, and then whatever else was assigned to an object, but its memory."""
    declared = dataclasses.fields(layer) if dataclasses.is_dataclass(layer) else ()
    fields = {field.name: getattr(layer, field.name) for field in declared if hasattr(layer, field.name)}
    return fields | {name: value for name, value in _others(layer) if not _is_memory(name, value)}


def _others(layer: Any) -> list[tuple[str, Any]]:
    """Return the names and values of what is no field, except what is computed from the fields when asked for."""
    declared = dataclasses.fields(layer) if dataclasses.is_dataclass(layer) else ()
    fields = {field.name for field in declared}
    is_computed = lambda name: isinstance(getattr(type(layer), name, None), functools.cached_property)
    names = sorted(name for name in getattr(layer, "__dict__", {}) if name not in fields and not is_computed(name))
    return [(name, layer.__dict__[name]) for name in names]


def _is_memory(name: str, value: Any) -> bool:
    return name.startswith("_") and isinstance(value, MutableMapping | MutableSequence | MutableSet)


def _holds_arrays(value: Any) -> bool:
    """Say whether an object that is no tree has arrays inside: of an ordinary class, or `jax.vmap(layer)`."""
    leaves = jax.tree.leaves(list(_attributes(value).values()))
    return any(is_array(leaf) or (dataclasses.is_dataclass(leaf) and _is_layer(leaf)) for leaf in leaves)


def _check_holds_no_arrays(name: str, leaf: Any) -> None:
    if not callable(leaf) or isinstance(leaf, type) or not _holds_arrays(leaf):
        return
    kind = type(leaf).__name__
    if hasattr(leaf, "__wrapped__"):
        got, todo = "a function wrapped around a layer", "wrap it with equinox.filter_vmap or equinox.filter_jit"
    else:
        got = f"an object of the ordinary class {kind}"
        todo = f"write @dataclass above `class {kind}` and declare its arrays as fields"
    got += ", whose arrays cannot be found"
    raise ArgumentError(got, "an equinox.Module or a dataclass", todo, where=name or "model")
