"""Polyhedra that people write by hand: matrices with given sums, and boxes cut by a plane."""

from typing import Any

import jax.numpy as jnp

from argflux.errors import ArgumentError, ShapeError
from argflux.keywords import explained
from argflux.kinds import Number
from argflux.programs.sets.polyhedron import Polyhedron
from argflux.programs.statements.blocks import read_array


@explained
def transport(rows: Any, columns: Any) -> Polyhedron:
    """The non-negative matrices with given sums of their rows and of their columns, raveled row by row.

    Args:
        rows: `(n,)`, the sum of each row.
        columns: `(m,)`, the sum of each column; both have the same total, or there are no such matrices.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.programs import project, transport
        >>> plan = project(transport(jnp.array([1.0, 1.0]), jnp.array([0.5, 1.5])))
        >>> plan(jnp.array([1.0, 0.0, 0.0, 1.0])).reshape(2, 2).round(5).tolist()
        [[0.5, 0.5], [0.0, 1.0]]
    """
    rows, columns = (read_array(name, v, None, "transport") for name, v in (("rows", rows), ("columns", columns)))
    for name, v in (("rows", rows), ("columns", columns)):
        if v.ndim != 1 or not v.size:
            todo = "pass the sums as a vector"
            raise ShapeError(f"{name} of shape {list(v.shape)}", "shape [n]", todo, where="transport")
    (n, m), dtype = (rows.size, columns.size), jnp.result_type(rows, columns)
    by_rows, by_columns = jnp.kron(jnp.eye(n), jnp.ones((1, m))), jnp.kron(jnp.ones((1, n)), jnp.eye(m))
    right = jnp.concatenate([rows.astype(dtype), columns.astype(dtype)])
    return Polyhedron(A=jnp.concatenate([by_rows, by_columns]), b=right, lower=0.0)


@explained
def birkhoff(n: int) -> Polyhedron:
    """The doubly stochastic matrices, raveled: non-negative, every row and every column with the sum one.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.programs import birkhoff, project
        >>> project(birkhoff(2))(jnp.array([2.0, 0.0, 0.0, 0.0])).round(5).tolist()
        [1.0, 0.0, 0.0, 1.0]
    """
    if n < 1:
        raise ArgumentError(f"{n} rows", "at least 1", "pass how many there are", where="birkhoff")
    return transport(jnp.ones(n), jnp.ones(n))


@explained
def box_section(lower: Any, upper: Any, total: Number, normal: Any = None) -> Polyhedron:
    """The points of a box whose weighted sum is given: `normal' x = total`, `lower <= x <= upper`.

    Args:
        lower: `(n,)`, or a number where upper or normal is a vector.
        upper: likewise.
        total: the sum.
        normal: `(n,)`, the weights; ones if `None`.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.programs import box_section, project
        >>> project(box_section(jnp.zeros(3), 1.0, 2.0))(jnp.array([5.0, 0.5, 0.25])).tolist()
        [1.0, 0.625, 0.375]
    """
    given = [read_array("box_section", v, None, "box_section") for v in (lower, upper, normal) if v is not None]
    sizes = {v.shape[0] for v in given if v.ndim == 1}
    if len(sizes) != 1 or any(v.ndim > 1 for v in given):
        shapes = ", ".join(str(list(v.shape)) for v in given)
        todo = "give at least one of them as a vector, all of one length"
        raise ShapeError(f"shapes {shapes}", "vectors (n,) or numbers", todo, where="box_section")
    weights = jnp.ones(sizes.pop()) if normal is None else given[-1]
    return Polyhedron(A=weights[None], b=jnp.reshape(jnp.asarray(total), (1,)), lower=lower, upper=upper)
