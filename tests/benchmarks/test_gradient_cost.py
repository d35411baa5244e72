"""What our gradients compile to, beside JAX's, at small sizes: counts of operations and bytes, which never vary."""

import jax
import pytest
from benchmarks.gradient import check, cost_ratios
from benchmarks.models import Model, attention, chain, conv_net, gaussian_process, layer_norm, lstm, mlp

SMALL = [
    mlp(size=32, batch=16),
    chain(size=32, batch=16),
    conv_net(size=12, batch=4),
    attention(size=16, batch=2, length=16, heads=2),
    lstm(size=16, batch=4, length=100),
    layer_norm(size=64, batch=8),
    gaussian_process(size=32),
]


@pytest.mark.slow
@pytest.mark.parametrize("model", SMALL, ids=lambda model: model.name)
def test_cost(model: Model):
    limits = {"flops": 1.35, "bytes accessed": 1.35} if model.loops else {"flops": 1.02, "bytes accessed": 1.05}
    check(model)
    ratios = cost_ratios(model)
    assert {key: ratio for key, ratio in ratios.items() if ratio > limits[key]} == {}


@pytest.mark.parametrize("model", SMALL, ids=lambda model: model.name)
def test_models_are_finite(model: Model):
    assert jax.numpy.isfinite(model.loss(model.parameters, *model.batch))
