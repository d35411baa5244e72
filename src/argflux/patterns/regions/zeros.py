"""Zeros: how many outputs of a model's ReLU-like units are exactly zero, on data of any size."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from argflux.errors import DataError, ShapeError
from argflux.keywords import explained
from argflux.kinds import Labels, Numbers
from argflux.patterns.regions.chunks import check_finite, chunk_length, chunks, numbered, observations
from argflux.patterns.sites.sites import Site, find_sites, require_units

WHERE = "count_zeros"


@dataclass(frozen=True)
class ZeroCounts:
    """How many outputs of ReLU-like units are zero.

    Attributes:
        observations: the number of observations counted over.
        per_unit: for every site, the zeros of each unit, int64, of the shape of one observation's units.
        classes: the labels met, ascending; empty without labels.
        class_sizes: the number of observations of each class, shape (k,).
        per_class: for every site, the zeros of each unit on each class, shape (k, *units).
    """

    observations: int
    per_unit: dict[str, np.ndarray]
    classes: tuple[Hashable, ...] = ()
    class_sizes: np.ndarray | None = None
    per_class: dict[str, np.ndarray] | None = None

    @cached_property
    def per_layer(self) -> dict[str, int]:
        """The zeros of every site."""
        return {name: int(counts.sum()) for name, counts in self.per_unit.items()}

    @cached_property
    def sizes(self) -> dict[str, int]:
        """The outputs of every site, zero or not."""
        return {name: counts.size * self.observations for name, counts in self.per_unit.items()}

    @cached_property
    def fractions(self) -> dict[str, float]:
        """The part of every site's outputs that is zero."""
        return {name: zeros / self.sizes[name] for name, zeros in self.per_layer.items()}

    @property
    def total(self) -> int:
        """All zeros."""
        return sum(self.per_layer.values())

    @property
    def size(self) -> int:
        """All outputs, zero or not."""
        return sum(self.sizes.values())

    @cached_property
    def dead(self) -> dict[str, np.ndarray]:
        """For every site, which units are zero on every observation."""
        return {name: counts == self.observations for name, counts in self.per_unit.items()}

    @cached_property
    def always_on(self) -> dict[str, np.ndarray]:
        """For every site, which units are zero on no observation."""
        return {name: counts == 0 for name, counts in self.per_unit.items()}

    def __str__(self) -> str:
        lines = [f"{self.total:,} zeros of {self.size:,} on {numbered(self.observations)}"]
        for name, zeros in self.per_layer.items():
            units = self.per_unit[name].size
            dead, on = int(self.dead[name].sum()), int(self.always_on[name].sum())
            share = f"{self.fractions[name]:.1%}"
            lines.append(f"  {name}: {zeros:,} ({share}); of {units} units {dead} dead, {on} always on")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"ZeroCounts({str(self).splitlines()[0]})"


