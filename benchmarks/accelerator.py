"""What networks and programs take on the default accelerator, beside the same on this machine's CPU.

Each piece of work is a call compiled once per device: training steps of three networks, a batch of quadratic programs
solved, and the gradient through them. Without an accelerator there is nothing to compare, and nothing is written.
"""

import sys
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

import argflux as af
from benchmarks.networks import best_times
from benchmarks.report import publish

Work = tuple[Callable, tuple]


def _drawn(seed: int, *shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def _training(model: af.Chain, x: jax.Array) -> Work:
    def step(model, x):
        value, (slopes, _) = af.withgradient(lambda m, x: jnp.mean(jnp.square(m(x) - 1.0)), model, x)
        model = af.update(af.setup(af.Descent(0.1), model), model, slopes)[1]
        return value, af.params(model)

    return step, (model, x)


def dense(scale: int = 16) -> Work:
    """A step of training of three dense layers."""
    af.seed(0)
    width = 64 * scale
    layers = af.Dense(width, width, af.relu), af.Dense(width, width, af.relu), af.Dense(width, 10)
    return _training(af.Chain(*layers), _drawn(0, 16 * scale, width))


def convolution(scale: int = 16) -> Work:
    """A step of training of three convolutions with pooling."""
    af.seed(0)
    conv = lambda i, o: af.Conv((3, 3), i, o, af.relu, padding=1)
    first = conv(1, 2 * scale), af.MaxPool((2, 2)), conv(2 * scale, 2 * scale)
    model = af.Chain(*first, af.MaxPool((2, 2)), conv(2 * scale, 2 * scale), af.Flatten(), af.Dense(98 * scale, 10))
    return _training(model, _drawn(0, 8 * scale, 28, 28, 1))


def attention(scale: int = 16) -> Work:
    """A step of training of a transformer's block."""
    af.seed(0)
    width = 16 * scale
    feed = af.Chain(af.LayerNorm(width), af.Dense(width, 4 * width, af.gelu), af.Dense(4 * width, width))
    read = af.Chain(af.LayerNorm(width), af.MultiHeadAttention(width, heads=4))
    model = af.Chain(af.SkipConnection(read, jnp.add), af.SkipConnection(feed, jnp.add))
    return _training(model, _drawn(0, 2 * scale, 8 * scale, width))


def _projection(q: jax.Array) -> jax.Array:
    """Solve a batch of programs: the nearest point of a simplex, with a coupled objective."""
    size = q.shape[-1]
    P = jnp.eye(size) + 0.1 * jnp.ones((size, size))
    return af.solve_qp(P, q, jnp.ones((1, size)), jnp.ones(1), lower=0.0).x


def programs(scale: int = 16) -> Work:
    """A batch of quadratic programs, solved."""
    return jax.vmap(_projection), (_drawn(0, 16 * scale, 10),)


def programs_gradient(scale: int = 16) -> Work:
    """The gradient of a loss of their solutions."""
    loss = lambda q: jnp.sum(jnp.square(jax.vmap(_projection)(q)))
    return lambda q: af.gradient(loss, q)[0], (_drawn(0, 16 * scale, 10),)


WORKS = (dense, convolution, attention, programs, programs_gradient)


def on(device: jax.Device, make: Callable[..., Work], **options: int) -> Callable:
    """Return a call of compiled work on a device."""
    with jax.default_device(device):
        work, args = make(**options)
        args = jax.tree.map(lambda x: jax.device_put(x, device) if isinstance(x, jax.Array) else x, args)
        run = jax.jit(work)

    def turn():
        with jax.default_device(device):
            return jax.block_until_ready(run(*args))

    return turn


def measured(make: Callable[..., Work]) -> dict:
    best = best_times({"here": on(jax.devices()[0], make), "CPU": on(jax.devices("cpu")[0], make)})
    return {
        "work": make.__name__.replace("_", " "),
        "device": jax.devices()[0].device_kind,
        "ms": best["here"],
        "CPU, ms": best["CPU"],
        "ratio": best["CPU"] / best["here"],
    }


def main() -> None:
    if jax.default_backend() == "cpu":
        print("accelerator: JAX has no device here but the CPU; nothing is measured", file=sys.stderr)
        return
    publish("accelerator", "On the accelerator: the CPU's time / its own", [measured(make) for make in WORKS])


if __name__ == "__main__":
    main()
