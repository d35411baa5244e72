"""Newton's method on the optimality conditions over cones, on faces that are read off the point and read again."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from argflux.programs.answers.conic import NOTHING, ConeAnswer, cone_residuals, cone_units
from argflux.programs.cones.cone import ACTIVE, BOUNDARY, INTERIOR
from argflux.programs.cones.form import ConeBlocks, ConeForm
from argflux.programs.derivatives.conesystem import newton_steps, probed_steps, solve_systems
from argflux.programs.forms.form import curve, times, transposed_times

STEPS = 8
GOOD, PATIENT, FAR = 1e-13, 10.0, 1.0
ROUGH, SLIGHT = 1e-12, 1e-3


class Refined(NamedTuple):
    """Points, the faces on which they lie, their residuals, and how near to singular the system before them was.

    `ratio` is the unit of slacks over that of duals; `strain` is the size of the answer to a random right-hand side,
    zero where no system was solved.
    """

    answer: ConeAnswer
    faces: np.ndarray
    ratio: np.ndarray
    residuals: np.ndarray
    strain: np.ndarray

    @classmethod
    def nowhere(cls, form: ConeForm, batch: int) -> "Refined":
        """Zeros, of which nothing is known."""
        answer = ConeAnswer(*[np.zeros((batch, size)) for size in (form.n, form.m, form.m)])
        faces, ratio = np.zeros((batch, form.m), np.int32), np.ones((batch, form.m))
        return cls(answer, faces, ratio, np.full((batch, 3), np.nan), np.zeros(batch))

    @property
    def error(self) -> np.ndarray:
        """The largest residual of each."""
        return self.residuals.max(1)

    def picked(self, which: np.ndarray) -> "Refined":
        """Some of the instances."""
        return Refined(self.answer.picked(which), *(a[which] for a in self[1:]))

    def put(self, which: np.ndarray, others: "Refined") -> None:
        """Write others in the places of some."""
        for old, new in zip(self._arrays(), others._arrays(), strict=True):
            old[which] = new

    def _arrays(self) -> list[np.ndarray]:
        return [*self.answer, *self[1:]]


def refine(form: ConeForm, values: ConeBlocks, answer: ConeAnswer, wanted: np.ndarray) -> Refined:
    """The best of the points that steps lead to, as long as residuals fall; takes the blocks as values.

    Source:
        Ali, Wong and Kolter, "A semismooth Newton method for fast, generic convex programming" (2017).
    """
    best = judged(form, dressed_blocks(form, values), answer)
    now, going = best.picked(np.arange(len(wanted))), np.flatnonzero(wanted & (best.error > GOOD))
    for _ in range(STEPS):
        if not len(going):
            break
        some = picked_blocks(values, going)
        before, dressed = best.error[going], dressed_blocks(form, some)
        step, strain = _step(form, some, dressed, now.picked(going))
        fresh = judged(form, dressed, step)._replace(strain=strain)
        now.put(going, fresh)
        better = fresh.error < before
        best.put(going[better], fresh.picked(better))
        going = going[np.isfinite(fresh.error) & (best.error[going] > GOOD) & (fresh.error < PATIENT * before)]
    _settle(form, values, best, np.flatnonzero(wanted & (best.error > ROUGH)))
    return best


def _settle(form: ConeForm, values: ConeBlocks, best: Refined, which: np.ndarray) -> None:
    """Where the boundary of a cone is doubtful, as slack or dual is slight there, a step as if that were nothing."""
    if not len(which):
        return
    some = picked_blocks(values, which)
    dressed, at = dressed_blocks(form, some), best.picked(which)
    units, largest = cone_units(form, dressed, at.answer), form.product.spread
    slight_s, slight_z = (
        largest(np.abs(v) / unit) < SLIGHT for v, unit in zip(at.answer[1:], (units.reach, units.force), strict=True)
    )
    faces = np.where(slight_z, INTERIOR, np.where(slight_s, ACTIVE, at.faces)).astype(np.int32)
    step, strain = _step_on_faces(
        form, some, dressed, at._replace(faces=np.where(at.faces == BOUNDARY, faces, at.faces))
    )
    fresh = judged(form, dressed, step)._replace(strain=strain)
    better = fresh.error < at.error
    best.put(which[better], fresh.picked(better))


def picked_blocks(values: ConeBlocks, which: np.ndarray) -> ConeBlocks:
    """The blocks of some of the instances."""
    return ConeBlocks(*[block[which] if len(block) > 1 else block for block in values])


def dressed_blocks(form: ConeForm, values: ConeBlocks) -> ConeBlocks:
    """The blocks with their matrices as `ConeForm.matrices` gives them."""
    P, A = form.matrices(values.P, values.A)
    return values._replace(P=P, A=A)


def judged(form: ConeForm, blocks: ConeBlocks, answer: ConeAnswer) -> Refined:
    """Read the faces at a point, and set to zero what they say is zero."""
    units = cone_units(form, blocks, answer)
    ratio = form.product.spread(units.reach / units.force, np.minimum)
    faces = form.product.each("faces", answer.s, answer.z * ratio)
    residuals = cone_residuals(form, blocks, answer, units)
    return Refined(ConeAnswer(*map(np.array, answer)), faces, ratio, residuals, np.zeros(len(residuals)))


def _step(form: ConeForm, values: ConeBlocks, blocks: ConeBlocks, at: Refined) -> tuple[ConeAnswer, np.ndarray]:
    """A step of Newton's method on the projection onto the cones, or else on their equations; the strain."""
    _, s, z = at.answer
    right = _missing(form, blocks, at.answer)
    steps, strain = newton_steps(form, (values.P, values.A), right, (s, z, at.faces, at.ratio))
    answer = ConeAnswer(*[v + d for v, d in zip(at.answer, steps, strict=True)])
    hard = np.flatnonzero(np.isinf(strain) | _is_far(steps, at.answer))
    if len(hard):
        some = picked_blocks(values, hard)
        again, strain[hard] = _step_on_faces(form, some, dressed_blocks(form, some), at.picked(hard))
        for old, new in zip(answer, again, strict=True):
            old[hard] = new
    return answer, strain


