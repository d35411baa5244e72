"""Reverse-mode automatic differentiation of our own, over jaxprs."""

from argflux.autodiff import rules as rules
from argflux.autodiff.api import WithGradient, gradient, hessian, jacobian, pullback, withgradient
from argflux.autodiff.check import RuleCheck, check_rrule
from argflux.autodiff.explain import code_ir, code_pullback
from argflux.autodiff.hooks import checkpointed, hook, ignore_derivatives
from argflux.autodiff.params import Params, params
from argflux.autodiff.primitive import primitive
from argflux.autodiff.registry import rrule
from argflux.autodiff.trace import differentiating

__all__ = [
    "Params",
    "RuleCheck",
    "WithGradient",
    "check_rrule",
    "checkpointed",
    "code_ir",
    "code_pullback",
    "differentiating",
    "gradient",
    "hessian",
    "hook",
    "ignore_derivatives",
    "jacobian",
    "params",
    "primitive",
    "pullback",
    "rrule",
    "withgradient",
]
