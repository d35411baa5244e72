"""The derivatives a user asks for: pullback, gradient, withgradient, jacobian, hessian."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from argflux.autodiff.closure import derivative_of_function
from argflux.autodiff.compiled import ON_THE_HOST, primitives
from argflux.autodiff.params import Params, is_implicit
from argflux.autodiff.tape import Tape, sum_by_slot
from argflux.autodiff.trace import Trace, rebuild_aux, trace
from argflux.autodiff.wild import wild_inputs
from argflux.errors import ArgumentError, DtypeError, ShapeError
from argflux.keywords import explained
from argflux.kinds import Numbers, fits, shortened
from argflux.tree import is_differentiable


class WithGradient(NamedTuple):
    """What `withgradient` returns: the function's value and the tuple of gradients."""

    value: Any
    gradient: tuple


class _Run:
    """A forward run on a tape, ready to be pulled back any number of times.

    `masked` says that zeros in the cotangents of its outputs stand for what has no say.
    """

    def __init__(self, traced: Trace, wants: Callable[[Any], bool] | None = None, masked: bool = False):
        self.traced, self.tape, self.masked = traced, Tape(wants), masked
        jaxpr = traced.jaxpr.jaxpr
        of_constants, of_arguments = wild_inputs(jaxpr)
        constants = [self.tape.constant(x, wild) for x, wild in zip(traced.jaxpr.consts, of_constants, strict=True)]
        self.inputs = [self.tape.variable(*pair) for pair in zip(traced.inputs.arrays, of_arguments, strict=True)]
        outputs = self.tape.run(jaxpr, constants, self.inputs, [masked and v.aval.ndim > 0 for v in jaxpr.outvars])
        count = traced.out_tree.num_leaves
        self.outputs, self.aux = outputs[:count], [node.value for node in outputs[count:]]

    @property
    def value(self) -> Any:
        return self.traced.out_tree.unflatten([node.value for node in self.outputs])

    def pull(self, dys: list) -> tuple[dict[int, Any], list]:
        """Take one cotangent per output leaf to those of the captured arrays, by identity, and of the inputs."""
        captured = self.tape.captured
        wanted = [node.slot for node in [*captured.values(), *self.inputs]]
        masked = {node.slot for node in self.outputs if self.masked and jnp.ndim(node.value)}
        cotangents = self.tape.reverse(sum_by_slot(self.outputs, dys), wanted, masked)
        return dict(zip(captured, cotangents, strict=False)), cotangents[len(captured) :]


@explained
def pullback(f: Callable, *args: Any) -> tuple[Any, Callable]:
    """Evaluate `f(*args)` and return the value with the function that pulls cotangents back.

    For `y = f(x)`, `back(dy)` is the vector-Jacobian product `dy · ∂y/∂x`, for every argument at once and for
    `f` itself.

    Args:
        f: a function of trees of arrays to a tree of arrays; a callable tree such as a model is differentiated
            like an argument.
        *args: trees; their floating leaves are differentiated, everything else is passed on untouched.

    Returns:
        `y, back`. `back(dy)` takes a tree like `y` and returns `(df, *dargs)`: `df` is a tree like `f` for a
        model, a dict by variable name of the arrays captured for a closure, `None` for a function that captures
        none; each `darg` is a tree like its argument, with zeros where nothing depends on a leaf and `None`
        where no derivative exists. `back` may be called any number of times, under `jit` and `vmap` too.

    Raises:
        DtypeError: on complex numbers.
        MissingRuleError: from `back`, when the value depends on a primitive without a rule.

    Source:
        The pullback of Zygote.jl and MicroGrad.jl; like the latter's, `back` returns `df` first.

    Example:
        >>> import argflux as af, jax.numpy as jnp
        >>> y, back = af.pullback(lambda a, b: a * b, 2.0, 3.0)
        >>> df, da, db = back(1.0)
        >>> float(y), df, float(da), float(db)
        (6.0, None, 3.0, 2.0)
    """
    run = _Run(trace(f, args, where="pullback"), lambda array: True, masked=True)
    value = run.value

    def back(dy: Any) -> tuple:
        found, dinputs = run.pull(_check_seed(value, dy))
        df_tree, dargs = run.traced.inputs.gradients(dinputs)
        return (derivative_of_function(f, df_tree, found), *dargs)

    return value, back


def pullback_of_arguments(f: Callable, *args: Any) -> tuple[Any, Callable]:
    """Like `pullback`, with respect to the arguments alone: what `f` captured may go through anything.

    Example:
        >>> import jax.numpy as jnp
        >>> w = jnp.array([2.0, 1.0])
        >>> value, back = pullback_of_arguments(lambda x: jnp.abs(jnp.fft.fft(w)) * x, jnp.ones(2))
        >>> [dx.tolist() for dx in back(jnp.ones(2))]
        [[3.0, 1.0]]
    """
    run = _Run(trace(f, args, where="pullback"))
    value = run.value
    return value, lambda dy: run.traced.inputs.gradients(run.pull(_check_seed(value, dy))[1])[1]


