"""Random programs for the tests, as dictionaries of blocks."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np


@dataclass(frozen=True)
class Case:
    """Sizes and kind of a random program; `scale` multiplies P and divides G."""

    n: int
    p: int = 0
    m: int = 0
    bounded: bool = False
    linear: bool = False
    scale: float = 1.0
    seed: int = 0


def blocks_of(case: Case) -> dict:
    """Draw a feasible program, bounded below."""
    r = np.random.default_rng(case.seed)
    x0 = r.normal(size=case.n)
    factor = r.normal(size=(case.n, case.n))
    blocks = {"q": 3 * r.normal(size=case.n) * case.scale}
    if not case.linear:
        blocks["P"] = (factor @ factor.T / case.n + 0.5 * np.eye(case.n)) * case.scale
    if case.p:
        A = r.normal(size=(case.p, case.n))
        blocks |= {"A": A, "b": A @ x0}
    if case.m:
        G = r.normal(size=(case.m, case.n)) / case.scale
        blocks |= {"G": G, "h": G @ x0 + r.uniform(0.01, 1.0, size=case.m) / case.scale}
    if case.bounded:
        blocks |= {"lower": x0 - r.uniform(0.1, 1.0, size=case.n), "upper": x0 + r.uniform(0.1, 1.0, size=case.n)}
    return {name: jnp.asarray(block) for name, block in blocks.items()}
