"""`argflux study`: many starts of a ReLU network, trained together, measured and correlated; an HTML report."""

import shlex
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from argflux.cli.console import list_files, say
from argflux.cli.failures import keeping
from argflux.cli.folders import RESUMABLE, SETTINGS, new_folder
from argflux.cli.options import choose, parse_number, parse_whole, parse_widths
from argflux.cli.settings import DATASETS
from argflux.cli.study_settings import OUTPUTS, STUDY_DEFAULTS, StudySettings, load_study_settings
from argflux.errors import ArgumentError

EXAMPLES = """\b
Examples:
  argflux study moons
  argflux study digits --starts 50 --families kaiming_normal,designed:1
  argflux study mnist --data ~/mnist --outputs relu --out runs/zeros
  argflux study mnist --resume runs/zeros
  argflux study mnist --out runs/zeros --distributed
\b
Without options:
  moons   16,16  rate 0.9  200 epochs  batches of 200  100 starts a family
  digits  32,16  rate 0.1   30 epochs  batches of 32    40 starts a family
  mnist   64,32  rate 0.1    3 epochs  batches of 64    32 starts a family
\b
Families: uniform, kaiming_uniform, kaiming_normal, glorot_uniform,
glorot_normal, lecun_normal, orthogonal, and designed:KAPPA, where linear
programs choose the weights.
"""


def study(
    dataset: Annotated[str, Argument(metavar="|".join(DATASETS), help="What to learn.", show_default=False)],
    families: Annotated[str | None, Option(metavar="NAMES", help="Families of starts, with commas between.")] = None,
    starts: Annotated[str | None, Option(metavar="N", help="Starts of each family.")] = None,
    hidden: Annotated[str | None, Option(metavar="WIDTHS", help='Hidden layers, as "64,32".')] = None,
    outputs: Annotated[
        str | None, Option(metavar="|".join(OUTPUTS), help="What follows the last layer; both, as two studies.")
    ] = None,
    rate: Annotated[str | None, Option(metavar="NUMBER", help="Learning rate of plain descent.")] = None,
    epochs: Annotated[str | None, Option(metavar="N", help="How often to go through the data.")] = None,
    batch: Annotated[str | None, Option(metavar="N", help="Observations in a step.")] = None,
    seed: Annotated[str | None, Option(metavar="N", help="Of starts, batches and moons; 0.")] = None,
    data: Annotated[Path | None, Option(metavar="DIR", help="Folder of the MNIST files.")] = None,
    out: Annotated[Path | None, Option(metavar="DIR", help="New folder for the results; runs/study-DATASET.")] = None,
    resume: Annotated[Path | None, Option(metavar="DIR", help="Go on with the study in this folder.")] = None,
    distributed: Annotated[
        bool, Option("--distributed", help="Deal the starts out over all processes; needs --out or --resume.")
    ] = False,
) -> None:
    """Train many starts together and ask whether their zeros before training say how well they train.

    Records are on the disk as each chunk of starts ends; an interrupted study goes on by --resume.
    """
    options = {
        "families": None if families is None else tuple(part.strip() for part in families.split(",")),
        "starts": None if starts is None else parse_whole(starts, "--starts"),
        "hidden": None if hidden is None else parse_widths(hidden),
        "outputs": None if outputs is None else choose(outputs, OUTPUTS, "--outputs"),
        "rate": None if rate is None else parse_number(rate, "--rate"),
        "epochs": None if epochs is None else parse_whole(epochs, "--epochs"),
        "batch": None if batch is None else parse_whole(batch, "--batch"),
        "seed": None if seed is None else parse_whole(seed, "--seed"),
        "data": None if data is None else str(data.expanduser().absolute()),
    }
    name = choose(dataset, DATASETS, "data set")
    if distributed:
        _join(out or resume)
    if resume is None:
        _run(STUDY_DEFAULTS[name].changed(options), out, None, distributed)
    else:
        _run(_resumed(name, options, out, resume), None, resume, distributed)


def _join(folder: Path | None) -> None:
    from argflux.training import devices

    devices.join_processes()
    if folder is None:
        todo = "pass --out, a folder that all processes see"
        raise ArgumentError("--distributed without a folder", "--out or --resume", todo, where="--distributed")


def _resumed(name: str, options: dict[str, Any], out: Path | None, folder: Path) -> StudySettings:
    """Return the settings of the study in a folder, which the options must not contradict."""
    if out is not None:
        got, todo = f"--resume {folder} with --out {out}", "leave --out out; results stay in the resumed folder"
        raise ArgumentError(got, "one of the two", todo, where="--resume")
    kept = load_study_settings(folder / SETTINGS)
    for option, value in {"dataset": name, **options}.items():
        if value is not None and value != getattr(kept, option):
            got, expected = f"{option} {value}", f"{option} {getattr(kept, option)} as in {folder}"
            raise ArgumentError(got, expected, "leave it out, or start a new study", where="--resume")
    return kept


def _run(settings: StudySettings, out: Path | None, resumed: Path | None, distributed: bool) -> None:
    from argflux.cli.study_job import check, make_report, make_studies
    from argflux.training.devices import is_first_process

    data = check(settings)
    shared = out or resumed
    if distributed and shared is not None and not is_first_process():
        make_studies(settings, data, shared, distributed)
        return
    folder = new_folder(out, f"study-{settings.dataset}", RESUMABLE) if resumed is None else resumed
    settings.save(folder / SETTINGS)
    advice = f"go on with: argflux study {settings.dataset} --resume {shlex.quote(str(folder))}"
    with keeping(f"the records are in {folder}; {advice}"):
        studies = make_studies(settings, data, folder, distributed)
        files, sentences = make_report(settings, studies, folder)
    for name, lines in sentences.items():
        say(name, style="bold")
        say(lines[0])
        for line in lines[1:]:
            say(f"  {line}")
    list_files(files)
