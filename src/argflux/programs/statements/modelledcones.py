"""The cones of CVXPY's canonical programs."""

from typing import Any

import numpy as np

from argflux.errors import ArgumentError
from argflux.programs.cones import Cone, Exponential, NonNegative, Power, SecondOrder, Semidefinite
from argflux.programs.cones.product import Product
from argflux.programs.solvers.conic import clarabel_rows


def read_cones(dims: Any) -> tuple[Cone, ...]:
    """The cones of the rows behind the equalities, in CVXPY's order for Clarabel.

    Raises:
        ArgumentError: for power cones of more than three coordinates.
    """
    if getattr(dims, "pnd", None):
        raise ArgumentError(
            "a power cone of more than three coordinates",
            "cones that have a derivative here",
            "leave `approx=False` out of `geo_mean`, or state it by three-dimensional power cones",
            where="Program.from_cvxpy",
        )
    found = [NonNegative(dims.nonneg), *map(SecondOrder, dims.soc), *map(Semidefinite, dims.psd)]
    found += [Exponential()] * dims.exp + [Power(float(a)) for a in dims.p3d]
    return tuple(cone for cone in found if cone.rows)


def cone_order(equalities: int, cones: tuple[Cone, ...]) -> np.ndarray:
    """Our number of each row of CVXPY's, which has matrices as Clarabel has them."""
    return np.concatenate([np.arange(equalities), equalities + clarabel_rows(Product(cones))])
