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
    found = load("collocation").main(tmp_path, sets=100)
    solution = found["solution"]
    assert (solution.status == 0).all()
    assert (np.abs(found["covered"].mean(0) - 0.95) < 0.05).all()
    spread = solution.x["rates"].std(0) / found["errors"].mean(0)
    assert (np.abs(spread - 1) < 0.15).all()
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
    assert apart[~congested].max() < 0.2 < 2 < apart[congested][1:].min()
    made = found["found"].x["active"]
    cheap, dear = (made[43 + 1] - made[48 + 1]) / 2e-4  # for another unit of demand at bus 1, at 150 MW
    assert cheap < 0
    assert dear > 1
    assert (found["slopes"][-1][0, 1:4] < 0).all()
    assert is_picture(tmp_path / "prices.png")


@pytest.mark.slow
def test_predictive_control(tmp_path):
    """The expert's weights are found, and with them its torques from states that were not shown."""
    module = load("predictive_control")
    found = module.main(tmp_path)
    assert all((each.status == 0).all() for each in (found["expert"], *found["found"].values()))
    np.testing.assert_allclose(found["path"][-1], module.TRUE, atol=0.15)
    assert found["off"]["learned"] < 0.01 < 0.1 < found["off"]["first guess"]
    assert 0.1 < found["held"].any(1).mean() < 0.5
    assert is_picture(tmp_path / "plans.png")


@pytest.mark.slow
def test_ridge_tuning(tmp_path):
    """The path ends where the grid is lowest, its slopes are differences, and what it finds pays on unseen rows."""
    found = load("ridge_tuning").main(tmp_path)
    assert found["best"].fun < found["grid"].min() + 1e-3
    assert (found["tests"]["tuned"] < found["tests"]["ridge alone"]).all()
    assert found["tests"]["ridge alone"].mean() < found["tests"]["where learning starts"].mean()
    slope = found["at"](-3.0, 0.0)[1]
    for k, step in enumerate(0.02 * np.eye(2)):
        above, below = (found["at"](*(np.array([-3.0, 0.0]) + sign * step))[0][0] for sign in (1, -1))
        assert slope[k] == pytest.approx((above - below) / 0.04, abs=1e-3)
    assert is_picture(tmp_path / "tuning.png")
