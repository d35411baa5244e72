"""Bounds on values, as far as the operations that made them give any: what is added to a square stays above it."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Range = tuple[float, float]
ANYTHING: Range = (-math.inf, math.inf)
_LARGE = 80.0


def of_constant(value: Any) -> Range:
    """Return the bounds of a NumPy constant; those of NaN hold nothing, so that a `where` takes the others."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf" or not value.size:
        return ANYTHING
    low, high = float(value.min()), float(value.max())
    return (low, high) if low <= high else (math.inf, -math.inf)


def _product(a: Range, b: Range) -> Range:
    ends = [0.0 if 0.0 in (x, y) else x * y for x in a for y in b]
    return min(ends), max(ends)


def _inverse(a: Range) -> Range:
    if a[0] <= 0 <= a[1]:
        return ANYTHING
    return (1 / a[1], 1 / a[0])


def _total(a: Range) -> Range:
    return (a[0] if a[0] >= 0 else -math.inf), (a[1] if a[1] <= 0 else math.inf)


def _exp(x: float) -> float:
    return math.exp(x) if x < 700 else math.inf


def _even(a: Range) -> Range:
    return 0.0 if a[0] <= 0 <= a[1] else min(a[0] ** 2, a[1] ** 2), math.inf


def _root(a: Range) -> Range:
    return math.sqrt(max(a[0], 0.0)), math.sqrt(max(a[1], 0.0))


RULES: dict[str, Callable[..., Range]] = {
    "add": lambda a, b: (a[0] + b[0], a[1] + b[1]),
    "sub": lambda a, b: (a[0] - b[1], a[1] - b[0]),
    "mul": _product,
    "div": lambda a, b: _product(a, _inverse(b)) if _inverse(b) != ANYTHING else ANYTHING,
    "neg": lambda a: (-a[1], -a[0]),
    "square": _even,
    "abs": lambda a: (0.0, math.inf),
    "exp": lambda a: (_exp(a[0]), _exp(a[1])),
    "logistic": lambda a: (0.0, 1.0),
    "tanh": lambda a: (-1.0, 1.0),
    "sqrt": _root,
    "rsqrt": lambda a: _inverse(_root(a)) if a[0] > 0 else (0.0, math.inf),
    "max": lambda a, b: (max(a[0], b[0]), max(a[1], b[1])),
    "min": lambda a, b: (min(a[0], b[0]), min(a[1], b[1])),
    "reduce_sum": _total,
    "select_n": lambda _, *cases: (min(low for low, _ in cases), max(high for _, high in cases)),
}
_MOVES = {"broadcast_in_dim", "convert_element_type", "copy", "reduce_max", "reduce_min", "reshape", "slice", "squeeze"}
_MOVES |= {"pvary", "transpose"}

SAFE: dict[str, Callable[..., bool]] = {
    "div": lambda a, b: b[0] > 0 or b[1] < 0,
    "exp": lambda a: a[1] < _LARGE,
    "exp2": lambda a: a[1] < _LARGE,
    "expm1": lambda a: a[1] < _LARGE,
    "log": lambda a: a[0] > 0,
    "log1p": lambda a: a[0] > -1,
    "log2": lambda a: a[0] > 0,
    "rsqrt": lambda a: a[0] > 0,
    "sqrt": lambda a: a[0] >= 0,
}


def of_result(eqn: Any, operands: Sequence[Range]) -> Range:
    """Return the bounds of an equation's result."""
    name = eqn.primitive.name
    if name == "integer_pow" and eqn.params["y"] % 2 == 0 and eqn.params["y"] > 0:
        return 0.0, math.inf
    if name == "mul" and eqn.invars[0] is eqn.invars[1]:
        return _even(operands[0])
    if name in _MOVES:
        return operands[0]
    bounds = RULES[name](*operands) if name in RULES else ANYTHING
    return bounds if bounds[0] <= bounds[1] else ANYTHING


def is_safe(eqn: Any, operands: Sequence[Range]) -> bool:
    """Say whether an operation is finite between the bounds of its operands."""
    rule = SAFE.get(eqn.primitive.name)
    return rule is not None and rule(*operands)
