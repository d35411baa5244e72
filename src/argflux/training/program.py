"""One compiled program that makes any number of training steps, and the cache that keeps such programs."""

import inspect
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from argflux import kinds
from argflux.compilation import compiler_options
from argflux.errors import ArgfluxError, ArgumentError, DtypeError, ShapeError
from argflux.nn.mode import training_pass
from argflux.training.chain import numbers_at
from argflux.training.devices import Devices
from argflux.training.failures import counting_failures
from argflux.training.likeness import likeness
from argflux.training.rule import is_scheduled
from argflux.training.split import Split
from argflux.training.step import apply_rules

Carry = tuple[list, list, list]
KEPT_PROGRAMS = 16
_programs: "OrderedDict[Hashable, Program]" = OrderedDict()


class Made(NamedTuple):
    """What came of a number of steps.

    Attributes:
        carry: the moving arrays, the rules' memory and the buffers after them.
        losses: of every step; there may be room for more steps than were made.
        failed: how many optimisation problems inside the loss were not solved, for every step.
        rates: the learning rate of every step, if it follows a schedule; else empty.
    """

    carry: Carry
    losses: jax.Array
    failed: jax.Array
    rates: jax.Array


class Program:
    """Makes n steps in one call, for an n given at run time: the same executable serves every n.

    Args:
        loss: `loss(model, *batch)`, a scalar.
        gradient: `gradient(objective)(arrays) -> (value, gradients)`; for a model with buffers,
            `gradient(objective, has_aux=True)(arrays) -> ((value, aux), gradients)`.
        split: how the model is taken apart.
        rules: the parts of the rule, without their numbers.
        inner: the structure of the rules' memory.
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

    def _steps(self, carry: Carry, fixed: list, hyper: tuple, pool: Any, index: Any, n: Any, draw: jax.Array) -> Made:
        """Make n steps, step i on the rows `index[i]` of the pool; there is room for as many as `index` has.

        The carry holds the moving arrays, the rules' memory and the buffers; `draw` the run's random key, two
        words, and the number of the first step.
        """
        self.traces += 1
        room, scheduled = index.shape[0], any(is_scheduled(getattr(rule, "rate", 0)) for rule in self.rules)
        losses = jnp.zeros(room, _loss_dtype(carry[0]))
        rates = jnp.zeros(room if scheduled else 0, losses.dtype)

        def body(i: Any, made: Made) -> Made:
            batch = jax.tree.map(lambda rows: _picked(rows, index, i), pool)
            key = lambda: jax.random.fold_in(_key(draw[:2]), draw[2] + jnp.asarray(i, draw.dtype))
            carry, value, failed = self._step(made.carry, fixed, hyper, batch, key)
            rates = made.rates
            if scheduled:
                rates = rates.at[i].set(self._rate(made.carry, hyper).astype(rates.dtype))
            losses = made.losses.at[i].set(value.astype(made.losses.dtype))
            return Made(carry, losses, made.failed.at[i].set(failed), rates)

        return jax.lax.fori_loop(0, n, body, Made(carry, losses, jnp.zeros(room, jnp.int32), rates))

    def _rate(self, carry: Carry, hyper: tuple) -> jax.Array:
        numbers = numbers_at(self.rules, hyper, self.inner.unflatten(carry[1]).count)
        return jnp.asarray(next(own["rate"] for own in reversed(numbers) if "rate" in own))

    def _step(self, carry: Carry, fixed: list, hyper: tuple, batch: Any, key: Callable) -> tuple[Carry, jax.Array, Any]:
        moving, inner_leaves, held = carry
        given = arguments(batch)
        _check_call(self.loss, given)
        objective = self._objective(self.split.holding(fixed, held), given, key)
        value, held, failed, grads = self._differentiate(objective, moving)
        value_fn = lambda params: objective(self.split.collect_like(params, moving))[0]
        memory, params = apply_rules(
            self.rules,
            self.whole,
            hyper,
            self.inner.unflatten(inner_leaves),
            self.split.spread(moving),
            self.split.spread(grads),
            value=value,
            value_fn=value_fn,
        )
        return (self.split.collect(params), jax.tree.leaves(memory), held), value, failed

    def _objective(self, fixed: list, given: tuple, key: Callable) -> Callable[[list], tuple[jax.Array, list]]:
        """Return the function from the moving arrays to the loss and the buffers after it."""

        def objective(arrays: list) -> tuple[jax.Array, list]:
            model = self.split.join(arrays, fixed)
            with training_pass(model, key) as now:
                value = checked_loss(_called(self.loss, model, given))
            return value, now.fresh

        return objective

    def _differentiate(self, objective: Callable, moving: list) -> tuple[Any, list, Any, list]:
        """Return the loss, the buffers after it, how many problems in it were not solved, and its gradient."""
        if not self.split.buffers and not _has_auxiliary(self.gradient):
            value, grads = self.gradient(lambda arrays: objective(arrays)[0])(moving)
            return value, [], 0, grads

        def counted(arrays: list) -> tuple[jax.Array, tuple]:
            (value, held), failed = counting_failures(objective)(arrays)
            return value, (held, failed)

        (value, (held, failed)), grads = self.gradient(counted, has_aux=True)(moving)
        return value, held, failed, grads


def _has_auxiliary(gradient: Callable) -> bool:
    try:
        parameters = inspect.signature(gradient).parameters.values()
    except (ValueError, TypeError):
        return False
    return any(p.name == "has_aux" or p.kind is p.VAR_KEYWORD for p in parameters)


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
    key = (likeness(loss), likeness(gradient), *settings[2:])
    try:
        program = _programs.pop(key, None) or Program(*settings)
    except TypeError:  # something in the key cannot be hashed
        return Program(*settings)
    _programs[key] = program
    program.loss = loss
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


def _loss_dtype(moving: list) -> Any:
    return jnp.float64 if any(array.dtype == jnp.float64 for array in moving) else jnp.float32


def _called(loss: Callable, model: Any, given: tuple) -> Any:
    """Call the loss; where it fails on entries of a batch that differ in length, say so."""
    try:
        return loss(model, *given)
    except (TypeError, ValueError) as error:
        shapes = [leaf.shape for leaf in jax.tree.leaves(given)]
        if isinstance(error, ArgfluxError) or len({shape[0] for shape in shapes if shape}) <= 1:
            raise
        got = f"a batch of arrays {', '.join(map(str, shapes))}, on which the loss fails ({error})"
        todo = "give inputs and labels the same length"
        raise ShapeError(got, "arrays with a row for each observation", todo, where="train") from error


def takes(function: Callable, given: tuple) -> bool:
    """Say whether a function can be called with a model and these arguments."""
    return kinds.takes(function, None, *given)


def _check_call(loss: Callable, given: tuple) -> None:
    if takes(loss, given):
        return
    name = getattr(loss, "__name__", type(loss).__name__)
    got = f"batches of {len(given)} for a loss {name}{inspect.signature(loss)}"
    todo = "let data yield tuples, such as (x, y); a single batch is given as [(x, y)]"
    raise ArgumentError(got, "an entry of the batch for each argument after the model", todo, where="train")


def checked_loss(value: Any, where: str = "train") -> jax.Array:
    """Return what a loss gave as an array, or raise unless it is a floating scalar."""
    if not hasattr(value, "shape"):
        value = _number(value, where)
    if value.shape != ():
        got, todo = f"a loss of shape {value.shape}", "take its mean, as in jnp.mean(…)"
        raise ShapeError(got, "a scalar of shape ()", todo, where=where)
    if not jnp.issubdtype(value.dtype, jnp.floating):
        got, todo = f"a loss of dtype {value.dtype}", "return a loss, not a count"
        raise DtypeError(got, "a floating number", todo, where=where)
    return value


def _number(value: Any, where: str) -> jax.Array:
    if not isinstance(value, int | float):
        got, todo = f"a {type(value).__name__} from the loss", "return the loss alone, one number"
        raise DtypeError(got, "a floating scalar", todo, where=where)
    return jnp.asarray(value)
