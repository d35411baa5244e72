"""Problems inside a loss that cannot be solved are counted, wherever they stand."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from argflux import nn
from argflux.programs import Program, ProgramLayer, solve_lp, solve_qp
from argflux.training import Descent, FailedProgramsWarning, History, train
from argflux.training.failures import counting_failures

B = jnp.array([-1.0, 2.0, -3.0, 4.0])


NEAREST = Program(
    lambda x, y, a: jnp.sum((x - y - a) ** 2), variable=lambda y, a: y, lower=lambda y, a: 0 * y, upper=lambda y, a: y
)


def root(b):
    """Return b as the solution of a program that has none for b < 0."""
    return NEAREST(b[None], 0 * b[None])[0]


@jax.custom_vjp
def straight(b):
    return root(b)


straight.defvjp(lambda b: (straight(b), None), lambda _, dy: (dy,))

PLACES = {
    "unrolled": (lambda b: sum(root(x) for x in b), 2),
    "vmap": (lambda b: jnp.sum(jax.vmap(root)(b)), 2),
    "nested vmap": (lambda b: jnp.sum(jax.vmap(jax.vmap(root))(b.reshape(2, 2))), 2),
    "jit": (lambda b: jnp.sum(jax.jit(jax.vmap(root))(b)), 2),
    "map": (lambda b: jnp.sum(lax.map(root, b)), 2),
    "scan": (lambda b: lax.scan(lambda c, x: (c + root(x + 0 * c), c), jnp.zeros(()), b)[0], 2),
    "cond": (lambda b: sum(lax.cond(x > -2, root, lambda x: x, x) for x in (b[0], b[2])), 1),
    "vmapped cond": (lambda b: jnp.sum(jax.vmap(lambda x: lax.cond(x > -2, root, lambda x: 0 * x, x))(b)), 2),
    "while": (lambda b: lax.stop_gradient(lax.fori_loop(0, b.size, lambda i, c: c + root(b[i]), jnp.zeros(()))), 2),
    "checkpoint": (lambda b: jnp.sum(jax.checkpoint(jax.vmap(root))(b)), 2),
    "custom_vjp": (lambda b: jnp.sum(jax.vmap(straight)(b)), 2),
    "stop_gradient": (lambda b: jnp.sum(lax.stop_gradient(jax.vmap(root)(b)) * b), 2),
    "linear": (lambda b: jnp.sum(jax.vmap(lambda x: solve_lp(jnp.ones(1), lower=0.0, upper=x[None]).x[0])(b)), 2),
    "parts": (lambda b: jnp.sum(jax.vmap(lambda b: solve_qp(jnp.ones(4), -b, lower=0.0, upper=b).x)(b[None])), 1),
    "none": (lambda b: jnp.sum(b), 0),
}


@pytest.mark.parametrize("place", PLACES)
def test_failures_are_counted_where_they_stand(place):
    f, failed = PLACES[place]
    run = counting_failures(f)
    value, count = run(B)
    assert count.dtype == jnp.int32
    assert int(count) == failed
    np.testing.assert_allclose(value, jax.jit(f)(B), atol=1e-6)
    if place in ("checkpoint", "custom_vjp"):
        (_, count), slope = jax.value_and_grad(run, has_aux=True)(B)
        assert int(count) == failed
        np.testing.assert_allclose(slope, jnp.where(B > 0, 1.0, 0.0) if place == "checkpoint" else 1.0, atol=1e-6)


def loss(layer, x):
    return jnp.sum((layer(x) - 1) ** 2)


X = B.reshape(4, 1)


@pytest.mark.parametrize("gradient", [None, jax.value_and_grad], ids=["ours", "jax"])
def test_a_run_counts_them_and_says_so_once(gradient, tmp_path):
    layer = ProgramLayer(NEAREST, a=jnp.array([0.5]))
    batches = [(X,), (jnp.abs(X),)]
    path = tmp_path / "run.npz"
    with pytest.warns(FailedProgramsWarning, match=r"^6 optimisation .* in 3 of 6 steps, first in step 1;") as caught:
        _, run = train(loss, layer, batches, Descent(0.01), epochs=3, gradient=gradient, checkpoint=path)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert run.failed_programs.tolist() == [2, 0, 2, 0, 2, 0]
    assert [record.failed_programs for record in run] == run.column("failed_programs") == [2, 2, 2]
    run.save(tmp_path / "run.jsonl")
    again = History.load(tmp_path / "run.jsonl")
    assert again.failed_programs.tolist() == run.failed_programs.tolist()
    assert list(again) == list(run)
    with pytest.warns(FailedProgramsWarning, match=r"^2 optimisation .* in 1 of 2 steps, first in step 7"):
        _, more = train(loss, layer, batches, Descent(0.01), epochs=4, gradient=gradient, checkpoint=path, resume=True)
    assert more.column("failed_programs") == [2, 2, 2, 2]


def test_running_statistics_and_counts_go_together():
    model = nn.Chain(nn.BatchNorm(1), ProgramLayer(NEAREST, a=jnp.array([0.5])))
    with pytest.warns(FailedProgramsWarning):
        after, run = train(loss, model, [(X,)], Descent(0.01), epochs=2)
    assert (run.failed_programs > 0).all()
    assert after[0].mean.value[0] != 0


def test_a_run_without_failures_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, run = train(loss, ProgramLayer(NEAREST, a=jnp.array([0.5])), [(jnp.abs(X),)], Descent(0.01), epochs=2)
    assert run.failed_programs.tolist() == [0, 0]


def test_a_gradient_without_auxiliary_values_is_taken_as_it_is():
    def gradient(f):
        return jax.value_and_grad(f)

    _, run = train(loss, ProgramLayer(NEAREST, a=jnp.array([0.5])), [(X,)], Descent(0.01), gradient=gradient)
    assert run.failed_programs.tolist() == [0]
