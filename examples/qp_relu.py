"""A ReLU layer that is a quadratic program, trained beside the ordinary one: as a program, and with a rule by hand."""

import argparse
import time
from pathlib import Path

import jax
import jax.numpy as jnp

import argflux as af
from argflux.programs import Program

SIZE, EPOCHS = 1000, 50

program_relu = Program(lambda x, y: jnp.sum(x * x) - 2 * jnp.vdot(y, x), variable=lambda y: y, lower=0.0)


@af.primitive
def matrix_relu(y):
    return program_relu(y)


@matrix_relu.rrule
def matrix_relu_rule(y):
    # the objective's factor of x is q = -2y, so dy = -2 dq

    def matrix_relu_pullback(dx):
        found = program_relu.reverse_differentiate(y, cotangents={"x": dx})
        return None, -2 * found.objective.linear

    return matrix_relu(y), matrix_relu_pullback


ACTIVATIONS = {"relu": af.relu, "program": program_relu, "rule by hand": matrix_relu}


def main(out: Path, data: str | None = None, epochs: int = EPOCHS) -> dict:
    out.mkdir(parents=True, exist_ok=True)
    train, test = af.load_mnist(data)
    batch = (jnp.asarray(train.x[:SIZE]), af.onehotbatch(train.y[:SIZE], train.classes))
    found = {}
    for name, activation in ACTIVATIONS.items():
        model, history, seconds = fit(network(activation), batch, epochs)
        found[name] = {
            "model": model,
            "history": history,
            "seconds": seconds,
            "train": float(af.accuracy(model(batch[0]), train.y[:SIZE])),
            "test": float(af.accuracy(model(jnp.asarray(test.x[:SIZE])), test.y[:SIZE])),
        }
        scores = ", ".join(f"{part} {found[name][part]:.1%}" for part in ("train", "test"))
        print(f"{name}: {scores}, {seconds:.2f} s\n")
    lines = [f"{name}\t{row['train']:.4f}\t{row['test']:.4f}\t{row['seconds']:.2f}" for name, row in found.items()]
    (out / "accuracies.tsv").write_text("\n".join(["activation\ttrain\ttest\tseconds", *lines]) + "\n")
    return found


def network(activation):
    keys = jax.random.split(jax.random.key(0))
    return af.Chain(af.Dense(784, 10, key=keys[0]), activation, af.Dense(10, 10, key=keys[1]), af.softmax)


def fit(model, batch, epochs):
    show = af.throttle(lambda record: print(f"epoch {record.epoch}: loss {record.loss:.4f}"), 5)
    start = time.perf_counter()
    model, history = af.train(loss, model, [batch], af.Adam(1e-3), epochs=epochs, callback=show, progress=False)
    return model, history, time.perf_counter() - start


def loss(model, x, y):
    return af.crossentropy(model(x), y)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/qp_relu"))
    parser.add_argument("--data", help="folder of the MNIST files; downloaded without")
    main(**vars(parser.parse_args()))
