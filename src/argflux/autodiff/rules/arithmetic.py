"""Rules of arithmetic, one row per primitive."""

from jax import lax

from argflux.autodiff.registry import elementwise, pulls_back

elementwise("add", lambda dy, y, a, b: dy, lambda dy, y, a, b: dy)
elementwise("sub", lambda dy, y, a, b: dy, lambda dy, y, a, b: lax.neg(dy))
elementwise("mul", lambda dy, y, a, b: lax.mul(dy, b), lambda dy, y, a, b: lax.mul(dy, a))
elementwise("sin", lambda dy, y, x: lax.mul(dy, lax.cos(x)))


@pulls_back("convert_element_type", transparent=True)
def convert_element_type_back(dy, y, x, **params):
    """Convert the cotangent the other way."""
    return (lambda: lax.convert_element_type(dy, x.dtype),)
