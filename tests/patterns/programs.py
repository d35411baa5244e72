"""Programs of units, small enough for SciPy's linprog to judge."""

import numpy as np
from scipy.optimize import linprog

from argflux.patterns.design.unit_programs import UnitPrograms


def programs(seed=0, units=5, samples=30, columns=8, penalty=0.02, margin=0.3, **changes) -> UnitPrograms:
    rng = np.random.default_rng(seed)
    gain = rng.standard_normal((units, columns))
    given = {
        "rows": rng.standard_normal((samples, columns)) + 0.3,
        "gain": gain / np.abs(gain).sum(1, keepdims=True),
        "lower": np.full((units, columns), -1.0),
        "upper": np.full((units, columns), 1.0),
        "offset": np.zeros((1, samples)),
    }
    return UnitPrograms(**(given | changes), penalty=penalty, margin=margin)


def variants() -> dict[str, UnitPrograms]:
    rng = np.random.default_rng(1)
    start = rng.uniform(-1, 1, (5, 8))
    boxes = {"lower": np.maximum(-1, start - 0.4), "upper": np.minimum(1, start + 0.4)}
    ink = rng.random((30, 8)) < 0.2
    paper = np.where(ink, rng.standard_normal((30, 8)), np.linspace(-0.5, 1.0, 8))
    return {
        "plain": programs(),
        "background": programs(rows=paper),
        "background, balanced": programs(rows=paper, balance=np.array([1.0] * 7 + [0.0])),
        "trust": programs(**boxes),
        "offsets": programs(offset=rng.standard_normal((5, 30))),
        "balanced": programs(balance=np.array([1.0] * 7 + [0.0])),
        "all": programs(**boxes, offset=rng.standard_normal((5, 30)), balance=np.array([1.0] * 7 + [0.0])),
        "no hinges": programs(penalty=0.0),
    }


def least(case: UnitPrograms, unit: int):
    """Solve one unit by SciPy, with a slack a sample."""
    samples = len(case.rows)
    slacks = 0 if case.hard else samples
    balance = None if case.balance is None else np.append(case.balance, np.zeros(slacks))[None]
    return linprog(
        np.r_[-case.gain[unit], np.full(slacks, case.penalty)],
        A_ub=-np.hstack([case.rows, np.eye(samples)[:, :slacks]]),
        b_ub=case.offset_of(unit) - case.margin,
        A_eq=balance,
        b_eq=None if balance is None else [0.0],
        bounds=[*zip(case.lower[unit], case.upper[unit], strict=True), *[(0, None)] * slacks],
    )
