"""Systems of the optimality conditions of sparse programs, factorised on the active set on the host."""

import dataclasses
import threading
from collections import OrderedDict

import numpy as np

from argflux.programs.derivatives.bent import BentSaddle
from argflux.programs.derivatives.leastnorm import Saddle
from argflux.programs.forms.form import Form, Patterns
from argflux.programs.forms.pattern import Pattern
from argflux.programs.forms.stencil import numbers, stencils

KEPT = 4_000_000


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
        on, k = np.frombuffer(text, bool), form.p + form.m
        system = system_of(form, numbers(P[iP], A[iA], G[iG]), on[:k], on[k:])
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


class System:
    """The system on one active set: variables that are fixed and rows that are not active drop out.

    Args:
        form: with patterns.
        values: of P, A and G, as `numbers` joins them.
        active: flags of the rows.
        fixed: flags of the variables.
    """

    def __init__(self, form: Form, values: np.ndarray, active: np.ndarray, fixed: np.ndarray):
        self.n, self.fixed, self.kept = form.n, fixed, np.concatenate([~fixed, active])
        saddle = stencils(form).saddle
        self.whole = saddle.matrix(values)
        self.matrix = (Saddle if form.band is None else BentSaddle)(
            saddle.part(values, self.kept, self.kept), int(np.count_nonzero(~fixed))
        )

    def solve(self, right: list[np.ndarray]) -> tuple:
        """Solve for right-hand sides `r1, r2, r3` in columns."""
        return self._completed(right, self.matrix.solve)

    def correct(self, r1: np.ndarray, r2: np.ndarray, r3: np.ndarray, steps: int) -> tuple:
        """The same of one right-hand side, by a few steps from zero."""
        return self._completed([r1, r2, r3], lambda right: self.matrix.correct(right, steps))

    def _completed(self, right: list[np.ndarray], solve) -> tuple:
        """With the variables that are fixed and the duals of their bounds around what `solve` says of the others."""
        r1, r2, r3 = right
        v, r = np.concatenate([r3, np.zeros_like(r2)]), np.concatenate([r1, r2])
        v[self.kept] = 0.0
        v[self.kept] = solve((r - self.whole @ v)[self.kept])
        x, dual = v[: self.n], v[self.n :]
        bound = np.zeros_like(r1)
        bound[self.fixed] = (r1 - (self.whole @ v)[: self.n])[self.fixed]
        return x, dual, bound


class _Recent:
    """The systems met last, which the derivatives of a solution share with the solver that found it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.systems: OrderedDict[tuple, System] = OrderedDict()

    def get(self, key: tuple) -> System | None:
        with self.lock:
            if key in self.systems:
                self.systems.move_to_end(key)
            return self.systems.get(key)

    def put(self, key: tuple, system: System) -> None:
        """Keep a system, and forget the oldest while all of them have more than `KEPT` entries."""
        with self.lock:
            self.systems[key] = system
            size = sum(kept.matrix.size + kept.whole.nnz for kept in self.systems.values())
            while size > KEPT and len(self.systems) > 1:
                _, old = self.systems.popitem(last=False)
                size -= old.matrix.size + old.whole.nnz


_recent = _Recent()


def system_of(form: Form, values: np.ndarray, active: np.ndarray, fixed: np.ndarray) -> System:
    """The system of one instance on an active set, factorised already if it was among the last."""
    key = form, values.tobytes(), active.tobytes(), fixed.tobytes()
    system = _recent.get(key)
    if system is None:
        system = System(form, values, active, fixed)
        _recent.put(key, system)
    return system
