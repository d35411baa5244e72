"""What a solution says of itself: printed, checked, traced."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux.errors import ArgumentError
from argflux.programs import Program, ProgramError, solve_qp


def between(h):
    """Within `-h[1] <= x <= h[0]`, near 3."""
    return solve_qp(jnp.eye(1), jnp.array([-3.0]), G=jnp.array([[1.0], [-1.0]]), h=h)


H = jnp.array([[1.0, 1.0], [0.0, -1.0], [5.0, 1.0]])


def test_one_solution_printed():
    first, second, third = str(between(H[0])).splitlines()
    assert first == "Solution: SOLVED"
    assert second == "  x [1]  z [2]  z_lower [1]  z_upper [1]"
    assert third.startswith("  objective -2.5  iterations ")
    assert "largest residual" in third
    assert str(between(H[1])).startswith("Solution: PRIMAL_INFEASIBLE (no point meets all constraints)")
    assert "objective unknown" in str(between(H[1]))


def test_a_batch_printed():
    text = str(jax.vmap(between)(H))
    assert text.startswith("Solution of 3 programs: 2 SOLVED, 1 PRIMAL_INFEASIBLE\n  x [3, 1]  z [3, 2]")
    assert "objective -4.5 to -2.5" in text


def test_a_tree_printed():
    program = Program(lambda v, c: jnp.sum((v["a"] - c) ** 2) + v["t"] ** 2, variable={"a": (2, 2), "t": ()}, lower=0.0)
    assert "x ['a'] [2, 2] ['t'] []  z_lower" in str(program.solve(jnp.ones((2, 2))))


def test_a_solution_of_no_arrays_printed():
    jax.jit(lambda h: str(between(h)) == "Solution(x [1], z [2], z_lower [1], z_upper [1], traced)" or 1 / 0)(H[0])
    assert "float32" in str(jax.eval_shape(between, H[0])) or "f32[1]" in str(jax.eval_shape(between, H[0]))


def test_check_names_what_failed():
    assert between(H[0]).check().x.tolist() == [1.0]
    with pytest.raises(ProgramError, match=r"got PRIMAL_INFEASIBLE \(no point meets all constraints\); expected every"):
        between(H[1]).check()
    many = jax.vmap(jax.vmap(between))(jnp.stack([H, H]))
    with pytest.raises(ProgramError, match=r"2 of 6 instances PRIMAL_INFEASIBLE .*: \[0, 1\], \[1, 1\]; expected"):
        many.check()


def test_check_inside_jit_says_where_to_call_it():
    with pytest.raises(ArgumentError, match="call `check` on the result, outside"):
        jax.jit(lambda h: between(h).check().x)(H[0])


@pytest.mark.parametrize("on_failure", ["zero", "nan"])
def test_what_a_failed_instance_holds(on_failure):
    """Its last iterate, finite and without derivatives, or NaN in everything that could be taken for an answer."""
    s = solve_qp(
        jnp.eye(1), jnp.zeros(1), G=jnp.array([[1.0], [-1.0]]), h=jnp.array([0.0, -1.0]), on_failure=on_failure
    )
    values = [s.x, s.z, s.objective]
    assert all(np.all(np.isnan(v) if on_failure == "nan" else np.isfinite(v)) for v in values)
    assert "PRIMAL_INFEASIBLE" in str(s)
