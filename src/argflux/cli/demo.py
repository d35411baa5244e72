"""`argflux demo`: the same network with each kind of ReLU, trained on handwritten digits, side by side."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from argflux.cli.console import list_files, say
from argflux.cli.failures import keeping
from argflux.cli.folders import new_folder
from argflux.cli.settings import DEFAULTS

if TYPE_CHECKING:
    from argflux.cli.classifier import Outcome


def demo(
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="New folder for the results.  [default: runs/demo, then runs/demo-2 …]"),
    ] = None,
) -> None:
    """Train a classifier of handwritten digits twice: with ReLU as it is, and with ReLU solved as a quadratic program.

    Both start from the same weights and see the same batches, so the two agree. It takes about 20 seconds.

    The 1797 digits ship inside scikit-learn, so nothing is downloaded. Prints the networks, their scores and where the
    pictures are.
    """
    from argflux.cli.results import print_table

    folder = new_folder(out, "demo")
    outcomes, files = {}, {}
    with keeping(f"what was done is in {folder}; run argflux demo again for the rest"):
        for name, activation in contestants().items():
            outcomes[name], written = _compete(name, activation, folder)
            files |= {f"{name}: {what}": path for what, path in written.items()}
    histories = {name: outcome.history for name, outcome in outcomes.items()}
    files["loss curves"] = _draw_together(histories, folder / "loss.png")
    print_table(outcomes)
    list_files(files)


def contestants() -> dict[str, Callable]:
    """Return the layers that stand between the linear ones, by the name they have in tables and figures."""
    from argflux.cli.relus import make_relu

    return {"ReLU": make_relu("plain"), "ReLU program": make_relu("program")}


def _compete(name: str, activation: Callable, folder: Path) -> tuple["Outcome", dict[str, Path]]:
    from argflux.cli.classifier import build, fit, score
    from argflux.cli.datasets import load_data
    from argflux.cli.results import write_results

    settings = DEFAULTS["digits"]
    learned, tested = load_data(settings)
    own = new_folder(folder / name.lower().replace(" ", "-"), name)
    model = build(learned, settings, activation)
    say(name, style="bold")
    say(model)
    model, history, seconds = fit(model, learned, settings, own)
    outcome = score(model, history, seconds, learned, tested)
    return outcome, write_results(outcome, tested, own)


def _draw_together(histories: dict[str, Any], path: Path) -> Path:
    from argflux import plots

    figure = plots.loss_curve(histories, title="digits: loss of each step")
    figure.axes[0].get_lines()[-1].set_linestyle((0, (3, 3)))  # curves that coincide both show
    return plots.save_figure(figure, path)