@explained
def count_zeros(model: Callable, x: Numbers, labels: Labels = None, *, batch_axes: int = 1) -> ZeroCounts:
    """Count the zeros that the ReLU-like units of a model give on data.

    A zero is an output that equals 0, as a relu gives for every input that is not positive. Units that never rest
    at zero, such as leakyrelu, are listed with the few zeros that they give by chance.

    Args:
        model: a callable tree, batch first.
        x: data of shape (n, ...), floating; taken through the model in chunks.
        labels: the class of each observation, shape (n,), to count by class as well.
        batch_axes: how many leading axes number the observations.

    Returns:
        A `ZeroCounts`: `total`, `per_layer`, `fractions`, `per_unit`, `per_class`, and which units are `dead` (zero
        on all of the data) or `always_on`.

    Raises:
        ArgumentError: for a model without ReLU-like units.
        ShapeError: for data of another width, or labels that do not fit.
        DataError: for no data, or data that is not finite.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> from argflux.patterns import count_zeros
        >>> m = nn.Chain(nn.Dense(jnp.array([[1.0], [-1.0], [0.0]]), nn.relu), nn.Dense(3, 1))
        >>> print(count_zeros(m, jnp.array([[1.0], [2.0], [-3.0]])))
        6 zeros of 9 on 3 observations
          layers[0]: 6 (66.7%); of 3 units 1 dead, 0 always on
    """
    rows = observations(x, batch_axes, WHERE)
    shape = jax.ShapeDtypeStruct((1, *rows.shape[1:]), rows.dtype)
    names, bytes_each = _plan(model, shape)
    groups, classes = _groups(labels, len(rows))
    length = chunk_length(len(rows), bytes_each)
    parts = []
    for real, (part, group) in chunks(len(rows), length, rows, groups):
        parts.append(_count(model, part, group, real, max(len(classes), 1)))
    check_finite(rows, all(bool(part[1]) for part in parts), WHERE)
    counts = [np.sum([np.asarray(part[0][k], np.int64) for part in parts], axis=0) for k in range(len(names))]
    per_unit = {name: count.sum(axis=0) for name, count in zip(names, counts, strict=True)}
    if labels is None:
        return ZeroCounts(len(rows), per_unit)
    sizes = np.bincount(groups, minlength=len(classes))
    return ZeroCounts(len(rows), per_unit, classes, sizes, dict(zip(names, counts, strict=True)))


@eqx.filter_jit
def _count(model: Any, x: Any, group: Any, real: Any, classes: int) -> tuple[list[Array], Array]:
    """Count a chunk by class, and say whether it is finite."""
    counted = jnp.arange(len(x)) < real
    masks = zero_masks(model, x)
    if classes == 1:
        return [jnp.sum(mask & _spread(counted, mask), axis=0)[None] for mask in masks], jnp.isfinite(x).all()
    member = (group[None] == jnp.arange(classes)[:, None]) & counted[None]
    by_class = [member.astype(jnp.float32) @ mask.reshape(len(x), -1).astype(jnp.float32) for mask in masks]
    shaped = [count.reshape(classes, *mask.shape[1:]) for count, mask in zip(by_class, masks, strict=True)]
    return [count.astype(jnp.int32) for count in shaped], jnp.isfinite(x).all()


def _spread(flags: Array, like: Array) -> Array:
    return flags.reshape(-1, *[1] * (like.ndim - 1))


def zero_masks(model: Any, x: Any) -> list[Array]:
    """Return, for every site that `counted` lists, which outputs are zero; pure, to be used inside programs.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> zero_masks(nn.Chain(nn.relu), jnp.array([[2.0, -1.0]]))[0].tolist()
        [[False, True]]
    """
    sites = find_sites(model, x)
    outputs = sites.flat.run(model, x, [site.output for site in sites.units if site.output is not None])
    return [output == 0 for output in outputs]


def counted(units: tuple[Site, ...]) -> list[Site]:
    """Return the sites whose outputs can be counted: all, but truth values that nothing chooses by."""
    return [site for site in units if site.output is not None]


def _plan(model: Any, shape: jax.ShapeDtypeStruct) -> tuple[list[str], int]:
    """Return the names of the sites, and the bytes that an observation needs."""
    sites = find_sites(model, shape)
    names = [site.name for site in counted(require_units(sites, WHERE))]
    widest = max(int(np.prod(value.shape)) for i, value in enumerate(sites.flat.shapes) if i in sites.flat.moving)
    return names, 4 * widest * shape.dtype.itemsize


def _groups(labels: Any, count: int) -> tuple[np.ndarray, tuple[Hashable, ...]]:
    """Return the class number of each observation, and the classes."""
    if labels is None:
        return np.zeros(count, np.int32), ()
    labels = np.asarray(labels)
    if labels.ndim == 0 or labels.size != count:
        got, todo = f"labels of shape {labels.shape} for {count} observations", "pass one class for each observation"
        raise ShapeError(got, f"{count} labels", todo, where=WHERE)
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise DataError("labels that are not finite", "a class for each observation", "fill them in", where=WHERE)
    classes, groups = np.unique(labels.ravel(), return_inverse=True)
    return groups.astype(np.int32), tuple(classes.tolist())
