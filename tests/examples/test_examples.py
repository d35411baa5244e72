"""Every example is run, and its results are held against what it claims."""

import ast
import gzip
import importlib.util
import pathlib
import struct

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog

from argflux import nn

FOLDER = pathlib.Path(__file__).parents[2] / "examples"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))


def load(name: str):
    spec = importlib.util.spec_from_file_location(f"argflux_example_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(name: str, out: pathlib.Path, **options) -> dict:
    return load(name).main(out / name, **options)


def is_picture(path: pathlib.Path) -> bool:
    return path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and path.stat().st_size > 5_000


def test_moons(tmp_path, capsys):
    found = run("moons", tmp_path)
    assert found["accuracy"] >= 0.99
    assert len(found["losses"]) == 200
    assert found["before"] == pytest.approx(found["losses"][0], rel=1e-5)
    assert found["after"] < 0.05 < found["before"]
    assert is_picture(tmp_path / "moons/loss.png")
    assert is_picture(tmp_path / "moons/boundary.png")
    listing = (tmp_path / "moons/layer.txt").read_text()
    assert "dot_general(%3, %4" in listing
    assert "d%3, d%4 += dot_general_back(d%5)" in listing
    assert "354 parameters" in capsys.readouterr().out


@pytest.mark.slow
def test_moons_starts(tmp_path):
    """The ReLU on the outputs explains each failure, and a start chosen before training learns every seed of data."""
    found = run("moons_starts", tmp_path)
    failed = found["accuracy"] < 0.9899
    assert failed.shape == (40, 10)
    assert 0.2 < failed.mean() < 0.6
    assert failed[[0, 1]].all()
    unexplained = {tuple(place) for place in np.argwhere(failed & ~found["silent"]).tolist()}
    assert unexplained == set(found["slow"])
    assert len(unexplained) <= 4
    assert min(found["slow"].values(), default=1.0) >= 0.99
    assert found["promising"].any(0).all()
    chosen = found["accuracy"][found["chosen"], range(10)]
    assert (chosen > 0.9899).all()
    assert not failed[found["promising"]].any()
    assert is_picture(tmp_path / "moons_starts/starts.png")
    assert len((tmp_path / "moons_starts/starts.txt").read_text().splitlines()) >= 45


def test_until_tiny(tmp_path):
    module = load("until_tiny")
    found = module.main(tmp_path)
    arrays = module.af.params(found["model"])
    assert len(arrays) == 6
    assert sum(array.size for array in arrays) == 97
    assert "Total: 6 arrays, 97 parameters" in str(found["model"])
    history = found["history"]
    assert history.stopped == "until"
    assert history.losses[-1] < 1e-7 < history.losses[:-1].min()
    by_hand, implicit = found["steps"]
    assert by_hand == implicit == len(history) - 1  # a record's loss was taken before its update
    trained, *others = found["fitted"]
    for model in others:
        for mine, other in zip(module.af.params(model), module.af.params(others[0]), strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-6)
    assert module.af.params(trained).names == arrays.names
    assert is_picture(tmp_path / "loss.png")


def test_custom_rule(tmp_path):
    found = run("custom_rule", tmp_path)
    assert found["check"] < 1e-6
    assert found["eccentricity"] == pytest.approx(0.6, abs=0.05)
    assert is_picture(tmp_path / "custom_rule/orbit.png")


def test_hooks(tmp_path):
    found = run("hooks", tmp_path)
    assert found["culprit"] == "angle"
    assert found["order"] == ["mean", "angle", "cosine", "unit"]
    np.testing.assert_allclose(found["gradient"][0], [[0.0, -0.5], [-0.25, 0.25]], atol=1e-6)
    np.testing.assert_array_equal(found["gradient"][1], np.zeros((2, 2)))


def test_closures(tmp_path):
    found = run("closures", tmp_path)
    assert {name: float(value) for name, value in found["df"].items()} == {"slope": 6.0, "offset": 3.0}
    assert float(found["derror"]["f"]["slope"]) == pytest.approx(14.0)
    assert found["derror"]["target"].tolist() == [-5.0, -3.0, -1.0]
    assert found["line"] == pytest.approx((3.0, -3.0), abs=1e-2)


def test_own_layer(tmp_path):
    found = run("own_layer", tmp_path)
    assert found["names"] == ("layers[0].centres", "layers[0].widths", "layers[1].weight", "layers[1].bias")
    assert found["losses"][-1] < 0.01 < found["losses"][0]
    assert found["moved"] > 0.1
    assert is_picture(tmp_path / "own_layer/fit.png")


def test_resume(tmp_path):
    found = run("resume", tmp_path)
    assert found == {"same_losses": True, "same_model": True, "epochs": 30}
    assert len((tmp_path / "resume/history.jsonl").read_text().splitlines()) == 30


MNIST_FILES = {"train": 60, "t10k": 20}


def write_images(folder):
    rng = np.random.default_rng(0)
    patterns = rng.integers(0, 255, (10, 28, 28))
    for name, count in MNIST_FILES.items():
        labels = np.arange(count) % 10
        images = (patterns[labels] * rng.random((count, 1, 1))).astype(np.uint8)
        header = struct.pack(">IIII", 2051, count, 28, 28)
        (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images.tobytes()))
        header = struct.pack(">II", 2049, count)
        (folder / f"{name}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(header + labels.astype(np.uint8).tobytes()))


def test_qp_relu(tmp_path, capsys):
    """The ReLU that is a quadratic program trains like the ordinary one, on files in MNIST's format."""
    write_images(tmp_path)
    found = run("qp_relu", tmp_path, data=str(tmp_path), epochs=20)
    plain = found.pop("relu")
    assert plain["history"].losses[-1] < plain["history"].losses[0]
    assert set(found) == {"program", "rule by hand"}
    for other in found.values():
        np.testing.assert_allclose(other["history"].losses, plain["history"].losses, rtol=1e-4)
        assert (other["train"], other["test"]) == (plain["train"], plain["test"])
    assert "rule by hand: train" in capsys.readouterr().out


def test_skip_connections(tmp_path, capsys):
    found = run("skip_connections", tmp_path)
    np.testing.assert_array_equal(*found["agree"])
    assert found["wide"].shape == (5, 6)
    assert "6 arrays of parameters" in capsys.readouterr().out
    assert found["policy"](np.zeros((3, 224), np.float32)).shape == (3, 4)
    assert len(nn.trainables(found["policy"])) == 10


def test_deep_residual(tmp_path):
    """Twenty layers learn better with skips than without, from every start and on the same budget."""
    found = run("deep_residual", tmp_path, epochs=5)
    without, with_skips = found["accuracy"].values()
    assert min(with_skips) > max(without) + 0.05
    assert is_picture(tmp_path / "deep_residual/depth.png")


def test_skip_mnist(tmp_path):
    """The convolutional network learns, on files in MNIST's format."""
    write_images(tmp_path)
    found = run("skip_mnist", tmp_path, data=str(tmp_path), epochs=2)
    assert found["history"].records[-1].loss < found["history"].records[0].loss
    assert sum(array.size for _, array in nn.trainables(found["model"])) == 99_626
    assert (tmp_path / "skip_mnist/model.safetensors").is_file()


def test_relu_zeros(tmp_path, capsys):
    """No start is above its ceiling, and an output that is dead on the images is silent on its own class."""
    write_images(tmp_path)
    found = run("relu_zeros", tmp_path, data=str(tmp_path), starts=3, epochs=3, widths=(784, 20, 10, 10))
    for one in found["runs"]:
        assert len(one["accuracy"]) == len(one["ceiling"]) == 4
        assert all(reached <= most for reached, most in zip(one["accuracy"], one["ceiling"], strict=True))
        assert set(one["dead"]) <= set(one["silent"][0])
        assert one["counts"].size == 20 * 40
    assert any(one["dead"] for one in found["runs"])
    assert found["cured"]["ceiling"] == [1.0] * 4
    assert is_picture(tmp_path / "relu_zeros/ceiling.png")
    printed = capsys.readouterr().out
    assert printed.startswith((tmp_path / "relu_zeros/report.txt").read_text())
    assert "start 0 without the last ReLU" in printed


def test_qp_layer(tmp_path, capsys):
    found = run("qp_layer", tmp_path)
    np.testing.assert_allclose(found["one"].x, [0.75, 0.25, 0.5], atol=1e-6)
    np.testing.assert_allclose(found["one"].z, [0.95], atol=1e-6)
    assert found["many"].status.tolist() == [0, 0, 1, 0]
    np.testing.assert_allclose(found["many"].x[0], [0.5, 0.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(found["slopes"][1], [1.0, 1.0, 0.0, 3.0], atol=1e-5)
    np.testing.assert_array_equal(found["slopes"][0][2], np.zeros(3))
    printed = capsys.readouterr().out
    assert "y [-0.7], by budget [-1.0]" in printed
    assert "objective -0.338, by budget 0.7" in printed
    assert "1 of 4 instances PRIMAL_INFEASIBLE (no point meets all constraints): 2" in printed


@pytest.mark.slow
def test_learn_constraint(tmp_path):
    """What binds is found from some of the starts; what never binds, and what was not seen, is not."""
    found = run("learn_constraint", tmp_path)
    assert found["ranks"] == [6, 3]
    assert (found["off"][:3] < 0.01).all()
    assert found["off"][3] > 0.05
    assert 1 <= (found["errors"] < 1e-5).sum() < 8
    corners = np.array([[1 / 0.9, 0.0], [0.0, 1 / 0.85]])
    assert (found["use"] @ corners.T <= 1.005).all()
    assert is_picture(tmp_path / "learn_constraint/plans.png")


@pytest.mark.slow
def test_predict_then_optimise(tmp_path):
    """Training through the program wins where the predictor is misspecified, and only there."""
    found = run("predict_then_optimise", tmp_path)
    fitted, trained = found["least squares"], found["through the program"]
    assert fitted.shape == trained.shape == (4, 5)
    assert (fitted > 0).all()
    assert (trained > 0).all()
    assert (trained[0] > fitted[0]).all()
    assert (trained[2:] < fitted[2:]).all()
    assert trained[2].mean() < 0.6 * fitted[2].mean()
    assert "lower in 5 of 5" in (tmp_path / "predict_then_optimise/report.txt").read_text(encoding="utf-8")


@pytest.mark.slow
def test_robust_portfolio(tmp_path):
    """The learned size of the ellipsoid pays on universes that it was not learned on."""
    found = run("robust_portfolio", tmp_path)
    assert 1.0 < np.exp(found["trust"]) < 8.0
    assert found["losses"][-1] < found["losses"][0]
    assert found["robust"].mean() > 1.1 * found["plain"].mean()
    assert np.mean(found["robust"] > found["plain"]) > 0.6
    assert is_picture(tmp_path / "robust_portfolio/robust_portfolio.png")


@pytest.mark.slow
def test_nearest_correlation(tmp_path):
    """What is learned through the projection is better on unseen tables, and alone the projection is not."""
    module = load("nearest_correlation")
    found = module.main(tmp_path)
    error = {name: np.asarray(each) for name, each in found["errors"].items()}
    mean = {name: each.mean() for name, each in error.items()}
    assert mean["pairs alone"] > mean["nearest"] > mean["clipped"] > mean["shrunk pairs"]
    assert mean["shrunk pairs"] > mean["nearest of shrunk"] > 1.02 * mean["weighted of shrunk"]
    assert np.mean(error["weighted of shrunk"] < error["clipped"]) > 0.7
    lowest = {name: np.linalg.eigvalsh(M)[:, 0] for name, M in found["found"].items()}
    assert (lowest.pop("pairs alone") < -1e-4).mean() > 0.99
    assert 0.3 < (lowest.pop("shrunk pairs") < -1e-4).mean() < 0.7
    assert all((each > -1e-4).all() for each in lowest.values())
    true, raw, count = jax.vmap(module.table)(jax.random.split(jax.random.key(1), 400))
    learned = found["learned"]["weighted of shrunk"]
    powers = [jnp.sum((module.believed({**learned, "power": p}, raw, count) - true) ** 2) for p in (3.0, 9.0)]
    assert 1 < powers[0] / powers[1] < 1.03
    assert is_picture(tmp_path / "eigenvalues.png")


@pytest.mark.slow
def test_logistic_hyperparameters(tmp_path):
    """A penalty a feature pays where half of the features are shuffled, and its validation loss flatters it."""
    found = run("logistic_hyperparameters", tmp_path)
    for each in found.values():
        assert (each["each"][0] < each["one"][0]).all()
    few, many = found[0], found[10]
    assert few["each"][1].mean() < few["one"][1].mean()
    assert (many["each"][1] < many["one"][1]).all()
    gain = (many["one"] - many["each"]).mean(1)
    assert gain[0] > gain[1] + 0.02 > 0.05
    assert is_picture(tmp_path / "logistic_hyperparameters/losses.png")


@pytest.mark.slow
def test_entropic_transport(tmp_path):
    """Plans are Sinkhorn's, and costs are found from them up to potentials, which plans do not tell."""
    found = run("entropic_transport", tmp_path)
    assert found["sinkhorn"] < 1e-14
    exact, noisy = found["exact"], found["noisy"]
    assert exact["centred"] < 1e-3 < 0.1 < exact["off"]
    assert exact["unseen"] < 1e-4
    assert exact["centred"] < noisy["centred"] < 0.1
    assert noisy["unseen"] < 0.2 * found["no cost"]
    assert is_picture(tmp_path / "entropic_transport/costs.png")


@pytest.mark.slow
def test_decision_losses(tmp_path):
    """Where the predictor is right least squares is best; where it is far from right the decision losses are."""
    module = load("decision_losses")
    found = {
        name: np.asarray(scores) for name, scores in module.main(tmp_path, seeds=2, steps=6, degrees=(1, 8)).items()
    }
    assert list(found) == ["least squares", "SPO+", "perturbed", "Fenchel-Young"]
    fitted = found.pop("least squares")
    for scores in found.values():
        assert scores.shape == (2, 2)
        assert (scores[0] > fitted[0]).all()
        assert (scores[1] < fitted[1]).all()
    assert (fitted > 0).all()
    assert is_picture(tmp_path / "regret.png")
    cost = np.random.default_rng(0).uniform(0.5, 1.5, 40).astype(np.float32)
    edges = np.asarray(module.shortest(cost))
    np.testing.assert_allclose(module.flow(edges, cost), 0, atol=1e-6)
    balance = np.stack([np.ravel(module.flow(row, cost)) for row in np.eye(40, dtype=np.float32)], 1)
    start = np.ravel(module.flow(np.zeros(40, np.float32), cost))
    np.testing.assert_allclose(edges, linprog(cost, A_eq=balance - start[:, None], b_eq=-start).x, atol=1e-6)


def test_keep_best(tmp_path, capsys):
    found = run("keep_best", tmp_path)
    assert found["best"] < 0.9 * found["last"]
    assert 1 <= found["epoch"] < 40
    assert [step for step, _ in found["steps"]] == list(range(20, 161, 20))
    assert (np.diff(found["rates"]) < 0).all()
    assert found["same"]
    assert "0.0200 in the first epoch, 0.0000 in the last" in capsys.readouterr().out


@pytest.mark.slow
def test_design_weights(tmp_path):
    """Designed starts have less than half the zeros, learn faster and end no worse."""
    found = run("design_weights", tmp_path, epochs=8)
    for report in found["reports"]:
        assert report.zeros_after < report.zeros_before / 3
        assert all(layer.distinct == layer.units for layer in report.layers)
    assert (found["after"] <= 0).mean() < (found["before"] <= 0).mean() / 3
    usual, designed = found["curves"]["usual"], found["curves"]["designed"]
    assert usual.shape == designed.shape == (8, 8)
    assert designed[:, :3].mean() > usual[:, :3].mean() + 0.05
    assert designed[:, -1].mean() > usual[:, -1].mean() - 0.005
    assert is_picture(tmp_path / "design_weights/layer.png")
    assert "64 optimal (simplex)" in (tmp_path / "design_weights/report.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_short_documented_and_tested(name):
    text = (FOLDER / f"{name}.py").read_text()
    assert len(text.splitlines()) < 80
    assert ast.get_docstring(ast.parse(text))
    assert f'default=Path("runs/examples/{name}")' in text
    assert any(f"def test_{name}(" in path.read_text() for path in pathlib.Path(__file__).parent.glob("test_*.py"))


def test_program_file(tmp_path):
    found = run("program_file", tmp_path)
    A, b = np.array([[-1.5, -3, -2, -1], [-4, -1, -5, -6], [1, 1, 1, 0.5]]), np.array([-9.0, -20, 8])
    box = [(0, None), (0, None), (0, 2), (0, 3)]
    expected = linprog([2, 3, 2.5, 4], A, b, bounds=box)
    np.testing.assert_allclose(list(found["eaten"].values()), expected.x, atol=1e-4)
    prices = [found["prices"]["rhs"][name] for name in ("iron", "protein", "weight")]
    np.testing.assert_allclose(prices, expected.ineqlin.marginals * [-1, -1, 1], atol=1e-4)
    again = linprog([2, 3, 2.5, 4], A, b * [1, 1.1, 1], bounds=box)
    assert found["actual"] == pytest.approx(again.fun, abs=1e-4)
    assert found["predicted"] == pytest.approx(found["actual"], abs=1e-4)
    assert is_picture(tmp_path / "program_file/prices.png")
    assert " protein  22.0" in (tmp_path / "program_file/more_protein.mps").read_text()
