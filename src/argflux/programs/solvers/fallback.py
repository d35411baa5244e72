"""What the faster solvers leave unsolved goes to the interior-point method."""

from typing import Any

import numpy as np

from argflux.programs.answers.judge import Answer
from argflux.programs.forms.form import Blocks, Form, dressed, on_patterns
from argflux.programs.forms.units import frame
from argflux.programs.solvers.interior import solve_interior


def fall_back(form: Form, settings: Any, blocks: Blocks, wanted: np.ndarray, answer: Answer) -> Answer:
    """Solve the instances that are wanted anew and leave the others as they are; takes values, not matrices."""
    if not wanted.any():
        return answer
    found = Answer(*map(np.array, answer))
    for values, part in zip(found, solve_sparse(form, settings, blocks, wanted), strict=True):
        values[wanted] = part[wanted]
    return found._replace(direct=answer.direct & ~wanted)


def solve_sparse(form: Form, settings: Any, blocks: Blocks, usable: np.ndarray) -> Answer:
    """Solve programs of any form by the interior-point methods of sparse ones; takes values, not matrices."""
    form, blocks = on_patterns(form, blocks)
    blocks = dressed(form, blocks)
    return solve_interior(form, settings, blocks, usable, frame(form, blocks))
