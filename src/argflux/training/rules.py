"""The optimisers, in order of increasing complexity; each is an Optax transformation with named numbers."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from argflux.training.rule import Hyper, Rule, rule


@rule
class Descent(Rule):
    """Gradient descent: `x ← x - rate · g`.

    Args:
        rate: the learning rate, at least 0.

    Raises:
        ArgumentError: for a number outside its range or a keyword that it does not have.

    Example:
        >>> from argflux.training import Descent
        >>> Descent(0.5)
        Descent(rate=0.5)
    """

    rate: float = 0.1

    def transformation(self, hyper: Hyper) -> optax.GradientTransformation:
        """Return the scaling by the rate."""
        return optax.scale(hyper["rate"])


@rule
class Momentum(Rule):
    """Gradient descent with momentum: `v ← momentum · v + g`, `x ← x - rate · v`.

    Args:
        rate: the learning rate, at least 0.
        momentum: how much of the last velocity is kept, in [0, 1).

    Example:
        >>> from argflux.training import Momentum
        >>> Momentum(momentum=0.8)
        Momentum(rate=0.01, momentum=0.8)
    """

    rate: float = 0.01
    momentum: float = 0.9

    def transformation(self, hyper: Hyper) -> optax.GradientTransformation:
        """Return the velocity, scaled."""
        return optax.chain(optax.trace(hyper["momentum"]), optax.scale(hyper["rate"]))


@rule
class Nesterov(Rule):
    """Momentum that looks ahead: `v ← momentum · v + g`, `x ← x - rate · (g + momentum · v)`.

    Args:
        rate: the learning rate, at least 0.
        momentum: how much of the last velocity is kept, in [0, 1).

    References:
        Sutskever et al., On the importance of initialization and momentum in deep learning, 2013.

    Example:
        >>> from argflux.training import Nesterov
        >>> Nesterov()
        Nesterov(rate=0.001, momentum=0.9)
    """

    rate: float = 0.001
    momentum: float = 0.9

    def transformation(self, hyper: Hyper) -> optax.GradientTransformation:
        """Return the velocity seen ahead, scaled."""
        return optax.chain(optax.trace(hyper["momentum"], nesterov=True), optax.scale(hyper["rate"]))


@rule
class AdaGrad(Rule):
    """A rate for each number that falls as its gradients add up: `s ← s + g²`, `x ← x - rate · g / √(s + eps)`.

    Args:
        rate: the learning rate, at least 0.
        eps: keeps the division finite.

    References:
        Duchi et al., Adaptive subgradient methods for online learning and stochastic optimization, 2011.

    Example:
        >>> from argflux.training import AdaGrad
        >>> AdaGrad(0.05).rate
        0.05
    """

    rate: float = 0.1
    eps: float = 1e-8

    def transformation(self, hyper: Hyper) -> optax.GradientTransformation:
        """Return the gradient over the root of the sum of its squares, scaled."""
        adapted = optax.scale_by_rss(initial_accumulator_value=0.0, eps=hyper["eps"])
        return optax.chain(adapted, optax.scale(hyper["rate"]))


@rule
class RMSProp(Rule):
    """Gradients over their running root mean square: `s ← beta · s + (1 - beta) g²`, `x ← x - rate · g / (√s + eps)`.

    Args:
        rate: the learning rate, at least 0.
        beta: how much of the last average is kept, in [0, 1).
        eps: keeps the division finite.
        centred: whether to divide by the standard deviation, with the mean taken off, instead.

    References:
        Tieleman and Hinton, Lecture 6.5: rmsprop, 2012; Graves, arXiv:1308.0850 (centred).

    Example:
        >>> from argflux.training import RMSProp
        >>> RMSProp(centred=True).hyperparameters()
        {'rate': 0.001, 'beta': 0.9, 'eps': 1e-08}
    """

    rate: float = 0.001
    beta: float = 0.9
    eps: float = 1e-8
    centred: bool = False

    def transformation(self, hyper: Hyper) -> optax.GradientTransformation:
        """Return the gradient over its running root mean square or deviation, scaled."""
        if self.centred:
            adapted = _scale_by_deviation(hyper["beta"], _positive(hyper["eps"]))
        else:
            adapted = optax.scale_by_rms(hyper["beta"], _positive(hyper["eps"]), eps_in_sqrt=False)
        return optax.chain(adapted, optax.scale(hyper["rate"]))


class _Moments(NamedTuple):
    mean: Any
    square: Any


def _scale_by_deviation(beta: Any, eps: Any) -> optax.GradientTransformation:
    """Divide by the running standard deviation, whose square rounding must not make negative."""

    def init(params: Any) -> _Moments:
        zeros = jax.tree.map(jnp.zeros_like, params)
        return _Moments(zeros, zeros)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, _Moments]:
        mean = jax.tree.map(lambda m, g: beta * m + (1 - beta) * g, state.mean, updates)
        square = jax.tree.map(lambda s, g: beta * s + (1 - beta) * g**2, state.square, updates)
        step = lambda g, m, s: g / (jnp.sqrt(jnp.maximum(s - m**2, 0)) + eps)
        return jax.tree.map(step, updates, mean, square), _Moments(mean, square)

    return optax.GradientTransformation(init, update)


def _positive(eps: Any) -> Any:
    """Return eps, or a number above 0 if eps is 0 or rounds to it, so that a gradient of 0 makes a step of 0."""
    return jnp.maximum(eps, 1e-30)


@rule
class Adam(Rule):
    """Running mean over running root mean square, both corrected for their start at 0.

    `m ← β₁ m + (1 - β₁) g`, `s ← β₂ s + (1 - β₂) g²`, `x ← x - rate · m̂ / (√ŝ + eps)`.

    Args:
        rate: the learning rate, at least 0.
        beta: β₁ and β₂, each in [0, 1).
        eps: keeps the division finite.

    References:
        Kingma and Ba, Adam: a method for stochastic optimization, 2015.

    Example:
        >>> from argflux.training import Adam
        >>> Adam(beta=(0.8, 0.99))
        Adam(rate=0.001, beta=(0.8, 0.99), eps=1e-08)
    """

    rate: float = 0.001
    beta: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def transformation(self, hyper: Hyper) -> optax.GradientTransformation:
        """Return Adam's step."""
        return optax.chain(optax.scale_by_adam(*hyper["beta"], eps=_positive(hyper["eps"])), optax.scale(hyper["rate"]))


