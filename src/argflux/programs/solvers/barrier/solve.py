"""A primal-dual interior point method for batches: one evaluation of the functions for all instances at a time.

Each pass of the loop evaluates the functions at the trial points of all instances. What an instance makes of them
depends on what it is doing: descending, restoring feasibility or polishing; whether its trial point is taken, shortened
or corrected. So no instance waits in a loop of another's, and the functions are compiled once.

Source:
    Wächter and Biegler, "On the implementation of an interior-point filter line-search algorithm for large-scale
    nonlinear programming" (2006).
"""

from typing import Any

import jax
import jax.numpy as jnp

from argflux.programs.answers.status import Status
from argflux.programs.forms.nonlinear import NonlinearForm
from argflux.programs.solvers.barrier import polish, restore, search
from argflux.programs.solvers.barrier.evaluate import evaluator, flat, is_finite, scaled
from argflux.programs.solvers.barrier.factor import Factor
from argflux.programs.solvers.barrier.gaps import PUSH, bounds_of, gaps, inside, largest, logs, room, total
from argflux.programs.solvers.barrier.newton import System, masked, regularised, solved, times
from argflux.programs.solvers.barrier.point import BarrierPoint, Bounds, Local, Point, Scale
from argflux.programs.solvers.barrier.residual import Residual, pull, residual
from argflux.programs.solvers.barrier.search import Height
from argflux.programs.solvers.barrier.state import Active, Mode, State, Step, chosen

LIMIT = 400
STEEPEST = 100.0
MU = 0.1
NEAR, FASTER, SLOWER = 10.0, 1.5, 0.2
SHARE = 0.99
ACCEPTABLE = 1e-7
CORRECTIONS, TRIALS, BOOSTS = 4, 30, 8
ENOUGH = 0.9
LARGE, FALLEN = 1e3, 1e20
SAFE = 1e10


def barrier_points(
    form: NonlinearForm,
    operands: tuple,
    start: Any,
    lower: Any,
    upper: Any,
    *,
    tolerance: float = 1e-9,
    max_iterations: int = LIMIT,
    duals: Any = None,
) -> BarrierPoint:
    """Solve a batch of nonlinear programs, each from its own start.

    Args:
        form: the program, as functions of one instance.
        operands: what the functions take after x, the batch first; a block of length 1 is shared.
        start: `(B, n)` or `(1, n)`; moved off its bounds.
        lower: lower bounds, `-inf` where there is none.
        upper: upper bounds, `inf` where there is none; an unknown with `lower == upper` is fixed.
        tolerance: the largest violation of the optimality conditions, in the solver's scaling.
        max_iterations: how many steps an instance may take.
        duals: multipliers `(y, z, z_lower, z_upper)` of a solution nearby, to start from.
    """
    batch = max(len(a) for a in (*operands, start, lower, upper))
    wide = lambda a: jnp.broadcast_to(a, (batch, a.shape[1])).T
    box = bounds_of(wide(lower), wide(upper))
    evaluate = evaluator(form, operands, batch)
    state = _start(form, wide(start), box)
    advance = lambda state: _advanced(state, evaluate, box, tolerance, max_iterations)
    state = jax.lax.while_loop(lambda s: jnp.any(s.mode != Mode.DONE), advance, state)
    return _unscaled(state)


