"""The job behind the verbs: a classifier is built, trained as the settings say, and scored."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from argflux import nn, training
from argflux.cli.console import say
from argflux.cli.folders import CHECKPOINT, HISTORY
from argflux.cli.settings import Settings
from argflux.data import DataLoader, Dataset, accuracy, onehotbatch
from argflux.errors import NonFiniteError

REPORT_SECONDS = 10.0


@dataclass(frozen=True)
class Outcome:
    """A trained classifier and how well it does.

    Attributes:
        model: the network.
        history: of its training.
        seconds: how long the training took this time, compilation included.
        parameters: how many numbers were trained.
        accuracies: the part of right answers on training and test data.
        test_loss: the loss on the test data.
        predictions: the classes it gives to the test data, shape (n,).
    """

    model: Any
    history: Any
    seconds: float
    parameters: int
    accuracies: tuple[float, float]
    test_loss: float
    predictions: np.ndarray


def build(train: Dataset, settings: Settings, activation: Callable) -> nn.Chain:
    """Make the network: hidden layers of the given widths, each followed by the activation, then the scores."""
    widths = (train.x.shape[1], *settings.hidden)
    keys = jax.random.split(jax.random.key(settings.seed), len(widths))
    layers: list[Callable] = []
    for inputs, outputs, key in zip(widths[:-1], widths[1:], keys[:-1], strict=True):
        layers += [nn.Dense(inputs, outputs, key=key), activation]
    return nn.Chain(*layers, nn.Dense(widths[-1], len(train.classes), key=keys[-1]))


def rule_of(settings: Settings) -> Any:
    """Make the optimiser that the settings name."""
    make = getattr(training, settings.rule)
    return make() if settings.rate is None else make(settings.rate)


def fit(
    model: nn.Chain,
    train: Dataset,
    settings: Settings,
    folder: Path | None,
    *,
    resume: bool = False,
    distributed: bool = False,
) -> tuple[nn.Chain, Any, float]:
    """Train a model with checkpoints in the folder, and return it with its history and the seconds it took.

    Of several processes the first one writes; the others need no folder.
    """
    start = time.perf_counter()
    loader = DataLoader(
        (train.x, onehotbatch(train.y, train.classes)), settings.batch, shuffle=True, seed=settings.seed
    )
    try:
        model, history = training.train(
            _loss,
            model,
            loader,
            rule_of(settings),
            epochs=settings.epochs,
            callback=_reporter(settings.epochs),
            checkpoint=None if folder is None else folder / CHECKPOINT,
            resume=resume,
            distributed=distributed,
        )
    except NonFiniteError as error:
        _keep(error.history, folder)  # type: ignore[attr-defined]
        raise
    _keep(history, folder)
    if history.interrupted:
        raise KeyboardInterrupt
    return model, history, time.perf_counter() - start


def _keep(history: Any, folder: Path | None) -> None:
    if folder is not None and jax.process_index() == 0:
        history.save(folder / HISTORY)


def _reporter(epochs: int) -> Callable | None:
    """Return what prints a line every ten seconds where no terminal shows the progress bar."""
    if sys.stderr.isatty() or jax.process_index():
        return None
    return training.throttle(
        lambda record: say(f"epoch {record.epoch} of {epochs}: loss {record.loss:.4g}"), REPORT_SECONDS, leading=False
    )


def score(model: nn.Chain, history: Any, seconds: float, train: Dataset, test: Dataset) -> Outcome:
    """Measure a trained model on training and test data."""
    logits = [eqx.filter_jit(model)(jnp.asarray(part.x)) for part in (train, test)]
    return Outcome(
        model,
        history,
        seconds,
        sum(array.size for _, array in nn.trainables(model)),
        (float(accuracy(logits[0], train.y)), float(accuracy(logits[1], test.y))),
        float(nn.logitcrossentropy(logits[1], onehotbatch(test.y, test.classes))),
        np.asarray(logits[1].argmax(axis=-1)),
    )


def _loss(model: nn.Chain, x: jax.Array, y: jax.Array) -> jax.Array:
    return nn.logitcrossentropy(model(x), y)
