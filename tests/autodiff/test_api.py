import collections
import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import argflux as af
from argflux.errors import ArgumentError, ControlFlowError, DtypeError, MissingRuleError, ShapeError

A = jnp.array([[1.0, -2.0, 0.5], [0.3, 0.7, -1.1]])


def quadratic(x):
    return jnp.sum((A @ x) ** 2)


def test_pullback_returns_value_and_cotangents_function_first():
    y, back = af.pullback(lambda w, x: w @ x, A, jnp.arange(3.0))
    df, dw, dx = back(jnp.array([1.0, 2.0]))
    np.testing.assert_allclose(y, A @ jnp.arange(3.0))
    assert df == {"A": None} or df is None
    np.testing.assert_allclose(dw, jnp.outer(jnp.array([1.0, 2.0]), jnp.arange(3.0)))
    np.testing.assert_allclose(dx, A.T @ jnp.array([1.0, 2.0]), rtol=1e-6)


def test_back_may_be_called_again_and_under_vmap_and_jit():
    _, back = af.pullback(lambda x: A @ x, jnp.arange(3.0))
    first = [back(e)[1] for e in jnp.eye(2)]
    np.testing.assert_allclose(jax.vmap(lambda e: back(e)[1])(jnp.eye(2)), jnp.stack(first))
    np.testing.assert_allclose(jax.jit(lambda e: back(e)[1])(jnp.eye(2)[0]), first[0])


@pytest.mark.parametrize("seed", [jnp.ones(3), jnp.ones(2, jnp.int32), (jnp.ones(2),)])
def test_a_seed_unlike_the_output_is_refused(seed):
    _, back = af.pullback(lambda x: A @ x, jnp.arange(3.0))
    with pytest.raises(ShapeError, match="cotangent"):
        back(seed)


def test_gradient_has_the_tree_of_its_argument():
    Point = collections.namedtuple("Point", "x label")
    tree = {"p": Point(jnp.ones(3), "name"), "n": jnp.arange(3), "unused": jnp.ones(2), "f": jnp.sin}
    (grad,) = af.gradient(lambda t: quadratic(t["p"].x), tree)
    assert isinstance(grad["p"], Point)
    assert grad["p"].label is None
    assert grad["n"] is None
    assert grad["f"] is None
    np.testing.assert_array_equal(grad["unused"], np.zeros(2))
    np.testing.assert_allclose(grad["p"].x, jax.grad(quadratic)(jnp.ones(3)), rtol=1e-6)


def test_gradient_of_an_equinox_module_and_of_a_registered_dataclass():
    class Layer(eqx.Module):
        weight: jax.Array
        activation: object

        def __call__(self, x):
            return self.activation(self.weight @ x)

    layer = Layer(A, jnp.tanh)
    (grad,) = af.gradient(lambda m: jnp.sum(m(jnp.ones(3))), layer)
    assert isinstance(grad, Layer)
    assert grad.activation is None

    @jax.tree_util.register_dataclass
    @dataclasses.dataclass
    class Box:
        weight: jax.Array

    (boxed,) = af.gradient(lambda m: jnp.sum(jnp.tanh(m.weight @ jnp.ones(3))), Box(A))
    np.testing.assert_allclose(boxed.weight, grad.weight)


def test_a_plain_dataclass_needs_no_registration():
    @dataclasses.dataclass
    class Scale:
        weight: jax.Array
        power: int

        def __call__(self, x):
            return jnp.sum(self.weight * x**self.power)

    layer = Scale(jnp.array([2.0, 3.0]), 2)
    (grad,) = af.gradient(lambda layer: layer(jnp.array([1.0, 2.0])), layer)
    np.testing.assert_allclose(grad.weight, [1.0, 4.0])
    assert af.params(layer).names == ("weight",)


def test_df_of_a_model_is_a_tree_like_it():
    model = eqx.nn.Linear(3, 2, key=jax.random.key(0))
    _, back = af.pullback(model, jnp.ones(3))
    df, dx = back(jnp.ones(2))
    np.testing.assert_allclose(df.weight, np.ones((2, 3)))
    np.testing.assert_allclose(dx, model.weight.sum(0), rtol=1e-6)


def test_df_of_a_bound_method_is_named_self():
    class Scale:
        def __init__(self, w):
            self.w = w

        def apply(self, x):
            return self.w * x

    jax.tree_util.register_pytree_node(Scale, lambda s: ((s.w,), None), lambda _, w: Scale(*w))
    _, back = af.pullback(Scale(jnp.array(3.0)).apply, 2.0)
    df, dx = back(1.0)
    assert df["self"].w == 2.0
    assert dx == 3.0


