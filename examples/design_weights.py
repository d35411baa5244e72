"""What linear programs do to the first layer of a network for digits, and how the network trains from there."""

import argparse
from pathlib import Path

import jax
import numpy as np
from matplotlib.figure import Figure

import argflux as af

BLUE, VERMILLION = "#0072B2", "#D55E00"


def main(out: Path, starts: int = 8, epochs: int = 15) -> dict:
    out.mkdir(parents=True, exist_ok=True)
    train, test = af.load_digits()
    usual = [network(number) for number in range(starts)]
    made = [af.design_weights(m, train.x, key=jax.random.key(i)) for i, m in enumerate(usual)]
    designed, reports = [model for model, _ in made], [report for _, report in made]
    pairs = [[accuracies(model, train, test, epochs) for model in models] for models in (usual, designed)]
    curves = dict(zip(("usual", "designed"), map(np.array, pairs), strict=True))
    before, after = [np.asarray(af.preactivations(m, train.x[:200])["layers[0]"]) for m in (usual[0], designed[0])]
    text = [
        "The first of the starts:",
        str(reports[0]).rsplit("\n", 1)[0],
        f"Test accuracy, mean of {starts} starts:",
        *(f"  {n:8} {c[:, 0].mean():.1%} after one epoch, {c[:, -1].mean():.1%} in the end" for n, c in curves.items()),
    ]
    print("\n".join(text))
    (out / "report.txt").write_text("\n".join(text) + "\n", encoding="utf-8")
    print("wrote", af.plots.save_figure(draw(before, after, curves), out / "layer.png", dpi=100))
    return {"reports": reports, "curves": curves, "before": before, "after": after}


def network(number: int) -> af.Chain:
    keys = jax.random.split(jax.random.key(number), 3)
    hidden = af.Dense(64, 64, af.relu, key=keys[0]), af.Dense(64, 32, af.relu, key=keys[1])
    return af.Chain(*hidden, af.Dense(32, 10, key=keys[2]))


def accuracies(model, train, test, epochs) -> list[float]:
    """Train by gradient descent, on the same batches for every model; return the test accuracy of each epoch."""
    (x, y), held_out = ((part.x, af.onehotbatch(part.y, train.classes)) for part in (train, test))
    data = af.DataLoader((x, y), batchsize=64, shuffle=True)
    watch = {"validation": held_out, "metrics": {"accuracy": lambda model, x, y: af.accuracy(model(x), y)}}
    fitted = af.train(loss, model, data, af.Descent(0.05), epochs=epochs, progress=False, **watch)
    return [record.metrics["accuracy"] for record in fitted[1]]


def loss(model, x, y):
    return af.logitcrossentropy(model(x), y)


def draw(before, after, curves) -> Figure:
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    axes = figure.subplots(1, 4, width_ratios=[1.3, 1, 1, 1.3])
    for values, name, colour in ((before, "usual", BLUE), (after, "designed", VERMILLION)):
        axes[0].hist(values.ravel(), bins=60, histtype="step", color=colour, lw=1.6, label=name)
    axes[0].axvline(0, color="black", lw=0.8)
    axes[0].set(title="64 units on 200 digits", xlabel="pre-activation", yticks=[])
    axes[0].legend(frameon=False)
    for place, values, name in ((axes[1], before, "usual"), (axes[2], after, "designed")):
        on = values > 0
        place.imshow(on[:, np.argsort(on.mean(0))].T, cmap="Greys_r", aspect="auto", interpolation="nearest")
        place.set(title=f"{name}: {1 - on.mean():.0%} off (black)", xlabel="digit", ylabel="unit", xticks=[], yticks=[])
    for (name, runs), colour in zip(curves.items(), (BLUE, VERMILLION), strict=True):
        epochs = np.arange(1, runs.shape[1] + 1)
        axes[3].fill_between(epochs, runs.min(0), runs.max(0), color=colour, alpha=0.2, lw=0)
        axes[3].plot(epochs, runs.mean(0), color=colour, lw=1.8, label=name)
    axes[3].set(title="test accuracy, mean and range", xlabel="epoch")
    axes[3].legend(frameon=False, loc="lower right")
    return figure


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/design_weights"))
    main(parser.parse_args().out)
