"""design_weights: linear programs choose the initial weights of a network, layer by layer."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from argflux.errors import DataError
from argflux.keywords import explained
from argflux.kinds import Numbers
from argflux.nn.random import next_key
from argflux.patterns.design.distinct import repeated
from argflux.patterns.design.layer_design import DesignOptions, LayerDesign, design_layer
from argflux.patterns.design.meter import Meter
from argflux.patterns.design.report import DesignReport, LayerReport
from argflux.patterns.design.rows import (
    WHERE,
    UnitRows,
    by_unit,
    designable,
    redrawn,
    replaced,
    threshold,
    unit_rows,
    width,
)
from argflux.patterns.regions.chunks import check_finite, observations
from argflux.patterns.sites.sites import preactivations


@explained
def design_weights(
    model: Callable,
    x: Numbers,
    *,
    key: Array | None = None,
    kappa: float = 0.1,
    margin: float = 0.1,
    minimise: str = "zeros",
    trust: float | None = None,
    biases: bool = True,
    balanced: bool = False,
    scale: str | None = "signal",
    samples: int = 500,
    init: Callable | None = None,
    solver: str = "auto",
    threads: int | None = None,
    progress: bool = True,
) -> tuple[Any, DesignReport]:
    """Choose the initial weights of a network by linear programs, so that data meets few ReLU zeros.

    Layer by layer, with the data passed through the layers designed before, every unit's weights w solve

        minimise  −w₀·w / (r ‖w₀‖₁)  +  κ/n · Σⱼ max(0, margin − zⱼ/σ),   zⱼ = xⱼ·w + b,   |w| ≤ r,

    where w₀ are the unit's weights before, r bounds the uniform distribution of their deviation (the bound of the
    layer's initialiser, where that is uniform), and σ is the deviation of the layer's pre-activations. So w is a
    vertex near a random direction, on whose right side most of the data lies. The layer is then scaled so that what
    it passes on has the mean square that usual weights give: half of that of their pre-activations. Layers without
    ReLU-like units stay as they are, as does the model given.

    Args:
        model: any tree whose layers have a `weight` of shape (outputs, inputs, *window), perhaps a `bias`, and are
            linear in both: Dense, convolutions, a user's own. A layer can say by a method `patches(x)` what its
            weight is multiplied by; else this is found by calling it with unit vectors for weights.
        x: data, batch first, as the model takes it.
        key: decides the observations, `init`, and how equal units are moved apart.
        kappa: what the hinges weigh, from 0 (none) to infinity: then every sample must reach the margin.
        margin: how far above its corner each pre-activation should lie, in σ.
        minimise: "zeros", or "patterns": units mostly off at the start are then pushed to be off everywhere, which
            counts fewer patterns and kills those units on the data.
        trust: how far a weight may go from where it was, in bounds r; None for as far as the bound.
        biases: whether the biases that there are are designed too, within r; else they stay, up to the scale.
        balanced: whether the weights of every unit sum to zero, which makes it blind to the brightness.
        scale: "signal"; "variance" to keep that of the pre-activations, whose mean then makes the curvature of the
            loss two to six times the usual, so that descent needs smaller steps; or None to leave the solutions of
            the programs as they are. Units with corners other than 0, and those whose pre-activations a skip
            connection adds to, are left in any case.
        samples: how many observations the programs see (and how many patches, of a convolution).
        init: an initialiser that draws all weights to be designed anew first, such as `af.init.orthogonal`.
        solver: "simplex" (HiGHS), "first-order" (in JAX, all units at once, within 0.1 % of the optimum), or "auto".
        threads: how many units are solved at once; the result does not depend on it.
        progress: whether a bar is drawn, on a terminal.

    Returns:
        The designed model and a `DesignReport`, to be printed.

    Raises:
        ArgumentError: for options out of range, a model without ReLU-like units, a layer that is not linear in its
            weight, and with kappa=inf a margin that some unit cannot reach, naming the largest one that works.
        DataError: for data that is empty, not finite or constant.

    Example:
        >>> import jax
        >>> import argflux as af
        >>> train, _ = af.load_digits()
        >>> m = af.Chain(af.Dense(64, 32, af.relu, key=jax.random.key(0)), af.Dense(32, 10, key=jax.random.key(1)))
        >>> m, report = af.design_weights(m, train.x, key=jax.random.key(2))
        >>> report.zeros_after < report.zeros_before / 2
        True
    """
    begun = time.perf_counter()
    options = DesignOptions(kappa, margin, minimise, trust, biases, balanced, scale, samples, solver, threads)
    options.check(WHERE)
    choice, drawing, moves = jax.random.split(next_key(key), 3)
    sample = _sample(x, samples, choice)
    names = designable(model, sample)
    before = model if init is None else redrawn(model, names, init, drawing)
    rng = np.random.default_rng(np.asarray(jax.random.bits(moves, (4,), "uint32")))
    usual = preactivations(before, sample)
    after, done = before, []
    with Meter(sum(width(model, name) for name in names), "units", shown=progress) as bar:
        for name in names:
            bar.name(name)
            after, made = _design(after, name, sample, usual[name], options, rng, bar.advance)
            done.append(made)
    return after, _report(usual, preactivations(after, sample), done, len(sample), begun)


def _sample(x: Any, most: int, key: Array) -> Array:
    rows = observations(x, 1, WHERE)
    check_finite(rows, bool(np.isfinite(np.asarray(rows)).all()), WHERE)
    if len(rows) > most:
        rows = rows[np.sort(np.asarray(jax.random.permutation(key, len(rows)))[:most])]
    if (np.asarray(rows) == np.asarray(rows[:1])).all():
        got, todo = f"{len(rows)} observations that are all the same", "pass more and different observations"
        raise DataError(got, "data that varies", todo, where=WHERE)
    return jnp.asarray(rows)


@dataclasses.dataclass(frozen=True)
class _Designed:
    """A layer's design, with what is needed to report it."""

    name: str
    corner: float
    found: UnitRows
    design: LayerDesign
    programmed: int
    seconds: float


