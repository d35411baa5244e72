"""Descent until the loss is below 1e-7, three ways: train until, gradient and update by hand, the implicit style."""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp

import argflux as af

TINY = 1e-7


def main(out: Path) -> dict:
    out.mkdir(parents=True, exist_ok=True)
    x, y = jax.random.normal(jax.random.key(0), (10,)), jax.random.normal(jax.random.key(1), (2,))
    af.seed(0)
    model = af.Chain(af.Dense(10, 5, af.relu), af.Dense(5, 5, af.relu), af.Dense(5, 2))
    print(model)

    trained, history = af.train(
        loss, model, [(x, y)], af.Descent(0.1), epochs=1000, until=lambda record: record.loss < TINY, progress=False
    )
    print(f"train until: stopped by {history.stopped}; step {len(history)} started from {history.losses[-1]:.3g}")

    by_hand, count = descend_by_hand(model, x, y)
    print(f"by hand: {count} steps to {float(loss(by_hand, x, y)):.3g}")
    implicit, implicit_count = descend_implicitly(model, x, y)
    print(f"implicit style: {implicit_count} steps to {float(loss(implicit, x, y)):.3g}")
    print(f"y        {y}\nmodel(x) {by_hand(x)}")

    curve = af.plots.loss_curve(history, title="One pair of vectors, Descent(0.1) until the loss is below 1e-7")
    print("wrote", af.plots.save_figure(curve, out / "loss.png", dpi=110))
    return {
        "model": model,
        "history": history,
        "steps": (count, implicit_count),
        "fitted": (trained, by_hand, implicit),
    }


def loss(model, x, y):
    return jnp.sum((model(x) - y) ** 2)


def descend_by_hand(model, x, y):
    state, steps = af.setup(af.Descent(0.1), model), 0
    while loss(model, x, y) > TINY:
        grads = af.gradient(loss, model, x, y)
        state, model = af.update(state, model, grads[0])
        steps += 1
    return model, steps


def descend_implicitly(model, x, y):
    """Ask for the derivatives of arrays that the loss captured, as Flux's implicit style does."""
    steps = 0
    while loss(model, x, y) > TINY:
        weights = af.params(model)
        (grads,) = af.gradient(lambda model=model: loss(model, x, y), weights)
        model = jax.tree.map(lambda w, dw: w - 0.1 * dw, weights, grads).put(model)
        steps += 1
    return model, steps


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/until_tiny"))
    main(parser.parse_args().out)
