"""An interior point over symmetric cones whose every operation is one of a whole batch."""

import functools
from typing import Any, NamedTuple

import jax
import numpy as np

from argflux.programs.answers.conic import ConeAnswer
from argflux.programs.answers.status import Status
from argflux.programs.cones.form import ConeBlocks, ConeForm
from argflux.programs.forms.arrays import namespace
from argflux.programs.forms.form import dense_curvature, times
from argflux.programs.solvers.conicnewton import Refined, refine
from argflux.programs.solvers.symmetric import Layout, Scaled, is_symmetric

SIDE, SMALL, LARGE, DENSE = 12, 40, 300, 0.25
ALONE, WORTH = 2e4, 3e6
STEPS, ACCURACY = 40, 1e-6
SHORT, STUCK = 0.99, 1e-4
STILL = 1e-14
FEWER = 0.75


class Data(NamedTuple):
    """Blocks with a leading axis of the batch or one: `A x + s = b` in the cones, `E x = d`."""

    P: Any
    q: Any
    A: Any
    b: Any
    E: Any
    d: Any


class Point(NamedTuple):
    """Where instances are, whether they go on, and how many steps they have gone."""

    x: Any
    y: Any
    s: Any
    z: Any
    going: Any
    steps: Any


def suits_batch(form: ConeForm, values: ConeBlocks, batch: int) -> bool:
    """Whether instances are solved together, which pays from a certain work on, if the matrices are not sparse."""
    size = form.n + form.m
    if not suits(form) or batch * (ALONE + form.n * size**2) < WORTH:
        return False
    return size <= SMALL or np.count_nonzero(values.A) >= DENSE * values.A.size


def suits(form: ConeForm) -> bool:
    """Whether there is a scaling for every cone, and matrices are dense and not large."""
    dense = form.A_pattern is None and form.curvature != "sparse"
    return dense and form.n + form.m <= LARGE and is_symmetric(form.product, SIDE)


def solve_together(
    form: ConeForm, settings: Any, values: ConeBlocks, batch: int
) -> tuple[Refined, np.ndarray, np.ndarray]:
    """Points made exact, statuses and steps."""
    answer, steps = interior_points(form, values, settings.max_iterations)
    refined = refine(form, values, answer.finite(), np.ones(batch, bool))
    solved = refined.error <= settings.tolerance
    return refined, np.where(solved, np.int32(Status.SOLVED), np.int32(Status.NUMERICAL_ERROR)), steps


def interior_points(form: ConeForm, values: ConeBlocks, limit: int) -> tuple[ConeAnswer, Any]:
    """Points near the solutions, to a millionth where there are any, and in how many steps, at most `limit`.

    Blocks are NumPy's, or JAX's in float64; matrices are dense.

    Source:
        Vandenberghe, "The CVXOPT linear and quadratic cone program solvers" (2010).
    """
    layout = Layout.of(form.product)
    data, size = _data(form, layout, values)
    point, limit = _start(layout, data), min(limit, STEPS)
    if isinstance(point.x, np.ndarray):
        point = _shrinking(layout, data, point, limit)
    else:
        advance = functools.partial(_advanced, layout, data, limit=limit)
        point = jax.lax.while_loop(lambda point: point.going.any(), advance, point)
    return _answer(layout, point, size), point.steps


def _data(form: ConeForm, layout: Layout, values: ConeBlocks) -> tuple[Data, Any]:
    """The program with rows in the layout's order, the largest entry of each cone's one; and what they were."""
    P = dense_curvature(form, values.P)
    A, b, rows = values.A[:, layout.order], values.b[:, layout.order], layout.rows
    xp = namespace(A)
    size = layout.largest(xp.max(abs(A[:, :rows]), 2))
    size = xp.where(size > 0, size, 1.0)
    return Data(P, values.q, A[:, :rows] / size[..., None], b[:, :rows] / size, A[:, rows:], b[:, rows:]), size


def _answer(layout: Layout, point: Point, size: Any) -> ConeAnswer:
    xp, back = namespace(point.x), np.argsort(layout.order)
    s = xp.concatenate([point.s * size, 0 * point.y], 1)[:, back]
    z = xp.concatenate([point.z / size, point.y], 1)[:, back]
    return ConeAnswer(point.x, s, z)


def _start(layout: Layout, data: Data) -> Point:
    """Least squares, moved into the cones."""
    xp, batch = namespace(data.q), max(map(len, data))
    n, p = data.q.shape[1], data.d.shape[1]
    wide = lambda v: xp.broadcast_to(v, (batch, v.shape[1]))
    K = _system(data, data.A)
    pulled = times(data.A.mT, data.b)
    v = wide(_solved(K, xp.concatenate([pulled - data.q, wide(data.d)[: max(len(pulled), len(data.q))]], 1)))
    x, y = v[:, :n], v[:, n:]
    s = wide(data.b) - times(data.A, x)
    going = xp.ones(batch, bool)
    count = xp.zeros(batch, xp.int32)
    return Point(x, y.reshape(batch, p), _inside(layout, s), _inside(layout, -s), going, count)


