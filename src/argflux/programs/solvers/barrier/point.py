"""What an interior point method holds of a batch; the batch is the last axis, so that operations run along it."""

from typing import Any, NamedTuple

from argflux.programs.forms.condensed import Condensed


class BarrierPoint(NamedTuple):
    """Where a batch ended; the batch is the first axis.

    `z`, `z_lower` and `z_upper` are not negative; the Lagrangian is
    `f + y'c + z'g - z_lower'(x - lower) + z_upper'(x - upper)`.
    """

    x: Any
    y: Any
    z: Any
    z_lower: Any
    z_upper: Any
    status: Any
    iterations: Any


class Point(NamedTuple):
    """Unknowns, slacks of inequalities, and multipliers."""

    x: Any
    s: Any
    y: Any
    z: Any
    zl: Any
    zu: Any


class Bounds(NamedTuple):
    """Bounds, which of them are finite, and which unknowns they leave free."""

    lower: Any
    upper: Any
    has_lower: Any
    has_upper: Any
    free: Any


class Scale(NamedTuple):
    """Factors of the objective and of rows."""

    f: Any
    c: Any
    g: Any


class Local(NamedTuple):
    """Values and derivatives at a point; `W` is the Hessian of the Lagrangian. Sparse ones come with their `band`."""

    f: Any
    c: Any
    g: Any
    df: Any
    Jc: Any
    Jg: Any
    W: Any
    band: Condensed | None = None
