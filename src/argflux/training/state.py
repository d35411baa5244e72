"""The state of an optimiser beside a model: setup, update, adjust, freeze, thaw."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp

from argflux.errors import ArgumentError, warn
from argflux.keywords import explained
from argflux.kinds import Number
from argflux.nn.widths import check_filled
from argflux.training.alignment import aligned, shortened
from argflux.training.chain import Part, describe, generic, initial_hyperparameters, numbers_at, parts_of
from argflux.training.memory import Memory, first_memory
from argflux.training.outline import Outline
from argflux.training.rule import Hyper, Rule, as_arrays, check_names, checked, is_scheduled
from argflux.training.split import Split, trainable
from argflux.training.step import apply_rules, compiled_step
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
        inner: what the rules remember: the state of the Optax transformation, float32 copies of weights of lower
            precision, and the number of steps made.
        hyper: the hyperparameters of every rule of a chain, as arrays; None for schedules.
        rules: the rules.
        frozen: the paths of the arrays that do not move.
        outline: the arrays that could, by path, shape and dtype.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.training import Descent, freeze, setup
        >>> freeze(setup(Descent(), [jnp.ones(2), jnp.ones(3)]), "[0]")
        OptimiserState(Descent(rate=0.1); 2 arrays, frozen: [0])
    """

    inner: Memory
    hyper: tuple[Hyper, ...]
    rules: tuple[Part, ...] = eqx.field(static=True)
    frozen: tuple[str, ...] = eqx.field(static=True)
    outline: Outline = eqx.field(static=True)

    @property
    def names(self) -> tuple[str, ...]:
        """The paths of all arrays that could move."""
        return self.outline.names

    def hyperparameters(self) -> dict[str, Any]:
        """Return the hyperparameters of the next step by name; of two rules with the same name, the last one's.

        Example:
            >>> import jax.numpy as jnp
            >>> from argflux.training import Momentum, setup
            >>> setup(Momentum(0.5, 0.25), jnp.ones(3)).hyperparameters()
            {'rate': 0.5, 'momentum': 0.25}
        """
        numbers = numbers_at(self.rules, self.hyper, self.inner.count)
        return {name: jax.tree.map(float, value) for own in numbers for name, value in own.items()}

    def __repr__(self) -> str:
        rules = " → ".join(map(describe, self.rules))
        frozen = f", frozen: {', '.join(self.frozen)}" if self.frozen else ""
        return f"OptimiserState({rules}; {len(self.names)} arrays{frozen})"


@explained
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
    outline = Outline.of(model)
    if not outline.names:
        got, todo = f"a {type(model).__name__} with no floating arrays", "give a layer its arrays as fields"
        raise ArgumentError(got, "at least one array to train", todo, where="setup")
    _warn_of_ties(model)
    hyper = initial_hyperparameters(parts)
    return OptimiserState(first_memory(parts, hyper, trainable(model)), hyper, parts, (), outline)


