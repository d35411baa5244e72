"""Programs read from files: solutions, derivatives of every block, replaced blocks, structure, bad input."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

import argflux as af
from argflux.errors import ArgumentError, DataError, DtypeError, ShapeError
from argflux.programs import Program, read_program, solve_qp

QP = """NAME pair
OBJSENSE
 MAX
ROWS
 N gain
 L top
 G bottom
 E tie
 L band
COLUMNS
 x gain 2 top 1
 x tie 1
 y gain 1 top 2
 y bottom 1 band 1
 z gain 1 tie -1
 z band 1
RHS
 R top 4 bottom 0.25
 R tie 0.5 band 3
 R gain -7
RANGES
 R band 1.25
BOUNDS
 UP B x 1.5
 LO B z -1
QUADOBJ
 x x -2
 x y 0.5
 y y -3
 z z -1
ENDATA
"""


@pytest.fixture
def program(tmp_path, x64) -> Program:
    (tmp_path / "pair.qps").write_text(QP)
    return read_program(tmp_path / "pair.qps")


def by_hand(cost, rhs, matrix, lower, upper, quadratic):
    """The same in matrices: rows top, band and minus bottom, minus the band's other side."""
    entries = jnp.zeros((4, 3)).at[[0, 0, 1, 2, 2, 3, 3], [0, 1, 1, 0, 2, 1, 2]].set(matrix)
    Q = jnp.zeros((3, 3)).at[[0, 1, 1, 2], [0, 0, 1, 2]].set(quadratic)
    Q = Q + Q.T - jnp.diag(jnp.diag(Q))
    G = jnp.stack([entries[0], entries[3], -entries[1], -entries[3]])
    h = jnp.stack([rhs[0], rhs[3], -rhs[1], 1.25 - rhs[3]])
    return solve_qp(-Q, -cost, entries[2:3], rhs[2:3], G, h, lower, upper)


def test_blocks_are_the_parameters_with_the_numbers_of_the_file(program):
    assert program.parameters == ("cost", "rhs", "matrix", "lower", "upper", "quadratic")
    assert (program.contents.rows, program.contents.columns) == (("top", "bottom", "tie", "band"), ("x", "y", "z"))
    np.testing.assert_array_equal(program.defaults["matrix"], [1, 2, 1, 1, -1, 1, 1])
    np.testing.assert_array_equal(program.defaults["quadratic"], [-2, 0.5, -3, -1])
    assert "pair" in repr(program)


def test_the_solution_is_that_of_the_matrices(program):
    s, t = program.solve(), by_hand(*map(jnp.asarray, (program.defaults[name] for name in NAMES)))
    np.testing.assert_allclose(s.x, t.x, atol=1e-12)
    np.testing.assert_allclose(s.objective, 7 - t.objective, atol=1e-12)
    np.testing.assert_allclose([*s.y, *s.z], [*t.y, *t.z], atol=1e-10)


NAMES = ("cost", "rhs", "matrix", "lower", "upper", "quadratic")


@pytest.mark.parametrize("name", NAMES)
def test_derivatives_of_every_block(program, name):
    given = jnp.asarray(program.defaults[name])
    held = jnp.isfinite(given)
    ours = lambda value: program.solve(**{name: value}).x
    other = lambda value: by_hand(*(value if k == name else jnp.asarray(program.defaults[k]) for k in NAMES)).x
    forward, theirs = jax.jacfwd(ours)(given), jax.jacfwd(other)(given)
    np.testing.assert_allclose(forward[:, held], theirs[:, held], atol=1e-9)
    np.testing.assert_allclose(af.jacobian(ours, given)[:, held], theirs[:, held], atol=1e-9)
    assert name in ("lower", "upper") or np.any(theirs != 0)


def test_prices_come_by_the_names_of_the_file(program):
    price = af.gradient(lambda rhs: program.solve(rhs=rhs).objective, program.defaults["rhs"])[0]
    step = 1e-6 * np.eye(4)
    up, down = (jax.vmap(lambda r: program.solve(rhs=r).objective)(program.defaults["rhs"] + s) for s in (step, -step))
    np.testing.assert_allclose(price, (up - down) / 2e-6, atol=1e-6)


def test_replaced_blocks_batches_and_directions(program):
    costs = program.defaults["cost"] + np.linspace(-1, 1, 5)[:, None]
    together = jax.vmap(lambda cost: program(cost=cost))(costs)
    np.testing.assert_allclose(together, [program(cost=cost) for cost in costs], atol=1e-9)
    np.testing.assert_allclose(jax.jit(lambda cost: program(cost=cost))(costs[0]), together[0], atol=1e-9)
    moved = program.forward_differentiate(tangents={"cost": jnp.array([1.0, 0.0, 0.0])})
    slope = jax.jvp(lambda c: program(cost=c), (jnp.asarray(program.defaults["cost"]),), (jnp.array([1.0, 0.0, 0.0]),))[
        1
    ]
    np.testing.assert_allclose(moved.x, slope, atol=1e-9)
    pulled = program.reverse_differentiate(cotangents={"objective": jnp.array(1.0)})
    np.testing.assert_allclose(pulled.parameters["cost"], program(), atol=1e-9)


