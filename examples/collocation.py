"""Rates of an ODE by collocation, with confidence intervals from the second derivative of the optimal value."""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from scipy.integrate import solve_ivp
from scipy.stats import t

import argflux as af

RATES, STEP, TIMES, NOISE = np.array([1.0, 0.5, 0.8, 0.4]), 0.5, np.arange(25) * 0.5, 0.2


def slope(path, rates):
    """Lotka and Volterra's equations for the logarithms of prey and predators."""
    prey, predators = jnp.exp(path[..., 0]), jnp.exp(path[..., 1])
    return jnp.stack([rates[0] - rates[1] * predators, rates[3] * prey - rates[2]], -1)


def defects(x, *_):
    """How far the path is from the ODE over each step, by Hermite and Simpson's rule."""
    before, after, rates = x["path"][:-1], x["path"][1:], x["rates"]
    first, last = slope(before, rates), slope(after, rates)
    middle = slope((before + after) / 2 + STEP / 8 * (first - last), rates)
    return after - before - STEP / 6 * (first + 4 * middle + last)


fit = af.Program(
    lambda x, data, tilt: jnp.sum((x["path"] - data) ** 2) / 2 + jnp.vdot(tilt, x["rates"]),
    variable={"path": (len(TIMES), 2), "rates": (4,)},
    equality=defects,
)


def estimate(data):
    """The Hessian of the optimal value in a tilt of the rates, minus their inverse information; the solution."""

    solve = lambda tilt: fit.solve(data, tilt, start={"path": data, "rates": jnp.ones(4)})
    return jax.jacfwd(lambda tilt: ((found := solve(tilt)).x["rates"], found), has_aux=True)(jnp.zeros(4))


@af.plots.style.styled
def main(out: Path, sets: int = 200) -> dict:
    true = solve_ivp(lambda _, u: np.asarray(slope(u, RATES)), (0, 12), np.log([3.0, 1.0]), t_eval=TIMES, rtol=1e-8).y.T
    data = np.float32(true + np.random.default_rng(0).normal(0, NOISE, (sets, *true.shape)))
    curvature, solution = jax.tree.map(np.asarray, jax.jit(jax.vmap(estimate))(data))
    freedom = true.size - 6  # data less the rates and the two initial values
    errors = np.sqrt(-np.diagonal(curvature, axis1=1, axis2=2) * 2 * solution.objective[:, None] / freedom)
    rates, half = solution.x["rates"], t.ppf(0.975, freedom) * errors
    covered = np.abs(rates - RATES) <= half
    print(f"{np.sum(solution.status == 0)} of {sets} solved, {solution.iterations.max()} iterations at most")
    table = np.stack([RATES, rates.mean(0), rates.std(0), errors.mean(0), covered.mean(0)], 1).round(4).tolist()
    print("true, mean, spread, error, covered:", dict(zip(("growth", "catch", "death", "gain"), table, strict=True)))
    left, right = (figure := Figure(figsize=(9.5, 4))).subplots(1, 2, width_ratios=(1.3, 1))
    for k, name in enumerate(("prey", "predators")):
        ink = {"color": af.plots.style.colour(k)}
        left.plot(TIMES, np.exp(solution.x["path"][0, :, k]), label=f"{name}, fitted", **ink)
        left.plot(TIMES, np.exp(data[0, :, k]), "o", ms=4, label=f"{name}, seen", **ink)
        left.plot(TIMES, np.exp(true[:, k]), ":", color="black", label=None if k else "true")
    left.set(xlabel="time, years", ylabel="animals, thousands", title="One data set")
    figure.legend(loc="outside lower center", ncols=5, fontsize=9)
    for hit, shade in ((True, 0), (False, 1)):
        chosen = np.flatnonzero(covered[:60, 0] == hit)
        right.errorbar(chosen, rates[chosen, 0], half[chosen, 0], fmt=".", lw=1, color=af.plots.style.colour(shade))
    right.axhline(RATES[0], color="black", linestyle=":")
    right.set(xlabel="data set", ylabel="growth of prey, 1/year", title="95 % intervals of 60 data sets")
    out.mkdir(parents=True, exist_ok=True)
    af.plots.save_figure(figure, out / "collocation.png", dpi=90)
    return {"solution": solution, "errors": errors, "covered": covered, "curvature": curvature, "data": data}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/collocation"))
    main(parser.parse_args().out)
