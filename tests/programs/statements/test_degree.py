"""Degrees of traced functions: a row for every primitive of the table, and none believed without a numerical check."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.ad_checkpoint import checkpoint_name
from jax.custom_derivatives import linear_call
from jax.experimental.sparse import BCOO, BCSR
from jax.extend.core import ClosedJaxpr, Jaxpr

from argflux.autodiff.linear import is_linear
from argflux.autodiff.registry import RULES
from argflux.jaxpr import ad
from argflux.programs.statements import degree as module
from argflux.programs.statements.degree import NONLINEAR, degrees

C = jnp.array([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0], [2.0, 2.0, 1.0]])
X = jnp.array([[0.3, -1.2, 0.7], [1.1, 0.4, -0.6], [-0.9, 0.8, 0.2]])


def scan_sum(x):
    return jax.lax.scan(lambda total, row: (total + row @ row, row), jnp.zeros(()), x)[0]


def while_sum(x):
    step = lambda carry: (carry[0] + 1, carry[1] + C @ x)
    return jax.lax.while_loop(lambda carry: carry[0] < 3, step, (0, x))[1]


def squares_in_while(x):
    """The carry starts as x itself, so that a token may not outlive the first turn."""
    step = lambda carry: (carry[0] + 1, carry[1] * 0 + jnp.roll(x, 1), carry[2] + carry[1] * x)
    return jax.lax.while_loop(lambda carry: carry[0] < 3, step, (0, x, 0 * x))[2]


SPARSE = BCOO.fromdense(C)


def diagonal_of(x):
    places = jnp.arange(3, dtype=jnp.int32)
    return BCOO((x[0], jnp.stack([places, places], 1)), shape=(3, 3))


def diagonal_rows_of(x):
    return BCSR((x[0], jnp.arange(3, dtype=jnp.int32), jnp.arange(4, dtype=jnp.int32)), shape=(3, 3))


@jax.custom_vjp
def twice(x):
    return 2 * x


twice.defvjp(lambda x: (twice(x), None), lambda _, dy: (2 * dy,))


ROWS = [
    ("constant", lambda x: jnp.sum(C), 0, True),
    ("add", lambda x: x + C, 1, True),
    ("sub neg", lambda x: -x - C, 1, True),
    ("mul constant", lambda x: x * C * 2.0, 1, True),
    ("div", lambda x: x / C.at[1, 0].set(1.0), 1, True),
    ("div by x", lambda x: C / x, NONLINEAR, None),
    ("square", lambda x: x * x, 2, True),
    ("jnp.square", jnp.square, 2, True),
    ("integer_pow", lambda x: x**2, 2, True),
    ("float power", lambda x: x**2.0, 2, True),
    ("cube", lambda x: x**3, NONLINEAR, None),
    ("three factors", lambda x: x * x * x, NONLINEAR, None),
    ("quadratic times constant", lambda x: C * (x - C) ** 2, 2, True),
    ("cross", lambda x: x[0] * x[1], 2, False),
    ("reversed", lambda x: x * x[::-1], 2, False),
    ("slices", lambda x: x[1:] ** 2, 2, True),
    ("differences", lambda x: jnp.diff(x) ** 2, 2, False),
    ("sum of squares", lambda x: jnp.sum(x * x), 2, True),
    ("mean square", lambda x: jnp.mean((x - 1.0) ** 2), 2, True),
    ("square of sum", lambda x: jnp.sum(x) ** 2, 2, False),
    ("vdot", lambda x: jnp.vdot(x, x), 2, True),
    ("vdot constant", lambda x: jnp.vdot(C, x), 1, True),
    ("einsum", lambda x: jnp.einsum("ij,ij->", x, x), 2, True),
    ("row products", lambda x: jnp.einsum("ij,ij->i", x, x), 2, True),
    ("matmul", lambda x: C @ x, 1, True),
    ("gram", lambda x: x.T @ x, 2, False),
    ("trace of gram", lambda x: jnp.einsum("ij,ji->", x, x), 2, False),
    ("transpose", lambda x: x.T * x.T, 2, True),
    ("transpose cross", lambda x: x.T * x, 2, False),
    ("reshape", lambda x: x.reshape(9) * x.ravel(), 2, True),
    ("broadcast", lambda x: jnp.broadcast_to(x[None], (2, 3, 3)) ** 2, 2, True),
    ("squeeze", lambda x: jnp.squeeze(x[:1], 0) ** 2, 2, True),
    ("pad concatenate", lambda x: jnp.concatenate([jnp.pad(x, 1)[:3, :3], x]), 1, True),
    ("cumsum", lambda x: jnp.cumsum(x, axis=0), 1, True),
    ("where", lambda x: jnp.where(C > 0, x, 2 * x), 1, True),
    ("where x", lambda x: jnp.where(x > 0, x, 2 * x), NONLINEAR, None),
    ("gather", lambda x: x[jnp.array([0, 2, 0])], 1, True),
    ("scatter", lambda x: jnp.zeros((3, 3)).at[jnp.array([0, 1])].add(x[:2]), 1, True),
    ("scatter set", lambda x: x.at[0].set(x[1]), 1, True),
    ("dynamic slice", lambda x: jax.lax.dynamic_slice(x, (jnp.int32(1), jnp.int32(0)), (1, 3)), 1, True),
    ("dynamic update", lambda x: jax.lax.dynamic_update_slice(x, x[:1], (jnp.int32(1), jnp.int32(0))), 1, True),
    ("rev", lambda x: jnp.flip(x, 0) ** 2, 2, True),
    ("split", lambda x: jnp.split(x, 3)[1], 1, True),
    ("tril trace", lambda x: jnp.trace(jnp.tril(x)), 1, True),
    ("convolution", lambda x: jnp.convolve(x[0], C[0]), 1, True),
    ("convolution with itself", lambda x: jnp.convolve(x[0], x[1]), 2, False),
    ("solve", lambda x: jnp.linalg.solve(C, x), 1, True),
    ("solve x", lambda x: jnp.linalg.solve(x, C), NONLINEAR, None),
    ("triangular", lambda x: jax.scipy.linalg.solve_triangular(C + jnp.eye(3), x), 1, True),
    ("scan", scan_sum, 2, False),
    ("while", while_sum, 1, True),
    ("squares in while", squares_in_while, 2, False),
    ("cond", lambda x: jax.lax.cond(C[0, 0] > 0, lambda: x, lambda: 2 * x), 1, True),
    ("cond of x", lambda x: jax.lax.cond(x[0, 0] > 0, lambda: x, lambda: 2 * x), NONLINEAR, None),
    ("checkpoint", jax.checkpoint(lambda x: x * x), 2, True),
    ("jit", jax.jit(lambda x: x * x), 2, True),
    ("relu", lambda x: jax.nn.relu(x), NONLINEAR, None),
    ("abs", lambda x: jnp.abs(x), NONLINEAR, None),
    ("sin", lambda x: jnp.sin(x), NONLINEAR, None),
    ("stop_gradient", lambda x: jax.lax.stop_gradient(x), NONLINEAR, None),
    ("rounded", lambda x: x.astype(jnp.int32).astype(jnp.float32), NONLINEAR, None),
    ("sort", lambda x: jnp.sort(x), NONLINEAR, None),
    ("power", lambda x: jax.lax.pow(x, jnp.float32(2.0)), 2, True),
    ("power of parameter", lambda x: jax.lax.pow(x, C), NONLINEAR, None),
    ("scatter sub", lambda x: jnp.zeros((3, 3)).at[jnp.array([0, 1])].subtract(x[:2]), 1, True),
    ("window", lambda x: jax.lax.reduce_window(x, 0.0, jax.lax.add, (2, 2), (1, 1), "VALID"), 1, True),
    ("own rule", lambda x: twice(x) ** 2, 2, False),
    ("sparse product", lambda x: SPARSE @ x, 1, True),
    ("square of a sparse product", lambda x: (SPARSE @ x) ** 2, 2, False),
    ("product with sparse rows", lambda x: BCSR.from_bcoo(SPARSE) @ x, 1, True),
    ("sparse rows of x, dense", lambda x: diagonal_rows_of(x).todense(), 1, True),
    ("sparse matrix of x", lambda x: diagonal_of(x).T @ C, 1, True),
    ("sparse matrix of x, dense", lambda x: diagonal_of(x).todense() ** 2, 2, False),
    ("stack", lambda x: jnp.stack([jnp.sum(x) - 1, x[0, 0] - x[1, 1]]), 1, True),
    ("stack of squares", lambda x: jnp.stack([x, x]) ** 2, 2, False),
    ("array of scalars", lambda x: jnp.array([x[0, 0], 2 * x[1, 1], 3.0]), 1, True),
    ("unstack", lambda x: jnp.unstack(x, axis=1)[2], 1, True),
    ("unpacked", lambda x: (lambda a, b, c: a - 2 * c)(*x), 1, True),
    ("tile", lambda x: jnp.tile(x, (2, 1)), 1, True),
    ("barrier", lambda x: jax.lax.optimization_barrier((x, 2 * x))[1], 1, True),
    ("named", lambda x: checkpoint_name(x, "x") ** 2, 2, True),
    ("barrier of a constant", lambda x: jnp.sin(jax.lax.optimization_barrier((x, C))[1]) * x, 1, True),
    ("conjugate gradients", lambda x: jax.scipy.sparse.linalg.cg(C @ C.T, x)[0], 1, True),
    ("cosine transform", lambda x: jax.scipy.fft.dct(x), 1, True),
    ("placed", lambda x: jax.device_put(x) - C, 1, True),
    ("Fourier", lambda x: jnp.fft.rfft(x).real, 1, True),
    ("power of a spectrum", lambda x: jnp.real(jnp.fft.rfft(x) * jnp.conj(jnp.fft.rfft(x))), 2, False),
    ("angle", lambda x: jnp.imag(jax.lax.complex(C, x)) - jnp.real(jax.lax.complex(x, C)), 1, True),
    ("tridiagonal", lambda x: jax.lax.linalg.tridiagonal_solve(C[0], C[2] + 4, C[1], x), 1, True),
    ("multiplied rows", lambda x: x.at[jnp.array([0, 1])].multiply(C[:2]), 1, True),
    ("multiplied by x", lambda x: C.at[jnp.array([0, 0])].multiply(x[:2]), NONLINEAR, None),
    ("ragged product", lambda x: jax.lax.ragged_dot(x, C[None], jnp.array([3], jnp.int32)), 1, True),
    ("ragged square", lambda x: jax.lax.ragged_dot(x, x[None], jnp.array([3], jnp.int32)), 2, False),
    ("linear call", lambda x: linear_call(lambda r, x: r @ x, lambda r, y: r.T @ y, C, x), 1, False),
    ("half precision", lambda x: x.astype(jnp.float16), 1, True),
]

if hasattr(jax.lax, "polynomial"):  # JAX 0.12
    ROWS += [
        ("one minus square", lambda x: jax.lax.one_minus_square(x), 2, True),
        ("line", lambda x: jax.lax.polynomial(x, [C, C]), 1, True),
        ("parabola", lambda x: jnp.polyval(C[0], x), 2, True),
        ("parabola of a sum", lambda x: jnp.polyval(C[0], x.sum()), 2, False),
        ("spread parabola", lambda x: jax.lax.polynomial(x[:1], [C, C, C]), 2, True),
        ("cubic", lambda x: jnp.polyval(C.ravel()[:4], x), NONLINEAR, None),
        ("square in a line", lambda x: jnp.polyval(C[0, :2], x * x), 2, True),
        ("coefficients", lambda x: jnp.polyval(x[0], C), 1, True),
        ("coefficients times x", lambda x: jax.lax.polynomial(x, [C, x]), NONLINEAR, None),
    ]


OPAQUE = {"argflux_kkt", "argflux_cone_kkt", "argflux_solve_tangent", "argflux_cone_tangent"}
OPAQUE |= {"argflux_nonlinear_tangent", "argflux_doubled"}
UNTRIED = {"half precision", "own rule", "conjugate gradients"}
UNTRIED |= {"linear call", "ragged product", "ragged square"}  # JAX does not map these


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_degree(row):
    _, function, degree, diagonal = row
    (found,) = degrees(jax.make_jaxpr(function)(X), 1)
    assert found.degree == degree
    if degree == NONLINEAR:
        assert found.cause.startswith("`")
        assert "test_degree.py" in found.cause
    else:
        assert found.diagonal == diagonal


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if row[2] < NONLINEAR and row[0] not in UNTRIED],
    ids=lambda r: r[0],
)
def test_degree_is_the_truth(row):
    """The Hessian is zero, constant or diagonal, as the degree says."""
    _, function, degree, diagonal = row
    flat = lambda x: jnp.ravel(function(x.reshape(3, 3)))
    points = [jnp.ravel(X), jnp.arange(9.0)]
    hessians = [np.asarray(jax.jacfwd(jax.jacfwd(flat))(point)) for point in points]
    np.testing.assert_allclose(*hessians, atol=1e-4)
    assert (np.abs(hessians[0]).max() > 1e-5) == (degree == 2)
    off = hessians[0] * (1 - np.eye(9))
    assert (np.abs(off).max() < 1e-5) or not diagonal


def test_every_row_of_the_table_is_met():
    met = set()

    is_jaxpr = lambda value: isinstance(value, Jaxpr | ClosedJaxpr)

    def visit(jaxpr):
        for eqn in jaxpr.eqns:
            met.add(eqn.primitive.name)
            for inner in jax.tree.leaves(list(eqn.params.values()), is_leaf=is_jaxpr):
                if is_jaxpr(inner):
                    visit(getattr(inner, "jaxpr", inner))

    for _, function, _, _ in ROWS:
        visit(jax.make_jaxpr(function)(X).jaxpr)
    elsewhere = {"add_any", "copy", "reduce_precision", "expand_dims", "one_minus_square", "polynomial"}
    elsewhere |= {"pvary"}  # inside `shard_map`: tests/autodiff/sharded.py
    assert (set(module._ROWS) | set(module._CALLS)) - met - elsewhere == set()


def test_every_linear_primitive_is_known_as_linear():
    """JAX transposes what is linear in some operand; all of these that have a rule must be known here too."""
    names = {primitive.name for primitive in ad.primitive_transposes} & set(RULES)
    known = {name for name in names if any(is_linear(name, [i]) for i in range(4))}
    assert len(known) > 30
    assert names - known - set(module._ROWS) - set(module._CALLS) == OPAQUE
