"""Skip connections of one's own, found without registration, and built in."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

import argflux as af


@dataclass
class IdentitySkip:
    """activation(inner(x) + x)."""

    inner: Any
    activation: Any = af.identity

    def __call__(self, x):
        """Return the sum, activated."""
        return self.activation(self.inner(x) + x)


@dataclass
class CatSkip:
    """inner(x) beside x."""

    inner: Any

    def __call__(self, x):
        """Return both, side by side."""
        return af.cat(self.inner(x), x)


def main(out: Path) -> dict:
    out.mkdir(parents=True, exist_ok=True)
    small = af.Chain(af.Dense(2, 3), IdentitySkip(af.Dense(3, 3)), af.Dense(3, 4))
    print(small)
    print(f"{len(af.params(small))} arrays of parameters")
    same = af.Chain(small[0], af.SkipConnection(small[1].inner, jnp.add), small[2])
    wide = af.Chain(CatSkip(af.Dense(2, 3)), af.SkipConnection(af.Chain(af.Dense(5, 4), af.Dense(4, 1)), af.cat))
    x = jax.random.normal(jax.random.key(0), (5, 2))
    print(f"built in and of one's own agree: {bool(jnp.allclose(small(x), same(x)))}; widths {wide(x).shape[1]}\n")
    steering = policy()
    print(steering)
    (out / "policy.txt").write_text(f"{steering}\n")
    return {"agree": (small(x), same(x)), "wide": wide(x), "policy": steering}


def policy():
    """Return a network that steers by 16 × 14 pixels, with one skip in each of its widths."""
    return af.Chain(
        af.Dense(16 * 14, 128, af.relu),
        IdentitySkip(af.Dense(128, 128), af.relu),
        af.Dense(128, 32, af.relu),
        IdentitySkip(af.Dense(32, 32)),
        af.Dense(32, 4),
        af.softmax,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/skip_connections"))
    main(parser.parse_args().out)
