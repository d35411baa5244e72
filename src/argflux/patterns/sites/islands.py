"""Activations found in a program: parts that are a function of one number, applied to every element of an array."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.jaxpr import Tracer
from argflux.patterns.sites.flat import Flat, Step

COMPARISONS = {"gt", "ge", "lt", "le"}
_SWITCHES = {*COMPARISONS, "max", "min", "abs", "sign"}
_ELEMENTWISE = {
    *_SWITCHES, "add", "add_any", "and", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "clamp",
    "convert_element_type", "copy", "cos", "cosh", "div", "eq", "erf", "erfc", "exp", "exp2", "expm1", "floor",
    "integer_pow", "is_finite", "log", "log1p", "log2", "logistic", "mul", "ne", "neg", "not", "one_minus_square",
    "or", "polynomial", "pow", "reduce_precision", "rem", "round", "rsqrt", "select_n", "sin", "sinh", "sqrt",
    "square", "sub", "tan", "tanh", "xor",
}  # fmt: skip
_STRAIGHT = _SWITCHES | {
    "add",
    "add_any",
    "sub",
    "neg",
    "copy",
    "convert_element_type",
    "select_n",
    "clamp",
    "and",
    "or",
    "not",
}
_SPREADING = {"broadcast_in_dim", "reshape", "squeeze", "expand_dims", "convert_element_type", "copy"}
_LEAP = 1e-3


class Islands:
    """Which values are functions of one number, elementwise, and of which array.

    Attributes:
        base: for every value that moves, the number of the array whose elements it is made from, one each.
        corners: for every base, the numbers at which a comparison among its functions turns.
        loose: comparisons between two arrays, as (step, left, right).
        exits: the values that the rest of the program reads from an island, each with its first reader; None where
            that is the result.
    """

    def __init__(self, flat: Flat, needed: set[int]):
        self.flat = flat
        self.base: dict[int, int] = {flat.x: flat.x}
        self.corners: dict[int, list[float]] = {}
        self.loose: list[tuple[Step, int, int]] = []
        self._members: dict[int, list[Step]] = {}
        self._uniform = {i: value for i, value in flat.constants.items() if _is_number(value)}
        for step in flat.steps:
            if needed.intersection(step.outputs):
                self._take_in(step)
        self.exits = dict(self._find_exits(needed))

    def _take_in(self, step: Step) -> None:
        moving = [i for i in step.inputs if i in self.flat.moving]
        if not moving:
            self._spread(step)
            return
        bases = {self.base[i] for i in moving}
        if self._is_member(step, moving, bases):
            (base,) = bases
            self.base[step.outputs[0]] = base
            for left, right in _compared(step):
                self._add_corners(base, left, right)
            self._members.setdefault(base, []).append(step)
        else:
            self.base.update(zip(step.outputs, step.outputs, strict=True))
            self.loose += [(step, left, right) for left, right in _compared(step) if self._is_switch(left, right)]

    def _find_exits(self, needed: set[int]) -> Iterator[tuple[int, Step | None]]:
        readers = [step for step in self.flat.steps if needed.intersection(step.outputs)]
        reads = [(i, self.base.get(step.outputs[0]), step) for step in readers for i in step.inputs]
        seen = set()
        for value, base, step in [*reads, *((i, None, None) for i in self.flat.outputs)]:
            if value not in seen and value in self.base and self.base[value] not in (value, base):
                seen.add(value)
                yield value, step

    def maker(self, value: int) -> Step:
        """Return the step of an island that makes a value."""
        return next(step for step in self._members[self.base[value]] if value in step.outputs)

    def _is_member(self, step: Step, moving: list[int], bases: set[int]) -> bool:
        if step.name not in _ELEMENTWISE or len(bases) > 1 or len(step.outputs) > 1:
            return False
        shapes = {self.flat.shapes[i].shape for i in (*moving, *step.outputs)}
        return len(shapes) == 1 and all(i in self._uniform for i in step.inputs if i not in moving)

    def _is_switch(self, left: int, right: int | None) -> bool:
        return right is not None and all(_is_floating(self.flat.shapes[i]) for i in (left, right))

    def _spread(self, step: Step) -> None:
        """Follow arrays that hold one known number everywhere."""
        if not all(i in self._uniform for i in step.inputs) or len(step.outputs) != 1 or not step.inputs:
            return
        values = [self._uniform[i] for i in step.inputs]
        (output,) = step.outputs
        if step.name in _ELEMENTWISE:
            with jax.ensure_compile_time_eval():
                (self._uniform[output],) = step.apply(values)
        elif step.name in _SPREADING:
            self._uniform[output] = values[0]

    def _add_corners(self, base: int, left: int, right: int | None) -> None:
        if not _is_floating(self.flat.shapes[base]):
            return
        known = self.corners.setdefault(base, [])
        found = self._exact(base, left, right)
        with jax.ensure_compile_time_eval():
            found = self._roots(base, left, right) if found is None else found
        for corner in found:
            if math.isfinite(corner) and not any(math.isclose(corner, old, abs_tol=1e-9) for old in known):
                known.append(corner)
        known.sort()

    def _exact(self, base: int, left: int, right: int | None) -> list[float] | None:
        """Return the number that the base itself is compared with, if it is."""
        if right is None:
            return [0.0] if left == base else None
        for one, other in ((left, right), (right, left)):
            if one == base and other in self._uniform:
                return [float(self._uniform[other])]
            if other in self._uniform and not np.isfinite(self._uniform[other]):
                return []
        return None

    def _roots(self, base: int, left: int, right: int | None) -> list[float]:
        """Return where two functions of one number cross, each being straight between the corners known so far."""
        difference = lambda x: self._apply(base, left, x) - (0.0 if right is None else self._apply(base, right, x))
        roots = []
        for low, high in itertools.pairwise([-math.inf, *self.corners[base], math.inf]):
            p, q, _ = _inside(low, high)
            f, g, end = (float(difference(jnp.asarray([x]))[0]) for x in (p, q, p))
            if f == g or not math.isfinite(f - g):
                continue
            root = float(f"{p - f * (q - p) / (g - f):.6g}")
            end = float(difference(jnp.asarray([root]))[0])
            if low <= root <= high and abs(end) <= 1e-4 * (abs(f) + abs(g)):
                roots.append(root)
        return roots

    def _apply(self, base: int, value: int, x: Any) -> Any:
        """Return a value of the island for elements x of its base, without the rest of the program."""
        env: dict[int, Any] = {base: x}
        read = lambda i: env[i] if i in env else jnp.full(jnp.shape(x), self._uniform[i], self.flat.shapes[i].dtype)
        for step in self._members.get(base, []):
            if value in env:
                break
            env[step.outputs[0]] = step.apply([read(i) for i in step.inputs])[0]
        return read(value)

    def function(self, value: int) -> Callable:
        """Return a value of an island as a function of elements of its base."""
        return lambda x: self._apply(self.base[value], value, x)

    def kinks(self, value: int) -> tuple[float, ...]:
        """Return where a function of one number bends or jumps."""
        corners = self.corners.get(self.base[value], [])
        with jax.ensure_compile_time_eval():
            return tuple(corner for corner in corners if self._bends(value, corner))

    def _bends(self, value: int, corner: float) -> bool:
        step = _LEAP * (1 + abs(corner))
        places = [corner - step, corner, corner + step]
        (left, middle, right), (before, _, after) = self._values_and_slopes(value, places)
        if not math.isfinite(middle):  # as of log(abs(x)), which has no other side
            return False
        steepest = max(abs(before), abs(after))
        jumps = abs(right - left) > 3 * step * steepest + 1e-4 * (1 + abs(left))
        return jumps or abs(after - before) > 2 * _LEAP * (1 + steepest)

    def is_straight(self, value: int, kinks: tuple[float, ...]) -> bool:
        """Say whether a function of one number is affine between its kinks."""
        if all(step.name in _STRAIGHT for step in self._members[self.base[value]]):
            return True
        with jax.ensure_compile_time_eval():
            for low, high in itertools.pairwise([-math.inf, *kinks, math.inf]):
                places = _inside(low, high)
                values, slopes = self._values_and_slopes(value, places)
                secants = np.diff(values) / np.diff(places)
                if np.ptp([*slopes, *secants]) > 1e-3 * (1 + max(map(abs, slopes))):
                    return False
        return True

    def _values_and_slopes(self, value: int, places: Any) -> tuple[list[float], list[float]]:
        function, dtype = self.function(value), self.flat.shapes[self.base[value]].dtype
        x = jnp.asarray(places, dtype)
        if not _is_floating(self.flat.shapes[value]):
            return [float(y) for y in function(x)], [0.0] * len(places)
        y, dy = jax.jvp(function, (x,), (jnp.ones_like(x),))
        return [float(v) for v in y], [float(v) for v in dy]


def _compared(step: Step) -> list[tuple[int, Any]]:
    """Return the pairs that an operation compares; None stands for zero."""
    if step.name == "clamp":
        low, x, high = step.inputs
        return [(x, low), (x, high)]
    if step.name in _SWITCHES:
        return [(step.inputs[0], step.inputs[1] if len(step.inputs) > 1 else None)]
    return []


def _inside(low: float, high: float) -> tuple[float, float, float]:
    """Return three numbers inside an interval, which may be unbounded."""
    if math.isinf(low) and math.isinf(high):
        return -1.0, 1.0, 7.0
    if math.isinf(low) or math.isinf(high):
        end, way = (high, -1) if math.isinf(low) else (low, 1)
        return tuple(end + way * (1 + abs(end)) * k for k in (0.5, 1.0, 7.0))  # type: ignore[return-value]
    return tuple(low + (high - low) * k for k in (0.2, 0.5, 0.8))  # type: ignore[return-value]


def _is_number(value: Any) -> bool:
    return value.ndim == 0 and not isinstance(value, Tracer)


def _is_floating(value: Any) -> bool:
    return jnp.issubdtype(value.dtype, jnp.floating)
