"""Every rule against finite differences in float64 and against JAX in float32, to second order."""

import importlib
import pkgutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import autodiff
from argflux.autodiff.registry import HOLDS_PROGRAMS, RULES, ZERO_DERIVATIVE
from argflux.jaxpr import jaxprs_in_params
from tests.autodiff import rows
from tests.compiling import QUICK

MODULES = [importlib.import_module(f"{rows.__name__}.{m.name}") for m in pkgutil.iter_modules(rows.__path__)]


def _gather(kind):
    return [row for module in MODULES for row in getattr(module, kind, [])]


EVERY_ROW, ZERO_ROWS, TIES = _gather("ROWS"), _gather("ZERO_ROWS"), _gather("TIES")
_is_here = lambda row: row.since <= jax.__version_info__ < row.until
ROWS = list(filter(_is_here, EVERY_ROW))
FIRST = {row.primitive: row for row in reversed(ROWS)}
STENCIL = np.array([-2.0, -1.0, 1.0, 2.0]), np.array([1.0, -8.0, 8.0, -1.0]) / 12
STEP = 1e-4


class Problem:
    """A row as a scalar function of its floating arguments: a random projection of its output."""

    def __init__(self, row, dtype, seed=0):
        rng = np.random.default_rng([seed, *row.name.encode()])
        self.row, self.dtype = row, dtype
        args = [np.asarray(a) for a in row.args(rng)]
        self.floats = [i for i, a in enumerate(args) if np.issubdtype(a.dtype, np.floating)]
        self.args = [jnp.asarray(a, dtype if i in self.floats else a.dtype) for i, a in enumerate(args)]
        self.x = [self.args[i] for i in self.floats]
        self.direction = self._like(self.x, rng)
        self.weights = self._like(self._outputs(jax.eval_shape(self.call, self.x)), np.random.default_rng(1))

    def _like(self, arrays, rng):
        return [jnp.asarray(rng.normal(size=a.shape), a.dtype) for a in arrays]

    def _outputs(self, tree):
        return [y for y in jax.tree.leaves(tree) if jnp.issubdtype(y.dtype, jnp.floating)]

    def call(self, x):
        args = list(self.args)
        for i, value in zip(self.floats, x, strict=True):
            args[i] = value
        return self.row.f(*args)

    def value(self, x):
        ys = self._outputs(self.call(x))
        return sum((jnp.sum(w * y) for w, y in zip(self.weights, ys, strict=True)), jnp.zeros((), self.dtype))

    def ours(self, x):
        return autodiff.gradient(self.value, x)[0]

    def slope(self, gradient, x):
        return sum(jnp.sum(v * g) for v, g in zip(self.direction, gradient(x), strict=True))

    def along(self, f, x):
        """Differentiate `f` along the direction by five-point central differences."""
        shifted = jax.vmap(lambda c: f([a + (STEP * c) * v for a, v in zip(x, self.direction, strict=True)]))
        values = shifted(jnp.asarray(STENCIL[0], self.dtype))
        return jax.tree.map(lambda y: jnp.tensordot(jnp.asarray(STENCIL[1], y.dtype), y, 1) / STEP, values)


def _close(got, expected, rtol, what):
    for g, e in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        g, e = np.asarray(g, np.float64), np.asarray(e, np.float64)
        scale = max(1.0, float(np.max(np.abs(e), initial=0)))
        np.testing.assert_allclose(g, e, rtol=rtol, atol=rtol * scale, err_msg=what)


def _ids(row):
    return f"{row.primitive}-{row.name}"


@pytest.mark.parametrize("row", ROWS, ids=_ids)
def test_against_finite_differences(row, x64):
    p = Problem(row, jnp.float64)

    def everything(x):
        out = {"first": (p.slope(p.ours, x), p.along(p.value, x))}
        if row.order > 1:
            expected = p.along(p.ours, x)
            out["reverse over reverse"] = autodiff.gradient(lambda z: p.slope(p.ours, z), x)[0], expected
            out["forward over reverse"] = jax.jvp(p.ours, (x,), (p.direction,))[1], expected
        return out

    if row.order and row.fd:
        for what, (got, expected) in jax.jit(everything, compiler_options=QUICK)(p.x).items():
            _close(got, expected, row.fd, what)


