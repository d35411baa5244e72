"""Sparsity of large programs: which unknowns and constraints belong together, and which matrices stay sparse."""

from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from argflux.programs.forms.pattern import Pattern

WORTHWHILE = 4096
MOST_GROUPS = 8
LARGEST = 300
LARGE = 500
THIN = 0.1
MOST_DENSE = 2**24


@dataclass(frozen=True, eq=False)
class Group:
    """Independent programs of equal size: row k lists the unknowns, equalities and inequalities of program k."""

    unknowns: np.ndarray
    equalities: np.ndarray
    inequalities: np.ndarray


class Structure(NamedTuple):
    """What patterns say of a program: its independent parts, if it has any, and whether it is best left sparse."""

    groups: tuple[Group, ...] = ()
    sparse: bool = False


def structure(size: int, P: Pattern | None, A: Pattern | None, G: Pattern | None) -> Structure:
    """Find independent parts, none of them large, or else whether the matrices are large and thin.

    Args:
        size: number of unknowns.
        P: pattern of the curvature, `None` if it is none or diagonal.
        A: pattern of the equalities, `None` if there are none.
        G: pattern of the inequalities, likewise.
    """
    groups, patterns = split(size, P, A, G), [pattern for pattern in (P, A, G) if pattern is not None]
    rows = sum(pattern.height for pattern in patterns if pattern is not P)
    room = size * sum(pattern.height for pattern in patterns)
    thin = size + rows > LARGE and sum(pattern.count for pattern in patterns) <= THIN * room
    if thin and (not groups or any(group.unknowns.shape[1] > LARGEST for group in groups)):
        return Structure((), True)
    return Structure(groups)


def split(size: int, curvature: Pattern | None, equality: Pattern | None, inequality: Pattern | None) -> tuple:
    """Group the unknowns `0…size-1` into independent programs, equal sizes together.

    Returns:
        A tuple of `Group`, empty where the program is one, or falls apart into too many sizes to gain by it.

    Example:
        >>> rows = Pattern.of([0, 0, 1, 1], [0, 1, 2, 3], (2, 4))
        >>> split(4, None, rows, None)[0].unknowns.tolist()
        [[0, 1], [2, 3]]
    """
    owner = _components(size, [p for p in (curvature, equality, inequality) if p is not None], curvature)
    count = int(owner.max()) + 1
    if count == 1:
        return ()
    members = [_members(owner[:size], count)]
    members += [_members(_owners(pattern, owner), count) for pattern in (equality, inequality)]
    sizes = defaultdict(list)
    for k, parts in enumerate(zip(*members, strict=True)):
        sizes[tuple(map(len, parts))].append(k)
    if len(sizes) > MOST_GROUPS:
        return ()
    return tuple(Group(*(np.array([part[k] for k in ks], int) for part in members)) for ks in sizes.values())


def _components(size: int, patterns: list[Pattern], curvature: Pattern | None) -> np.ndarray:
    """Number the connected parts of the graph of unknowns and rows; return the number of every unknown."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    sources, targets, offset = [], [], size
    for pattern in patterns:
        sources.append(pattern.rows if pattern is curvature else pattern.rows + offset)
        targets.append(pattern.columns)
        offset += 0 if pattern is curvature else pattern.height
    edges = (np.concatenate([*sources, [0]]), np.concatenate([*targets, [0]]))
    graph = coo_array((np.ones(len(edges[0]), bool), edges), shape=(offset, offset))
    labels = connected_components(graph, directed=False)[1][:size]
    return np.unique(labels, return_inverse=True)[1]


def _owners(pattern: Pattern | None, owner: np.ndarray) -> np.ndarray:
    """The part every row belongs to; a row without entries goes to the first."""
    if pattern is None:
        return np.zeros(0, int)
    rows = np.zeros(pattern.height, int)
    rows[pattern.rows] = owner[pattern.columns]
    return rows


def _members(owner: np.ndarray, count: int) -> list[np.ndarray]:
    order = np.argsort(owner, kind="stable")
    return np.split(order, np.searchsorted(owner[order], np.arange(1, count)))
