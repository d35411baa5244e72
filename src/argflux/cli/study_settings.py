"""The settings of `argflux study`: checked, with defaults for each data set, kept as JSON beside the results."""

import shlex
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

from argflux.cli.kept import read_settings, write_settings
from argflux.cli.options import check_range, check_weights, choose
from argflux.cli.settings import DATASETS, MOST, WIDEST
from argflux.errors import ArgumentError

OUTPUTS = ("linear", "relu", "both")
FEWEST = 3  # starts of a family: with fewer there is no correlation within it
DEFAULT_FAMILIES = ("uniform", "kaiming_normal", "glorot_uniform", "orthogonal", "designed:1")


@dataclass(frozen=True)
class StudySettings:
    """What determines a study of starts.

    Args:
        dataset: moons, digits or mnist.
        hidden: the widths of the hidden layers.
        outputs: what follows the last layer: nothing, ReLU, or both in turn, as two studies.
        families: names of families of starts.
        starts: how many of each family.
        rate: the learning rate of plain descent.
        epochs: how often training goes through the data.
        batch: how many observations make a step.
        seed: of everything random.
        data: the folder of the MNIST files; None to look in the usual places.

    Raises:
        ArgumentError: for a value out of range, named as the option that sets it.
    """

    dataset: str
    hidden: tuple[int, ...]
    outputs: str = "both"
    families: tuple[str, ...] = DEFAULT_FAMILIES
    starts: int = 32
    rate: float = 0.1
    epochs: int = 3
    batch: int = 64
    seed: int = 0
    data: str | None = None

    def __post_init__(self) -> None:
        choose(self.dataset, DATASETS, "data set")
        choose(self.outputs, OUTPUTS, "--outputs")
        for width in self.hidden or (0,):
            check_range(
                "--hidden", width, 1, WIDEST, 'pass widths like "64,32"; zeros are counted behind hidden layers'
            )
        check_weights(self.hidden)
        check_range("--starts", self.starts, FEWEST, MOST, "two starts of a family say nothing of how starts differ")
        check_range("--epochs", self.epochs, 1, MOST, "leave it out for the default")
        check_range("--batch", self.batch, 1, MOST, "leave it out for the default")
        check_range("--seed", self.seed, 0, 2**32 - 1, "leave it out for 0")
        if not (self.rate > 0 and isfinite(self.rate)):
            raise ArgumentError(f"{self.rate}", "a finite number above 0", "try 0.1", where="--rate")
        if self.data is not None and self.dataset != "mnist":
            todo = "leave --data out"
            raise ArgumentError(f"--data with {self.dataset}", "--data with mnist only", todo, where="--data")

    def changed(self, options: dict[str, Any]) -> "StudySettings":
        """Return these settings with the options that are not None in place of the old values."""
        return replace(self, **{name: value for name, value in options.items() if value is not None})

    def variants(self) -> tuple[str, ...]:
        """Return the studies to make, by what follows the last layer."""
        return ("linear", "relu") if self.outputs == "both" else (self.outputs,)

    def command(self) -> str:
        """Write the command that makes this study.

        Example:
            >>> from argflux.cli.study_settings import STUDY_DEFAULTS
            >>> STUDY_DEFAULTS["moons"].command()[:41]
            'argflux study moons --hidden 16,16 --outp'
        """
        values = {
            "hidden": ",".join(map(str, self.hidden)),
            "outputs": self.outputs,
            "families": ",".join(self.families),
            "starts": self.starts,
            "rate": self.rate,
            "epochs": self.epochs,
            "batch": self.batch,
            "seed": self.seed,
            "data": self.data,
        }
        options = [part for name, value in values.items() if value is not None for part in (f"--{name}", str(value))]
        return shlex.join(["argflux", "study", self.dataset, *options])

    def save(self, path: Path) -> None:
        """Write the settings as JSON.

        Raises:
            OutputError: when the file cannot be written.
        """
        write_settings(path, self)


STUDY_DEFAULTS = {
    "moons": StudySettings("moons", (16, 16), starts=100, rate=0.9, epochs=200, batch=200),
    "digits": StudySettings("digits", (32, 16), starts=40, rate=0.1, epochs=30, batch=32),
    "mnist": StudySettings("mnist", (64, 32), starts=32, rate=0.1, epochs=3, batch=64),
}


def load_study_settings(path: Path) -> StudySettings:
    """Read settings that `save` wrote.

    Raises:
        LoadError: when the file is missing, damaged or of another make.
    """
    return read_settings(path, StudySettings, "argflux study", tuples=("hidden", "families"))
