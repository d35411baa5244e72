"""Families of random programs, in batches, that mix solvable, infeasible, unbounded and degenerate ones."""

import numpy as np

Blocks = dict[str, np.ndarray]


def integers(r: np.random.Generator, low: int, high: int, size: tuple) -> np.ndarray:
    """Small integers, which make ties, dependent rows and programs on the verge of infeasibility."""
    return r.integers(low, high + 1, size=size).astype(float)


def maybe(r: np.random.Generator, chance: float, value: float, other: np.ndarray) -> np.ndarray:
    """Put a value in place of some entries."""
    return np.where(r.random(other.shape) < chance, value, other)


def product(M: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Batched matrix times vector."""
    return (M @ x[:, :, None])[:, :, 0]


def gram(L: np.ndarray) -> np.ndarray:
    """Positive semidefinite matrices."""
    return L @ L.transpose(0, 2, 1)


def random_lp(r: np.random.Generator, count: int) -> Blocks:
    """Inequalities alone: vertices, empty sets and rays."""
    return {"q": r.normal(size=(count, 4)), "G": r.normal(size=(count, 7, 4)), "h": r.normal(size=(count, 7)) + 0.7}


def integer_lp(r: np.random.Generator, count: int) -> Blocks:
    """Boxes, some sides of which are open, cut by integer rows: degenerate vertices, edges of solutions."""
    low = integers(r, -2, 0, (count, 5))
    high = low + integers(r, 0, 3, (count, 5))
    G, h = integers(r, -1, 1, (count, 6, 5)), integers(r, -1, 3, (count, 6))
    q = integers(r, -2, 2, (count, 5))
    return {"q": q, "G": G, "h": h, "lower": maybe(r, 0.1, -np.inf, low), "upper": maybe(r, 0.1, np.inf, high)}


def standard_lp(r: np.random.Generator, count: int) -> Blocks:
    """Equalities, one of them the sum of two others or contradicting them, over non-negative unknowns."""
    A, x = integers(r, -1, 2, (count, 4, 6)), integers(r, 0, 2, (count, 6))
    A[:, 3] = A[:, 0] + A[:, 1]
    b = product(A, x)
    b[:, 3] += r.random(count) < 0.2
    return {"q": integers(r, -1, 3, (count, 6)), "A": A, "b": b, "lower": np.zeros((count, 6))}


def transport_lp(r: np.random.Generator, count: int) -> Blocks:
    """Three by three transport: a redundant equality and highly degenerate vertices."""
    ways = np.kron(np.eye(3), np.ones((1, 3))), np.kron(np.ones((1, 3)), np.eye(3))
    A = np.broadcast_to(np.concatenate(ways), (count, 6, 9)).copy()
    flow = maybe(r, 0.5, 0.0, integers(r, 0, 2, (count, 9)))
    return {"q": integers(r, 0, 3, (count, 9)), "A": A, "b": product(A, flow), "lower": np.zeros((count, 9))}


def contradictory_lp(r: np.random.Generator, count: int) -> Blocks:
    """Many that no point is feasible for and that fall without bound in some direction as well."""
    return {
        "q": integers(r, -1, 1, (count, 3)),
        "G": integers(r, -1, 1, (count, 6, 3)),
        "h": integers(r, -1, 2, (count, 6)),
    }


def convex_qp(r: np.random.Generator, count: int) -> Blocks:
    """Strictly convex and feasible, with a row given twice and constraints that touch."""
    G, x = r.normal(size=(count, 8, 5)), r.normal(size=(count, 5))
    G[:, 1] = G[:, 0]
    h = product(G, x) + maybe(r, 0.3, 0.0, r.uniform(0, 1, (count, 8)))
    h[:, 1] = h[:, 0]
    P = gram(r.normal(size=(count, 5, 5))) + 0.1 * np.eye(5)
    return {"P": P, "q": 3 * r.normal(size=(count, 5)), "G": G, "h": h}


def singular_qp(r: np.random.Generator, count: int) -> Blocks:
    """P of rank two, integer rows and bounds: weakly active constraints, faces of solutions."""
    low = integers(r, -2, 0, (count, 5))
    high = maybe(r, 0.2, np.inf, low + integers(r, 0, 3, (count, 5)))
    G, h = integers(r, -1, 1, (count, 6, 5)), integers(r, -1, 3, (count, 6))
    P, q = gram(integers(r, -1, 1, (count, 5, 2))), integers(r, -2, 2, (count, 5))
    return {"P": P, "q": q, "G": G, "h": h, "lower": low, "upper": high}


def infeasible_qp(r: np.random.Generator, count: int) -> Blocks:
    """Strictly convex, a quarter of them without a feasible point."""
    P = gram(r.normal(size=(count, 4, 4))) + 0.1 * np.eye(4)
    rows = {"A": r.normal(size=(count, 1, 4)), "b": r.normal(size=(count, 1))}
    return {
        "P": P,
        "q": r.normal(size=(count, 4)),
        **rows,
        "G": r.normal(size=(count, 6, 4)),
        "h": r.normal(size=(count, 6)) + 0.3,
    }


def diagonal_qp(r: np.random.Generator, count: int) -> Blocks:
    """A diagonal P with zeros: some fall without bound."""
    rows = {"A": integers(r, -1, 1, (count, 1, 5)), "b": integers(r, -1, 1, (count, 1))}
    rows |= {"G": integers(r, -1, 1, (count, 3, 5)), "h": integers(r, 0, 2, (count, 3))}
    lower = maybe(r, 0.5, -np.inf, np.full((count, 5), -1.0))
    return {"P": integers(r, 0, 2, (count, 5)), "q": integers(r, -2, 2, (count, 5)), **rows, "lower": lower}


def unbounded_qp(r: np.random.Generator, count: int) -> Blocks:
    """P of rank two and dependent equalities alone: planes of solutions, rays, contradictions."""
    A, b = integers(r, -1, 1, (count, 3, 6)), integers(r, -1, 1, (count, 3))
    A[:, 2] = A[:, 0] - A[:, 1]
    b[:, 2] = b[:, 0] - b[:, 1] + (r.random(count) < 0.2)
    P = gram(integers(r, -1, 1, (count, 6, 2)))
    bounded = product(P, integers(r, -1, 1, (count, 6))) + product(A.transpose(0, 2, 1), integers(r, -1, 1, (count, 3)))
    q = np.where(r.random((count, 1)) < 0.6, bounded, integers(r, -1, 1, (count, 6)))
    return {"P": P, "q": q, "A": A, "b": b}


FAMILIES = (
    random_lp,
    integer_lp,
    standard_lp,
    transport_lp,
    contradictory_lp,
    convex_qp,
    singular_qp,
    infeasible_qp,
    diagonal_qp,
    unbounded_qp,
)