def _start(form: NonlinearForm, start: Any, box: Bounds) -> State:
    n, p, m = form.n, form.p, form.m
    batch = start.shape[-1]
    zeros = lambda *shape: jnp.zeros((*shape, batch))
    one, no, none = jnp.ones(batch), jnp.zeros(batch, bool), jnp.zeros(batch, jnp.int32)
    bad = jnp.any(~(box.lower <= box.upper), 0) | jnp.any(~jnp.isfinite(start), 0)
    bad = bad | jnp.any((box.lower == jnp.inf) | (box.upper == -jnp.inf), 0)
    mode = jnp.where(bad, jnp.int32(Mode.DONE), jnp.int32(Mode.CALIBRATE))
    x = inside(jnp.where(bad, 0.0, start), box)
    x = jnp.where(bad, 0.0, x)
    point = Point(x, zeros(m) + 1, zeros(p), zeros(m) + 1, jnp.where(box.has_lower, one, 0.0), jnp.where(box.has_upper, one, 0.0))
    still = Step(Point(zeros(n), zeros(m), zeros(p), zeros(m), zeros(n), zeros(n)), one, one)
    system = System(zeros(n, n), zeros(p, n), zeros(m, n), zeros(p), zeros(m), zeros(m), zeros(p))
    factor = Factor(zeros(n + p, n + p), zeros(n + p) + 1)
    rows = (zeros(p), zeros(m))
    return State(
        mode=mode,
        passing=~no,
        point=point,
        step=still,
        plain=still,
        system=system,
        factor=factor,
        right=zeros(n),
        rows=rows,
        values=rows,
        at=Height(zeros(), zeros(), zeros()),
        filter=search.empty(batch),
        mu=MU * one,
        delta=zeros(),
        floor=zeros(),
        scale=Scale(one, zeros(p) + 1, zeros(m) + 1),
        limits=(jnp.inf * one, zeros()),
        trials=none,
        corrections=none,
        left=(MU * one, zeros()),
        stillness=jnp.inf * one,
        boosts=none,
        active=Active(zeros(m) > 1, zeros(n) > 1, zeros(n) > 1),
        best=point,
        error=jnp.inf * one,
        polishes=none,
        iterations=none,
        steps=none,
        status=jnp.where(bad, jnp.int32(Status.BAD_DATA), jnp.int32(Status.ITERATION_LIMIT)),
    )


def _trial(state: State, box: Bounds) -> Point:
    """The next points, multipliers kept within a factor of what the barrier says."""
    old, (change, alpha, dual) = state.point, state.step
    x = jnp.where(box.free, old.x + alpha * change.x, old.x)
    s, y = old.s + alpha * change.s, old.y + alpha * change.y
    below, above = gaps(x, box)
    kept = state.passing | (state.mode == Mode.POLISH)

    def safe(z: Any, dz: Any, gap: Any, real: Any) -> Any:
        z = z + dual * dz
        bound = jnp.clip(z, state.mu / (SAFE * gap), SAFE * state.mu / gap)
        return jnp.where(real, jnp.where(kept, z, bound), 0.0)

    return Point(
        x,
        s,
        y,
        safe(old.z, change.z, s, True),
        safe(old.zl, change.zl, below, box.has_lower),
        safe(old.zu, change.zu, above, box.has_upper),
    )


def _scale(local: Local) -> Scale:
    """Factors by which no gradient is larger than `STEEPEST`."""
    factor = lambda slope: jnp.minimum(1.0, STEEPEST / jnp.maximum(slope, 1e-300))
    rows = lambda J: jnp.maximum(factor(jnp.max(jnp.abs(J), 1)), 1e-8)
    return Scale(jnp.maximum(factor(largest(local.df)), 1e-8), rows(local.Jc), rows(local.Jg))


def _measured(state: State, point: Point, local: Local, box: Bounds, elastic: Any) -> tuple[Any, Any]:
    """The violation, and what the steps are to lower."""
    rows = local.g + point.s
    theta = total(jnp.abs(local.c)) + total(jnp.abs(rows))
    value = jnp.where(elastic, restore.squares(local.c, rows), local.f)
    return theta, value - state.mu * logs(point, box)


