"""What `Program.write` writes, read back by ourselves, HiGHS and GLPK: are all numbers the same, and how long it takes.

The quadratic programs of `tests/cli/maros`, and linear programs of random numbers of all sizes with ranges, free rows
and bounds of every kind. "differing" counts numbers that are not the same to the last bit; ratios are times of a
reader over ours, above 1 we are faster. GLPK reads no quadratic terms.
"""

import math
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from argflux.programs import read_program
from benchmarks.report import publish

FILES = Path(__file__).parent.parent / "tests" / "cli" / "maros"
SIZES = ((20, 10), (200, 100), (2000, 1000))
RUNS = 3


def random_file(folder: Path, n: int, m: int) -> Path:
    """A linear program in free MPS, its numbers with all of their digits."""
    r = np.random.default_rng(n)
    number = lambda: repr(float(r.normal() * 10 ** r.uniform(-6, 6)))
    kinds = r.choice(list("LGE"), m)
    lines = [f"NAME random{n}", "ROWS", " N cost", *[f" {kind} r{i}" for i, kind in enumerate(kinds)], "COLUMNS"]
    for j in range(n):
        rows = np.flatnonzero(r.uniform(size=m) < min(1.0, 8 / m))
        lines += [f" x{j} cost {number()}", *[f" x{j} r{i} {number()}" for i in rows]]
    lines += ["RHS", *[f" RHS r{i} {number()}" for i in range(m)], "RANGES"]
    lines += [f" RNG r{i} {abs(float(number()))!r}" for i in np.flatnonzero(r.uniform(size=m) < 0.3)]
    lines.append("BOUNDS")
    for j in range(n):
        kind = r.choice(["none", "FR", "MI", "UP", "BV"], p=[0.3, 0.2, 0.1, 0.4, 0.0])
        value = f" {abs(float(number()))!r}" if kind == "UP" else ""
        lines += [] if kind == "none" else [f" {kind} BND x{j}{value}"]
    path = folder / f"random{n}.mps"
    path.write_text("\n".join([*lines, "ENDATA", ""]))
    return path


def numbers_of(contents: Any) -> dict[str, np.ndarray]:
    """The numbers of a program as this benchmark compares them."""
    i, j, values = contents.matrix
    matrix = sparse.csr_array((values, (i, j)), shape=(len(contents.rows), len(contents.columns)))
    return {
        "cost": contents.cost,
        "matrix": matrix.toarray(),
        "low": contents.rhs + contents.below,
        "high": contents.rhs + contents.above,
        "lower": contents.lower,
        "upper": contents.upper,
    }


def by_highs(path: Path) -> dict[str, np.ndarray]:
    import highspy

    model = highspy.Highs()
    model.setOptionValue("output_flag", False)
    named = path.with_suffix(".mps")  # it knows no other suffix
    model.readModel(str(named if named == path else shutil.copy(path, named)))
    lp = model.getLp()
    shape = lp.num_row_, lp.num_col_
    given = np.array(lp.a_matrix_.value_), np.array(lp.a_matrix_.index_), np.array(lp.a_matrix_.start_)
    by_columns = lp.a_matrix_.format_ == highspy.MatrixFormat.kColwise
    matrix = sparse.csc_array(given, shape=shape) if by_columns else sparse.csr_array(given, shape=shape)
    found = lp.col_cost_, matrix.toarray(), lp.row_lower_, lp.row_upper_, lp.col_lower_, lp.col_upper_
    return dict(zip(("cost", "matrix", "low", "high", "lower", "upper"), map(np.array, found), strict=True))


def by_glpk(path: Path) -> dict[str, np.ndarray]:
    import swiglpk as glpk

    glpk.glp_term_out(glpk.GLP_OFF)
    model = glpk.glp_create_prob()
    glpk.glp_read_mps(model, glpk.GLP_MPS_FILE, None, str(path))
    m, n = glpk.glp_get_num_rows(model), glpk.glp_get_num_cols(model)
    objective = glpk.glp_get_obj_name(model)
    kept = [i for i in range(1, m + 1) if glpk.glp_get_row_name(model, i) != objective]
    places, values = glpk.intArray(n + 1), glpk.doubleArray(n + 1)
    matrix = np.zeros((len(kept), n))
    for row, i in enumerate(kept):
        for k in range(1, glpk.glp_get_mat_row(model, i, places, values) + 1):
            matrix[row, places[k] - 1] = values[k]
    limit = lambda value: math.copysign(math.inf, value) if abs(value) > 1e300 else value
    rows = [[limit(f(model, i)) for i in kept] for f in (glpk.glp_get_row_lb, glpk.glp_get_row_ub)]
    columns = [[limit(f(model, j)) for j in range(1, n + 1)] for f in (glpk.glp_get_col_lb, glpk.glp_get_col_ub)]
    cost = [glpk.glp_get_obj_coef(model, j) for j in range(1, n + 1)]
    glpk.glp_delete_prob(model)
    found = cost, matrix, *rows, *columns
    return dict(zip(("cost", "matrix", "low", "high", "lower", "upper"), map(np.array, found), strict=True))


def taken(read: Callable[[Path], Any], path: Path) -> float:
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        read(path)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def differing(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> int:
    """How many numbers are not the same."""
    same = [ours[name].shape == theirs[name].shape for name in ours]
    return sum(int(np.sum(ours[n] != theirs[n])) for n in ours) if all(same) else -1


def measure(path: Path, folder: Path) -> dict[str, Any]:
    program = read_program(path)
    written = folder / f"{path.stem}-written{path.suffix}"
    program.write(written)
    ours, again = numbers_of(program.contents), numbers_of(read_program(written).contents)
    quadratic = bool(len(program.contents.quadratic.values))
    row = {"file": path.name, "numbers": int(sum(np.isfinite(a).sum() for a in ours.values()))}
    row |= {"ours differing": differing(ours, again), "HiGHS differing": differing(ours, by_highs(written))}
    row["GLPK differing"] = math.nan if quadratic else differing(ours, by_glpk(written))
    mine = taken(lambda p: read_program(p).contents, written)
    row["HiGHS / ours"] = taken(by_highs, written) / mine
    row["GLPK / ours"] = math.nan if quadratic else taken(by_glpk, written) / mine
    return row


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = [*sorted(FILES.glob("*.qps")), *(random_file(folder, *size) for size in SIZES)]
        rows = [measure(path, folder) for path in paths]
    publish(
        "readers", "numbers that readers of what we wrote find otherwise, and their times", rows, ("highspy", "swiglpk")
    )


if __name__ == "__main__":
    main()