def test_gradient_of_several_arguments_and_auxiliary_output():
    (value, aux), grads = af.withgradient(lambda x, y: (x * y, {"sum": x + y, "n": 3}), 2.0, 5.0, has_aux=True)
    assert float(value) == 10.0
    assert float(aux["sum"]) == 7.0
    assert aux["n"] == 3
    assert [float(g) for g in grads] == [5.0, 2.0]


def test_implicit_style_returns_gradients_for_the_captured_arrays():
    model = eqx.nn.Linear(3, 2, key=jax.random.key(0))
    x = jnp.arange(3.0)

    def loss(x):
        return jnp.sum(model(x) ** 2)

    theta = af.params(model)
    grads = af.gradient(lambda: loss(x), theta)[0]
    explicit = af.gradient(lambda m: jnp.sum(m(x) ** 2), model)[0]
    assert grads.names == theta.names == ("weight", "bias")
    np.testing.assert_allclose(grads["weight"], explicit.weight, rtol=1e-6)
    np.testing.assert_allclose(grads[1], explicit.bias, rtol=1e-6)
    stepped = af.params(model).map(lambda p: p * 0).put(model)
    assert not np.any(stepped.weight)


def test_implicit_style_with_arrays_that_are_not_used_says_so():
    with pytest.raises(ArgumentError, match="uses none of the given arrays"):
        af.gradient(lambda: jnp.sum(A), af.params({"w": jnp.ones(2)}))


def test_params_are_found_by_path_only():
    with pytest.raises(ArgumentError, match="weight"):
        af.params({"weight": jnp.ones(2)})["wieght"]


@pytest.mark.parametrize(
    ("f", "x", "words"),
    [
        (lambda x: 2 * x, jnp.ones(3), r"float32\[3\].*af.jacobian"),
        (lambda x: {"a": x}, jnp.float32(1.0), "tree"),
        (lambda x: jnp.int32(3), jnp.float32(1.0), "int32"),
    ],
)
def test_gradient_of_what_is_not_one_number_points_to_jacobian(f, x, words):
    with pytest.raises(ShapeError, match=words):
        af.gradient(f, x)


def test_complex_numbers_are_refused_by_name():
    with pytest.raises(DtypeError, match=r"\['z'\]"):
        af.gradient(lambda t: jnp.real(t["z"]), {"z": 1j})
    for f in (lambda x: jnp.sum(jnp.abs(jnp.fft.fft(x))), lambda x: jnp.sum(jnp.abs(jax.lax.complex(x, x) + 2j))):
        with pytest.raises(DtypeError, match="complex64"):
            af.gradient(f, jnp.ones(4))


def test_what_is_neither_array_nor_number_is_refused():
    for derivative in ASKERS:
        with pytest.raises(DtypeError, match="got a function that returns a str; expected arrays and numbers"):
            derivative(lambda x: {"value": x, "name": "loss"}, 1.0)
    assert af.withgradient(lambda x: (x, "note"), 1.0, has_aux=True).value[1] == "note"


def test_a_missing_rule_names_primitive_and_line():
    def countdown(x):
        return jax.lax.while_loop(lambda c: c < 10, lambda c: c * 2, x)

    with pytest.raises(MissingRuleError, match=r"`while` called at test_api.py:\d+ \(countdown\).*jax.lax.scan"):
        af.gradient(countdown, 1.0)
    assert af.gradient(lambda x: x + countdown(af.ignore_derivatives(x)), 1.0)[0] == 1.0


def test_a_while_loop_without_derivative_is_no_obstacle():
    steps = lambda n: jax.lax.while_loop(lambda c: c < n, lambda c: c + 1, 0)
    assert af.gradient(lambda x: x * steps(4), 2.0)[0] == 4


def test_jacobian_keeps_shapes():
    x = jnp.arange(1.0, 4.0)
    np.testing.assert_allclose(af.jacobian(lambda x: A @ x**2, x), jax.jacrev(lambda x: A @ x**2)(x), rtol=1e-6)
    tree = af.jacobian(lambda t: {"y": t["a"] * t["b"]}, {"a": x, "b": jnp.float32(2.0)})
    assert tree["y"]["a"].shape == (3, 3)
    assert tree["y"]["b"].shape == (3,)
    da, db = af.jacobian(lambda a, b: a * b, x, x)
    np.testing.assert_allclose(da, np.diag(x))
    np.testing.assert_allclose(db, da)


def test_hessian_agrees_with_reverse_over_reverse_and_jax(x64):
    f = lambda x: jnp.sum(jnp.sin(x) * jnp.cumsum(x**2))
    x = jnp.array([0.3, -0.2, 1.1])
    ours = af.hessian(f, x)
    np.testing.assert_allclose(ours, jax.hessian(f)(x), rtol=1e-10)
    np.testing.assert_allclose(af.jacobian(lambda x: af.gradient(f, x)[0], x), ours, rtol=1e-10)