def _advanced(state: State, evaluate: Any, box: Bounds, tolerance: float, limit: int) -> State:
    """Evaluate the functions at the trial points, and choose the next ones."""
    mode = state.mode
    first = state.steps == 0
    elastic = mode == Mode.RESTORE
    calibrating = mode == Mode.CALIBRATE
    point = _trial(state, box)
    weight = jnp.where(elastic | calibrating, 0.0, state.scale.f)
    local = evaluate(point.x, weight, point.y * state.scale.c, point.z * state.scale.g)
    scale = chosen(first, _scale(local), state.scale)
    local = scaled(local, scale)
    finite = is_finite(local)
    W = jnp.where(jnp.isfinite(flat(local.W)).all(0), local.W, 0.0)
    local = local._replace(W=jnp.where(calibrating, jnp.eye(len(W))[:, :, None], W))
    point = point._replace(s=jnp.where(first, jnp.maximum(-local.g, PUSH), point.s))
    state = state._replace(scale=scale)
    theta, phi = _measured(state, point, local, box, elastic)
    state = state._replace(limits=chosen(first, (1e2 * jnp.maximum(1, theta), 1e-4 * jnp.maximum(1, theta)), state.limits))
    local = local._replace(df=jnp.where(elastic, 0.0, local.df))
    done = polish.completed(point, local, state.active, box)
    point = chosen(mode == Mode.POLISH, done, point)
    finite = finite & jnp.isfinite(theta) & (jnp.isfinite(phi) | (mode == Mode.POLISH))

    # is the trial point taken?
    descent = search.is_descent(state.at, state.step.alpha, state.limits[1])
    better = search.is_better(state.at, theta, phi, state.step.alpha, descent)
    better = better & search.passes(state.filter, theta, phi) & (theta <= state.limits[0])
    lower = phi <= state.at.phi + 1e-4 * state.step.alpha * state.at.slope + 1e-15 * jnp.abs(state.at.phi)
    exact = residual(point, local, box)
    error = exact.error(0.0)
    improved = error < state.error
    taken = jnp.where(elastic, lower, jnp.where(mode == Mode.POLISH, improved, better))
    taken = finite & (taken | state.passing | calibrating)
    going = mode != Mode.DONE
    enters = going & taken & (mode == Mode.DESCEND) & ~state.passing & ~descent
    state = state._replace(filter=search.extended(state.filter, state.at, enters))

    old = state
    state = state._replace(
        point=chosen(taken & going, point, state.point),
        values=chosen(taken & going, (local.c, local.g), state.values),
        steps=state.steps + going.astype(jnp.int32),
        iterations=state.iterations + (going & taken & ~old.passing).astype(jnp.int32),
        passing=state.passing & ~going,
    )
    state, fresh = _after_taken(state, going & taken, point, local, exact, theta, tolerance, box)
    state, corrected = _after_rejected(state, going & ~taken, finite, theta, local, box)
    state = _stopped(state, limit, box)
    state = _polishing(state, old, going & (mode == Mode.POLISH), taken, point, error, box)
    fresh = fresh & (state.mode == mode) & going & ~state.passing
    fresh = fresh | (going & taken & calibrating & (state.mode == Mode.DESCEND))
    return _directed(state, fresh, corrected, calibrating & fresh, local, box)


def _after_taken(
    state: State, taken: Any, point: Point, local: Local, exact: Residual, theta: Any, tolerance: float, box: Bounds
) -> tuple[State, Any]:
    """Optimality, the barrier parameter, and the end of restoration."""
    descending = taken & (state.mode == Mode.DESCEND)
    error = exact.error(0.0)
    record = descending & (error < state.error)
    state = state._replace(best=chosen(record, point, state.best), error=jnp.where(record, error, state.error))
    arrived = descending & (error <= tolerance)
    fallen = descending & ~arrived & ((local.f < -FALLEN) | (largest(point.x) > FALLEN)) & (theta <= 1e-6 * largest(point.x))
    mode = jnp.where(fallen, jnp.int32(Mode.DONE), state.mode)
    status = jnp.where(fallen, jnp.int32(Status.DUAL_INFEASIBLE), state.status)

    # restoration
    restoring = taken & (state.mode == Mode.RESTORE)
    elastic = residual(point, local._replace(c=local.c - point.y, g=local.g - point.z), box)
    v = restore.violation(local.c, local.g + point.s)
    real = local.f - state.left[0] * logs(point, box)
    out = restoring & (theta <= ENOUGH * state.left[1]) & search.passes(state.filter, theta, real)
    stillness = elastic.error(0.0) / jnp.maximum(v, 1e-300)
    stuck = restoring & ~out & (stillness <= 1e-6) & (v > 0)
    status = jnp.where(stuck, jnp.int32(Status.LOCALLY_INFEASIBLE), status)
    mode = jnp.where(stuck, jnp.int32(Mode.DONE), mode)

    # the barrier parameter
    least = jnp.where(restoring, restore.last_barrier(v), tolerance / 10)
    mu = state.mu
    for _ in range(4):
        e = jnp.where(restoring, elastic.error(mu), exact.error(mu))
        smaller = (descending | restoring) & (e <= NEAR * mu) & (mu > least)
        mu = jnp.where(smaller, jnp.maximum(least, jnp.minimum(SLOWER * mu, mu**FASTER)), mu)
    fewer = descending & (mu < state.mu)
    filter = search.emptied(state.filter, fewer)
    mu = jnp.where(out, state.left[0], mu)
    state = state._replace(
        mode=jnp.where(out, jnp.int32(Mode.CALIBRATE), mode),
        status=status,
        mu=mu,
        filter=filter,
        stillness=jnp.where(restoring, stillness, state.stillness),
        passing=state.passing | out,
        point=chosen(out, restore.left(point, state.left[0], box), state.point),
        step=chosen(out, _nothing(state), state.step),
        floor=jnp.where(taken, 0.0, state.floor),
        boosts=jnp.where(descending & (error < ENOUGH * state.error), 0, state.boosts),
    )
    calibrated = taken & (state.mode == Mode.CALIBRATE) & ~out
    state = state._replace(mode=jnp.where(calibrated, jnp.int32(Mode.DESCEND), state.mode))
    return _to_polish(state, arrived, box), taken & ~out


