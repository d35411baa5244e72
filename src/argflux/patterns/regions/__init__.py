"""What such units do to data: patterns, zeros, linear regions, and how far each goes."""

__all__ = []
