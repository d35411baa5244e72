"""`project`: the nearest point in a set."""

import functools
from collections.abc import Callable

import jax

from argflux.errors import ArgumentError, DtypeError
from argflux.keywords import explained
from argflux.programs.cones import Cone
from argflux.programs.sets.balls import NormBall, nearest_in_ball, nearest_in_cone
from argflux.programs.sets.polyhedron import Polyhedron, nearest

FAILURES = ("nan", "closest")


@explained
def project(polyhedron: Polyhedron | NormBall | Cone, on_failure: str = "nan") -> Callable[[jax.Array], jax.Array]:
    """Return the function to the nearest point of a set: `argmin |z - x|²` over z in it.

    Args:
        polyhedron: a `Polyhedron`, or one made by `simplex`, `box`, `halfspace`, `affine`, `increasing`, `transport`,
            `birkhoff` or `box_section`; a `NormBall`; or a cone, say `af.cones.SecondOrder(3)`.
        on_failure: what becomes of rows of an empty polyhedron inside `jit` and `vmap`: "nan", or "closest" for the
            nearest point of the polyhedron with its rows moved as little as possible, as in `solve_qp`.

    Returns:
        A function from `(…, n)` to `(…, n)`, each row projected, or of matrices `(…, n, m)` for the norms of matrices
        and `(…, k, k)` for `Semidefinite(k)`; a layer of a `Chain`, with nothing to learn (a
        `ProgramLayer` learns constraints).

    Raises:
        DtypeError: for what is no such set.
        ShapeError: when called on points that do not fit the set.
        DataError: when called, outside `jit`, on points that are not finite.
        ProgramError: when called, outside `jit`, with an empty polyhedron, unless `on_failure` is "closest".
        ArgumentError: for another `on_failure`.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.programs import project, simplex
        >>> project(simplex(3))(jnp.array([[1.0, 0.5, -1.0], [0.0, 0.0, 3.0]])).tolist()
        [[0.75, 0.25, 0.0], [0.0, 0.0, 1.0]]
    """
    if not isinstance(polyhedron, Polyhedron | NormBall | Cone):
        got, todo = f"a {type(polyhedron).__name__}", "make one with `simplex`, `box`, `halfspace` or `Polyhedron(A=…)`"
        raise DtypeError(got, "a Polyhedron, a NormBall or a cone", todo, where="project")
    if on_failure not in FAILURES:
        raise ArgumentError(f"on_failure={on_failure!r}", '"nan" or "closest"', "pick one", where="project")

    if isinstance(polyhedron, NormBall):
        return functools.partial(nearest_in_ball, ball=polyhedron)
    if isinstance(polyhedron, Cone):
        return functools.partial(nearest_in_cone, cone=polyhedron)
    return functools.partial(nearest, polyhedron=polyhedron, on_failure=on_failure)
