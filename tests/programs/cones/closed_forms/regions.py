"""Points of balls, triangles and ellipsoids: centres, trust regions, robust constraints."""

import jax.numpy as jnp
import numpy as np

import argflux as af
from tests.programs.cones.closed_forms.row import Row, definite, half, root


def by_trust_region(P, q, radius):
    """`|x| <= radius`; the dual is `(λ radius, -λ x)`."""
    A = jnp.concatenate([jnp.zeros((1, 3), q.dtype), -jnp.eye(3, dtype=q.dtype)])
    b = jnp.zeros(4, q.dtype).at[0].set(radius)
    s = af.solve_cone(half(P), q, A, b, [af.cones.SecondOrder(4)])
    return s.objective, s.x, s.z


def trust_region(P, q, radius):
    """The secular equation `|(P + λI)⁻¹ q| = radius`."""
    point = lambda shift, P, q: -jnp.linalg.solve(half(P) + shift * jnp.eye(3), q)
    length = lambda shift, P, q, radius: 1 / jnp.linalg.norm(point(shift, P, q)) - 1 / radius
    shift = root(length, 0.0, 100.0, P, q, radius)
    x = point(shift, P, q)
    return x @ P @ x / 2 + q @ x, x, jnp.append(shift * radius, -shift * x)


ROBUST = af.Program(
    lambda x, c, a, P, b: -jnp.vdot(c, x),
    variable=(3,),
    inequality=lambda x, c, a, P, b: af.cones.second_order(b - jnp.vdot(a, x), P.T @ x),
)


def by_robust(c, a, P, b):
    s = ROBUST.solve(c, a, P, b)
    return -s.objective, s.x


def robust(c, a, P, b):
    """Largest `d'y` with `e'y + |y| <= b` where `y = P'x`: the price λ of b has `|d - λ e| = λ`."""
    d, e = jnp.linalg.solve(P, c), jnp.linalg.solve(P, a)
    rest = 1 - e @ e
    price = (jnp.sqrt((d @ e) ** 2 + rest * (d @ d)) - d @ e) / rest
    direction = d / price - e
    return price * b, jnp.linalg.solve(P.T, direction * b / (1 + e @ direction))


def uncertain(r):
    P = definite(r, 3) + 0.2 * r.normal(size=(3, 3))
    e = r.normal(size=3)
    return r.normal(size=3), P @ (0.6 * e / np.linalg.norm(e)), P, r.uniform(0.5, 1.5)


def sides(corners):
    """Outer normals `a` and the b of `a'x <= b`, for corners in the order against the clock."""
    along = jnp.roll(corners, -1, 0) - corners
    normals = jnp.stack([along[:, 1], -along[:, 0]], 1)
    return normals, jnp.sum(normals * corners, 1)


def in_triangle(x, corners):
    normals, right = sides(corners)
    return af.cones.second_order(right - normals @ x["centre"], x["radius"] * normals)


CHEBYSHEV = af.Program(lambda x, corners: -x["radius"], {"centre": (2,), "radius": ()}, inequality=in_triangle)


def area(corners):
    (a, b), (c, d) = corners[1] - corners[0], corners[2] - corners[0]
    return (a * d - b * c) / 2


def incircle(corners):
    opposite = jnp.linalg.norm(jnp.roll(corners, -1, 0) - jnp.roll(corners, -2, 0), axis=1)
    return {"centre": opposite @ corners / jnp.sum(opposite), "radius": 2 * area(corners) / jnp.sum(opposite)}


ENCLOSING = af.Program(
    lambda x, corners: x["radius"],
    {"centre": (2,), "radius": ()},
    inequality=lambda x, corners: af.cones.second_order(x["radius"], x["centre"] - corners),
)


def circumcircle(corners):
    """Equally far from the corners, which of a triangle with acute angles are all on the smallest circle."""
    squares = jnp.sum(corners**2, 1)
    centre = jnp.linalg.solve(2 * (corners[1:] - corners[0]), squares[1:] - squares[0])
    return {"centre": centre, "radius": jnp.linalg.norm(centre - corners[0])}


def triangle(r):
    """Near a triangle of equal sides, against the clock."""
    angles = 2 * np.pi * np.arange(3) / 3
    return (np.stack([np.cos(angles), np.sin(angles)], 1) + r.uniform(-0.25, 0.25, (3, 2)),)


ELLIPSOID = af.Program(
    lambda x, c, L, centre: jnp.vdot(c, x),
    variable=(3,),
    inequality=lambda x, c, L, centre: af.cones.second_order(1.0, L @ (x - centre)),
)


def lowest(c, L, centre):
    step = jnp.linalg.solve(L.T @ L, c)
    return centre - step / jnp.sqrt(c @ step)


SHAPED = af.Program(
    lambda x, a, B: jnp.exp(a) * x[0],
    variable=(2,),
    inequality=lambda x, a, B: af.cones.second_order(1.0 + a**2, (B @ B.T * jnp.sin(a)) @ x),
)


def by_shaped(a, B):
    s = SHAPED.solve(a, B)
    return s.objective, s.x


def shaped(a, B):
    """What no rules of a modelling language allow: products and functions of parameters on the variable."""
    column = jnp.linalg.inv(B @ B.T * jnp.sin(a))[:, 0]
    x = -(1 + a**2) * jnp.linalg.solve(B @ B.T * jnp.sin(a), column) / jnp.linalg.norm(column)
    return jnp.exp(a) * x[0], x


REGIONS = {
    "trust region": Row(
        by_trust_region, trust_region, lambda r: (definite(r, 3), 3 * r.normal(size=3), r.uniform(0.3, 0.6))
    ),
    "robust linear program": Row(by_robust, robust, uncertain),
    "lowest point of an ellipsoid": Row(
        ELLIPSOID, lowest, lambda r: (r.normal(size=3), definite(r, 3) + 0.2 * r.normal(size=(3, 3)), r.normal(size=3))
    ),
    "products of parameters": Row(
        by_shaped, shaped, lambda r: (r.uniform(0.5, 0.9), np.eye(2) + 0.3 * r.normal(size=(2, 2)))
    ),
    "Chebyshev centre of a triangle": Row(CHEBYSHEV, incircle, triangle),
    "smallest circle around a triangle": Row(ENCLOSING, circumcircle, triangle),
}
