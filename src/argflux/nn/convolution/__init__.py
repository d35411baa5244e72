"""Layers that slide a window over the spatial axes, channels last: convolutions and poolings."""

from argflux.nn.convolution.adaptive import AdaptiveMaxPool, AdaptiveMeanPool, GlobalMaxPool, GlobalMeanPool
from argflux.nn.convolution.conv import Conv, DepthwiseConv
from argflux.nn.convolution.pooling import MaxPool, MeanPool
from argflux.nn.convolution.transposed import ConvTranspose

__all__ = [
    "AdaptiveMaxPool",
    "AdaptiveMeanPool",
    "Conv",
    "ConvTranspose",
    "DepthwiseConv",
    "GlobalMaxPool",
    "GlobalMeanPool",
    "MaxPool",
    "MeanPool",
]
