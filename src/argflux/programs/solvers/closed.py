"""Answers in closed form: of programs without constraints, and of separable ones."""

import functools
from typing import Any

import numpy as np

from argflux.programs.answers.judge import Answer, multiply, violations
from argflux.programs.answers.status import Status
from argflux.programs.derivatives.dense import positive_inverse
from argflux.programs.forms.arrays import namespace
from argflux.programs.forms.form import Blocks, Form, batch_size, dense_curvature, times
from argflux.programs.forms.units import Frame
from argflux.programs.solvers.separable import solve_separable


def is_free(form: Form) -> bool:
    """Whether a quadratic program has nothing but its objective."""
    return form.patterns is None and form.rows == 0 and form.curvature != "none"


def answer_free(form: Form, blocks: Blocks, measures: Frame) -> tuple[Answer, Any]:
    """`x = -P⁻¹ q`, refined, and P⁻¹."""
    P, batch, xp = dense_curvature(form, blocks.P), batch_size(blocks), namespace(blocks.q)
    inverse, definite = positive_inverse(P)
    x = -times(inverse, blocks.q)
    for _ in range(2):
        x = x - times(inverse, times(P, x) + blocks.q)
    x, definite = xp.broadcast_to(x, (batch, form.n)), xp.broadcast_to(definite, (batch,))
    none, count = xp.zeros((batch, 0)), xp.zeros(batch, xp.int32)
    answer = Answer(x, none, xp.zeros((batch, form.n)), count, count, definite)
    error = functools.reduce(xp.maximum, violations(form, blocks, answer, multiply(form, blocks, x), measures))
    exact = definite & (error < 1e-8)
    status = xp.where(exact, xp.int32(Status.SOLVED), xp.int32(Status.ITERATION_LIMIT))
    return answer._replace(status=status, direct=exact), inverse


def answer_separable(form: Form, blocks: Blocks) -> Answer:
    """By the method for a diagonal P, bounds and at most one row."""
    s, xp = solve_separable(form, blocks), namespace(blocks.q)
    status = xp.where(s.feasible, int(Status.SOLVED), int(Status.PRIMAL_INFEASIBLE))
    status = xp.where(s.definite, status, int(Status.NUMERICAL_ERROR)).astype(np.int32)
    return Answer(s.x, s.dual, s.bound, status, s.iterations, s.definite)