def _missing(form: ConeForm, blocks: ConeBlocks, answer: ConeAnswer) -> tuple[np.ndarray, np.ndarray]:
    x, s, z = answer
    slope = curve(form, blocks.P, x) + blocks.q + transposed_times(blocks.A, z)
    return -slope, blocks.b - times(blocks.A, x) - s


def _step_on_faces(
    form: ConeForm, values: ConeBlocks, blocks: ConeBlocks, at: Refined
) -> tuple[ConeAnswer, np.ndarray]:
    """The same on the equations, of least norm where the system is singular and would lead far away."""
    _, s, z = at.answer
    made = form.product.complementarity(s, z, at.faces)
    given, right = (values.P, values.A, made.by_s, made.by_z), (*_missing(form, blocks, at.answer), -made.residual)
    steps, strain = probed_steps(form, given, right)
    far = _is_far(steps, at.answer)
    if far.any():
        least = solve_systems(*given, np.where(far, 2, 0), *right, form=form, transposed=False)
        steps = [np.where(far[:, None], new, old) for new, old in zip(least, steps, strict=True)]
    return ConeAnswer(*[v + d for v, d in zip(at.answer, steps, strict=True)]), strain


def _is_far(steps: Iterable, answer: ConeAnswer) -> np.ndarray:
    """Which steps are no numbers, or longer than the points themselves."""
    return ~np.logical_and.reduce([_size(d) <= FAR * _size(v) for d, v in zip(steps, answer, strict=True)])


def _size(v: np.ndarray) -> np.ndarray:
    return np.abs(v).max(1, initial=NOTHING)
