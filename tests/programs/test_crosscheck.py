"""Ten thousand random programs, judged by HiGHS and Clarabel."""

import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux.programs import Status, solve_lp, solve_qp
from tests.programs.families import FAMILIES
from tests.programs.referees import optimality, truth

EACH = 1000


def solve(blocks):
    if "P" in blocks:
        return solve_qp(**blocks)
    return solve_lp(blocks["q"], **{name: block for name, block in blocks.items() if name != "q"})


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_a_thousand_programs(family, x64):
    blocks = family(np.random.default_rng(zlib.crc32(family.__name__.encode())), EACH)
    s = jax.jit(jax.vmap(solve))({name: jnp.asarray(block) for name, block in blocks.items()})
    expected = [truth(blocks, i) for i in range(EACH)]
    np.testing.assert_array_equal(s.status, [status for status, _ in expected])
    assert not any(np.any(np.isnan(leaf)) for leaf in jax.tree.leaves(s))
    solved = np.asarray(s.status) == Status.SOLVED
    assert np.any(solved)
    values = np.array([value for _, value in expected if value is not None])
    np.testing.assert_allclose(s.objective[solved], values, rtol=1e-6, atol=1e-6)
    assert np.max(optimality(blocks, s)[solved]) < 1e-8


def test_the_families_hold_every_status():
    """Among few of each there are solvable, infeasible and unbounded programs."""
    found = set()
    for family in FAMILIES:
        blocks = family(np.random.default_rng(0), 30)
        found |= {truth(blocks, i)[0] for i in range(30)}
    assert found == {Status.SOLVED, Status.PRIMAL_INFEASIBLE, Status.DUAL_INFEASIBLE}
