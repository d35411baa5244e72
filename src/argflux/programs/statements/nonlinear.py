"""From functions that are neither linear nor quadratic to their form in float64, and what it is given."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from argflux.jaxpr import ClosedJaxpr, Tracer, jaxpr_as_fun
from argflux.programs.forms.nonlinear import NonlinearForm
from argflux.programs.statements.layout import Layout, join
from argflux.tree import is_array


class NonlinearBlocks(NamedTuple):
    """What a nonlinear program depends on: bounds `(n,)`, infinite where there are none, and the form's operands."""

    lower: Any
    upper: Any
    operands: tuple


class Traced(NamedTuple):
    """A function of the variable's vector and of arrays, in float64; `captured` are arrays that it met elsewhere."""

    program: ClosedJaxpr
    captured: tuple

    @classmethod
    def of(cls, function: Callable, x: Any, arrays: list) -> "Traced":
        """Trace a function; arrays that are being traced, and others of JAX's that are floating, are captured."""
        with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
            program = jax.make_jaxpr(function)(x, arrays)
        return cls(program, tuple(const for const in program.consts if _is_captured(const)))

    def function(self, places: dict[int, int], rebuild: Callable) -> Callable:
        """The function of x and of all operands of the form; `places` says where captured arrays are among them."""
        program = self.program

        def run(x: jax.Array, *operands: Any) -> jax.Array:
            given = [
                jnp.asarray(operands[places[id(const)]]).astype(const.dtype) if _is_captured(const) else const
                for const in program.consts
            ]
            (y,) = jaxpr_as_fun(ClosedJaxpr(program.jaxpr, given))(x, *rebuild(operands))
            return y

        return run


def _is_captured(const: Any) -> bool:
    return isinstance(const, Tracer) or (isinstance(const, jax.Array) and jnp.issubdtype(const.dtype, jnp.floating))


def nonlinear_form(
    functions: dict[str, Callable | None], variable: Layout, layouts: dict[str, Layout | None], params: tuple
) -> tuple[NonlinearForm, Callable]:
    """The form of functions of `(x, *params)`, and what makes its operands of other parameters of these shapes."""
    leaves, treedef = jax.tree.flatten(params)
    where = [i for i, leaf in enumerate(leaves) if is_array(leaf)]
    wide = Layout(variable.treedef, tuple(_widened(leaf) for leaf in variable.leaves), variable.names)
    structs = [_widened(leaves[i]) for i in where]

    def called(function: Callable) -> Callable:
        def run(x: jax.Array, arrays: list) -> jax.Array:
            fresh = dict(zip(where, arrays, strict=True))
            given = treedef.unflatten([fresh.get(i, leaf) for i, leaf in enumerate(leaves)])
            return join(jax.tree.leaves(function(wide.tree(x), *given)), jnp.float64)

        return run

    x = jax.ShapeDtypeStruct((variable.size,), "float64")
    absent = lambda what: what != "objective" and not layouts[what]
    traced = {
        what: None if absent(what) or f is None else Traced.of(called(f), x, structs) for what, f in functions.items()
    }
    captured = list({id(const): const for t in traced.values() if t for const in t.captured}.values())
    count = sum(2 if _is_complex(struct) else 1 for struct in structs)
    places = {id(const): count + i for i, const in enumerate(captured)}
    rebuild = lambda operands: _joined(structs, operands)
    made = {what: t and t.function(places, rebuild) for what, t in traced.items()}
    objective = made["objective"]
    assert objective is not None
    size = lambda what: layouts[what].size if made[what] else 0  # type: ignore[union-attr]
    form = NonlinearForm(
        variable.size,
        size("equality"),
        size("inequality"),
        lambda x, *operands: objective(x, *operands)[0],
        made["equality"],
        made["inequality"],
    )

    def operands(params: tuple) -> tuple:
        leaves = jax.tree.leaves(params)
        return (*_split([jnp.asarray(leaves[i]) for i in where]), *captured)

    return form, operands


def _is_complex(struct: Any) -> bool:
    return jnp.issubdtype(struct.dtype, jnp.complexfloating)


def _widened(leaf: Any) -> jax.ShapeDtypeStruct:
    dtype = leaf.dtype
    if jnp.issubdtype(dtype, jnp.floating):
        dtype = "float64"
    elif jnp.issubdtype(dtype, jnp.complexfloating):
        dtype = "complex128"
    return jax.ShapeDtypeStruct(leaf.shape, dtype)


def _split(arrays: list) -> list:
    """Complex arrays as two real ones."""
    return [part for a in arrays for part in ((jnp.real(a), jnp.imag(a)) if _is_complex(a) else (a,))]


def _joined(structs: list, operands: Any) -> list:
    """The arrays of these kinds of the first operands."""
    left = iter(operands)
    return [jax.lax.complex(next(left), next(left)) if _is_complex(s) else next(left) for s in structs]
