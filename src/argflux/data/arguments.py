"""The check that integer arguments of this package share."""

from typing import Any

import numpy as np

from argflux.errors import ArgumentError


def check_integer(value: Any, least: int, name: str, where: str) -> int:
    """Return an integer argument as an `int`, or raise ArgumentError when it is none or below `least`."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= least:
        return int(value)
    raise ArgumentError(
        f"{name}={value!r}", f"an integer of at least {least}", f"pass {name}={least} or more", where=where
    )
