"""From the constraints that a dense solver says hold to the point that they determine, several instances at once."""

import numpy as np

from argflux.programs.answers.judge import Answer
from argflux.programs.derivatives.padded import Padded
from argflux.programs.forms.form import Blocks, Form, dense_rows

CLOSE = 1e-2


def sharpened(form: Form, blocks: Blocks, answer: Answer, wanted: np.ndarray) -> Answer:
    """Solve the optimality conditions on the rows and bounds whose duals are not zero, of the instances wanted.

    A method that adds a little curvature where there is none names these rows rightly, and ends somewhat beside the
    point. Where the conditions are singular, or lead far away, the answers stay as they are.
    """
    which, k = np.flatnonzero(wanted), form.p + form.m
    if not len(which):
        return answer
    pick = lambda a: a[which] if len(a) > 1 else np.repeat(a, len(which), 0)
    P, q, C, lo, hi = (pick(np.asarray(a)) for a in dense_rows(form, blocks))
    given = [answer.dual[which], answer.bound[which]] if form.bounded else [answer.dual[which]]
    duals = np.concatenate(given, 1)
    active = (duals != 0) | (lo == hi)
    right = np.where(active, np.where(duals < 0, np.where(np.isfinite(lo), lo, hi), hi), 0.0)
    system = Padded.of(P, C, active)
    known = np.concatenate([-q * system.scale, np.take_along_axis(right, system.order, 1) * system.on], 1)
    try:
        v = np.linalg.solve(system.K, known[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        return answer
    v = v + np.linalg.solve(system.K, (known - np.einsum("bij,bj->bi", system.K, v))[:, :, None])[:, :, 0]
    fresh = np.zeros(duals.shape)
    np.put_along_axis(fresh, system.order, v[:, form.n :] * system.on, 1)
    x, dual, bound = np.array(answer.x), np.array(answer.dual), np.array(answer.bound)
    moved = np.abs(v[:, : form.n] - x[which] / system.scale).max(1)
    good = np.isfinite(v).all(1) & (moved <= CLOSE * np.abs(v[:, : form.n]).max(1))
    x[which[good]], dual[which[good]] = (v[:, : form.n] * system.scale)[good], fresh[good, :k]
    if form.bounded:
        bound[which[good]] = fresh[good, k:]
    return answer._replace(x=x, dual=dual, bound=bound)
