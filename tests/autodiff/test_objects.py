"""Primitives that JAX keeps as objects: those that users make, with and without a derivative."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import hijax

import argflux as af
from argflux.errors import MissingRuleError
from argflux.jaxpr import called_program

Base = getattr(hijax, "HiPrim", None) or hijax.VJPHiPrimitive


class Scaled(Base):
    """The product of an array with a number; it says how to pull back, in two passes, and not how to push forward."""

    def __init__(self, x, scale):
        self.in_avals, self.out_aval, self.params = (x, scale), x, {}
        super().__init__()

    def expand(self, x, scale):
        return x * scale

    def vjp_fwd(self, active, x, scale):
        return self(x, scale), (x, scale)

    def vjp_bwd_retval(self, kept, dy):
        x, scale = kept
        return dy * scale, jnp.sum(dy * x)


class Opaque(Scaled):
    """The same without a derivative."""

    vjp_fwd = Base.vjp_fwd


def apply(kind, x, scale):
    return kind(jax.typeof(x), jax.typeof(scale))(x, scale)


def test_an_object_is_pulled_back_by_its_own_passes():
    x, scale = jnp.array([1.0, -2.0, 3.0]), jnp.float32(0.5)
    f = lambda x, scale: jnp.sum(jnp.sin(apply(Scaled, x, scale)))
    for gradient in (af.gradient, jax.jit(lambda *args: af.gradient(f, *args))):
        dx, dscale = gradient(f, x, scale) if gradient is af.gradient else gradient(x, scale)
        np.testing.assert_allclose(dx, 0.5 * np.cos(0.5 * x), rtol=1e-6)
        np.testing.assert_allclose(dscale, np.sum(x * np.cos(0.5 * x)), rtol=1e-6)


def test_the_derivative_of_an_object_is_differentiable():
    x = jnp.float32(0.7)
    square = lambda x: apply(Scaled, x, x)
    np.testing.assert_allclose(af.gradient(lambda x: af.gradient(square, x)[0], x)[0], 2.0, rtol=1e-6)


def test_an_object_without_a_derivative_is_named():
    with pytest.raises(MissingRuleError, match="call_hi_primitive"):
        af.gradient(lambda x: jnp.sum(apply(Opaque, x, jnp.float32(2.0))), jnp.ones(3))


def test_an_object_is_a_program_to_those_who_read_it():
    (eqn,) = jax.make_jaxpr(lambda x: apply(Scaled, x, jnp.float32(2.0)))(jnp.ones(3)).eqns
    assert [inner.primitive.name for inner in called_program(eqn).jaxpr.eqns] == ["mul"]
