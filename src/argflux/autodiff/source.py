"""Where in the user's own files an equation comes from."""

import os
import sysconfig
from typing import Any

_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_INSTALLED = tuple({sysconfig.get_path("purelib") + os.sep, sysconfig.get_path("platlib") + os.sep})
_STANDARD = sysconfig.get_path("stdlib") + os.sep


def user_frame(eqn: Any) -> Any:
    """Return the innermost traceback frame outside argflux and installed packages, or `None`."""
    traceback = eqn.source_info.traceback
    frames = [] if traceback is None else traceback.frames
    return next((frame for frame in frames if _is_users(frame.file_name)), None)


def user_line(eqn: Any, origin: Any = None) -> str:
    """Name the user's line of an equation, or else of the one it stands for: `train.py:12 (loss)`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> user_line(jax.make_jaxpr(jnp.sin)(1.0).eqns[0]).split(":")[0] != ""
        True
    """
    frame = user_frame(eqn) or (origin and user_frame(origin))
    if frame is None:
        return "a line that JAX did not record"
    return f"{os.path.basename(frame.file_name)}:{frame.line_num} ({frame.function_name.rpartition('.')[2]})"


def _is_users(file: str) -> bool:
    return not file.startswith((_OWN, *_INSTALLED, _STANDARD))
