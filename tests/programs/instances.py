"""Random programs for the tests, as dictionaries of blocks."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np


@dataclass(frozen=True)
class Case:
    """Sizes and kind of a random program.

    `scale` multiplies P and q, and divides G and h; `spread` is the number of decades over which single rows and
    unknowns are scaled.
    """

    n: int
    p: int = 0
    m: int = 0
    bounded: bool = False
    linear: bool = False
    diagonal: bool = False
    scale: float = 1.0
    spread: float = 0.0
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
    if case.diagonal:
        blocks["P"] = r.uniform(0.5, 2.0, size=case.n) * case.scale
    if case.spread:
        _spread(case, blocks, r)
    return {name: jnp.asarray(block) for name, block in blocks.items()}


def _spread(case: Case, blocks: dict, r: np.random.Generator) -> None:
    """Scale unknowns and rows of a program without bounds, each by a factor of its own."""
    unknowns = 10 ** r.uniform(-case.spread / 2, case.spread / 2, size=case.n)
    blocks["P"] = unknowns[:, None] * blocks["P"] * unknowns
    blocks["q"] = unknowns * blocks["q"]
    for matrix, right, count in (("A", "b", case.p), ("G", "h", case.m)):
        if count:
            rows = 10 ** r.uniform(-case.spread / 2, case.spread / 2, size=count)
            blocks |= {matrix: rows[:, None] * blocks[matrix] * unknowns, right: rows * blocks[right]}
