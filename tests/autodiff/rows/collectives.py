"""What devices do together; `test_sharded.py` differentiates it on four devices."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests.autodiff.rows import Row

SHARDED = {
    "psum": lambda x, w: lax.psum(jnp.sin(x) * w, "i") * x,
    "pmean": lambda x, w: x - lax.pmean(x * w, "i"),
    "all_gather": lambda x, w: jnp.sin(lax.all_gather(x * w, "i")).sum(0) * x,
    "all_gather tiled": lambda x, w: jnp.sum(jnp.sin(lax.all_gather(x * w, "i", tiled=True)), 0) * x,
    "all_gather invariant": lambda x, w: jnp.sum(jnp.sin(lax.all_gather(x * w, "i", to="invarying")), 0) * x,
    "all_gather invariant tiled": lambda x, w: (
        lax.all_gather(x * w, "i", axis=1, tiled=True, to="invarying")[:, 1:3] * x
    ),
    "psum_scatter": lambda x, w: lax.psum_scatter(jnp.outer(jnp.arange(1.0, 5.0), x[0] * w), "i") * x,
    "psum_scatter tiled": lambda x, w: lax.psum_scatter(jnp.tile(x, (4, 1)) ** 2, "i", tiled=True) * w,
    "ppermute": lambda x, w: lax.ppermute(x * w, "i", [(0, 1), (1, 2), (2, 3)]) * x,
    "all_to_all": lambda x, w: lax.all_to_all(jnp.outer(jnp.arange(1.0, 5.0), x[0] * w), "i", 0, 0, tiled=True)[:2] * x,
    "axis_index": lambda x, w: x * w * lax.axis_index("i"),
    "pcast": lambda x, w: x * jnp.sin(lax.pcast(w, "i", to="varying")),
}


def alone(f, check=True):
    """Run it on a mesh of one device."""

    def run(x):
        mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("i",))
        everywhere = jax.sharding.PartitionSpec()
        return jax.shard_map(f, mesh=mesh, in_specs=everywhere, out_specs=everywhere, check_vma=check)(x)

    return run


def _row(primitive, f, check=True):
    return Row(primitive, primitive, alone(f, check), lambda rng: (rng.normal(size=(1, 3)),), order=0)


def _varying(x):
    return lax.pcast(x, "i", to="varying")


ROWS = [
    _row("pvary", lambda x: lax.psum(_varying(x), "i")),
    _row("psum_invariant", lambda x: lax.psum(_varying(x), "i")),
    _row("psum", lambda x: lax.psum(x, "i"), check=False),
    _row("all_gather", lambda x: lax.psum(lax.all_gather(_varying(x), "i"), "i")),
    _row("all_gather_invariant", lambda x: lax.all_gather(_varying(x), "i", to="invarying")),
    _row("reduce_scatter", lambda x: lax.psum(lax.psum_scatter(_varying(x), "i"), "i")),
    _row("ppermute", lambda x: lax.psum(lax.ppermute(_varying(x), "i", [(0, 0)]), "i")),
    _row("all_to_all", lambda x: lax.psum(lax.all_to_all(_varying(x), "i", 0, 0), "i")),
]
