"""Sets that points are projected onto, and what projections give."""

__all__ = []
