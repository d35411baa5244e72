"""Where a model has units that are linear in pieces, found in the program of its call."""

__all__ = []
