"""Batches of nonlinear programs by a solver of the host, which asks the compiled program for the functions."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.programs.forms.hostcall import host_call
from argflux.programs.forms.nonlinear import NonlinearForm
from argflux.programs.forms.structure import Structure, structure
from argflux.programs.forms.thin import Thin
from argflux.programs.solvers.barrier import BarrierPoint
from argflux.programs.solvers.barrier.evaluate import evaluator
from argflux.programs.solvers.exchange import Ask, Exchange, Values
from argflux.programs.solvers.pounce import Task, run_pounce


def pounce_points(
    form: NonlinearForm,
    operands: tuple,
    start: Any,
    lower: Any,
    upper: Any,
    *,
    tolerance: float,
    max_iterations: int,
    duals: Any = None,
) -> BarrierPoint:
    """Solve a batch by POUNCE, each instance in a thread; arguments as those of `barrier_points`."""
    batch, (n, p, rows) = len(start), (form.n, form.p, form.rows)
    evaluate = evaluator(form, operands, batch)
    count, each, vector = ((1,), "int32"), ((batch,), "int32"), lambda size: ((batch, size), "float64")
    asks = [vector(n), ((batch,), "float64"), vector(rows), count]
    given = [jnp.broadcast_to(a, (batch, *a.shape[1:])) for a in (start, lower, upper, *(duals or ()))]
    static = {"form": form, "found": structure(form, operands), "tolerance": tolerance, "limit": max_iterations}
    number, *first = host_call(_opened, [count, *asks], *given, effect=True, **static)

    def step(asked: tuple) -> tuple:
        x, weight, dual, _ = asked
        local = evaluate(x.T, weight, dual[:, :p].T, dual[:, p:].T)
        values = local.f, local.c, local.g, local.df, *map(_compact, (local.Jc, local.Jg, local.W))
        return tuple(host_call(_answered, asks, number, *[jnp.moveaxis(v, -1, 0) for v in values], effect=True))

    *_, left = jax.lax.while_loop(lambda asked: asked[-1][0] > 0, step, tuple(first))
    found = host_call(_closed, [vector(n), vector(rows), vector(n), vector(n), each, each], number, left, effect=True)
    x, dual, low, high, status, iterations = found
    y, z = dual[:, :p], jnp.maximum(dual[:, p:], 0.0)
    return BarrierPoint(x, y, z, jnp.maximum(low, 0.0), jnp.maximum(high, 0.0), status, iterations)


def _compact(matrix: Any) -> Any:
    """The entries, one after another, the batch last."""
    return matrix.compact() if isinstance(matrix, Thin) else matrix.reshape(-1, matrix.shape[-1])


def _places(form: NonlinearForm, found: Structure | None) -> tuple:
    """Rows and columns of the entries of the Jacobian, and of those of the Hessian."""
    if found is None:
        C, W = (np.indices(shape).reshape(2, -1) for shape in ((form.rows, form.n), (form.n, form.n)))
        return tuple(C), tuple(W)
    Jc, Jg, W = (places.pattern for places in found.places)
    return (np.r_[Jc.rows, Jg.rows + form.p], np.r_[Jc.columns, Jg.columns]), (W.rows, W.columns)


def _opened(start, lower, upper, *duals, form: NonlinearForm, found: Structure | None, tolerance: float, limit: int):
    """Let a solver begin for each instance; the number of the exchange, and the first questions."""
    places = _places(form, found)

    def task(i: int) -> Task:
        y, z, *bounds = [np.array(part[i]) for part in duals] or [()] * 4
        known = (np.concatenate([y, z]), *bounds) if duals else ()
        return Task(np.array(start[i]), known, np.array(lower[i]), np.array(upper[i]), form.p, form.rows, *places)

    solvers = [functools.partial(run_pounce, task(i), tolerance, limit) for i in range(len(start))]
    exchange = Exchange(solvers, Ask(start, np.ones(len(start)), np.zeros((len(start), form.rows))))
    return [np.array([exchange.number], np.int32), *exchange.asks, np.array([len(exchange.waiting)], np.int32)]


def _answered(number, f, c, g, df, Jc, Jg, W):
    """Hand out values, and collect the next questions."""
    exchange = Exchange.numbered(number.item())
    exchange.answer(Values(f, np.concatenate([c, g], 1), df, np.concatenate([Jc, Jg], 1), W))
    return [*exchange.asks, np.array([len(exchange.waiting)], np.int32)]


def _closed(number, left):
    """What the solvers found, field by field."""
    *floats, status, iterations = map(np.array, zip(*Exchange.numbered(number.item()).close(), strict=True))
    return [*floats, status.astype(np.int32), iterations.astype(np.int32)]
