"""What the host makes of programs over cones: solved, refined, judged, and told how regular they are."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from argflux.programs.answers.conic import (
    ConeAnswer,
    cone_units,
    proves_infeasible,
    proves_unbounded,
)
from argflux.programs.answers.status import Regularity, Status
from argflux.programs.cones.form import ConeBlocks, ConeForm, is_large
from argflux.programs.derivatives.conesystem import dense_system, probed_steps
from argflux.programs.derivatives.systems import Systems
from argflux.programs.forms.blas import one_thread
from argflux.programs.forms.form import curve, dense_curvature
from argflux.programs.forms.hostcall import cores, share
from argflux.programs.solvers.conic import solve_conic
from argflux.programs.solvers.conicbatch import solve_together, suits_batch
from argflux.programs.solvers.conicnewton import Refined, dressed_blocks, picked_blocks, refine
from argflux.programs.solvers.conicrescue import proved
from argflux.programs.solvers.conicstart import continued

SOLVED, FAILED = int(Status.SOLVED), int(Status.NUMERICAL_ERROR)
FEWEST, SHARE = 16, 2e7
WEAK = 1e-7
SINGULAR = 1e9
NULL, PART = 1e-9, 1e-5
CONVEX = 1e-9


class ConeJudged(NamedTuple):
    """Points with what they are worth, an instance a row; `mode` as `cone_kkt_p` takes it."""

    x: Any
    s: Any
    z: Any
    objective: Any
    status: Any
    iterations: Any
    residuals: Any
    regularity: Any
    faces: Any
    mode: Any


def solve_hosted_cones(P, q, A, b, *start, form: ConeForm, settings: Any) -> ConeJudged:
    """Solve a batch of programs over cones, given by their values, and maybe x and z of an earlier solution.

    They are dealt out to the cores, some at a time.
    """
    given = P, q, A, b, *start
    batch = max(map(len, given))
    some = min(-(-batch // cores()), max(FEWEST, int(SHARE / (form.n * (form.n + form.m) ** 2))))
    starts, found = range(0, batch, some), {}

    def work(left: Iterator[int]) -> None:
        for i in map(starts.__getitem__, left):
            with np.errstate(all="ignore"):
                found[i] = _solve_some(form, settings, *(a[i : i + some] if len(a) > 1 else a for a in given))

    with one_thread(form.n + form.m if len(starts) == 1 else 0):
        share(work, len(starts), cores())
    return ConeJudged(*map(np.concatenate, zip(*[found[i] for i in starts], strict=True)))


def _solve_some(form: ConeForm, settings: Any, P, q, A, b, *start) -> ConeJudged:
    values = ConeBlocks(P, q, A, b)
    batch = max(map(len, (*values, *start)))
    bad = np.broadcast_to(_is_bad(form, values), batch)
    refined, iterations = Refined.nowhere(form, batch), np.zeros(batch, np.int32)
    status = np.where(bad, np.int32(Status.BAD_DATA), np.int32(FAILED))
    if start:
        done, known = continued(form, settings.tolerance, values, dressed_blocks(form, values), start, ~bad)
        refined.put(done, known.picked(done))
        status[done] = SOLVED
    for takes, solve in ((suits_batch, solve_together), (_always, _solve_alone)):
        left = np.flatnonzero(status == FAILED)
        if len(left) and takes(form, values, len(left)):
            some = values if len(left) == batch else picked_blocks(values, left)
            found, status[left], iterations[left] = solve(form, settings, some, len(left))
            refined.put(left, found)
    return _finished(form, settings, values, refined, status, iterations)


def _always(*_: Any) -> bool:
    return True


def _solve_alone(form, settings, values, batch: int) -> tuple[Refined, np.ndarray, np.ndarray]:
    """One instance after another by Clarabel; what it says is made exact, or proved."""
    answer, status, iterations = solve_conic(form, settings, values, np.ones(batch, bool))
    refined, status = _refined(form, settings, values, answer.finite(), status)
    return refined, proved(form, settings, values, status, status == FAILED), iterations


def _is_bad(form: ConeForm, values: ConeBlocks) -> np.ndarray:
    """Which instances have data that are not numbers, or a P that is not positive semidefinite."""
    finite = [np.isfinite(block).reshape(len(block), -1).all(1) for block in values]
    good = np.logical_and.reduce(np.broadcast_arrays(*finite))
    if form.curvature == "diagonal":
        return ~(good & (values.P >= 0).all(1))
    if form.curvature != "dense":
        return ~good
    P = np.where(np.isfinite(values.P), values.P, 0.0)
    low = np.linalg.eigvalsh(dense_curvature(form, P))
    return ~(good & (low.min(1, initial=0.0) >= -CONVEX * np.abs(low).max(1, initial=0.0)))


def _refined(form, settings, values, answer, status) -> tuple[Refined, np.ndarray]:
    """Points made exact where there is one, and statuses that are proved."""
    blocks = dressed_blocks(form, values)
    for verdict, proof, vector in (
        (Status.PRIMAL_INFEASIBLE, proves_infeasible, answer.z),
        (Status.DUAL_INFEASIBLE, proves_unbounded, answer.x),
    ):
        said = status == int(verdict)
        if said.any():
            status = np.where(said & ~proof(form, blocks, vector), np.int32(FAILED), status)
    tried = _is_any(status, (SOLVED, FAILED, Status.ITERATION_LIMIT))
    answer = ConeAnswer(*[np.where(tried[:, None], a, 0.0) for a in answer])
    best = refine(form, values, answer, tried)
    left = tried & ~(best.error <= settings.tolerance)
    if left.any():
        again, _, _ = solve_conic(form, settings, values, left, gentle=True)
        fresh = refine(form, values, again.finite(), left)
        better = left & (fresh.error < best.error)
        best.put(better, fresh.picked(better))
    exact = tried & (best.error <= settings.tolerance)
    failed = np.where(status == SOLVED, np.int32(FAILED), status)
    return best, np.where(exact, np.int32(SOLVED), failed).astype(np.int32)


def _finished(form, settings, values, refined: Refined, status, iterations) -> ConeJudged:
    good, blocks = status == SOLVED, dressed_blocks(form, values)
    (x, s, z), faces = refined.answer, refined.faces
    regularity, singular = _regularity(form, values, refined, good)
    objective = (x * (curve(form, blocks.P, x) / 2 + blocks.q)).sum(1)
    spoil = np.where(good | (settings.on_failure != "nan"), 0.0, np.nan)
    x, s, z, objective = x + spoil[:, None], s + spoil[:, None], z + spoil[:, None], objective + spoil
    failed = 3 if settings.on_failure == "nan" else 0
    mode = np.where(good, np.where(singular, 2, 1), failed).astype(np.int32)
    return ConeJudged(x, s, z, objective, status, iterations, refined.residuals, regularity, faces, mode)


def _regularity(form, values, refined: Refined, good: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flags of `Regularity`, and which optimality systems are singular."""
    flags, singular = np.zeros(len(good), np.int32), np.zeros(len(good), bool)
    which = np.flatnonzero(good)
    if not len(which):
        return flags, singular
    answer, faces = refined.answer.picked(which), refined.faces[which]
    pick = lambda block: block[which] if len(block) > 1 else block
    some = ConeBlocks(*map(pick, values))
    units = cone_units(form, dressed_blocks(form, some), answer)
    strict = form.product.each("strictness", answer.s / units.reach, answer.z / units.force)
    weak = strict.min(1, initial=np.inf) < WEAK
    flags[which] = np.where(weak, np.int32(Regularity.STRICT_COMPLEMENTARITY), 0)
    strain = refined.strain[which]
    doubtful = np.flatnonzero(weak | (strain == 0) | ~(strain < SINGULAR))
    if len(doubtful):
        made = form.product.complementarity(*(a[doubtful] for a in (answer.s, answer.z, faces)))
        pick = lambda block: block[doubtful] if len(block) > 1 else block
        found, kinds = _ranks(form, (pick(some.P), pick(some.A), made.by_s, made.by_z), len(doubtful))
        singular[which[doubtful]] = found
        flags[which[doubtful]] |= kinds
    return flags, singular


def _ranks(form: ConeForm, given: tuple, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Which systems are singular, and in small ones what moves without effect."""
    nothing = tuple(np.zeros((batch, size)) for size in (form.n, form.m, form.m))
    singular, kinds = ~(probed_steps(form, given, nothing)[1] < SINGULAR), np.zeros(batch, np.int32)
    if is_large(form):
        return singular, kinds
    for i in np.flatnonzero(singular):
        system = Systems.of(dense_system(form, *(a[i % len(a)][None] for a in given)))
        _, values, right = np.linalg.svd((system.K * system.columns()[:, None])[0])
        null = np.abs(right[values <= NULL * values[0]])
        singular[i] = len(null) > 0
        if null[:, : form.n].max(initial=0.0) > PART:
            kinds[i] |= int(Regularity.NON_UNIQUE)
        if null[:, form.n :].max(initial=0.0) > PART:
            kinds[i] |= int(Regularity.LICQ)
    return singular, kinds


def _is_any(numbers: np.ndarray, of: tuple) -> np.ndarray:
    return np.logical_or.reduce([numbers == int(one) for one in of])
