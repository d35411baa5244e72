"""JAX's own switches change nothing that is measured, designed or drawn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import nn, patterns, plots

X = jnp.asarray(np.random.default_rng(0).normal(size=(12, 2)), jnp.float32)
Y = np.arange(12) % 2
MODEL = nn.Chain(nn.Dense(2, 6, nn.relu), nn.Dense(6, 1))
CHANGE = jax.tree.map(lambda leaf: 0.1 * jnp.ones_like(leaf), MODEL)


def designed():
    network, report = patterns.design_weights(MODEL, X, key=jax.random.key(1), progress=False)
    return [*jax.tree.leaves(network), len(str(report))]


def drawn(folder):
    """Every kind of figure that needs no records; what it draws, by the sizes of its axes."""
    plane, line = patterns.plane_regions(MODEL), patterns.line_regions(MODEL, X[0], X[1])
    figures = [
        plots.decision_boundary(
            lambda x: jax.nn.softmax(MODEL(jnp.asarray(x, jnp.float32)) * jnp.array([[1.0, -1.0]])), X, Y
        ),
        plots.loss_curve([3.0, 2.0, 1.0]),
        plots.confusion(Y, Y[::-1], ["a", "b"]),
        plots.digit_grid(np.zeros((4, 8, 8)), Y[:4]),
        plots.zero_fractions(patterns.count_zeros(MODEL, X).per_unit, len(X)),
        plots.linear_regions(plane.polygons),
        plots.line_pieces(line.t, line.outputs),
    ]
    return [len(plots.save_figure(figure, folder / f"{i}.png").read_bytes()) for i, figure in enumerate(figures)]


PUBLIC = {
    "activation_pattern": lambda: patterns.activation_pattern(MODEL, X),
    "preactivations": lambda: patterns.preactivations(MODEL, X),
    "count_patterns": lambda: [len(str(patterns.count_patterns(MODEL, X)))],
    "count_zeros": lambda: patterns.count_zeros(MODEL, X, Y).per_unit,
    "local_affine_map": lambda: patterns.local_affine_map(MODEL, X[0]),
    "region_radius": lambda: patterns.region_radius(MODEL, X, batch_axes=1),
    "line_regions": lambda: patterns.line_regions(MODEL, X[0], X[1]).t,
    "plane_regions": lambda: [len(patterns.plane_regions(MODEL))],
    "generalisation_gap": lambda: patterns.generalisation_gap(MODEL, X[0], 0.1 * X[1], CHANGE),
    "redraw": lambda: patterns.redraw(MODEL, jax.random.key(2), nn.initialisers.kaiming_normal),
    "design_weights": designed,
}
SWITCHES = {
    "disable_jit": jax.disable_jit,
    "debug_nans": lambda: jax.debug_nans(True),
    "checking_leaks": jax.checking_leaks,
    "rank_promotion": lambda: jax.numpy_rank_promotion("raise"),
}


@pytest.fixture(scope="module")
def expected():
    return {name: jax.tree.leaves(call()) for name, call in PUBLIC.items()}


@pytest.mark.parametrize("switch", SWITCHES)
def test_measures_are_the_same(switch, expected):
    for name, call in PUBLIC.items():
        with SWITCHES[switch]():
            found = jax.tree.leaves(call())
        for a, b in zip(found, expected[name], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("switch", SWITCHES)
def test_figures_are_drawn(switch, tmp_path):
    with SWITCHES[switch]():
        assert min(drawn(tmp_path)) > 2_000


def test_studies_are_the_same():
    """A study of few starts under all of them but `disable_jit`, under which it would take minutes."""
    data = (np.asarray(X), Y), (np.asarray(X), Y)
    network = nn.Chain(nn.Dense(2, 4, nn.relu), nn.Dense(4, 2))
    study = lambda: patterns.study_initialisations(
        ["kaiming_normal", "designed:1"], network, data, starts=2, epochs=1, batchsize=4, progress=False
    )
    plain = study()
    with jax.debug_nans(True), jax.checking_leaks(), jax.numpy_rank_promotion("raise"):
        again = study()
    assert len(plain.records) == 4
    assert str(plain.records) == str(again.records)
