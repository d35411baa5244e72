"""Calls of the host: what arrives there, what comes back, and that no thread waits for another for ever."""

import subprocess
import sys
import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux.programs.forms.hostcall import cores, host_call, share

SHAPES = (((2, 3), "float64"), ((2,), "int32"))


def describe(a, b, *, factor):
    assert a.dtype == np.float64
    assert b.dtype == np.int32
    assert type(a) is np.ndarray
    return a * factor, b + np.int32(1)


def call(a, b, factor=2.0):
    with jax.enable_x64(True):
        return host_call(describe, SHAPES, a, b, factor=factor)


def test_float64_passes_whatever_the_setting(x64):
    a, b = jnp.full((2, 3), 1 / 3), jnp.arange(2, dtype=jnp.int32)
    got = jax.jit(call)(a, b)
    assert got[0].dtype == np.float64
    np.testing.assert_array_equal(got[0], np.full((2, 3), 2 / 3))
    np.testing.assert_array_equal(got[1], [1, 2])


def test_two_traces_make_the_same_call(x64):
    a, b = jnp.ones((2, 3)), jnp.zeros(2, jnp.int32)
    assert str(jax.make_jaxpr(call)(a, b)) == str(jax.make_jaxpr(call)(a, b))


def test_an_empty_array_passes(x64):
    got = jax.jit(lambda a: host_call(lambda a: [a.sum(1)], [((2,), "float64")], a))(jnp.ones((2, 0)))
    np.testing.assert_array_equal(got[0], [0.0, 0.0])


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_share_every_number_once(threads):
    seen = []
    share(lambda left: seen.extend(left), 100, threads)
    assert sorted(seen) == list(range(100))


def test_nothing_to_share():
    seen = []
    share(lambda left: seen.extend(left), 0, 4)
    assert seen == []


def test_an_error_in_a_thread_is_raised():
    def work(left):
        for i in left:
            if i == 50:
                raise ValueError("fifty")

    with pytest.raises(ValueError, match="fifty"):
        share(work, 100, 3)


def test_cores_are_counted():
    assert cores() >= 1


STRESS = """
    import faulthandler, threading
    faulthandler.dump_traceback_later({limit}, exit=True)
    import jax, jax.numpy as jnp, numpy as np
    from argflux.programs import solve_qp
    from argflux.programs.derivatives import reduced
    from argflux.programs.solvers import host

    host.THREADED = reduced.THREADED = 0  # every call starts threads
    r = np.random.default_rng(0)
    G = jnp.asarray(r.normal(size=(4, 3)), jnp.float32)
    P = jnp.asarray(2 * np.eye(3), jnp.float32)
    loss = lambda q: jnp.sum(solve_qp(P, q, G=G, h=jnp.ones(4), solver="daqp").x ** 2)
    step = jax.jit(jax.vmap(jax.value_and_grad(loss)))
    q = jnp.asarray(r.normal(size=(8, 3)), jnp.float32)
    expected = step(q)

    def repeat(count):
        for _ in range(count):
            value, slope = step(q)
        np.testing.assert_array_equal(slope, expected[1])

    repeat({calls})  # dispatched without waiting
    threads = [threading.Thread(target=repeat, args=({calls},)) for _ in range(3)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    print("done", float(jnp.sum(expected[0])))
"""


def run_calls(calls: int, limit: int) -> None:
    script = textwrap.dedent(STRESS.format(calls=calls, limit=limit))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=2 * limit)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("done")


def test_calls_from_several_threads_do_not_deadlock():
    run_calls(50, 120)


@pytest.mark.slow
def test_thousands_of_calls_do_not_deadlock():
    run_calls(500, 400)
