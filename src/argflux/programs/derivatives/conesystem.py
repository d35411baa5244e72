"""The matrices of the optimality conditions over cones, put together and solved on the host."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import block_array, csc_array, csr_array, diags_array
from scipy.sparse.linalg import lsmr

from argflux.programs.cones.form import ConeForm, is_large
from argflux.programs.derivatives.condensed import condensed_answers, condensed_newton
from argflux.programs.derivatives.systems import Systems, inverse_sizes, probe, sparse_factors
from argflux.programs.forms.blas import one_thread
from argflux.programs.forms.form import dense_curvature, times, transposed_times
from argflux.programs.forms.hostcall import cores, share
from argflux.programs.forms.pattern import Sparse

ENTRIES, THIN_CONE, WORTH = 1_000_000, 20, 150
EXACT = 1e-14


def dense_system(form: ConeForm, P: np.ndarray, A: np.ndarray, by_s: np.ndarray, by_z: np.ndarray) -> np.ndarray:
    """The matrices `[[P, A'], [-by_s A, by_z]]` of changes of x and z, `(batch, n + m, n + m)`."""
    n, m = form.n, form.m
    if form.A_pattern is not None:
        A = form.matrices(P, A)[1].dense()
    if form.P_pattern is not None:
        P = form.matrices(P, A)[0].dense()
        P = (P + P.mT) / 2
    else:
        P = dense_curvature(form, P)
    K = np.zeros((len(by_s), n + m, n + m))
    K[:, :n, :n], K[:, :n, n:] = P, A.mT
    for cone, rows, entries in form.product.groups:
        i, j = cone.places()
        if cone.copies:
            K[:, n + rows[:, 0], :n] = -by_s[:, entries] * A[:, rows[:, 0]]
            K[:, n + rows[:, 0], n + rows[:, 0]] = by_z[:, entries[:, 0]]
            continue
        block = np.zeros((len(by_s), *rows.shape, rows.shape[1]))
        block[:, :, i, j] = by_s[:, entries]
        K[:, n + rows, :n] = -block @ A[:, rows]
        K[:, n + rows[:, i], n + rows[:, j]] = by_z[:, entries]
    return K


def solve_systems(P, A, by_s, by_z, mode, r1, r2, r3, *, form: ConeForm, transposed: bool) -> tuple:
    """What `cone_kkt_p` asks for, all arrays with a leading axis 1 or batch."""
    batch = max(map(len, (P, A, by_s, by_z, mode, r1, r2, r3)))
    mode = np.broadcast_to(mode, (batch,))
    right = [np.broadcast_to(r, (batch, r.shape[1])) for r in (r1, r2, r3)]
    found = tuple(np.where(mode == 3, np.nan, 0.0)[:, None] * np.ones(r.shape[1]) for r in right)
    widths = {1: form.n if is_condensed(form) else form.n + form.m, 2: form.n + form.m}
    jobs = [(p, k == 2) for k, width in widths.items() for p in _parts(form, np.flatnonzero(mode == k), width)]

    def work(left: Iterator[int]) -> None:
        for part, least in map(jobs.__getitem__, left):
            given = [a[part] if len(a) > 1 else a for a in (P, A, by_s, by_z)]
            with np.errstate(all="ignore"):
                steps = _solved(form, given, [r[part] for r in right], least, transposed)
            for values, step in zip(found, steps, strict=True):
                values[part] = step

    with one_thread(form.n + form.m if len(jobs) == 1 else 0):
        share(work, len(jobs), cores())
    return found


def is_condensed(form: ConeForm) -> bool:
    """Whether condensed systems are so much smaller, or stay so sparse, that putting them together pays."""
    small = all(cone.copies or cone.rows <= THIN_CONE for cone in form.product.cones)
    return form.n + form.m >= WORTH and (small or not is_large(form))


def _parts(form: ConeForm, which: np.ndarray, width: int) -> list[np.ndarray]:
    """Instances that are worked on at once, as memory allows and there are cores."""
    most = 1 if is_large(form) else max(1, ENTRIES // (width * (form.n + form.m) or 1))
    some = min(most, -(-len(which) // cores()) or 1)
    return [which[i : i + some] for i in range(0, len(which), some)]


def _solved(form: ConeForm, given: list, right: list, least: bool, transposed: bool) -> Sequence:
    """By condensed systems, and by whole ones what these do not serve."""
    solve = _solve_sparse if is_large(form) else _solve_whole
    if least or not is_condensed(form):
        return solve(form, given, right, least, transposed)
    steps, size = condensed_answers(form, _whole(given, len(right[0])), tuple(right), transposed)
    hard = np.flatnonzero(np.isinf(size))
    if len(hard):
        others = solve(form, _picked(given, hard), _picked(right, hard), False, transposed)
        for step, other in zip(steps, others, strict=True):
            step[hard] = other
    return steps


def _picked(arrays: Any, which: np.ndarray) -> list:
    return [a[which] if len(a) > 1 else a for a in arrays]


def _solve_whole(form: ConeForm, given: list, right: list, least: bool, transposed: bool) -> tuple:
    system = Systems.of(dense_system(form, *_whole(given, len(right[0]))))

    def solve(r: np.ndarray) -> np.ndarray:
        if least:
            return system.least(r, transposed)
        v = system.solve(r, transposed)
        bad = np.flatnonzero(~np.isfinite(v).all(1))
        if len(bad):
            v[bad] = system.picked(bad).least(r[bad], transposed)
        return v

    return _Dressed.of(form, given).completed(right, solve, transposed)


def _whole(given: Any, batch: int) -> list[np.ndarray]:
    return [np.broadcast_to(a, (batch, *a.shape[1:])) for a in given]


def newton_steps(form: ConeForm, given: tuple, right: tuple, at: tuple) -> tuple[tuple, np.ndarray]:
    """Steps of Newton's method as `condensed_newton` has them; infinite where another way is better."""
    batch = len(right[0])
    if not is_condensed(form):
        return (*right, right[1]), np.full(batch, np.inf)
    solve = lambda part: condensed_newton(form, _picked(given, part), _picked(right, part), _picked(at, part))
    return _in_parts(form, form.n, batch, solve)


