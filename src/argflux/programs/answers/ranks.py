"""Dependent active rows and undetermined unknowns: null spaces of optimality systems, on the host."""

import numpy as np

from argflux.programs.answers.status import Regularity
from argflux.programs.derivatives.dependent import are_dependent
from argflux.programs.derivatives.padded import Padded
from argflux.programs.derivatives.saddle import Factored
from argflux.programs.derivatives.sparsekkt import system_of
from argflux.programs.forms.blas import one_thread
from argflux.programs.forms.form import Form
from argflux.programs.forms.hostcall import cores, share
from argflux.programs.forms.stencil import numbers

NULL = 1e-9
THREADED, SOME = 1e6, 32


def dense_ranks(form: Form, P, A, G, active, fixed, doubtful) -> np.ndarray:
    """Flags of `Regularity` for dependent active rows and for a solution that is not unique, where `doubtful`."""
    flags, which = np.zeros(len(doubtful), np.int32), np.flatnonzero(doubtful)
    if form.curvature == "diagonal":
        curved = doubtful & ((P > 0) | (fixed != 0)).all(1)
        many, which = np.flatnonzero(curved), np.flatnonzero(doubtful & ~curved)
        if len(many):
            picked = [part[many] if len(part) > 1 else part for part in (P, A, G, active, fixed)]
            flags[many] = are_dependent(*picked) * np.int32(Regularity.LICQ)
    if form.curvature == "dense" and len(which):
        which = which[~_regular(P, A, G, active, fixed, which)]

    def work(left) -> None:
        for i in map(which.__getitem__, left):
            one = [part[i % len(part)] for part in (P, A, G, active, fixed)]
            unknowns, duals = null_parts(form, *one)
            flags[i] = duals * Regularity.LICQ + unknowns * Regularity.NON_UNIQUE

    size = form.n + form.p + form.m
    with one_thread(size):
        share(work, len(which), cores() if len(which) * size**2 > THREADED else 1)
    return flags


def _regular(P, A, G, active, fixed, which: np.ndarray) -> np.ndarray:
    """Which instances without fixed variables have systems that are far from singular, some at a time."""
    regular = np.zeros(len(which), bool)
    for start in range(0, len(which), SOME):
        part = which[start : start + SOME]
        own, left, right, on, held = (a[part % len(a)] for a in (P, A, G, active, fixed))
        found = Padded.of(own, np.concatenate([left, right], 1), on > 0).regular()
        regular[start : start + SOME] = found & ~held.any(1)
    return regular


def sparse_ranks(form: Form, P, A, G, active, fixed, solved) -> np.ndarray:
    """Flags of `Regularity` for dependent active rows and for a solution that is not unique, where `solved`."""
    flags = np.zeros(len(solved), np.int32)
    for i in np.flatnonzero(solved):
        P_one, A_one, G_one, on, held = (a[i % len(a)] for a in (P, A, G, active, fixed))
        system = system_of(form, numbers(P_one, A_one, G_one), on > 0, held != 0)
        primal, dual = system.matrix.null_parts()
        flags[i] = dual * Regularity.LICQ + primal * Regularity.NON_UNIQUE
    return flags


def null_parts(form: Form, P, A, G, active, fixed) -> tuple[bool, bool]:
    """Whether free unknowns, and duals of active rows, of one instance move without effect."""
    free = np.flatnonzero(fixed == 0)
    C = np.concatenate([A, G])[active > 0][:, free]
    H = np.zeros((len(free), len(free)))
    if form.curvature == "diagonal":
        np.fill_diagonal(H, P[free])
    elif form.curvature == "dense":
        H = ((P + P.T) / 2)[np.ix_(free, free)]
    whole = Factored(H, C)
    if whole.regular:
        return False, False
    unknowns, rows = whole.scale[: len(free)], whole.scale[len(free) :]
    C, H = C * rows[:, None] * unknowns, H * unknowns[:, None] * unknowns
    duals = len(C) > len(free) or _is_deficient(C.T)
    definite = form.curvature == "diagonal" and bool(np.all(P[free] > 0))
    return not definite and _is_deficient(np.concatenate([H, C])), duals


def _is_deficient(M: np.ndarray) -> bool:
    """Whether some combination of the columns is nothing."""
    if not M.shape[1]:
        return False
    if M.shape[0] < M.shape[1]:
        return True
    values = np.linalg.svd(M, compute_uv=False)
    return bool(values[-1] <= NULL * values[0])
