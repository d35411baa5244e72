"""train: the whole run in one call."""

from collections.abc import Callable, Iterable, Sequence
from inspect import signature
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from argflux.data import DataLoader
from argflux.errors import ArgumentError
from argflux.keywords import explained
from argflux.nn.random import run_key
from argflux.training.batches import Source, source_of
from argflux.training.callbacks import every_steps
from argflux.training.chain import described, generic
from argflux.training.checkpoint import Checkpoint
from argflux.training.devices import Devices
from argflux.training.history import History, Record
from argflux.training.loop import Run
from argflux.training.measure import measure
from argflux.training.program import program_for, takes, value_and_gradient
from argflux.training.split import Split, strong, trainable
from argflux.training.state import OptimiserState, fitted, setup
from argflux.training.watch import Watch
from argflux.tree import trainable_flags
from argflux.userlayer import register_layers

M = TypeVar("M")
_DONATED_BYTES = 2**26


@explained
def train(
    loss: Callable[..., Any],
    model: M,
    data: DataLoader | Iterable[Any],
    rule: Any,
    *,
    epochs: int = 1,
    callback: Callable[[Record], Any] | Sequence[Callable[[Record], Any]] | None = None,
    until: Callable[[Record], Any] | None = None,
    validation: Any = None,
    metrics: dict[str, Callable[..., Any]] | None = None,
    gradient: Callable[[Callable], Callable] | None = None,
    progress: bool = True,
    checkpoint: str | Path | Checkpoint | None = None,
    resume: bool = False,
    key: jax.Array | None = None,
    distributed: bool | jax.sharding.Mesh = False,
) -> tuple[M, History]:
    """Train a model: for every batch, a step of the rule along the gradient of `loss(model, *batch)`.

    Steps are compiled together, many to a call, into one program for each shape of batch. So `loss` is traced: it
    must be written with JAX's functions, and what it prints appears once. A later call with the same loss function
    and a model of the same shapes uses the program again. Layers such as Dropout and BatchNorm train in here and
    are tested everywhere else (see `trainmode`); the model returned holds the running statistics.

    The run ends after `epochs`, or earlier after the first epoch for which `callback` returns True (other values
    mean nothing) or `until` returns something true; the callback is called first. The model returned is then the
    one right after that epoch's last step, though several epochs may have been computed in one call. Ctrl-C stops
    after the chunk of steps under way (about half a second), a second one at once by KeyboardInterrupt.

    Args:
        loss: `loss(model, *batch)`, a floating scalar. A batch that is a tuple or a Dataset is unpacked; any other
            is one argument.
        model: any tree with floating arrays; it is not changed.
        data: a DataLoader or an iterable of batches, gone through once an epoch. A list is read at the start; other
            iterables are read ahead by up to a chunk.
        rule: a rule, an OptimiserChain, an Optax transformation, or an OptimiserState to go on from (with what is
            frozen or adjusted in it).
        epochs: how often to go through the data, at least 1.
        callback: called with the `Record` of every epoch; or several in a list. `keep_best` keeps the best model,
            `every_steps` looks on in the midst of epochs.
        until: called with the `Record` of every epoch, to say whether to stop.
        validation: a batch, or a DataLoader whose whole data is one, to measure on after every epoch.
        metrics: functions `f(model, *validation)` to a number, by name, beside the loss, `validation_loss`.
        gradient: a transformation such as `jax.value_and_grad` in place of the library's own engine:
            `gradient(f)(arrays)` returns the value and the gradient of `f` at a list of arrays; a model with
            running statistics needs `gradient(f, has_aux=True)` too, and so does the count of failed programs.
        progress: whether to draw a bar with loss, rate and time left when stderr is a terminal.
        checkpoint: a file, or a `Checkpoint`, to write the run's state into, about every ten seconds and at the end.
        resume: whether to go on from the checkpoint if it is there. The history is then the same, number for
            number, as that of a run that was never stopped.
        key: the random key from which layers such as Dropout draw, other numbers at every step; without one, it
            follows from `seed` and how many runs there have been since.
        distributed: True deals each batch out over all devices of all processes (see `join_processes`), a Mesh over
            its own. Every process calls `train` with the same model and the same data; the first one writes the
            checkpoint and draws the bar, and all return the same model. A batch that the devices cannot share
            equally is gone through by each of them.

    Returns:
        The trained model and its History. `history.stopped` says why the run ended, `history.state` is the
        optimiser's state.

    Raises:
        NonFiniteError: when a loss is NaN or infinite, naming the step; DataError if the batch itself held such a
            number. `error.history` keeps what came before.
        ShapeError: when the loss is not a scalar.
        ArgumentError: for a batch that the loss cannot take, no trainable arrays, or a bad argument.
        DataError: for no data.
        OutputError: when the checkpoint cannot be written.
        LoadError: when it is of another run, or one with other hyperparameters or another key.

    Warns:
        FailedProgramsWarning: when optimisation problems inside the loss were not solved; `record.failed_programs`
            counts them.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.training import Descent, train
        >>> x = jnp.array([1.0, 2.0, 3.0])
        >>> def loss(model, x, y):
        ...     return jnp.mean((model["w"] * x - y) ** 2)
        >>> model, history = train(loss, {"w": jnp.array(0.0)}, [(x, 2 * x)], Descent(0.1), epochs=20)
        >>> round(float(model["w"]), 3), len(history), history.stopped
        (2.0, 20, 'epochs')
    """
    callbacks = tuple(callback) if isinstance(callback, Sequence) else () if callback is None else (callback,)
    _check_arguments(loss, model, epochs, callbacks, until, resume, checkpoint)
    register_layers(model)
    state = _state(rule, model)
    source = source_of(data, epochs)
    step_callbacks = tuple(f for f in callbacks if isinstance(f, every_steps))
    epoch_callbacks = tuple(f for f in callbacks if not isinstance(f, every_steps))
    measuring, file = measure(loss, validation, metrics), _checkpoint(checkpoint)
    watch = Watch(epoch_callbacks, step_callbacks, until, measuring, file, progress)
    run = _run(
        loss, model, state, source, gradient or value_and_gradient, epochs, watch, run_key(key), Devices.of(distributed)
    )
    if watch.checkpoint and resume and Path(watch.checkpoint.path).exists():
        asked = run.snapshot()
        asked.given_key = None if key is None else run.position.key
        run.restore(asked.read(watch.checkpoint.path))
    run.write()
    run.go()
    source.leave(run.position.epoch + (run.position.batch > 0))
    run.history.state = run.state
    return run.model, run.history


