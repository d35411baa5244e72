"""What a run leaves in its folder and on the screen: model, history, figures, table."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from argflux import nn, plots, training
from argflux.cli.classifier import Outcome
from argflux.cli.console import tabulate
from argflux.cli.folders import HISTORY, MODEL
from argflux.data import Dataset

COLUMNS = ["", "train accuracy", "test accuracy", "test loss", "time", "parameters"]


def write_results(outcome: Outcome, test: Dataset, folder: Path) -> dict[str, Path]:
    """Write everything about an outcome into the folder, and return the paths by what they hold.

    Raises:
        OutputError: when a file cannot be written.
    """
    files = {"model": folder / MODEL, "history": folder / HISTORY}
    training.save(files["model"], outcome.model)
    files["loss curve"] = plots.save_figure(_losses(outcome, test), folder / "loss.png")
    if test.name == "moons":
        return files | {"decision boundary": plots.save_figure(_boundary(outcome, test), folder / "boundary.png")}
    return files | _digit_figures(outcome, test, folder)


def print_table(outcomes: dict[str, Outcome]) -> None:
    """Print the scores, a row for each classifier."""
    tabulate(COLUMNS, [[name, *_cells(outcome)] for name, outcome in outcomes.items()])


def _cells(outcome: Outcome) -> list[str]:
    accuracies = [f"{part:.2%}".replace("%", " %") for part in outcome.accuracies]
    return [*accuracies, f"{outcome.test_loss:.4f}", f"{outcome.seconds:.1f} s", f"{outcome.parameters:_}"]


def _losses(outcome: Outcome, test: Dataset) -> Any:
    return plots.loss_curve(outcome.history, title=f"{test.name}: loss of each step")


def _boundary(outcome: Outcome, test: Dataset) -> Any:
    def predict(x: np.ndarray) -> np.ndarray:
        return np.asarray(nn.softmax(outcome.model(jnp.asarray(x))))

    names = [f"class {name}" for name in test.classes]
    title = f"{outcome.accuracies[1]:.1%} of the test points right".replace("%", " %")
    return plots.decision_boundary(predict, test.x, test.y, names, title=title)


def _digit_figures(outcome: Outcome, test: Dataset, folder: Path) -> dict[str, Path]:
    figure = plots.confusion(test.y, outcome.predictions, test.classes)
    files = {"confusion": plots.save_figure(figure, folder / "confusion.png")}
    wrong = np.flatnonzero(test.y != outcome.predictions)
    if wrong.size:
        title = f"Taken for another digit: {min(wrong.size, 32)} of {wrong.size} (true → predicted)"
        figure = plots.digit_grid(test.x[wrong], test.y[wrong], outcome.predictions[wrong], title=title)
        files["mistakes"] = plots.save_figure(figure, folder / "mistakes.png")
    return files
