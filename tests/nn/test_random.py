"""The default stream of keys."""

import jax
import jax.numpy as jnp
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
