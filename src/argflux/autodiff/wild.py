"""Which values may be infinite or NaN: those that descend from such a function, and arguments that a program tests."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from argflux.autodiff.masks import is_float
from argflux.autodiff.ranges import Range, is_safe
from argflux.autodiff.registry import HOLDS_PROGRAMS
from argflux.jaxpr import Literal, jaxprs_in_params

_DOMAINS = {"acos", "acosh", "asin", "atanh", "erf_inv", "log", "log1p", "log2", "rsqrt", "sqrt"}
_POLES = {"digamma", "div", "integer_pow", "lgamma", "polygamma", "pow", "rem", "tan", "zeta"}
_OVERFLOWS = {"cumlogsumexp", "exp", "exp2", "expm1", "igamma", "igammac", "regularized_incomplete_beta"}
_SOLVES = {"cholesky", "custom_linear_solve", "lu", "triangular_solve", "tridiagonal_solve", "eigh", "svd", "opaque"}
MAKERS = _DOMAINS | _POLES | _OVERFLOWS | _SOLVES

_MOVES = {
    "broadcast_in_dim",
    "concatenate",
    "convert_element_type",
    "copy",
    "dynamic_slice",
    "gather",
    "pvary",
    "reshape",
    "rev",
}
_MOVES |= {"slice", "squeeze", "stack", "tile", "transpose"}
_TESTS = {"eq", "ne", "lt", "le", "gt", "ge"}
_LOGIC = {"and", "or", "xor", "not", "reduce_and", "reduce_or", "select_n", "argmax", "argmin"}
_EVERYTHING, _BOOLEANS, _LOW = -1, -2, -3
_LOST = -1e4


def makes_wild(eqn: Any, bounds: Sequence[Range] = ()) -> bool:
    """Say whether tame operands, within these bounds if there are any, may give an infinity or a NaN here."""
    name, params = eqn.primitive.name, eqn.params
    if name in MAKERS:
        return not (name == "integer_pow" and params["y"] >= 0) and not (bounds and is_safe(eqn, bounds))
    holds = name in HOLDS_PROGRAMS or name == "while"
    return holds and any(makes_wild(inner) for jaxpr in jaxprs_in_params(params) for inner in jaxpr.eqns)


def is_wild_constant(value: Any) -> bool:
    """Say whether a NumPy constant holds an infinity or a NaN."""
    return isinstance(value, np.ndarray) and is_float(value) and not np.isfinite(np.asarray(value, np.float64)).all()


def wild_inputs(jaxpr: Any) -> tuple[list[bool], list[bool]]:
    """Say which constants and which arguments of a program may be infinite or NaN, for it tests them in a `where`.

    All may if the test is of a value computed from them, as in `nansum(a * b)`, or was given as booleans; but not where
    booleans choose between scores and a large negative number, as those of an attention do.
    """
    inputs = [*jaxpr.constvars, *jaxpr.invars]
    roots = {v: frozenset([i]) for i, v in enumerate(inputs) if is_float(v.aval)}
    roots |= {v: frozenset([_BOOLEANS]) for v in inputs if v.aval.dtype == bool}
    found = set(_tested(jaxpr, roots)[0])
    if found & {_EVERYTHING, _BOOLEANS}:
        found.update(range(len(inputs)))
    flags = [i in found for i in range(len(inputs))]
    return flags[: len(jaxpr.constvars)], flags[len(jaxpr.constvars) :]


def _tested(jaxpr: Any, roots: dict) -> tuple[set, list[frozenset]]:
    """Return the inputs that choose in a `where`, and of each output those that it or its test goes back to.

    `roots` maps variables to places of the inputs that they are moved from or test.
    """
    none: frozenset = frozenset()
    low = lambda value: frozenset([_LOW]) if np.ndim(value) == 0 and np.real(value) <= _LOST else none
    of = lambda atom: low(atom.val) if isinstance(atom, Literal) else roots.get(atom, none)
    found: set = set()
    for eqn in jaxpr.eqns:
        name, known = eqn.primitive.name, [of(v) for v in eqn.invars]
        outs = [none] * len(eqn.outvars)
        if name == "select_n":  # of `jnp.select` by the place of the first condition that holds
            scores = any(_LOW in case for case in known[1:])
            found |= known[0] - {_BOOLEANS, _LOW} if scores else known[0] - {_LOW}
        if name == "is_finite" or (name in _TESTS and eqn.invars[0] is eqn.invars[1]):
            outs = [known[0] or frozenset([_EVERYTHING])]
        elif name in _TESTS:
            outs = [none.union(*(k for k, v in zip(known, eqn.invars, strict=True) if is_float(v.aval)))]
        elif name in _LOGIC or name in _MOVES:
            outs = [none.union(*known)]
        elif name != "custom_jvp_call":
            for inner, inside in _programs(eqn, known):
                tested, results = _tested(inner, inside)
                found, outs = found | tested, results if len(results) == len(outs) else outs
        roots |= {v: out for v, out in zip(eqn.outvars, outs, strict=True) if out}
    return found, [of(v) for v in jaxpr.outvars]


def _programs(eqn: Any, known: Sequence[frozenset]) -> Iterator[tuple[Any, dict]]:
    """Yield the programs an equation holds, with what their inputs go back to."""
    for inner in jaxprs_in_params(eqn.params):
        if len(inner.invars) <= len(known):
            yield inner, dict(zip(inner.invars, known[len(known) - len(inner.invars) :], strict=True))
        else:
            yield inner, {}