def _to_polish(state: State, where: Any, box: Bounds) -> State:
    """Go on from the best point with its active set."""
    active = polish.active_at(state.best, box)
    return state._replace(
        mode=jnp.where(where, jnp.int32(Mode.POLISH), state.mode),
        active=chosen(where, active, state.active),
        point=chosen(where, polish.snapped(state.best, active, box), state.point),
        step=chosen(where, _nothing(state), state.step),
        passing=state.passing | where,
    )


def _nothing(state: State) -> Step:
    one = jnp.ones_like(state.mu)
    return Step(Point(*[jnp.zeros_like(a) for a in state.point]), one, one)


def _after_rejected(state: State, rejected: Any, finite: Any, theta: Any, local: Local, box: Bounds) -> tuple[State, Any]:
    """Correct the step, shorten it, restore feasibility, or add to the diagonal."""
    descending = rejected & (state.mode == Mode.DESCEND)
    restoring = rejected & (state.mode == Mode.RESTORE)
    correcting = state.corrections > 0
    first = (state.trials == 0) & ~correcting & (theta >= state.at.theta)
    again = correcting & (state.corrections < CORRECTIONS) & (theta <= 0.99 * state.stillness)
    correct = descending & finite & (first | again) & (len(local.c) + len(local.g) > 0)
    alpha = jnp.where(correcting, state.plain.alpha, state.step.alpha) / 2
    shorter = (descending | restoring) & ~correct
    trials = state.trials + shorter.astype(jnp.int32)
    short = alpha < search.shortest(state.at, state.limits[1])
    over = shorter & ((trials > TRIALS) | (short & descending))
    rows = (
        state.step.alpha * state.rows[0] + local.c,
        state.step.alpha * state.rows[1] + local.g + state.point.s + state.step.alpha * state.step.change.s,
    )
    state = state._replace(
        step=chosen(shorter, state.plain._replace(alpha=alpha), state.step),
        rows=chosen(correct, rows, state.rows),
        trials=trials,
        corrections=jnp.where(correct, state.corrections + 1, jnp.where(shorter, 0, state.corrections)),
        stillness=jnp.where(correct, theta, state.stillness),
    )
    missing = rejected & (state.mode == Mode.CALIBRATE)
    status = jnp.where(state.steps <= 1, jnp.int32(Status.BAD_DATA), jnp.int32(Status.NUMERICAL_ERROR))
    still = state.stillness <= 1e-3
    ended = jnp.where(still, jnp.int32(Status.LOCALLY_INFEASIBLE), jnp.int32(Status.NUMERICAL_ERROR))
    lost = over & restoring
    state = state._replace(
        status=jnp.where(missing, status, jnp.where(lost, ended, state.status)),
        mode=jnp.where(missing | lost, jnp.int32(Mode.DONE), state.mode),
    )
    return _helped(state, over & descending, box), correct


