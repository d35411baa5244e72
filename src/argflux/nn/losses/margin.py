"""Losses that stop caring beyond a margin."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from argflux.keywords import explained
from argflux.nn.losses.compare import Aggregate, aggregated, compared, require


@explained
def hinge_loss(yhat: ArrayLike, y: ArrayLike, agg: Aggregate = jnp.mean) -> Array:
    """Hinge loss, agg(max(0, 1 - ŷ y)), for labels y of -1 and 1.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn import hinge_loss
        >>> float(hinge_loss(jnp.array([0.5, 2.0]), jnp.array([1.0, 1.0])))
        0.25
    """
    wide, y = compared("hinge_loss", yhat, y)
    return aggregated(agg, jax.nn.relu(1.0 - wide * y), yhat)


@explained
def squared_hinge_loss(yhat: ArrayLike, y: ArrayLike, agg: Aggregate = jnp.mean) -> Array:
    """Squared hinge loss, agg(max(0, 1 - ŷ y)²), for labels y of -1 and 1.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn import squared_hinge_loss
        >>> float(squared_hinge_loss(jnp.array([0.5, 2.0]), jnp.array([1.0, 1.0])))
        0.125
    """
    wide, y = compared("squared_hinge_loss", yhat, y)
    return aggregated(agg, jnp.square(jax.nn.relu(1.0 - wide * y)), yhat)


@explained
def siamese_contrastive_loss(yhat: ArrayLike, y: ArrayLike, agg: Aggregate = jnp.mean, *, margin: float = 1.0) -> Array:
    """Contrastive loss of distances, agg((1 - y) ŷ² + y max(0, margin - ŷ)²).

    Args:
        yhat: distances between the two members of each pair.
        y: 0 for a pair of one kind, 1 for a pair of two kinds; same shape.
        agg: joins the losses of the pairs.
        margin: the distance beyond which two kinds are far enough apart.

    Reference:
        Hadsell et al., Dimensionality Reduction by Learning an Invariant Mapping, 2006.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.nn import siamese_contrastive_loss
        >>> float(siamese_contrastive_loss(jnp.array([0.5, 0.5]), jnp.array([0.0, 1.0])))
        0.25
    """
    wide, y = compared("siamese_contrastive_loss", yhat, y)
    require("siamese_contrastive_loss", margin >= 0, f"margin={margin}", "margin >= 0")
    return aggregated(agg, (1.0 - y) * jnp.square(wide) + y * jnp.square(jax.nn.relu(margin - wide)), yhat)
