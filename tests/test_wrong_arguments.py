"""One argument of a right call is replaced by a usual mistake: the call works, or an error of ours explains it."""

import inspect

import numpy as np
import pytest

from argflux import autodiff, data, nn, patterns, plots, programs, training
from argflux.errors import ArgfluxError, ArgumentError, DataError, DtypeError, ShapeError
from tests.test_keywords import RETURNED
from tests.valid_calls import MODEL, PACKAGES, PROGRAM, ROWS, STATE, X

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
ALIKE = "AdaBelief AdaGrad AdamW ClipGrad Lion Momentum NAdam Nesterov RAdam RMSProp Rule WeightDecay soft_sort"
OF_NOTHING = "compiler_options join_processes"
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


@pytest.mark.parametrize("package", [training, patterns, plots, data, programs], ids=lambda package: package.__name__)
def test_every_entry_has_a_call(package):
    called = {call.name.split(".")[0] for call in PACKAGES[package.__name__.split(".")[-1]]}
    others = f"{RETURNED} {ALIKE} {OF_NOTHING}".split()
    classes = {name for name in package.__all__ if isinstance(getattr(package, name), type)}
    errors = {name for name in classes if issubclass(getattr(package, name), Exception)}
    folders = {name for name in package.__all__ if inspect.ismodule(getattr(package, name))}
    assert not set(package.__all__) - called - errors - set(others) - folders


@pytest.mark.parametrize(
    ("mistake", "kind", "message"),
    [
        (
            lambda: plots.loss_curve("abc"),
            DtypeError,
            r"loss_curve: got losses='abc'; expected an array of real numbers",
        ),
        (lambda: plots.learning_curves([]), DtypeError, r"learning_curves: got study=\[\]; expected a Study"),
        (lambda: plots.linear_regions([ROWS * np.nan]), DataError, r"got polygon with a number that is not finite"),
        (
            lambda: plots.decision_boundary(lambda x: x * 0 + 0.5, ROWS, [0, 1, 1, 0], ["a"]),
            ShapeError,
            r"got 1 classes; expected 2",
        ),
        (
            lambda: patterns.plane_regions(MODEL, bounds=(0, 1)),
            DtypeError,
            r"got bounds=\(0, 1\); expected a tuple of 4 n",
        ),
        (
            lambda: patterns.Family("own", lambda: 0),
            ArgumentError,
            r"Family own: .*expected a function draw\(key, network",
        ),
        (lambda: training.History.load(3), DtypeError, r"History.load: got path=3; expected a string or a Path"),
        (lambda: training.keep_best(3), ArgumentError, r"keep_best: got score=3; expected a name, or a function"),
        (
            lambda: training.freeze(STATE, lambda: 0),
            ArgumentError,
            r"got where=<lambda>, called wrongly: takes 0 positional",
        ),
        (lambda: nn.softmax(3.0), ShapeError, r"softmax: got axis=-1 of shape \(\); expected one of its 0 axes"),
        (lambda: nn.softshrink(ROWS > 0), DtypeError, r"dtype bool; expected one floating"),
        (
            lambda: nn.xlogy(ROWS, ROWS[:3]),
            ShapeError,
            r"got x of shape \(4, 2\) and y of shape \(3, 2\)",
        ),
        (
            lambda: nn.xlogy(ROWS, ROWS + 0j),
            DtypeError,
            r"dtype float32 and y of dtype complex",
        ),
        (
            lambda: nn.Parallel(lambda: 0, MODEL, MODEL)(X),
            ArgumentError,
            r"Parallel: got connection=<lambda>, called",
        ),
        (
            lambda: nn.Dense(3, 2, init=lambda: 0),
            DtypeError,
            r"got init <lambda>; expected a function \(key, shape",
        ),
        (
            lambda: PROGRAM(X[0]),
            ArgumentError,
            r"got a function that fails at valid_calls.py:\d+ .* for array of shape",
        ),
        (lambda: autodiff.hook(X, 3), ArgumentError, r"hook: got f=3; expected a function of the cotangent"),
        (lambda: autodiff.checkpointed(3), DtypeError, r"checkpointed: got f=3; expected a function"),
        (
            lambda: autodiff.gradient(lambda x: "abc", X),
            DtypeError,
            r"got a function that returns a str",
        ),
    ],
)
def test_what_is_said(mistake, kind, message):
    with pytest.raises(kind, match=message):
        mistake()