def _design(
    model: Any,
    name: str,
    x: Array,
    usual: Array,
    options: DesignOptions,
    rng: np.random.Generator,
    done: Callable[[int], Any],
) -> tuple[Any, _Designed]:
    """Return the model with one more layer designed."""
    begun = time.perf_counter()
    corner, found = threshold(model, x, name), unit_rows(model, name, x)
    kept = np.asarray(by_unit(usual, found.channels), np.float64)
    design = design_layer(found, corner, options, rng, kept, done, f"{WHERE} {name}")
    programmed = min(len(found.rows), options.samples)
    made = _Designed(name, corner, found, design, programmed, time.perf_counter() - begun)
    return replaced(model, name, design.weight, design.bias), made


def _report(
    before: dict[str, Array], after: dict[str, Array], made: list[_Designed], count: int, begun: float
) -> DesignReport:
    bits = [
        [by_unit(values[layer.name], layer.found.channels) > layer.corner for values in (before, after)]
        for layer in made
    ]
    layers = tuple(_layer_report(layer, *on) for layer, on in zip(made, bits, strict=True))
    whole = [_patterns(np.hstack([on[k].reshape(count, -1) for on in bits])) for k in (0, 1)]
    return DesignReport(layers, count, whole[0], whole[1], time.perf_counter() - begun)


def _layer_report(made: _Designed, before: np.ndarray, after: np.ndarray) -> LayerReport:
    design, (rows, columns) = made.design, made.found.rows.shape
    weights = np.hstack([design.weight, design.bias[:, None]])
    return LayerReport(
        name=made.name,
        units=len(weights),
        rows=rows,
        programmed=made.programmed,
        columns=columns,
        zeros_before=float((~before).mean()),
        zeros_after=float((~after).mean()),
        patterns_before=_patterns(before),
        patterns_after=_patterns(after),
        dead=int((~after).all(0).sum()),
        distinct=len(weights) - len(repeated(weights)),
        status=design.status,
        method=design.method,
        scale=design.scale,
        seconds=made.seconds,
    )


def _patterns(on: np.ndarray) -> int:
    """Count distinct rows of truth values."""
    return len(np.unique(np.packbits(on, axis=1), axis=0))
