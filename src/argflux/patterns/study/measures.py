"""What is measured of starts before they are trained: zeros, patterns, dead units, and how much they generalise."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from argflux.patterns.regions.gap import gap_between
from argflux.patterns.sites.flat import layer_name
from argflux.patterns.sites.sites import preactivations
from argflux.patterns.study.together import Together

SAMPLE, HELD_AT_ONCE = 1000, 2**27
DX, DM = 0.1, 0.01
Measures = dict[str, float]


class Measured:
    """Measures starts of one network on a sample of inputs.

    The perturbations behind `L_gen` are the same for all starts but for their scale: 0.1 times the inputs' root mean
    square, and 0.01 times that of each array.

    Args:
        together: what the starts are starts of.
        x: the sample, shape (rows, features).
        seed: of the perturbations.
    """

    def __init__(self, together: Together, x: Any, seed: int = 0):
        self.together, self.x = together, jnp.asarray(x)
        self.output = output_layer(together.network(together.template))
        key, *keys = jax.random.split(jax.random.key(seed), 1 + len(together.template))
        self.dx = DX * _rms(self.x) * jax.random.normal(key, self.x.shape, self.x.dtype)
        noise = [jax.random.normal(k, a.shape, a.dtype) for k, a in zip(keys, together.template, strict=True)]
        self._look = jax.jit(jax.vmap(lambda arrays: self._of_one(arrays, noise)))

    def of(self, starts: Sequence[Array]) -> list[Measures]:
        """Return the measures of stacked starts, by name, a dict each."""
        one = sum(int(np.prod(a.shape[1:])) for a in starts) + 40 * self.x.size
        at_once = max(1, HELD_AT_ONCE // one)
        found: list[Measures] = []
        for begin in range(0, len(starts[0]), at_once):
            part = [array[begin : begin + at_once] for array in starts]
            found += self._named(jax.tree.map(np.asarray, self._look(part)))
        return found

    def _of_one(self, arrays: list[Array], noise: list[Array]) -> dict[str, Any]:
        network = self.together.network(arrays)
        units = {name: _rows(z) for name, z in preactivations(network, self.x).items()}
        moved = [array + DM * _rms(array) * z for array, z in zip(arrays, noise, strict=True)]
        return {
            "zeros": {name: jnp.mean(z <= 0) for name, z in units.items()},
            "sizes": {name: jnp.asarray(z.shape[1]) for name, z in units.items()},
            "dead": {name: jnp.sum(jnp.all(z <= 0, axis=0)) for name, z in units.items()},
            "hashes": _hashes(jnp.concatenate([z > 0 for z in units.values()], axis=1)),
            "l_gen": self._l_gen(network, self.together.network(moved)),
        }

    def _l_gen(self, network: Any, moved: Any) -> Array:
        """Return the mean length of L_gen over the sample."""
        gap = gap_between(network, moved, self.x, self.x + self.dx)
        return jnp.mean(jnp.sqrt(jnp.sum(jnp.square(_rows(gap)), axis=1)))

    def _named(self, looks: dict[str, Any]) -> list[Measures]:
        return [self._measures(jax.tree.map(lambda a, i=i: a[i], looks)) for i in range(len(looks["l_gen"]))]

    def _measures(self, look: dict[str, Any]) -> Measures:
        hidden = [name for name in look["zeros"] if name != self.output]
        measures = {f"zeros in {name}": look["zeros"][name] for name in hidden}
        if hidden:
            sizes = np.array([look["sizes"][name] for name in hidden], np.float64)
            zeros = np.array([look["zeros"][name] for name in hidden], np.float64)
            measures["zeros in hidden layers"] = zeros @ sizes / sizes.sum()
            measures["dead hidden units"] = sum(int(look["dead"][name]) for name in hidden)
        if self.output in look["zeros"]:
            measures["zeros in the output"] = look["zeros"][self.output]
            measures["dead outputs"] = look["dead"][self.output]
        measures["distinct patterns"] = len(np.unique(look["hashes"], axis=0)) / len(look["hashes"])
        measures["L_gen"] = look["l_gen"]
        return {name: round(float(value), 6) for name, value in measures.items()}


def output_layer(network: Any) -> str:
    """Return the name of the layer that holds the last matrix of a network.

    Example:
        >>> from argflux import nn
        >>> from argflux.patterns.study.measures import output_layer
        >>> output_layer(nn.Chain(nn.Dense(3, 4, nn.relu), nn.Dense(4, 2), nn.relu))
        'layers[1]'
    """
    leaves = jax.tree_util.tree_leaves_with_path(network)
    matrices = [path for path, leaf in leaves if eqx.is_inexact_array(leaf) and leaf.ndim >= 2]
    return layer_name(matrices[-1]) if matrices else ""


def _rows(z: Array) -> Array:
    return z.reshape(len(z), -1)


def _rms(x: Array) -> Array:
    return jnp.sqrt(jnp.mean(jnp.square(x)))


def _hashes(bits: Array) -> Array:
    """Return two numbers of 32 bits for each row, which differ where the rows do but for one pair in 2⁶⁴."""
    factors = np.random.default_rng(0).integers(1, 2**32, (bits.shape[1], 2), dtype=np.uint32) | np.uint32(1)
    mixed = [jnp.sum(jnp.where(bits, jnp.asarray(column), jnp.uint32(0)), axis=1) for column in factors.T]
    return jnp.stack(mixed, axis=1)
