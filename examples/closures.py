"""The derivative with respect to a function: that of the arrays it captured, by the names of its variables."""

import argparse
from pathlib import Path

import jax.numpy as jnp

import argflux as af


def line(slope, offset):
    """Return a function that captures two numbers."""
    return lambda x: slope * x + offset


def error(f, x, target):
    """Return a function of nothing, which captures another function and two arrays."""
    return lambda: jnp.sum((f(x) - target) ** 2)


def main(out: Path) -> dict:
    out.mkdir(parents=True, exist_ok=True)
    x, target = jnp.array([1.0, 2.0, 3.0]), jnp.array([0.0, 3.0, 6.0])
    slope, offset = jnp.array(2.0), jnp.array(0.5)

    f = line(slope, offset)
    y, back = af.pullback(f, x)
    df, dx = back(jnp.ones_like(y))
    lines = [f"f(x) = {y.tolist()}", f"dx = {dx.tolist()}", f"df = {shown(df)}"]

    _, back = af.pullback(error(f, x, target))
    (derror,) = back(1.0)
    lines.append(f"derror = {shown(derror)}")

    for _ in range(300):  # so a closure can be trained without a list of its parameters
        _, back = af.pullback(error(line(slope, offset), x, target))
        found = back(1.0)[0]["f"]
        slope, offset = slope - 0.05 * found["slope"], offset - 0.05 * found["offset"]
    lines.append(f"after 300 steps of descent: slope {float(slope):.3f}, offset {float(offset):.3f}")
    print("\n".join(lines))
    (out / "report.txt").write_text("\n".join(lines) + "\n")
    print("wrote", out / "report.txt")
    return {"df": df, "derror": derror, "line": (float(slope), float(offset))}


def shown(derivatives) -> str:
    """Write nested derivatives as numbers."""
    parts = derivatives.items()
    return "{" + ", ".join(f"{k}: {shown(v) if isinstance(v, dict) else v.tolist()}" for k, v in parts) + "}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/closures"))
    main(parser.parse_args().out)