@pytest.mark.parametrize("row", ROWS, ids=_ids)
def test_against_jax(row):
    p, other = Problem(row, jnp.float32), Problem(row, jnp.float32, seed=1)
    theirs = jax.grad(p.value)
    batch = [jnp.stack(pair) for pair in zip(other.x, p.x, strict=True)]

    def everything(x):
        out = {"ours": p.ours(x), "batched": jax.vmap(p.ours)(batch)}
        if not row.differs:
            out["jax"] = theirs(x)
        if row.order > 1 and not row.differs:
            out["jax second"] = jax.grad(lambda z: p.slope(theirs, z))(x)
            out["second"] = autodiff.gradient(lambda z: p.slope(p.ours, z), x)[0]
        return out

    if not row.order:
        return
    found = jax.jit(everything)(p.x)
    _close([g[1] for g in found["batched"]], found["ours"], row.rtol, "batched against alone")
    if row is FIRST[row.primitive]:
        _close(p.ours(p.x), found["ours"], row.rtol, "eager against compiled")
    if "jax" in found:
        _close(found["ours"], found["jax"], row.rtol, "against JAX")
    if "second" in found:
        _close(found["second"], found["jax second"], 5 * row.rtol, "second order against JAX")


@pytest.mark.parametrize("row", ROWS, ids=_ids)
def test_row_meets_its_primitive_and_keeps_dtypes(row):
    p = Problem(row, jnp.float32)
    assert row.primitive in set(_primitives(jax.make_jaxpr(p.call)(p.x).jaxpr))
    halves = (jnp.float16, jnp.bfloat16) if row.half else ()
    for dtype in (jnp.float32, *halves) if row.order else ():
        p = Problem(row, dtype)
        gradient = jax.eval_shape(p.ours, p.x)
        assert [(g.shape, g.dtype) for g in gradient] == [(x.shape, dtype) for x in p.x]


def _primitives(jaxpr):
    for eqn in jaxpr.eqns:
        yield eqn.primitive.name
        for param in jax.tree.leaves(list(eqn.params.values()), is_leaf=lambda p: hasattr(p, "eqns")):
            inner = getattr(param, "jaxpr", param)
            if hasattr(inner, "eqns"):
                yield from _primitives(inner)


@pytest.mark.parametrize("row", [row for row in ZERO_ROWS if row.f and _is_here(row)], ids=lambda row: row.primitive)
def test_zero_derivative(row):
    x = jnp.array(row.at)
    assert row.primitive in set(_primitives(jax.make_jaxpr(row.f)(x).jaxpr))
    (dx,) = autodiff.gradient(lambda x: jnp.sum(jnp.asarray(row.f(x), x.dtype)), x)
    np.testing.assert_array_equal(dx, np.zeros_like(x))


@pytest.mark.parametrize("tie", TIES, ids=lambda tie: tie.name)
def test_ties(tie):
    args = [jnp.asarray(a, jnp.float32) for a in tie.args]
    total = lambda *args: jnp.sum(tie.f(*args))
    got = autodiff.gradient(total, *args)
    for g, e in zip(got, tie.expected, strict=True):
        np.testing.assert_allclose(g, e, rtol=1e-6)
    for g, e in zip(jax.jit(lambda *args: autodiff.gradient(total, *args))(*args), tie.expected, strict=True):
        np.testing.assert_allclose(g, e, rtol=1e-6)


def test_every_rule_has_a_row():
    own = {name for name, rule in RULES.items() if _home(rule).startswith("argflux.autodiff")}
    assert own - {row.primitive for row in EVERY_ROW} == set()
    elsewhere = {_home(rule).split(".")[1] for name, rule in RULES.items() if name not in own}
    assert elsewhere <= {"programs"}, "tests/programs holds its rules against finite differences"


def _home(rule) -> str:
    return (rule.back or rule.call or rule.forward).__module__


def test_every_zero_derivative_has_a_row():
    assert ZERO_DERIVATIVE - {row.primitive for row in ZERO_ROWS} == set()
    assert not ZERO_DERIVATIVE & set(RULES)


def test_rows_are_told_apart_by_name():
    names = [_ids(row) for row in EVERY_ROW]
    assert len(names) == len(set(names))
    assert {row.primitive for row in EVERY_ROW} <= set(RULES)


def _without_rule(jaxpr):
    """Primitives from floats to floats that the engine could not go back through."""
    for eqn in jaxpr.eqns:
        name, floats = eqn.primitive.name, lambda atoms: any(jnp.issubdtype(v.aval.dtype, jnp.floating) for v in atoms)
        if name not in RULES and name not in ZERO_DERIVATIVE | HOLDS_PROGRAMS and floats(eqn.invars):
            yield from [name] * floats(eqn.outvars)
        for inner in jaxprs_in_params(eqn.params):
            yield from _without_rule(inner)


def test_rules_are_made_of_what_has_rules():
    """A gradient that is traced, as inside `jit` or a program, can be differentiated again."""
    once = {"igamma": {"igamma_grad_a"}, "random_gamma": {"while"}}
    for row in filter(lambda row: row.order, ROWS):
        p = Problem(row, jnp.float32)
        found = set(_without_rule(jax.make_jaxpr(p.ours)(p.x).jaxpr))
        assert found <= once.get(row.primitive, set()), row.name