def _helped(state: State, where: Any, box: Bounds) -> State:
    """Restore feasibility where it lacks, else add to the diagonal, a few times."""
    c, g = state.values
    feasible = state.at.theta <= 1e-9
    restored = where & ~feasible
    mu = restore.first_barrier(c, g)
    boosted = where & feasible
    state = state._replace(
        filter=search.extended(state.filter, state.at, restored),
        left=chosen(restored, (state.mu, state.at.theta), state.left),
        mode=jnp.where(restored, jnp.int32(Mode.RESTORE), state.mode),
        point=chosen(restored, restore.entered(state.point, c, g, mu, box), state.point),
        mu=jnp.where(restored, mu, state.mu),
        stillness=jnp.where(restored, jnp.inf, state.stillness),
        floor=jnp.where(boosted, jnp.maximum(10 * state.delta, 1e-4), state.floor),
        boosts=state.boosts + boosted.astype(jnp.int32),
        passing=state.passing | where,
        step=chosen(where, _nothing(state), state.step),
        iterations=state.iterations + where.astype(jnp.int32),
    )
    hopeless = boosted & (state.boosts > BOOSTS)
    state = state._replace(status=jnp.where(hopeless, jnp.int32(Status.NUMERICAL_ERROR), state.status))
    return _given_up(state, hopeless, box)


def _given_up(state: State, where: Any, box: Bounds) -> State:
    """Polish the best point if it is nearly one, else end."""
    near = where & (state.error <= ACCEPTABLE)
    state = _to_polish(state, near, box)
    return state._replace(mode=jnp.where(where & ~near, jnp.int32(Mode.DONE), state.mode))


def _stopped(state: State, limit: int, box: Bounds) -> State:
    on = (state.mode != Mode.DONE) & (state.mode != Mode.POLISH)
    return _given_up(state, on & ((state.iterations >= limit) | (state.steps >= 4 * limit)), box)


def _polishing(state: State, old: State, where: Any, taken: Any, point: Point, error: Any, box: Bounds) -> State:
    """Keep the better point; go on while it becomes much better."""
    record = where & taken & (error < old.error)
    much = where & taken & (old.passing | (error <= polish.GAIN * old.error)) & (old.polishes < polish.STEPS)
    state = state._replace(
        best=chosen(record, point, state.best),
        error=jnp.where(record, error, state.error),
        polishes=state.polishes + where.astype(jnp.int32),
    )
    end = where & (~much | (state.error <= polish.ENOUGH))
    solved = state.error <= ACCEPTABLE
    return state._replace(
        mode=jnp.where(end, jnp.int32(Mode.DONE), state.mode),
        status=jnp.where(end & solved, jnp.int32(Status.SOLVED), state.status),
    )


