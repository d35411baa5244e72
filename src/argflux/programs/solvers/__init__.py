"""Solvers of programs, one file each, and the choice between them."""

from argflux.programs.solvers.choose import Settings, solve_blocks

__all__ = ["Settings", "solve_blocks"]
