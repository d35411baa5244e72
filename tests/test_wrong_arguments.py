"""One argument of a right call is replaced by a usual mistake: the call works, or an error of ours explains it."""

import numpy as np
import pytest

from argflux import nn
from argflux.errors import ArgfluxError
from tests.valid_calls import PACKAGES

WRONG = {
    "None": None,
    "text": "abc",
    "texts": ["a", "b"],
    "a fraction": 1.5,
    "a negative number": -1,
    "no rows": np.zeros(0, np.float32),
    "an object": object(),
    "a dict": {"a": 1.0},
    "a class": nn.Dense,
    "a function of nothing": lambda: 0,
    "ragged rows": [[1.0], [1.0, 2.0]],
}
CALLS = [pytest.param(call, id=f"{package}-{call.name}") for package, calls in PACKAGES.items() for call in calls]


def wrong_arrays(valid: np.ndarray):
    """Yield what users pass for an array: of another kind or shape."""
    yield "an array of text", np.full(valid.shape, "a")
    yield "a complex array", valid.astype(np.complex64)
    yield "an array of NaN", np.full(valid.shape, np.nan, np.float32)
    yield "an axis more", valid[None]
    if valid.ndim:
        yield "an axis less", valid[0]
        yield "a row less", valid[:-1]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", CALLS)
def test_a_wrong_argument_is_explained(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, valid in call.arguments.items():
        arrays = wrong_arrays(valid) if isinstance(valid, np.ndarray) else ()
        for kind, wrong in (*WRONG.items(), *arrays):
            error = ended_in(call, {**call.arguments, name: wrong})
            assert isinstance(error, ArgfluxError | None), f"{kind} as {name}: {error!r}"
            assert error is None or all((error.got, error.expected, error.todo)), f"{kind} as {name}"


def ended_in(call, arguments):
    """Return the error that a call ended in."""
    try:
        call.entry(**arguments)
    except Exception as error:
        return error
    return None
