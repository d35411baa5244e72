"""Rules of selection and of conversions that keep every element, and the primitives whose derivative is zero."""

from jax import lax

from argflux.autodiff.registry import pulls_back, zero_derivative
from argflux.autodiff.rules.broadcasting import elementwise, zeros

zero_derivative("stop_gradient", "is_finite", "bitcast_convert_type", "argmax", "argmin", "iota")
zero_derivative("eq", "ne", "lt", "le", "gt", "ge", "eq_to", "le_to", "lt_to")
zero_derivative("and", "or", "xor", "not", "reduce_and", "reduce_or", "reduce_xor", "population_count", "clz")
zero_derivative("shift_left", "shift_right_arithmetic", "shift_right_logical", "mulhi")
zero_derivative("random_bits", "random_seed", "random_split", "random_fold_in", "random_wrap", "random_unwrap")
zero_derivative("random_clone", "threefry2x32", "rng_bit_generator", "axis_index")


@pulls_back("select_n", selects=True, moves=True)
def select_n_back(dy, y, which, *cases):
    """Give each element's cotangent to the case that was chosen there."""

    def to(position):
        return lambda: lax.select_n(which, *[dy if j == position else zeros(dy) for j in range(len(cases))])

    return None, *map(to, range(len(cases)))


@pulls_back("convert_element_type", moves=True)
def convert_element_type_back(dy, y, x, **params):
    """Convert the cotangent the other way."""
    return (lambda: lax.convert_element_type(dy, x.dtype),)


@pulls_back("reduce_precision", moves=True)
def reduce_precision_back(dy, y, x, *, exponent_bits, mantissa_bits):
    """Round the cotangent the same way."""
    return (lambda: lax.reduce_precision(dy, exponent_bits, mantissa_bits),)


@pulls_back("sharding_constraint", moves=True)
def sharding_constraint_back(dy, y, x, *, sharding, **params):
    """Place the cotangent like the value."""
    return (lambda: lax.with_sharding_constraint(dy, sharding),)


@pulls_back("device_put", moves=True)
def device_put_back(dys, ys, *xs, **params):
    """Pass the cotangents on."""
    return tuple(dys)


elementwise("copy", lambda dy, y, x: dy, moves=True)
elementwise("name", lambda dy, y, x: dy, moves=True)
