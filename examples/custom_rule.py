"""A rule for a function that JAX cannot trace: Kepler's equation, solved by SciPy on the host, inside a fit."""

import argparse
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import brentq

import argflux as af


@af.primitive
def kepler(mean, eccentricity):
    """Return the angle E with E - e sin E = M, for every mean anomaly M."""
    solve = np.vectorize(lambda M, e: brentq(lambda E: E - e * np.sin(E) - M, M - 1.0, M + 1.0, xtol=1e-14))
    return solve(mean, eccentricity).astype(mean.dtype)


@kepler.rrule
def _(mean, eccentricity):
    E = kepler(mean, eccentricity)

    def kepler_pullback(dE):
        dmean = dE / (1 - eccentricity * np.cos(E))  # from the equation, not from the solver's steps
        return None, dmean, dmean * np.sin(E)

    return E, kepler_pullback


def loss(model, mean, seen):
    return af.mse(kepler(mean, jnp.full_like(mean, model["eccentricity"])), seen)


def main(out: Path) -> dict:
    out.mkdir(parents=True, exist_ok=True)
    mean = jnp.linspace(0.2, 6.0, 24)
    check = af.check_rrule(kepler, mean, jnp.full(24, 0.5))
    print(f"the rule against finite differences: relative error {check.first:.1e}")

    seen = kepler(mean, jnp.full(24, 0.6)) + 0.05 * np.random.default_rng(0).normal(size=24).astype(np.float32)
    model = {"eccentricity": jnp.array(0.1)}
    fitted, history = af.train(loss, model, [(mean, seen)], af.Descent(0.3), epochs=100, progress=False)
    found = float(fitted["eccentricity"])
    print(f"eccentricity {found:.3f} from noisy angles of an orbit with 0.6; loss {history.losses[-1]:.5f}")

    figure = draw(mean, seen, model, fitted)
    print("wrote", af.plots.save_figure(figure, out / "orbit.png", dpi=110))
    return {"check": check.first, "eccentricity": found}


def draw(mean, seen, start, fitted) -> Figure:
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.add_subplot(xlabel="mean anomaly M", ylabel="E - M")
    fine = jnp.linspace(0.0, 2 * jnp.pi, 200)
    axes.plot(mean, seen - mean, "o", color="#222222", label="seen")
    for name, model, colour in (("start", start, "#D55E00"), ("fitted", fitted, "#0072B2")):
        axes.plot(fine, kepler(fine, jnp.full(200, model["eccentricity"])) - fine, color=colour, label=name)
    axes.legend(frameon=False)
    return figure


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/custom_rule"))
    main(parser.parse_args().out)
