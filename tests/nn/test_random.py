"""The default stream of keys."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn
from argflux.errors import ArgumentError, DtypeError


def draws(n=3):
    return [float(jax.random.uniform(nn.next_key())) for _ in range(n)]


def test_seed_starts_again():
    nn.seed(5)
    first = draws()
    nn.seed(5)
    assert draws() == first
    nn.seed(6)
    assert draws() != first
    assert len(set(first)) == 3


@pytest.mark.parametrize("make", [jax.random.key, jax.random.PRNGKey])
def test_a_given_key_is_returned(make):
    key = make(0)
    assert nn.next_key(key) is key


def test_a_given_key_does_not_move_the_stream():
    nn.seed(0)
    first = draws(1)
    nn.seed(0)
    nn.next_key(jax.random.key(3))
    assert draws(1) == first


def test_a_key_passed_into_jit():
    assert jax.jit(lambda key: nn.Dense(2, 3, key=key).weight)(jax.random.key(0)).shape == (3, 2)


@pytest.mark.parametrize("trace", [lambda f: jax.jit(f)(), jax.eval_shape, lambda f: jax.make_jaxpr(f)()])
def test_no_key_under_tracing(trace):
    with pytest.raises(ArgumentError, match=r"expected an explicit key.*pass key="):
        trace(nn.next_key)


def mapped(f):
    """Return calls of f for several examples, steps or devices at once."""
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("i",))
    rows = jax.sharding.PartitionSpec("i")
    return [
        lambda: jax.vmap(f)(jnp.arange(2)),
        lambda: jax.vmap(jax.grad(lambda x: jnp.sum(f(x)) + x))(jnp.ones(2)),
        lambda: jax.lax.map(f, jnp.arange(2)),
        lambda: jax.lax.scan(lambda c, x: (c, f(x)), 0, jnp.arange(2)),
        lambda: jax.shard_map(lambda x: f(x)[None], mesh=mesh, in_specs=rows, out_specs=rows)(jnp.ones(1)),
        lambda: jax.pmap(f)(jnp.arange(1)),
    ]


DRAWING = {
    "Dense": lambda _: nn.Dense(2, 2).weight,
    "Dropout": lambda _: nn.trainmode(nn.Dropout(0.5))(jnp.ones(3)),
    "AlphaDropout": lambda _: nn.trainmode(nn.AlphaDropout(0.5))(jnp.ones(3)),
    "initialiser": lambda _: nn.initialisers.normal(shape=(2,)),
    "next_key": lambda _: jax.random.key_data(nn.next_key()),
}


@pytest.mark.parametrize("name", DRAWING)
def test_no_key_for_many_examples_at_once(name):
    for call in mapped(DRAWING[name]):
        with pytest.raises(ArgumentError, match=r"key: .*expected an explicit key.*pass key="):
            call()


def test_a_gradient_may_draw():
    nn.seed(0)
    value = jax.grad(lambda x: x * jax.random.uniform(nn.next_key()))(1.0)
    nn.seed(0)
    assert float(value) == float(jax.random.uniform(nn.next_key()))


def test_one_key_for_each_example():
    starts = jax.vmap(lambda key: nn.Dense(2, 2, key=key).weight)(jax.random.split(jax.random.key(0), 3))
    assert len({tuple(start.ravel().tolist()) for start in starts}) == 3


def test_the_stream_survives_a_refused_trace():
    with pytest.raises(ArgumentError):
        jax.jit(nn.next_key)()
    assert 0 <= draws(1)[0] <= 1


@pytest.mark.parametrize(
    ("key", "got"),
    [
        (0, "int 0"),
        ("a", "str 'a'"),
        (jnp.ones(2), r"an array of shape \(2,\) and dtype float32"),
        (jax.random.split(jax.random.key(0)), r"an array of shape \(2,\) and dtype key<fry>"),
    ],
)
def test_what_is_no_key(key, got):
    with pytest.raises(DtypeError, match=rf"key: got {got}; expected one random key; pass key=jax\.random\.key\(0\)"):
        nn.next_key(key)


@pytest.mark.parametrize("number", [1.5, "0", True, None])
def test_what_is_no_seed(number):
    with pytest.raises(DtypeError, match=r"seed: got .*; expected an integer; call seed\(0\)"):
        nn.seed(number)
