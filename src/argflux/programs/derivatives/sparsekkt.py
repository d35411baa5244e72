"""Systems of the optimality conditions of sparse programs, factorised on the active set on the host."""

import dataclasses

import numpy as np
from scipy.sparse import csc_array

from argflux.programs.derivatives.leastnorm import Saddle
from argflux.programs.forms.form import Form, Patterns
from argflux.programs.forms.pattern import Pattern


def solve_sparse_system(P, A, G, active, fixed, mode, r1, r2, r3, *, form: Form) -> tuple:
    """What `kkt_p` asks for, one factorisation for every group of instances that share matrices and active set.

    Args:
        P: values, a diagonal, or no elements; leading axis 1 or batch, as for all arrays.
        A: values.
        G: values.
        active: flags of the rows of `[A; G]`.
        fixed: flags of the variables.
        mode: 0 zero, 1 and 2 the solution, of least norm where the system is singular, 3 NaN.
        r1: right-hand side of stationarity, `(batch, n)`.
        r2: of the rows, `(batch, p + m)`.
        r3: of the fixed variables, `(batch, n)`.
        form: with patterns.
    """
    batch = len(r1)
    held, mode = np.concatenate([active > 0, fixed > 0], 1), np.broadcast_to(mode, (batch,))
    groups: dict[tuple, list[int]] = {}
    for i in np.flatnonzero((mode == 1) | (mode == 2)):
        key = (*(i % len(a) for a in (P, A, G)), held[i % len(held)].tobytes())
        groups.setdefault(key, []).append(int(i))
    right = [np.broadcast_to(r, (batch, r.shape[1])) for r in (r1, r2, r3)]
    steps = tuple(np.where(mode == 3, np.nan, 0.0)[:, None] * np.ones(r.shape[1]) for r in right)
    for (iP, iA, iG, text), which in groups.items():
        on = np.frombuffer(text, bool)
        P_one, C = curvature_of(form, P[iP]), rows_of(form, A[iA], G[iG])
        system = System(P_one, C, on[: form.p + form.m], on[form.p + form.m :])
        columns = [r[which].T for r in right]
        for step, values in zip(steps, system.solve(columns), strict=True):
            step[which] = values.T
    return steps


def solve_long(P, A, G, *operands, form: Form) -> tuple:
    """The same of programs with a diagonal P and few rows, all dense."""
    row, column = lambda k: np.repeat(np.arange(k), form.n), lambda k: np.tile(np.arange(form.n), k)
    full = lambda k: Pattern.of(row(k), column(k), (k, form.n))
    sparse = dataclasses.replace(form, patterns=Patterns(None, full(form.p), full(form.m)))
    return solve_sparse_system(P, A.reshape(len(A), -1), G.reshape(len(G), -1), *operands, form=sparse)


def curvature_of(form: Form, P: np.ndarray) -> csc_array:
    """P of one instance as a symmetric SciPy matrix."""
    if form.patterns is not None and form.patterns.P is not None:
        where = form.patterns.P
        whole = csc_array((P, (where.rows, where.columns)), shape=(form.n, form.n))
        return csc_array((whole + whole.T) / 2)
    diagonal = np.zeros(form.n) if form.curvature == "none" else P
    return csc_array((diagonal, (np.arange(form.n), np.arange(form.n))), shape=(form.n, form.n))


def rows_of(form: Form, A: np.ndarray, G: np.ndarray) -> csc_array:
    """The rows `[A; G]` of one instance as a SciPy matrix."""
    assert form.patterns is not None
    a, g = form.patterns.A, form.patterns.G
    rows, columns = np.concatenate([a.rows, g.rows + form.p]), np.concatenate([a.columns, g.columns])
    return csc_array((np.concatenate([A, G]), (rows, columns)), shape=(form.p + form.m, form.n))


class System:
    """The system on one active set: variables that are fixed and rows that are not active drop out."""

    def __init__(self, P: csc_array, C: csc_array, active: np.ndarray, fixed: np.ndarray):
        self.P, self.C = P, C
        self.active, self.fixed = np.flatnonzero(active), fixed
        self.free = np.flatnonzero(~fixed)
        C = self.C.tocsr()[self.active].tocsc()
        inner, self.rows = C[:, self.free], C
        curvature = self.P[:, self.free].tocsr()[self.free]
        self.matrix = Saddle(csc_array(curvature), csc_array(inner))

    def solve(self, right: list[np.ndarray]) -> tuple:
        """Solve for right-hand sides `r1, r2, r3` in columns."""
        r1, r2, r3 = right
        pinned = np.where(self.fixed[:, None], r3, 0.0)
        known = [(r1 - self.P @ pinned)[self.free], r2[self.active] - self.rows @ pinned]
        v = self.matrix.solve(np.concatenate(known))
        x, dual = pinned.copy(), np.zeros_like(r2)
        x[self.free], dual[self.active] = v[: len(self.free)], v[len(self.free) :]
        bound = np.where(self.fixed[:, None], r1 - self.P @ x - self.C.T @ dual, 0.0)
        return x, dual, bound
