"""Many starts of one network trained together: one program makes a step of all of them on the same batch."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from argflux.autodiff import withgradient
from argflux.patterns.study.columns import WITH_AN_AXIS, through_dense
from argflux.programs.forms.hostcall import cores
from argflux.training.chain import initial_hyperparameters, parts_of
from argflux.training.memory import first_memory
from argflux.training.split import Split, trainable
from argflux.training.step import apply_rules
from argflux.userlayer import register_layers

Loss = Callable[..., Array]
Carry = tuple[list[Array], Any]
GROUP, ROWS_AT_ONCE = 8, 1000


class Together:
    """The program that trains starts of one network side by side.

    A start is the list of the network's trainable arrays; starts are stacked along a first axis. As no start's loss
    depends on another start's arrays, the derivative of the sum of all losses holds every start's own gradient.

    Args:
        network: gives the structure, and the arrays that are not trained.
        loss: from outputs and one-hot rows to a scalar.
        rule: what turns gradients into steps.
    """

    def __init__(self, network: Any, loss: Loss, rule: Any):
        self.split, self.template, self.fixed = Split.of(register_layers(network))
        self.loss, self.parts = loss, parts_of(rule)
        self.hyper = initial_hyperparameters(self.parts)
        self._memory = jax.jit(self._first_memory)
        self._compiled = jax.jit(self._steps, donate_argnums=0)
        self.counts = jax.jit(self._counts)

    def stack(self, networks: Sequence[Any]) -> list[Array]:
        """Return the trainable arrays of several networks, stacked."""
        taken = [self.split.take(network)[0] for network in networks]
        return [jnp.stack(arrays) for arrays in zip(*taken, strict=True)]

    def network(self, arrays: Sequence[Array]) -> Any:
        """Return the network with these arrays, those of one start or stacked ones."""
        return self.split.join(arrays, self.fixed)

    def begin(self, starts: list[Array]) -> "Underway":
        """Return what `steps` carries on: the arrays, and what the rule remembers of each start."""
        count, host = len(starts[0]), [np.asarray(array) for array in starts]
        places = [np.minimum(places, count - 1) for places in groups(count)]
        return Underway(count, [self._remembering([jnp.array(array[own]) for array in host]) for own in places])

    def _remembering(self, starts: list[Array]) -> Carry:
        with jax.numpy_dtype_promotion("standard"):
            return starts, self._memory(starts)

    def _first_memory(self, starts: list[Array]) -> Any:
        return jax.vmap(lambda arrays: first_memory(self.parts, self.hyper, trainable(arrays)))(starts)

    def steps(self, underway: "Underway", x: Array, y: Array, n: int) -> tuple["Underway", Array]:
        """Make n steps, step i on batch `i % len(x)`; return the losses summed over the steps too, shape (starts,).

        What was under way is used up.
        """
        carries, steps = list(underway.carries), jnp.asarray(n)
        if len(carries) > 1:
            carries[0], _ = self._compiled(carries[0], x, y, 0 * steps)  # compiles once for all threads
        go = lambda carry: jax.block_until_ready(self._compiled(carry, x, y, steps))
        with ThreadPoolExecutor(cores()) as pool:
            done = list(pool.map(go, carries))
        losses = jnp.concatenate([losses for _, losses in done])[: underway.count]
        return Underway(underway.count, [carry for carry, _ in done]), losses

    def outputs(self, starts: list[Array], x: Array) -> Array:
        """Return what all starts make of the same inputs, shape (starts, rows, classes)."""
        columns, done = through_dense(self.network(starts), x)
        return self._rest(starts, x, columns, done)

    def _rest(self, starts: list[Array], x: Array, columns: Array, done: int) -> Array:
        """Go on start by start behind the layers that were done together."""
        if not done:
            return jax.vmap(lambda arrays: self.network(arrays)(x))(starts)
        if done == len(self.network(starts)):
            return jnp.swapaxes(columns, 1, 2)
        return jax.vmap(lambda arrays, z: self.network(arrays)[done:](z.T))(starts, columns)

    def _losses(self, starts: list[Array], x: Array, y: Array) -> Array:
        network = self.network(starts)
        columns, done = through_dense(network, x)
        if done and done == len(network) and self.loss in WITH_AN_AXIS:
            return jax.vmap(lambda z: self.loss(z, y.T, axis=0))(columns)
        return jax.vmap(self.loss, in_axes=(0, None))(self._rest(starts, x, columns, done), y)

    def _steps(self, carry: Carry, x: Array, y: Array, n: Array) -> tuple[Carry, Array]:
        def total(starts: list[Array], x: Array, y: Array) -> tuple[Array, Array]:
            losses = self._losses(starts, x, y)
            return jnp.sum(losses), losses

        def body(i: Any, state: tuple) -> tuple:
            (starts, inner), sums = state
            row = lax.rem(i, jnp.asarray(len(x), i.dtype))
            (_, losses), (grads, *_) = withgradient(total, starts, x[row], y[row], has_aux=True)
            step = partial(apply_rules, self.parts, None, self.hyper)
            inner, starts = jax.vmap(step)(inner, starts, grads)
            return (starts, inner), sums + losses

        return lax.fori_loop(0, n, body, (carry, jnp.zeros(len(carry[0][0]), x.dtype)))

    def _counts(self, starts: list[Array], x: Array, y: Array) -> tuple[Array, Array]:
        outputs = self.outputs(starts, x)
        losses = jax.vmap(self.loss, in_axes=(0, None))(outputs, y) * len(x)
        right = jnp.argmax(outputs, axis=-1) == jnp.argmax(y, axis=-1)[None]
        right &= ~jnp.isnan(outputs).any(axis=-1)
        return losses, jnp.sum(right, axis=1)

    def score(self, starts: list[Array], x: Array, y: Array) -> tuple[np.ndarray, np.ndarray]:
        """Return the loss and the part of right answers of every start, each of shape (starts,)."""
        pieces = [slice(i, i + ROWS_AT_ONCE) for i in range(0, len(x), ROWS_AT_ONCE)]
        found = [self.counts(starts, x[piece], y[piece]) for piece in pieces]
        losses, right = (
            np.sum([np.asarray(part, np.float64) for part in parts], axis=0) for parts in zip(*found, strict=True)
        )
        return losses / len(x), right / len(x)


@dataclass(frozen=True)
class Underway:
    """Starts in training, in groups of one size; the last start fills the last group.

    Attributes:
        count: of the starts.
        carries: of every group its stacked arrays, and what the rule remembers.
    """

    count: int
    carries: list[Carry]

    @property
    def starts(self) -> list[Array]:
        """The stacked arrays of all starts."""
        return [
            jnp.concatenate(parts)[: self.count] for parts in zip(*(arrays for arrays, _ in self.carries), strict=True)
        ]


def groups(count: int) -> list[np.ndarray]:
    """Divide starts into groups that are trained side by side and stay in a processor's cache; on a GPU into one.

    Example:
        >>> from argflux.patterns.study.together import groups
        >>> sum(len(group) for group in groups(61)) >= 61
        True
    """
    most = min(GROUP, math.ceil(count / cores())) if jax.default_backend() == "cpu" else count
    size = math.ceil(count / math.ceil(count / most))
    return [np.arange(first, first + size) for first in range(0, count, size)]
