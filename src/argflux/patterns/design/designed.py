"""designed: an initialiser that solves linear programs on the data its layer will be given."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import DTypeLike

from argflux.errors import ShapeError
from argflux.keywords import explained
from argflux.kinds import Numbers
from argflux.nn.arguments import drawn
from argflux.nn.initialisers import glorot_uniform, nfan
from argflux.nn.random import next_key
from argflux.patterns.design.layer_design import DesignOptions, design_layer
from argflux.patterns.design.rows import UnitRows
from argflux.patterns.regions.chunks import check_finite, observations

WHERE = "designed"


@explained(options="kappa margin minimise trust balanced scale samples solver threads")
def designed(x: Numbers, *, start: Callable = glorot_uniform, **options: Any) -> Callable[..., Array]:
    """Make an initialiser that chooses a layer's weights by linear programs, as `design_weights` does.

    Args:
        x: what the layer will be given, shape (n, inputs); for a convolution its patches, of shape
            (n, inputs, *window). More than `samples` of them are thinned out.
        start: an initialiser, whose weights give the objectives and the bound.
        **options: kappa, margin, minimise, trust, balanced, scale, samples, solver and threads of `design_weights`.

    Returns:
        A function `(key, shape, dtype) -> array`, to be passed as `init=`.

    Raises:
        ShapeError: when called for a layer of another width than the data.
        ArgumentError: for options out of range, and a hard margin out of reach.
        DataError: for data that is empty, not finite or constant.

    Example:
        >>> import jax
        >>> import argflux as af
        >>> train, _ = af.load_digits()
        >>> layer = af.Dense(64, 32, af.relu, init=af.designed(train.x), key=jax.random.key(0))
        >>> float((layer(train.x) == 0).mean()) < 0.25
        True
    """
    rows = observations(x, 1, WHERE)
    check_finite(rows, bool(np.isfinite(np.asarray(rows)).all()), WHERE)
    rows = np.asarray(rows, np.float64).reshape(len(rows), -1)
    settings = DesignOptions(**options).check(WHERE)

    def init(key: Array | None, shape: Sequence[int], dtype: DTypeLike = jnp.float32) -> Array:
        inputs = nfan(shape)[0]
        if len(shape) < 2 or rows.shape[1] != inputs:
            got, todo = f"data of width {rows.shape[1]} for a weight of shape {tuple(shape)}", "pass the layer's input"
            raise ShapeError(got, f"width {inputs}", todo, where=WHERE)
        drawing, moves = jax.random.split(next_key(key))
        weight = np.asarray(drawn(WHERE, start, drawing, shape, dtype), np.float64).reshape(shape[0], -1)
        found = UnitRows(rows, weight, np.zeros(len(weight)), np.zeros((len(rows), len(weight))))
        rng = np.random.default_rng(np.asarray(jax.random.bits(moves, (4,), "uint32")))
        design = design_layer(found, 0.0, settings, rng, where=WHERE)
        return jnp.asarray(design.weight.reshape(tuple(shape)), dtype)

    return init