@explained
def gradient(f: Callable, *args: Any) -> tuple:
    """Return the gradient of a scalar function, one entry per argument.

    Args:
        f: a function to one floating number (shape `()`).
        *args: trees of arrays. A single `af.params(model)` with a function of no arguments asks for the
            derivative with respect to arrays that the function captured (Flux's implicit style).

    Returns:
        A tuple with one tree per argument, shaped like it: zeros where nothing depends on a leaf, `None` where
        no derivative exists (integers, functions, text).

    Raises:
        ShapeError: if `f` does not return a scalar; `jacobian` is for those.
        DtypeError: if all arguments are integers.
        MissingRuleError: when the value depends on a primitive without a rule.

    Example:
        >>> import argflux as af
        >>> dx, dy = af.gradient(lambda x, y: x**2 * y, 3.0, 5.0)
        >>> float(dx), float(dy)
        (30.0, 9.0)
    """
    return withgradient(f, *args).gradient


@explained
def withgradient(f: Callable, *args: Any, has_aux: bool = False) -> WithGradient:
    """Return `(value, gradient)` of a scalar function from one forward run.

    Args:
        f: a function to one floating number, or with `has_aux` to `(number, anything)`.
        *args: as for `gradient`.
        has_aux: whether `f` returns a pair whose second part is passed through; `value` is then the pair.

    Returns:
        A named pair `(value, gradient)`, `gradient` as `gradient` returns it.

    Raises:
        ShapeError: if `f` does not return a scalar.

    Example:
        >>> import argflux as af
        >>> value, (dx,) = af.withgradient(lambda x: x * x, 3.0)
        >>> float(value), float(dx)
        (9.0, 6.0)
    """
    if is_implicit(f, args):
        return _implicit(f, args[0], has_aux)
    run = _Run(trace(f, args, has_aux=has_aux))
    value = _check_scalar(run.value, args)
    _, dinputs = run.pull([jnp.ones_like(value)])
    _, grads = run.traced.inputs.gradients(dinputs)
    return WithGradient((value, rebuild_aux(run.traced.aux, run.aux)) if has_aux else value, grads)


def _implicit(f: Callable, params: Params, has_aux: bool) -> WithGradient:
    ids = {id(array) for array in params}
    run = _Run(trace(f, (), has_aux=has_aux), lambda array: id(array) in ids)
    value = _check_scalar(run.value, ())
    found, _ = run.pull([jnp.ones_like(value)])
    if not found and len(params):
        raise ArgumentError(
            "a function that uses none of the given arrays",
            "a function that captures the model whose `af.params` were passed",
            "take `af.params` of the very model that the function uses, after its last update",
            where="gradient",
        )
    grads = params.map(lambda x: jnp.zeros_like(x) if found.get(id(x)) is None else found[id(x)])
    return WithGradient((value, rebuild_aux(run.traced.aux, run.aux)) if has_aux else value, (grads,))


@explained
def jacobian(f: Callable, *args: Any) -> Any:
    """Return every partial derivative of `f`, in reverse mode.

    `J[i…, j…] = ∂f(x)[i…] / ∂x[j…]`; leaves keep their shapes: an output of shape `s` and an input of shape `t`
    give an array of shape `s + t`.

    Args:
        f: a function of trees of arrays to a tree of arrays.
        *args: the point; floating leaves are differentiated.

    Returns:
        For one argument a tree like the output whose leaves are trees like the argument; for several arguments
        such a tree with a tuple of them at each leaf.

    Example:
        >>> import argflux as af, jax.numpy as jnp
        >>> af.jacobian(lambda x: x * x, jnp.array([1.0, 2.0])).tolist()
        [[2.0, 0.0], [0.0, 4.0]]
    """
    run = _Run(trace(f, args, where="jacobian"), masked=True)

    def rows(position):
        node = run.outputs[position]

        def pull(dy):
            dys = [dy if i == position else jnp.zeros_like(n.value) for i, n in enumerate(run.outputs)]
            return run.traced.inputs.gradients(run.pull(dys)[1])[1]

        if not node.value.size:
            inputs = run.traced.inputs
            stacked = inputs.gradients([jnp.zeros((0, *x.shape), x.dtype) for x in inputs.arrays])[1]
        else:
            basis = jnp.eye(node.value.size, dtype=node.value.dtype)
            stacked = jax.vmap(pull)(basis.reshape(-1, *node.value.shape))
        shaped = jax.tree.map(lambda j: j.reshape(*node.value.shape, *j.shape[1:]), stacked)
        return shaped[0] if len(args) == 1 else shaped

    return run.traced.out_tree.unflatten([rows(i) for i in range(len(run.outputs))])


