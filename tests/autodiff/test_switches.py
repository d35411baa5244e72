"""JAX's own switches change no answer of autodiff: eager code, NaN and leak checks, ranks that must match."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from argflux import autodiff

X = jnp.array([0.6, -0.2, 1.4])
M = jnp.array([[2.0, 0.5, 0.0], [0.5, 1.0, 0.3], [0.0, 0.3, 1.5]])


@autodiff.primitive
def on_host(x):
    return np.asarray(x) ** 2


@on_host.rrule
def _(x):
    return np.asarray(x) ** 2, lambda dy: (None, 2 * np.asarray(x) * dy)


@autodiff.primitive
def traced(x):
    return jnp.sin(x)


@traced.rrule
def _(x):
    return jnp.sin(x), lambda dy: (None, jnp.cos(x) * dy)


FUNCTIONS = {
    "scan": lambda x: lax.scan(lambda c, r: (jnp.tanh(c * r + c @ M), c), x, X)[0],
    "cond": lambda x: lax.cond(x[0] > 0, lambda x: jnp.sin(x) @ M, lambda x: x, x),
    "where": lambda x: jnp.where(x > 0, jnp.log(jnp.where(x > 0, x, 1)), 0) + jax.nn.relu(x),
    "zero times infinity": lambda x: jnp.where(x > 0, jnp.sqrt(jnp.abs(x)), 0) * lax.stop_gradient(x),
    "custom": lambda x: jax.nn.gelu(jax.nn.logsumexp(x) * x),
    "indices": lambda x: jnp.sort(x).at[1].add(x[0]).cumsum()[::-1],
    "algebra": lambda x: jnp.linalg.solve(M + jnp.diag(x), x) + jnp.linalg.eigvalsh(M * x[0]),
    "checkpointed": autodiff.checkpointed(lambda x: jnp.sin(jnp.exp(x) @ M)),
    "hook": lambda x: autodiff.hook(x * x, lambda dx: 2 * dx),
    "primitive": traced,
    "primitive on the host": on_host,
}


def mixed(x):
    """Several of them; on the host there is no second order."""
    return sum(FUNCTIONS[name](x) for name in ("scan", "where", "hook", "primitive"))


def total(f):
    return lambda x: jnp.sum(jnp.cos(f(x)))


ENTRIES = {name: lambda f=f: (f(X), autodiff.gradient(total(f), X)) for name, f in FUNCTIONS.items()}
ENTRIES |= {
    "pullback": lambda: autodiff.pullback(mixed, X)[1](X),
    "withgradient": lambda: tuple(autodiff.withgradient(lambda x: (total(mixed)(x), x), X, has_aux=True)),
    "jacobian": lambda: autodiff.jacobian(mixed, X),
    "hessian": lambda: autodiff.hessian(total(mixed), X),
    "under jit": lambda: jax.jit(lambda x: autodiff.gradient(total(mixed), x))(X),
    "under vmap": lambda: jax.vmap(lambda x: autodiff.gradient(total(mixed), x))(jnp.stack([X, 2 * X])),
    "twice": lambda: autodiff.gradient(lambda x: jnp.sum(autodiff.gradient(total(FUNCTIONS["scan"]), x)[0] ** 2), X),
    "check_rrule": lambda: autodiff.check_rrule(traced, X).first < 1e-3,
}
SWITCHES = {
    "eager": jax.disable_jit,
    "no NaN": lambda: jax.debug_nans(True),
    "no leaks": jax.checking_leaks,
    "equal ranks": lambda: jax.numpy_rank_promotion("raise"),
}


@pytest.mark.parametrize("entry", ENTRIES)
def test_same_answers(entry):
    expected = jax.tree.leaves(ENTRIES[entry]())
    assert expected
    for name, switch in SWITCHES.items():
        if (name, entry) == ("no leaks", "hessian") and jax.__version_info__ >= (0, 12):
            continue  # JAX's own `linear_call` leaks there
        with switch():
            found = jax.tree.leaves(ENTRIES[entry]())
        for got, want in zip(found, expected, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("listing", [autodiff.code_ir, autodiff.code_pullback])
def test_listings(listing):
    names = ("scan", "where", "algebra")
    for switch in ("no NaN", "no leaks", "equal ranks"):
        with SWITCHES[switch]():
            for name in names:
                assert str(listing(total(FUNCTIONS[name]), X))
    with jax.disable_jit():
        assert str(listing(total(FUNCTIONS["where"]), X))
