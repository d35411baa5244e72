import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argflux as af
from argflux.errors import ArgumentError, MissingRuleError, RuleError


def host_cube():
    calls = []

    @af.primitive
    def cube(x, w):
        calls.append("value")
        return np.asarray(x) ** 3 * np.asarray(w)

    @cube.rrule
    def _(x, w):
        x, w = np.asarray(x), np.asarray(w)
        calls.append("rule")

        def cube_pullback(dy):
            calls.append("pullback")
            return None, 3 * x**2 * w * dy, np.sum(x**3 * dy, dtype=w.dtype)

        return x**3 * w, cube_pullback

    return cube, calls


def staged_cube():
    @af.primitive
    def cube(x, w):
        return x**3 * w

    @cube.rrule
    def _(x, w):
        def cube_pullback(dy):
            return None, 3 * x**2 * w * dy, jnp.sum(x**3 * dy)

        return x**3 * w, cube_pullback

    return cube, []


def plain(x, w):
    return x**3 * w


X, W = jnp.array([1.0, 2.0]), jnp.float32(2.0)
MODES = pytest.mark.parametrize("make", [host_cube, staged_cube])


def loss(cube):
    return lambda x, w: jnp.sum(cube(x, w) ** 2)


@MODES
def test_rule_is_used_eagerly_and_under_jit(make):
    cube, _ = make()
    expected = jax.grad(loss(plain), argnums=(0, 1))(X, W)
    for grads in (af.gradient(loss(cube), X, W), jax.jit(lambda x, w: af.gradient(loss(cube), x, w))(X, W)):
        np.testing.assert_allclose(grads[0], expected[0], rtol=1e-6)
        np.testing.assert_allclose(grads[1], expected[1], rtol=1e-6)


@MODES
def test_jax_differentiates_it_both_ways(make):
    cube, _ = make()
    got, expected = (jax.grad(loss(f), argnums=(0, 1))(X, W) for f in (cube, plain))
    np.testing.assert_allclose(got[0], expected[0], rtol=1e-6)
    np.testing.assert_allclose(got[1], expected[1], rtol=1e-6)
    got, expected = (jax.jvp(f, (X, W), (X + 1, W)) for f in (cube, plain))
    np.testing.assert_allclose(got[1], expected[1], rtol=1e-6)


@MODES
@pytest.mark.parametrize("axes", [(0, None), (0, 0), (1, None)])
def test_vmap_inside_and_outside(make, axes):
    cube, _ = make()
    xs = jnp.arange(1.0, 7.0).reshape(3, 2)
    xs = xs.T if axes[0] == 1 else xs
    ws = W if axes[1] is None else jnp.arange(1.0, 4.0)

    def total(f):
        return lambda x, w: jnp.sum(jax.vmap(f, axes)(x, w) ** 2)

    expected = jax.grad(total(plain), argnums=(0, 1))(xs, ws)
    for grads in (af.gradient(total(cube), xs, ws), jax.jit(lambda *a: af.gradient(total(cube), *a))(xs, ws)):
        np.testing.assert_allclose(grads[0], expected[0], rtol=1e-5)
        np.testing.assert_allclose(grads[1], expected[1], rtol=1e-5)
    outside = jax.vmap(lambda x, w: af.gradient(loss(cube), x, w)[0], axes)(xs, ws)
    np.testing.assert_allclose(outside, jax.vmap(jax.grad(loss(plain)), axes)(xs, ws), rtol=1e-5)


def test_vmap_of_vmap():
    cube, _ = host_cube()
    xs = jnp.arange(1.0, 13.0).reshape(2, 3, 2)
    f = lambda g: lambda x: jnp.sum(jax.vmap(jax.vmap(g, (0, None)), (0, None))(x, W) ** 2)
    np.testing.assert_allclose(af.gradient(f(cube), xs)[0], jax.grad(f(plain))(xs), rtol=1e-5)


def test_a_compiled_gradient_runs_the_rule_once():
    cube, calls = host_cube()
    step = jax.jit(lambda x: af.gradient(loss(cube), x, W)[0])
    step(X)
    calls.clear()
    np.testing.assert_allclose(step(X + 1), jax.grad(loss(plain))(X + 1, W), rtol=1e-6)
    assert calls == ["rule", "pullback"]


def test_staged_rules_are_differentiated_again():
    cube, _ = staged_cube()
    second = lambda g: lambda x: jnp.sum(g(x) ** 2)
    ours = af.gradient(second(lambda x: af.gradient(loss(cube), x, W)[0]), X)[0]
    np.testing.assert_allclose(ours, jax.grad(second(jax.grad(lambda x: loss(plain)(x, W))))(X), rtol=1e-5)


def test_many_calls_under_jit_do_not_deadlock():
    cube, _ = host_cube()
    step = jax.jit(lambda x: x - 1e-6 * af.gradient(loss(cube), x, W)[0])
    x = X
    for _ in range(2000):
        x = step(x)
    assert np.all(np.isfinite(x))


def test_trees_and_static_arguments():
    @af.primitive
    def shift(pair, how):
        return {"out": np.asarray(pair["a"]) + {"up": 1.0, "down": -1.0}[how]}

    @shift.rrule
    def _(pair, how):
        return shift(pair, how), lambda dy: (None, {"a": dy["out"], "n": None}, None)

    pair = {"a": X, "n": jnp.arange(2)}
    assert shift(pair, "up")["out"].tolist() == [2.0, 3.0]
    assert shift(pair, "down")["out"].tolist() == [0.0, 1.0]
    grad = af.gradient(lambda p: jnp.sum(shift(p, "up")["out"] * X), pair)[0]
    assert grad["a"].tolist() == [1.0, 2.0]


