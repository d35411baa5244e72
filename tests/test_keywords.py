"""Calls that explain themselves."""

import dataclasses
import inspect
from inspect import getattr_static
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest
from jax.typing import ArrayLike, DTypeLike

import argflux
from argflux import autodiff, data, nn, patterns, plots, programs, training
from argflux.errors import ArgfluxError, ArgumentError, DtypeError
from argflux.keywords import explained, unknown_keyword
from argflux.kinds import fits, in_words
from argflux.othernames import OTHER_NAMES


@explained
def scaled(x: ArrayLike, factor: float = 2.0, *, eps: float = 0.0, key: jax.Array | None = None):
    """Return x times a factor."""
    return jnp.asarray(x) * factor


@explained(options="width depth")
def passing(x, **options):
    return build(**options)


def build(width=1, depth=1):
    return width * depth


@explained
class Layer(eqx.Module):
    size: int = eqx.field(static=True)

    def __init__(self, size: int):
        self.size = size

    def __call__(self, x):
        return x * self.size


@explained
@dataclasses.dataclass
class Plain:
    size: int

    def __call__(self, x):
        return x * self.size


def test_a_right_call_is_the_call():
    assert float(scaled(3.0, factor=3.0)) == 9.0
    assert passing(0, width=2, depth=3) == 6
    assert Layer(3)(2) == Plain(3)(2) == 6


def test_name_signature_and_docstring_stay():
    assert scaled.__name__ == "scaled"
    assert scaled.__doc__ == "Return x times a factor."
    assert list(inspect.signature(scaled).parameters) == ["x", "factor", "eps", "key"]
    assert str(inspect.signature(Layer)) == "(size: int)"
    assert scaled.__globals__ is globals(), "doctest finds examples by this"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: scaled(1.0, factr=3), r"scaled: got keyword factr=3; expected x, factor, eps, key; write factor="),
        (lambda: scaled(1.0, epsilon=3), r"write eps= \(epsilon in Keras and Flax\)"),
        (lambda: scaled(1.0, colour="red"), r"colour='red'; .* correct the name, or leave it out"),
        (lambda: passing(1, widht=3), r"passing: .* expected x, width, depth; write width="),
        (lambda: scaled(), r"scaled: got a call with missing a required argument: 'x'; expected arguments \(x, fac"),
        (lambda: scaled(1, 2, 3), r"got a call with too many positional arguments"),
        (lambda: scaled(1, x=2), r"got a call with multiple values for argument 'x'"),
        (lambda: Layer(sise=2), r"Layer: got keyword sise=2; expected size; write size="),
        (lambda: Layer(), r"Layer: got a call with missing a required argument: 'size'; expected arguments \(size\)"),
        (lambda: Layer(2)(1, train=True), r"Layer: got keyword train=True; .*call trainmode"),
        (lambda: Plain(2)(), r"Plain: got a call with missing a required argument: 'x'"),
    ],
)
def test_what_is_no_call(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()


def test_a_value_of_a_wrong_kind():
    with pytest.raises(DtypeError, match=r"scaled: got x='a'; expected an array; pass an array"):
        scaled("a")
    with pytest.raises(DtypeError, match=r"got factor=\[\]; expected a number"):
        scaled(1.0, [])


def test_an_error_from_inside_stays():
    inner = ValueError("mine")

    @explained
    def fails(x):
        raise inner

    with pytest.raises(ValueError, match="mine") as caught:
        fails(1)
    assert caught.value is inner


@pytest.mark.parametrize(
    ("annotation", "right", "wrong"),
    [
        (int, [1, jnp.array(2)], [1.5, "1", None]),
        (float, [1, 1.5, jnp.array(2.0)], ["1", None, [1.0]]),
        (bool, [True], [1, "yes"]),
        (float | None, [None, 2.0], ["1"]),
        (int | tuple[int, ...], [1, (1, 2), [1]], ["1", None]),
        (ArrayLike, [jnp.ones(2), 1.0, True], [[1.0], "a", None]),
        (DTypeLike, [jnp.float32, "bfloat16", jnp.bfloat16], ["foo", None, 3.5]),
        (DTypeLike | None, [None, "int8"], ["foo"]),
        (inspect.Parameter.empty, [None, object()], []),
        (Any, [None, object()], []),
    ],
)
def test_kinds(annotation, right, wrong):
    assert all(fits(value, annotation) for value in right)
    assert not any(fits(value, annotation) for value in wrong)
    assert in_words(annotation)


def test_names_of_other_libraries_lead_to_options_that_exist():
    known = {"training", "beta", "decay", "limit", "rate", "momentum"}
    for package in (argflux.nn, argflux.data, argflux.training, argflux.programs):
        for name in package.__all__:
            value = getattr(package, name)
            for f in (value, getattr_static(value, "__call__", None)):
                try:
                    known |= set(inspect.signature(f).parameters)
                except (TypeError, ValueError):
                    continue
    from argflux.nn.recurrent.cells import Cell

    known |= set(inspect.signature(Cell).parameters)
    ours = {row[0].split("=")[0] for rows in OTHER_NAMES.values() for row in rows}
    assert not {name for name in ours if " " not in name} - known


def test_their_name_is_ours_wherever_ours_is_known():
    for theirs, rows in OTHER_NAMES.items():
        for ours, _ in rows:
            name = ours.split("=")[0]
            if " " not in name:
                assert name in unknown_keyword("f", theirs, 1, [name]).todo


PACKAGES = (autodiff, nn, data, training, programs, patterns, plots)
RETURNED = (
    "Params RuleCheck WithGradient Buffer History OptimiserState Record Coefficients ConeSolution Directions "
    "ProgramKind Regularity Residuals Sensitivities Solution Status Comparison Correlation DesignReport Family "
    "GapIdentity LayerReport LineRegions PatternCounts PlaneRegions Site Sites Study ZeroCounts"
)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_every_public_function_explains_its_keywords(package):
    for name in package.__all__:
        target = getattr(package, name)
        is_error = inspect.isclass(target) and issubclass(target, Exception)
        if callable(target) and not is_error and name not in f"{RETURNED} Rule".split():
            with pytest.raises(ArgfluxError, match=r".*got .*; expected .*; "):
                target(no_such_option=1)


def test_keywords_of_other_libraries_for_gradients():
    f = lambda x: jnp.sum(x * x)
    for call in (autodiff.gradient, autodiff.withgradient, autodiff.pullback, autodiff.jacobian):
        with pytest.raises(
            ArgumentError, match=rf"{call.__name__}: got keyword argnums=0; expected f.*index the result"
        ):
            call(f, jnp.ones(2), argnums=0)
