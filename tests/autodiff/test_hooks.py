import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argflux as af
from argflux.errors import RuleError


@pytest.mark.parametrize("gradient", [lambda f, x: af.gradient(f, x)[0], lambda f, x: jax.grad(f)(x)])
def test_a_hook_replaces_the_cotangent(gradient):
    f = lambda x: jnp.sum(af.hook({"a": x, "n": 3}, lambda d: {"a": 10 * d["a"], "n": None})["a"] ** 2)
    np.testing.assert_allclose(gradient(f, jnp.arange(3.0)), 20 * np.arange(3.0))
    np.testing.assert_allclose(jax.jit(lambda x: gradient(f, x))(jnp.arange(3.0)), 20 * np.arange(3.0))


def test_a_hook_that_returns_nothing_looks_only():
    seen = []
    assert af.gradient(lambda x: af.hook(x, seen.append) ** 2, 3.0)[0] == 6.0
    assert [float(s) for s in seen] == [6.0]


def test_forward_mode_and_vmap_pass_through_a_hook():
    f = lambda x: af.hook(x, lambda d: 2 * d) ** 2
    assert jax.jvp(f, (3.0,), (1.0,))[1] == 6.0
    np.testing.assert_allclose(jax.vmap(lambda x: af.gradient(f, x)[0])(jnp.arange(3.0)), 4 * np.arange(3.0))


def test_ignored_derivatives_are_zero_and_other_leaves_untouched():
    tree = {"w": jnp.ones(2), "name": "x"}
    kept = af.ignore_derivatives(tree)
    assert kept["name"] == "x"
    assert af.gradient(lambda t: jnp.sum(af.ignore_derivatives(t)["w"]), tree)[0]["w"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("policy", [None, jax.checkpoint_policies.dots_saveable])
def test_checkpointed_changes_no_value(policy):
    w = jnp.array([[0.5, -1.0], [0.2, 0.3]])
    f = lambda w, x: jnp.sum(jnp.tanh(w @ jnp.sin(w @ x)))
    g = af.checkpointed(f, policy=policy)
    x = jnp.array([1.0, 2.0])
    for ours, theirs in zip(af.gradient(g, w, x), jax.grad(f, argnums=(0, 1))(w, x), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_checkpointed_keeps_only_the_arguments():
    def counts(f):
        grad = jax.jit(lambda x: af.withgradient(lambda x: jnp.sum(f(x)), x))
        text = grad.lower(jnp.ones(1000)).as_text()
        return text.count("stablehlo.sine"), text.count("optimization_barrier")

    deep = lambda x: jnp.sin(jnp.sin(jnp.sin(x)))
    plain_sines, plain_barriers = counts(deep)
    sines, barriers = counts(af.checkpointed(deep))
    assert (plain_sines, plain_barriers) == (3, 0)
    assert (sines, barriers) == (5, 1)


WRONG = {
    "three entries": (lambda d: jnp.ones(3), r"got float32\[3\]; expected float32\[2\]"),
    "a mean": (jnp.mean, r"got float32\[\]; expected float32\[2\]"),
    "a number": (lambda d: 5, r"got int32\[\]; expected float32\[2\]"),
    "halves": (lambda d: d.astype(jnp.float16), r"got float16\[2\]"),
    "text": (lambda d: "no", "got a str"),
    "two": (lambda d: [d, d], "got the structure"),
}
PLACES = {
    "argument": lambda x, back: jnp.sum(af.hook(x, back) ** 2),
    "model": lambda x, back: jnp.sum(af.hook({"w": x}, lambda d: back(d["w"]))["w"]),
    "below": lambda x, back: jnp.sum(af.hook(jnp.stack([x, x])[0], back)),
}


@pytest.mark.parametrize(("back", "message"), WRONG.values(), ids=WRONG)
def test_what_a_hook_returns_is_checked(back, message):
    x = jnp.array([1.0, 2.0])
    for place in ("argument", "below"):
        f = lambda x, place=place: PLACES[place](x, back)
        for gradient in (lambda x, f=f: af.gradient(f, x)[0], lambda x, f=f: jax.grad(f)(x)):
            for run in (gradient, jax.jit(gradient)):
                with pytest.raises(RuleError, match=message):
                    run(x)


def test_a_hook_in_a_model_returns_the_tree_it_was_given():
    with pytest.raises(RuleError, match="got the structure"):
        af.gradient(lambda x: PLACES["model"](x, lambda d: d), jnp.ones(2))
    assert af.gradient(lambda x: af.hook(x, lambda d: 5) ** 2, 3.0)[0] == 5.0


def test_hessian_is_the_derivative_of_the_hooked_gradient():
    """A hook changes the gradient; the hessian is that gradient's derivative, laid out as `jax.jacfwd` does."""
    x = {"a": jnp.array([0.3, 1.0]), "b": jnp.float32(2.0)}
    plain = lambda x: jnp.sum(x["a"] ** 3) * x["b"]
    hooked = lambda x: plain({"a": af.hook(x["a"], lambda dx: 2 * dx), "b": x["b"]})
    found, expected = af.hessian(hooked, x), jax.hessian(plain)(x)
    for row, factor in (("a", 2), ("b", 1)):
        for column in ("a", "b"):
            np.testing.assert_allclose(found[row][column], factor * expected[row][column], rtol=1e-5)
