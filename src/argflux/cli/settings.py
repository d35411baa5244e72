"""The settings of a training run: checked, with defaults for each data set, kept as JSON beside the results."""

from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

from argflux.cli.kept import read_settings, write_settings
from argflux.cli.options import check_range, check_weights, choose
from argflux.errors import ArgumentError

DATASETS = ("moons", "digits", "mnist")
RULES = (
    "Descent",
    "Momentum",
    "Nesterov",
    "AdaGrad",
    "RMSProp",
    "Adam",
    "AdamW",
    "NAdam",
    "RAdam",
    "AdaBelief",
    "Lion",
)
RELUS = ("plain", "program")
WIDEST, MOST = 65_536, 1_000_000_000


@dataclass(frozen=True)
class Settings:
    """What determines a training run.

    Args:
        dataset: moons, digits or mnist.
        hidden: the widths of the hidden layers.
        rule: the name of the optimiser.
        rate: its learning rate; None for the rule's own.
        epochs: how often training goes through the data.
        batch: how many observations make a step.
        seed: of the start weights, the order of the batches and the points of moons.
        data: the folder of the MNIST files; None to look in the usual places.
        relu: what follows each hidden layer: plain, or program, the solution of a quadratic one.

    Raises:
        ArgumentError: for a value out of range, named as the option that sets it.
    """

    dataset: str
    hidden: tuple[int, ...] = ()
    rule: str = "Adam"
    rate: float | None = None
    epochs: int = 1
    batch: int = 1
    seed: int = 0
    data: str | None = None
    relu: str = "plain"

    def __post_init__(self) -> None:
        choose(self.dataset, DATASETS, "data set")
        choose(self.rule, RULES, "--rule")
        choose(self.relu, RELUS, "--relu")
        for width in self.hidden:
            check_range("--hidden", width, 1, WIDEST, 'pass widths like "16,16", or none')
        check_weights(self.hidden)
        check_range("--epochs", self.epochs, 1, MOST, "leave it out for the default")
        check_range("--batch", self.batch, 1, MOST, "leave it out for the default")
        check_range("--seed", self.seed, 0, 2**32 - 1, "leave it out for 0")
        if self.rate is not None and not (self.rate >= 0 and isfinite(self.rate)):
            expected, todo = "a finite number, at least 0", "try 0.01, or leave it out for the default"
            raise ArgumentError(f"{self.rate}", expected, todo, where="--rate")
        if self.data is not None and self.dataset != "mnist":
            todo = "leave --data out"
            raise ArgumentError(f"--data with {self.dataset}", "--data with mnist only", todo, where="--data")

    def changed(self, **options: Any) -> "Settings":
        """Return these settings with the options that are not None in place of the old values."""
        given = {name: value for name, value in options.items() if value is not None}
        same_rule = given.get("rule", self.rule) == self.rule
        return replace(self if same_rule else replace(self, rate=None), **given)  # a rate belongs to its rule

    def save(self, path: Path) -> None:
        """Write the settings as JSON.

        Raises:
            OutputError: when the file cannot be written.
        """
        write_settings(path, self)


DEFAULTS = {
    "moons": Settings("moons", (16, 16), "Descent", 0.9, epochs=200, batch=200),
    "digits": Settings("digits", (64,), "Adam", 0.001, epochs=60, batch=32),
    "mnist": Settings("mnist", (128, 64), "Adam", 0.001, epochs=5, batch=64),
}


def load_settings(path: Path) -> Settings:
    """Read settings that `save` wrote.

    Raises:
        LoadError: when the file is missing, damaged or of another make.
    """
    return read_settings(path, Settings, "argflux train", tuples=("hidden",))
