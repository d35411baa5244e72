"""Correlations from a table with gaps: how far to believe each pair is learned through the projection."""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
from matplotlib.figure import Figure

import argflux as af

SIZE, ROWS = 8, 40
unit = lambda M: jnp.where(jnp.eye(SIZE) > 0, 1.0, M)  # with ones on the diagonal
weighted = af.Program(
    lambda X, M, weights: jnp.sum(weights * (X - M) ** 2),
    variable=(SIZE, SIZE),
    equality=lambda X, M, weights: jnp.diagonal(X) - 1,
    inequality=lambda X, M, weights: af.cones.semidefinite(X),
)


def table(key):
    """The true correlations; those of each pair in a table with gaps, and in how many rows both were seen."""
    keys = jax.random.split(key, 4)
    factors = jax.random.normal(keys[0], (SIZE, 2))
    factors /= jnp.sqrt(jnp.sum(factors**2, 1, keepdims=True) + jax.random.uniform(keys[1], (SIZE, 1), minval=0.05))
    true = unit(factors @ factors.T)
    seen = (jax.random.uniform(keys[2], (ROWS, SIZE)) < jnp.linspace(0.25, 1.0, SIZE)).astype(true.dtype)
    rows = seen * (jax.random.normal(keys[3], (ROWS, SIZE)) @ jnp.linalg.cholesky(true).T)
    count = seen.T @ seen
    mean, square, product = (a.T @ b / jnp.maximum(count, 1) for a, b in ((rows, seen), (rows**2, seen), (rows, rows)))
    variance = jnp.maximum(square - mean**2, 1e-6)
    return true, unit(jnp.where(count > 2, (product - mean * mean.T) / jnp.sqrt(variance * variance.T), 0.0)), count


def clipped(M):
    """Eigenvalues below zero become zero; then the diagonal is scaled back to one."""
    values, vectors = jnp.linalg.eigh(M)
    P = (vectors * jnp.maximum(values, 0.0)[..., None, :]) @ jnp.swapaxes(vectors, -1, -2)
    return P / jnp.sqrt(jnp.einsum("...ii,...jj->...ij", P, P))


shrunk = lambda learned, raw, count: unit(raw * count / (count + jnp.exp(learned["log rows"])))
weights = lambda learned, count: ((count + jnp.exp(learned["log rows"])) / ROWS) ** learned["power"]
nearest = lambda learned, raw, count: af.nearest_correlation(shrunk(learned, raw, count))
believed = lambda learned, raw, count: jax.vmap(weighted)(shrunk(learned, raw, count), weights(learned, count))


@af.plots.style.styled
def main(out: Path, tables: int = 100, epochs: int = 25) -> dict:
    draw = lambda seed, size: jax.vmap(table)(jax.random.split(jax.random.key(seed), size))
    train, (true, raw, count) = draw(0, tables), draw(1, 400)
    found = {"pairs alone": raw, "clipped": clipped(raw), "nearest": af.nearest_correlation(raw), "shrunk pairs": raw}
    start, learned = {"log rows": jnp.array(0.0), "power": jnp.array(1.0)}, {}  # shrinking alone has no power
    for name, run in (("nearest of shrunk", nearest), ("weighted of shrunk", believed)):
        loss = lambda learned, true, raw, count, run=run: jnp.mean((run(learned, raw, count) - true) ** 2)
        learned[name] = af.train(loss, start, [train], af.Adam(0.3), epochs=epochs, progress=False)[0]
        found[name] = jax.jit(run)(learned[name], raw, count)
        print(f"{name}: {jnp.exp(learned[name]['log rows']):.1f} rows, power {learned[name]['power']:.1f}")
    found["shrunk pairs"] = shrunk(learned["nearest of shrunk"], raw, count)
    errors = {name: jnp.sum((M - true) ** 2, (1, 2)) for name, M in found.items()}
    left, right = (figure := Figure(figsize=(9.5, 3.8))).subplots(1, 2)
    for i, (name, M) in enumerate(found.items()):
        values = jnp.linalg.eigvalsh(M)[:, ::-1]
        print(f"{name}: squared error {errors[name].mean():.2f}, {jnp.mean(values[:, -1] < -1e-4):.0%} indefinite")
        left.plot(range(3, SIZE + 1), values[:, 2:].mean(0), color=af.plots.style.colour(i))
        right.barh(name, errors[name].mean(), color=af.plots.style.colour(i))
    left.legend(left.plot(range(3, SIZE + 1), jnp.linalg.eigvalsh(true)[:, -3::-1].mean(0), "k:"), ["true"])
    left.set(xlabel="number of the eigenvalue, from the third largest", ylabel="eigenvalue, mean of unseen tables")
    right.set(xlabel="squared error, mean of unseen tables", ylim=(len(found) - 0.5, -0.5))
    out.mkdir(parents=True, exist_ok=True)
    af.plots.save_figure(figure, out / "eigenvalues.png", dpi=110)
    return {"errors": errors, "found": found, "learned": learned}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/nearest_correlation"))
    main(parser.parse_args().out)
