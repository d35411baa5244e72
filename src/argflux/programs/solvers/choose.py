"""The choice of a solver by structure, and what is made of its answer: polished, judged and classified."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.programs.answers.judge import Answer, Judged, judge
from argflux.programs.answers.status import Status
from argflux.programs.forms.arrays import either, namespace
from argflux.programs.forms.double import carry
from argflux.programs.forms.form import Blocks, Form, batch_size, dense_rows, is_bad
from argflux.programs.forms.hostcall import host_call
from argflux.programs.forms.units import Frame, all_curved, frame
from argflux.programs.solvers.closed import answer_free, answer_separable, is_free
from argflux.programs.solvers.hosted import settle, solve_hosted
from argflux.programs.solvers.pivoting import solve_pivoting
from argflux.programs.solvers.separable import is_separable

METHODS = ("auto", "pivoting", "daqp", "highs", "piqp", "clarabel", "separable")
SMALL, FEW_ROWS = 54, 34
FEW = 64


@dataclass(frozen=True)
class Settings:
    """What is static about a solve: the method's name, tolerance, iteration limit, and how failures read.

    `slack` is how far right sides that contradict each other may be moved, beside their size.
    """

    solver: str = "auto"
    tolerance: float = 1e-8
    max_iterations: int = 1000
    on_failure: str = "zero"
    slack: float = 1e-8

    def method(self, form: Form) -> str:
        """Name of the solver to use for this form."""
        if self.solver != "auto":
            return self.solver
        if form.patterns is not None:
            return "highs" if form.curvature == "none" else "piqp"
        if is_separable(form):
            return "separable"
        if form.curvature == "none":
            return "highs"
        large = form.n + form.rows > SMALL or form.rows > FEW_ROWS
        return "daqp" if large and jax.default_backend() == "cpu" else "pivoting"

    def is_hosted(self, form: Form) -> bool:
        """Whether the whole solve is one call on the host."""
        return self.method(form) not in ("pivoting", "separable") and not is_free(form)

    def takes_known(self, form: Form, batch: int) -> bool:
        """Whether known values are solved on the host without compiling anything."""
        return self.method(form) != "pivoting" or batch <= FEW

    def inverts(self, form: Form) -> bool:
        """Whether the solver hands on inverses that the derivative uses."""
        return self.method(form) == "pivoting"


def solve_blocks(form: Form, settings: Settings, blocks: Blocks, start: Any) -> tuple:
    """Solve a batch of programs given in float64, all on the host if they are NumPy's.

    Args:
        form: static sizes and kinds.
        settings: method, tolerance, limits.
        blocks: arrays with leading axis 1 or batch.
        start: guessed sides of all rows (see `solve_pivoting`), int32 `(1 or batch, p + m + n)`.

    Returns:
        The fields of `Optimum`, in order.
    """
    batch, xp = batch_size(blocks), namespace(blocks.q)
    shapes, static = judged_shapes(form, batch), {"form": form, "settings": settings}
    inverse = schur = xp.zeros((batch, 0, 0))
    if settings.is_hosted(form) or xp is np:
        judged = Judged(*host_call(solve_hosted, shapes, *blocks, start, **static))
        if settings.inverts(form):
            inverse, schur = xp.zeros((batch, form.n, form.n)), xp.zeros((batch, form.rows, form.rows))
    else:
        measures = frame(form, blocks)
        answer, inverse, schur = _traced(form, settings, blocks, start, measures)
        judged = judge(form, settings, blocks, is_bad(form, blocks), answer, measures)
        judged = [xp.broadcast_to(y, shape).astype(kind) for y, (shape, kind) in zip(judged, shapes, strict=True)]
        wanted = (Judged(*judged).mode != 1) | ~all_curved(form, blocks)
        given = (wanted, *answer, *judged, *blocks)
        judged = either(xp.any(wanted), lambda: host_call(settle, shapes, *given, **static), judged)
    inverse, schur = (xp.broadcast_to(M, (batch, *M.shape[1:])) for M in (inverse, schur))
    return (*judged, carry(inverse), carry(schur))


def judged_shapes(form: Form, batch: int) -> list[tuple]:
    """Shapes and dtypes of the fields of `Judged`."""
    n, rows = form.n, form.p + form.m
    floats = [(batch, n), (batch, rows), (batch, n), (batch,)]
    counts = [(batch,), (batch, rows), (batch, n), (batch,)]
    status = [((batch,), "int32"), ((batch,), "int32"), ((batch, 3), "float64")]
    return [*[(shape, "float64") for shape in floats], *status, *[(shape, "int32") for shape in counts]]


def _traced(form: Form, settings: Settings, blocks: Blocks, start: Any, measures: Frame) -> tuple[Answer, Any, Any]:
    """Answers of a method that XLA runs, with its inverses."""
    none = jnp.zeros((1, 0, 0))
    if settings.method(form) == "separable":
        return answer_separable(form, blocks), none, none
    if is_free(form):
        answer, inverse = answer_free(form, blocks, measures)
        return answer, inverse if settings.inverts(form) else none, none
    return _pivoting(form, settings, blocks, start)


def _pivoting(form: Form, settings: Settings, blocks: Blocks, start: Any) -> tuple[Answer, jax.Array, jax.Array]:
    rows = dense_rows(form, blocks)
    limit = min(settings.max_iterations, 4 * form.rows + 60)
    r = solve_pivoting(rows, start[:, : form.rows], limit, 1e-11)
    k = form.p + form.m
    batch = r.dual.shape[0]
    bound = r.dual[:, k:] if form.bounded else jnp.zeros((batch, form.n))
    found = r.found & (r.error < settings.tolerance)
    status = jnp.where(found, int(Status.SOLVED), int(Status.ITERATION_LIMIT)).astype(jnp.int32)
    size = batch_size(blocks)
    parts = (r.x, r.dual[:, :k], bound, status, r.iterations, found)
    answer = Answer(*[jnp.broadcast_to(a, (size, *a.shape[1:])) for a in parts])
    return answer, r.inverse, jnp.broadcast_to(r.schur, (size, *r.schur.shape[1:]))
