"""Rules in a row: modifiers of gradients, and the chain that passes a gradient through several rules."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import optax

from argflux.errors import ArgumentError
from argflux.keywords import explained
from argflux.kinds import shortened
from argflux.training.likeness import Alike
from argflux.training.rule import Hyper, Rule, as_arrays, in_use, rule, without_numbers
from argflux.training.schedule import written

Part = Rule | optax.GradientTransformation | Alike


@rule
class ClipNorm(Rule):
    """Shrinks all gradients together so that their joint Euclidean norm is at most `limit`.

    The norm is taken of gradients over their largest entry, so it is right however large they are. A gradient with
    an infinite or NaN entry has no direction: that entry becomes NaN, and `train` ends with an error.

    Args:
        limit: the largest norm, above 0. Frozen arrays do not count.

    Example:
        >>> from argflux.training import Adam, ClipNorm, OptimiserChain
        >>> OptimiserChain(ClipNorm(1), Adam())
        OptimiserChain(ClipNorm(limit=1.0), Adam(rate=0.001, beta=(0.9, 0.999), eps=1e-08))
    """

    limit: float = 1.0
    descends: ClassVar[bool] = False

    def transformation(self, hyper: Hyper) -> optax.GradientTransformation:
        """Return the clipping by the joint norm."""
        return optax.stateless(lambda grads, params: _clipped(grads, hyper["limit"]))


def _clipped(grads: Any, limit: Any) -> Any:
    leaves = [leaf for leaf in jax.tree.leaves(grads) if leaf.size]
    if not leaves:
        return grads
    dtype = jnp.result_type(*leaves)
    largest = jnp.max(jnp.stack([jnp.max(jnp.abs(leaf)).astype(dtype) for leaf in leaves]))
    scale = jnp.where((largest > 0) & jnp.isfinite(largest), largest, 1.0)
    over = [leaf / scale.astype(leaf.dtype) for leaf in leaves]  # its squares do not overflow
    root = jnp.sqrt(sum(jnp.sum(jnp.square(leaf)).astype(dtype) for leaf in over))
    long, factor = ~(root <= limit / scale), limit / root
    shrink = lambda leaf: leaf / scale.astype(leaf.dtype) * factor.astype(leaf.dtype)
    return jax.tree.map(lambda leaf: jnp.where(long, shrink(leaf), leaf), grads)


@rule
class ClipGrad(Rule):
    """Clips every number of the gradients to [-limit, limit].

    Args:
        limit: the largest magnitude, above 0.

    Example:
        >>> from argflux.training import ClipGrad
        >>> ClipGrad(0.5)
        ClipGrad(limit=0.5)
    """

    limit: float = 1.0
    descends: ClassVar[bool] = False

    def transformation(self, hyper: Hyper) -> optax.GradientTransformation:
        """Return the clipping of each number."""
        return optax.clip(hyper["limit"])


@rule
class WeightDecay(Rule):
    """Adds `decay · x` to the gradient of x, the gradient of the penalty `decay/2 · x²`.

    Args:
        decay: how fast weights shrink, at least 0.

    Example:
        >>> from argflux.training import Descent, OptimiserChain, WeightDecay
        >>> OptimiserChain(WeightDecay(1e-4), Descent(0.1)).parts[0]
        WeightDecay(decay=0.0001)
    """

    decay: float = 5e-4
    descends: ClassVar[bool] = False

    def transformation(self, hyper: Hyper) -> optax.GradientTransformation:
        """Return the addition of decayed weights."""
        return optax.add_decayed_weights(hyper["decay"])


@explained
class OptimiserChain:
    """Passes gradients through rules one after the other and subtracts what comes out of the last.

    Args:
        *rules: rules, chains, or Optax transformations. An Optax optimiser brings the sign of its step along, so
            only modifiers (ClipNorm, ClipGrad, and WeightDecay before it) may stand beside one.

    Raises:
        ArgumentError: for no rules, something that is no rule, or an Optax transformation beside a rule that has a
            rate of its own.

    Example:
        >>> from argflux.training import ClipGrad, Descent, OptimiserChain
        >>> OptimiserChain(ClipGrad(1), Descent(0.1))
        OptimiserChain(ClipGrad(limit=1.0), Descent(rate=0.1))
    """

    def __init__(self, *rules: Any):
        self.parts = tuple(part for rule in rules for part in parts_of(rule))
        if not self.parts:
            raise ArgumentError("no rules", "one or more", "pass rules in order", where="OptimiserChain")
        _check_signs(self.parts)

    def __repr__(self) -> str:
        return f"OptimiserChain({', '.join(map(describe, self.parts))})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OptimiserChain) and self.parts == other.parts

    def __hash__(self) -> int:
        return hash((OptimiserChain, self.parts))


def _check_signs(parts: tuple[Part, ...]) -> None:
    """Refuse chains in which an Optax transformation and a rule of ours would both set the sign of the step."""
    foreign = [index for index, part in enumerate(parts) if not isinstance(part, Rule)]
    for index, part in enumerate(parts):
        late_decay = isinstance(part, WeightDecay) and foreign and index > foreign[0]
        if foreign and isinstance(part, Rule) and (part.descends or late_decay):
            raise ArgumentError(
                f"{type(part).__name__} {'after' if late_decay else 'beside'} an Optax transformation",
                "only ClipNorm, ClipGrad, and WeightDecay before it, as an Optax optimiser sets the sign itself",
                "join the Optax parts by optax.chain(…, optax.sgd(rate)), or use argflux's rules throughout",
                where="OptimiserChain",
            )


def parts_of(given: Any) -> tuple[Part, ...]:
    """Return the rules and Optax transformations that a rule, a chain or a transformation consists of."""
    if isinstance(given, OptimiserChain):
        return given.parts
    if isinstance(given, Rule | optax.GradientTransformation):
        return (given,)
    if not isinstance(given, type) and callable(getattr(given, "init", None)) and callable(getattr(given, "update", 0)):
        return (optax.GradientTransformationExtraArgs(given.init, given.update),)  # such as optax.MultiSteps
    name = given.__name__ if isinstance(given, type) else shortened(given)
    todo = f"write {name}()" if isinstance(given, type) else "pass one, such as Adam(1e-3)"
    raise ArgumentError(name, "a rule or an Optax transformation", todo, where="rule")


def initial_hyperparameters(parts: tuple[Part, ...]) -> tuple[Hyper, ...]:
    """Return each part's hyperparameters as arrays; an Optax transformation keeps its own."""
    return tuple(as_arrays(part.hyperparameters()) if isinstance(part, Rule) else {} for part in parts)


