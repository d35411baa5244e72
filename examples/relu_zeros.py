"""A classifier with a ReLU on its outputs too: its zeros, and the ceiling that they put on accuracy."""

import argparse
import itertools
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
from matplotlib.figure import Figure

import argflux as af

WIDTHS = (784, 750, 320, 50, 10)
LOSS = lambda model, x, y: af.logitcrossentropy(model(x), y)


def main(out: Path, data: str | None = None, starts: int = 4, epochs: int = 5, widths: tuple = WIDTHS) -> dict:
    train, test = (replace(part, x=(part.x - 0.1307) / 0.3081) for part in af.load_mnist(data))
    runs = [run(number, af.relu, train, test, epochs, widths) for number in range(starts)]
    cured = run(0, af.identity, train, test, epochs, widths)
    percent = lambda parts: ", ".join(f"{part:.1%}" for part in parts[1:])
    lines = [str(runs[0]["counts"])]
    for number, found in enumerate(runs):
        lines.append(
            f"start {number}: dead {found['dead']}, silent {found['silent'][0]}, trained {found['silent'][-1]}"
        )
        lines.append(f"  accuracy by epoch {percent(found['accuracy'])}; ceiling at the end {found['ceiling'][-1]:.1%}")
    lines.append(f"start 0 without the last ReLU: {percent(cured['accuracy'])}")
    print(*lines, sep="\n")
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.txt").write_text("\n".join(lines) + "\n")
    print("wrote", af.plots.save_figure(draw(runs, cured), out / "ceiling.png", dpi=90))
    return {"runs": runs, "cured": cured}


def start(number: int, last, widths) -> af.Chain:
    """Draw weights and biases as PyTorch's Linear does."""
    pairs = list(itertools.pairwise(widths))
    layers = [af.Dense(*pair, af.relu) for pair in pairs[:-1]] + [af.Dense(*pairs[-1], last)]
    return af.patterns.redraw(af.Chain(*layers), jax.random.key(number), af.init.uniform, biases=True)


def run(number, last, train, test, epochs, widths) -> dict:
    """Train one start, and note after every epoch its accuracy and what the outputs do on their own class."""
    model, state = start(number, last, widths), af.Descent(0.01)
    loader = af.DataLoader((train.x, np.eye(10, dtype=np.float32)[train.y]), 64, shuffle=True, seed=number)
    counts, found = af.count_zeros(model, test.x), {"silent": [], "accuracy": [], "ceiling": []}
    found |= {"counts": counts, "dead": np.flatnonzero([*counts.dead.values()][-1]).tolist()}
    for epoch in range(epochs + 1):
        if epoch:
            model, history = af.train(LOSS, model, loader, state, progress=False)
            state = history.state
        outputs = np.asarray(model(test.x))
        alive = outputs[np.arange(len(test.y)), test.y] != 0
        ties = (outputs == 0).all(axis=1) & (test.y == 0)  # when all outputs are 0, the first class is the answer
        found["accuracy"].append(float(af.accuracy(outputs, test.y)))
        found["ceiling"].append(float((alive | ties).mean()))
        found["silent"].append([k for k in range(10) if alive[test.y == k].mean() < 0.01])
    return found


@af.plots.style.styled
def draw(runs, cured) -> Figure:
    axes = Figure(figsize=(9.5, 4)).add_subplot(xlabel="epoch", ylabel="part of the test images", ylim=(0, 1.03))
    for number, found in enumerate(runs):
        colour = af.plots.style.colour(number)
        axes.plot(found["accuracy"], color=colour, marker="o", ms=5, label=f"start {number}: accuracy")
        axes.plot(found["ceiling"], color=colour, ls="--", lw=1.2, label="its ceiling")
    axes.plot(cured["accuracy"], color=af.plots.style.INK, label="start 0 without the last ReLU")
    axes.figure.legend(loc="outside right")
    return axes.figure


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/relu_zeros"))
    parser.add_argument("--data", help="folder of the MNIST files; downloaded without")
    main(**vars(parser.parse_args()))