def test_works_inside_jit_vmap_and_jvp():
    x = jnp.arange(6.0).reshape(2, 3)
    grad = lambda x: af.gradient(quadratic, x)[0]
    expected = jnp.stack([jax.grad(quadratic)(row) for row in x])
    np.testing.assert_allclose(jax.jit(jax.vmap(grad))(x), expected, rtol=1e-6)
    _, dot = jax.jvp(grad, (x[0],), (x[1],))
    np.testing.assert_allclose(dot, jax.jvp(jax.grad(quadratic), (x[0],), (x[1],))[1], rtol=1e-6)


def test_an_output_returned_twice_and_an_input_returned_unchanged():
    _, back = af.pullback(lambda x, w: (x, x * w, x), jnp.float32(2.0), jnp.float32(3.0))
    _, dx, dw = back((jnp.float32(1.0), jnp.float32(10.0), jnp.float32(100.0)))
    assert float(dx) == 131.0
    assert float(dw) == 20.0


def test_unselected_branches_of_where_send_no_nan():
    safe = lambda f: lambda x: jnp.sum(jnp.where(x > 0, f(x), 0.0))
    x = jnp.array([0.0, 4.0])
    for f in (jnp.log, jnp.sqrt, lambda x: 1 / x, lambda x: x**0.5, lambda x: jnp.log(x) / x):
        assert np.all(np.isfinite(af.gradient(safe(f), x)[0])), f
        assert np.all(np.isfinite(jax.jit(lambda x, f=f: af.gradient(safe(f), x)[0])(x))), f


def test_a_guarded_normalisation_sends_no_nan():
    normalised = lambda x: jnp.sum(jnp.where(jnp.sum(x) > 0, x / jnp.sum(x), 0.0) ** 2)
    assert af.gradient(normalised, jnp.zeros(3))[0].tolist() == [0.0, 0.0, 0.0]
    x = jnp.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(af.gradient(normalised, x)[0], jax.grad(normalised)(x), rtol=1e-5)


def test_ties_and_tips():
    assert af.gradient(jax.nn.relu, 0.0)[0] == 0
    assert af.gradient(jnp.abs, 0.0)[0] == 0
    assert af.gradient(lambda x: jnp.max(x), jnp.array([1.0, 1.0, 0.0]))[0].tolist() == [0.5, 0.5, 0.0]
    assert af.gradient(jnp.linalg.norm, jnp.zeros(3))[0].tolist() == [0.0, 0.0, 0.0]


def test_derivatives_of_nothing_are_empty():
    empty = jnp.zeros(0)
    assert af.jacobian(lambda x: 2 * x, empty).shape == (0, 0)
    assert af.jacobian(lambda x: jnp.sum(x) * jnp.ones(3), jnp.zeros((0, 2))).shape == (3, 0, 2)
    assert af.jacobian(lambda x: {"a": x[:0]}, jnp.zeros(2))["a"].shape == (0, 2)
    assert af.hessian(jnp.sum, empty).shape == (0, 0)


def test_an_integer_alone_is_told_to_be_a_floating_number():
    with pytest.raises(DtypeError, match=r"got the integer 3 .*pass 3\.0"):
        af.gradient(lambda x: x**2, 3)
    with pytest.raises(DtypeError, match="astype"):
        af.gradient(lambda x: jnp.sum(x**2), jnp.arange(3))


def _root(a):
    x = 1.0
    while abs(x * x - a) > 1e-4:
        x = (x + a / x) / 2
    return x


ASKS = {
    "while": (_root, jnp.array(2.0)),
    "if": (lambda v: v**2 if v > 0 else -v, jnp.array(3.0)),
    "mask": (lambda x: jnp.sum(x[x > 0] ** 2), jnp.arange(3.0)),
    "float": (lambda x: x * float(x), jnp.array(2.0)),
    "NumPy": (lambda x: x * np.sin(x), jnp.array(2.0)),
    "list": (lambda x: [x, 2 * x][jnp.argmax(jnp.stack([x, x]))], jnp.array(2.0)),
}
ASKERS = [af.gradient, af.withgradient, af.pullback, af.jacobian, af.hessian, af.code_ir, af.code_pullback]


@pytest.mark.parametrize("name", ASKS)
def test_python_control_flow_is_an_error_that_names_the_line(name):
    f, at = ASKS[name]
    way_out = "those of `jax.numpy`.*BCOO.from_scipy_sparse" if name == "NumPy" else "jax.lax.cond"
    line = rf"test_api.py:{f.__code__.co_firstlineno + (2 if f is _root else 0)} .*{way_out}"
    for derivative in ASKERS:
        with pytest.raises(ControlFlowError, match=line):
            derivative(f, at)
    with pytest.raises(ControlFlowError, match=line):
        jax.jit(lambda x: af.gradient(f, x))(at)
