"""A rate that falls by a schedule, a look at every few steps, and the best model kept instead of the last."""

import argparse
from pathlib import Path

import jax.numpy as jnp
import optax

import argflux as af

EPOCHS = 40


def loss(model, x, y):
    return af.logitcrossentropy(model(x), y)


def main(out: Path) -> dict:
    out.mkdir(parents=True, exist_ok=True)
    few, many = af.make_moons(40, noise=0.3), af.make_moons(400, noise=0.3, seed=1)
    data, unseen = ((moons.x, af.onehotbatch(moons.y, range(2))) for moons in (few, many))
    loader = af.DataLoader(data, batchsize=10, shuffle=True)
    af.seed(0)
    model = af.Chain(af.Dense(2, 64, af.relu), af.Dense(64, 64, af.relu), af.Dense(64, 2))

    rule = af.Adam(optax.cosine_decay_schedule(0.02, EPOCHS * len(loader)))
    best, steps = af.keep_best("validation_loss", path=out / "best.safetensors"), []
    looks = af.every_steps(20, lambda record: steps.append((record.step, float(record.loss))))
    last, history = af.train(
        loss, model, loader, rule, epochs=EPOCHS, validation=unseen, callback=[best, looks], progress=False
    )
    print("loss by step:", *(f"{step}: {value:.3f}" for step, value in steps))
    print(f"rate: {history[0].rate:.4f} in the first epoch, {history[-1].rate:.4f} in the last")
    found = {name: float(loss(one, *unseen)) for name, one in (("best", best.model), ("last", last))}
    print(f"validation loss: {found['best']:.3f} after epoch {best.record.epoch}, {found['last']:.3f} at the end")
    again = af.load(out / "best.safetensors", like=model)
    same = bool(jnp.array_equal(again(unseen[0]), best.model(unseen[0])))
    return found | {"steps": steps, "epoch": best.record.epoch, "rates": history.column("rate"), "same": same}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/keep_best"))
    main(parser.parse_args().out)
