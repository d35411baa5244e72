"""Rows for the primitives that hold programs: calls, custom derivatives, recomputation, branches and loops."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.ad_checkpoint import checkpoint_name
from jax.custom_derivatives import linear_call
from jax.extend import linear_util
from jax.extend.core import primitives

from tests.autodiff.rows import Row, distinct, draws, normal

ONCE = """
    compiled_body cond_false everything_saveable map mapped no_steps nothing_saveable only_last only_slices
    passed_through slices_alone softplus switch_1 switch_2 symbolic_zeros_one unused_output
""".split()  # noqa: SIM905


def _row(primitive, name, f, *args, **settings):
    """Make a row; those named in `ONCE` repeat a path whose second order another row has, so they stop at the first."""
    return Row(primitive, name, f, draws(*args), **{"order": 1 if name in ONCE else 2} | settings)


def _cell(c, x):
    """One step of a recurrence that uses its state and its input in products."""
    return jnp.sin(c * x) + c, c * x


def _closed_call(x):
    traced = jax.make_jaxpr(lambda x: [jnp.sin(x) * x])(x)
    function = linear_util.wrap_init(jax.extend.core.jaxpr_as_fun(traced), debug_info=traced.jaxpr.debug_info)
    return primitives.closed_call_p.bind(x, subfuns=(function,))


def _cube_root(x):
    """The root of `z³ = x`, which knows its own derivative."""
    newton = lambda f, start: lax.fori_loop(0, 30, lambda i, z: z - f(z) / (3 * z * z), start)
    return lax.custom_root(lambda z: z**3 - x, jnp.ones_like(x), newton, lambda g, y: y / g(jnp.ones_like(y)))


def _named_block(x, w):
    h = checkpoint_name(jnp.sin(x @ w), "hidden")
    return jnp.cos(h @ w) * h


CALLS = [
    _row("jit", "jit", jax.jit(lambda x, y: (jnp.sin(x) * y, x)), normal(3), normal(3)),
    _row("jit", "nested", jax.jit(lambda x: jax.jit(jnp.sin)(x) * jax.jit(jnp.cos)(x)), normal(3)),
    _row("jit", "output_twice", jax.jit(lambda x: (x * x, x * x, x)), normal(3)),
    _row("jit", "unused_output", lambda x: jax.jit(lambda x: (jnp.sin(x), jnp.cos(x)))(x)[0], normal(3)),
    _row("jit", "integers_pass", lambda x, i: jax.jit(lambda x, i: (x[i], i + 1))(x, i)[0], normal(3), np.int32(1)),
    _row("closed_call", "closed_call", _closed_call, normal(3), until=(0, 11)),
    _row("eval_jaxpr", "traced", lambda x: jax.jit(lambda x: jnp.sin(x) * x).trace(x)(x), normal(3), since=(0, 12)),
    _row("call_hi_primitive", "cube_root", _cube_root, normal(3, low=0.5, high=2.0), since=(0, 11), order=1),
    _row("remat2", "keep_nothing", jax.checkpoint(_named_block), normal(3), normal(3, 3)),
    *[
        _row("remat2", name, jax.checkpoint(_named_block, policy=policy), normal(3), normal(3, 3))
        for name, policy in [
            ("nothing_saveable", jax.checkpoint_policies.nothing_saveable),
            ("everything_saveable", jax.checkpoint_policies.everything_saveable),
            ("dots_saveable", jax.checkpoint_policies.dots_saveable),
            ("save_by_name", jax.checkpoint_policies.save_only_these_names("hidden")),
        ]
    ],
    _row(
        "remat2",
        "one_argument_unused",
        jax.checkpoint(lambda x, y, i: jnp.sin(x[i])),
        normal(3),
        normal(3),
        np.int32(1),
    ),
    _row("remat2", "nested", jax.checkpoint(lambda x: jax.checkpoint(jnp.sin)(x * x) * x), normal(3)),
    _row("remat2", "in_scan", lambda x: lax.scan(jax.checkpoint(_cell), x[0], x)[0], normal(3)),
    _row(
        "optimization_barrier",
        "pair",
        lambda x, y: [a * b for a, b in [lax.optimization_barrier((x, y))]],
        normal(3),
        normal(3),
    ),
]


@jax.custom_jvp
def _squared_sine(x, scale):
    return jnp.sin(x) ** 2 * scale


@_squared_sine.defjvp
def _(primals, tangents):
    (x, scale), (dx, dscale) = primals, tangents
    return _squared_sine(x, scale), jnp.sin(2 * x) * scale * dx + jnp.sin(x) ** 2 * dscale


@jax.custom_jvp
def _symbolic(x, y):
    return x * y + jnp.sin(x)


def _symbolic_jvp(primals, tangents):
    """Give each tangent its term only where there is one."""
    (x, y), (dx, dy) = primals, tangents
    is_zero = lambda t: isinstance(t, jax.custom_derivatives.SymbolicZero)
    terms = [] if is_zero(dx) else [(y + jnp.cos(x)) * dx]
    terms += [] if is_zero(dy) else [x * dy]
    return _symbolic(x, y), functools.reduce(jnp.add, terms, jnp.zeros_like(x))


_symbolic.defjvp(_symbolic_jvp, symbolic_zeros=True)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _applied(f, x):
    return f(x) * 2


@_applied.defjvp
def _(f, primals, tangents):
    return _applied(f, *primals), 2 * jnp.cos(primals[0]) * tangents[0]


@jax.custom_vjp
def _product(tree, i):
    return tree["a"] * tree["b"][i]


def _product_forward(tree, i):
    return _product(tree, i), (tree, i)


def _product_back(kept, dy):
    tree, i = kept
    return {"a": dy * tree["b"][i], "b": jnp.zeros_like(tree["b"]).at[i].set(jnp.sum(dy * tree["a"]))}, None


_product.defvjp(_product_forward, _product_back)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 2))
def _power(f, x, n):
    return f(x) ** n


_power.defvjp(
    lambda f, x, n: (_power(f, x, n), x),
    lambda f, n, x, dy: (dy * n * jnp.sin(x) ** (n - 1) * jnp.cos(x),),
)


@jax.custom_vjp
def _two_outputs(x, y):
    return jnp.sin(x) * y, x


_two_outputs.defvjp(
    lambda x, y: ((jnp.sin(x) * y, x), (x, y)),
    lambda kept, dys: (jnp.cos(kept[0]) * kept[1] * dys[0] + dys[1], jnp.sin(kept[0]) * dys[0]),
)


def linear(scale, x):
    """Call a linear function with its own transpose. JAX cannot map it; `test_rules_without_vmap.py` checks it."""
    return linear_call(lambda s, x: jnp.sin(s) * x, lambda s, dy: jnp.sin(s) * dy, scale, x)


CUSTOM = [
    _row("custom_jvp_call", "two_arguments", _squared_sine, normal(3), normal(3)),
    _row("custom_jvp_call", "one_constant", lambda x: _squared_sine(x, jnp.ones_like(x)), normal(3)),
    _row("custom_jvp_call", "symbolic_zeros", _symbolic, normal(3), normal(3)),
    _row("custom_jvp_call", "symbolic_zeros_one", lambda x: _symbolic(x, jnp.full_like(x, 2)), normal(3)),
    _row("custom_jvp_call", "nondiff", lambda x: _applied(jnp.sin, x), normal(3)),
    _row("custom_jvp_call", "relu", jax.nn.relu, distinct(4)),
    _row("custom_jvp_call", "softplus", jax.nn.softplus, normal(4)),
    _row("jit", "silu", jax.nn.silu, normal(4)),
    _row("custom_jvp_call", "in_scan", lambda x: lax.scan(lambda c, x: (_squared_sine(c, x), c), x[0], x), normal(3)),
    _row(
        "custom_vjp_call",
        "tree_and_integer",
        lambda a, b, i: _product({"a": a, "b": b}, i),
        normal(3),
        normal(2),
        np.int32(1),
        order=1,
    ),
    _row("custom_vjp_call", "nondiff", lambda x: _power(jnp.sin, x, 3), normal(3), order=1),
    _row("custom_vjp_call", "two_outputs", _two_outputs, normal(3), normal(3), order=1),
    _row("custom_vjp_call", "one_output_used", lambda x, y: _two_outputs(x, y)[0], normal(3), normal(3), order=1),
    _row(
        "custom_vjp_call",
        "in_scan",
        lambda x: lax.scan(lambda c, x: _two_outputs(c, x), x[0], x)[0],
        normal(3),
        order=1,
    ),
    _row("linear_call", "linear_call", linear, normal(3), normal(3), order=0),
]

BRANCHES = [
    *[
        _row(
            "cond",
            f"switch_{k}",
            lambda k, x, y: lax.switch(k, [jnp.sin, lambda x: x * y, lambda x: y], x),
            np.int32(k),
            normal(3),
            normal(3),
        )
        for k in range(3)
    ],
    *[
        _row(
            "cond",
            f"cond_{name}",
            lambda x, y, bound=bound: lax.cond(jnp.sum(x) > bound, lambda x, y: x * y, lambda x, y: jnp.sin(y), x, y),
            normal(3),
            normal(3),
        )
        for name, bound in (("true", -50), ("false", 50))
    ],
    _row(
        "cond", "one_branch_constant", lambda k, x: lax.cond(k > 0, jnp.sin, jnp.zeros_like, x), np.int32(1), normal(3)
    ),
    _row(
        "cond",
        "integer_output",
        lambda k, x: lax.cond(k > 0, lambda x: (x * x, 1), lambda x: (x, 0), x)[0],
        np.int32(1),
        normal(3),
    ),
    _row(
        "cond",
        "nested",
        lambda k, x: lax.cond(k > 0, lambda x: lax.cond(k > 1, jnp.sin, jnp.cos, x) * x, jnp.exp, x),
        np.int32(1),
        normal(3),
    ),
    _row(
        "cond",
        "in_scan",
        lambda x: lax.scan(lambda c, i: (lax.cond(i > 1, jnp.sin, lambda c: c * x, c), None), x, jnp.arange(4))[0],
        normal(3),
    ),
    _row(
        "select_n",
        "mapped",
        lambda x: jax.vmap(lambda k, x: lax.cond(k > 0, jnp.sin, jnp.cos, x))(jnp.array([0, 1, 0]), x),
        normal(3),
    ),
]


def _outputs_of(tree):
    return [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.floating)]


def _scan(f, *args, **settings):
    return _outputs_of(lax.scan(f, *args, **settings))


def _mixed(c, x):
    """Carry a counter, a live state and one that only becomes live through it; return floats and integers."""
    count, live, late = c
    return (count + 1, jnp.sin(live * x), late + live), (count, late)


LOOPS = [
    _row("scan", "carry_and_slices", lambda c, x: _scan(_cell, c, x), normal(), normal(4)),
    _row("scan", "reverse", lambda c, x: _scan(_cell, c, x, reverse=True), normal(), normal(4)),
    _row("scan", "unroll", lambda c, x: _scan(_cell, c, x, unroll=3), normal(), normal(4)),
    _row(
        "scan",
        "constants",
        lambda c, w: _scan(lambda c, _: (jnp.sin(w @ c), c @ w), c, None, length=3),
        normal(2),
        normal(2, 2),
    ),
    _row("scan", "integer_carry", lambda c, x: _scan(_mixed, (0, c, jnp.zeros_like(c)), x), normal(), normal(4)),
    _row(
        "scan",
        "carry_becomes_active",
        lambda x: lax.scan(_mixed, (0, jnp.ones_like(x[0]), jnp.zeros_like(x[0])), x)[0][2],
        normal(4),
    ),
    _row("scan", "only_last", lambda c, x: lax.scan(_cell, c, x)[0], normal(), normal(4)),
    _row("scan", "only_slices", lambda c, x: lax.scan(_cell, c, x)[1], normal(), normal(4)),
    _row("scan", "slices_alone", lambda x: lax.scan(lambda c, x: (c, jnp.sin(x)), 0, x)[1], normal(4)),
    _row(
        "scan",
        "integer_slices",
        lambda c, x: _scan(lambda c, i: (c * x[i], c), c, jnp.array([2, 0, 2])),
        normal(),
        normal(3),
    ),
    _row(
        "scan",
        "tree",
        lambda c, x: _scan(lambda c, x: ({"a": c["b"] * x, "b": jnp.sin(c["a"])}, c), {"a": c, "b": c}, x),
        normal(),
        normal(3),
    ),
    _row("scan", "nested", lambda c, x: _scan(lambda c, row: lax.scan(_cell, c, row), c, x), normal(), normal(2, 3)),
    _row(
        "scan",
        "swapped",
        lambda x, y: _scan(lambda c, _: ((c[1], jnp.sin(c[0])), None), (x, y), None, length=3),
        normal(2),
        normal(2),
    ),
    _row(
        "scan",
        "fori_loop",
        lambda x, w: lax.fori_loop(0, 3, lambda i, c: jnp.sin(c * w) + i.astype(c.dtype), x),
        normal(2),
        normal(2),
    ),
    _row(
        "scan",
        "index_in_loop",
        lambda x: lax.fori_loop(0, 3, lambda i, c: c.at[i].set(jnp.sin(c[i] * c[i - 1])), x),
        normal(3),
    ),
    _row("scan", "map", lambda x: lax.map(lambda row: jnp.sin(row) @ row, x), normal(3, 2)),
    _row("scan", "no_steps", lambda c, x: _scan(_cell, c, x[:0]), normal(), normal(2)),
    _row("scan", "passed_through", lambda c, x: _scan(lambda c, x: (c, x), c, x), normal(), normal(3)),
    _row("scan", "mapped", jax.vmap(lambda c, x: lax.scan(_cell, c, x)[1]), normal(2), normal(2, 3)),
    _row("scan", "compiled_body", lambda c, x: _scan(jax.jit(_cell), c, x), normal(), normal(4)),
]

ROWS = CALLS + CUSTOM + BRANCHES + LOOPS
