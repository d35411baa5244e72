"""One process of a distributed run: `python -m tests.training.one_of_many FOLDER`."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp

import argflux as af


def network() -> af.Chain:
    af.seed(0)
    return af.Chain(af.Dense(5, 8, af.relu), af.BatchNorm(8), af.Dropout(0.2), af.Dense(8, 1))


def data() -> tuple[jax.Array, jax.Array]:
    x = jax.random.normal(jax.random.key(1), (50, 5))
    return x, jnp.sum(x**2, 1, keepdims=True)


def loss(model, x, y):
    return af.mse(model(x), y)


def run(distributed, **options):
    """Train for some epochs in batches of 8, the last of which the devices cannot share."""
    loader = af.DataLoader(data(), 8, shuffle=True, partial=True)
    return af.train(
        loss, network(), loader, af.Adam(0.01), epochs=6, key=jax.random.key(3), distributed=distributed, **options
    )


def main() -> None:
    af.join_processes()
    folder = Path(sys.argv[1])
    model, history = run(True, checkpoint=folder / "run.safetensors", callback=lambda record: None)
    name = f"process-{jax.process_index()}-of-{jax.process_count()}-on-{jax.device_count()}"
    af.save(folder / f"{name}.safetensors", model)
    history.save(folder / f"{name}.jsonl")


if __name__ == "__main__":
    main()