def probed_steps(form: ConeForm, given: tuple, right: tuple) -> tuple[tuple, np.ndarray]:
    """Steps on the equations of faces, and how large the answers to a random right-hand side are; huge if singular."""
    solve = _probed_sparse if is_large(form) else _probed_whole
    solved = lambda part: solve(form, _whole(_picked(given, part), len(part)), tuple(_picked(right, part)))
    return _in_parts(form, form.n + form.m, len(right[0]), solved)


def _in_parts(form: ConeForm, width: int, batch: int, solve: Callable) -> tuple[tuple, np.ndarray]:
    with np.errstate(all="ignore"):
        found = [solve(part) for part in _parts(form, np.arange(batch), width)]
    return tuple(map(np.concatenate, zip(*[steps for steps, _ in found], strict=True))), np.concatenate(
        [size for _, size in found]
    )


def _probed_whole(form: ConeForm, given: list, right: tuple) -> tuple[tuple, np.ndarray]:
    system, sizes = Systems.of(dense_system(form, *given)), []

    def solve(r: np.ndarray) -> np.ndarray:
        v, size = system.probed(r)
        sizes.append(size)
        return v

    return _Dressed.of(form, given).completed(list(right), solve, False), sizes[0]


def _probed_sparse(form: ConeForm, given: list, right: tuple) -> tuple[tuple, np.ndarray]:
    K, rows, columns = sparse_system(form, *(a[0] for a in given))
    sizes = []

    def solve(r: np.ndarray) -> np.ndarray:
        v = _factored(K, np.stack([r[0] * rows, probe(len(rows))], 1), False)
        sizes.append(np.abs(v[:, 1]).max(keepdims=True))
        return (v[:, 0] * columns)[None]

    return _Dressed.of(form, given).completed(list(right), solve, False), sizes[0]


def sparse_system(form: ConeForm, P: Any, A: Any, by_s: Any, by_z: Any) -> tuple[Any, np.ndarray, np.ndarray]:
    """The same matrix of one instance in SciPy's CSC form, and its rows' and columns' scales."""
    pattern, n = form.product.pattern, form.n
    on = lambda values, where: csr_array((values, (where.rows, where.columns)), shape=(where.height, where.width))
    A = csr_array(A) if form.A_pattern is None else on(A, form.A_pattern)
    if form.P_pattern is not None:
        P = on(P, form.P_pattern)
        P = (P + P.T) / 2
    else:
        P = csr_array((n, n)) if form.curvature == "none" else csr_array(np.diag(P) if P.ndim == 1 else (P + P.T) / 2)
    by_s, by_z = on(by_s, pattern), on(by_z, pattern)
    K: Any = block_array([[P, A.T], [-(by_s @ A), by_z]], format="csc")
    rows = inverse_sizes(abs(K).max(1).toarray().ravel())
    K = diags_array(rows) @ K
    columns = inverse_sizes(abs(K).max(0).toarray().ravel())
    return csc_array(K @ diags_array(columns)), rows, columns


def _solve_sparse(form: ConeForm, given: list, right: list, least: bool, transposed: bool) -> tuple:
    """One instance whose matrix is large."""
    P, A, by_s, by_z = (a[0] for a in given)
    K, rows, columns = sparse_system(form, P, A, by_s, by_z)
    matrix, into, out = (K.T, columns, rows) if transposed else (K, rows, columns)

    def solve(r: np.ndarray) -> np.ndarray:
        known = (r * into)[0]
        v = np.full(len(known), np.nan) if least else _factored(K, known, transposed)
        if not np.isfinite(v).all():
            v = lsmr(matrix, known, atol=EXACT, btol=EXACT, conlim=0, maxiter=20 * len(known))[0]
        return (v * out)[None]

    return _Dressed.of(form, given).completed(right, solve, transposed)


def _factored(K: Any, known: np.ndarray, transposed: bool) -> np.ndarray:
    try:
        factors = sparse_factors(K)
    except RuntimeError:
        return np.full(known.shape, np.nan)
    way = "T" if transposed else "N"
    v = factors.solve(known, way)
    return v + factors.solve(known - (K.T if transposed else K) @ v, way)


class _Dressed(NamedTuple):
    """The products of the matrices with vectors."""

    A: Any
    by_s: Any

    @classmethod
    def of(cls, form: ConeForm, given: list) -> "_Dressed":
        return cls(form.matrices(given[0], given[1])[1], Sparse(given[2], form.product.pattern))

    def completed(self, right: list, solve: Any, transposed: bool) -> tuple:
        """Eliminate the slacks, solve for the rest, and complete the answer."""
        r1, r2, r3 = right
        n = r1.shape[1]
        if transposed:
            v = solve(np.concatenate([r1 - transposed_times(self.A, r2), r3], 1))
            u, w = v[:, :n], v[:, n:]
            return u, r2 - self.by_s.transposed_times(w), w
        v = solve(np.concatenate([r1, r3 - self.by_s.times(r2)], 1))
        x, z = v[:, :n], v[:, n:]
        return x, r2 - times(self.A, x), z