@explained
def hessian(f: Callable, x: Any) -> Any:
    """Return the second derivatives of a scalar function: the forward derivative of our gradient.

    `H[i…, j…] = ∂²f(x) / ∂x[i…]∂x[j…]`, of shape `x.shape + x.shape` for an array.

    Args:
        f: a function of one tree to one floating number.
        x: the point, a tree of floating arrays.

    Returns:
        A tree like `x` whose leaves are trees like `x`.

    Example:
        >>> import argflux as af, jax.numpy as jnp
        >>> af.hessian(lambda x: jnp.sum(x**3), jnp.array([1.0, 2.0])).tolist()
        [[6.0, 0.0], [0.0, 12.0]]
    """
    slope = lambda point: gradient(f, point)[0]
    if not all(jnp.size(leaf) for leaf in jax.tree.leaves(x)):
        return jacobian(slope, x)
    if ON_THE_HOST.intersection(primitives(trace(f, (x,), where="hessian").jaxpr.jaxpr)):
        return _pushed_one_by_one(slope, x)
    if not all(map(is_differentiable, jax.tree.leaves(x))):
        todo = "convert it with `.astype(float)`, or pass it from outside"
        raise DtypeError("a point that is not all floating numbers", "floating arrays", todo, where="hessian")
    return jax.jacfwd(slope)(x)


def _pushed_one_by_one(slope: Callable, x: Any) -> Any:
    """Return what `jax.jacfwd` does, through primitives that JAX pushes forward along one direction at a time."""
    flat, unravel = ravel_pytree(x)
    columns = jax.lax.map(lambda dx: jax.jvp(slope, (x,), (unravel(dx),))[1], jnp.eye(flat.size, dtype=flat.dtype))

    def row(column: Any) -> Any:
        parts = jax.vmap(unravel)(jnp.moveaxis(column, 0, -1).reshape(-1, flat.size))
        return jax.tree.map(lambda part: part.reshape(*column.shape[1:], *part.shape[1:]), parts)

    return jax.tree.map(row, columns)


def _check_scalar(value: Any, args: tuple) -> Any:
    shape = getattr(value, "shape", None)
    if shape == () and jnp.issubdtype(value.dtype, jnp.integer) and (whole := _whole_number(args)) is not None:
        raise DtypeError(
            f"the integer {whole} as an argument, for which no derivative exists",
            "floating numbers",
            f"pass {whole}.0" if isinstance(whole, int) else "convert it with `.astype(float)`",
            where="gradient",
        )
    if shape != () or not _is_float(value):
        got = f"{value.dtype}{list(shape)}" if shape is not None else f"a tree {jax.tree.structure(value)}"
        raise ShapeError(
            f"a function that returns {got}",
            "one floating number of shape []",
            "reduce it with a sum or mean, or use `af.jacobian`",
            where="gradient",
        )
    return value


def _whole_number(args: tuple) -> Any:
    """Find an integer among arguments that hold no floating number."""
    leaves = jax.tree.leaves(args)
    if any(is_differentiable(leaf) for leaf in leaves):
        return None
    kinds = (int, np.integer, np.ndarray, jax.Array)
    return next((x for x in leaves if isinstance(x, kinds) and jnp.issubdtype(jnp.result_type(x), jnp.integer)), None)


def _check_seed(value: Any, dy: Any) -> list:
    """Hold the cotangent of the output against the output: same tree, same shapes, same kind of number."""
    values, tree = jax.tree.flatten(value)
    seeds, seed_tree = jax.tree.flatten(dy)
    if seed_tree != tree:
        raise ShapeError(
            f"a cotangent with structure {seed_tree}",
            f"the structure of the output, {tree}",
            "pass a tree like the value",
            where="pullback",
        )
    return [_check_leaf(y, seed) for y, seed in zip(values, seeds, strict=True)]


def _check_leaf(y: Any, seed: Any) -> jax.Array:
    if not fits(seed, Numbers):
        todo = "pass a cotangent of the output's shape and dtype"
        raise DtypeError(f"a cotangent {shortened(seed)}", f"{y.dtype}{list(y.shape)}", todo, where="pullback")
    seed = jnp.asarray(seed, y.dtype) if isinstance(seed, int | float) else jnp.asarray(seed)
    if seed.shape != y.shape or seed.dtype != y.dtype:
        raise ShapeError(
            f"a cotangent {seed.dtype}{list(seed.shape)}",
            f"{y.dtype}{list(y.shape)}, like the output",
            "pass a cotangent of the output's shape and dtype",
            where="pullback",
        )
    return seed


def _is_float(x: Any) -> bool:
    return hasattr(x, "dtype") and jnp.issubdtype(x.dtype, jnp.floating)
