import jax.numpy as jnp
import numpy as np
import pytest

import argflux as af
from argflux.errors import RuleError


def test_right_rules_pass_to_second_order():
    found = af.check_rrule(lambda t: {"y": jnp.sin(t["a"]) * t["b"]}, {"a": jnp.array([0.3, 2.0]), "b": 1.5})
    assert found.first < 1e-8
    assert found.second is not None
    assert found.second < 1e-6


def test_a_wrong_factor_is_found_and_the_leaf_named():
    @af.primitive
    def double(x):
        return 2 * x

    double.rrule(lambda x: (double(x), lambda dy: (None, 2.001 * dy)))
    with pytest.raises(RuleError, match=r"args\[0\]\['w'\].*|first derivative"):
        af.check_rrule(lambda t: double(t["w"]), {"w": jnp.ones(3)})


def test_a_wrong_second_derivative_is_found():
    @af.primitive
    def square(x):
        return x * x

    square.rrule(lambda x: (square(x), lambda dy: (None, 2 * af.ignore_derivatives(x) * dy)))
    with pytest.raises(RuleError, match="second derivative"):
        af.check_rrule(square, jnp.array([1.0, 2.0]))
    assert af.check_rrule(square, jnp.array([1.0, 2.0]), order=1).second is None


def test_host_rules_are_checked_to_first_order():
    @af.primitive
    def cube(x):
        return np.asarray(x) ** 3

    cube.rrule(lambda x: (cube(x), lambda dy: (None, 3 * np.asarray(x) ** 2 * dy)))
    found = af.check_rrule(cube, jnp.array([1.0, 2.0]))
    assert found.first < 1e-8
    assert found.second is None


def test_integers_are_left_alone():
    assert af.check_rrule(lambda x, n: x[n] * x, jnp.ones(2), jnp.arange(2)).first < 1e-8
