"""What HiGHS and Clarabel say of a program, and its optimality conditions measured in NumPy."""

import clarabel
import highspy
import numpy as np
from scipy import sparse

from argflux.programs import Status


def rows_of(blocks: dict, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows `low <= M x <= high` of one instance."""
    parts = [(blocks[name][i], blocks[right][i]) for name, right in (("A", "b"), ("G", "h")) if name in blocks]
    M, high = (np.concatenate(part) for part in zip(*parts, strict=True))
    equalities = blocks["b"].shape[1] if "b" in blocks else 0
    return M, np.where(np.arange(len(high)) < equalities, high, -np.inf), high


def bounds_of(blocks: dict, i: int) -> list[np.ndarray]:
    """Lower and upper bounds of one instance."""
    n = blocks["q"].shape[1]
    return [
        blocks[name][i] if name in blocks else np.full(n, fill)
        for name, fill in (("lower", -np.inf), ("upper", np.inf))
    ]


def linear_program(cost, M, low, high, lower, upper) -> tuple[str, float]:
    """Status and objective by HiGHS, without presolve, which may leave two statuses in doubt."""
    model, n = highspy.HighsLp(), len(cost)
    model.num_col_, model.num_row_ = n, len(M)
    model.col_cost_, model.col_lower_, model.col_upper_ = cost, lower, upper
    model.row_lower_, model.row_upper_ = low, high
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_ = np.arange(len(M) + 1) * n
    model.a_matrix_.index_, model.a_matrix_.value_ = np.tile(np.arange(n), len(M)), M.ravel()
    solver = highspy.Highs()
    for option, value in (("output_flag", False), ("presolve", "off")):
        solver.setOptionValue(option, value)
    solver.passModel(model)
    solver.run()
    return solver.getModelStatus().name, solver.getInfo().objective_function_value


def truth(blocks: dict, i: int) -> tuple[int, float | None]:
    """The status of one instance by its definition, and its least value where it has one.

    No feasible point: infeasible, whatever else. A direction of the recession cone along which the objective falls:
    unbounded. Otherwise it is solvable.
    """
    n = blocks["q"].shape[1]
    M, low, high = rows_of(blocks, i)
    lower, upper = bounds_of(blocks, i)
    if linear_program(np.zeros(n), M, low, high, lower, upper)[0] == "kInfeasible":
        return Status.PRIMAL_INFEASIBLE, None
    P = curvature_of(blocks, i)
    recede = lambda a, other: np.where(np.isfinite(a), 0.0, other)
    directions = (
        np.concatenate([M, P]),
        np.concatenate([recede(low, -np.inf), np.zeros(n)]),
        np.concatenate([recede(high, np.inf), np.zeros(n)]),
    )
    slope = linear_program(blocks["q"][i], *directions, recede(lower, -1.0), recede(upper, 1.0))[1]
    if slope < -1e-7:
        return Status.DUAL_INFEASIBLE, None
    if "P" not in blocks:
        return Status.SOLVED, linear_program(blocks["q"][i], M, low, high, lower, upper)[1]
    return Status.SOLVED, quadratic_program(P, blocks["q"][i], M, low, high, lower, upper)


def curvature_of(blocks: dict, i: int) -> np.ndarray:
    """P of one instance as a matrix."""
    n = blocks["q"].shape[1]
    P = blocks["P"][i] if "P" in blocks else np.zeros(n)
    return np.diag(P) if P.ndim == 1 else P


def quadratic_program(P, q, M, low, high, lower, upper) -> float:
    """Least value by Clarabel, for a program that is known to have one."""
    equal, eye = low == high, np.eye(len(q))
    above, below = np.isfinite(upper), np.isfinite(lower)
    rows = np.concatenate([M[equal], M[~equal], eye[above], -eye[below]])
    right = np.concatenate([high[equal], high[~equal], upper[above], -lower[below]])
    cones = [clarabel.ZeroConeT(int(equal.sum())), clarabel.NonnegativeConeT(len(right) - int(equal.sum()))]
    options = clarabel.DefaultSettings()
    options.verbose = False
    found = clarabel.DefaultSolver(
        sparse.csc_matrix(np.triu(P)), q, sparse.csc_matrix(rows), right, [c for c in cones if c.dim], options
    ).solve()
    return found.obj_val


def optimality(blocks: dict, s) -> np.ndarray:
    """Largest violation of the optimality conditions per instance, relative to the size of their terms."""
    x, y, z = (np.asarray(part) for part in (s.x, s.y, s.z))
    low, high = np.asarray(s.z_lower), np.asarray(s.z_upper)
    P = blocks.get("P", np.zeros_like(x))
    Px = P * x if P.ndim == 2 else (P @ x[:, :, None])[:, :, 0]
    terms, primal, gaps = [Px, blocks["q"], low, high], [], []
    if "A" in blocks:
        terms.append((blocks["A"].transpose(0, 2, 1) @ y[:, :, None])[:, :, 0])
        primal.append(np.abs((blocks["A"] @ x[:, :, None])[:, :, 0] - blocks["b"]))
    sides = [(z, blocks["h"] - (blocks["G"] @ x[:, :, None])[:, :, 0])] if "G" in blocks else []
    sides += [
        (dual, sign * (blocks[name] - x))
        for name, dual, sign in (("lower", low, -1), ("upper", high, 1))
        if name in blocks
    ]
    if "G" in blocks:
        terms.append((blocks["G"].transpose(0, 2, 1) @ z[:, :, None])[:, :, 0])
    for dual, slack in sides:
        primal += [-slack, -dual]
        gaps.append(dual * np.where(np.isfinite(slack), np.abs(slack), 1.0))
    total = sum(terms) - 2 * low
    scale = 1 + np.max(np.abs(np.concatenate(terms, 1)), 1)
    largest = lambda parts: np.max(np.concatenate([*parts, np.zeros((len(x), 1))], 1), 1)
    size, cost = 1 + np.max(np.abs(x), 1), 1 + np.abs(np.asarray(s.objective))
    return np.max([np.max(np.abs(total), 1) / scale, largest(primal) / size, largest(gaps) / cost], 0)
