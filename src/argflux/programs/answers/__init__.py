"""What is said of a program: its solution, how it ended, and how regular it is."""

__all__ = []
