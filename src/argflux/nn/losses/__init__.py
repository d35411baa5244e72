"""Losses: `loss(yhat, y, agg=mean)` of two arrays of one shape, the axis of the classes last."""

from argflux.nn.losses.classification import (
    binarycrossentropy,
    crossentropy,
    kldivergence,
    label_smoothing,
    logitbinarycrossentropy,
    logitcrossentropy,
)
from argflux.nn.losses.focal import binary_focal_loss, focal_loss
from argflux.nn.losses.margin import hinge_loss, siamese_contrastive_loss, squared_hinge_loss
from argflux.nn.losses.overlap import dice_coeff_loss, tversky_loss
from argflux.nn.losses.regression import huber_loss, mae, mse, msle, poisson_loss
from argflux.nn.losses.xlog import xlogx, xlogy

__all__ = [
    "binary_focal_loss",
    "binarycrossentropy",
    "crossentropy",
    "dice_coeff_loss",
    "focal_loss",
    "hinge_loss",
    "huber_loss",
    "kldivergence",
    "label_smoothing",
    "logitbinarycrossentropy",
    "logitcrossentropy",
    "mae",
    "mse",
    "msle",
    "poisson_loss",
    "siamese_contrastive_loss",
    "squared_hinge_loss",
    "tversky_loss",
    "xlogx",
    "xlogy",
]
