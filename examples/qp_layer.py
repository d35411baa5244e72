"""A quadratic program as a function: what it returns, how that moves, and a batch with an instance that fails."""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import argflux as af
from argflux import programs


def share(wishes, budget):
    """Shares as near to the wishes as the budget allows; the first two take at most 1 together."""
    everything, first_two = jnp.ones((1, 3)), jnp.array([[1.0, 1.0, 0.0]])
    return programs.solve_qp(
        jnp.ones(3), -wishes, A=everything, b=budget[None], G=first_two, h=jnp.array([1.0]), lower=0.0
    )


def spread(wishes, budgets):
    """A loss on the shares of a batch."""
    return jnp.sum(jax.vmap(share)(wishes, budgets).x ** 2)


def main(out: Path) -> dict:
    out.mkdir(parents=True, exist_ok=True)
    wishes, budget = jnp.array([1.0, 0.5, -0.2]), jnp.array(1.5)
    one = share(wishes, budget).check()
    lines = ["one program"]
    for name in ("x", "y", "z", "objective"):
        slope = af.jacobian(lambda budget, name=name: getattr(share(wishes, budget), name), budget)
        lines.append(f"  {name} {shown(getattr(one, name))}, by budget {shown(slope)}")

    budgets = jnp.array([0.5, 1.5, -1.0, 2.5])
    many = jax.vmap(share)(jnp.tile(wishes, (4, 1)), budgets)
    slopes = af.gradient(spread, jnp.tile(wishes, (4, 1)), budgets)
    lines.append("a batch")
    for budget, code, x, slope in zip(budgets, many.status, many.x, slopes[1], strict=True):
        lines.append(f"  budget {budget}: {programs.Status(int(code)).name}, x {shown(x)}, by budget {shown(slope)}")
    try:
        many.check()
    except programs.ProgramError as error:
        lines.append(str(error))
    print("\n".join(lines))
    (out / "report.txt").write_text("\n".join(lines) + "\n")
    print("wrote", out / "report.txt")
    return {"one": one, "many": many, "slopes": slopes}


def shown(array) -> str:
    return str((np.asarray(array, float).round(3) + 0.0).tolist())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/qp_layer"))
    main(parser.parse_args().out)