@explained
def update(
    state: OptimiserState,
    model: M,
    grads: Any,
    *,
    value: Number = None,
    value_fn: Callable[[M], Any] | None = None,
) -> tuple[OptimiserState, M]:
    """Make one step along the gradients.

    Args:
        state: from `setup`, or from the last update.
        model: the model that the gradients belong to.
        grads: a tree like the model, such as `gradient(f, model)[0]`; where it has None, nothing moves.
        value: the value of f, which some Optax transformations ask for.
        value_fn: f itself, a function of the model, which those with a line search ask for.

    Returns:
        The new state and the new model; both arguments stay as they are.

    Raises:
        ArgumentError: for the tuple that `gradient` returns instead of its first entry, a state of another model, or
            an Optax transformation that needs more than is given.
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
    state = fitted(state, register_layers(model), "update")
    slopes = aligned(model, grads)
    names = [name for name, _ in named_leaves(model)]
    idle = {name for name, slope in zip(names, slopes, strict=True) if slope is None}
    split, moving, fixed = Split.of(model, idle.union(state.frozen))
    if not moving:
        return state, model
    whole = None if len(moving) == len(state.names) else jax.tree.structure(trainable(model))
    params, grads = split.spread(moving), split.spread(split.pick(slopes))
    extra: dict[str, Any] = {} if value is None else {"value": value}
    step = compiled_step
    if value_fn is not None:
        extra["value_fn"] = lambda params: value_fn(split.join(split.collect_like(params, moving), fixed))
        step = apply_rules
    inner, params = step(generic(state.rules), whole, state.hyper, state.inner, params, grads, **extra)
    return eqx.tree_at(lambda s: s.inner, state, inner), split.join(split.collect(params), fixed)


def fitted(state: OptimiserState, model: Any, where: str) -> OptimiserState:
    """Return a state for a model with the same arrays, which may differ in what is no array (test mode, functions).

    Raises:
        ArgumentError: for a model with other arrays, naming the first, or for something that is no state.
    """
    if not isinstance(state, OptimiserState):
        got, todo = f"a {type(state).__name__} in place of a state", "pass what setup(rule, model) returned"
        raise ArgumentError(got, "an OptimiserState", todo, where=where)
    outline = Outline.of(model)
    if outline == state.outline:
        return state
    state.outline.check(outline, where)
    start = lambda: first_memory(state.rules, state.hyper, trainable(model))
    wanted, structure = jax.tree.flatten(jax.eval_shape(start))
    leaves = jax.tree.leaves(state.inner)
    if [jnp.shape(leaf) for leaf in leaves] != [leaf.shape for leaf in wanted]:
        got, todo = "a state that the rule would not make for this model", "call setup on this model"
        raise ArgumentError(got, "a state for the same parts of the model", todo, where=where)
    return OptimiserState(structure.unflatten(leaves), state.hyper, state.rules, state.frozen, outline)


@explained
def adjust(state: OptimiserState, **hyper: Any) -> OptimiserState:
    """Change hyperparameters in mid-training; what the rule remembers stays, and nothing is compiled anew.

    A number takes the place of a schedule and the other way round; a schedule counts steps from the first one made
    with this state.

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
    current = {name: value for part in state.rules if isinstance(part, Rule) for name, value in _numbers(part)}
    _check_names(state, hyper, list(current))
    values = {name: checked("adjust", name, value, current[name]) for name, value in hyper.items()}
    rules, numbers = [], []
    for part, own in zip(state.rules, state.hyper, strict=True):
        new = {name: value for name, value in values.items() if name in own}
        scheduled = {name: value for name, value in new.items() if is_scheduled(value)}
        rules.append(dataclasses.replace(part, **scheduled) if scheduled else part)  # type: ignore[type-var]
        numbers.append(own | as_arrays(new))
    return OptimiserState(state.inner, tuple(numbers), tuple(rules), state.frozen, state.outline)


def _numbers(part: Rule) -> Any:
    return part.hyperparameters().items()


def _check_names(state: OptimiserState, given: dict[str, Any], known: list[str]) -> None:
    foreign = [describe(part) for part in state.rules if not isinstance(part, Rule)]
    for name in given:
        if foreign and name not in known:
            got, expected = f"keyword {name!r}", ", ".join(known) or "no keyword"
            todo = f"{', '.join(foreign)} keeps its numbers inside: use a rule of argflux, or give Optax a schedule"
            raise ArgumentError(got, expected, todo, where="adjust")
    check_names("adjust", given, known)


@explained
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


@explained
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
    return OptimiserState(state.inner, state.hyper, state.rules, ordered, state.outline)


def _warn_of_ties(model: Any) -> None:
    for first, *others in tied_names(model):
        for name in others:
            warn(
                f"{first} and {name} are the same array; updates will make them part, so tie them "
                "in the layer's __call__ (use one array twice) if they should stay equal",
                TiedArraysWarning,
            )
