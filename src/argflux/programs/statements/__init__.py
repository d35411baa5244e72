"""How programs are stated: by matrices, functions or CVXPY, read into the canonical form."""

__all__ = []
