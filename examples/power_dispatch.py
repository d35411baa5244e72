"""Power dispatch on five buses with alternating current: prices are duals, and they have derivatives."""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import argflux as af

FLOW = np.eye(5)[[0, 1, 2, 3, 4, 1]] - np.eye(5)[[1, 2, 3, 4, 0, 3]]  # differences of voltage along six lines
LOSSY = 1 / (0.02 + 0.1j)  # admittance of each line, per unit of 100 MVA
G, B = (part * FLOW.T @ FLOW for part in (LOSSY.real, LOSSY.imag))
PLANTS, LIMIT = np.eye(5)[[0, 4]], 0.95  # where power is made; the most current in a line
DEMAND, REACTIVE = np.array([0.0, 0.6, 0.5, 0.4, 0.0]), np.array([0.0, 0.2, 0.15, 0.1, 0.0])


def cost(x, demand):
    """Thousands of dollars an hour: 20 and 35 dollars a megawatt hour at first, dearer the more is made."""
    return jnp.vdot(jnp.array([2.0, 3.5]), x["active"]) + 0.25 * jnp.sum(x["active"] ** 2)


def balance(x, demand):
    """What is taken from each bus, by demand and lines, less what is made there."""
    e, f = x["real"], x["imaginary"]
    real, imaginary = G @ e - B @ f, G @ f + B @ e  # currents into the lines
    active = demand + e * real + f * imaginary - PLANTS.T @ x["active"]
    return {"active": active, "reactive": REACTIVE + f * real - e * imaginary - PLANTS.T @ x["reactive"]}


def limits(x, demand):
    """Voltages within 5 %, and currents in the lines."""
    square, drops = x["real"] ** 2 + x["imaginary"] ** 2, (FLOW @ x["real"]) ** 2 + (FLOW @ x["imaginary"]) ** 2
    return {"low": 0.95**2 - square, "high": square - 1.05**2, "current": abs(LOSSY) ** 2 * drops - LIMIT**2}


START = {"real": np.ones(5), "imaginary": np.zeros(5), "active": np.ones(2), "reactive": np.ones(2)}
TURN = np.array([0.0, 2.0, 2.0, 2.0, 2.0])  # the voltage of bus 0 is real
LOWER = {"real": 0.0, "imaginary": -TURN, "active": 0.0, "reactive": -1.0}
UPPER = {"real": 2.0, "imaginary": TURN, "active": 3.0, "reactive": 1.0}
dispatch = af.Program(cost, START, equality=balance, inequality=limits, lower=LOWER, upper=UPPER)


def priced(demand):
    """Derivatives of prices by demand, and the solution, whose duals are the prices."""
    return jax.jacrev(lambda d: ((s := dispatch.solve(d, start=START)).y["active"], s), has_aux=True)(demand)


@af.plots.style.styled
def main(out: Path, count: int = 43, step: float = 1e-4) -> dict:
    growing, I = np.outer(np.linspace(0.5, 1.2, count), DEMAND), step * np.eye(5)
    demands = np.vstack([growing, DEMAND + I, DEMAND - I, DEMAND])
    with jax.enable_x64(True):
        slopes, found = jax.tree.map(np.asarray, jax.jit(jax.vmap(priced))(demands))
    prices, total = found.y["active"], 100 * demands.sum(1)
    by_step = lambda value: (value[count : count + 5] - value[count + 5 : count + 10]) / (2 * step)
    errors = [np.abs(by_step(found.objective) - prices[-1]).max(), np.abs(by_step(prices) - slopes[-1].T).max()]
    print(f"prices {(10 * prices[-1]).round(3)} $/MWh, off by {10 * errors[0]:.0e}; slopes off by {errors[1] / 10:.0e}")
    left, right = (figure := Figure(figsize=(9.5, 4.2))).subplots(1, 2, width_ratios=(1.3, 1))
    for bus in range(5):
        left.plot(total[:count], 10 * prices[:count, bus], color=af.plots.style.colour(bus), label=f"bus {bus}")
    left.set(xlabel="total demand, MW", ylabel="price, $/MWh", title="Prices at the buses")
    left.legend(loc="upper left")
    right.imshow(slopes[-1] / 10, cmap="Blues")
    for (row, column), slope in np.ndenumerate(slopes[-1] / 10):
        right.text(column, row, f"{slope:.2f}", ha="center", va="center", color="white" if slope > 0.35 else "black")
    right.set(xlabel="one MW more at bus", ylabel="price at bus", title="Change of price, $/MWh", xticks=range(5))
    right.grid(visible=False)
    out.mkdir(parents=True, exist_ok=True)
    af.plots.save_figure(figure, out / "prices.png", dpi=90)
    return {"prices": prices, "slopes": slopes, "found": found, "errors": errors}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/power_dispatch"))
    main(parser.parse_args().out)
