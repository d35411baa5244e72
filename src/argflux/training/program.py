"""One compiled program that makes any number of training steps, and the cache that keeps such programs."""

import inspect
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import jax
import jax.numpy as jnp

from argflux.compilation import compiler_options
from argflux.errors import ArgumentError, DtypeError, ShapeError
from argflux.nn.mode import training_pass
from argflux.training.devices import Devices
from argflux.training.split import Split
from argflux.training.step import apply_rules

Carry = tuple[list, list, list]
KEPT_PROGRAMS = 16
_programs: "OrderedDict[Hashable, Program]" = OrderedDict()


class Program:
    """Makes n steps in one call, for an n given at run time: the same executable serves every n.

    Args:
        loss: `loss(model, *batch)`, a scalar.
        gradient: `gradient(objective)(arrays) -> (value, gradients)`; for a model with buffers,
            `gradient(objective, has_aux=True)(arrays) -> ((value, aux), gradients)`.
        split: how the model is taken apart.
        rules: the parts of the rule.
        inner: the structure of the rule's state.
        whole: the structure of the trainable arrays if some of them are frozen, else None.
        donate: whether a call may overwrite the arrays it starts from.
        devices: where the arrays lie.

    Attributes:
        traces: how often the program was traced: once for each shape of batch.
        seconds: how long a step took lately, None before the first measurement.
        donates: whether a call may overwrite the arrays it starts from.
    """

    def __init__(
        self,
        loss: Callable,
        gradient: Callable,
        split: Split,
        rules: tuple,
        inner: Any,
        whole: Any,
        donate: bool,
        devices: Devices,
    ):
        self.loss, self.gradient, self.split, self.rules = loss, gradient, split, rules
        self.inner, self.whole = inner, whole
        self.traces = 0
        self.seconds: float | None = None
        self.donates, self.devices = donate, devices
        donated = (0,) if donate else ()
        options = compiler_options()
        self.call = jax.jit(
            self._steps, donate_argnums=donated, out_shardings=devices.everywhere, compiler_options=options
        )

    def _steps(
        self, carry: Carry, fixed: list, hyper: tuple, pool: Any, index: Any, n: Any, draw: jax.Array
    ) -> tuple[Carry, jax.Array]:
        """Make n steps, step i on the rows `index[i]` of the pool; return the losses too, as many as `index` has.

        The carry holds the moving arrays, the rule's state and the buffers; `draw` the run's random key, two
        words, and the number of the first step.
        """
        self.traces += 1
        losses = jnp.zeros(index.shape[0], _loss_dtype(carry[0]))

        def body(i: Any, state: tuple) -> tuple:
            carry, losses = state
            batch = jax.tree.map(lambda rows: _picked(rows, index, i), pool)
            key = lambda: jax.random.fold_in(_key(draw[:2]), draw[2] + jnp.asarray(i, draw.dtype))
            carry, value = self._step(carry, fixed, hyper, batch, key)
            return carry, losses.at[i].set(value.astype(losses.dtype))

        return jax.lax.fori_loop(0, n, body, (carry, losses))

    def _step(self, carry: Carry, fixed: list, hyper: tuple, batch: Any, key: Callable) -> tuple[Carry, jax.Array]:
        moving, inner_leaves, held = carry
        given = arguments(batch)
        _check_call(self.loss, given)
        value, held, grads = self._differentiate(moving, self.split.holding(fixed, held), given, key)
        inner, params = apply_rules(
            self.rules,
            self.whole,
            hyper,
            self.inner.unflatten(inner_leaves),
            self.split.spread(moving),
            self.split.spread(grads),
        )
        return (self.split.collect(params), jax.tree.leaves(inner), held), value

    def _differentiate(self, moving: list, fixed: list, given: tuple, key: Callable) -> tuple[Any, list, list]:
        """Return the loss, the buffers after it, and its gradient."""

        def objective(arrays: list) -> Any:
            model = self.split.join(arrays, fixed)
            with training_pass(model, key) as now:
                value = _checked(self.loss(model, *given))
            return (value, now.fresh) if self.split.buffers else value

        if not self.split.buffers:
            value, grads = self.gradient(objective)(moving)
            return value, [], grads
        (value, held), grads = self.gradient(objective, has_aux=True)(moving)
        return value, held, grads


