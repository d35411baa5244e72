"""`argflux train`: a classifier for a data set, with everything it leaves in a folder."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from argflux.cli.console import list_files, say
from argflux.cli.failures import keeping
from argflux.cli.folders import CHECKPOINT, RESUMABLE, SETTINGS, new_folder
from argflux.cli.options import choose, parse_number, parse_whole, parse_widths
from argflux.cli.settings import DATASETS, DEFAULTS, RELUS, RULES, Settings, load_settings
from argflux.errors import ArgumentError, LoadError

EXAMPLES = """\b
Examples:
  argflux train moons
  argflux train digits --hidden 64,32 --rule adam --rate 0.002
  argflux train mnist --data ~/mnist --batch 128 --out runs/wide
  argflux train mnist --resume runs/wide --epochs 10
  argflux train digits --relu program
  argflux train mnist --distributed
\b
Without options:
  moons   16,16   Descent  rate 0.9    200 epochs  batches of 200
  digits  64      Adam     rate 0.001   60 epochs  batches of 32
  mnist   128,64  Adam     rate 0.001    5 epochs  batches of 64
\b
MNIST is read from --data, else from $ARGFLUX_DATA, else from the cache,
where it is downloaded to once.
"""


def train(
    dataset: Annotated[str, Argument(metavar="|".join(DATASETS), help="What to learn.", show_default=False)],
    hidden: Annotated[str | None, Option(metavar="WIDTHS", help='Hidden layers, as "64,32", or none.')] = None,
    relu: Annotated[
        str | None, Option(metavar="|".join(RELUS), help="ReLU as it is, or solved as a quadratic program; plain.")
    ] = None,
    rule: Annotated[str | None, Option(metavar="NAME", help=f"Optimiser: {', '.join(RULES)}.")] = None,
    rate: Annotated[str | None, Option(metavar="NUMBER", help="Learning rate.")] = None,
    epochs: Annotated[str | None, Option(metavar="N", help="How often to go through the data.")] = None,
    batch: Annotated[str | None, Option(metavar="N", help="Observations in a step.")] = None,
    seed: Annotated[str | None, Option(metavar="N", help="Of start weights, batches and moons; 0.")] = None,
    data: Annotated[Path | None, Option(metavar="DIR", help="Folder of the MNIST files.")] = None,
    out: Annotated[Path | None, Option(metavar="DIR", help="New folder for the results; runs/DATASET.")] = None,
    resume: Annotated[Path | None, Option(metavar="DIR", help="Go on with the run in this folder.")] = None,
    distributed: Annotated[
        bool, Option("--distributed", help="Deal each batch out over all devices, of all processes if there are any.")
    ] = False,
) -> None:
    """Train a classifier and save it with its history and figures."""
    options = {
        "hidden": None if hidden is None else parse_widths(hidden),
        "relu": None if relu is None else choose(relu, RELUS, "--relu"),
        "rule": None if rule is None else choose(rule, RULES, "--rule"),
        "rate": None if rate is None else parse_number(rate, "--rate"),
        "epochs": None if epochs is None else parse_whole(epochs, "--epochs"),
        "batch": None if batch is None else parse_whole(batch, "--batch"),
        "seed": None if seed is None else parse_whole(seed, "--seed"),
        "data": None if data is None else str(data.expanduser().absolute()),
    }
    name = choose(dataset, DATASETS, "data set")
    if resume is None:
        settings = DEFAULTS[name].changed(**options)
        _run(settings, lambda: new_folder(out, name, RESUMABLE), None, distributed)
    else:
        settings = _resumed(name, options, out, resume)
        _run(settings, lambda: resume, resume, distributed)


def _resumed(name: str, options: dict[str, Any], out: Path | None, folder: Path) -> Settings:
    """Return the settings of the run in a folder; only the number of epochs may change."""
    if out is not None:
        got, todo = f"--resume {folder} with --out {out}", "leave --out out; results stay in the resumed folder"
        raise ArgumentError(got, "one of the two", todo, where="--resume")
    kept = load_settings(folder / SETTINGS)
    if not (folder / CHECKPOINT).is_file():
        todo = "start a new run without --resume"
        raise LoadError("a folder without a checkpoint", CHECKPOINT, todo, where=str(folder))
    changes = {option: value for option, value in {"dataset": name, **options}.items() if value is not None}
    changes.pop("epochs", None)
    for option, value in changes.items():
        if value != getattr(kept, option):
            got, expected = f"{option} {value}", f"{option} {getattr(kept, option)} as in {folder}"
            raise ArgumentError(got, expected, "leave it out, or start a new run", where="--resume")
    return kept.changed(epochs=options["epochs"])


def _run(settings: Settings, make_folder: Callable[[], Path], resume: Path | None, distributed: bool) -> None:
    if distributed:
        from argflux.training import devices

        devices.join_processes()
        if not devices.is_first_process():
            return _accompany(settings, resume)
    _lead(settings, make_folder, resume is not None, distributed)


def _accompany(settings: Settings, resumed: Path | None) -> None:
    """Train along with the first process, which does the talking and the writing."""
    from argflux.cli.classifier import build, fit
    from argflux.cli.datasets import load_data
    from argflux.cli.relus import make_relu

    learned, _ = load_data(settings)
    model = build(learned, settings, make_relu(settings.relu))
    fit(model, learned, settings, resumed, resume=resumed is not None, distributed=True)


def _lead(settings: Settings, make_folder: Callable[[], Path], resume: bool, distributed: bool) -> None:
    from argflux.cli.classifier import build, fit, rule_of, score
    from argflux.cli.datasets import load_data
    from argflux.cli.relus import make_relu
    from argflux.cli.results import print_table, write_results

    learned, tested = load_data(settings)
    optimiser = rule_of(settings)
    folder = make_folder()
    if resume:
        _check_epochs(settings, folder)
    settings.save(folder / SETTINGS)
    advice = f"go on with: argflux train {settings.dataset} --resume {shlex.quote(str(folder))}"
    with keeping(f"history and checkpoint are in {folder}; {advice}"):
        model = build(learned, settings, make_relu(settings.relu))
        say(model)
        say(f"{settings.dataset}: {len(learned.x)} observations, {settings.epochs} epochs of {optimiser}")
        model, history, seconds = fit(model, learned, settings, folder, resume=resume, distributed=distributed)
        outcome = score(model, history, seconds, learned, tested)
        files = write_results(outcome, tested, folder)
    print_table({settings.dataset: outcome})
    list_files(files | {"settings": folder / SETTINGS, "checkpoint": folder / CHECKPOINT})


def _check_epochs(settings: Settings, folder: Path) -> None:
    """Raise ArgumentError if a run has gone through more epochs than are asked for."""
    from argflux.training.checkpoint import epochs_begun

    done = epochs_begun(folder / CHECKPOINT)
    if settings.epochs < done:
        expected, todo = f"at least the {done} that the run in {folder} has begun", "pass more, or start a new run"
        raise ArgumentError(f"{settings.epochs}", expected, todo, where="--epochs")
