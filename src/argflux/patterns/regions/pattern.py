"""Activation patterns: on which piece each unit is, how many patterns data makes, and how far they are apart."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from argflux.keywords import explained
from argflux.kinds import Numbers
from argflux.patterns.regions.chunks import check_finite, chunk_length, chunks, numbered, observations
from argflux.patterns.sites.sites import Site, find_sites, require_sites
from argflux.patterns.sites.traced import as_array


@explained
def activation_pattern(model: Callable, x: Numbers) -> dict[str, Array]:
    """Return on which side of its corners every ReLU-like unit is, and which value every maximum picks.

    Two inputs with the same pattern are in the same linear region, if the units are straight between their corners.

    Args:
        model: a callable tree, batch first. The function may be transformed, and may stand in a compiled one.
        x: an input of the model, of any batch shape.

    Returns:
        A dict by site, in the order in which they are reached. For units with one corner, such as relu: whether
        the pre-activation is above it, bool. For units with several, such as relu6: how many corners it is above,
        uint8. For max pooling, under `max of …`: the place of the largest value in its window, the first of equal
        ones, int32.

    Raises:
        ArgumentError: for a model without ReLU-like units.

    Example:
        >>> import jax.numpy as jnp
        >>> import argflux as af
        >>> m = af.Chain(af.Dense(jnp.array([[1.0], [-1.0]]), af.relu), af.Dense(2, 1))
        >>> af.activation_pattern(m, jnp.array([[3.0], [-2.0], [0.0]]))["layers[0]"].tolist()
        [[True, False], [False, True], [False, False]]
    """
    return {site.name: pattern for site, pattern in _patterns(model, as_array(x))}


@eqx.filter_jit
def _patterns(model: Any, x: Any) -> list[tuple[Site, Array]]:
    sites = find_sites(model, x)
    require_sites(sites, "activation_pattern")
    values = sites.values(model, x, sites.found)
    return [(site, pieces(site, value)) for site, value in zip(sites.found, values, strict=True)]


def pieces(site: Site, value: Array) -> Array:
    """Return which piece of its function each unit of a site is on, or which candidate a maximum picks.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> (site,) = find_sites(nn.Chain(nn.hardtanh), jnp.ones((1, 3))).found
        >>> pieces(site, jnp.array([[-2.0, 0.0, 2.0]])).tolist()
        [[0, 1, 2]]
    """
    if not site.is_unit:
        return jnp.argmax(value, axis=-1).astype(jnp.int32)
    if len(site.corners) == 1:
        return value > site.corners[0]
    return sum((value > corner).astype(jnp.uint8) for corner in site.corners)  # type: ignore[return-value]


@dataclass(frozen=True)
class PatternCounts:
    """How many patterns a model makes on data, and how far apart they are.

    Attributes:
        observations: the number of observations.
        per_layer: for every site, the number of distinct patterns of its units.
        total: the number of distinct patterns of the whole model: the linear regions that the data lie in.
        largest: how many observations share the most frequent pattern of the whole model.
        hamming: for every site, the mean part of its units in which two observations differ, over all pairs.
        codes: for every observation the number of its pattern, in the order of first appearance, shape (n,).
    """

    observations: int
    per_layer: dict[str, int]
    total: int
    largest: int
    hamming: dict[str, float]
    codes: np.ndarray

    def __str__(self) -> str:
        lines = [f"{self.total:,} patterns on {numbered(self.observations)}, {self.largest:,} share the largest"]
        for name, count in self.per_layer.items():
            lines.append(f"  {name}: {count:,}; two observations differ in {self.hamming[name]:.1%} of its units")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"PatternCounts({str(self).splitlines()[0]})"


@explained
def count_patterns(model: Callable, x: Numbers, *, batch_axes: int = 1) -> PatternCounts:
    """Count the distinct activation patterns that a model makes on data, by layer and as a whole.

    Patterns are compared bit by bit, packed, so nothing is lost to hashing.

    Args:
        model: a callable tree, batch first.
        x: data of shape (n, ...), floating; taken through the model in chunks.
        batch_axes: how many leading axes number the observations.

    Returns:
        A `PatternCounts`.

    Raises:
        ArgumentError: for a model without ReLU-like units.
        ShapeError: for data of another width.
        DataError: for no data, or data that is not finite.

    Example:
        >>> import jax.numpy as jnp
        >>> import argflux as af
        >>> m = af.Chain(af.Dense(jnp.array([[1.0], [-1.0]]), af.relu), af.Dense(2, 1))
        >>> print(af.count_patterns(m, jnp.array([[3.0], [-2.0], [5.0], [1.0]])))
        2 patterns on 4 observations, 3 share the largest
          layers[0]: 2; two observations differ in 50.0% of its units
    """
    rows = observations(x, batch_axes, "count_patterns")
    sites = find_sites(model, jax.ShapeDtypeStruct((1, *rows.shape[1:]), rows.dtype))
    require_sites(sites, "count_patterns")
    widest = max(int(np.prod(value.shape)) for value in sites.flat.shapes)
    names = [site.name for site in sites.found]
    parts, tallies = [], []
    for real, (part,) in chunks(len(rows), chunk_length(len(rows), 16 * widest), rows):
        packed, tally, finite = _packed(model, part, real)
        check_finite(rows, bool(finite), "count_patterns")
        parts.append([np.asarray(bits)[:real] for bits in packed])
        tallies.append(tally)
    codes = [_codes(np.concatenate(bits)) for bits in zip(*parts, strict=True)]
    whole = _codes(np.stack(codes, axis=1))
    sizes = np.bincount(whole)
    per_layer = {name: int(code.max()) + 1 for name, code in zip(names, codes, strict=True)}
    hamming = (_mean_hamming(tally, len(rows)) for tally in zip(*tallies, strict=True))
    return PatternCounts(
        len(rows), per_layer, len(sizes), int(sizes.max()), dict(zip(names, hamming, strict=True)), whole
    )


@eqx.filter_jit
def _packed(model: Any, x: Any, real: Any) -> tuple[list[Array], list[Array], Array]:
    """Return a chunk's patterns as bytes, how many of its first rows are on each piece by unit, and if it is finite."""
    rows = jnp.where(jnp.arange(len(x)) < real, 1, 0)
    packed, tallies = [], []
    for site, pattern in _patterns(model, x):
        numbers = pattern.reshape(len(x), -1)
        count = len(site.corners) + 1 if site.is_unit else site.shape[-1]
        packed.append(jnp.packbits(numbers, axis=1) if pattern.dtype == bool else numbers)
        on = [rows @ (numbers.astype(jnp.int32) == piece).astype(rows.dtype) for piece in range(count)]
        tallies.append(jnp.stack(on))
    return packed, tallies, jnp.isfinite(x).all()


def _mean_hamming(tallies: Sequence[Array], count: int) -> float:
    """Return in what part of the units two observations differ on average, from how many are on each piece."""
    tally = np.sum([np.asarray(tally, np.float64) for tally in tallies], axis=0)
    same = (tally * (tally - 1)).sum(axis=0) / max(count * (count - 1), 1)
    return float(1 - same.mean()) if count > 1 else 0.0


def _codes(rows: np.ndarray) -> np.ndarray:
    """Number rows by content, in the order of first appearance."""
    rows = np.ascontiguousarray(rows)
    keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]
