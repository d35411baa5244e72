"""The engine's gradient beside `jax.grad`: what it compiles to, how long it takes to trace, compile and run.

Ratios are ours over JAX's; below 1 we need less. Times are the best of several turns taken alternately: of tracing
with what JAX remembers and from nothing, of compiling, of the compiled program, and of calls without `jit`.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence

import jax
import numpy as np

import argflux as af
from benchmarks.models import MODELS, Model
from benchmarks.report import publish

COSTS = ("flops", "bytes accessed")


def ours(model: Model) -> Callable:
    return lambda parameters, *batch: af.gradient(model.loss, parameters, *batch)[0]


def theirs(model: Model) -> Callable:
    return jax.grad(model.loss)


def _compiled(f: Callable, model: Model):
    return jax.jit(f).lower(model.parameters, *model.batch).compile()


def costs(f: Callable, model: Model) -> dict[str, float]:
    """Return the floating-point operations and the bytes of the compiled program."""
    analysis = _compiled(f, model).cost_analysis()
    return {key: float(analysis[key]) for key in COSTS}


def cost_ratios(model: Model) -> dict[str, float]:
    """Return the costs of our compiled gradient over those of JAX's."""
    mine, peer = costs(ours(model), model), costs(theirs(model), model)
    return {key: mine[key] / peer[key] for key in COSTS}


def time_ratio(actions: Sequence[Callable], turns: int, before: Callable = lambda: None) -> float:
    """Run two actions alternately and return the first's best time over the second's; `before` is not timed."""
    best = [float("inf")] * len(actions)
    for _ in range(turns):
        for i, action in enumerate(actions):
            before()
            start = time.perf_counter()
            jax.block_until_ready(action())
            best[i] = min(best[i], time.perf_counter() - start)
    return best[0] / best[1]


def check(model: Model) -> None:
    """Refuse to compare programs that do not compute the same."""
    mine, peer = (jax.jit(make(model))(model.parameters, *model.batch) for make in (ours, theirs))
    for a, b in zip(jax.tree.leaves(mine), jax.tree.leaves(peer), strict=True):
        scale = float(np.max(np.abs(b)))
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4 * scale, err_msg=model.name)


def measure(model: Model) -> dict:
    """Return every ratio of one model; a new gradient is made for each turn of tracing and compiling."""
    check(model)
    call = lambda f: f(model.parameters, *model.batch)
    trace = lambda make: lambda: jax.make_jaxpr(make(model))(model.parameters, *model.batch).eqns[:0]
    compile_ = lambda make: lambda: _compiled(make(model), model) and None
    programs = [_compiled(make(model), model) for make in (ours, theirs)]
    jitted = dataclasses.replace(model, loss=jax.jit(model.loss))
    times = {
        "trace": time_ratio([trace(ours), trace(theirs)], 10),
        "first trace": time_ratio([trace(ours), trace(theirs)], 5, before=jax.clear_caches),
        "compile": time_ratio([compile_(ours), compile_(theirs)], 3),
        "run": time_ratio([lambda p=p: call(p) for p in programs], 50),
        "eager": time_ratio([lambda make=make: call(make(model)) for make in (ours, theirs)], 10),
        "eager, loss jitted": time_ratio([lambda make=make: call(make(jitted)) for make in (ours, theirs)], 20),
    }
    return {"model": model.name, **cost_ratios(model), **times}


def main() -> None:
    publish("gradient", "argflux.gradient / jax.grad", [measure(make()) for make in MODELS])


if __name__ == "__main__":
    main()
