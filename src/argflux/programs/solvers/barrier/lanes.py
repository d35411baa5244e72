"""Lanes of a batch: a few instances under way at a time; as soon as one is done, the next takes its lane."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from argflux.programs.solvers.barrier.point import BarrierPoint
from argflux.programs.solvers.barrier.state import Mode, State, chosen

CACHE = 2**19
FEWEST, MOST = 16, 256
SHARE = 8


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


def through_lanes(count: int, given: Any, begin: Callable, advance: Callable, answer: Callable) -> BarrierPoint:
    """Run a batch through as many lanes as a processor's cache holds.

    Args:
        count: number of instances.
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

    def round(pool: Lanes) -> Lanes:
        """Go on until enough instances are done, all if none is left to follow, and refill the lanes."""
        enough = jnp.where(pool.following < count, max(1, lanes // SHARE), lanes)
        on = lambda state: jnp.sum(state.mode == Mode.DONE, dtype=jnp.int32) < enough
        return refilled(pool._replace(state=jax.lax.while_loop(on, lambda s: advance(s, pool.given), pool.state)))

    lanes = _lanes(count, jax.eval_shape(lambda: begin(rows(jnp.arange(1)))))
    first = jnp.arange(lanes, dtype=jnp.int32)
    held = rows(first)
    state = begin(held)
    if lanes == count:
        unfinished = lambda state: jnp.any(state.mode != Mode.DONE)
        return answer(jax.lax.while_loop(unfinished, lambda state: advance(state, held), state))
    blank = jax.tree.map(lambda a: jnp.zeros((count, *a.shape[1:]), a.dtype), jax.eval_shape(answer, state))
    pool = Lanes(state, held, first, jnp.int32(lanes), blank)
    return jax.lax.while_loop(lambda pool: jnp.any(pool.instance < count), round, pool).answers


def _lanes(count: int, one: State) -> int:
    """How many instances whose states are as large as `one` to have under way."""
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(one))
    return min(count, max(FEWEST, min(MOST, CACHE // size)))
