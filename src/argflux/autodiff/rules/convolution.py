"""The rule of convolution, whose two pullbacks are convolutions again."""

from dataclasses import dataclass

import jax.numpy as jnp
from jax import lax

from argflux.autodiff.masks import cleaned, silent_along
from argflux.autodiff.registry import pulls_back
from argflux.compilation import convolve


@dataclass(frozen=True)
class _Axis:
    """One spatial axis of `y[o] = Σ_k x'[o·stride + k·dilation - low] w[k]`, with `x'[j·spread] = x[j]`."""

    x: int
    w: int
    y: int
    stride: int
    dilation: int
    spread: int
    low: int

    @property
    def reach(self) -> int:
        """Distance from the kernel's first tap to its last."""
        return (self.w - 1) * self.dilation

    @property
    def padding_for_x(self) -> tuple[int, int]:
        """Padding of `dy` from which the flipped kernel reaches every entry of `x`."""
        low = self.reach - self.low
        return low, (self.x - 1) * self.spread + self.reach - (self.y - 1) * self.stride - low

    @property
    def padding_for_w(self) -> tuple[int, int]:
        """Padding of `x` at which `dy`, slid along it, meets every tap of the kernel."""
        return self.low, self.reach + (self.y - 1) * self.stride - (self.x - 1) * self.spread - self.low


def _axes(dy, x, w, dimension_numbers, padding, window_strides, params) -> list[_Axis]:
    x_spec, w_spec, y_spec = dimension_numbers
    sizes = lambda array, spec: [jnp.shape(array)[i] for i in spec[2:]]
    return [
        _Axis(size, width, count, stride, dilation, spread, low)
        for size, width, count, stride, dilation, spread, (low, _) in zip(
            sizes(x, x_spec),
            sizes(w, w_spec),
            sizes(dy, y_spec),
            window_strides,
            params["rhs_dilation"],
            params["lhs_dilation"],
            padding,
            strict=True,
        )
    ]


def conv_general_dilated_back(dy, y, x, w, *, dimension_numbers, padding, window_strides, **params):
    """Convolve the cotangent with the flipped kernel for `x`, and `x` with the cotangent for the kernel."""
    axes = _axes(dy, x, w, dimension_numbers, padding, window_strides, params)
    if 0 in (*jnp.shape(x), *jnp.shape(w), *jnp.shape(dy)):
        return lax.full_like(x, 0), lax.full_like(w, 0)
    settings = {key: params[key] for key in ("precision", "preferred_element_type")}
    groups, batches = params["feature_group_count"], params["batch_group_count"]
    dx = lambda: _pull_x(dy, w, dimension_numbers, axes, groups, batches, settings)
    dw = lambda: _pull_w(dy, x, dimension_numbers, axes, groups, batches, settings)
    return dx, dw


def conv_general_dilated_kept(wild, dy, y, x, w, *, dimension_numbers, padding, window_strides, **params):
    """Take no account of infinities and NaN in what the convolution spread over zeros of the cotangent alone."""
    _, w_spec, y_spec = dimension_numbers
    if 0 not in (*jnp.shape(x), *jnp.shape(w), *jnp.shape(dy)):
        if wild[0]:
            axes = _axes(dy, x, w, dimension_numbers, padding, window_strides, params)
            x = cleaned(x, _silent_windows(dy, x, w, dimension_numbers, axes, params["batch_group_count"]))
        if wild[1]:
            others = [axis for axis in range(jnp.ndim(dy)) if axis != y_spec[1]]
            w = cleaned(w, silent_along(dy, others, jnp.shape(w), [w_spec[0]]))
    settings = {"dimension_numbers": dimension_numbers, "padding": padding, "window_strides": window_strides}
    return conv_general_dilated_back(dy, y, x, w, **settings, **params)


