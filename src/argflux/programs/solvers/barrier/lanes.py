"""Lanes of a batch: a few instances under way at a time; as soon as one is done, the next takes its lane."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from argflux.programs.solvers.barrier.point import BarrierPoint
from argflux.programs.solvers.barrier.state import Mode, State, chosen


class Lanes(NamedTuple):
    """Instances under way; a lane whose `instance` is past the end is empty.

    Attributes:
        state: of each lane.
        given: what the instances of the lanes are given, an instance a row.
        instance: which instance each lane has, `(lanes,)`.
        following: how many instances were begun.
        answers: those of all instances, as far as they are known.
    """

    state: State
    given: Any
    instance: Any
    following: Any
    answers: BarrierPoint


def through_lanes(
    count: int, lanes: int, given: Any, begin: Callable, advance: Callable, answer: Callable
) -> BarrierPoint:
    """Run a batch through its lanes.

    Args:
        count: number of instances.
        lanes: how many of them are under way at a time.
        given: a tree of arrays `(count, …)`, or `(1, …)` where instances share them.
        begin: from what some instances are given to their first states.
        advance: from states, and what they are given, to the next ones.
        answer: from states to answers.
    """

    def rows(instance: Any) -> Any:
        return jax.tree.map(lambda a: a if len(a) == 1 else a[jnp.minimum(instance, count - 1)], given)

    def refilled(pool: Lanes) -> Lanes:
        done = (pool.state.mode == Mode.DONE) & (pool.instance < count)
        at = jnp.where(done, pool.instance, count)
        found = jax.tree.map(lambda all, some: all.at[at].set(some, mode="drop"), pool.answers, answer(pool.state))
        place = pool.following + jnp.cumsum(done, dtype=jnp.int32) - 1
        instance = jnp.where(done, jnp.minimum(place, count), pool.instance)
        fresh = done & (instance < count)
        put = lambda new, old: jnp.where(fresh.reshape(-1, *[1] * (new.ndim - 1)), new, old) if len(new) > 1 else old
        held = jax.tree.map(put, rows(instance), pool.given)
        state = chosen(fresh, begin(held), pool.state)
        following = jnp.minimum(pool.following + jnp.sum(done, dtype=jnp.int32), count)
        return Lanes(state, held, instance, following, found)

    def step(pool: Lanes) -> Lanes:
        pool = pool._replace(state=advance(pool.state, pool.given))
        over = jnp.any((pool.state.mode == Mode.DONE) & (pool.instance < count))
        return jax.lax.cond(over, refilled, lambda pool: pool, pool)

    first = jnp.arange(lanes, dtype=jnp.int32)
    held = rows(first)
    state = begin(held)
    blank = jax.tree.map(lambda a: jnp.zeros((count, *a.shape[1:]), a.dtype), jax.eval_shape(answer, state))
    pool = Lanes(state, held, first, jnp.int32(lanes), blank)
    return jax.lax.while_loop(lambda pool: jnp.any(pool.instance < count), step, pool).answers
