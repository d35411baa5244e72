"""Twenty layers learn the digits with skip connections, and hardly without."""

import argparse
from pathlib import Path

import jax.numpy as jnp
from matplotlib.figure import Figure

import argflux as af

DEPTH, WIDTH, EPOCHS, STARTS = 20, 32, 30, 3


def main(out: Path, epochs: int = EPOCHS) -> dict:
    out.mkdir(parents=True, exist_ok=True)
    train, test = af.load_digits()
    curves = {name: [learn(skip, train, key, epochs) for key in range(STARTS)] for name, skip in NETS.items()}
    accuracy = {name: [float(af.accuracy(m(test.x), test.y)) for m, _ in runs] for name, runs in curves.items()}
    for name, scores in accuracy.items():
        print(f"{DEPTH} layers {name}: test accuracy {', '.join(f'{score:.1%}' for score in scores)}")
    losses = {name: [history for _, history in runs] for name, runs in curves.items()}
    print("wrote", af.plots.save_figure(draw(losses), out / "depth.png", dpi=110))
    return {"accuracy": accuracy, "losses": losses}


NETS = {"without skips": lambda layer: layer, "with skips": lambda layer: af.SkipConnection(layer, jnp.add)}


def deep(skip, key):
    """Return a classifier of the digits, each of its hidden blocks (norm, ReLU, weights) wrapped by `skip`."""
    af.seed(key)
    blocks = [skip(af.Chain(af.BatchNorm(WIDTH, af.relu), af.Dense(WIDTH, WIDTH))) for _ in range(DEPTH - 2)]
    return af.Chain(af.Dense(64, WIDTH), *blocks, af.relu, af.Dense(WIDTH, 10))


def learn(skip, train, key, epochs):
    loader = af.DataLoader((train.x, af.onehotbatch(train.y, train.classes)), 64, shuffle=True, seed=key)
    return af.train(loss, deep(skip, key), loader, af.Adam(0.001), epochs=epochs, progress=False)


def loss(model, x, y):
    return af.logitcrossentropy(model(x), y)


def draw(histories):
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.add_subplot(xlabel="epoch", ylabel="loss on the training data", yscale="log")
    for (name, runs), colour, style in zip(histories.items(), ("#D55E00", "#0072B2"), ("--", "-"), strict=True):
        for i, history in enumerate(runs):
            epochs = [record.epoch for record in history]
            axes.plot(epochs, [r.loss for r in history], style, color=colour, label=None if i else name)
    axes.set_title(f"{DEPTH} layers on the digits, {len(runs)} starts each")
    axes.legend(frameon=False)
    return figure


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/deep_residual"))
    main(parser.parse_args().out)