def test_like_says_what_a_host_function_returns():
    seen = []

    @af.primitive(like=lambda x: jax.ShapeDtypeStruct((3,), x.dtype))
    def spread(x):
        seen.append(float(x))
        return np.full(3, np.asarray(x))

    assert jax.jit(spread)(jnp.float32(2.0)).tolist() == [2.0, 2.0, 2.0]
    assert seen == [2.0]


def test_without_a_rule_the_error_says_how_to_write_one():
    @af.primitive
    def mystery(x):
        return np.asarray(x)

    with pytest.raises(MissingRuleError, match=r"`mystery` called at test_primitive.py.*@mystery.rrule"):
        af.gradient(lambda x: mystery(x), 1.0)


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (lambda dy: (None,), "tuple of 2 cotangents"),
        (lambda dy: dy, "cotangents"),
        (lambda dy: (None, np.ones(3, np.float32)), r"argument 0.*float32\[2\]"),
        (lambda dy: (None, np.ones(2, np.int32)), r"int32\[2\].*float32\[2\]"),
    ],
)
def test_a_wrong_cotangent_is_an_error_that_names_rule_and_argument(returned, words):
    @af.primitive
    def broken(x):
        return np.asarray(x)

    broken.rrule(lambda x: (broken(x), returned))
    with pytest.raises(RuleError, match=words) as caught:
        af.gradient(lambda x: jnp.sum(broken(x)), X)
    assert "broken" in str(caught.value)


def test_a_rule_that_returns_no_pair_is_an_error():
    @af.primitive
    def broken(x):
        return np.asarray(x)

    broken.rrule(lambda x: np.asarray(x))
    with pytest.raises(RuleError, match="value, pullback"):
        af.gradient(lambda x: jnp.sum(broken(x)), X)


@pytest.mark.parametrize("convert", [np.asarray, jnp.asarray], ids=["host", "staged"])
def test_a_rule_whose_value_has_another_shape_is_an_error(convert):
    broken = af.primitive(lambda x: 2 * convert(x))
    broken.rrule(lambda x: (convert(np.ones(3, np.float32)), lambda dy: (None, dy)))
    with pytest.raises(RuleError, match=r"a value of shapes \[\(3,\)\]; expected \[\(2,\)\], as the function returns"):
        af.gradient(lambda x: jnp.sum(broken(x)), X)


def test_second_derivatives_through_the_host_are_missing():
    cube, _ = host_cube()
    with pytest.raises(MissingRuleError, match="second derivative through the primitive function `cube`"):
        af.hessian(lambda x: jnp.sum(cube(x, W)), X)


@MODES
def test_batches_of_none(make):
    cube, _ = make()
    mapped = lambda x: jnp.sum(jax.vmap(lambda x: cube(x, W))(x))
    none = jnp.zeros((0, 2))
    for run in (lambda f: f, jax.jit):
        assert run(jax.vmap(lambda x: cube(x, W)))(none).shape == (0, 2)
        assert run(lambda x: af.gradient(mapped, x)[0])(none).shape == run(jax.grad(mapped))(none).shape == (0, 2)


def test_rules_for_jax_primitives_are_not_replaced_but_can_be_added():
    with pytest.raises(ArgumentError, match="second rule"):
        af.rrule("sin")(lambda x: None)


def test_a_rule_given_later_is_seen():
    @af.primitive
    def late(x):
        return np.asarray(x) * 2

    with pytest.raises(MissingRuleError):
        af.gradient(late, 1.0)
    late.rrule(lambda x: (late(x), lambda dy: (None, np.asarray(2 * dy, np.float32))))
    assert af.gradient(late, 1.0)[0] == 2.0


@af.primitive
def scaled(x, *, by=2.0, name="times", offset=None):
    y = np.asarray(x) * np.asarray(by, x.dtype) if name == "host" else x * by
    return y if offset is None else y + offset


@scaled.rrule
def _(x, *, by=2.0, name="times", offset=None):
    return scaled(x, by=by, name=name, offset=offset), lambda dy: (None, dy * by)


@pytest.mark.parametrize("name", ["times", "host"])
def test_keywords_are_options_without_derivative(name):
    f = lambda x: scaled(x, by=5.0, name=name, offset=np.float32(1.0))
    assert (f(3.0), scaled(3.0)) == (16.0, 6.0)
    assert af.gradient(f, 3.0)[0] == 5.0
    assert jax.jit(lambda x: af.gradient(f, x)[0])(3.0) == 5.0
    assert jax.grad(f)(3.0) == 5.0
    np.testing.assert_array_equal(jax.vmap(f)(jnp.arange(2.0)), [1.0, 6.0])
    assert af.check_rrule(lambda x: scaled(x, by=3.0), jnp.ones(2)).first < 1e-6


def test_a_derivative_with_respect_to_a_keyword_is_missing():
    f = lambda b: scaled(3.0, offset=b)
    for gradient in (lambda: af.gradient(f, 3.0), lambda: jax.grad(f)(3.0)):
        with pytest.raises(MissingRuleError, match="keyword of the primitive function `scaled`"):
            gradient()
    assert af.gradient(lambda b: scaled(3.0, offset=af.ignore_derivatives(b)), 3.0)[0] == 0.0
