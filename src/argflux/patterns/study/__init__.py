"""The study of starts: drawn, measured, trained together, compared."""

__all__ = []
