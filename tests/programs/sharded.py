"""A command: batches of programs dealt out over the devices of all processes, held against those of one device."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.sparse import BCOO
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from argflux.programs import project, simplex, solve_lp, solve_qp
from argflux.training.devices import _put

BATCH = 8


def thin(r, rows, columns):
    return r.normal(size=(rows, columns)) * (r.uniform(size=(rows, columns)) < 0.1) + np.eye(rows, columns)


def programs():
    """Functions of a cost whose programs go to each of the methods, and the length of that."""
    r = np.random.default_rng(0)
    P, A, G = (jnp.asarray(part) for part in (np.eye(60) + 0.1, r.normal(size=(5, 60)), r.normal(size=(40, 60))))
    sparse, h = BCOO.fromdense(jnp.asarray(thin(r, 90, 80))), 1 + r.uniform(size=90)
    return {
        "pivoting": (8, lambda q: solve_qp(P[:8, :8], q, A[:2, :8], jnp.zeros(2), G[:9, :8], jnp.ones(9)).x),
        "daqp": (60, lambda q: solve_qp(P, q, A, jnp.zeros(5), G, jnp.ones(40)).x),
        "half rank": (60, lambda q: solve_qp(G.T @ G, q, G=G, h=jnp.ones(40), lower=-1.0, upper=1.0).x),
        "clarabel": (80, lambda q: solve_qp(jnp.ones(80), q, G=sparse, h=h).x),
        "highs": (60, lambda q: solve_lp(q, G=G, h=jnp.ones(40), lower=-1.0, upper=1.0).objective),
        "separable": (40, project(simplex(40))),
    }


def check(name, size, one, mesh):
    """Values and gradients of the whole batch are those of one device, each part where it lies, without gathering."""
    costs = np.random.default_rng(1).normal(size=(BATCH, size))
    loss = lambda q: jnp.sum(jax.vmap(one)(q) ** 2)
    place = NamedSharding(mesh, PartitionSpec("batch"))
    dealt = _put(costs, place)
    for function in (jax.vmap(one), jax.grad(loss)):
        run = jax.jit(function)
        expected = np.asarray(run(jnp.asarray(costs)))
        found = run(dealt)
        assert found.sharding.spec[:1] == ("batch",), (name, found.sharding)
        assert "all-gather" not in run.lower(dealt).compile().as_text(), name
        for shard in found.addressable_shards:
            np.testing.assert_allclose(shard.data, expected[shard.index], rtol=1e-9, atol=1e-9, err_msg=name)
    if jax.process_count() == 1:
        mapped = jax.shard_map(jax.vmap(one), mesh=mesh, in_specs=place.spec, out_specs=place.spec)
        np.testing.assert_allclose(jax.jit(mapped)(costs), jax.vmap(one)(costs), rtol=1e-9, atol=1e-9, err_msg=name)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        jax.distributed.initialize(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    jax.config.update("jax_enable_x64", True)
    mesh = jax.make_mesh((jax.device_count(),), ("batch",), axis_types=(AxisType.Auto,))
    for name, (size, one) in programs().items():
        check(name, size, one, mesh)
    print(f"{len(programs())} kinds on {jax.device_count()} devices of {jax.process_count()} processes")
