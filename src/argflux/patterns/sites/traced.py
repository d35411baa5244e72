"""The first call of a model on a batch, and what is said when it fails."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.errors import ArgfluxError, ArgumentError, DtypeError
from argflux.jaxpr import ClosedJaxpr
from argflux.nn.show import label

WHERE = "the model's call"


def traced(call: Callable, arrays: list, x: Any, model: Any) -> ClosedJaxpr:
    """Trace `call(arrays, x)`, in which the model is called.

    Args:
        call: to trace.
        arrays: the model's parameters.
        x: a batch, or the shape and dtype of one.
        model: for messages, and for finding out what would work.

    Raises:
        ArgumentError: for a model that is not callable, fails on a batch or does not return arrays.
        DtypeError: for inputs that are not arrays of numbers.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.patterns import find_sites
        >>> find_sites(lambda x: x @ jnp.ones((3, 2)), jnp.ones((5, 4)))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        argflux.errors.ArgumentError: the model's call: got <lambda>, which fails on a batch of shape (5, 4): ...
    """
    if not callable(model) or isinstance(model, type):
        kind = f"the class {model.__name__}" if isinstance(model, type) else f"{label(model)}, which cannot be called"
        raise ArgumentError(kind, "a model: a callable tree", "pass the model itself first, then the data", where=WHERE)
    shape = as_array(x).shape
    try:
        closed = jax.make_jaxpr(call)(arrays, x)
    except ArgfluxError:
        raise
    except Exception as error:
        got = f"{label(model)}, which fails on a batch of shape {shape}: {_first_line(error)}"
        expected = "a model of batches, the observations first, and data of its width"
        raise ArgumentError(got, expected, _advice(model, x), where=WHERE) from error
    if not closed.out_avals:
        todo = "return what the model computes"
        raise ArgumentError(f"{label(model)}, which returns no arrays", "a result", todo, where=WHERE)
    return closed


def check_call(model: Any, x: Any) -> None:
    """Raise what `traced` raises for a model that cannot be called on a batch."""
    traced(lambda _, x: model(x), [], x, model)


def as_array(x: Any) -> Any:
    """Return lists and single numbers as an array; whatever has a dtype stays as it is.

    Raises:
        DtypeError: for data that are no numbers.
    """
    array = x if hasattr(x, "dtype") else np.asarray(x)
    if not (jnp.issubdtype(array.dtype, jnp.number) or jnp.issubdtype(array.dtype, jnp.bool_)):
        got = f"data of dtype {array.dtype}" if hasattr(x, "dtype") else f"data of type {type(x).__name__}"
        raise DtypeError(got, "an array of numbers", "convert it with jnp.asarray(x, 'float32')", where=WHERE)
    return array


def _advice(model: Any, x: Any) -> str:
    try:
        jax.eval_shape(jax.vmap(lambda one: model(one)), jax.ShapeDtypeStruct(x.shape, x.dtype))
    except Exception:
        return "call model(x) by itself to see where it fails"
    return "pass jax.vmap(model): the model is one of single observations"


def _first_line(error: Exception) -> str:
    text = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {text[:120]}"
