"""The state of an optimiser beside a model: setup, update, adjust, freeze, thaw."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import equinox as eqx
import jax

from argflux.errors import ArgumentError
from argflux.nn.widths import check_filled
from argflux.training.alignment import aligned, shortened
from argflux.training.chain import Part, describe, initial_hyperparameters, parts_of, transformation
from argflux.training.rule import Hyper, as_arrays, check_names, checked
from argflux.training.split import Split, trainable, trainable_names
from argflux.training.step import compiled_step
from argflux.tree import named_leaves, tied_names
from argflux.userlayer import register_layers

M = TypeVar("M")
Where = str | Callable[[str], bool] | Sequence[str]


class TiedArraysWarning(UserWarning):
    """One array stands at two places of a model; updates are made place by place, so the two will part.

    Example:
        >>> import warnings, jax.numpy as jnp
        >>> from argflux.training import Descent, setup
        >>> shared = jnp.ones(2)
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     state = setup(Descent(), [shared, shared])
        >>> str(caught[0].message)[:36]
        '[0] and [1] are the same array; upda'
    """


class OptimiserState(eqx.Module):
    """What a rule remembers between updates; a tree that may go through `jit`.

    Attributes:
        inner: the state of the Optax transformation.
        hyper: the hyperparameters of every rule of a chain, as arrays.
        rules: the rules.
        frozen: the paths of the arrays that do not move.
        names: the paths of all arrays that could.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.training import Descent, freeze, setup
        >>> freeze(setup(Descent(), [jnp.ones(2), jnp.ones(3)]), "[0]")
        OptimiserState(Descent(rate=0.1); 2 arrays, frozen: [0])
    """

    inner: Any
    hyper: tuple[Hyper, ...]
    rules: tuple[Part, ...] = eqx.field(static=True)
    frozen: tuple[str, ...] = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)

    def hyperparameters(self) -> dict[str, Any]:
        """Return the hyperparameters by name as Python numbers; of two rules with the same name, the last one's.

        Example:
            >>> import jax.numpy as jnp
            >>> from argflux.training import Momentum, setup
            >>> setup(Momentum(0.5, 0.25), jnp.ones(3)).hyperparameters()
            {'rate': 0.5, 'momentum': 0.25}
        """
        return {name: jax.tree.map(float, value) for hyper in self.hyper for name, value in hyper.items()}

    def __repr__(self) -> str:
        rules = " → ".join(map(describe, self.rules))
        frozen = f", frozen: {', '.join(self.frozen)}" if self.frozen else ""
        return f"OptimiserState({rules}; {len(self.names)} arrays{frozen})"


def setup(rule: Any, model: Any) -> OptimiserState:
    """Return the state that a rule starts from on a model.

    Activation functions, integers and whatever else has no derivative are left alone without being asked to.

    Args:
        rule: a rule, an OptimiserChain, or any `optax.GradientTransformation`.
        model: any tree with at least one floating array.

    Raises:
        ArgumentError: for something that is no rule, or a model without floating arrays.
        DtypeError: for complex arrays.

    Warns:
        TiedArraysWarning: when one array stands at two places of the model.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.training import Adam, setup
        >>> setup(Adam(), {"weight": jnp.ones((2, 3)), "activation": jnp.tanh})
        OptimiserState(Adam(rate=0.001, beta=(0.9, 0.999), eps=1e-08); 1 arrays)
    """
    parts = parts_of(rule)
    check_filled(register_layers(model), "setup")
    names = trainable_names(model)
    if not names:
        got, todo = f"a {type(model).__name__} with no floating arrays", "give a layer its arrays as fields"
        raise ArgumentError(got, "at least one array to train", todo, where="setup")
    _warn_of_ties(model)
    hyper = initial_hyperparameters(parts)
    with jax.numpy_dtype_promotion("standard"):
        inner = transformation(parts, hyper).init(trainable(model))
    return OptimiserState(inner, hyper, parts, (), names)


def update(state: OptimiserState, model: M, grads: Any) -> tuple[OptimiserState, M]:
    """Make one step along the gradients.

    Args:
        state: from `setup`, or from the last update.
        model: the model that the gradients belong to.
        grads: a tree like the model, such as `gradient(f, model)[0]`; where it has None, nothing moves.

    Returns:
        The new state and the new model; both arguments stay as they are.

    Raises:
        ArgumentError: for the tuple that `gradient` returns instead of its first entry.
        ShapeError: for gradients that do not fit the model, naming the array.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from argflux.training import Descent, setup, update
        >>> model = {"w": jnp.array([1.0, 2.0])}
        >>> grads = jax.grad(lambda m: jnp.sum(m["w"] ** 2))(model)
        >>> state, model = update(setup(Descent(0.25), model), model, grads)
        >>> model["w"].tolist()
        [0.5, 1.0]
    """
    check_belongs(state, register_layers(model), "update")
    slopes = aligned(model, grads)
    names = [name for name, _ in named_leaves(model)]
    idle = {name for name, slope in zip(names, slopes, strict=True) if slope is None}
    split, moving, fixed = Split.of(model, idle.union(state.frozen))
    if not moving:
        return state, model
    whole = None if len(moving) == len(state.names) else jax.tree.structure(trainable(model))
    params, grads = split.spread(moving), split.spread(split.pick(slopes))
    inner, params = compiled_step(state.rules, whole, state.hyper, state.inner, params, grads)
    return eqx.tree_at(lambda s: s.inner, state, inner), split.join(split.collect(params), fixed)


def check_belongs(state: OptimiserState, model: Any, where: str) -> None:
    """Raise ArgumentError when a state was set up for a model with other arrays."""
    names = trainable_names(model)
    if names != state.names:
        got, expected = f"a state for {shortened(state.names)}", f"one for {shortened(names)}"
        raise ArgumentError(got, expected, "call setup on this model", where=where)


def adjust(state: OptimiserState, **hyper: Any) -> OptimiserState:
    """Change hyperparameters in mid-training; what the rule remembers stays, and nothing is compiled anew.

    Args:
        state: the state to change.
        **hyper: new values by name, such as `rate=1e-4`. Every rule of a chain that has the name gets it.

    Raises:
        ArgumentError: for a name that no rule has (the message lists the names), or a value outside its range.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.training import Adam, adjust, setup
        >>> adjust(setup(Adam(), jnp.ones(2)), rate=0.5, beta=(0.5, 0.75)).hyperparameters()["rate"]
        0.5
    """
    current = {name: value for numbers in state.hyper for name, value in numbers.items()}
    check_names("adjust", hyper, list(current))
    values = as_arrays({name: checked("adjust", name, value, current[name]) for name, value in hyper.items()})
    renewed = tuple({name: values.get(name, value) for name, value in numbers.items()} for numbers in state.hyper)
    return eqx.tree_at(lambda s: s.hyper, state, renewed)


def freeze(state: OptimiserState, where: Where) -> OptimiserState:
    """Stop arrays from moving, weight decay included; what the rule remembers of them stays as it is.

    Args:
        state: the state to change.
        where: a path such as `"layers[0]"` (everything below it is meant), a list of paths, or a function from a
            path to whether it is meant.

    Raises:
        ArgumentError: when no array is meant; the message lists the paths there are.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.training import Descent, freeze, setup
        >>> freeze(setup(Descent(), {"w": jnp.ones(2), "b": jnp.ones(1)}), "['b']").frozen
        ("['b']",)
    """
    meant = _meant(state, where, "freeze").union(state.frozen)
    return _with_frozen(state, meant)


def thaw(state: OptimiserState, where: Where = "") -> OptimiserState:
    """Let frozen arrays move again.

    Args:
        state: the state to change.
        where: as for `freeze`; without it, everything.

    Raises:
        ArgumentError: when no array is meant.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.training import Descent, freeze, setup, thaw
        >>> thaw(freeze(setup(Descent(), [jnp.ones(2)]), "[0]")).frozen
        ()
    """
    return _with_frozen(state, set(state.frozen) - _meant(state, where, "thaw"))


def _meant(state: OptimiserState, where: Where, function: str) -> set[str]:
    if callable(where):
        return _checked_meant(state, {name for name in state.names if where(name)}, "this function", function)
    prefixes = [where] if isinstance(where, str) else where
    meant: set[str] = set()
    for prefix in prefixes:
        below = {name for name in state.names if _is_below(name, prefix)}
        meant |= _checked_meant(state, below, repr(prefix), function)
    return meant


def _is_below(name: str, prefix: str) -> bool:
    return not prefix or name == prefix or name.startswith((f"{prefix}.", f"{prefix}["))


def _checked_meant(state: OptimiserState, meant: set[str], described: str, function: str) -> set[str]:
    if not meant:
        expected = f"the path of an array, or the start of one, among {shortened(state.names)}"
        raise ArgumentError(described, expected, "use one of these paths", where=function)
    return meant


def _with_frozen(state: OptimiserState, frozen: set[str]) -> OptimiserState:
    ordered = tuple(name for name in state.names if name in frozen)
    return OptimiserState(state.inner, state.hyper, state.rules, ordered, state.names)


def _warn_of_ties(model: Any) -> None:
    for first, *others in tied_names(model):
        for name in others:
            warnings.warn(
                f"{first} and {name} are the same array; updates will make them part, so tie them "
                "in the layer's __call__ (use one array twice) if they should stay equal",
                TiedArraysWarning,
                stacklevel=3,
            )
