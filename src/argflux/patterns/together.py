"""Many starts of one network trained together: one program makes a step of all of them on the same batch."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from argflux.autodiff import withgradient
from argflux.nn import Chain, Dense
from argflux.training.chain import initial_hyperparameters, parts_of, transformation
from argflux.training.split import Split, trainable
from argflux.training.step import apply_rules
from argflux.userlayer import register_layers

Loss = Callable[[Array, Array], Array]
ROWS_AT_ONCE = 1000


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
        self.steps = jax.jit(self._steps, donate_argnums=0)
        self.counts = jax.jit(self._counts)

    def stack(self, networks: Sequence[Any]) -> list[Array]:
        """Return the trainable arrays of several networks, stacked."""
        taken = [self.split.take(network)[0] for network in networks]
        return [jnp.stack(arrays) for arrays in zip(*taken, strict=True)]

    def network(self, arrays: Sequence[Array]) -> Any:
        """Return the network with these arrays, those of one start or stacked ones."""
        return self.split.join(arrays, self.fixed)

    def begin(self, starts: list[Array]) -> tuple[list[Array], Any]:
        """Return what `steps` carries on: the arrays, and what the rule remembers of each start."""
        with jax.numpy_dtype_promotion("standard"):
            init = lambda arrays: transformation(self.parts, self.hyper).init(trainable(arrays))
            return [jnp.array(a) for a in starts], jax.vmap(init)(starts)

    def outputs(self, starts: list[Array], x: Array) -> Array:
        """Return what all starts make of the same inputs, shape (starts, rows, classes)."""
        network = self.network(starts)
        if _shares_a_product(network, x):
            return self._after_shared_product(network, x)
        return jax.vmap(lambda arrays: self.network(arrays)(x))(starts)

    def _after_shared_product(self, network: Chain, x: Array) -> Array:
        """Multiply the inputs with the first layers of all starts in one product, then go on start by start."""
        first, rest = network[0], eqx.partition(network[1:], eqx.is_inexact_array)
        product = lax.dot_general(first.weight, x, (((2,), (1,)), ((), ())))

        def finish(z: Array, bias: Array | None, arrays: Any) -> Array:
            return eqx.combine(arrays, rest[1])(first.activation(z if bias is None else z + bias))

        return jax.vmap(finish)(jnp.swapaxes(product, 1, 2), first.bias, rest[0])

    def _losses(self, starts: list[Array], x: Array, y: Array) -> Array:
        return jax.vmap(self.loss, in_axes=(0, None))(self.outputs(starts, x), y)

    def _steps(self, carry: tuple, x: Array, y: Array, n: Array) -> tuple:
        """Make n steps, step i on batch `i % len(x)`; return the losses summed over the steps too."""

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
        right = jnp.argmax(outputs, axis=-1) == jnp.argmax(y, axis=-1)
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


def _shares_a_product(network: Any, x: Array) -> bool:
    if not (isinstance(network, Chain) and x.ndim == 2 and len(network) > 1 and type(network[0]) is Dense):
        return False
    return network[0].weight.dtype == x.dtype
