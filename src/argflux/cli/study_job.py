"""The job behind `argflux study`: a study for each kind of output, then one report about all."""

import itertools
from pathlib import Path
from typing import Any

import jax

from argflux import nn, plots
from argflux.cli.console import say
from argflux.cli.datasets import load_data
from argflux.cli.folders import SETTINGS
from argflux.cli.settings import DEFAULTS
from argflux.cli.study_settings import StudySettings
from argflux.data import Dataset
from argflux.patterns.study.families import families_of
from argflux.patterns.study.study import Study, study_initialisations
from argflux.patterns.study.verdict import verdict
from argflux.training import Descent
from argflux.training.devices import is_first_process

NAMES = {"linear": "linear output", "relu": "ReLU on the output"}


def check(settings: StudySettings) -> tuple[Dataset, Dataset]:
    """Return training and test data, after checking what the settings name.

    Raises:
        ArgumentError: for an unknown family, or a batch larger than the data.
        DataError: for files that are missing or damaged.
    """
    families_of(settings.families)
    return load_data(DEFAULTS[settings.dataset].changed(batch=settings.batch, seed=settings.seed, data=settings.data))


def network(train: Dataset, settings: StudySettings, relu_on_output: bool) -> nn.Chain:
    """Make the network whose starts are studied."""
    widths = (train.x.shape[1], *settings.hidden)
    key = jax.random.key(settings.seed)
    layers = [nn.Dense(i, o, nn.relu, key=key) for i, o in itertools.pairwise(widths)]
    last = nn.relu if relu_on_output else nn.identity
    return nn.Chain(*layers, nn.Dense(widths[-1], len(train.classes), last, key=key))


def make_studies(
    settings: StudySettings, data: tuple[Dataset, Dataset], folder: Path, distributed: bool
) -> dict[str, Study]:
    """Make the studies that the settings ask for, each in a folder of its own, and return them by name."""
    found = {}
    for variant in settings.variants():
        model = network(data[0], settings, variant == "relu")
        count = settings.starts * len(settings.families)
        if is_first_process():
            say(f"{settings.dataset}, {NAMES[variant]}: {count} starts, {settings.epochs} epochs")
        found[NAMES[variant]] = study_initialisations(
            settings.families,
            model,
            data,
            starts=settings.starts,
            epochs=settings.epochs,
            batchsize=settings.batch,
            rule=Descent(settings.rate),
            seed=settings.seed,
            folder=folder / variant,
            distributed=distributed,
        )
    return found


def make_report(
    settings: StudySettings, studies: dict[str, Study], folder: Path
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Write the page and the figures, and return their paths by what they hold, and the verdicts.

    Raises:
        OutputError: when a file cannot be written.
    """
    sentences = {name: verdict(study) for name, study in studies.items()}
    page = plots.study_page(studies, folder / "study.html", verdict=sentences, command=settings.command())
    files: dict[str, Any] = {"report": page}
    for variant, (name, study) in zip(settings.variants(), studies.items(), strict=True):
        records = sorted((folder / variant).glob("records*.jsonl"))
        files[f"{name}: records"] = records[0] if len(records) == 1 else folder / variant
        files[f"{name}: families"] = plots.save_figure(
            plots.families_compared(study), folder / f"{variant}-families.png"
        )
        files[f"{name}: measures"] = plots.save_figure(plots.scatter_starts(study), folder / f"{variant}-measures.png")
    return files | {"settings": folder / SETTINGS}, sentences
