"""The cones of CVXPY's canonical programs."""

import functools
import importlib
from typing import Any

import numpy as np

from argflux.programs.cones import Cone, Exponential, NonNegative, Power, SecondOrder, Semidefinite
from argflux.programs.cones.product import Product
from argflux.programs.solvers.conic import clarabel_rows


@functools.cache
def interface() -> Any:
    """CVXPY's interface to Clarabel without power cones of more than three coordinates, which CVXPY then takes apart.

    `|z| <= x1^a1 … xn^an` becomes a tree of three-dimensional power cones that holds at the same points.
    """
    clarabel: Any = importlib.import_module("cvxpy.reductions.solvers.conic_solvers.clarabel_conif").CLARABEL
    long = importlib.import_module("cvxpy").PowConeND
    supported = [cone for cone in clarabel.SUPPORTED_CONSTRAINTS if cone is not long]
    return type("Interface", (clarabel,), {"SUPPORTED_CONSTRAINTS": supported, "name": lambda _: "ARGFLUX"})()


def read_cones(dims: Any) -> tuple[Cone, ...]:
    """The cones of the rows behind the equalities, in CVXPY's order for Clarabel."""
    found = [NonNegative(dims.nonneg), *map(SecondOrder, dims.soc), *map(Semidefinite, dims.psd)]
    found += [Exponential()] * dims.exp + [Power(float(a)) for a in dims.p3d]
    return tuple(cone for cone in found if cone.rows)


def cone_order(equalities: int, cones: tuple[Cone, ...]) -> np.ndarray:
    """Our number of each row of CVXPY's, which has matrices as Clarabel has them."""
    return np.concatenate([np.arange(equalities), equalities + clarabel_rows(Product(cones))])