def test_float32_without_x64(tmp_path):
    (tmp_path / "pair.qps").write_text(QP)
    x = read_program(tmp_path / "pair.qps")()
    assert x.dtype == jnp.float32
    np.testing.assert_allclose(x[0] - x[2], 0.5, atol=1e-6)


def test_linear_programs_are_those_of_scipy(tmp_path, x64):
    r = np.random.default_rng(0)
    A, x0 = r.integers(-2, 3, (30, 20)).astype(float), r.uniform(0, 1, 20)
    cost, rhs = r.normal(size=20), A @ x0 + r.uniform(size=30)
    lines = ["ROWS", " N c", *(f" L r{i}" for i in range(30)), "COLUMNS"]
    for j in range(20):
        lines += [f" x{j} c {float(cost[j])!r}"]
        lines += [f" x{j} r{i} {A[i, j]}" for i in range(30) if A[i, j]]
    lines += [
        "RHS",
        *(f" R r{i} {float(rhs[i])!r}" for i in range(30)),
        "BOUNDS",
        *(f" UP B x{j} 2" for j in range(20)),
    ]
    (tmp_path / "lp.mps").write_text("\n".join([*lines, "ENDATA"]))
    expected = scipy.optimize.linprog(cost, A, rhs, bounds=(0, 2))
    s = read_program(tmp_path / "lp.mps").solve()
    np.testing.assert_allclose(s.objective, expected.fun, rtol=1e-9)
    np.testing.assert_allclose(s.z, -expected.ineqlin.marginals, atol=1e-9)


@pytest.mark.parametrize("tied", [False, True])
def test_large_programs_fall_apart_or_stay_sparse(tmp_path, x64, tied):
    size = 600
    rows = [f" E r{k}" for k in range(0, size, 2)] + [" L all"] * tied
    lines = ["ROWS", " N c", *rows, "COLUMNS"]
    lines += [f" x{k} c {-1 - k % 7} r{k - k % 2} 1" + (f"\n x{k} all 1" if tied else "") for k in range(size)]
    lines += ["RHS", *(f" R r{k} 1" for k in range(0, size, 2)), *[" R all 9000"] * tied]
    lines += ["QUADOBJ", *(f" x{k} x{k} {2 + k % 3}" for k in range(size)), "ENDATA"]
    (tmp_path / "large.qps").write_text("\n".join(lines))
    program = read_program(tmp_path / "large.qps")
    x = program.solve().x.reshape(-1, 2)
    P, q = (2.0 + np.arange(size) % 3).reshape(-1, 2), (-1.0 - np.arange(size) % 7).reshape(-1, 2)
    first = np.clip((P[:, 1] + q[:, 1] - q[:, 0]) / P.sum(1), 0, 1)
    np.testing.assert_allclose(x, np.stack([first, 1 - first], 1), atol=1e-9)
    assert program._plan(program._match((), {})).groups or tied


def test_written_programs_hold_the_blocks_that_are_given(program, tmp_path):
    program.write(tmp_path / "again.mps", cost=jnp.array([1 / 3, 2.0, 0.1]))
    again = read_program(tmp_path / "again.mps")
    np.testing.assert_array_equal(again.defaults["cost"], [1 / 3, 2.0, 0.1])
    for name in NAMES[1:]:
        np.testing.assert_array_equal(again.defaults[name], program.defaults[name])
    np.testing.assert_array_equal(again(), program(cost=jnp.array([1 / 3, 2.0, 0.1])))


@pytest.mark.parametrize("x64", [False, True])
def test_written_numbers_do_not_depend_on_the_x64_setting(x64, tmp_path):
    text = "NAME t\nROWS\n N c\n E r\nCOLUMNS\n x c 0.1\n x r 1.8\nRHS\n R r 126.1\nENDATA\n"
    (tmp_path / "t.mps").write_text(text)
    with jax.enable_x64(x64):
        read_program(tmp_path / "t.mps").write(tmp_path / "u.mps", cost=np.array([0.3]))
    again = read_program(tmp_path / "u.mps").contents
    assert (again.cost[0], again.matrix.values[0], again.rhs[0]) == (0.3, 1.8, 126.1)


def test_programs_of_files_are_pickled(program):
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(program))(), program())


def test_bad_input(program, tmp_path):
    with pytest.raises(ShapeError, match=r"Program parameter cost: got shape \[2\]; expected shape \[3\]"):
        program(cost=jnp.ones(2))
    with pytest.raises(ArgumentError, match=r"costs.*cost"):
        program(costs=jnp.ones(3))
    with pytest.raises(ArgumentError, match=r"relax"):
        read_program(tmp_path / "pair.qps", relaxed=True)
    with pytest.raises(DtypeError):
        read_program(7)
    with pytest.raises(DataError, match=r"none\.mps: got No such file"):
        read_program(tmp_path / "none.mps")
    stated = Program(lambda x, y: jnp.sum((x - y) ** 2), lambda y: y)
    with pytest.raises(ArgumentError, match=r"Program\.contents.*read_program"):
        stated.write(tmp_path / "b.mps")
    with pytest.raises(ArgumentError, match=r"a direction of objective for a program read from a file"):
        program.forward_differentiate(objective=lambda x: x)
