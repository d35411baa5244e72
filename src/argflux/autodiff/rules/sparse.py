"""Rules of the primitives of JAX's sparse matrices (BCOO, BCSR): they run as gathers and scatters, which have rules."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from argflux.autodiff.partition import read
from argflux.autodiff.registry import runs
from argflux.autodiff.source import user_line
from argflux.autodiff.tape import Tape, bind
from argflux.errors import MissingRuleError
from argflux.jaxpr import ClosedJaxpr


def plain_program(eqn: Any) -> ClosedJaxpr:
    """Write an equation that has an entry in `PLAIN` without JAX's sparse primitives.

    Raises:
        MissingRuleError: for matrices with dense axes, or batch axes that are not those of a vmap.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jax.experimental.sparse import BCOO
        >>> from argflux.autodiff.rules.sparse import plain_program
        >>> A = BCOO.fromdense(jnp.eye(2))
        >>> program = plain_program(jax.make_jaxpr(lambda x: A @ x)(jnp.ones(2)).eqns[-1])
        >>> [eqn.primitive.name for eqn in program.jaxpr.eqns][-1]
        'scatter-add'
    """
    avals = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in eqn.invars]
    return jax.make_jaxpr(lambda *operands: PLAIN[eqn.primitive.name](eqn, *operands))(*avals)


def _product(eqn: Any, data: Array, indices: Array, right: Array) -> Array:
    (of_left, of_right), (left_batch, right_batch) = eqn.params["dimension_numbers"]
    batches, shape, dtype = indices.ndim - 2, eqn.params["lhs_spinfo"].shape, eqn.outvars[0].aval.dtype
    _check_plain(eqn, data, indices, sorted(left_batch))
    free = [axis for axis in range(right.ndim) if axis not in (*of_right, *right_batch)]
    right = lax.transpose(right, (*right_batch, *of_right, *free))
    data, indices = (lax.transpose(a, (*left_batch, *range(batches, a.ndim))) for a in (data, indices))
    data, indices = (jnp.broadcast_to(a, right.shape[:batches] + a.shape[batches:]) for a in (data, indices))
    product = functools.partial(_one_product, [axis - batches for axis in of_left], shape[batches:])
    for _ in range(batches):
        product = jax.vmap(product)
    return product(data.astype(dtype), indices, right.astype(dtype))


def _one_product(of_left: list[int], shape: tuple[int, ...], data: Array, indices: Array, right: Array) -> Array:
    """Contract some axes of a matrix of this shape with the first of `right`."""
    kept = [axis for axis in range(len(shape)) if axis not in of_left]
    places = lambda axes: tuple(indices[:, axis] for axis in axes)
    chosen = right.at[places(of_left)].get(mode="fill", fill_value=0) if of_left else right[None]
    terms = lax.expand_dims(data, range(1, chosen.ndim)) * chosen
    if not kept:
        return jnp.sum(terms, 0)
    out = jnp.zeros((*(shape[axis] for axis in kept), *terms.shape[1:]), data.dtype)
    return out.at[places(kept)].add(terms, mode="drop")


def _transpose(eqn: Any, data: Array, indices: Array) -> tuple[Array, Array]:
    _check_plain(eqn, data, indices)
    return data, indices[:, jnp.array(eqn.params["permutation"], jnp.int32)]


def _dense(eqn: Any, data: Array, indices: Array) -> Array:
    out = eqn.outvars[0].aval
    return (
        jnp.zeros(out.shape, out.dtype).at[tuple(indices[:, axis] for axis in range(out.ndim))].add(data, mode="drop")
    )


def _by_rows(of_places: Callable) -> Callable:
    """Make a rule for matrices by places serve those whose entries are in rows between limits."""

    def of_rows(eqn: Any, data: Array, columns: Array, limits: Array, *rest: Array) -> Any:
        _check_plain(eqn, data, columns[..., None])
        rows = jnp.searchsorted(limits, jnp.arange(len(columns), dtype=limits.dtype), side="right") - 1
        return of_places(eqn, data, jnp.stack([rows.astype(columns.dtype), columns], 1), *rest)

    return of_rows


def _check_plain(eqn: Any, data: Array, indices: Array, batched: Sequence[int] = ()) -> None:
    """Refuse matrices with dense axes, or with batch axes other than those that the product runs over."""
    if data.ndim == indices.ndim - 1 and list(batched) == list(range(indices.ndim - 2)):
        return
    raise MissingRuleError(
        f"the primitive `{eqn.primitive.name}` called at {user_line(eqn)} on a matrix with batch or dense axes",
        "a BCOO or BCSR matrix with n_batch=0 and n_dense=0",
        "use `jax.vmap` for products with many matrices, of BCOO",
        where=eqn.primitive.name[:4].upper(),
    )


PLAIN: dict[str, Callable] = {
    "bcoo_dot_general": _product,
    "bcoo_transpose": _transpose,
    "bcoo_todense": _dense,
    "bcsr_dot_general": _by_rows(_product),
    "bcsr_todense": _by_rows(_dense),
}


def without_sparse(f: Callable[..., Array]) -> Callable[..., Array]:
    """Return a function of arrays that computes the same without JAX's sparse primitives, but inside loops.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jax.experimental.sparse import BCOO
        >>> from argflux.autodiff.rules.sparse import without_sparse
        >>> A = BCOO.fromdense(2 * jnp.eye(2))
        >>> without_sparse(jax.jit(lambda x: A @ x))(jnp.ones(2)).tolist()
        [2.0, 2.0]
    """
    return lambda *args: _evaluate(jax.make_jaxpr(f)(*args), args)[0]


def _evaluate(program: ClosedJaxpr, args: Sequence) -> list:
    env = dict(zip([*program.jaxpr.constvars, *program.jaxpr.invars], [*program.consts, *args], strict=True))
    for eqn in program.jaxpr.eqns:
        operands = [read(env, atom) for atom in eqn.invars]
        if eqn.primitive.name in PLAIN:
            ys = _evaluate(plain_program(eqn), operands)
        else:
            ys = _evaluate(eqn.params["jaxpr"], operands) if eqn.primitive.name == "jit" else bind(eqn, operands)
        env.update(zip(eqn.outvars, ys, strict=True))
    return [read(env, atom) for atom in program.jaxpr.outvars]


@runs("bcoo_dot_general")
@runs("bcoo_transpose")
@runs("bcoo_todense")
@runs("bcsr_dot_general")
@runs("bcsr_todense")
def sparse(tape: Tape, eqn, nodes):
    """Run the gathers and scatters in place, on the same record."""
    return tape.run_closed(plain_program(eqn), nodes)
