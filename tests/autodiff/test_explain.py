import jax
import jax.numpy as jnp

import argflux as af

W = jnp.ones((3, 2))


def loss(x):
    hidden = jax.nn.relu(W @ x)
    return jnp.sum(hidden * x[0])


def test_code_ir_names_inputs_captures_operations_and_lines():
    listing = af.code_ir(loss, jnp.ones(2))
    assert listing.startswith("program of loss")
    assert "f32[2] = input args[0]" in listing
    assert "captured W" in listing
    assert any("relu(" in line and "test_explain.py:10 (loss)" in line for line in listing.splitlines())
    assert repr(listing) == str(listing)


def test_code_ir_shows_loop_bodies_and_numbers_inlined_calls_once():
    inner = jax.jit(lambda x: jnp.sin(x) + 1)
    listing = af.code_ir(lambda x: jax.lax.scan(lambda c, _: (inner(inner(c)), None), x, length=3)[0], 1.0)
    assert "body(" in listing
    assigned = [line.split(":")[0].strip() for line in listing.splitlines() if "= sin" in line or "= add" in line]
    assert len(assigned) == len(set(assigned)) == 4


def test_code_pullback_lists_rules_in_reverse_with_lines():
    listing = af.code_pullback(loss, jnp.ones(2)).splitlines()
    backward = listing[next(i for i, line in enumerate(listing) if "backward" in line) :]
    rules = [line.split("+= ")[1].split("(")[0] for line in backward if "+=" in line]
    assert rules[0] == "reduce_sum_back"
    assert rules[1] == "mul_back"
    assert rules[-1] == "dot_general_back"
    assert all("test_explain.py" in line for line in backward if "+=" in line)


def test_code_pullback_of_a_model_names_its_leaves():
    listing = af.code_pullback(lambda m, x: jnp.sum(m["w"] * x), {"w": jnp.ones(2)}, jnp.ones(2))
    assert "input args[0]['w']" in listing
    assert listing.splitlines()[-1].strip() == "return d%1, d%2"


def test_nothing_is_computed():
    calls = []

    def f(x):
        jax.debug.callback(lambda v: calls.append(v), x)
        return x * 2

    af.code_ir(f, 1.0)
    jax.effects_barrier()
    assert calls == []
