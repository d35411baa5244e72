"""The study of starts: does what a ReLU network does to the data before training say how well it trains?"""

import math
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from argflux.data import check_data, onehotbatch
from argflux.data.arguments import check_integer
from argflux.errors import ArgumentError, DataError, DtypeError, ShapeError
from argflux.keywords import explained
from argflux.kinds import shortened
from argflux.nn import logitcrossentropy, trainables
from argflux.patterns.design.meter import Meter
from argflux.patterns.sites.sites import find_sites, require_units
from argflux.patterns.study.families import Draw, Family, families_of
from argflux.patterns.study.findings import Study
from argflux.patterns.study.records import Records, read_records, read_settings
from argflux.patterns.study.together import Together
from argflux.patterns.study.trial import Course, Start, Trial, chunks
from argflux.training import Descent
from argflux.training.devices import is_first_process, meet
from argflux.training.program import checked_loss

WHERE = "study_initialisations"
FORMAT = 1


@explained
def study_initialisations(
    families: Iterable[str | Family] | Mapping[str, Draw],
    network: Any,
    data: tuple[Any, Any],
    *,
    starts: int = 32,
    epochs: int = 3,
    batchsize: int = 64,
    rule: Any = None,
    loss: Callable[..., Any] = logitcrossentropy,
    every: int | None = None,
    seed: int = 0,
    folder: str | Path | None = None,
    chunk: int | None = None,
    progress: bool = True,
    distributed: bool = False,
) -> Study:
    """Train many starts of a network, of several families, and relate what they were like before to how they trained.

    All starts of a chunk are trained by one program, on the same batches in the same order. Each start's random key
    depends on `seed`, its family and its number only. With a folder, records are on the disk as each chunk ends, and
    a study that was interrupted goes on when it is called again with the same arguments.

    Args:
        families: names, such as `"kaiming_normal"`, `"orthogonal"` or `"designed:1"` (linear programs choose the
            weights, with zeros priced at κ = 1); `Family` objects; or a dict of functions `draw(key, network, x)`.
        network: a classifier with ReLU-like units; its own weights do not matter.
        data: training and test data, each a Dataset or a pair of inputs, shape (n, …), and labels, shape (n,).
        starts: how many of each family.
        epochs: how often training goes through the data.
        batchsize: rows in a step; the rows after the last whole batch of an epoch are left out.
        rule: what makes steps; `Descent(0.1)` by default.
        loss: from outputs and one-hot rows to a scalar.
        every: epochs between two measurements of the test accuracy; about twenty in all by default.
        seed: of everything random.
        folder: where records are kept; None to keep them in memory.
        chunk: the most starts to train together; by default as many as fit half a gigabyte, 64 at most.
        progress: whether to show a bar with the time left, on a terminal.
        distributed: whether to deal the chunks out over all processes (see `af.training.join_processes`), which need
            a folder that all of them see. Each writes records of its own there, and each returns the whole study. The
            records of a process that is killed stay, but for its last chunk: the same call, with as many processes as
            you like, goes on from there.

    Returns:
        A Study: the records, and correlations and comparisons made from them.

    Raises:
        ArgumentError: for unknown families, a network without ReLU-like units, a folder with other settings, or none
            for several processes.
        DataError: for data that are empty, not finite or constant, or of one class.
        ShapeError: for outputs that are not one score for each class.
        OutputError: when records cannot be written; those written before stay.

    Example:
        >>> import argflux as af
        >>> from argflux.patterns import study_initialisations
        >>> network = af.Chain(af.Dense(2, 8, af.relu), af.Dense(8, 2))
        >>> moons = af.make_moons(60, seed=0), af.make_moons(60, seed=1)
        >>> study = study_initialisations(
        ...     ["uniform", "orthogonal"], network, moons, starts=3, epochs=20, batchsize=60, rule=af.Descent(0.5)
        ... )
        >>> study
        Study(6 starts of uniform, orthogonal)
        >>> study.outcome("test accuracy").shape
        (6,)
    """
    chosen = families_of(families)
    numbers = {"starts": starts, "epochs": epochs, "batchsize": batchsize}
    for name, value in numbers.items():
        check_integer(value, 1, name, WHERE)
    rule = Descent(0.1) if rule is None else rule
    every = max(1, epochs // 20) if every is None else check_integer(every, 1, "every", WHERE)
    course, classes = _course(data, epochs, batchsize, every, check_integer(seed, 0, "seed", WHERE))
    _check_network(network, course, loss)
    settings = {
        "format": FORMAT,
        "families": [family.name for family in chosen],
        **numbers,
        "rule": repr(rule),
        "loss": getattr(loss, "__name__", repr(loss)),
        "every": every,
        "seed": seed,
        "network": repr(network),
        "data": _fingerprint(data, course),
        "classes": classes,
    }
    turn = (jax.process_index(), jax.process_count()) if distributed else (0, 1)
    records = _shared_records(folder, settings) if turn[1] > 1 else Records(folder, settings)
    wanted = [(family, number) for number in range(starts) for family in chosen]
    _go(lambda: Trial(Together(network, loss, rule), course), records, wanted, chunk, progress and not turn[0], turn)
    if turn[1] > 1:
        meet(f"records in {folder}")
        records.read()
    return Study(records.settings, _sorted(records.kept, settings["families"]))


@explained
def load_study(folder: str | Path) -> Study:
    """Return the study in a folder, as far as it has come.

    Raises:
        LoadError: when there is none, or its files are damaged.

    Example:
        >>> from argflux.patterns import load_study
        >>> load_study("nowhere")
        Traceback (most recent call last):
        argflux.errors.LoadError: nowhere/study.json: got No such file or directory; ...
    """
    settings = read_settings(folder)
    return Study(settings, _sorted(read_records(folder), settings["families"]))


def _shared_records(folder: str | Path | None, settings: dict[str, Any]) -> Records:
    """The records of this process among those of the others, in a folder that the first one makes."""
    if folder is None:
        got, todo = f"no folder for {jax.process_count()} processes", "pass folder="
        raise ArgumentError(got, "a folder that all processes see, where their records meet", todo, where=WHERE)
    if not is_first_process():
        meet(f"folder of {folder}")
    records = Records(folder, settings, jax.process_index())
    if is_first_process():
        meet(f"folder of {folder}")
    return records


def _go(
    begin: Callable[[], Trial],
    records: Records,
    wanted: list[Start],
    chunk: int | None,
    progress: bool,
    turn: tuple[int, int],
) -> None:
    """Take the starts that are not recorded through the course: of every so many chunks the one whose turn it is."""
    left = [(family, number) for family, number in wanted if not records.has(family.name, number)]
    if not left:
        return
    trial = begin()
    parameters = sum(array.size for array in trial.together.template)
    most = min(chunk or len(left), math.ceil(len(left) / turn[1]))
    own = chunks(left, parameters, most)[turn[0] :: turn[1]]
    done = len(wanted) - len(left)
    with Meter(done + sum(map(len, own)), "starts", done, progress) as meter:
        for part in own:
            records.add(trial.run(part, meter.advance))


def _course(data: tuple, epochs: int, batchsize: int, every: int, seed: int) -> tuple[Course, int]:
    if not isinstance(data, tuple | list) or len(data) != 2:
        todo = "pass (train, test), such as load_digits() returns"
        raise ArgumentError(f"data of type {type(data).__name__}", "a pair", todo, where=WHERE)
    parts = [_pair(name, part) for name, part in zip(("train", "test"), data, strict=True)]
    classes = sorted(set(getattr(data[0], "classes", ())) | set(np.unique(parts[0][1]).tolist()))
    if len(classes) < 2:
        todo = "pass labels of two classes or more"
        raise DataError(f"one class, {classes[0]!r}", "something to tell apart", todo, where=WHERE)
    encoded = [(x, np.asarray(onehotbatch(y, classes))) for x, y in parts]
    if parts[0][0].shape[1:] != parts[1][0].shape[1:]:
        got = f"training inputs of shape {parts[0][0].shape} and test inputs of shape {parts[1][0].shape}"
        raise ShapeError(got, "the same shape but for the first axis", "prepare both alike", where=WHERE)
    if batchsize > len(parts[0][0]):
        got, todo = f"batchsize={batchsize}", "lower it"
        raise ArgumentError(got, f"at most the {len(parts[0][0])} training rows", todo, where=WHERE)
    return Course(encoded[0], encoded[1], epochs, batchsize, every, seed), len(classes)


def _pair(name: str, part: Any) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(part, Iterable) or len(part := tuple(part)) != 2:
        todo = "pass a Dataset, or (x, y)"
        raise ArgumentError(f"{name} data {shortened(part)}", "inputs and labels", todo, where=WHERE)
    x, y = part
    x, y = np.asarray(x), np.asarray(y)
    if x.dtype.kind not in "fiub":
        todo = "convert them to numbers first"
        raise DtypeError(f"{name} inputs of dtype {x.dtype}", "numbers", todo, where=WHERE)
    check_data((x, y))
    x = x.astype(jax.dtypes.canonicalize_dtype(x.dtype if x.dtype == np.float64 else np.float32))
    if np.ptp(x) == 0:
        got, todo = f"{name} inputs that are all {x.flat[0]:g}", "pass inputs that differ"
        raise DataError(got, "inputs to tell apart", todo, where=WHERE)
    return x, y


def _check_network(network: Any, course: Course, loss: Callable) -> None:
    x, y = (part[:2] for part in course.train)
    sites = find_sites(network, jax.ShapeDtypeStruct(x.shape, x.dtype))
    outputs = jax.eval_shape(lambda x: network(x), jax.ShapeDtypeStruct(x.shape, x.dtype))
    if outputs.shape != y.shape:
        got, expected = f"outputs of shape {outputs.shape} for two inputs", f"{y.shape}, a score for each class"
        raise ShapeError(got, expected, "end the network in as many outputs as there are classes", where=WHERE)
    jax.eval_shape(
        lambda scores, y: checked_loss(loss(scores, y), WHERE), outputs, jax.ShapeDtypeStruct(y.shape, y.dtype)
    )
    require_units(sites, WHERE)
    if not trainables(network):
        got, todo = "a network without floating arrays", "add layers with weights"
        raise ArgumentError(got, "weights to train", todo, where=WHERE)


def _fingerprint(data: tuple, course: Course) -> dict[str, Any]:
    arrays = [array for part in (course.train, course.test) for array in part]
    return {
        "name": getattr(data[0], "name", "data"),
        "train": len(arrays[0]),
        "test": len(arrays[2]),
        "checksum": [zlib.crc32(array.tobytes()) for array in arrays],
    }


def _sorted(records: list[dict[str, Any]], families: list[str]) -> list[dict[str, Any]]:
    return sorted(records, key=lambda record: (families.index(record["family"]), record["start"]))
