"""Which values may be infinite or NaN: those that descend from such a function, or all, where a program asks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jax.extend.core import Literal, jaxprs_in_params

from argflux.autodiff.masks import is_float
from argflux.autodiff.registry import HOLDS_PROGRAMS

MAKERS = frozenset(
    "acos acosh asin atanh cbrt_grad cholesky cumlogsumexp custom_linear_solve digamma div eigh erf_inv exp exp2 expm1 "
    "igamma igammac integer_pow lgamma log log1p lu opaque polygamma pow regularized_incomplete_beta rem rsqrt sqrt svd "
    "tan triangular_solve tridiagonal_solve zeta".split()
)
MOVES = frozenset(
    "broadcast_in_dim concatenate convert_element_type copy dynamic_slice expand_dims gather reshape rev slice squeeze "
    "stack tile transpose".split()
)
TESTS = frozenset("eq ne lt le gt ge".split())
LOGIC = frozenset("and or xor not reduce_and reduce_or select_n".split())


def makes_wild(eqn: Any) -> bool:
    """Say whether tame operands may give an infinity or a NaN here."""
    name, params = eqn.primitive.name, eqn.params
    if name not in MAKERS and name not in HOLDS_PROGRAMS and name != "while":
        return False
    if name == "div" and isinstance(eqn.invars[1], Literal):
        return not eqn.invars[1].val
    if name == "integer_pow":
        return params["y"] < 0
    return name in MAKERS or any(makes_wild(inner) for jaxpr in jaxprs_in_params(params) for inner in jaxpr.eqns)


def is_wild_constant(value: Any) -> bool:
    """Say whether a NumPy constant holds an infinity or a NaN."""
    return isinstance(value, np.ndarray) and is_float(value) and not np.isfinite(np.asarray(value, np.float64)).all()


def asks(jaxpr: Any) -> bool:
    """Say whether a program leaves entries out by a test of what it was given.

    Such are `isnan` and `isfinite`, comparisons of its arguments and constants, and booleans that it was given, if
    they choose in a `where`. Then anything it was given may be infinite or NaN.
    """
    given = dict.fromkeys([*jaxpr.invars, *jaxpr.constvars], True)
    return _asks(jaxpr, given)[0]


def _asks(jaxpr: Any, given: dict) -> tuple[bool, list]:
    """Follow what was given, moved at most, and the tests of it; also say of each output whether it is either."""
    given = {v: kind for v, kind in given.items() if kind}
    holds = lambda atom: not isinstance(atom, Literal) and atom in given
    found = False
    for eqn in jaxpr.eqns:
        name, known = eqn.primitive.name, [holds(v) for v in eqn.invars]
        kinds = [False] * len(eqn.outvars)
        if name == "select_n":
            found = found or (known[0] and eqn.invars[0].aval.dtype == bool)
        if name == "is_finite" or (name in TESTS and _same(eqn)):
            kinds = [True]
        elif name in TESTS:
            kinds = [any(on and is_float(v.aval) for on, v in zip(known, eqn.invars, strict=True))]
        elif name in LOGIC or name in MOVES:
            kinds = [any(known)]
        elif name != "custom_jvp_call":
            for inner, on in _programs(eqn, known):
                asked, outs = _asks(inner, on)
                found, kinds = found or asked, outs if len(outs) == len(kinds) else kinds
        given.update(dict.fromkeys((v for v, kind in zip(eqn.outvars, kinds, strict=True) if kind), True))
    return found, [holds(v) for v in jaxpr.outvars]


def _same(eqn: Any) -> bool:
    a, b = eqn.invars
    return a is b


def _programs(eqn: Any, known: Sequence[bool]):
    """Yield the programs an equation holds, with what of their inputs was given."""
    for inner in jaxprs_in_params(eqn.params):
        last = (
            known[len(known) - len(inner.invars) :] if len(inner.invars) <= len(known) else [False] * len(inner.invars)
        )
        yield inner, dict(zip(inner.invars, last, strict=True)) | dict.fromkeys(inner.constvars, False)
