"""The command line: `argflux`, one file a verb. Starting it imports neither JAX nor matplotlib."""

from argflux.cli.app import main

__all__ = ["main"]
