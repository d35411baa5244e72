"""Earlier solutions of programs over cones, made those of new values by Newton's method alone."""

import numpy as np

from argflux.programs.answers.conic import ConeAnswer
from argflux.programs.cones import Semidefinite
from argflux.programs.cones.form import ConeBlocks, ConeForm, is_large
from argflux.programs.forms.form import times
from argflux.programs.solvers.conicnewton import Refined, judged, picked_blocks, refine

NEAR = 1e-2
SMALL, FULL = 100, 0.1


def is_worthwhile(form: ConeForm, values: ConeBlocks) -> bool:
    """Whether a few steps take less time than all of a solver that uses zeros where they do not.

    The solver has none to use in the blocks of semidefinite cones.
    """
    full = sum(cone.rows**2 for cone in form.product.cones if isinstance(cone, Semidefinite))
    dense = np.count_nonzero(values.A[0]) + full >= FULL * form.n * form.m
    return bool(dense) or is_large(form) or form.n + form.m <= SMALL


def continued(
    form: ConeForm, tolerance: float, values: ConeBlocks, blocks: ConeBlocks, start: tuple, usable: np.ndarray
) -> tuple[np.ndarray, Refined]:
    """Which of the usable instances an earlier x and z lead to solutions of, and what they lead to.

    Steps are taken where the start solves the new program to a hundredth: from further away they seldom arrive.
    """
    x, z = (np.broadcast_to(a, (len(usable), a.shape[1])) for a in start)
    here = ConeAnswer(x, blocks.b - times(blocks.A, x), z)
    found = judged(form, blocks, here)
    near = np.flatnonzero(usable & is_worthwhile(form, values) & (found.error <= NEAR))
    if len(near):
        some = picked_blocks(values, near)
        found.put(near, refine(form, some, here.picked(near), np.ones(len(near), bool)))
    return usable & (found.error <= tolerance), found