def numbers_at(parts: tuple[Part, ...], hyper: tuple[Hyper, ...], step: Any) -> tuple[Hyper, ...]:
    """Return each part's hyperparameters at a step, its schedules' values among them."""
    pairs = zip(parts, hyper, strict=True)
    return tuple(in_use(part, numbers, step) if isinstance(part, Rule) else {} for part, numbers in pairs)


def transformation(parts: tuple[Part, ...], numbers: tuple[Hyper, ...]) -> optax.GradientTransformation:
    """Return one Optax transformation for all parts, whose result is added to the parameters."""
    links: list[Any] = []
    for part, own in zip(parts, numbers, strict=True):
        bare: Any = part.value if isinstance(part, Alike) else part
        links.append(bare.transformation(own) if isinstance(bare, Rule) else bare)
    if all(isinstance(part, Rule) for part in parts):
        links.append(optax.scale(-1.0))
    return optax.chain(*links)


def generic(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Return parts that are equal to those of every rule which differs in numbers alone; numbers come with `hyper`."""
    return tuple(without_numbers(part) if isinstance(part, Rule) else _alike(part) for part in parts)


def _alike(part: Any) -> Alike:
    return part if isinstance(part, Alike) else Alike(part)


def describe(part: Part) -> str:
    """Write a part as a user would; an Optax transformation by the name of the function that made it."""
    if isinstance(part, Rule):
        return repr(part)
    return f"optax.{described(part).partition('(')[0]}"


def described(part: Part) -> str:
    """Write a part with all its settings, those inside an Optax transformation too."""
    if isinstance(part, Rule):
        return repr(part)
    bare: Any = part.value if isinstance(part, Alike) else part
    return " from ".join(dict.fromkeys(map(written, (bare.update, bare.init))))
