"""Every exception of the library; each message says what was got, what was expected and what to do. And warnings."""

import sys
import warnings


class ArgfluxError(Exception):
    """Base of every error that argflux raises on purpose.

    The message reads `where: got …; expected …; what to do`, in one line.

    Args:
        got: what was received, with the shapes, dtypes or values that matter.
        expected: what would have been right.
        todo: what the reader can do about it, as an imperative.
        where: the leaf's path (`layers[2].weight`), the function, or the user's line.

    Example:
        >>> print(ShapeError("width 3", "width 10", "pass inputs of shape (..., 10)", where="Dense(10 => 5)"))
        Dense(10 => 5): got width 3; expected width 10; pass inputs of shape (..., 10)
    """

    def __init__(self, got: str, expected: str, todo: str, *, where: str = ""):
        self.got, self.expected, self.todo, self.where = got, expected, todo, where
        prefix = f"{where}: " if where else ""
        super().__init__(f"{prefix}got {got}; expected {expected}; {todo}")

    def __str__(self) -> str:
        return str(self.args[0])


class ShapeError(ArgfluxError, ValueError):
    """Arrays whose shapes do not fit together."""


class DtypeError(ArgfluxError, TypeError):
    """An array or value of a kind that the operation has no meaning for."""


class ArgumentError(ArgfluxError, ValueError):
    """An argument outside its range, or a keyword that nothing reads."""


class DataError(ArgfluxError, ValueError):
    """Data that cannot be learned from: corrupt, empty, not finite, or wrongly labelled."""


class NonFiniteError(ArgfluxError, FloatingPointError):
    """A loss or value that became NaN or infinite."""


class MissingRuleError(ArgfluxError, NotImplementedError):
    """A primitive that has no derivative rule."""


class ControlFlowError(ArgfluxError, TypeError):
    """Python's own control flow that asks for a value where only operations are known."""


class RuleError(ArgfluxError, TypeError):
    """A derivative rule that broke its contract."""


class LoadError(ArgfluxError, ValueError):
    """A saved file that does not fit the model it is loaded into."""


class OutputError(ArgfluxError, OSError):
    """A place that results cannot be written to."""


class MissingDependencyError(ArgfluxError, ImportError):
    """An optional package that is not installed."""


def warn(text: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line that called the library."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] == "argflux":
        frame, level = frame.f_back, level + 1
    warnings.warn(text, category, stacklevel=level)
