"""Units that ended at the same vertex, moved apart without leaving what is feasible."""

from collections.abc import Callable

import numpy as np

from argflux.patterns.design.unit_programs import UnitPrograms, UnitSolutions

ROUNDS = 4
DIGITS = 4


def repeated(weights: np.ndarray) -> np.ndarray:
    """Return the units whose weights are a positive multiple of an earlier unit's.

    Example:
        >>> import numpy as np
        >>> repeated(np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0], [-1.0, 0.0]])).tolist()
        [2]
    """
    lengths = np.linalg.norm(weights, axis=1, keepdims=True)
    directions = np.round(weights / np.where(lengths > 0, lengths, 1.0), DIGITS) + 0.0
    _, first = np.unique(directions, axis=0, return_index=True)
    return np.setdiff1d(np.arange(len(weights)), first)


def part(
    programs: UnitPrograms,
    found: UnitSolutions,
    start: np.ndarray,
    solve: Callable[[UnitPrograms], UnitSolutions],
    rng: np.random.Generator,
) -> UnitSolutions:
    """Move every repeated unit part of the way to its vertex for another objective.

    Programs are convex, so the way stays feasible and its hinges are no larger than those of its ends. Where the
    other vertex is the same one, the way goes to the start; not for hard programs, whose start may be infeasible.
    """
    weights, gap = found.weights.copy(), found.gap.copy()
    for _ in range(ROUNDS):
        units = repeated(weights)
        if not len(units):
            break
        drawn = rng.standard_normal((len(units), weights.shape[1])) * (programs.gain[units] != 0).any(0)
        gain = drawn / np.abs(drawn).sum(1, keepdims=True)
        ends = solve(programs.take(units, gain)).weights
        if not programs.hard:
            alike = np.abs(ends - weights[units]).max(1, keepdims=True) < 10.0**-DIGITS
            ends = np.where(alike, start[units], ends)
        share = rng.uniform(0.25, 0.75, (len(units), 1))
        weights[units] += share * (ends - weights[units])
        gap[units] = np.inf
    return UnitSolutions(weights, found.status, gap)
