"""Which starts learn two moons though the output layer has a ReLU, which cannot, and how to tell before training."""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import argflux as af

ENOUGH = 0.75  # promising: before training, each output is alive on this part of the points of its own class


def main(out: Path, starts: int = 40, seeds: int = 10) -> dict:
    out.mkdir(parents=True, exist_ok=True)
    models = jax.tree.map(lambda *arrays: jnp.stack(arrays), *[start(number) for number in range(starts)])
    moons = [af.make_moons(200, noise=0.1, seed=seed) for seed in range(seeds)]
    X, Y = jnp.stack([moon.x for moon in moons]), jnp.stack([af.onehotbatch(moon.y, range(2)) for moon in moons])
    every = jax.jit(jax.vmap(jax.vmap(fit, (None, 0, 0)), (0, None, None)))
    accuracy, alive = map(np.asarray, every(models, X, Y))  # starts × seeds, and starts × seeds × steps × outputs
    since = 201 - np.cumprod(alive[:, :, ::-1] == 0, axis=2).sum(2)  # the step from which on an output is silent
    learned, silent, promising = accuracy > 0.9899, (since < 201).any(-1), (alive[:, :, 0] >= ENOUGH).all(-1)
    slow = {(s, d): float(fit(start(s), X[d], Y[d], 1000)[0]) for s, d in np.argwhere(~learned & ~silent).tolist()}
    chosen = promising.argmax(0)
    report = [describe(number, learned[number], since[number]) for number in range(starts)] + [
        f"{(~learned).sum()} of {learned.size} runs end below 99 %",
        f"  {(~learned & silent).sum()} with an output that is silent on the whole of its own class",
        *(f"  start {s} on data {d} is slow: {part:.1%} after 1000 steps" for (s, d), part in slow.items()),
        f"{(learned & silent).sum()} runs pass with output 0 silent, as a tie of two zeros counts as class 0",
        f"{promising.sum()} runs are promising before training, {learned[promising].sum()} of them learn",
        f"the first promising start for each seed of data, {chosen.tolist()}, gets right:",
        ", ".join(f"{part:.1%}" for part in accuracy[chosen, range(seeds)]),
    ]
    print("\n".join(report))
    (out / "starts.txt").write_text("\n".join(report) + "\n")
    print("wrote", af.plots.save_figure(draw(accuracy, silent, promising), out / "starts.png", dpi=100))
    return {"accuracy": accuracy, "silent": silent, "promising": promising, "chosen": chosen, "slow": slow}


def start(number: int) -> af.Chain:
    af.seed(number)
    return af.Chain(af.Dense(2, 16, af.relu), af.Dense(16, 16, af.relu), af.Dense(16, 2, af.relu))


def fit(model, X, Y, steps=200):
    """Return the accuracy after the steps; and for 0 to all of them, on what part of its class each output is alive."""

    def step(model, _):
        logits = model(X)
        grads = af.gradient(lambda model: af.logitcrossentropy(model(X), Y), model)[0]
        seen = af.accuracy(logits, Y), jnp.sum(jnp.where(logits > 0, Y, 0.0), 0) / jnp.sum(Y, 0)
        return jax.tree.map(lambda w, dw: w - 0.9 * dw, model, grads), seen

    accuracy, alive = jax.lax.scan(step, model, length=steps + 1)[1]
    return accuracy[-1], alive


def describe(number: int, learned, since) -> str:
    ends = [(output, steps[steps < 201]) for output, steps in enumerate(since.T) if steps.min() < 201]
    notes = [f"; output {output} silent in {s.size}, from step {s.min()} to {s.max()}" for output, s in ends]
    return f"start {number:2}: {learned.sum():2} of {len(learned)} learn" + "".join(notes)


def draw(accuracy, silent, promising) -> Figure:
    figure = Figure(figsize=(9.5, 3.1), layout="constrained")
    axes = figure.add_subplot(xlabel="start", ylabel="seed of the data")
    figure.colorbar(axes.imshow(accuracy.T, cmap="Blues", vmin=0.4, vmax=1, aspect="auto"), label="accuracy")
    axes.plot(*np.argwhere(silent).T, "o", color="#D55E00", ms=5, label="an output silent on its class at the end")
    axes.plot(*np.argwhere(promising).T, "s", color="#F0E442", ms=5, label="promising before training")
    figure.legend(loc="outside upper left", ncols=2, frameon=False)
    return figure


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/moons_starts"))
    main(parser.parse_args().out)
