"""Every rule against its formula, written out in NumPy."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from argflux import training
from argflux.errors import ArgumentError
from argflux.training import (
    AdaBelief,
    AdaGrad,
    Adam,
    AdamW,
    ClipGrad,
    ClipNorm,
    Descent,
    Lion,
    Momentum,
    NAdam,
    Nesterov,
    OptimiserChain,
    RAdam,
    RMSProp,
    Rule,
    WeightDecay,
    setup,
    update,
)

X0 = np.array([1.0, -2.0, 3.0])
GRADS = [np.array([0.5, -1.0, 0.0]), np.array([0.3, 2.0, -4.0]), np.array([-0.7, 0.1, 1.5])]


def descent(rate):
    return lambda x, g, t, s: x - rate * g


def momentum(rate, rho, nesterov=False):
    def step(x, g, t, s):
        s["v"] = rho * s.get("v", 0) + g
        return x - rate * (g + rho * s["v"] if nesterov else s["v"])

    return step


def adagrad(rate, eps):
    def step(x, g, t, s):
        s["s"] = s.get("s", 0) + g**2
        return x - rate * np.where(s["s"] > 0, g / np.sqrt(s["s"] + eps), 0)

    return step


def rmsprop(rate, beta, eps, centred=False):
    def step(x, g, t, s):
        s["s"] = beta * s.get("s", 0) + (1 - beta) * g**2
        s["m"] = beta * s.get("m", 0) + (1 - beta) * g
        return x - rate * g / (np.sqrt(s["s"] - s["m"] ** 2 if centred else s["s"]) + eps)

    return step


def means(s, g, t, b1, b2, second=None):
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    spread = g**2 if second is None else (g - s["m"]) ** 2 + second
    s["s"] = b2 * s.get("s", 0) + (1 - b2) * spread
    return s["m"] / (1 - b1**t), s["s"] / (1 - b2**t)


def adam(rate, b1, b2, eps, decay=0.0):
    def step(x, g, t, s):
        m, v = means(s, g, t, b1, b2)
        return x - rate * (m / (np.sqrt(v) + eps) + decay * x)

    return step


def nadam(rate, b1, b2, eps):
    def step(x, g, t, s):
        _, v = means(s, g, t, b1, b2)
        ahead = b1 * s["m"] / (1 - b1 ** (t + 1)) + (1 - b1) * g / (1 - b1**t)
        return x - rate * ahead / (np.sqrt(v) + eps)

    return step


def radam(rate, b1, b2, eps):
    def step(x, g, t, s):
        m, v = means(s, g, t, b1, b2)
        longest = 2 / (1 - b2) - 1
        length = longest - 2 * t * b2**t / (1 - b2**t)
        if length < 5:
            return x - rate * m
        rectifier = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        return x - rate * np.sqrt(rectifier) * m / (np.sqrt(v) + eps)

    return step


def adabelief(rate, b1, b2, eps):
    def step(x, g, t, s):
        m, v = means(s, g, t, b1, b2, second=1e-16)
        return x - rate * m / (np.sqrt(v) + eps)

    return step


def lion(rate, b1, b2, decay):
    def step(x, g, t, s):
        m = s.get("m", 0 * g)
        s["m"] = b2 * m + (1 - b2) * g
        return x - rate * (np.sign(b1 * m + (1 - b1) * g) + decay * x)

    return step


def clipped_norm(limit, then):
    return lambda x, g, t, s: then(x, g * min(1, limit / np.linalg.norm(g)), t, s)


def clipped(limit, then):
    return lambda x, g, t, s: then(x, np.clip(g, -limit, limit), t, s)


def decayed(decay, then):
    return lambda x, g, t, s: then(x, g + decay * x, t, s)


ROWS = [
    (Descent(0.2), descent(0.2)),
    (Momentum(0.2, 0.8), momentum(0.2, 0.8)),
    (Nesterov(0.2, 0.8), momentum(0.2, 0.8, nesterov=True)),
    (AdaGrad(0.2, 1e-6), adagrad(0.2, 1e-6)),
    (RMSProp(0.2, 0.7, 1e-3), rmsprop(0.2, 0.7, 1e-3)),
    (RMSProp(0.2, 0.7, 1e-3, centred=True), rmsprop(0.2, 0.7, 1e-3, centred=True)),
    (Adam(0.2, (0.8, 0.95), 1e-3), adam(0.2, 0.8, 0.95, 1e-3)),
    (AdamW(0.2, (0.8, 0.95), 0.3, 1e-3), adam(0.2, 0.8, 0.95, 1e-3, decay=0.3)),
    (NAdam(0.2, (0.8, 0.95), 1e-3), nadam(0.2, 0.8, 0.95, 1e-3)),
    (RAdam(0.2, (0.8, 0.6), 1e-3), radam(0.2, 0.8, 0.6, 1e-3)),
    (RAdam(0.2, (0.8, 0.999), 1e-3), radam(0.2, 0.8, 0.999, 1e-3)),
    (AdaBelief(0.2, (0.8, 0.95), 1e-3), adabelief(0.2, 0.8, 0.95, 1e-3)),
    (Lion(0.2, (0.8, 0.95), 0.3), lion(0.2, 0.8, 0.95, 0.3)),
    (OptimiserChain(ClipNorm(0.6), Descent(0.2)), clipped_norm(0.6, descent(0.2))),
    (OptimiserChain(ClipGrad(0.6), Adam(0.2)), clipped(0.6, adam(0.2, 0.9, 0.999, 1e-8))),
    (OptimiserChain(WeightDecay(0.3), Momentum(0.2)), decayed(0.3, momentum(0.2, 0.9))),
    (ClipNorm(0.6), clipped_norm(0.6, descent(1.0))),
]
NAMES = [repr(rule) for rule, _ in ROWS]


@pytest.mark.parametrize(("rule", "formula"), ROWS, ids=NAMES)
def test_rule_follows_its_formula(rule, formula, x64):
    x, model, s = X0, jnp.array(X0), {}
    state = setup(rule, model)
    for t, g in enumerate(GRADS * 2, 1):
        x = formula(x, g, t, s)
        state, model = update(state, model, jnp.array(g))
        np.testing.assert_allclose(model, x, rtol=1e-12)


@pytest.mark.parametrize(("rule", "formula"), ROWS, ids=NAMES)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_dtype_is_kept_and_jit_agrees(rule, formula, dtype):
    model, grads = {"x": jnp.array(X0, dtype)}, {"x": jnp.array(GRADS[0], dtype)}
    state = setup(rule, model)
    eager = update(state, model, grads)
    assert eager[1]["x"].dtype == dtype
    before, after = jax.tree.leaves(state), jax.tree.leaves(eager[0])
    assert [leaf.dtype for leaf in before] == [leaf.dtype for leaf in after]
    compiled = jax.jit(update)(state, model, grads)
    assert jax.tree.structure(compiled) == jax.tree.structure(eager)
    np.testing.assert_allclose(
        np.asarray(compiled[1]["x"], np.float32), np.asarray(eager[1]["x"], np.float32), rtol=1e-2
    )


def test_every_rule_has_a_row():
    public = {getattr(training, name) for name in training.__all__}
    rules = {cls for cls in public if isinstance(cls, type) and issubclass(cls, Rule) and cls is not Rule}
    rows = {type(part) for rule, _ in ROWS for part in getattr(rule, "parts", (rule,))}
    assert rules == rows


ALL_RULES = sorted({type(p) for rule, _ in ROWS for p in getattr(rule, "parts", (rule,))}, key=lambda c: c.__name__)


@pytest.mark.parametrize("cls", ALL_RULES, ids=lambda cls: cls.__name__)
def test_mistyped_keyword_names_the_right_ones(cls):
    names = ", ".join(field.name for field in dataclasses.fields(cls))
    with pytest.raises(ArgumentError, match=f"{cls.__name__}: got keyword 'lerning'; expected {names};"):
        cls(lerning=0.1)


@pytest.mark.parametrize("cls", ALL_RULES, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("value", [-0.5, float("nan"), float("inf"), "0.1", None, True])
def test_bad_numbers_are_refused(cls, value):
    name = dataclasses.fields(cls)[0].name
    with pytest.raises(ArgumentError, match=f"{cls.__name__}: got {name}="):
        cls(**{name: value})


@pytest.mark.parametrize("beta", [(1.0, 0.9), (0.9, -0.1), 0.9, (0.9,), (0.9, 0.9, 0.9), ("a", 0.9)])
def test_bad_betas_are_refused(beta):
    with pytest.raises(ArgumentError, match="Adam: got beta="):
        Adam(beta=beta)


@pytest.mark.parametrize("value", [1.0, -0.1])
def test_momentum_stays_below_one(value):
    with pytest.raises(ArgumentError, match=r"expected a number in \[0, 1\)"):
        Momentum(0.1, value)


def test_rules_compare_and_hash_by_value():
    assert Adam(1e-3) == Adam(1e-3) != Adam(1e-2)
    assert hash(OptimiserChain(ClipNorm(1), Adam())) == hash(OptimiserChain(ClipNorm(1.0), Adam()))
    assert OptimiserChain(ClipNorm(1), Adam()) != OptimiserChain(Adam(), ClipNorm(1))
