"""A primal-dual interior point method for batches of nonlinear programs."""

from argflux.programs.solvers.barrier.point import BarrierPoint
from argflux.programs.solvers.barrier.solve import barrier_points

__all__ = ["BarrierPoint", "barrier_points"]
