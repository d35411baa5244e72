"""The linear systems of the optimality conditions on an active set, which derivatives and refinements solve."""

__all__ = []
