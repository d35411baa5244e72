"""What the three-dimensional cones with curved boundaries have in common."""

from typing import Any

import numpy as np

from argflux.programs.cones.cone import ACTIVE, Equations
from argflux.programs.forms.arrays import namespace

CUBE = np.repeat(np.arange(3), 3), np.tile(np.arange(3), 3)


def safe_log(v: Any) -> Any:
    """The logarithm of what is positive, a very negative number for what is not."""
    xp = namespace(v)
    return xp.log(xp.maximum(v, np.finfo(v.dtype).tiny))


def picks(like: Any, which: tuple[int, ...]) -> Any:
    """Matrices, like whose entries `like` is, with ones on some places of the diagonal."""
    pattern = np.diag(np.isin(np.arange(3), which).astype(like.dtype)).ravel()
    return namespace(like).broadcast_to(pattern, (*like.shape, 9))


def chosen(s: Any, z: Any, face: Any, others: dict[int, Equations]) -> Equations:
    """`z = 0` in the interior, `s = 0` at the apex, else the equations of the face."""
    xp, one, none = namespace(s, z), picks(s[..., 0], (0, 1, 2)), picks(s[..., 0], ())
    found = Equations(z, none, one)
    for code, equations in {ACTIVE: Equations(s, one, none), **others}.items():
        on = (face == code)[..., None]
        found = Equations(*[xp.where(on, new, old) for new, old in zip(equations, found, strict=True)])
    return found
