"""A classifier of two moons: the programs and derivatives of a layer, the training, the decision boundary."""

import argparse
from pathlib import Path

import jax.numpy as jnp

import argflux as af

START = 3  # the ReLU on the outputs kills some starts: moons_starts.py says which, and why


def main(out: Path) -> dict:
    out.mkdir(parents=True, exist_ok=True)
    look_at_a_layer(out)

    X, y = af.make_moons(200, noise=0.1)
    Y = af.onehotbatch(y, range(2))
    af.seed(START)
    model = af.Chain(af.Dense(2, 16, af.relu), af.Dense(16, 16, af.relu), af.Dense(16, 2, af.relu))
    print(model)

    trained, history = af.train(loss, model, [(X, Y)], af.Descent(0.9), epochs=200, progress=False)
    before, after = float(loss(model, X, Y)), float(loss(trained, X, Y))
    accuracy = float(af.accuracy(trained(X), y))
    print(f"loss {before:.3f} before, {after:.4f} after 200 steps; {accuracy:.1%} right")

    classes = ["upper moon", "lower moon"]
    curve = af.plots.loss_curve(history, title="Two moons, 200 full-batch steps of Descent(0.9)")
    boundary = af.plots.decision_boundary(
        lambda x: af.softmax(trained(x)), X, y, classes, title=f"{accuracy:.1%} right".replace("%", " %")
    )
    print("wrote", af.plots.save_figure(curve, out / "loss.png", dpi=110))
    print("wrote", af.plots.save_figure(boundary, out / "boundary.png", dpi=110))
    return {"accuracy": accuracy, "before": before, "after": after, "losses": history.losses}


def loss(model, X, Y):
    return af.logitcrossentropy(model(X), Y)


def look_at_a_layer(out: Path) -> None:
    """Show the program of a layer and that of its pullback; differentiate it as a function and as an argument."""
    layer = af.Dense(2, 3, af.relu)
    X = jnp.linspace(-1.0, 1.0, 8).reshape(4, 2)

    def apply(layer, X):
        return layer(X)

    listings = f"{af.code_ir(apply, layer, X)}\n\n{af.code_pullback(apply, layer, X)}\n"
    print(listings)
    (out / "layer.txt").write_text(listings)

    Z, back = af.pullback(layer, X)  # the layer is the function: its derivative comes first
    dlayer, dX = back(jnp.ones_like(Z))
    print("derivatives of the layer:", af.params(dlayer))

    Z, back = af.pullback(lambda m: m(X), layer)  # the layer is the argument, and the function captured X
    df, dm = back(jnp.ones_like(Z))
    assert jnp.array_equal(dm.weight, dlayer.weight)
    assert jnp.array_equal(df["X"], dX)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/moons"))
    main(parser.parse_args().out)
