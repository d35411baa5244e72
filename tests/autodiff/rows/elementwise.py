"""Rows for the elementwise rules."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.ad_checkpoint import checkpoint_name

from tests.autodiff.rows import Row, Tie, ZeroRow, distinct, draws, normal

ANY, POSITIVE, UNIT = normal(2, 3), normal(2, 3, low=0.4, high=2.5), normal(2, 3, low=-0.8, high=0.8)
ROW, COLUMN, SCALAR = normal(1, 3, low=0.5, high=1.5), normal(2, 1, low=0.5, high=1.5), normal(low=0.5, high=1.5)
BELOW_ONE, ABOVE_ONE = normal(2, 3, low=0.1, high=0.9), normal(2, 3, low=1.2, high=3.0)
APART = distinct(2, 3)
INTEGERS = np.array([-2, 0, 3], np.int32)


def unary(function, *makers, name=None, **options):
    """Make the row of a function of `jax.lax` that is called like its primitive."""
    primitive = name or function.__name__
    return Row(primitive, primitive, function, draws(*makers), **options)


def two(function, a, b, **options):
    """Make the rows of a binary function: equal shapes, and either operand repeated."""
    name = function.__name__
    pairs = {"equal": (a, b), "row": (a, ROW), "column": (ROW, COLUMN), "scalar": (SCALAR, b)}
    return [Row(name, kind, function, draws(*pair), **options) for kind, pair in pairs.items()]


ARITHMETIC = [
    *two(lax.add, ANY, ANY),
    *two(lax.sub, ANY, ANY),
    *two(lax.mul, ANY, ANY),
    *two(lax.div, ANY, POSITIVE),
    *two(lax.pow, POSITIVE, POSITIVE),
    Row("max", "max", lambda a, b: lax.max(a, b[:1]), draws(APART, distinct(2, 3, gap=0.41))),
    Row("max", "scalar", lambda a: jnp.maximum(a, 0.17), draws(APART)),
    Row("min", "min", lambda a, b: lax.min(a, b[:1]), draws(APART, distinct(2, 3, gap=0.41))),
    Row(
        "rem",
        "rem",
        lambda a, b: lax.rem(a, b),
        draws(lambda rng: np.array([5.3, -5.3, 2.2]), np.array([2.0, 1.7, -3.1])),
    ),
    Row("max", "clip", lambda x: jnp.clip(x, -0.52, 0.61), draws(APART)),
    Row("clamp", "scalar", lambda x: lax.clamp(x.dtype.type(-0.52), x, x.dtype.type(0.61)), draws(APART)),
    Row(
        "clamp",
        "bounds",
        lax.clamp,
        draws(np.array(-0.52), APART, np.array(0.61)),
        order=1,
        differs="JAX fails on scalar bounds",
    ),
    Row("clamp", "arrays", lambda a, x, b: lax.clamp(a, x, a + 0.5), draws(UNIT, APART, ANY)),
    Row("nextafter", "nextafter", lax.nextafter, draws(ANY, ANY), order=1, differs="JAX has no rule", half=False),
    Row("add_any", "fan-out", jax.grad(lambda x: jnp.sum(jnp.sin(x) * jnp.cos(x))), draws(ANY)),
    unary(lax.neg, ANY),
    unary(lax.abs, APART),
    unary(lax.square, ANY),
    unary(lax.sqrt, POSITIVE),
    unary(lax.rsqrt, POSITIVE),
    unary(lax.cbrt, POSITIVE),
    Row("pow", "literal", lambda x: x**0.5, draws(POSITIVE)),
    Row(
        "pow",
        "integer array",
        lambda x: lax.pow(x, INTEGERS),
        draws(np.array([-1.3, 0.4, -0.7])),
        order=1,
        differs="JAX promotes dtypes implicitly",
    ),
    *[Row("integer_pow", f"x^{n}", lambda x, n=n: lax.integer_pow(x, n), draws(APART)) for n in (-2, -1, 3, 4)],
    Row("one_minus_square", "gradient", lambda x: lax.one_minus_square(x), draws(ANY), since=(0, 12)),
    *[
        Row("polynomial", name, lambda x, c: jnp.polyval(c, x), draws(x, c), since=(0, 12))
        for name, x, c in [("cubic", ANY, normal(4)), ("long", UNIT, normal(12))]
    ],
    Row("polynomial", "spread", lambda x, c: lax.polynomial(x, [c, x, c]), draws(ANY, ROW), since=(0, 12)),
    Row("call_hi_primitive", "ldexp", lambda x: jnp.ldexp(jnp.sin(x), INTEGERS), draws(ANY), since=(0, 12), half=False),
    Row("pow", "negative base", lambda x: x ** jnp.full_like(x, 3), draws(np.array([-1.2, 0.7]))),
]

FUNCTIONS = [
    unary(lax.exp, ANY),
    unary(lax.exp2, ANY),
    unary(lax.expm1, ANY),
    unary(lax.log, POSITIVE),
    Row("log2", "log2", jnp.log2, draws(POSITIVE), since=(0, 11)),
    unary(lax.log1p, POSITIVE),
    unary(lax.logistic, ANY),
    unary(lax.tanh, ANY),
    unary(lax.sin, ANY),
    unary(lax.cos, ANY),
    unary(lax.tan, UNIT),
    unary(lax.asin, UNIT),
    unary(lax.acos, UNIT),
    unary(lax.atan, ANY),
    *two(lax.atan2, POSITIVE, POSITIVE),
    unary(lax.sinh, ANY),
    unary(lax.cosh, ANY),
    unary(lax.asinh, ANY),
    unary(lax.acosh, ABOVE_ONE),
    unary(lax.atanh, UNIT),
    unary(lax.erf, ANY),
    unary(lax.erfc, ANY),
    unary(lax.erf_inv, UNIT),
    unary(lax.lgamma, POSITIVE),
    unary(lax.digamma, POSITIVE, half=False),
    Row("polygamma", "polygamma", lambda x: lax.polygamma(lax.full_like(x, 1), x), draws(ABOVE_ONE), half=False),
    Row(
        "zeta",
        "zeta",
        lambda q: lax.zeta(lax.full_like(q, 2.5), q),
        draws(ABOVE_ONE),
        order=1,
        half=False,
        differs="JAX has no rule",
    ),
    Row("igamma", "igamma", lax.igamma, draws(POSITIVE, POSITIVE), order=1, half=False),
    Row("igamma", "second", lambda x: lax.igamma(lax.full_like(x, 1.7), x), draws(POSITIVE), half=False),
    Row("igammac", "second", lambda x: lax.igammac(lax.full_like(x, 1.7), x), draws(POSITIVE), half=False),
    Row(
        "regularized_incomplete_beta",
        "x",
        lambda x: lax.betainc(lax.full_like(x, 1.5), lax.full_like(x, 2.5), x),
        draws(BELOW_ONE),
        half=False,
    ),
    unary(lax.bessel_i0e, APART, half=False),
    unary(lax.bessel_i1e, APART, half=False),
]

SELECTION = [
    Row(
        "select_n",
        "where",
        lambda c, a, b: jnp.where(c, a * b, b),
        draws(np.array([True, False, True]), normal(3), normal(3)),
    ),
    Row("select_n", "scalar", lambda c, a, b: lax.select(c, a * b, b), draws(np.array(True), normal(3), normal(3))),
    Row(
        "select_n",
        "three",
        lambda i, a, b: lax.select_n(i, a, b, a * b),
        draws(np.array([0, 1, 2], np.int32), normal(3), normal(3)),
    ),
    Row(
        "convert_element_type",
        "bfloat16",
        lambda x: x.astype(jnp.bfloat16).astype(x.dtype) * x,
        draws(np.array([0.5, 1.25])),
        fd=None,
    ),
    Row(
        "reduce_precision",
        "float32",
        lambda x: lax.reduce_precision(x, 8, 23) * x,
        draws(np.array([0.5, 1.25])),
        fd=None,
    ),
    Row("copy", "copy", lambda x: jnp.copy(x) * x, draws(ANY)),
    Row("name", "name", lambda x: checkpoint_name(x, "kept") * x, draws(ANY)),
    Row("device_put", "device_put", lambda x: jax.device_put(x, jax.devices()[0]) * x, draws(ANY)),
    Row(
        "sharding_constraint",
        "one device",
        lambda x: lax.with_sharding_constraint(x, jax.sharding.SingleDeviceSharding(jax.devices()[0])) * x,
        draws(ANY),
    ),
    Row(
        "random_gamma", "see test_special", lambda a: jax.random.gamma(jax.random.key(0), a), draws(ABOVE_ONE), order=0
    ),
]

ROWS = [*ARITHMETIC, *FUNCTIONS, *SELECTION]

ZERO_ROWS = [
    ZeroRow("sign", jnp.sign),
    ZeroRow("floor", jnp.floor),
    ZeroRow("ceil", jnp.ceil),
    ZeroRow("round", jnp.round),
    ZeroRow("stop_gradient", lax.stop_gradient),
    ZeroRow("is_finite", lax.is_finite),
    ZeroRow("argmax", lambda x: jnp.argmax(x)),
    ZeroRow("argmin", lambda x: jnp.argmin(x)),
    ZeroRow("eq", lambda x: x == 1.0),
    ZeroRow("ne", lambda x: x != 1.0),
    ZeroRow("lt", lambda x: x < 1.0),
    ZeroRow("le", lambda x: x <= 1.0),
    ZeroRow("gt", lambda x: x > 1.0),
    ZeroRow("ge", lambda x: x >= 1.0),
    ZeroRow("and", lambda x: (x > 0) & (x < 1)),
    ZeroRow("or", lambda x: (x > 0) | (x < 1)),
    ZeroRow("xor", lambda x: (x > 0) ^ (x < 1)),
    ZeroRow("not", lambda x: ~(x > 0)),
    ZeroRow("reduce_and", lambda x: jnp.all(x > 0)),
    ZeroRow("reduce_or", lambda x: jnp.any(x > 0)),
    ZeroRow("reduce_xor", lambda x: lax.reduce_xor(x > 0, (0,))),
    ZeroRow(
        "bitcast_convert_type", lambda x: lax.bitcast_convert_type(lax.bitcast_convert_type(x, jnp.int32), x.dtype)
    ),
    ZeroRow("le_to", lambda x: jnp.searchsorted(jnp.arange(3.0), x), until=(0, 12)),
    ZeroRow("lt_to", lambda x: jnp.searchsorted(jnp.arange(3.0), x, side="right"), until=(0, 12)),
    ZeroRow("call_hi_primitive", lambda x: jnp.searchsorted(jnp.arange(3.0), x), since=(0, 12)),
    *map(ZeroRow, ("eq_to", "iota", "population_count", "clz", "mulhi", "axis_index")),
    *map(ZeroRow, ("shift_left", "shift_right_arithmetic", "shift_right_logical")),
    *map(ZeroRow, ("random_bits", "random_seed", "random_split", "random_fold_in", "random_wrap", "random_unwrap")),
    *map(ZeroRow, ("random_clone", "threefry2x32", "rng_bit_generator")),
]

TIES = [
    Tie("relu at 0", jax.nn.relu, ([-1.0, 0.0, 2.0],), ([0.0, 0.0, 1.0],)),
    Tie("abs at 0", jnp.abs, ([-1.0, 0.0, 2.0],), ([-1.0, 0.0, 1.0],)),
    Tie("max of equals", jnp.maximum, ([1.0, 2.0], [1.0, 0.0]), ([0.5, 1.0], [0.5, 0.0])),
    Tie("min of equals", jnp.minimum, ([1.0, 2.0], [1.0, 0.0]), ([0.5, 0.0], [0.5, 1.0])),
    Tie("max with a scalar", lambda x, s: lax.max(x, s), ([0.0, 1.0], 0.0), ([0.5, 1.0], 0.5)),
    Tie("clamp at its bounds", lambda x: lax.clamp(0.0, x, 1.0), ([0.0, 0.5, 1.0, 2.0],), ([0.0, 1.0, 0.0, 0.0],)),
    Tie("sqrt at 0", jnp.sqrt, ([0.0, 4.0],), ([0.0, 0.25],)),
    Tie("cbrt at 0", jnp.cbrt, ([0.0, 1.0],), ([0.0, 1 / 3],)),
    Tie("norm at 0", jnp.linalg.norm, ([0.0, 0.0],), ([0.0, 0.0],)),
    Tie("norm by power at 0", lambda x: jnp.sum(x**2) ** 0.5, ([0.0, 0.0],), ([0.0, 0.0],)),
    Tie("distance at 0", lambda a, b: jnp.sqrt(jnp.sum((a - b) ** 2)), ([1.0], [1.0]), ([0.0], [0.0])),
    Tie("power 0", lambda x: lax.pow(x, 0.0), ([0.0, 2.0],), ([0.0, 0.0],)),
    Tie("power 1 at 0", lambda x, b: lax.pow(x, b), ([0.0], [1.0]), ([1.0], [0.0])),
    Tie("power 2 at 0", lambda x, b: lax.pow(x, b), ([0.0], [2.0]), ([0.0], [0.0])),
    Tie("power 0 at 0", lambda x, b: lax.pow(x, b), ([0.0], [0.0]), ([0.0], [0.0])),
    Tie("square at 0", lambda x: x**2, ([0.0],), ([0.0],)),
    Tie("cube at 0", lambda x: x**3, ([0.0],), ([0.0],)),
    Tie("atan2 at the origin", jnp.arctan2, ([0.0], [0.0]), ([0.0], [0.0])),
    Tie("bessel_i1e at 0", jax.scipy.special.i1e, ([0.0],), ([0.5],)),
    Tie("xlogy at 0", jax.scipy.special.xlogy, ([0.0, 2.0], [1.0, 1.0]), ([0.0, 0.0], [0.0, 2.0])),
    Tie("entropy at 0", jax.scipy.special.entr, ([0.5],), ([-np.log(0.5) - 1],)),
    Tie("where hides log", lambda x: jnp.where(x > 0, jnp.log(x), 0.0), ([-1.0, 0.0, 2.0],), ([0.0, 0.0, 0.5],)),
    Tie("where hides x log x", lambda x: jnp.where(x > 0, x * jnp.log(x), 0.0), ([0.0, 1.0],), ([0.0, 1.0],)),
    Tie("where hides a division", lambda x: jnp.where(x > 0, 1 / x, 0.0), ([0.0, 2.0],), ([0.0, -0.25],)),
    Tie("where hides a root", lambda x: jnp.where(x > 0, jnp.sqrt(x), 0.0), ([-1.0, 4.0],), ([0.0, 0.25],)),
    Tie("where hides a power", lambda x: jnp.where(x > 0, x**-2, 0.0), ([0.0, 1.0],), ([0.0, -2.0],)),
    Tie("where hides overflow", lambda x: jnp.where(x < 50, jnp.exp(x), 0.0), ([0.0, 100.0],), ([1.0, 0.0],)),
    Tie("where hides acos", lambda x: jnp.where(jnp.abs(x) < 1, jnp.arccos(x), 0.0), ([0.0, 1.0],), ([-1.0, 0.0],)),
]
