"""A command: gradients inside `shard_map` on four devices, held against those of the same rows without it."""

import os
import sys

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=4"

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec

import argflux as af
from argflux.nn import activation
from tests.autodiff.rows.collectives import SHARDED
from tests.nn.losses.test_losses import ROWS as LOSSES

X = jnp.linspace(-1.3, 1.7, 16).reshape(8, 2) * jnp.array([1.0, 0.7])
W = jnp.array([0.9, -1.1])
KEYS = jax.random.split(jax.random.key(0))
MODEL = af.Chain(af.Dense(2, 4, af.relu, key=KEYS[0]), af.SkipConnection(af.Dense(4, 4, key=KEYS[1]), jnp.add))
bounded = af.Program(lambda z, y: jnp.sum((z - y) ** 2), variable=lambda y: y, lower=0.0)
coupled = af.Program(lambda z, y: jnp.sum((z - y) ** 2), lambda y: y, equality=lambda z, y: jnp.sum(z) - 1, lower=0.0)


@af.primitive
def doubled(x, w):
    return 2 * np.asarray(x) * np.asarray(w)


@doubled.rrule
def _(x, w):
    back = lambda dy: (None, 2 * np.asarray(w) * dy, (2 * np.asarray(x) * dy).sum(0))
    return 2 * np.asarray(x) * np.asarray(w), back


def against(loss, name):
    targets = jnp.asarray(LOSSES[name][1][:2, :2], jnp.float32)
    return lambda x, w: loss(jax.nn.sigmoid(x * w), targets)


SINGLE = {name: lambda x, w, name=name: getattr(af.nn, name)(x * w) for name in activation.__all__}
SINGLE |= {name: against(getattr(af.nn, name), name) for name in LOSSES}
OPERATIONS = {
    "scan": lambda x, w: lax.scan(lambda c, _: (jnp.tanh(c * w), c), x, None, length=3)[0],
    "scan from zeros": lambda x, w: lax.scan(lambda c, r: (c + r * w, jnp.sin(c)), x[0] * 0, x)[1],
    "cond": lambda x, w: lax.cond(True, lambda x: x * w, lambda x: jnp.sin(x), x),
    "cond apart": lambda x, w: lax.cond(jnp.sum(x) > 0, lambda x: x * w, lambda x: jnp.sin(x) * w[0], x),
    "switch": lambda x, w: lax.switch(jnp.int32(x[0, 0] > 0), [lambda: x[0], lambda: x[1] * w]),
    "checkpointed": lambda x, w: af.checkpointed(lambda x: jnp.sin(jnp.sin(x * w)))(x),
    "hook": lambda x, w: af.hook(x * w, lambda dx: 2 * dx),
    "chain": lambda x, w: MODEL(x * w),
    "program": lambda x, w: jax.vmap(bounded)(x * w),
    "constrained": lambda x, w: coupled(w * x[0]),
    "captures": lambda x, w: af.Program(lambda z: jnp.sum((z - x[0] * w) ** 2), (2,), lower=0.0)(),
    "solve_qp": lambda x, w: af.solve_qp(jnp.eye(2), -w, G=x, h=jnp.ones(2)).x,
    "where": lambda x, w: jnp.where(x > 0, jnp.log(x), 0) * w,
    "sort": lambda x, w: jnp.sort(x * w, 0),
    "indices": lambda x, w: (x * w)[:1].at[0].set(w),
    "maximum": lambda x, w: jnp.max(x * w, 1) + jnp.maximum(x, w).sum(),
    "cumulative": lambda x, w: jnp.cumprod(x * w, 1) + jnp.cumsum(x * w, 0),
    "inverse": lambda x, w: jnp.linalg.inv(3 * jnp.eye(2) + x * w),
    "cholesky": lambda x, w: jnp.linalg.cholesky(jnp.outer(w, w) + jnp.eye(2) * (2 + x[0, 0])),
    "eigh": lambda x, w: jnp.linalg.eigh(jnp.outer(w, w) + jnp.diag(x[0]))[0],
    "gradient": lambda x, w: af.gradient(lambda x: jnp.sum(jnp.tanh(x * w)), x)[0],
    "opaque": doubled,
}
SINGLE |= OPERATIONS


def scalar(f):
    return lambda x, w: jnp.sum(jnp.sin(f(x, w)))


def sharded(f, out):
    """Run `f(x, w)` on four devices with two rows of `X` each, and with all of `W`."""
    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("i",))
    return jax.shard_map(f, mesh=mesh, in_specs=(PartitionSpec("i"), PartitionSpec()), out_specs=out)


def expected():
    """Values and gradients of each device's rows alone; the gradients in `W` add up."""
    parts = X.reshape(4, 2, 2)
    both = lambda f: jax.lax.map(lambda x: af.withgradient(f, x, W), parts)
    found = {name: both(scalar(f)) for name, f in SINGLE.items()}
    return {name: (value, dx.reshape(8, 2), dw.sum(0)) for name, (value, (dx, dw)) in found.items()}


def ours(x, w):
    """What `expected` returns, from inside `shard_map`; of operations, also the gradients of the sum over devices."""
    found = {}
    for name, f in SINGLE.items():
        value, grads = af.withgradient(scalar(f), x, w)
        found[name] = (value[None], *grads)
        if name in OPERATIONS:
            found[name] += af.gradient(lambda x, w, f=f: lax.psum(scalar(f)(x, w), "i"), x, w)
    return found


def together(gradient):
    return lambda x, w: {name: gradient(scalar(f), x, w) for name, f in SHARDED.items()}


def main():
    rows, everywhere = PartitionSpec("i"), PartitionSpec()
    out = {name: (rows, rows, everywhere, rows, everywhere)[: 5 if name in OPERATIONS else 3] for name in SINGLE}
    found, wanted = jax.jit(sharded(ours, out))(X, W), jax.jit(expected)()
    for name in SINGLE:
        for got, want in zip(found[name], (*wanted[name], *wanted[name][1:]), strict=False):
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5, err_msg=name)
    out = dict.fromkeys(SHARDED, (rows, everywhere))
    theirs = lambda f, x, w: jax.grad(f, (0, 1))(x, w)
    found, wanted = (jax.jit(sharded(together(gradient), out))(X, W) for gradient in (af.gradient, theirs))
    for name in SHARDED:
        for got, want in zip(found[name], wanted[name], strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5, err_msg=name)
    print(len(SINGLE), len(SHARDED))


if __name__ == "__main__":
    sys.exit(main())
