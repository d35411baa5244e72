"""Initial weights chosen by linear programs, layer by layer."""

__all__ = []