def _directed(state: State, fresh: Any, corrected: Any, calibrating: Any, local: Local, box: Bounds) -> State:
    """New directions, from new systems or with corrected right sides of the old ones."""
    point, mu = state.point, state.mu
    mode = state.mode
    elastic = jnp.where(mode == Mode.RESTORE, 1.0, 0.0)
    polishing = mode == Mode.POLISH
    below, above = gaps(point.x, box)
    diagonal = jnp.where(box.has_lower, point.zl / below, 0.0) + jnp.where(box.has_upper, point.zu / above, 0.0)
    Dc, Dg = elastic * jnp.ones_like(point.y), point.s / point.z + elastic
    weight = jnp.where(calibrating, 0.0, 1 / Dg)
    system = masked(local, jnp.where(calibrating, 0.0, diagonal), box.free, Dc, Dg, weight)
    held = polish.held_system(local, state.active, box)
    system = chosen(polishing, held, system)
    system, factor, delta, good = regularised(system, state.delta, state.floor, fresh)
    slope = local.df + pull(local, point.y, point.z)
    forces = jnp.where(box.has_lower, mu / below, 0.0) - jnp.where(box.has_upper, mu / above, 0.0)
    r1 = jnp.where(box.free, -(slope - jnp.where(calibrating, point.zl - point.zu, forces)), 0.0)
    c, rows = local.c - elastic * point.y, local.g + point.s - elastic * point.z
    h1, h2, h3 = polish.held_right(point, local, state.active, box)
    state = state._replace(
        system=chosen(fresh, system, state.system),
        factor=chosen(fresh, factor, state.factor),
        right=jnp.where(fresh, jnp.where(polishing, h1, r1), state.right),
        rows=chosen(fresh, (c, rows), state.rows),
        delta=jnp.where(fresh & ~polishing & ~calibrating, jnp.where(delta > 0, delta, state.delta), state.delta),
    )
    r2 = jnp.where(polishing, h2, jnp.where(calibrating, 0.0, -state.rows[0]))
    r3 = jnp.where(polishing, h3, -state.rows[1] - (mu / point.z - point.s))
    dx, dy, dz = solved(state.system, state.factor, state.right, r2, r3)
    ds = -state.rows[1] - times(local_rows(state), dx) + elastic * dz
    zero = calibrating | polishing
    dzl = jnp.where(box.has_lower & ~zero, mu / below - point.zl - point.zl / below * dx, 0.0)
    dzu = jnp.where(box.has_upper & ~zero, mu / above - point.zu + point.zu / above * dx, 0.0)
    dy = jnp.where(calibrating & (largest(dy) > LARGE), 0.0, dy)
    stay = lambda a: jnp.where(calibrating, 0.0, a)
    change = Point(stay(dx), jnp.where(zero, 0.0, ds), dy, stay(dz), dzl, dzu)
    tau = jnp.maximum(SHARE, 1 - mu)
    lows, highs = jnp.where(box.has_lower, dx, 1.0), jnp.where(box.has_upper, -dx, 1.0)
    alpha = jnp.minimum(jnp.minimum(room(below, lows, tau), room(above, highs, tau)), room(point.s, ds, tau))
    dual = jnp.minimum(room(point.zl, dzl, tau), room(point.zu, dzu, tau))
    dual = jnp.minimum(dual, room(point.z, dz, tau))
    one = jnp.ones_like(alpha)
    step = Step(change, jnp.where(zero, one, alpha), jnp.where(zero, one, dual))
    broken = (fresh & ~good) | ((fresh | corrected) & ~jnp.isfinite(sum(total(a) for a in change)))
    changed = (fresh | corrected) & ~broken
    state = state._replace(
        step=chosen(changed, step, state.step),
        plain=chosen(fresh & ~broken, step, state.plain),
        trials=jnp.where(fresh, 0, state.trials),
        corrections=jnp.where(fresh, 0, state.corrections),
        passing=state.passing | calibrating,
        at=chosen(fresh, _height(state, point, local, change, elastic, box), state.at),
    )
    ended = polishing & broken
    solved_ = jnp.where(ended & (state.error <= ACCEPTABLE), jnp.int32(Status.SOLVED), state.status)
    state = state._replace(status=jnp.where(broken & ~polishing, jnp.int32(Status.NUMERICAL_ERROR), solved_))
    state = state._replace(mode=jnp.where(ended, jnp.int32(Mode.DONE), state.mode))
    return _given_up(state, broken & ~polishing, box)


def local_rows(state: State) -> Any:
    """The Jacobian of inequalities of the current system."""
    return state.system.Jg


def _height(state: State, point: Point, local: Local, change: Point, elastic: Any, box: Bounds) -> Height:
    """Violation, barrier function and slope at the point from which steps are taken."""
    mu = state.mu
    rows = local.g + point.s
    theta, phi = _measured(state, point, local, box, elastic > 0)
    below, above = gaps(point.x, box)
    forces = jnp.where(box.has_lower, mu / below, 0.0) - jnp.where(box.has_upper, mu / above, 0.0)
    squares = elastic * pull(local, local.c, rows)
    slope = total((local.df + squares - forces) * change.x) + total((elastic * rows - mu / point.s) * change.s)
    return Height(theta, phi, slope)


def _unscaled(state: State) -> BarrierPoint:
    """The points in the user's units, the batch first."""
    best = chosen(state.error < jnp.inf, state.best, state.point)
    best = chosen(state.status == Status.SOLVED, state.best, chosen(state.error <= ACCEPTABLE, state.best, state.point))
    f = state.scale.f
    y, z = best.y * state.scale.c / f, best.z * state.scale.g / f
    return BarrierPoint(best.x.T, y.T, z.T, (best.zl / f).T, (best.zu / f).T, state.status, state.iterations)
