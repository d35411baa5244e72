"""The ratios in the README are those of the committed results."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def rows(name):
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))["rows"]


def cell(what):
    """Return the last cell of the row of the README's table that begins with some words."""
    (line,) = (line for line in README.splitlines() if line.startswith(f"| {what}"))
    return line.strip("| ").split(" | ")[-1]


def span(values, digits):
    return " to ".join(f"{end:.{digits}f}" for end in (min(values), max(values)))


def test_programs():
    found = rows("programs")
    assert cell("batches of quadratic programs") == span([row["moreau with gradient"] for row in found], 1)
    assert cell("the same") == span([row["qpax with gradient"] for row in found], 0)


def test_structured_programs():
    found = {row["setting"]: row["peer / argflux"] for row in rows("structured") if "Clarabel" in row["peer"]}
    assert cell("a batch of 32 sparse") == span([r for name, r in found.items() if "with gradient" in name], 1)
    (largest,) = (row for row in rows("structured") if row["setting"].startswith("simplex, n = 10000"))
    assert cell("projection onto a simplex") == f"{largest['peer / argflux']:.0f}"


def test_real_programs():
    text = (ROOT / "benchmarks" / "results" / "real_programs.json").read_text(encoding="utf-8")
    forward, gradient = (float(part.split()[0]) for part in json.loads(text)["title"].split(": ")[1:])
    assert cell("69 programs of Maros") == f"{1 / forward:.1f}"
    assert cell("such programs") == f"{1 / gradient:.1f}"
    assert len(rows("real_programs")) == 69


def test_starts():
    moons, by_index, _ = rows("starts")
    assert cell("500 starts on the moons") == f"{moons['ratio']:.0f}"
    assert cell("64 starts on MNIST") == f"{by_index['ratio']:.1f}"


def test_patterns():
    whole = [row["linprog / design"] for row in rows("patterns_design") if row["layer"] == "all"]
    assert cell("weights by linear programs") == span(whole, 0)
    best = min(row["peer / ours"] for row in rows("patterns") if "PyTorch" in row["peer"])
    assert cell("counting zeros") == f"{best:.1f}"


def test_networks():
    means = {row["beside"]: f"{row['ratio']:.1f}" for row in rows("networks") if row["network"] == "geometric mean"}
    assert cell("networks: gradients") == means["PyTorch"]
    assert cell("networks: steps of training") == f"{means['Flax NNX']}, {means['Equinox']}"


def test_nonlinear_and_cone_programs():
    batches = [row for row in rows("nonlinear") if not row["batch"].startswith("one ")]
    sqp = [row["CasADi sqpmethod forward / ours with gradients"] for row in batches]
    pounce = [row["POUNCE with gradients / ours with gradients"] for row in batches]
    assert cell("batches of nonlinear") == span(sqp, 1)
    assert cell("these three") == span(pounce, 0)
    looped = [row["Clarabel forward / ours with gradients"] for row in rows("cones")]
    assert cell("batches of programs over cones") == span(looped, 1)


def test_problems_of_others():
    guide = (ROOT / "docs" / "guides" / "nonlinear.md").read_text(encoding="utf-8")
    found = rows("sif2jax")
    ends = sum(row["status"] in ("SOLVED", "LOCALLY_INFEASIBLE") for row in found)
    assert f"Of the {len(found)} problems" in guide
    assert f"{ends} end at a point" in guide
    assert f"{sum(row['reached'] for row in found)} at the best objective" in guide
    assert f"at the best objective on {sum(row['by Ipopt'] for row in found)}; " in guide
    assert f"{sum(not row['reached'] and not row['by Ipopt'] for row in found)} of the\nproblems" in guide
    assert all(row["error"] <= 1e-6 for row in found if row["status"] == "SOLVED")
