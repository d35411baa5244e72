"""A convolutional network with an identity skip learns MNIST."""

import argparse
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import argflux as af

EPOCHS, BATCH = 5, 32


def main(out: Path, data: str | None = None, epochs: int = EPOCHS) -> dict:
    out.mkdir(parents=True, exist_ok=True)
    train, test = (part for part in af.load_mnist(data))
    model = network()
    print(model)
    loader = af.DataLoader((pictures(train), af.onehotbatch(train.y, train.classes)), BATCH, shuffle=True)
    scores: list[float] = []

    def report(record):
        scores.append(accuracy(record.model, test))
        print(f"epoch {record.epoch}: loss {record.loss:.4f}, test accuracy {scores[-1]:.2%}", flush=True)

    model, history = af.train(loss, model, loader, af.Adam(0.001), epochs=epochs, callback=report)
    af.save(out / "model.safetensors", model)
    curve = af.plots.loss_curve(history, title="A convolutional network with a skip on MNIST")
    print("wrote", af.plots.save_figure(curve, out / "loss.png", dpi=110))
    return {"model": model, "scores": scores, "history": history}


def network():
    """Return the network: 28 × 28 pictures become 27, 13, 12, 6 and 5 wide, and 5 · 5 · 32 is 800."""
    af.seed(0)
    return af.Chain(
        af.Conv((2, 2), 1, 32, af.relu),
        af.MaxPool((2, 2)),
        af.Conv((2, 2), 32, 32, af.relu),
        af.MaxPool((2, 2)),
        af.Conv((2, 2), 32, 32, af.relu),
        af.Flatten(),
        af.Dense(800, 100, af.relu),
        af.SkipConnection(af.Dense(100, 100, af.relu), jnp.add),
        af.Dense(100, 10),
    )


def pictures(part):
    return jnp.asarray(part.x).reshape(-1, 28, 28, 1)


def loss(model, x, y):
    return af.logitcrossentropy(model(x), y)


@eqx.filter_jit
def predicted(model: af.Chain, x: jax.Array) -> jax.Array:
    return jnp.argmax(model(x), 1)


def accuracy(model, part):
    x = pictures(part)
    right = [np.asarray(predicted(model, x[i : i + 1000])) == part.y[i : i + 1000] for i in range(0, len(x), 1000)]
    return float(np.concatenate(right).mean())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/skip_mnist"))
    parser.add_argument("--data", help="the folder of the MNIST files")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    options = parser.parse_args()
    main(options.out, options.data, options.epochs)
