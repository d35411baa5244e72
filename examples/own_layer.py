"""A layer of one's own is a dataclass that can be called; its arrays are found without registration."""

import argparse
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
from matplotlib.figure import Figure

import argflux as af


@dataclass
class Bumps:
    """Bells along a line: exp(-((x - centre) / width)²), x of shape (..., 1) to (..., bells)."""

    centres: jax.Array
    widths: jax.Array

    def __call__(self, x):
        """Return how high each bell is at x."""
        return jnp.exp(-(((x - self.centres) / self.widths) ** 2))


def loss(model, x, y):
    return af.mse(model(x), y)


def main(out: Path) -> dict:
    out.mkdir(parents=True, exist_ok=True)
    x = jnp.linspace(-3.0, 3.0, 100)[:, None]
    y = jnp.sin(2 * x) * x

    af.seed(0)
    model = af.Chain(Bumps(jnp.linspace(-3.0, 3.0, 8), jnp.ones(8)), af.Dense(8, 1))
    print(model)
    print(af.params(model))

    trained, history = af.train(loss, model, [(x, y)], af.Adam(0.02), epochs=600, progress=False)
    moved = float(jnp.abs(trained[0].centres - model[0].centres).max())
    print(f"loss {history.losses[0]:.3f} to {history.losses[-1]:.5f}; a centre moved by {moved:.2f}")

    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.add_subplot(xlabel="x", ylabel="y")
    axes.plot(x, trained[0](x) * trained[1].weight[0], color="#BBBBBB", linewidth=1)
    axes.plot(x, y, color="#222222", label="x sin 2x")
    axes.plot(x, trained(x), "--", color="#D55E00", label="eight bells (grey) and a constant")
    axes.legend(frameon=False)
    print("wrote", af.plots.save_figure(figure, out / "fit.png", dpi=110))
    return {"names": af.params(model).names, "losses": history.losses, "moved": moved}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/own_layer"))
    main(parser.parse_args().out)
