"""argflux solve: what is shown and written by the file's names, and what is said of bad files."""

import csv
import json

import numpy as np
import pytest

from tests.cli.terminal import fails, run

DIET = """NAME diet
ROWS
 N price
 G iron
 G protein
 L weight
COLUMNS
 oats price 2 iron 1
 oats protein 3 weight 1
 kale price 3 iron 2
 kale protein 1 weight 1
 beans price 2.5 iron 1.5
 beans protein 2.5 weight 1
RHS
 R iron 4 protein 6
 R weight 9
BOUNDS
 UP B beans 2
ENDATA
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "diet.mps").write_text(DIET)


def table(shown: str, head: str) -> dict[str, list[str]]:
    """The rows of the table whose first column has this head."""
    lines = shown.splitlines()
    first = next(k for k, line in enumerate(lines) if line.split()[:1] == [head])
    rows = [line.split() for line in lines[first + 1 :]]
    return {row[0]: row[1:] for row in rows[: next((k for k, row in enumerate(rows) if not row), len(rows))]}


def test_solution_and_prices_by_name(capsys):
    code, shown, errors = run(capsys, "solve", "diet.mps")
    assert (code, errors) == (0, "")
    assert "diet: linear, 3 columns, 3 rows\n" in shown
    assert "price 6.6\n" in shown
    assert table(shown, "column") == {
        "beans": ["2", "0", "2", "-0.1"], "kale": ["0.4", "0", "inf", "0"], "oats": ["0.2", "0", "inf", "0"],
    }  # fmt: skip
    assert table(shown, "row") == {
        "iron": ["4", "4", "inf", "1.4"], "protein": ["6", "6", "inf", "0.2"], "weight": ["2.6", "-inf", "9", "0"],
    }  # fmt: skip
    assert "number" not in shown


def test_everything_is_written(capsys, tmp_path):
    code, shown, _ = run(
        capsys, "solve", "diet.mps", "--of", "kale", "--csv", "a/k.csv", "--json", "k.json", "--figure", "k.png"
    )
    assert code == 0
    assert " is  d kale\n" in shown
    rows = list(csv.DictReader((tmp_path / "a" / "k.csv").read_text().splitlines()))
    slopes = {(row["block"], row["name"]): float(row["d kale"]) for row in rows}
    np.testing.assert_allclose(
        [slopes["rhs", "iron"], slopes["upper", "beans"], slopes["rhs", "protein"]], [0.6, -0.4, -0.2]
    )
    record = json.loads((tmp_path / "k.json").read_text())
    assert record["columns"] == pytest.approx({"oats": 0.2, "kale": 0.4, "beans": 2.0})
    assert record["prices"]["rhs"] == pytest.approx({"iron": 1.4, "protein": 0.2, "weight": 0.0})
    assert record["slopes"]["rhs"]["iron"] == pytest.approx(0.6)
    assert (record["status"], record["of"]) == ("SOLVED", "kale")
    assert (tmp_path / "k.png").read_bytes().startswith(b"\x89PNG")


def test_numbers_have_slopes_and_the_range_in_which_these_hold(capsys, tmp_path):
    shown = run(capsys, "solve", "diet.mps", "--sensitivity", "--json", "d.json")[1]
    lines = [line.split() for line in shown.splitlines()]
    assert ["number", "is", "d", "price", "holds", "from", "holds", "to"] in lines
    assert ["rhs", "iron", "4", "1.4", "3.33333", "5"] in lines
    assert ["rhs", "weight", "9", "0", "2.6", "inf"] in lines
    assert ["cost", "beans", "2.5", "2", "-inf", "2.6"] in lines
    assert ["upper", "beans", "2", "-0.1"] in lines
    ranges = json.loads((tmp_path / "d.json").read_text())["ranges"]
    assert ranges["cost"]["beans"] == [None, pytest.approx(2.6)]


def test_long_tables_are_cut_unless_all_is_asked_for(capsys, tmp_path):
    lines = ["ROWS", " N c", *(f" L r{k}" for k in range(30)), "COLUMNS", *(f" x{k} c -1 r{k} 1" for k in range(30))]
    (tmp_path / "wide.mps").write_text("\n".join([*lines, "RHS", *(f" R r{k} {k + 1}" for k in range(30)), "ENDATA"]))
    _, shown, _ = run(capsys, "solve", "wide.mps")
    assert list(table(shown, "column")) == [f"x{k}" for k in range(29, 19, -1)]
    assert "the largest 10 of 30 by value; --all shows all" in shown
    assert len(table(run(capsys, "solve", "wide.mps", "--all")[1], "column")) == 30


def test_notes_and_degenerate_solutions_are_told_in_words(capsys, tmp_path):
    text = DIET.replace(" G iron\n", " G iron\n G same\n").replace(" weight 1\n", "\n")
    for old, new in (
        (" oats protein 3", " oats protein 3 same 1"),
        (" kale protein 1", " kale protein 1 same 2"),
        (" beans protein 2.5", " beans protein 2.5 same 1.5"),
        (" R iron 4 protein 6", " R iron 4 protein 6\n R same 4\n R price 3"),
    ):
        text = text.replace(old, new)
    (tmp_path / "twice.mps").write_text(text)
    code, shown, _ = run(capsys, "solve", "twice.mps")
    assert code == 0
    assert "note: RHS of price: minus it is the objective's constant (GLPK: plus)" in shown
    assert "note: degenerate: active constraints depend on each other, so prices are not unique" in shown


BAD = [
    (["none.mps"], 1, r"none.mps: got No such file"),
    (["diet.txt"], 2, r"diet.txt: got the ending .txt; expected .mps, .qps or .lp"),
    (["broken.mps"], 1, r"broken.mps:3: got a section WORDS"),
    (["diet.mps", "--of", "kalee"], 2, r"--of: got 'kalee'; expected one of the 3 columns; did you mean kale?"),
    (["whole.mps"], 1, r"whole.mps: got 1 columns that are to be integers or semicontinuous: oats"),
    (["none.lp"], 1, r"none.lp: got no point meets all constraints (PRIMAL_INFEASIBLE)"),
    (["free.lp"], 1, r"free.lp: got the objective falls without bound (DUAL_INFEASIBLE)"),
]


@pytest.mark.parametrize(("arguments", "code", "message"), BAD)
def test_bad_files_end_with_one_line(capsys, tmp_path, arguments, code, message):
    (tmp_path / "broken.mps").write_text("NAME a\nROWS\nWORDS\nENDATA\n")
    (tmp_path / "whole.mps").write_text(DIET.replace("ENDATA", " UI B oats 4\nENDATA"))
    (tmp_path / "none.lp").write_text("min\n x\nst\n x >= 2\n x <= 1\nend\n")
    (tmp_path / "free.lp").write_text("max\n x\nst\n x >= 2\nend\n")
    assert message in fails(capsys, code, "solve", *arguments)


def test_integers_may_be_relaxed(capsys, tmp_path):
    (tmp_path / "whole.mps").write_text(DIET.replace("ENDATA", " UI B oats 4\nENDATA"))
    code, shown, _ = run(capsys, "solve", "whole.mps", "--relax")
    assert code == 0
    assert "1 columns that were to be integers or semicontinuous are real within their bounds" in shown
