"""design_weights for 784-750-320-50-10 on 500 MNIST images beside one scipy.optimize.linprog call for each unit.

linprog is timed on a few units of every layer, spread over it, and scaled to all of them; the column `timed` says how
many. Both solve the same programs: `worst gap` is how far our objective lies above linprog's at most.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import linprog

import argflux as af
from argflux.patterns.design.rows import unit_rows
from benchmarks.report import publish

SIZES = (784, 750, 320, 50, 10)
KAPPA, MARGIN, SAMPLES = 0.1, 0.1, 500
TIMED = 5


def network() -> af.Chain:
    keys = jax.random.split(jax.random.key(0), len(SIZES) - 1)
    return af.Chain(*[af.Dense(a, b, af.relu, key=k) for a, b, k in zip(SIZES[:-1], SIZES[1:], keys, strict=True)])


def program(rows, start, spread, bound):
    """Return linprog's arguments for one unit: the weights, the bias, and a slack for each sample."""
    samples, columns = rows.shape
    gain = -start / (bound * np.abs(start).sum())
    return {
        "c": np.r_[gain, 0.0, np.full(samples, KAPPA / samples / spread)],
        "A_ub": -np.hstack([rows, np.ones((samples, 1)), np.eye(samples)]),
        "b_ub": np.full(samples, -MARGIN * spread),
        "bounds": [(-bound, bound)] * (columns + 1) + [(0, None)] * samples,
    }


def objective(arguments, weight, bias):
    columns = len(weight) + 1
    given = np.append(weight, bias)
    slack = np.maximum(arguments["A_ub"][:, :columns] @ given - arguments["b_ub"], 0.0)
    return arguments["c"][:columns] @ given + arguments["c"][-1] * slack.sum()


def by_linprog(number, usual, designed, sample):
    """Return the seconds for each of a few units, and how far our objectives lie above linprog's."""
    name, layer = f"layers[{number}]", designed[number]
    before = af.Chain(*designed[:number], *usual[number:])
    found = unit_rows(before, name, sample)
    spread, bound = found.values.std(0).mean(), np.sqrt(3.0) * found.weight.std()
    seconds, gaps = [], []
    for unit in np.linspace(0, len(found.weight) - 1, TIMED).astype(int):
        arguments = program(found.rows, found.weight[unit], spread, bound)
        begun = time.perf_counter()
        result = linprog(**arguments)
        seconds.append(time.perf_counter() - begun)
        ours = objective(arguments, np.asarray(layer.weight[unit], float), float(layer.bias[unit]))
        gaps.append(ours - result.fun)
    return np.mean(seconds), max(gaps)


def measure(images, shown):
    usual = network()
    key = jax.random.key(1)
    begun = time.perf_counter()
    designed, report = af.design_weights(usual, images, key=key, kappa=KAPPA, margin=MARGIN, scale=None, progress=False)
    total = time.perf_counter() - begun
    rows, scaled = [], 0.0
    for number, layer in enumerate(report.layers):
        each, gap = by_linprog(number, usual, designed, jnp.asarray(images))
        scaled += each * layer.units
        rows.append(_row(shown, layer.name, layer, layer.units, layer.seconds, each * layer.units, TIMED, gap))
    return [
        *rows,
        _row(shown, "all", report, sum(SIZES[1:]), total, scaled, 4 * TIMED, max(r["worst gap"] for r in rows)),
    ]


def _row(data, name, counted, units, ours, theirs, timed, gap):
    return {
        "data": data,
        "layer": name,
        "units": units,
        "zeros": f"{counted.zeros_before:.1%} → {counted.zeros_after:.1%}",
        "design, s": ours,
        "linprog, s": theirs,
        "linprog / design": theirs / ours,
        "timed": timed,
        "worst gap": float(gap),
    }


def main() -> None:
    train, _ = af.load_mnist()
    images = train.x[np.random.default_rng(0).permutation(len(train.x))[:SAMPLES]]
    normalised = ((images - 0.1307) / 0.3081).astype(np.float32)
    cases = [("pixels in [0, 1]", images), ("normalised", normalised)]
    rows = [row for name, data in cases for row in measure(data, name)]
    publish("patterns_design", "Initial weights by linear programs, 784-750-320-50-10", rows, ["highspy", "scipy"])


if __name__ == "__main__":
    main()
