"""What Python asks of values that are being traced, such as `if`, as errors with the user's line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax

from argflux.autodiff.source import line_of_error
from argflux.errors import ControlFlowError, DtypeError

_PYTHON_ASKS = (
    jax.errors.ConcretizationTypeError,
    jax.errors.NonConcreteBooleanIndexError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)
_KINDS = {
    jax.errors.TracerBoolConversionError: "`if`, `while`, `and` or `bool`",
    jax.errors.NonConcreteBooleanIndexError: "a boolean mask as an index",
    jax.errors.TracerIntegerConversionError: "an integer, as for a shape or `range`",
    jax.errors.TracerArrayConversionError: "a NumPy array",
}
_CONTROL = (
    "write `if` as `jnp.where` or `jax.lax.cond`, `while` as `jax.lax.scan`, a mask `x[x > 0]` as "
    "`jnp.where(x > 0, x, 0)`, and pass what does not depend on floating arguments as integers or from outside"
)
_NUMPY = (
    "write NumPy's and SciPy's functions as those of `jax.numpy` and `jax.scipy`, and a sparse matrix of SciPy as "
    "`jax.experimental.sparse.BCOO.from_scipy_sparse(A)`"
)


@contextmanager
def explaining(where: str) -> Iterator[None]:
    """Raise what JAX raises for a question about a value, while a user's function is traced, as `ControlFlowError`.

    Raises:
        ControlFlowError: if Python's own `if`, `while`, `float`, a boolean mask or NumPy asks for a value.
    """
    try:
        yield
    except _PYTHON_ASKS as error:
        question = next((text for kind, text in _KINDS.items() if isinstance(error, kind)), "`float`, `int` or a shape")
        raise ControlFlowError(
            f"Python that asks for a value ({question}) at {line_of_error(error)}",
            "operations of JAX alone, for the program is traced once for all values",
            _NUMPY if isinstance(error, jax.errors.TracerArrayConversionError) else _CONTROL,
            where=where,
        ) from error


def check_returned(tree: Any, where: str) -> None:
    """Refuse what a user's function returned if it holds something that is neither an array nor a number.

    Raises:
        DtypeError: naming the class of the first such leaf.
    """
    for leaf in jax.tree.leaves(tree):
        if not is_array_like(leaf):
            got = f"a function that returns a {type(leaf).__name__}"
            raise DtypeError(got, "arrays and numbers", "return nothing else", where=where)


def is_array_like(leaf: Any) -> bool:
    """Say whether JAX can trace a value."""
    return isinstance(leaf, jax.Array | bool | int | float | complex) or hasattr(leaf, "dtype")