def _key(words: jax.Array) -> jax.Array:
    return jax.random.wrap_key_data(words, impl="threefry2x32")


def _picked(rows: Any, index: Any, i: Any) -> Any:
    """Return `rows[index[i]]`; where the pool is one batch, that batch, which is then no copy at every step."""
    if rows.shape[0] == 1 and index.ndim == 1:
        return rows[0]
    return rows.at[index[i]].get(mode="promise_in_bounds")


def program_for(
    loss: Callable,
    gradient: Callable,
    split: Split,
    rules: tuple,
    inner: Any,
    whole: Any,
    donate: bool,
    devices: Devices,
) -> Program:
    """Return the program of an earlier run if everything it depends on is the same, else a new one."""
    settings = (loss, gradient, split, rules, inner, whole, donate, devices)
    key = (_captured(loss), *settings)
    try:
        program = _programs.pop(key, None) or Program(*settings)
    except TypeError:  # something in the key cannot be hashed
        return Program(*settings)
    _programs[key] = program
    if len(_programs) > KEPT_PROGRAMS:
        _programs.popitem(last=False)
    return program


def value_and_gradient(objective: Callable, has_aux: bool = False) -> Callable:
    """Return `arrays -> (value, gradients)` by the library's own engine."""
    from argflux.autodiff import withgradient

    def run(arrays: list) -> tuple[Any, list]:
        value, grads = withgradient(objective, arrays, has_aux=has_aux)
        return value, grads[0]

    return run


def arguments(batch: Any) -> tuple:
    """Return what a loss is called with after the model: the entries of a tuple or Dataset, or the one batch."""
    from argflux.data import Dataset

    return tuple(batch) if isinstance(batch, tuple | Dataset) else (batch,)


class _Same:
    """Compares an object by identity, and keeps it alive."""

    def __init__(self, value: Any):
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def _captured(loss: Callable) -> tuple:
    """Return what a loss reads from around itself: a program holds its values, so a new value needs a new one."""
    function = inspect.unwrap(loss)
    code = getattr(function, "__code__", None)
    if code is None:
        return ()
    cells = [_content(cell) for cell in function.__closure__ or ()]
    names = [function.__globals__[name] for name in code.co_names if name in function.__globals__]
    return tuple(
        (type(value), value) if isinstance(value, int | float | str) else _Same(value) for value in cells + names
    )


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return None


def _loss_dtype(moving: list) -> Any:
    return jnp.float64 if any(array.dtype == jnp.float64 for array in moving) else jnp.float32


def _check_call(loss: Callable, given: tuple) -> None:
    try:
        signature = inspect.signature(loss)
    except (ValueError, TypeError):  # a builtin without one
        return
    try:
        signature.bind(None, *given)
    except TypeError as error:
        name = getattr(loss, "__name__", type(loss).__name__)
        got = f"batches of {len(given)} for a loss {name}{signature}"
        todo = "let data yield tuples, such as (x, y); a single batch is given as [(x, y)]"
        raise ArgumentError(
            got, "an entry of the batch for each argument after the model", todo, where="train"
        ) from error


def _checked(value: Any) -> jax.Array:
    if not hasattr(value, "shape"):
        value = _number(value)
    if value.shape != ():
        got, todo = f"a loss of shape {value.shape}", "take its mean, as in jnp.mean(…)"
        raise ShapeError(got, "a scalar of shape ()", todo, where="train")
    if not jnp.issubdtype(value.dtype, jnp.floating):
        got, todo = f"a loss of dtype {value.dtype}", "return a loss, not a count"
        raise DtypeError(got, "a floating number", todo, where="train")
    return value


def _number(value: Any) -> jax.Array:
    if not isinstance(value, int | float):
        got, todo = f"a {type(value).__name__} from the loss", "return the loss alone, one number"
        raise DtypeError(got, "a floating scalar", todo, where="train")
    return jnp.asarray(value)
