"""Examples of nonlinear programs are run, and their results are held against what they claim."""

import numpy as np
import pytest

from tests.examples.test_examples import is_picture, load


@pytest.mark.slow
def test_planar_arm(tmp_path):
    """What is learned moves the arm as the demonstrator does, to targets that were not shown."""
    found = load("planar_arm").main(tmp_path)
    assert (np.asarray(found["demonstrated"].status) == 0).all()
    assert 0.3 < found["held"].mean() < 0.9
    guess, learned = (np.median(found["off"][name], 0) for name in ("first guess", "learned"))
    assert (guess > 5).all()
    assert (learned < 1).all()
    assert found["losses"][-1] < 0.05 * found["losses"][0]
    assert is_picture(tmp_path / "arm.png")


@pytest.mark.slow
def test_collocation(tmp_path):
    """Intervals cover as often as they say, and standard errors are the spread of the estimates."""
    found = load("collocation").main(tmp_path)
    solution = found["solution"]
    assert (solution.status == 0).all()
    assert (np.abs(found["covered"].mean(0) - 0.95) < 0.04).all()
    spread = solution.x["rates"].std(0) / found["errors"].mean(0)
    assert (np.abs(spread - 1) < 0.1).all()
    np.testing.assert_allclose(found["curvature"], np.swapaxes(found["curvature"], 1, 2), atol=1e-5)
    assert is_picture(tmp_path / "collocation.png")


@pytest.mark.slow
def test_power_dispatch(tmp_path):
    """Duals are what another megawatt costs, and their derivatives are symmetric and those of the prices."""
    found = load("power_dispatch").main(tmp_path)
    assert (found["found"].status == 0).all()
    assert found["errors"][0] < 1e-6
    assert found["errors"][1] < 1e-6
    np.testing.assert_allclose(found["slopes"], np.swapaxes(found["slopes"], 1, 2), atol=1e-7)
    prices, congested = found["prices"][:43], found["found"].z["current"][:43].max(1) > 0
    assert 5 < congested.sum() < 25
    apart = prices.max(1) - prices.min(1)
    assert apart[~congested].max() < 0.2 < apart[congested].min()
    assert is_picture(tmp_path / "prices.png")
