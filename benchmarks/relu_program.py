"""A ReLU layer stated as a quadratic program beside plain relu: the whole training run of document 000, and a step.

Ratios are over plain relu in the same process. Data: MNIST where `$ARGFLUX_DATA` or the cache holds it.
"""

import functools
import time

import jax
import jax.numpy as jnp

import argflux as af
from argflux.programs import Program
from benchmarks.report import publish

SIZES = (1_000, 60_000)
EPOCHS = 50
TURNS = 3

relu_program = Program(lambda x, y: jnp.sum(x * x) - 2 * jnp.vdot(y, x), variable=lambda y: y, lower=0.0)


@af.primitive
def relu_by_hand(y):
    return relu_program(y)


@relu_by_hand.rrule
def relu_by_hand_rule(y):
    def relu_pullback(dx):
        return None, -2 * relu_program.reverse_differentiate(y, cotangents={"x": dx}).objective.linear

    return relu_by_hand(y), relu_pullback


ACTIVATIONS = {"relu": af.relu, "program": relu_program, "program, rule by hand": relu_by_hand}


def network(activation):
    keys = jax.random.split(jax.random.key(0))
    return af.Chain(af.Dense(784, 10, key=keys[0]), activation, af.Dense(10, 10, key=keys[1]), af.softmax)


def loss(model, x, y):
    return af.crossentropy(model(x), y)


def train(activation, batch, epochs):
    """Train from the start that all share, as if for the first time: nothing compiled before is used."""
    jax.clear_caches()
    start = time.perf_counter()
    model, _ = af.train(loss, network(activation), [batch], af.Adam(1e-3), epochs=epochs, progress=False)
    jax.block_until_ready(model)
    return model, time.perf_counter() - start


def step_time(activation, batch, turns=20):
    model = network(activation)
    step = jax.jit(lambda model, x, y: af.gradient(functools.partial(_loss_of, x=x, y=y), model)[0])
    best = float("inf")
    for _ in range(turns):
        start = time.perf_counter()
        jax.block_until_ready(step(model, *batch))
        best = min(best, time.perf_counter() - start)
    return best


def _loss_of(model, x, y):
    return loss(model, x, y)


def measure(size):
    train_set, test_set = af.load_mnist()
    batch = (jnp.asarray(train_set.x[:size]), af.onehotbatch(train_set.y[:size], train_set.classes))
    runs = {name: float("inf") for name in ACTIVATIONS}
    models = {}
    for _ in range(TURNS):
        for name, activation in ACTIVATIONS.items():
            models[name], seconds = train(activation, batch, EPOCHS if size == SIZES[0] else 5)
            runs[name] = min(runs[name], seconds)
    steps = {name: step_time(activation, batch) for name, activation in ACTIVATIONS.items()}
    x, y = jnp.asarray(test_set.x[:size]), test_set.y[:size]
    return [
        {
            "activation": name,
            "examples": size,
            "train accuracy": float(af.accuracy(models[name](batch[0]), train_set.y[:size])),
            "test accuracy": float(af.accuracy(models[name](x), y)),
            "run, s": runs[name],
            "run / relu": runs[name] / runs["relu"],
            "step, ms": 1e3 * steps[name],
            "step / relu": steps[name] / steps["relu"],
        }
        for name in ACTIVATIONS
    ]


def main() -> None:
    publish("relu_program", "A ReLU that is a quadratic program", [row for size in SIZES for row in measure(size)])


if __name__ == "__main__":
    main()
