"""A run that is cut off goes on from its checkpoint, and its history is that of a run that never was, bit for bit."""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp

import argflux as af
from argflux.training import Checkpoint

EPOCHS = 30


class PowerCut(Exception):
    """Something that ends a run from outside."""


def main(out: Path) -> dict:
    out.mkdir(parents=True, exist_ok=True)
    file = out / "run.safetensors"
    file.unlink(missing_ok=True)
    checkpoint = Checkpoint(file, every=0.0)

    whole, history = run()
    try:
        run(checkpoint=checkpoint, callback=cut_off)
    except PowerCut as cut:
        print(f"cut off {cut}; the checkpoint has {file.stat().st_size} bytes")
    resumed, again = run(checkpoint=checkpoint, resume=True)

    same_losses = bool((history.losses == again.losses).all())
    same_model = all(map(jnp.array_equal, jax.tree.leaves(whole), jax.tree.leaves(resumed)))
    print(f"{len(again)} epochs, {again.losses.size} steps; same losses: {same_losses}; same weights: {same_model}")
    again.save(out / "history.jsonl")
    print("wrote", out / "history.jsonl")
    return {"same_losses": same_losses, "same_model": same_model, "epochs": len(again)}


def run(**options):
    moons = af.make_moons(300, noise=0.1)
    data = af.DataLoader((moons.x, af.onehotbatch(moons.y, range(2))), batchsize=32, shuffle=True)
    af.seed(0)
    model = af.Chain(af.Dense(2, 32, af.relu), af.Dense(32, 2))
    return af.train(loss, model, data, af.Adam(0.01), epochs=EPOCHS, progress=False, **options)


def loss(model, x, y):
    return af.logitcrossentropy(model(x), y)


def cut_off(record):
    if record.epoch == EPOCHS // 2:
        raise PowerCut(f"in epoch {record.epoch}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/resume"))
    main(parser.parse_args().out)
