"""Reverse-mode automatic differentiation of our own, over jaxprs."""

from argflux.autodiff import rules as rules
from argflux.autodiff.api import WithGradient, gradient, hessian, jacobian, pullback, withgradient
from argflux.autodiff.params import Params, params
from argflux.autodiff.registry import rrule

__all__ = [
    "Params",
    "WithGradient",
    "gradient",
    "hessian",
    "jacobian",
    "params",
    "pullback",
    "rrule",
    "withgradient",
]