def _inside(layout: Layout, v: Any) -> Any:
    xp, low = namespace(v), layout.low(v)[:, None]
    size = xp.max(abs(v), 1, keepdims=True)
    size = xp.where(size > 0, size, 1.0)
    return xp.where(low < size / 10, v + (size - low) * layout.unit, v)


def _system(data: Data, B: Any) -> Any:
    """The matrix of changes of x and of the duals of equations, `B'B` in the place of the cones."""
    xp, H, E = namespace(B), data.P + B.mT @ B, data.E
    n, p = H.shape[1], E.shape[1]
    still = STILL * xp.trace(H, axis1=1, axis2=2)[:, None, None] / n
    H = H + still * np.eye(n)
    if not p:
        return H
    E = xp.broadcast_to(E, (len(H), p, n))
    low = xp.broadcast_to(-STILL * np.eye(p), (len(H), p, p))
    return xp.concatenate([xp.concatenate([H, E.mT], 2), xp.concatenate([E, low], 2)], 1)


def _solved(K: Any, right: Any) -> Any:
    return namespace(K).linalg.solve(K, right[:, :, None])[:, :, 0]


def _advanced(layout: Layout, data: Data, point: Point, limit: int) -> Point:
    """A step of Mehrotra's method of those that have not arrived."""
    xp, (x, y, s, z) = namespace(point.x), point[:4]
    n = x.shape[1]
    bent, pull = times(data.P, x), times(data.A.mT, z) + times(data.E.mT, y)
    made, even = times(data.A, x), times(data.E, x)
    slope, row, off = bent + data.q + pull, made + s - data.b, even - data.d
    most = lambda *vs: functools.reduce(xp.maximum, [xp.max(abs(v), 1, initial=0.0) for v in vs])
    reach, force, gap = most(made, even, s, data.b, data.d), most(bent, data.q, pull), xp.vecdot(s, z) / layout.degree
    near = (most(row, off) <= ACCURACY * reach) & (most(slope) <= ACCURACY * force) & (gap <= ACCURACY * reach * force)

    scaled = Scaled.of(layout, s, z)
    B = scaled.each("scaled", xp.broadcast_to(data.A, (len(x), *data.A.shape[1:])))
    K, down = _system(data, B), scaled.each("scaled", row)

    def direction(part: Any, right: Any) -> tuple[Any, Any, Any]:
        """Changes of x and y, and of s and z in the scaled space."""
        u = scaled.each("divided", right)
        known = xp.concatenate([-part * slope - times(B.mT, part * down + u), -part * off], 1)
        v = _solved(K, known)
        moved = times(B, v[:, :n]) + part * down
        return v, -moved, moved + u

    square = scaled.each("product", scaled.point, scaled.point)
    _, ds, dz = direction(1.0, -square)
    length = 1 / xp.maximum(1.0, xp.maximum(scaled.rate(ds), scaled.rate(dz)))
    centring = ((1 - length) ** 3)[:, None]
    right = centring * gap[:, None] * layout.unit - square - scaled.each("product", ds, dz)
    v, ds, dz = direction(1 - centring, right)
    length = 1 / xp.maximum(1.0, xp.maximum(scaled.rate(ds), scaled.rate(dz)) / SHORT)
    along = length[:, None]
    fresh = (
        x + along * v[:, :n],
        y + along * v[:, n:],
        s + along * scaled.each("slack", ds),
        z + along * scaled.each("dual", dz),
    )
    moved = point.going & ~near & functools.reduce(xp.logical_and, [xp.isfinite(v).all(1) for v in fresh])
    steps = point.steps + moved.astype(point.steps.dtype)
    going = moved & (length > STUCK) & (steps < limit)
    x, y, s, z = (xp.where(moved[:, None], b, a) for a, b in zip(point[:4], fresh, strict=True))
    return Point(x, y, s, z, going, steps)


def _shrinking(layout: Layout, data: Data, point: Point, limit: int) -> Point:
    """Go on with those that have not arrived, in arrays of their own once there are fewer."""
    whole, left = Point(*map(np.array, point)), np.arange(len(point.x))
    while len(left):
        point = _advanced(layout, data, point, limit)
        if point.going.mean() > FEWER:
            continue
        for values, part in zip(whole, point, strict=True):
            values[left] = part
        on = point.going
        left, point = left[on], Point(*[a[on] for a in point])
        data = Data(*[a[on] if len(a) > 1 else a for a in data])
    return whole
