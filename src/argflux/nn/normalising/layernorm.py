"""LayerNorm: every example normalised by itself, over the last axes."""

from collections.abc import Callable, Sequence

import equinox as eqx
from jax import Array
from jax.typing import ArrayLike, DTypeLike

from argflux.errors import ShapeError
from argflux.keywords import explained
from argflux.nn.activation import identity
from argflux.nn.arguments import checked_activation, checked_dtype, floating_input, open_size
from argflux.nn.lastaxes import scaled
from argflux.nn.layer import Layer
from argflux.nn.normalising.moments import affine_pair, checked_eps, normalised
from argflux.nn.show import label
from argflux.nn.widths import filled


@explained
class LayerNorm(Layer):
    """Every example normalised over its last axes: activation((x - mean) / √(variance + eps) · scale + bias).

    Args:
        size: the size of the last axis, or the sizes of the last few; None to have the last one inferred (`infer`).
        activation: a function of an array, applied last.
        affine: whether there are a scale, which starts at 1, and a bias, which starts at 0.
        eps: added to the variance.
        dtype: of the parameters; float32 by default.

    Attributes:
        scale, bias: the shape of the normalised axes, or None.

    Calling it:
        x of shape (..., *size) gives the same shape. Moments are taken in 32 bits at least.

    Raises:
        ShapeError: for an input of other sizes.

    Reference:
        Ba et al., Layer Normalization, 2016.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> nn.LayerNorm(3)(jnp.array([0.0, 1.0, 0.5])).round().tolist()
        [-1.0, 1.0, 0.0]
    """

    scale: Array | None
    bias: Array | None
    size: tuple[int | None, ...] = eqx.field(static=True)
    activation: Callable = eqx.field(static=True)
    eps: float = eqx.field(static=True)

    def __init__(
        self,
        size: int | Sequence[int] | None,
        activation: Callable = identity,
        *,
        affine: bool = True,
        eps: float = 1e-5,
        dtype: DTypeLike | None = None,
    ):
        sizes = tuple(size) if isinstance(size, tuple | list) else (size,)
        todo = "call LayerNorm(64), or LayerNorm((8, 8)) for two axes"
        self.size = tuple(open_size("LayerNorm", "size", n, todo) for n in sizes)
        self.scale, self.bias = affine_pair(affine, self.size, checked_dtype("LayerNorm", dtype))
        self.activation = checked_activation("LayerNorm", activation)
        self.eps = checked_eps("LayerNorm", eps)

    def __call__(self, x: ArrayLike) -> Array:
        """Normalise (..., *size)."""
        where = self.label()
        scale, bias = filled(self.scale, x, where), filled(self.bias, x, where)
        x = floating_input(where, x, None if scale is None else scale.dtype)
        sizes = self.size if scale is None else scale.shape
        if x.ndim < len(sizes) or any(n not in (m, None) for n, m in zip(sizes, x.shape[-len(sizes) :], strict=True)):
            expected = f"(..., {', '.join(map(str, sizes))})"
            raise ShapeError(f"an input of shape {x.shape}", expected, "change the input or the layer", where=where)
        y = normalised(x, range(x.ndim - len(sizes), x.ndim), self.eps)
        return self.activation(scaled(y, scale, bias).astype(x.dtype))

    def label(self) -> str:
        """Write the layer in a few words, as errors and `summary` do.

        Example:
            >>> from argflux import nn
            >>> nn.LayerNorm(64, affine=False).label()
            'LayerNorm(64, affine=False)'
        """
        sizes = getattr(self.scale, "shape", self.size)
        size = str(sizes[0] if len(sizes) == 1 else tuple(sizes)).replace("None", "?")
        activation = "" if self.activation is identity else f", {label(self.activation)}"
        return f"LayerNorm({size}{activation}{', affine=False' if self.scale is None else ''})"
