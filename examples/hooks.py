"""Finding where a NaN comes from: hooks on the cotangents between the stages of a function."""

import argparse
from pathlib import Path

import jax.numpy as jnp

import argflux as af


def unit(pairs):
    return pairs / jnp.linalg.norm(pairs, axis=-1, keepdims=True)


def cosine(pairs):
    return jnp.sum(pairs[:, 0] * pairs[:, 1], axis=-1)


def both(pairs):
    """Return the cosine and the sine."""
    return cosine(pairs), pairs[:, 0, 0] * pairs[:, 1, 1] - pairs[:, 0, 1] * pairs[:, 1, 0]


def main(out: Path) -> dict:
    out.mkdir(parents=True, exist_ok=True)
    pairs = jnp.array([[[1.0, 0.0], [1.0, 1.0]], [[2.0, 0.0], [4.0, 0.0]]])  # the second two are parallel
    stages = {"unit": unit, "cosine": cosine, "angle": jnp.arccos, "mean": jnp.mean}
    lines = [f"mean angle {float(chain(stages)(pairs)):.4f}"]
    lines.append(f"its gradient: {af.gradient(chain(stages), pairs)[0].tolist()}")

    seen: dict[str, bool] = {}  # filled on the way back, the last stage first
    af.gradient(chain(stages, seen), pairs)
    lines += [
        f"the input of {stage} has a cotangent that is {'' if ok else 'not '}finite" for stage, ok in seen.items()
    ]
    culprit = next(stage for stage, finite in seen.items() if not finite)
    lines.append(f"so it begins in {culprit}: the slope of arccos at 1 is infinite")

    mended = {"unit": unit, "both": both, "angle": lambda cs: jnp.arctan2(jnp.abs(cs[1]), cs[0]), "mean": jnp.mean}
    gradient = af.gradient(chain(mended), pairs)[0]
    lines.append(f"with arctan2: {gradient.tolist()}")
    print("\n".join(lines))
    (out / "report.txt").write_text("\n".join(lines) + "\n")
    print("wrote", out / "report.txt")
    return {"culprit": culprit, "order": list(seen), "gradient": gradient}


def chain(stages, seen=None):
    """Apply the stages in order; with `seen`, note for each whether the cotangent of its input is finite."""

    def run(x):
        for name, stage in stages.items():
            if seen is not None:
                x = af.hook(x, lambda dx, name=name: seen.update({name: bool(jnp.isfinite(dx).all())}))
            x = stage(x)
        return x

    return run


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/hooks"))
    main(parser.parse_args().out)
