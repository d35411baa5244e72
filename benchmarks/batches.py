"""A map of batches of random quadratic programs with gradients, beside Moreau: sizes between and beyond the five of
`benchmarks/programs.py`, each with P of full rank and of half of it, and a tenth as many equalities as unknowns.

With P of full rank the peer is Moreau's active set, with half of it its interior point, as its active set then leaves
programs unsolved. A peer's time counts where the rows hold at its
points to 1e-6 and its objectives are no worse than ours by more than that. Times are medians of turns taken
alternately; ratios are theirs over ours, above 1 we are faster.
"""

import functools
import statistics
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.programs import alternate, compiled, gradient_of, instances, moreau_of, ours
from benchmarks.report import RESULTS, publish

SHAPES = ((5, 5), (5, 50), (20, 10), (20, 30), (50, 25), (50, 80), (100, 20), (100, 100), (200, 100), (300, 50))
BATCHES = (1, 16, 128, 1000)
HEAVY = 3e8
RANKS = (1.0, 0.5)
NEAR = 1e-6


def data(batch: int, n: int, m: int, rank: float) -> list[np.ndarray]:
    blocks = instances(batch, n, m, n // 10)
    if rank < 1:
        factor = np.random.default_rng(1).normal(size=(batch, n, max(1, int(rank * n))))
        blocks[0] = factor @ factor.transpose(0, 2, 1)
        x0, z = np.random.default_rng(2).normal(size=(2, batch, max(n, m)))
        blocks[1] = -np.einsum("bij,bj->bi", blocks[0], x0[:, :n]) - np.einsum("bij,bi->bj", blocks[4], abs(z[:, :m]))
    return blocks


def worth(blocks: list[np.ndarray], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Objectives of a batch of points, and how far they are from the rows."""
    P, q, A, b, G, h = blocks
    objective = np.einsum("bi,bij,bj->b", x, P, x) / 2 + np.einsum("bi,bi->b", q, x)
    equal = np.abs(np.einsum("bij,bj->bi", A, x) - b).max(1, initial=0.0)
    return objective, np.maximum(equal, (np.einsum("bij,bj->bi", G, x) - h).max(1, initial=0.0))


def wrong(blocks: list[np.ndarray], x: np.ndarray, best: np.ndarray) -> int:
    """How many points are no solutions."""
    objective, excess = worth(blocks, x)
    bad = ~np.isfinite(objective) | (excess > NEAR * (1 + np.abs(blocks[5]).max()))
    return int(np.sum(bad | (objective > best + NEAR * (1 + np.abs(best)))))


def measure(batch: int, n: int, m: int, rank: float) -> dict[str, Any]:
    arrays = data(batch, n, m, rank)
    blocks, size = [jnp.asarray(a) for a in arrays], (batch, n, m, n // 10)
    kinds = {"active set": "active_set", "interior point": "ipm"}
    peers = {
        name: moreau_of(*size, solver=kind) for name, kind in kinds.items() if (rank == 1) == (kind == "active_set")
    }
    runs = {name: compiled(gradient_of(f), blocks) for name, f in {"ours": ours, **peers}.items()}
    points = {name: np.asarray(jax.jit(f)(*blocks)) for name, f in {"ours": ours, **peers}.items()}
    t, best = alternate(runs), worth(arrays, points["ours"])[0]
    row = {
        "batch": batch,
        "unknowns": n,
        "inequalities": m,
        "rank": rank,
        "ours ms": 1e3 * t["ours"],
        "ours not feasible": int(np.sum(worth(arrays, points["ours"])[1] > NEAR * (1 + np.abs(arrays[5]).max()))),
    }
    for name in kinds:
        failed = wrong(arrays, points[name], best) if name in points else 0
        row[f"Moreau's {name}"] = t[name] / t["ours"] if name in t else float("nan")
        row[f"{name} wrong"] = failed
    return row


def sizes() -> list[tuple]:
    fits = lambda batch, n, m: batch * n * n * (n + m) <= HEAVY
    return [(b, n, m, rank) for rank in RANKS for n, m in SHAPES for b in BATCHES if fits(b, n, m)]


def draw(rows: list[dict[str, Any]]) -> None:
    """The ratios as a map, one for each rank."""
    from matplotlib.colors import TwoSlopeNorm
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.6), layout="constrained")
    axes = figure.subplots(1, len(RANKS), sharey=True)
    for ax, rank in zip(axes, RANKS, strict=True):
        name = "Moreau's active set" if rank == 1 else "Moreau's interior point"
        image = np.full((len(SHAPES), len(BATCHES)), np.nan)
        for row in rows:
            if row["rank"] == rank:
                place = SHAPES.index((row["unknowns"], row["inequalities"])), BATCHES.index(row["batch"])
                image[place] = row[name]
        shown = ax.imshow(np.log2(image), cmap="RdBu", norm=TwoSlopeNorm(0, -3, 3), aspect="auto")
        for (i, j), value in np.ndenumerate(image):
            if np.isfinite(value):
                ax.text(j, i, f"{value:.2g}", ha="center", va="center", fontsize=8)
        ax.set_xticks(range(len(BATCHES)), [str(batch) for batch in BATCHES])
        ax.set_yticks(range(len(SHAPES)), [f"{n}, {m}" for n, m in SHAPES])
        ax.set(xlabel="batch", title=f"P of {'full' if rank == 1 else 'half'} rank:\n{name} / argflux")
    axes[0].set_ylabel("unknowns, inequalities")
    figure.colorbar(shown, ax=axes, label="log2 of the ratio; above 0 argflux is faster")
    figure.savefig(RESULTS / "batches.png", dpi=150)


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    rows = []
    for size in sizes():
        rows.append(measure(*size))
        print(*(f"{v:.3g}" if isinstance(v, float) else v for v in rows[-1].values()), flush=True)
    mean = functools.partial(statistics.geometric_mean)
    full = [row["Moreau's active set"] for row in rows if row["rank"] == 1]
    half = [row["Moreau's interior point"] for row in rows if row["rank"] < 1]
    title = f"Moreau / argflux: full rank {mean(full):.2f} in the mean, {min(full):.2f} at least; "
    title += f"half rank {mean(half):.2f} in the mean, {min(half):.2f} at least"
    publish("batches", title, rows, ("moreau", "daqp", "clarabel"))
    draw(rows)


if __name__ == "__main__":
    main()
