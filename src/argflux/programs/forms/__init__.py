"""Programs as solvers take them: the canonical form, blocks, patterns and units, and how arrays reach the host."""

__all__ = []