def _run(
    loss: Callable,
    model: Any,
    state: OptimiserState,
    source: Source,
    gradient: Callable,
    epochs: int,
    watch: Watch,
    key: tuple[int, int],
    devices: Devices,
) -> Run:
    split, moving, fixed = Split.of(model, state.frozen)
    if not moving:
        todo = "thaw some of them"
        raise ArgumentError("a model that is frozen whole", "an array that moves", todo, where="train")
    leaves, structure = jax.tree.flatten(state.inner)
    inner = structure.unflatten(map(strong, leaves))
    whole = jax.tree.structure(trainable(model)) if state.frozen else None
    donate = not watch.needs_starts and sum(x.nbytes for x in (*moving, *leaves)) > _DONATED_BYTES
    if donate:
        moving, inner = jax.tree.map(jnp.copy, (moving, inner))
    program = program_for(loss, gradient, split, generic(state.rules), structure, whole, donate, devices)
    setting = {
        "rule": " → ".join(map(described, state.rules)),
        "frozen": ", ".join(state.frozen),
        "data": source.describe(),
    }
    start = OptimiserState(inner, state.hyper, state.rules, state.frozen, state.outline)
    return Run(program, source, start, (moving, fixed), epochs, watch, setting, key)


def _state(rule: Any, model: Any) -> OptimiserState:
    if not isinstance(rule, OptimiserState):
        return setup(rule, model)
    return fitted(rule, model, "train")


def _checkpoint(given: str | Path | Checkpoint | None) -> Checkpoint | None:
    return given if given is None or isinstance(given, Checkpoint) else Checkpoint(given)


def _check_arguments(
    loss: Any, model: Any, epochs: Any, callbacks: tuple, until: Any, resume: bool, checkpoint: Any
) -> None:
    if isinstance(model, FunctionType) and any(trainable_flags(register_layers(loss))):
        got, todo = f"a {type(loss).__name__} as loss and a function as model", "swap the first two arguments"
        raise ArgumentError(got, "train(loss, model, data, rule)", todo, where="train")
    given = [("loss", loss), *(("callback", callback) for callback in callbacks)]
    for name, function in given if until is None else [*given, ("until", until)]:
        if not callable(function):
            got, todo = f"{name} of type {type(function).__name__}", f"pass {name} as a function"
            raise ArgumentError(got, "a function", todo, where="train")
        if name != "loss" and not takes(function, ()):
            got, todo = f"{name} {_name(function)}{signature(function)}", f"let {name} take one record"
            raise ArgumentError(got, "a function of one record", todo, where="train")
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
        todo = "pass epochs=1 or more"
        raise ArgumentError(f"epochs={epochs!r}", "an integer of at least 1", todo, where="train")
    if resume and checkpoint is None:
        todo = "pass checkpoint=, or leave resume out"
        raise ArgumentError("resume without checkpoint", "the file to go on from", todo, where="train")


def _name(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)