@rule
class AdamW(Rule):
    """Adam with weights that decay apart from the gradient: Adam's step plus `rate · decay · x`.

    Args:
        rate: the learning rate, at least 0.
        beta: β₁ and β₂, each in [0, 1).
        decay: how fast weights shrink, at least 0.
        eps: keeps the division finite.

    References:
        Loshchilov and Hutter, Decoupled weight decay regularization, 2019.

    Example:
        >>> from argflux.training import AdamW
        >>> AdamW(decay=0.1).decay
        0.1
    """

    rate: float = 0.001
    beta: tuple[float, float] = (0.9, 0.999)
    decay: float = 0.01
    eps: float = 1e-8

    def transformation(self, hyper: Hyper) -> optax.GradientTransformation:
        """Return Adam's step with the decay of the weights."""
        adam = optax.scale_by_adam(*hyper["beta"], eps=_positive(hyper["eps"]))
        return optax.chain(adam, optax.add_decayed_weights(hyper["decay"]), optax.scale(hyper["rate"]))


@rule
class NAdam(Rule):
    """Adam that looks ahead as Nesterov's momentum does.

    Args:
        rate: the learning rate, at least 0.
        beta: β₁ and β₂, each in [0, 1).
        eps: keeps the division finite.

    References:
        Dozat, Incorporating Nesterov momentum into Adam, 2016.

    Example:
        >>> from argflux.training import NAdam
        >>> NAdam().rate
        0.001
    """

    rate: float = 0.001
    beta: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def transformation(self, hyper: Hyper) -> optax.GradientTransformation:
        """Return NAdam's step."""
        nadam = optax.scale_by_adam(*hyper["beta"], eps=_positive(hyper["eps"]), nesterov=True)
        return optax.chain(nadam, optax.scale(hyper["rate"]))


@rule
class RAdam(Rule):
    """Adam that waits with its adaptive rates until their variance is small.

    Args:
        rate: the learning rate, at least 0.
        beta: β₁ and β₂, each in [0, 1).
        eps: keeps the division finite.

    References:
        Liu et al., On the variance of the adaptive learning rate and beyond, 2020.

    Example:
        >>> from argflux.training import RAdam
        >>> RAdam().beta
        (0.9, 0.999)
    """

    rate: float = 0.001
    beta: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def transformation(self, hyper: Hyper) -> optax.GradientTransformation:
        """Return RAdam's step."""
        return optax.chain(
            optax.scale_by_radam(*hyper["beta"], eps=_positive(hyper["eps"])), optax.scale(hyper["rate"])
        )


@rule
class AdaBelief(Rule):
    """Adam that divides by how far gradients lie from their running mean.

    Args:
        rate: the learning rate, at least 0.
        beta: β₁ and β₂, each in [0, 1).
        eps: keeps the division finite.

    References:
        Zhuang et al., AdaBelief optimizer: adapting stepsizes by the belief in observed gradients, 2020.

    Example:
        >>> from argflux.training import AdaBelief
        >>> AdaBelief().eps
        1e-16
    """

    rate: float = 0.001
    beta: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-16

    def transformation(self, hyper: Hyper) -> optax.GradientTransformation:
        """Return AdaBelief's step."""
        return optax.chain(
            optax.scale_by_belief(*hyper["beta"], eps=_positive(hyper["eps"])), optax.scale(hyper["rate"])
        )


@rule
class Lion(Rule):
    """Steps of one size: `x ← x - rate · (sign(β₁ m + (1 - β₁) g) + decay · x)`, `m ← β₂ m + (1 - β₂) g`.

    Args:
        rate: the learning rate, at least 0.
        beta: β₁ and β₂, each in [0, 1).
        decay: how fast weights shrink, at least 0.

    References:
        Chen et al., Symbolic discovery of optimization algorithms, 2023.

    Example:
        >>> from argflux.training import Lion
        >>> Lion(1e-4)
        Lion(rate=0.0001, beta=(0.9, 0.99), decay=0.0)
    """

    rate: float = 0.001
    beta: tuple[float, float] = (0.9, 0.99)
    decay: float = 0.0

    def transformation(self, hyper: Hyper) -> optax.GradientTransformation:
        """Return the sign of the mixed mean with the decay of the weights, scaled."""
        sign, decay = optax.scale_by_lion(*hyper["beta"]), optax.add_decayed_weights(hyper["decay"])
        return optax.chain(sign, decay, optax.scale(hyper["rate"]))
