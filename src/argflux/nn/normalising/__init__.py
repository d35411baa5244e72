"""Layers that normalise: to mean 0 and variance 1 along some axes, then by a learned scale and shift."""

from argflux.nn.normalising.groupnorm import GroupNorm
from argflux.nn.normalising.instancenorm import InstanceNorm
from argflux.nn.normalising.layernorm import LayerNorm

__all__ = ["GroupNorm", "InstanceNorm", "LayerNorm"]
