"""Where in the user's own files an equation comes from."""

import linecache
import os
import sysconfig
import traceback
from typing import Any

import equinox
import jax
import jaxlib

_ENGINE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_SITES = {sysconfig.get_path(kind) + os.sep for kind in ("purelib", "platlib")}
_STANDARD = sysconfig.get_path("stdlib") + os.sep
_TRACERS = tuple(os.path.dirname(os.path.abspath(str(m.__file__))) + os.sep for m in (jax, jaxlib, equinox))
_ELSEWHERE = (_OWN, *_TRACERS, *_SITES, _STANDARD)


def user_frame(eqn: Any) -> Any:
    """Return the innermost traceback frame outside argflux and installed packages, or `None`."""
    return next((frame for frame in _frames(eqn) if not frame.file_name.startswith(_ELSEWHERE)), None)


def line_of_error(error: BaseException) -> str:
    """Name the user's innermost line on the way to where an exception was raised: `train.py:12 (loss)`."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    own = [frame for frame in frames if not frame.f_code.co_filename.startswith(_ELSEWHERE)]
    lines = dict(traceback.walk_tb(error.__traceback__))
    if not own:
        return "a line outside your own files"
    code = own[-1].f_code
    return f"{os.path.basename(code.co_filename)}:{lines[own[-1]]} ({code.co_name})"


def is_raised_by_user(error: BaseException) -> bool:
    """Say whether an exception comes from a `raise` or an `assert` in the user's own code."""
    frame, line = list(traceback.walk_tb(error.__traceback__))[-1]
    text = linecache.getline(frame.f_code.co_filename, line).strip()
    return not frame.f_code.co_filename.startswith(_ELSEWHERE) and text.startswith(("raise", "assert"))


def _library_frame(eqn: Any) -> Any:
    """Return the innermost frame of a library that is neither JAX nor the engine, or `None`."""
    hidden = (_ENGINE, *_TRACERS)
    is_standard = lambda file: file.startswith(_STANDARD) and not file.startswith(tuple(_SITES))
    frames = (f for f in _frames(eqn) if not f.file_name.startswith(hidden) and not is_standard(f.file_name))
    return next(frames, None)


def _frames(eqn: Any) -> Any:
    traceback = eqn.source_info.traceback
    return [] if traceback is None else traceback.frames


def user_line(eqn: Any, origin: Any = None) -> str:
    """Name the user's line of an equation, or else of the one it stands for: `train.py:12 (loss)`.

    Where no line is the user's own, as when a library's layer is traced by itself, it is the library's line.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> user_line(jax.make_jaxpr(jnp.sin)(1.0).eqns[0]).split(":")[0] != ""
        True
    """
    frame = user_frame(eqn) or (origin and user_frame(origin)) or _library_frame(eqn)
    frame = frame or (origin and _library_frame(origin))
    if frame is None:
        return "a line that JAX did not record"
    return f"{os.path.basename(frame.file_name)}:{frame.line_num} ({frame.function_name.rpartition('.')[2]})"
