"""Newton's method on the optimality conditions over cones, on faces that are read off the point and read again."""

from typing import Any, NamedTuple

import numpy as np

from argflux.programs.answers.conic import ConeAnswer, cone_residuals, cone_units
from argflux.programs.answers.judge import curve
from argflux.programs.cones.form import ConeBlocks, ConeForm
from argflux.programs.derivatives.conesystem import solve_systems
from argflux.programs.forms.form import times, transposed_times

STEPS = 8
GOOD = 1e-13


class Refined(NamedTuple):
    """The best points, the faces on which they lie, their residuals, and which of their systems are regular."""

    answer: ConeAnswer
    faces: np.ndarray
    residuals: np.ndarray


def refine(form: ConeForm, values: ConeBlocks, blocks: ConeBlocks, answer: ConeAnswer, wanted: np.ndarray) -> Refined:
    """Take steps as long as residuals fall; takes the blocks as values and dressed as matrices.

    Source:
        Ali, Wong and Kolter, "A semismooth Newton method for fast, generic convex programming" (2017).
    """
    best = judged(form, blocks, answer)
    now, going = best, wanted & (best.residuals.max(1) > GOOD)
    for _ in range(STEPS):
        which = np.flatnonzero(going)
        if not len(which):
            break
        pick = lambda block: block[which] if len(block) > 1 else block
        some, dressed = ConeBlocks(*map(pick, values)), _picked(form, values, which)
        step = _step(form, some, dressed, now.answer.picked(which), now.faces[which])
        fresh = judged(form, dressed, step)
        error, before = fresh.residuals.max(1), best.residuals[which].max(1)
        better = error < before
        for old, new in zip(_leaves(best), _leaves(fresh), strict=True):
            old[which[better]] = new[better]
        now = Refined(ConeAnswer(*map(np.array, now.answer)), now.faces.copy(), now.residuals.copy())
        for old, new in zip(_leaves(now), _leaves(fresh), strict=True):
            old[which] = new
        going[which] = np.isfinite(error) & (best.residuals[which].max(1) > GOOD) & (error < 10 * before)
    return best


def _leaves(refined: Refined) -> list:
    return [*refined.answer, refined.faces, refined.residuals]


def _picked(form: ConeForm, values: ConeBlocks, which: np.ndarray) -> ConeBlocks:
    pick = lambda block: block[which] if len(block) > 1 else block
    P, A = form.matrices(pick(values.P), pick(values.A))
    return ConeBlocks(P, pick(values.q), A, pick(values.b))


def judged(form: ConeForm, blocks: ConeBlocks, answer: ConeAnswer) -> Refined:
    """Read the faces at a point, and set to zero what they say is zero."""
    units = cone_units(form, blocks, answer)
    ratio = form.product.spread(units.reach / units.force, np.minimum)
    faces = form.product.each("faces", answer.s, answer.z * ratio)
    return Refined(ConeAnswer(*map(np.array, answer)), faces, cone_residuals(form, blocks, answer, units))


def _step(form: ConeForm, values: ConeBlocks, blocks: ConeBlocks, point: ConeAnswer, faces: np.ndarray) -> ConeAnswer:
    x, s, z = point
    made = form.product.complementarity(s, z, faces)
    slope = curve(form, blocks.P, x) + blocks.q + transposed_times(blocks.A, z)  # type: ignore[arg-type]
    row = times(blocks.A, x) + s - blocks.b
    mode = np.ones(len(x), np.int32)
    given = values.P, values.A, made.by_s, made.by_z, mode, -slope, -row, -made.residual
    dx, ds, dz = solve_systems(*given, form=form, transposed=False)
    return ConeAnswer(x + dx, s + ds, z + dz)