def _silent_windows(dy, x, w, dimension_numbers, axes, batches):
    """Say of each entry of `x` whether the cotangent is zero in every window and channel that it went into."""
    _, w_spec, y_spec = dimension_numbers
    loud = lax.reduce_or(lax.ne(dy, lax.full_like(dy, 0)), (y_spec[1],))
    if batches > 1:
        return lax.broadcast_in_dim(lax.bitwise_not(lax.reduce_or(loud, tuple(range(loud.ndim)))), jnp.shape(x), ())
    indicator = lax.convert_element_type(lax.expand_dims(loud, (y_spec[1],)), dy.dtype)
    taps = lax.full([jnp.shape(w)[i] if i in w_spec[2:] else 1 for i in range(jnp.ndim(w))], 1, dy.dtype)
    settings = {"precision": None, "preferred_element_type": None}
    reached = _pull_x(indicator, taps, dimension_numbers, axes, 1, 1, settings)
    return lax.broadcast_in_dim(lax.eq(reached, lax.full_like(reached, 0)), jnp.shape(x), range(jnp.ndim(x)))


pulls_back("conv_general_dilated", kept=conv_general_dilated_kept)(conv_general_dilated_back)


def _pull_x(dy, w, dimension_numbers, axes, groups, batches, settings):
    x_spec, w_spec, y_spec = dimension_numbers
    out, into, *spatial = w_spec
    flipped = lax.rev(w, spatial)
    if groups * batches > 1:
        flipped = _fold(_unfold(flipped, out, groups * batches), out, into)
    dy, padding, dilation = _crop(dy, y_spec, [a.padding_for_x for a in axes], [a.stride for a in axes])
    dx = convolve(
        dy,
        flipped,
        lax.ConvDimensionNumbers(y_spec, (into, out, *spatial), x_spec),
        window_strides=[a.spread for a in axes],
        padding=padding,
        lhs_dilation=dilation,
        rhs_dilation=[a.dilation for a in axes],
        feature_group_count=groups * batches,
        **settings,
    )
    batch, feature = x_spec[:2]
    return _fold(_unfold(dx, feature, batches), feature, batch) if batches > 1 else dx


def _pull_w(dy, x, dimension_numbers, axes, groups, batches, settings):
    (x_batch, x_feature, *x_axes), (out, into, *w_axes), (y_batch, y_feature, *y_axes) = dimension_numbers
    x, padding, dilation = _crop(
        x, dimension_numbers.lhs_spec, [a.padding_for_w for a in axes], [a.spread for a in axes]
    )
    return convolve(
        x,
        dy,
        lax.ConvDimensionNumbers((x_feature, x_batch, *x_axes), (y_feature, y_batch, *y_axes), (into, out, *w_axes)),
        window_strides=[a.dilation for a in axes],
        padding=padding,
        lhs_dilation=dilation,
        rhs_dilation=[a.stride for a in axes],
        feature_group_count=batches,
        batch_group_count=groups,
        **settings,
    )


def _crop(x, spec, padding, dilation):
    """Cut first where an axis loses entries in front and gains zeros behind: XLA on CPU misplaces those."""
    if not any(low < 0 < high for low, high in padding):
        return x, padding, dilation
    config, padding, dilation = [(0, 0, 0)] * x.ndim, list(padding), list(dilation)
    for i, (low, high) in enumerate(padding):
        if low < 0 < high:
            config[spec[2 + i]], padding[i], dilation[i] = (low, 0, dilation[i] - 1), (0, high), 1
    return lax.pad(x, lax.full((), 0, x.dtype), config), padding, dilation


def _unfold(x, axis, count):
    """Split an axis in `count` groups; the new axis of groups stands before it."""
    shape = jnp.shape(x)
    return lax.reshape(x, (*shape[:axis], count, shape[axis] // count, *shape[axis + 1 :]))


def _fold(x, source, target):
    """Move the axis of groups that `_unfold(·, source, ·)` made into the front of the axis `target`."""
    rest = [i for i in range(x.ndim) if i != source]
    moved = lax.transpose(x, (*rest[:target], source, *rest[target:]))
    shape = moved.shape
    return lax.reshape(moved, (*shape[:target], shape[target] * shape[target + 1], *shape[target + 2 :]))
