"""How many optimisation problems inside a loss were not solved: counted in its traced program, wherever they stand."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from argflux.autodiff.tape import bind
from argflux.jaxpr import ClosedJaxpr, Literal, called_program, closed, jaxprs_in_params, scan_counts

_STATUS = "argflux_status"


class FailedProgramsWarning(UserWarning):
    """Optimisation problems inside a loss that were not solved while `train` ran: their gradients are zero.

    Example:
        >>> from argflux.training import FailedProgramsWarning
        >>> issubclass(FailedProgramsWarning, UserWarning)
        True
    """


def counting_failures(f: Callable) -> Callable[[Any], tuple[Any, jax.Array]]:
    """Return `x -> (f(x), count)`: how many problems that f solves, an int32, were not solved.

    f is traced, and its program run with the counts as further outputs: those inside vmap, scan, cond and jit too.

    Example:
        >>> import argflux as af, jax.numpy as jnp
        >>> from argflux.training.failures import counting_failures
        >>> empty = lambda b: af.solve_qp(jnp.eye(1), jnp.ones(1), A=jnp.zeros((1, 1)), b=b).x
        >>> counting_failures(lambda b: jax.vmap(empty)(b))(jnp.array([[0.0], [1.0], [2.0]]))[1].tolist()
        2
    """

    def run(x: Any) -> tuple[Any, jax.Array]:
        if "argflux.programs.answers.ledger" not in sys.modules:
            return f(x), _none()
        program, shape = jax.make_jaxpr(f, return_shape=True)(x)
        outputs, count = _run(program, jax.tree.leaves(x))
        return jax.tree.unflatten(jax.tree.structure(shape), outputs), count

    return run


def _none() -> jax.Array:
    return jnp.zeros((), jnp.int32)


def _run(program: ClosedJaxpr, operands: Sequence) -> tuple[list, jax.Array]:
    """Return the outputs of a program and the count of what failed in it."""
    jaxpr, count = program.jaxpr, _none()
    env: dict[Any, Any] = dict(zip(jaxpr.constvars, program.consts, strict=True))
    env.update(zip(jaxpr.invars, operands, strict=True))
    read = lambda v: v.val if isinstance(v, Literal) else env[v]
    for eqn in jaxpr.eqns:
        ys, failed = _run_equation(eqn, [read(v) for v in eqn.invars])
        count = count if failed is None else count + failed
        env.update(zip(eqn.outvars, ys, strict=True))
    return [read(v) for v in jaxpr.outvars], count


def _run_equation(eqn: Any, operands: list) -> tuple[list, Any]:
    name = eqn.primitive.name
    if name == _STATUS:
        return operands, jnp.sum(operands[0] != 0, dtype=jnp.int32)
    if not _solves(eqn):
        return bind(eqn, operands), None
    inside = _INSIDE.get(name)
    if inside:
        return inside(eqn, operands)
    called = called_program(eqn)
    if called is None:
        return bind(eqn, operands), None
    if name.startswith("custom_"):  # its derivative is its own, so it is run as it is, and once more for the count
        return bind(eqn, operands), _run(called, [*map(lax.stop_gradient, operands)])[1]
    return _run(called, operands)


def _solves(eqn: Any) -> bool:
    """Say whether an equation is the status of a solve, or has one inside."""
    if eqn.primitive.name == _STATUS:
        return True
    inside = (getattr(program, "jaxpr", program) for program in jaxprs_in_params(eqn.params))
    return any(_solves(inner) for jaxpr in inside for inner in jaxpr.eqns)


def _checkpoint(eqn: Any, operands: list) -> tuple[list, Any]:
    options = {name: eqn.params[name] for name in ("prevent_cse", "policy")}
    program = closed(eqn.params["jaxpr"])
    return jax.checkpoint(lambda *xs: _run(program, xs), **options)(*operands)


def _scan(eqn: Any, operands: list) -> tuple[list, Any]:
    p, program = eqn.params, closed(eqn.params["jaxpr"])
    num_consts, num_carry = scan_counts(eqn)
    consts, first, xs = operands[:num_consts], operands[num_consts:][:num_carry], operands[num_consts + num_carry :]

    def body(carry: list, x: list) -> tuple[list, tuple[list, Any]]:
        ys, failed = _run(program, [*consts, *carry, *x])
        return ys[:num_carry], (ys[num_carry:], failed)

    carry, (ys, failed) = lax.scan(body, first, xs, p["length"], p["reverse"], p["unroll"])
    return [*carry, *ys], jnp.sum(failed, dtype=jnp.int32)


def _while(eqn: Any, operands: list) -> tuple[list, Any]:
    p = eqn.params
    n, m = p["cond_nconsts"], p["body_nconsts"]
    cond_consts, body_consts, first = operands[:n], operands[n : n + m], operands[n + m :]
    going, body = closed(p["cond_jaxpr"]), closed(p["body_jaxpr"])

    def step(state: tuple) -> tuple:
        values, count = state
        ys, failed = _run(body, [*body_consts, *values])
        return ys, count + failed

    return lax.while_loop(lambda state: _run(going, [*cond_consts, *state[0]])[0][0], step, (first, _none()))


def _cond(eqn: Any, operands: list) -> tuple[list, Any]:
    run = lambda program: lambda *xs: _run(closed(program), xs)
    return lax.switch(operands[0], [*map(run, eqn.params["branches"])], *operands[1:])


_INSIDE = {"checkpoint": _checkpoint, "remat2": _checkpoint, "scan": _scan, "while": _while, "cond": _cond}
